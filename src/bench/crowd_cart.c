#include "bench/crowd_cart.h"

#include <yyjson.h>

/* ---- Lines ---- */

uint32_t crowd_lines_get(const struct crowd_lines *lines, uint32_t item)
{
    for (unsigned i = 0; i < lines->count; i++)
        if (lines->at[i].item == item)
            return lines->at[i].quantity;
    return 0;
}

bool crowd_lines_set(struct crowd_lines *lines, uint32_t item, uint32_t quantity)
{
    unsigned at = 0;
    while (at < lines->count && lines->at[at].item != item)
        at++;
    if (quantity == 0) {
        if (at < lines->count)
            lines->at[at] = lines->at[--lines->count];
        return true;
    }
    if (at == CROWD_LINES)
        return false;
    lines->at[at] = (struct crowd_line){item, quantity};
    lines->count += at == lines->count;
    return true;
}

bool crowd_lines_equal(const struct crowd_lines *a, const struct crowd_lines *b)
{
    bool equal = a->count == b->count;
    for (unsigned i = 0; equal && i < a->count; i++)
        equal = crowd_lines_get(b, a->at[i].item) == a->at[i].quantity;
    return equal;
}

void crowd_lines_text(const struct crowd_lines *lines, const struct crowd_items *items,
                      struct buf *out)
{
    for (unsigned i = 0; i < lines->count; i++) {
        uint32_t item = lines->at[i].item;
        buf_printf(out, "%s%s %u", i ? ", " : "",
                   item < items->count ? items->at[item].key : "(unknown)", lines->at[i].quantity);
    }
    if (lines->count == 0)
        buf_puts(out, "nothing");
}

/* ---- Reading ---- */

static uint32_t find_item(const struct crowd_items *items, struct str key)
{
    for (uint32_t i = 0; i < items->count; i++)
        if (str_eq(str_of(items->at[i].key), key))
            return i;
    return CROWD_ITEMS;
}

/* A line more: of an item that is there already, its quantity grows. */
static void add_line(struct crowd_lines *lines, uint32_t item, uint64_t quantity)
{
    crowd_lines_set(lines, item, crowd_lines_get(lines, item) + (uint32_t)quantity);
}

/* The text between MARK and the next quote, cut off the front of REST. */
static bool cut_after(struct str *rest, struct str mark, struct str *text)
{
    ptrdiff_t at = str_find(*rest, mark);
    if (at < 0)
        return false;
    *rest = str_from(*rest, (size_t)at + mark.len);
    return str_cut(rest, '"', text) && rest->at;
}

bool crowd_lines_of_page(struct str html, const struct crowd_items *items,
                         struct crowd_lines *lines)
{
    struct str key, number;
    uint64_t quantity;
    *lines = (struct crowd_lines){0};
    if (str_find(html, STR("Your cart</h1>")) < 0)
        return false;
    while (cut_after(&html, STR("name=\"item\" value=\""), &key)) {
        ptrdiff_t field = str_find(html, STR("name=\"quantity\""));
        if (field < 0)
            return false;
        html = str_from(html, (size_t)field);
        if (!cut_after(&html, STR(" value=\""), &number) || str_to_u64(number, &quantity))
            return false;
        add_line(lines, find_item(items, key), quantity);
    }
    return true;
}

bool crowd_lines_of_json(struct str json, const struct crowd_items *items,
                         struct crowd_lines *lines)
{
    *lines = (struct crowd_lines){0};
    yyjson_doc *doc = yyjson_read(json.at, json.len, 0);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "line_items");
    bool good = yyjson_is_arr(list);
    yyjson_val *line;
    yyjson_arr_iter each = yyjson_arr_iter_with(list);
    while (good && (line = yyjson_arr_iter_next(&each))) {
        const char *key = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(line, "item"), "id"));
        yyjson_val *quantity = yyjson_obj_get(line, "quantity");
        good = key && yyjson_is_uint(quantity);
        if (good)
            add_line(lines, find_item(items, str_of(key)), yyjson_get_uint(quantity));
    }
    yyjson_doc_free(doc);
    return good;
}

/* ---- Belief ---- */

static void believe(struct crowd_belief *belief, const struct crowd_lines *lines)
{
    belief->past[belief->past_count++ % CROWD_PAST] = belief->now;
    belief->now = *lines;
    belief->doubt = false;
}

void crowd_belief_change(struct crowd_belief *belief, const struct crowd_lines *lines)
{
    believe(belief, lines);
}

void crowd_belief_doubt(struct crowd_belief *belief, const struct crowd_lines *lines)
{
    belief->perhaps = *lines;
    belief->doubt = true;
}

static bool was_so(const struct crowd_belief *belief, const struct crowd_lines *seen)
{
    unsigned kept = belief->past_count < CROWD_PAST ? belief->past_count : CROWD_PAST;
    for (unsigned i = 0; i < kept; i++)
        if (crowd_lines_equal(&belief->past[i], seen))
            return true;
    return false;
}

/* More of something than the belief has. */
static bool has_more(const struct crowd_lines *seen, const struct crowd_lines *believed)
{
    for (unsigned i = 0; i < seen->count; i++)
        if (seen->at[i].quantity > crowd_lines_get(believed, seen->at[i].item))
            return true;
    return false;
}

enum crowd_finding crowd_belief_see(struct crowd_belief *belief, const struct crowd_lines *seen)
{
    if (crowd_lines_equal(seen, &belief->now)) {
        belief->doubt = false;
        return CROWD_AS_PROMISED;
    }
    bool done_after_all = belief->doubt && crowd_lines_equal(seen, &belief->perhaps);
    enum crowd_finding finding = done_after_all                 ? CROWD_AS_PROMISED
                                 : was_so(belief, seen)         ? CROWD_WENT_BACK
                                 : has_more(seen, &belief->now) ? CROWD_DOUBLED
                                                                : CROWD_LOST;
    believe(belief, seen);
    return finding;
}

const char *crowd_finding_name(enum crowd_finding finding)
{
    static const char *const names[] = {"not seen", "as promised", "lost", "doubled", "went back"};
    return names[finding];
}

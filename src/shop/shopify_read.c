#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "shop/money.h"
#include "shop/shopify.h"
#include "shop/shopify_columns.h"
#include "shop/slug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PRODUCT_MEMORY = 8 << 20, REASON_MAX = 480 };

static const struct {
    const char *now, *before;
} headers[SHOPIFY_COLUMN_COUNT] = {
#define X(name, now, before) {now, before},
    SHOPIFY_COLUMN_LIST(X)
#undef X
};

struct shopify {
    struct shopify_listener listener;
    unsigned digits;
    struct csv csv;
    int at[SHOPIFY_COLUMN_COUNT]; /* a column's place in the file, -1: not there */
    bool has_header;

    /* The product whose rows are being read. */
    struct arena arena;
    bool open, spoiled; /* spoiled: a row of it was bad, it is left out */
    uint64_t first_line;
    struct product product;
    int64_t *positions; /* of its pictures */

    /* Hashes of the handles seen: open addressing, 0 is free. */
    uint64_t *seen;
    uint64_t seen_room, seen_count;

    struct shopify_counts counts;
};

int shopify_new(const struct shopify_listener *listener, unsigned currency_digits,
                struct shopify **shopify)
{
    struct shopify *s = calloc(1, sizeof *s);
    if (!s)
        return ERR_NOMEM;
    s->listener = *listener;
    s->digits = currency_digits;
    csv_init(&s->csv, ',');
    arena_init(&s->arena, PRODUCT_MEMORY);
    *shopify = s;
    return 0;
}

void shopify_free(struct shopify *s)
{
    if (!s)
        return;
    csv_close(&s->csv);
    arena_close(&s->arena);
    free(s->seen);
    free(s);
}

struct shopify_counts shopify_counts(const struct shopify *s)
{
    return s->counts;
}

/* ---- What is wrong ---- */

static void bad(struct shopify *s, uint64_t line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void bad(struct shopify *s, uint64_t line, const char *format, ...)
{
    char reason[REASON_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    s->counts.bad_rows++;
    s->spoiled = true;
    s->listener.bad(s->listener.context, line, reason);
}

/* Long values are shown by their beginning. */
#define SHOWN(s) (int)((s).len < 60 ? (s).len : 60), (s).at ? (s).at : ""

/* ---- The header ---- */

static struct str cell(const struct shopify *s, enum shopify_column column)
{
    int at = s->at[column];
    if (at < 0 || (unsigned)at >= s->csv.count)
        return STR("");
    return str_trim(s->csv.fields[at]);
}

static int read_header(struct shopify *s)
{
    for (unsigned c = 0; c < SHOPIFY_COLUMN_COUNT; c++) {
        s->at[c] = -1;
        for (unsigned i = 0; i < s->csv.count && s->at[c] < 0; i++) {
            struct str name = str_trim(s->csv.fields[i]);
            if (str_eq_nocase(name, str_of(headers[c].now)) ||
                str_eq_nocase(name, str_of(headers[c].before)))
                s->at[c] = (int)i;
        }
    }
    s->has_header = true;
    static const enum shopify_column needed[] = {SHOPIFY_TITLE, SHOPIFY_HANDLE, SHOPIFY_PRICE};
    for (unsigned i = 0; i < COUNT_OF(needed); i++)
        if (s->at[needed[i]] < 0) {
            bad(s, s->csv.row_line,
                "there is no column \"%s\" (or, in older files, \"%s\"): this is not Shopify's "
                "product CSV",
                headers[needed[i]].now, headers[needed[i]].before);
            return ERR_INVALID;
        }
    s->spoiled = false;
    return 0;
}

/* ---- Handles seen ---- */

static int seen_grow(struct shopify *s)
{
    uint64_t room = s->seen_room ? 2 * s->seen_room : 1024;
    uint64_t *fresh = calloc(room, sizeof *fresh);
    if (!fresh)
        return ERR_NOMEM;
    for (uint64_t i = 0; i < s->seen_room; i++) {
        if (!s->seen[i])
            continue;
        uint64_t at = s->seen[i] & (room - 1);
        while (fresh[at])
            at = (at + 1) & (room - 1);
        fresh[at] = s->seen[i];
    }
    free(s->seen);
    s->seen = fresh;
    s->seen_room = room;
    return 0;
}

/* *BEFORE: HANDLE was seen already. With 64 bits, two of a million handles share a hash
 * once in thirty million files. */
static int seen_add(struct shopify *s, struct str handle, bool *before)
{
    if (4 * s->seen_count >= 3 * s->seen_room && seen_grow(s))
        return ERR_NOMEM;
    uint64_t hash = hash_fast((struct hash_key){0x73746f61, 0x696d706f7274}, handle);
    hash += hash == 0;
    uint64_t at = hash & (s->seen_room - 1);
    while (s->seen[at] && s->seen[at] != hash)
        at = (at + 1) & (s->seen_room - 1);
    *before = s->seen[at] == hash;
    s->seen_count += !*before;
    s->seen[at] = hash;
    return 0;
}

/* ---- Cells ---- */

static bool read_flag(struct shopify *s, enum shopify_column column, bool otherwise)
{
    struct str text = cell(s, column);
    if (text.len == 0)
        return otherwise;
    if (str_eq_nocase(text, STR("true")) || str_eq_nocase(text, STR("yes")))
        return true;
    if (str_eq_nocase(text, STR("false")) || str_eq_nocase(text, STR("no")))
        return false;
    bad(s, s->csv.row_line, "%s \"%.*s\" is neither TRUE nor FALSE", headers[column].now,
        SHOWN(text));
    return otherwise;
}

static int64_t read_money(struct shopify *s, enum shopify_column column)
{
    struct str text = cell(s, column);
    int64_t amount = 0;
    if (text.len == 0)
        return 0;
    if (money_read(text, s->digits, &amount)) {
        char hint[64] = "12.50";
        size_t n = 0;
        bool comma = str_find_byte(text, ',') >= 0 && text.len < sizeof hint;
        for (size_t i = 0; comma && i < text.len; i++)
            hint[n++] = text.at[i] == ',' ? '.' : text.at[i];
        if (comma)
            hint[n] = 0;
        if (comma && money_read(str_of(hint), s->digits, &amount))
            strcpy(hint, "12.50");
        bad(s, s->csv.row_line, "%s \"%.*s\" is not a number (use %s)", headers[column].now,
            SHOWN(text), hint);
        return 0;
    }
    if (amount < 0)
        bad(s, s->csv.row_line, "%s \"%.*s\" is negative", headers[column].now, SHOWN(text));
    return amount < 0 ? 0 : amount;
}

static int64_t read_whole(struct shopify *s, enum shopify_column column, int64_t least,
                          int64_t most)
{
    struct str text = cell(s, column);
    ptrdiff_t point = str_find_byte(text, '.');
    struct str whole = point < 0 ? text : str_sub(text, 0, (size_t)point);
    int64_t value = 0;
    if (text.len == 0)
        return 0;
    if (str_to_i64(whole, &value) || value < least || value > most) {
        bad(s, s->csv.row_line, "%s \"%.*s\" is not a whole number from %lld to %lld",
            headers[column].now, SHOWN(text), (long long)least, (long long)most);
        return 0;
    }
    return value;
}

static struct str keep(struct shopify *s, enum shopify_column column, size_t max)
{
    struct str text = cell(s, column);
    if (text.len > max) {
        bad(s, s->csv.row_line, "%s is %zu bytes long, and may be %zu", headers[column].now,
            text.len, max);
        return STR("");
    }
    return arena_str(&s->arena, text);
}

/* A text of one line. What a spreadsheet broke into lines becomes one again. */
static struct str keep_line(struct shopify *s, enum shopify_column column, size_t max)
{
    struct str text = cell(s, column), kept = keep(s, column, max);
    if (kept.len != text.len || kept.len == 0)
        return kept;
    char *bytes = arena_alloc(&s->arena, kept.len);
    if (!bytes)
        return STR_NONE;
    for (size_t i = 0; i < kept.len; i++) {
        unsigned char c = (unsigned char)kept.at[i];
        bool space = c == '\t' || c == '\n' || c == '\r';
        if ((c < 0x20 && !space) || c == 0x7f) {
            bad(s, s->csv.row_line, "%s has a control character in it", headers[column].now);
            return STR("");
        }
        bytes[i] = space ? ' ' : (char)c;
    }
    return str_make(bytes, kept.len);
}

/* ---- The product's first row ---- */

static void read_tags(struct shopify *s)
{
    struct product *p = &s->product;
    struct str rest = keep_line(s, SHOPIFY_TAGS, 8000), tag;
    while (str_cut(&rest, ',', &tag)) {
        tag = str_trim(tag);
        if (tag.len == 0)
            continue;
        if (tag.len > SHOP_KEY_MAX) {
            bad(s, s->csv.row_line, "tag \"%.*s…\" is longer than %d bytes", SHOWN(tag),
                SHOP_KEY_MAX);
            return;
        }
        if (p->tag_count == SHOP_TAGS_MAX) {
            bad(s, s->csv.row_line, "it has more than %d tags", SHOP_TAGS_MAX);
            return;
        }
        p->tags[p->tag_count++] = tag;
    }
}

/* "Home & Garden > Kitchen > Tableware" is Tableware, unless there is a Type. */
static struct str read_category(struct shopify *s)
{
    struct str type = keep_line(s, SHOPIFY_TYPE, SHOP_KEY_MAX);
    if (type.len)
        return type;
    struct str path = keep_line(s, SHOPIFY_CATEGORY, SHOP_TEXT_MAX), part, last = STR("");
    while (str_cut(&path, '>', &part))
        last = str_trim(part);
    return last;
}

static bool is_published(struct shopify *s)
{
    struct str status = cell(s, SHOPIFY_STATUS);
    bool published = read_flag(s, SHOPIFY_PUBLISHED, true);
    if (status.len == 0 || str_eq_nocase(status, STR("active")))
        return published;
    if (!str_eq_nocase(status, STR("draft")) && !str_eq_nocase(status, STR("archived")) &&
        !str_eq_nocase(status, STR("unlisted")))
        bad(s, s->csv.row_line, "Status \"%.*s\" is none of Active, Draft, Archived, Unlisted",
            SHOWN(status));
    return false;
}

static void read_options(struct shopify *s)
{
    static const enum shopify_column columns[] = {SHOPIFY_OPTION1_NAME, SHOPIFY_OPTION2_NAME,
                                                  SHOPIFY_OPTION3_NAME};
    struct product *p = &s->product;
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++) {
        struct str name = keep_line(s, columns[i], SHOP_KEY_MAX);
        if (name.len == 0)
            break;
        /* Shopify's way of saying that there is nothing to choose. */
        if (i == 0 && str_eq_nocase(name, STR("Title")) &&
            str_eq_nocase(cell(s, SHOPIFY_OPTION1_VALUE), STR("Default Title")))
            break;
        for (unsigned j = 0; j < i; j++)
            if (str_eq_nocase(name, p->option_names[j]))
                bad(s, s->csv.row_line, "two options are called \"%.*s\"", SHOWN(name));
        p->option_names[p->option_count++] = name;
    }
}

static int begin_product(struct shopify *s, struct str handle)
{
    struct product *p = &s->product;
    bool before;
    arena_reset(&s->arena);
    *p = (struct product){.handle = arena_str(&s->arena, handle)};
    p->variants = ARENA_ARRAY(&s->arena, struct variant, SHOP_VARIANTS_MAX);
    p->pictures = ARENA_ARRAY(&s->arena, struct picture, SHOP_PICTURES_MAX);
    s->positions = ARENA_ARRAY(&s->arena, int64_t, SHOP_PICTURES_MAX);
    if (!p->variants || !p->pictures || !s->positions || !p->handle.at)
        return ERR_NOMEM;
    s->open = true;
    s->spoiled = false;
    s->first_line = s->csv.row_line;
    int err = seen_add(s, handle, &before);
    if (err)
        return err;
    if (before)
        bad(s, s->csv.row_line,
            "URL handle \"%.*s\" was in rows further up already: keep the rows of a product "
            "together",
            SHOWN(handle));
    p->title = keep_line(s, SHOPIFY_TITLE, SHOP_TEXT_MAX);
    if (p->title.len == 0 && !s->spoiled)
        bad(s, s->csv.row_line, "the first row of a product must have a Title");
    p->html = keep(s, SHOPIFY_HTML, SHOP_HTML_MAX);
    p->vendor = keep_line(s, SHOPIFY_VENDOR, SHOP_KEY_MAX);
    p->category = read_category(s);
    p->seo_title = keep_line(s, SHOPIFY_SEO_TITLE, SHOP_TEXT_MAX);
    p->seo_description = keep_line(s, SHOPIFY_SEO_DESCRIPTION, SHOP_TEXT_MAX);
    p->published = is_published(s);
    read_tags(s);
    read_options(s);
    return 0;
}

/* ---- Pictures ---- */

/* The index of the picture at URL, adding it; -1 when there is no room. */
static int32_t picture_index(struct shopify *s, struct str url, struct str alt, int64_t position)
{
    struct product *p = &s->product;
    for (unsigned i = 0; i < p->picture_count; i++)
        if (str_eq(p->pictures[i].url, url)) {
            if (alt.len)
                p->pictures[i].alt = alt;
            if (position)
                s->positions[i] = position;
            return (int32_t)i;
        }
    if (p->picture_count == SHOP_PICTURES_MAX) {
        bad(s, s->csv.row_line, "the product has more than %d pictures", SHOP_PICTURES_MAX);
        return -1;
    }
    s->positions[p->picture_count] = position ? position : INT64_MAX;
    p->pictures[p->picture_count] = (struct picture){url, alt};
    return (int32_t)p->picture_count++;
}

static struct str read_url(struct shopify *s, enum shopify_column column)
{
    struct str url = keep_line(s, column, SHOP_TEXT_MAX);
    if (url.len == 0 || url.at[0] == '/' || str_starts(url, STR("https://")) ||
        str_starts(url, STR("http://")))
        return url;
    bad(s, s->csv.row_line, "%s \"%.*s\" is no address (https://… or /pictures/…)",
        headers[column].now, SHOWN(url));
    return STR("");
}

/* By position, keeping the file's order among equals; variants follow their pictures. */
static void sort_pictures(struct shopify *s)
{
    struct product *p = &s->product;
    int32_t moved[SHOP_PICTURES_MAX]; /* old index by new */
    for (unsigned i = 0; i < p->picture_count; i++) {
        unsigned at = i;
        for (; at > 0 && s->positions[moved[at - 1]] > s->positions[i]; at--)
            moved[at] = moved[at - 1];
        moved[at] = (int32_t)i;
    }
    struct picture sorted[SHOP_PICTURES_MAX];
    int32_t place[SHOP_PICTURES_MAX];
    for (unsigned i = 0; i < p->picture_count; i++) {
        sorted[i] = p->pictures[moved[i]];
        place[moved[i]] = (int32_t)i;
    }
    for (unsigned i = 0; i < p->picture_count; i++)
        p->pictures[i] = sorted[i];
    for (unsigned i = 0; i < p->variant_count; i++)
        if (p->variants[i].picture >= 0)
            p->variants[i].picture = place[p->variants[i].picture];
}

/* ---- Variants ---- */

static bool is_variant_row(const struct shopify *s)
{
    return cell(s, SHOPIFY_PRICE).len || cell(s, SHOPIFY_SKU).len ||
           cell(s, SHOPIFY_OPTION1_VALUE).len;
}

static void read_option_values(struct shopify *s, struct variant *v)
{
    static const enum shopify_column columns[] = {SHOPIFY_OPTION1_VALUE, SHOPIFY_OPTION2_VALUE,
                                                  SHOPIFY_OPTION3_VALUE};
    struct product *p = &s->product;
    for (unsigned i = 0; i < p->option_count; i++) {
        v->options[i] = keep_line(s, columns[i], SHOP_KEY_MAX);
        if (v->options[i].len == 0 && !s->spoiled)
            bad(s, s->csv.row_line, "%s is empty, but the product has the option \"%.*s\"",
                headers[columns[i]].now, SHOWN(p->option_names[i]));
    }
    for (unsigned i = p->option_count; i < SHOP_OPTIONS_MAX; i++)
        v->options[i] = STR("");
}

static bool key_is_used(const struct product *p, struct str key)
{
    for (unsigned i = 0; i < p->variant_count; i++)
        if (str_eq(p->variants[i].key, key))
            return true;
    return false;
}

/* "handle", or "handle~blue-large": what the variant is called outside. Empty where that is
 * too long, or another's already ("+1.00" after "-1.00"): the shop finds one then. */
static struct str variant_key(struct shopify *s, const struct variant *v)
{
    struct product *p = &s->product;
    struct buf key;
    if (p->option_count == 0)
        return p->handle;
    buf_init(&key, 16384);
    buf_str(&key, p->handle);
    for (unsigned i = 0; i < p->option_count; i++) {
        buf_byte(&key, i ? '-' : '~');
        slug_put(&key, v->options[i]);
    }
    bool fits = !key.failed && key.len <= SHOP_KEY_MAX && !key_is_used(p, buf_text(&key));
    struct str kept = fits ? arena_str(&s->arena, buf_text(&key)) : STR("");
    buf_close(&key);
    return kept;
}

static bool same_options(const struct variant *a, const struct variant *b)
{
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++)
        if (!str_eq(a->options[i], b->options[i]))
            return false;
    return true;
}

static void check_unique(struct shopify *s, const struct variant *v)
{
    struct product *p = &s->product;
    for (unsigned i = 0; i < p->variant_count; i++)
        if (same_options(&p->variants[i], v)) {
            if (p->option_count == 0)
                bad(s, s->csv.row_line,
                    "the product has a second variant, but no option (Option1 name) that tells "
                    "them apart");
            else
                bad(s, s->csv.row_line,
                    "a variant with these option values (\"%.*s\") is there already",
                    SHOWN(p->variants[i].key));
            return;
        }
}

static bool sells_when_out(struct shopify *s)
{
    struct str policy = cell(s, SHOPIFY_POLICY);
    if (str_eq_nocase(policy, STR("continue")) || str_eq_nocase(policy, STR("true")))
        return true;
    if (policy.len && !str_eq_nocase(policy, STR("deny")) && !str_eq_nocase(policy, STR("false")))
        bad(s, s->csv.row_line, "%s \"%.*s\" is neither DENY nor CONTINUE",
            headers[SHOPIFY_POLICY].now, SHOWN(policy));
    return false;
}

static void read_variant(struct shopify *s)
{
    struct product *p = &s->product;
    if (p->variant_count == SHOP_VARIANTS_MAX) {
        bad(s, s->csv.row_line, "the product has more than %d variants", SHOP_VARIANTS_MAX);
        return;
    }
    struct variant v = {.picture = -1};
    read_option_values(s, &v);
    v.key = variant_key(s, &v);
    v.sku = keep_line(s, SHOPIFY_SKU, SHOP_KEY_MAX);
    v.barcode = keep_line(s, SHOPIFY_BARCODE, SHOP_KEY_MAX);
    if (cell(s, SHOPIFY_PRICE).len == 0)
        bad(s, s->csv.row_line, "Price is empty");
    v.price = read_money(s, SHOPIFY_PRICE);
    v.compare_at = read_money(s, SHOPIFY_COMPARE_AT);
    v.grams = read_whole(s, SHOPIFY_GRAMS, 0, 1000000000);
    v.set_stock = cell(s, SHOPIFY_QUANTITY).len > 0;
    v.available = read_whole(s, SHOPIFY_QUANTITY, -1000000000, 1000000000);
    v.tracked = v.set_stock || cell(s, SHOPIFY_TRACKER).len > 0;
    v.sell_when_out = sells_when_out(s);
    v.taxable = read_flag(s, SHOPIFY_TAXABLE, true);
    v.needs_shipping = read_flag(s, SHOPIFY_SHIPPING, true);
    struct str picture = read_url(s, SHOPIFY_VARIANT_IMAGE);
    if (picture.len)
        v.picture = picture_index(s, picture, STR(""), 0);
    check_unique(s, &v);
    if (v.available < 0 && !v.sell_when_out)
        v.available = 0; /* oversold where it came from: there is none here */
    p->variants[p->variant_count++] = v;
}

/* ---- Rows ---- */

static int end_product(struct shopify *s)
{
    struct product *p = &s->product;
    if (!s->open)
        return 0;
    s->open = false;
    if (!s->spoiled && p->variant_count == 0)
        bad(s, s->first_line, "product \"%.*s\" has no row with a price", SHOWN(p->handle));
    if (s->spoiled)
        return 0;
    sort_pictures(s);
    int err = s->listener.product(s->listener.context, p);
    if (err == ERR_FULL) {
        bad(s, s->first_line, "product \"%.*s\" is too large with all its texts and variants",
            SHOWN(p->handle));
        return 0;
    }
    s->counts.products += !err;
    s->counts.variants += err ? 0 : p->variant_count;
    return err;
}

static bool is_handle(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!good)
            return false;
    }
    return text.len > 0 && text.len <= SHOP_KEY_MAX;
}

/* The handle of this row: its own cell as an address part, or that of its title. */
static struct str row_handle(struct shopify *s, struct arena *arena)
{
    struct str handle = cell(s, SHOPIFY_HANDLE);
    if (handle.len == 0)
        handle = cell(s, SHOPIFY_TITLE);
    return is_handle(handle) ? handle : slug_make(arena, handle);
}

static int read_product_row(struct shopify *s, struct arena *scratch)
{
    struct str handle = row_handle(s, scratch);
    if (!handle.at)
        return ERR_NOMEM;
    if (!is_handle(handle)) {
        int err = end_product(s);
        bad(s, s->csv.row_line,
            handle.len ? "URL handle is longer than 255 bytes"
                       : "there is neither a URL handle nor a Title");
        return err;
    }
    if (!s->open || !str_eq(handle, s->product.handle)) {
        int err = end_product(s);
        err = err ? err : begin_product(s, handle);
        if (err)
            return err;
    }
    if (is_variant_row(s))
        read_variant(s);
    struct str url = read_url(s, SHOPIFY_IMAGE);
    if (url.len)
        picture_index(s, url, keep_line(s, SHOPIFY_IMAGE_ALT, SHOP_TEXT_MAX),
                      read_whole(s, SHOPIFY_IMAGE_POSITION, 0, 1000000));
    else if (!is_variant_row(s) && s->csv.row_line != s->first_line)
        bad(s, s->csv.row_line, "the row has neither a variant (price) nor a picture");
    return 0;
}

static int take_row(struct shopify *s)
{
    if (s->csv.wrong && s->has_header) {
        bad(s, s->csv.row_line, "the row cannot be read: %s", s->csv.wrong);
        s->counts.rows++;
        return 0;
    }
    if (!s->has_header) {
        if (!s->csv.wrong)
            return read_header(s);
        bad(s, s->csv.row_line, "the header cannot be read: %s", s->csv.wrong);
        return ERR_INVALID;
    }
    struct arena scratch;
    arena_init(&scratch, 1 << 20);
    s->counts.rows++;
    int err = read_product_row(s, &scratch);
    arena_close(&scratch);
    return err;
}

int shopify_feed(struct shopify *s, struct str bytes)
{
    size_t used;
    int err = 0;
    bool end = bytes.len == 0;
    while (!err && bytes.len && csv_feed(&s->csv, bytes, &used)) {
        bytes = str_from(bytes, used);
        err = take_row(s);
    }
    if (end && csv_end(&s->csv))
        err = take_row(s);
    if (end && !err && !s->has_header) {
        bad(s, 1, "the file is empty: there is no header");
        err = ERR_INVALID;
    }
    if (end && !err)
        err = end_product(s);
    return err;
}

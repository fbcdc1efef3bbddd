#include "web/change_line.h"

#include "base/check.h"
#include "base/err.h"

#include <inttypes.h>

static const char *const change_names[] = {
    [CHANGE_PRODUCT] = "product",
    [CHANGE_CATALOGUE] = "catalogue",
    [CHANGE_SETTINGS] = "settings",
};

/* ---- Writing ---- */

static void put_change(struct buf *out, const struct change_line *line)
{
    CHECK((unsigned)line->change < COUNT_OF(change_names));
    buf_printf(out, "change %" PRIu64 " %s", line->index, change_names[line->change]);
    if (line->change == CHANGE_PRODUCT)
        buf_printf(out, " %" PRIu64 " %.*s", line->product_id,
                   STR_FMT(line->handle.len ? line->handle : STR("-")));
    buf_byte(out, '\n');
}

void change_line_put(struct buf *out, const struct change_line *line)
{
    switch (line->kind) {
    case CHANGE_LINE_ALL:
    case CHANGE_LINE_FROM:
        buf_printf(out, "%s %016" PRIx64 " %" PRIu64 "\n",
                   line->kind == CHANGE_LINE_ALL ? "all" : "from", line->ring, line->index);
        break;
    case CHANGE_LINE_CHANGE:
        put_change(out, line);
        break;
    case CHANGE_LINE_BEAT:
        buf_printf(out, "beat %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", line->index, line->round,
                   line->time_ns);
        break;
    }
}

/* ---- Reading ---- */

static struct str word(struct str *rest)
{
    struct str part = STR_NONE;
    str_cut(rest, ' ', &part);
    return part;
}

static int read_number(struct str *rest, uint64_t *number)
{
    return str_to_u64(word(rest), number);
}

static int read_begin(struct str *rest, enum change_line_kind kind, struct change_line *line)
{
    line->kind = kind;
    int err = hex_to_u64(word(rest), &line->ring);
    return err ? err : read_number(rest, &line->index);
}

static int read_change(struct str *rest, struct change_line *line)
{
    line->kind = CHANGE_LINE_CHANGE;
    int err = read_number(rest, &line->index);
    struct str name = word(rest);
    unsigned kind = 0;
    while (kind < COUNT_OF(change_names) && !str_eq(name, str_of(change_names[kind])))
        kind++;
    if (err || kind == COUNT_OF(change_names))
        return ERR_INVALID;
    line->change = (enum change_kind)kind;
    if (line->change != CHANGE_PRODUCT)
        return 0;
    err = read_number(rest, &line->product_id);
    line->handle = word(rest);
    if (err || line->handle.len == 0)
        return ERR_INVALID;
    if (str_eq(line->handle, STR("-")))
        line->handle = STR("");
    return 0;
}

static int read_beat(struct str *rest, struct change_line *line)
{
    line->kind = CHANGE_LINE_BEAT;
    bool good = read_number(rest, &line->index) == 0 && read_number(rest, &line->round) == 0 &&
                read_number(rest, &line->time_ns) == 0;
    return good ? 0 : ERR_INVALID;
}

int change_line_read(struct str text, struct change_line *line)
{
    struct str rest = text, first = word(&rest);
    int err = ERR_INVALID;
    *line = (struct change_line){0};
    if (str_eq(first, STR("all")))
        err = read_begin(&rest, CHANGE_LINE_ALL, line);
    else if (str_eq(first, STR("from")))
        err = read_begin(&rest, CHANGE_LINE_FROM, line);
    else if (str_eq(first, STR("change")))
        err = read_change(&rest, line);
    else if (str_eq(first, STR("beat")))
        err = read_beat(&rest, line);
    return err || rest.at ? ERR_INVALID : 0;
}

#include "main/option.h"

#include "base/check.h"
#include "net/network.h"

#include <string.h>

static bool same_name(const char *name, struct str given)
{
    if (strlen(name) != given.len)
        return false;
    for (size_t i = 0; i < given.len; i++) {
        char c = given.at[i] == '_' ? '-' : given.at[i];
        if (c != name[i])
            return false;
    }
    return true;
}

bool option_is_list(const struct option_row *row)
{
    return row->kind == OPTION_LIST || row->kind == OPTION_NETWORKS;
}

const struct option_row *option_find(const struct option_table *table, struct str name)
{
    for (unsigned i = 0; i < table->count; i++)
        if (same_name(table->rows[i].name, name))
            return &table->rows[i];
    return NULL;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit count_units[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                         {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

static const struct unit *units_of(enum option_kind kind)
{
    if (kind == OPTION_SIZE)
        return size_units;
    return kind == OPTION_DURATION ? time_units : count_units;
}

/* "10s" → 10000. */
static int read_number(struct str text, const struct unit *units, uint64_t *value)
{
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    uint64_t number;
    if (str_to_u64(str_sub(text, 0, digits), &number))
        return ERR_INVALID;
    struct str suffix = str_from(text, digits);
    for (; units->name; units++)
        if (str_eq(suffix, str_of(units->name)))
            return __builtin_mul_overflow(number, units->factor, value) ? ERR_INVALID : 0;
    return ERR_INVALID;
}

/* "2.5%" → 25; one digit after the point. */
static int read_share(struct str text, uint64_t *value)
{
    struct str whole, tenths = STR("0"), rest = text;
    uint64_t percent, tenth;
    if (str_eq(text, STR("off"))) {
        *value = 0;
        return 0;
    }
    if (!str_ends(text, STR("%")))
        return ERR_INVALID;
    rest.len--;
    str_cut(&rest, '.', &whole);
    tenths = rest.at ? rest : tenths;
    if (tenths.len != 1 || str_to_u64(whole, &percent) || str_to_u64(tenths, &tenth) ||
        percent > 1000000)
        return ERR_INVALID;
    *value = 10 * percent + tenth;
    return 0;
}

static int read_value(const struct option_row *row, struct str text, uint64_t *value)
{
    return row->kind == OPTION_SHARE ? read_share(text, value)
                                     : read_number(text, units_of(row->kind), value);
}

/* VALUE as it would be typed: a share, or a number in the largest unit that divides it. */
static void write_value(const struct option_row *row, uint64_t value, char *out, size_t size)
{
    const struct unit *unit = units_of(row->kind), *best = unit;
    unsigned long long tenth = value % 10;
    for (; unit->name; unit++)
        if (value && value % unit->factor == 0)
            best = unit;
    if (row->kind != OPTION_SHARE)
        snprintf(out, size, "%llu%s", (unsigned long long)(value / best->factor), best->name);
    else if (tenth)
        snprintf(out, size, "%llu.%llu%%", (unsigned long long)value / 10, tenth);
    else
        snprintf(out, size, "%llu%%", (unsigned long long)value / 10);
}

static int set_number(const struct option_row *row, uint64_t *slot, struct str text,
                      struct failure *failure)
{
    static const char *const examples[] = {
        [OPTION_COUNT] = "a number such as 100 or 10k",
        [OPTION_SIZE] = "a size such as 512K, 64M or 1G",
        [OPTION_DURATION] = "a duration with its unit, such as 500ms, 10s, 5m, 6h or 30d",
        [OPTION_SHARE] = "a share such as 20% or 2.5%",
    };
    uint64_t value;
    if (read_value(row, text, &value))
        return fail(failure, ERR_INVALID, "%s is \"%.*s\", but must be %s", row->name,
                    STR_FMT(text), examples[row->kind]);
    if (value < row->min || (row->max && value > row->max)) {
        char least[32], most[32];
        write_value(row, row->min, least, sizeof least);
        write_value(row, row->max, most, sizeof most);
        if (!row->max)
            return fail(failure, ERR_INVALID, "%s is %.*s, but must be at least %s", row->name,
                        STR_FMT(text), least);
        return fail(failure, ERR_INVALID, "%s is %.*s, but must be from %s to %s", row->name,
                    STR_FMT(text), least, most);
    }
    *slot = value;
    return 0;
}

static int set_switch(const struct option_row *row, bool *slot, struct str text,
                      struct failure *failure)
{
    static const char *const words[2][3] = {{"no", "false", "off"}, {"yes", "true", "on"}};
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 3; i++)
            if (str_eq(text, str_of(words[value][i]))) {
                *slot = value;
                return 0;
            }
    return fail(failure, ERR_INVALID, "%s is \"%.*s\", but must be yes or no", row->name,
                STR_FMT(text));
}

static int set_text(const struct option_row *row, char *slot, struct str text,
                    struct failure *failure)
{
    if (text.len >= OPTION_TEXT_SIZE)
        return fail(failure, ERR_INVALID, "%s is longer than %d characters", row->name,
                    OPTION_TEXT_SIZE - 1);
    if (row->kind == OPTION_CHOICE) {
        struct str rest = str_of(row->choices), word;
        bool found = false;
        while (!found && str_cut(&rest, ' ', &word))
            found = str_eq(word, text);
        if (!found)
            return fail(failure, ERR_INVALID, "%s is \"%.*s\", but must be one of: %s", row->name,
                        STR_FMT(text), row->choices);
    }
    str_copy(slot, OPTION_TEXT_SIZE, text);
    return 0;
}

/* Its length is bounded too: of a network that is cut off, another may be left. */
static int check_network(const struct option_row *row, struct str text, struct failure *failure)
{
    struct network network;
    struct failure why = {0};
    if (text.len >= OPTION_NETWORK_SIZE)
        return fail(failure, ERR_INVALID, "%s is longer than %d characters", row->name,
                    OPTION_NETWORK_SIZE - 1);
    return network_parse(text, &network, &why)
               ? fail(failure, ERR_INVALID, "%s %s", row->name, why.text)
               : 0;
}

static int set_item(const struct option_row *row, struct option_list *list, struct str text,
                    struct failure *failure)
{
    unsigned most = row->max ? (unsigned)row->max : OPTION_LIST_MAX;
    if (!list->given)
        list->count = 0;
    list->given = true;
    if (text.len == 0) {
        list->count = 0;
        return 0;
    }
    if (list->count == most)
        return fail(failure, ERR_INVALID, "%s is given more than %u times", row->name, most);
    int err = row->kind == OPTION_NETWORKS ? check_network(row, text, failure) : 0;
    err = err ? err : set_text(row, list->items[list->count], text, failure);
    if (!err)
        list->count++;
    return err;
}

static int set_row(const struct option_row *row, void *values, struct str text,
                   struct failure *failure)
{
    void *slot = (char *)values + row->offset;
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        return set_text(row, slot, text, failure);
    case OPTION_LIST:
    case OPTION_NETWORKS:
        return set_item(row, slot, text, failure);
    case OPTION_SWITCH:
        return set_switch(row, slot, text, failure);
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_SHARE:
        return set_number(row, slot, text, failure);
    }
    CHECK(false);
}

static void clear(const struct option_row *row, void *slot)
{
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        *(char *)slot = 0;
        return;
    case OPTION_LIST:
    case OPTION_NETWORKS:
        *(struct option_list *)slot = (struct option_list){0};
        return;
    case OPTION_SWITCH:
        *(bool *)slot = false;
        return;
    case OPTION_COUNT:
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_SHARE:
        *(uint64_t *)slot = 0;
        return;
    }
    CHECK(false);
}

void option_defaults(const struct option_table *table, void *values)
{
    for (unsigned i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        clear(row, (char *)values + row->offset);
        CHECK(!row->standard || set_row(row, values, str_of(row->standard), NULL) == 0);
    }
    option_as_defaults(table, values);
}

void option_as_defaults(const struct option_table *table, void *values)
{
    for (unsigned i = 0; i < table->count; i++)
        if (option_is_list(&table->rows[i]))
            ((struct option_list *)((char *)values + table->rows[i].offset))->given = false;
}

int option_set(const struct option_table *table, void *values, struct str name, struct str text,
               struct failure *failure)
{
    const struct option_row *row = option_find(table, name);
    if (!row)
        return fail(failure, ERR_INVALID, "there is no setting \"%.*s\"", STR_FMT(name));
    return set_row(row, values, text, failure);
}

/* One flag at WORDS[*AT]; moves *AT on when the value is the next word. */
static int parse_flag(const struct option_table *table, void *values, int count, char **words,
                      int *at, struct failure *failure)
{
    struct str name = str_of(words[*at] + 2), value = STR_NONE;
    ptrdiff_t equals = str_find_byte(name, '=');
    if (equals >= 0) {
        value = str_from(name, (size_t)equals + 1);
        name = str_sub(name, 0, (size_t)equals);
    }
    const struct option_row *row = option_find(table, name);
    if (!row)
        return fail(failure, ERR_INVALID, "there is no option --%.*s", STR_FMT(name));
    if (!value.at && row->kind == OPTION_SWITCH)
        value = STR("yes");
    if (!value.at) {
        if (*at + 1 >= count || strncmp(words[*at + 1], "--", 2) == 0)
            return fail(failure, ERR_INVALID, "--%s needs a value: --%s %s", row->name, row->name,
                        row->value ? row->value : "VALUE");
        value = str_of(words[++*at]);
    }
    return set_row(row, values, value, failure);
}

int option_parse(const struct option_table *table, void *values, int count, char **words,
                 const char **operands, unsigned operand_max, unsigned *operand_count,
                 struct failure *failure)
{
    bool flags = true;
    *operand_count = 0;
    for (int i = 0; i < count; i++) {
        bool is_flag = flags && words[i][0] == '-' && words[i][1];
        if (is_flag && strcmp(words[i], "--") == 0) {
            flags = false;
        } else if (is_flag) {
            if (words[i][1] != '-')
                return fail(failure, ERR_INVALID, "there is no option %s (options begin with --)",
                            words[i]);
            int err = parse_flag(table, values, count, words, &i, failure);
            if (err)
                return err;
        } else if (*operand_count == operand_max) {
            return fail(failure, ERR_INVALID, "\"%s\" is one argument too many", words[i]);
        } else {
            operands[(*operand_count)++] = words[i];
        }
    }
    return 0;
}

static void help_limits(const struct option_row *row, FILE *out)
{
    char least[32], most[32];
    write_value(row, row->min, least, sizeof least);
    write_value(row, row->max, most, sizeof most);
    if (option_is_list(row) && row->max)
        fprintf(out, "; may be repeated, up to %s times", most);
    else if (option_is_list(row))
        fputs("; may be repeated", out);
    else if (row->max)
        fprintf(out, "; %s to %s", least, most);
    else if (row->min)
        fprintf(out, "; at least %s", least);
}

static void help_row(const struct option_row *row, FILE *out)
{
    char left[64];
    snprintf(left, sizeof left, "  --%s%s%s", row->name, row->kind == OPTION_SWITCH ? "" : " ",
             row->kind == OPTION_SWITCH ? ""
             : row->value               ? row->value
                                        : "VALUE");
    fprintf(out, "%-32s %s", left, row->help);
    if (row->kind == OPTION_CHOICE)
        fprintf(out, "; one of: %s", row->choices);
    help_limits(row, out);
    if (row->standard)
        fprintf(out, " [%s]", row->standard);
    fputc('\n', out);
}

void option_help(const struct option_table *table, FILE *out)
{
    for (unsigned i = 0; i < table->count; i++)
        help_row(&table->rows[i], out);
}

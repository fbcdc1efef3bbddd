/* A load as a table: seconds,requests_per_s[,service_ms] (load.h). Numbers are plain decimals: no
 * exponent, no sign, a point before the fraction whatever the locale. */
#include "scale/load.h"

enum { COLUMNS = 3, DIGITS_MAX = 12, FRACTION_MAX = 9 };

static const double SECONDS_MAX = 31 * 86400.0, RATE_MAX = 1e6, SERVICE_MAX_MS = 3600e3;
static const char *const names[COLUMNS] = {"seconds", "requests_per_s", "service_ms"};

struct row {
    double values[COLUMNS];
    unsigned count;
};

struct parsing {
    struct str line;
    struct scale_place *place;
    struct failure *failure;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool to_number(struct str text, double *value)
{
    size_t at = 0, digits = 0, fraction = 0;
    double scale = 1;
    *value = 0;
    for (; at < text.len && is_digit(text.at[at]) && digits < DIGITS_MAX; at++, digits++)
        *value = *value * 10 + (text.at[at] - '0');
    if (at < text.len && text.at[at] == '.')
        for (at++; at < text.len && is_digit(text.at[at]) && fraction < FRACTION_MAX; at++) {
            *value += (text.at[at] - '0') * (scale /= 10);
            fraction++;
        }
    return at == text.len && digits + fraction > 0;
}

static int wrong_number(struct parsing *parsing, unsigned column, struct str text)
{
    if (str_find_byte(text, ';') >= 0)
        return fail(parsing->failure, ERR_INVALID, "separate the columns by commas");
    return fail(parsing->failure, ERR_INVALID, "%s \"%.*s\" is not a number (write 12.5)",
                names[column], (int)(text.len < 40 ? text.len : 40), text.at);
}

static int parse_row(struct parsing *parsing, struct row *row)
{
    struct str rest = parsing->line, field;
    row->count = 0;
    row->values[2] = 0;
    while (str_cut(&rest, ',', &field)) {
        struct str text = str_trim(field);
        parsing->place->column = (uint64_t)((text.len ? text.at : field.at) - parsing->line.at) + 1;
        if (row->count == COLUMNS)
            return fail(parsing->failure, ERR_INVALID,
                        "one column too many: there are seconds,requests_per_s[,service_ms]");
        if (!to_number(text, &row->values[row->count]))
            return wrong_number(parsing, row->count, text);
        row->count++;
    }
    if (row->count < 2)
        return fail(parsing->failure, ERR_INVALID,
                    "there are too few columns: give seconds,requests_per_s[,service_ms]");
    parsing->place->column = 1;
    return 0;
}

static int check_row(const struct row *row, const struct scale_load *load, struct failure *failure)
{
    const double *values = row->values;
    if (load->count == 0 && values[0] != 0)
        return fail(failure, ERR_INVALID, "the first row must be at 0 seconds");
    if (load->count > 0 && values[0] <= load->points[load->count - 1].at_s)
        return fail(failure, ERR_INVALID,
                    "%.10g seconds is not after the row before: sort the rows by time", values[0]);
    if (values[0] > SECONDS_MAX)
        return fail(failure, ERR_INVALID, "more than 31 days: replay a part of it");
    if (values[1] > RATE_MAX)
        return fail(failure, ERR_INVALID, "more than a million requests a second");
    if (row->count == COLUMNS && (values[2] <= 0 || values[2] > SERVICE_MAX_MS))
        return fail(failure, ERR_INVALID, "service_ms must be above 0 and at most 3600000");
    return 0;
}

static int add_row(struct scale_load *load, const struct row *row, struct failure *failure)
{
    int err = check_row(row, load, failure);
    struct load_point point = {row->values[0], 0, row->values[1], row->values[2]};
    if (!err && load->count > 0) {
        struct load_point *last = &load->points[load->count - 1];
        last->seconds = point.at_s - last->at_s;
    }
    if (!err && !scale_load_add(load, point))
        err = fail(failure, ERR_FULL, "more than %d rows, or out of memory", LOAD_POINTS_MAX);
    return err;
}

/* A first row of names, not of numbers. */
static bool is_title(struct str line)
{
    return str_starts(line, str_of(names[0]));
}

static int finish(struct scale_load *load, struct scale_place *place, struct failure *failure)
{
    if (load->count < 2) {
        place->column = 1;
        return fail(failure, ERR_INVALID,
                    "there must be two rows at least: each holds until the next, "
                    "the last as long as the one before it");
    }
    struct load_point *last = &load->points[load->count - 1];
    last->seconds = last[-1].seconds;
    load->seconds = last->at_s + last->seconds;
    return 0;
}

int scale_load_read_csv(struct scale_load *load, struct str text, struct scale_place *place,
                        struct failure *failure)
{
    struct parsing parsing = {.place = place, .failure = failure};
    struct str rest = text;
    bool titled = false;
    *place = (struct scale_place){0, 1};
    while (str_cut(&rest, '\n', &parsing.line)) {
        struct row row;
        struct str trimmed = str_trim(parsing.line);
        place->line++;
        if (trimmed.len == 0 || trimmed.at[0] == '#')
            continue;
        if (load->count == 0 && !titled && is_title(trimmed)) {
            titled = true;
            continue;
        }
        int err = parse_row(&parsing, &row);
        if (!err)
            err = add_row(load, &row, failure);
        if (err)
            return err;
    }
    return finish(load, place, failure);
}

#include "base/check.h"
#include "main/advise_file.h"
#include "main/file.h"
#include "shop/csv.h"

#include <math.h>
#include <stdlib.h>

/* Columns in this order; the first row names them. */
enum column { FROM, TO, MEDIAN, NINETY_NINTH, COLUMNS };
enum { LEAST_COLUMNS = NINETY_NINTH, FILE_MAX = 1 << 20 };

static const char *const names[COLUMNS] = {"from", "to", "p50_ms", "p99_ms"};

static int check_names(const char *path, const struct csv *csv, struct failure *failure)
{
    bool good = csv->count == LEAST_COLUMNS || csv->count == COLUMNS;
    for (unsigned i = 0; good && i < csv->count; i++)
        good = str_eq(str_trim(csv->fields[i]), str_of(names[i]));
    return good ? 0
                : fail(failure, ERR_INVALID,
                       "%s:1: the first row must name the columns from,to,p50_ms or "
                       "from,to,p50_ms,p99_ms",
                       path);
}

static int read_ms(const char *path, const struct csv *csv, enum column column, double *seconds,
                   struct failure *failure)
{
    char text[32], *end = text;
    struct str field = str_trim(csv->fields[column]);
    if (field.len < sizeof text && field.len > 0 && field.at[0] >= '0' && field.at[0] <= '9')
        *seconds = strtod(str_copy(text, sizeof text, field), &end) / 1e3;
    if (end == text || *end || !(*seconds >= 0 && *seconds <= 3600))
        return fail(failure, ERR_INVALID,
                    "%s:%llu: %s is \"%.*s\", but must be a number of milliseconds such as 18.5",
                    path, (unsigned long long)csv->row_line, names[column], STR_FMT(field));
    return 0;
}

static int take_row(const char *path, const struct csv *csv, struct advise_file *file,
                    struct failure *failure)
{
    unsigned long long line = csv->row_line;
    if (csv->wrong)
        return fail(failure, ERR_INVALID, "%s:%llu: %s", path, line, csv->wrong);
    if (csv->count < LEAST_COLUMNS || csv->count > COLUMNS)
        return fail(failure, ERR_INVALID, "%s:%llu: the row has %u columns, but must have %d or %d",
                    path, line, csv->count, LEAST_COLUMNS, COLUMNS);
    if (file->way_count == ADVISE_WAYS_MAX)
        return fail(failure, ERR_FULL, "%s:%llu: there are more than %d ways", path, line,
                    ADVISE_WAYS_MAX);
    struct advise_way *way = &file->ways[file->way_count];
    struct str from = str_trim(csv->fields[FROM]), to = str_trim(csv->fields[TO]);
    *way = (struct advise_way){.line = (unsigned)line, .file = path, .time = {NAN, NAN}};
    way->from = advise_file_region(file, from);
    way->of_region = way->from < file->input.region_count;
    if (!way->of_region)
        way->from = advise_file_site(file, from);
    if (!way->of_region && way->from == file->input.site_count)
        return fail(failure, ERR_NOTFOUND, "%s:%llu: there is no region or site \"%.*s\"", path,
                    line, STR_FMT(from));
    if (advise_file_site(file, to) == file->input.site_count)
        return fail(failure, ERR_NOTFOUND, "%s:%llu: there is no site \"%.*s\"", path, line,
                    STR_FMT(to));
    str_copy(way->to, sizeof way->to, to);
    int err = read_ms(path, csv, MEDIAN, &way->time.p50_s, failure);
    if (!err && csv->count == COLUMNS && str_trim(csv->fields[NINETY_NINTH]).len)
        err = read_ms(path, csv, NINETY_NINTH, &way->time.p99_s, failure);
    if (!err && way->time.p99_s < way->time.p50_s)
        err = fail(failure, ERR_INVALID, "%s:%llu: p99_ms is less than p50_ms", path, line);
    file->way_count += !err;
    return err;
}

static int take_rows(const char *path, struct str bytes, struct advise_file *file,
                     struct failure *failure)
{
    struct csv csv;
    bool first = true, ended = false;
    int err = 0;
    csv_init(&csv, ',');
    while (!err && !ended) {
        size_t used = 0;
        bool row = csv_feed(&csv, bytes, &used);
        bytes = str_from(bytes, used);
        if (!row && !bytes.len) {
            ended = true;
            row = csv_end(&csv);
        }
        if (row)
            err = first ? check_names(path, &csv, failure) : take_row(path, &csv, file, failure);
        first = first && !row;
    }
    if (!err && first)
        err = fail(failure, ERR_INVALID, "%s: is empty", path);
    csv_close(&csv);
    return err;
}

int advise_file_read_ways(const char *path, struct advise_file *file, struct failure *failure)
{
    struct buf text;
    buf_init(&text, FILE_MAX);
    int err = file_read_all(path, &text, failure);
    if (err == ERR_NOTFOUND)
        err = fail(failure, err, "%s: there is no such file", path);
    else if (!err)
        err = take_rows(path, buf_text(&text), file, failure);
    buf_close(&text);
    return err;
}

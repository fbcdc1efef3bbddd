#include "scale/load.h"

#include <stdlib.h>

static const double AROUND_S = 2;

bool scale_load_add(struct scale_load *load, struct load_point point)
{
    if (load->count == load->room) {
        unsigned room = load->room ? 2 * load->room : 256;
        struct load_point *points =
            load->count < LOAD_POINTS_MAX ? realloc(load->points, room * sizeof *points) : NULL;
        if (!points)
            return false;
        load->points = points;
        load->room = room;
    }
    load->points[load->count++] = point;
    load->seconds = point.at_s + point.seconds;
    return true;
}

bool scale_load_is_log(struct str text)
{
    struct str trimmed = str_trim(text);
    return trimmed.len > 0 && trimmed.at[0] == '{';
}

int scale_load_read(struct scale_load *load, const char *name, struct str text,
                    struct failure *failure)
{
    struct failure why = {0};
    struct scale_place place = {1, 1};
    memset(load, 0, sizeof *load);
    int err = scale_load_is_log(text) ? scale_load_read_log(load, text, &place, &why)
                                      : scale_load_read_csv(load, text, &place, &why);
    if (!err)
        return 0;
    scale_load_close(load);
    return fail(failure, err, "%s:%llu:%llu: %s", name, (unsigned long long)place.line,
                (unsigned long long)place.column, why.text);
}

void scale_load_close(struct scale_load *load)
{
    free(load->points);
    memset(load, 0, sizeof *load);
}

unsigned scale_load_find(const struct scale_load *load, double at_s)
{
    unsigned low = 0, high = load->count;
    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (load->points[middle].at_s <= at_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double scale_load_between(const struct scale_load *load, double from_s, double to_s)
{
    double sum = 0;
    for (unsigned i = scale_load_find(load, from_s); i < load->count; i++) {
        const struct load_point *point = &load->points[i];
        if (point->at_s >= to_s)
            break;
        double begin = point->at_s > from_s ? point->at_s : from_s;
        double end = point->at_s + point->seconds < to_s ? point->at_s + point->seconds : to_s;
        if (end > begin)
            sum += point->rate * (end - begin);
    }
    return sum;
}

bool scale_load_step(const struct scale_load *load, double *at_s)
{
    double steepest = 0;
    bool found = false;
    for (unsigned i = 1; i < load->count; i++) {
        double at = load->points[i].at_s;
        if (at < AROUND_S || at + AROUND_S > load->seconds)
            continue;
        double before = scale_load_between(load, at - AROUND_S, at);
        double after = scale_load_between(load, at, at + AROUND_S);
        if (after < 2 * before || after - before <= steepest)
            continue;
        steepest = after - before;
        *at_s = at;
        found = true;
    }
    return found;
}

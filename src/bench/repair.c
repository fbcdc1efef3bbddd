#include "bench/repair.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum { DEADLINE_MS = 10 * 60 * 1000 };

static const double HOT_MS = 250, COMMAND_MS = 0.002, COLD_MS = 2000, GB_MS = 10000;

const char *const repair_names[REPAIR_KINDS] = {"hot", "warm", "cold"};

/* ---- Measuring ---- */

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int compare_counts(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int measure_once(const struct repair_shop *shop, struct repair_point *point, double *ms,
                        uint64_t *lacks, struct failure *failure)
{
    char body[SELLING_BODY];
    struct selling selling = {
        .shopper = shop->shopper,
        .body = body,
        .deadline_ms = DEADLINE_MS,
        .meanwhile = shop->meanwhile,
        .context = shop->context,
    };
    selling_body(shop->item, body);
    int err = shop->prepare(shop->context, point, lacks, failure);
    if (err)
        return err;
    selling.begin_ns = clock_mono_ns();
    err = shop->kill(shop->context, failure);
    return err ? err : selling_again(&selling, ms, &point->refused, failure);
}

int repair_measure(const struct repair_shop *shop, struct repair_point *point,
                   struct failure *failure)
{
    double times[REPAIR_ROUNDS_MAX];
    uint64_t lacks[REPAIR_ROUNDS_MAX];
    int err = 0;
    CHECK(point->rounds > 0 && point->rounds <= REPAIR_ROUNDS_MAX);
    for (unsigned i = 0; !err && i < point->rounds; i++)
        err = measure_once(shop, point, &times[i], &lacks[i], failure);
    if (err)
        return err;
    qsort(times, point->rounds, sizeof *times, compare_times);
    qsort(lacks, point->rounds, sizeof *lacks, compare_counts);
    point->median_ms = times[point->rounds / 2];
    point->worst_ms = times[point->rounds - 1];
    point->commands = lacks[point->rounds / 2];
    return 0;
}

/* ---- The report ---- */

double repair_aim_ms(const struct repair_point *point)
{
    double log = (double)point->commands * COMMAND_MS;
    switch (point->kind) {
    case REPAIR_HOT:
        return HOT_MS;
    case REPAIR_WARM:
        return HOT_MS + log;
    case REPAIR_COLD:
        return COLD_MS + (double)point->database_bytes / 1e9 * GB_MS + log;
    }
    CHECK(false);
}

/* A table of Markdown, so that a page can take it over as it is. */
void repair_print_head(FILE *out)
{
    fputs("| backup | database | commands not applied | rounds | median | worst | aim |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
          out);
}

void repair_print_point(const struct repair_point *point, FILE *out)
{
    fprintf(out, "| %s | %.1f MB | %llu | %u | %.3f s | %.3f s | %.2f s |\n",
            repair_names[point->kind], (double)point->database_bytes / 1e6,
            (unsigned long long)point->commands, point->rounds, point->median_ms / 1e3,
            point->worst_ms / 1e3, repair_aim_ms(point) / 1e3);
}

void repair_print_json(const struct repair_report *report, FILE *out)
{
    fputs("{\"bench\":\"repair\",\"points\":[", out);
    for (unsigned i = 0; i < report->count; i++) {
        const struct repair_point *point = &report->points[i];
        fprintf(out,
                "%s{\"kind\":\"%s\",\"database_bytes\":%llu,\"commands\":%llu,\"rounds\":%u,"
                "\"median_ms\":%.2f,\"worst_ms\":%.2f,\"aim_ms\":%.2f,\"refused\":%llu}",
                i ? "," : "", repair_names[point->kind], (unsigned long long)point->database_bytes,
                (unsigned long long)point->commands, point->rounds, point->median_ms,
                point->worst_ms, repair_aim_ms(point), (unsigned long long)point->refused);
    }
    fputs("]}\n", out);
}

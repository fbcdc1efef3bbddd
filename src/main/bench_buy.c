#include "base/clock.h"
#include "bench/load.h"
#include "main/bench.h"
#include "main/bench_items.h"
#include "main/bench_outside.h"
#include "main/free_address.h"
#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    ROUNDS = 3, /* of each, by turns */
    READY_MS = 60000,
    SETTLED_MS = 300000,
    UNITS = 1000000000,
};

/* What one run has found. */
struct result {
    double per_s, p50_ms, p99_ms;
    double through_per_s; /* with bank and warehouse: until the last was shipped and paid */
    double server_us, bank_us, house_us; /* of processor for an order, all in all */
    uint64_t failed;
};

/* One server, made for one run. */
struct stage {
    const struct bench_flags *flags;
    bool outside;
    char dir[FILE_PATH], shop[FILE_PATH], listen[64];
    struct bench_process server;
    struct bench_outside both;
    struct remote remote;
    struct bench_items items;
};

/* ---- The stage ---- */

static int make_dir(struct stage *stage, struct failure *failure)
{
    const char *dir = stage->flags->dir;
    if (mkdir(dir, 0777) && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "cannot make %s", dir);
    snprintf(stage->dir, sizeof stage->dir, "%.400s/bench-XXXXXX", dir);
    if (!mkdtemp(stage->dir)) {
        stage->dir[0] = 0;
        return fail_errno(failure, ERR_IO, "cannot make a folder in %s", dir);
    }
    return file_join(stage->shop, stage->dir, "shop", failure);
}

static int start_server(struct stage *stage, struct failure *failure)
{
    char log[FILE_PATH];
    const char *words[7 + BENCH_OUTSIDE_WORDS + 1] = {
        "serve", "--dir", stage->shop, "--listen", stage->listen, "--catalogue", "demo"};
    if (stage->outside)
        memcpy(words + 7, stage->both.words, sizeof stage->both.words);
    int err = free_address("127.0.0.1", NULL, NULL, stage->listen, sizeof stage->listen, failure);
    err = err ? err : file_join(log, stage->dir, "shop.log", failure);
    err = err ? err : bench_process_start(&stage->server, words, log, failure);
    err = err ? err
              : bench_process_wait(&stage->server, "stoa: shop ready at ", READY_MS, "the server",
                                   failure);
    return err ? err : remote_find(stage->shop, &stage->remote, failure);
}

static int open_stage(struct stage *stage, const struct bench_flags *flags, bool outside,
                      struct failure *failure)
{
    *stage = (struct stage){.flags = flags,
                            .outside = outside,
                            .server.output = -1,
                            .both = {.bank.output = -1, .house.output = -1}};
    int err = make_dir(stage, failure);
    if (!err && outside)
        err = bench_outside_start_bank(&stage->both, stage->dir, failure);
    err = err ? err : start_server(stage, failure);
    err = err ? err
              : bench_items_name(&stage->items, flags->hot ? 1 : (unsigned)flags->items, failure);
    err = err ? err
              : bench_items_make(&stage->remote, stage->items.names, stage->items.count, UNITS,
                                 failure);
    if (!err && outside)
        err =
            bench_outside_open_warehouse(&stage->both, &stage->remote, stage->remote.url, failure);
    return err;
}

static void close_stage(struct stage *stage)
{
    bench_process_kill(&stage->server);
    bench_outside_close(&stage->both);
    bench_items_close(&stage->items);
    if (stage->flags->keep)
        fprintf(stderr, "stoa bench: data and logs are in %s\n", stage->dir);
    else if (stage->dir[0])
        (void)file_remove_tree(stage->dir, NULL); /* a bench's result stands without it */
}

/* ---- One run ---- */

/* Nothing is under way: the three books have to tell one story. */
static int audit(const struct stage *stage, struct failure *failure)
{
    char first[BENCH_FINDING] = "";
    struct audit_outside_report report;
    int err = bench_outside_audit(&stage->both, stage->shop, first, &report, failure);
    if (!err && report.differences)
        err = fail(failure, ERR_STATE, "the books differ in %llu things: %s",
                   (unsigned long long)report.differences, first);
    return err;
}

static uint64_t count_orders(const struct stage *stage)
{
    char file[FILE_PATH];
    struct db *db;
    if (file_join(file, stage->shop, "shop.db", NULL) || db_open(file, DB_READER, &db, NULL))
        return 0;
    uint64_t orders = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM orders"), 0);
    db_close(db);
    return orders;
}

static int load(const struct stage *stage, struct bench_report *report, struct failure *failure)
{
    const struct bench_flags *flags = stage->flags;
    struct shop_script shop = {.items = stage->items.names,
                               .item_count = stage->items.count,
                               .hot = flags->hot,
                               .lines = (unsigned)flags->lines};
    struct load_config config = {
        .url = stage->remote.url,
        .script = &script_buy,
        .script_context = &shop,
        .connections = (unsigned)flags->connections,
        .streams = 1,
        .threads = 1,
        .seconds = (double)flags->duration_ms / 1000,
        .warm_up_seconds = (double)flags->warm_up_ms / 1000,
        .rate = (double)flags->rate,
        .seed = flags->seed,
    };
    histogram_clear(&report->latency);
    return load_run(&config, report, failure);
}

/* What it takes, whatever else the machine has to do meanwhile. */
static void add_processor(const struct stage *stage, struct result *result)
{
    double orders = (double)count_orders(stage);
    if (orders <= 0)
        return;
    result->server_us = (double)bench_process_used_ns(&stage->server) / orders / 1e3;
    result->bank_us = (double)bench_process_used_ns(&stage->both.bank) / orders / 1e3;
    result->house_us = (double)bench_process_used_ns(&stage->both.house) / orders / 1e3;
}

static int measure(const struct stage *stage, struct result *result, struct failure *failure)
{
    uint64_t begin = clock_mono_ns();
    struct bench_report *report = calloc(1, sizeof *report);
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = load(stage, report, failure);
    if (!err && stage->outside) {
        err = bench_outside_wait_settled(stage->shop, 0, SETTLED_MS, failure);
        result->through_per_s =
            (double)count_orders(stage) * 1e9 / (double)(clock_mono_ns() - begin);
        err = err ? err : audit(stage, failure);
    }
    add_processor(stage, result);
    result->per_s = (double)report->operations / report->seconds;
    result->p50_ms = (double)histogram_quantile(&report->latency, 0.5) / 1e6;
    result->p99_ms = (double)histogram_quantile(&report->latency, 0.99) / 1e6;
    result->failed = report->failed + report->refused;
    free(report);
    return err;
}

static int run_one(const struct bench_flags *flags, bool outside, struct result *result,
                   struct failure *failure)
{
    struct stage *stage = calloc(1, sizeof *stage);
    *result = (struct result){0};
    if (!stage)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = open_stage(stage, flags, outside, failure);
    err = err ? err : measure(stage, result, failure);
    close_stage(stage);
    free(stage);
    return err;
}

/* ---- The report ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double of_each[ROUNDS])
{
    double sorted[ROUNDS];
    memcpy(sorted, of_each, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, compare);
    return sorted[ROUNDS / 2];
}

static void print_one(const char *name, const struct result *result)
{
    printf("  %-24s %8.0f purchases/s, p50 %.1f ms, p99 %.1f, %llu failed or refused", name,
           result->per_s, result->p50_ms, result->p99_ms, (unsigned long long)result->failed);
    if (result->through_per_s > 0)
        printf("; %.0f/s until the last was sent and paid", result->through_per_s);
    printf("; processor for one: %.0f us in the server", result->server_us);
    if (result->through_per_s > 0)
        printf(", %.0f in the bank, %.0f in the warehouse", result->bank_us, result->house_us);
    printf("\n");
    fflush(stdout);
}

int bench_buy_outside(const struct bench_flags *flags, struct failure *failure)
{
    double within[ROUNDS], outside[ROUNDS], through[ROUNDS], ratio[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct result result;
        int err = run_one(flags, false, &result, failure);
        if (err)
            return err;
        within[i] = result.per_s;
        if (!flags->json)
            print_one("sandbox within", &result);
        err = run_one(flags, true, &result, failure);
        if (err)
            return err;
        outside[i] = result.per_s;
        through[i] = result.through_per_s;
        ratio[i] = within[i] > 0 ? outside[i] / within[i] : 0;
        if (!flags->json)
            print_one("bank and warehouse", &result);
    }
    if (flags->json)
        printf("{\"bench\":\"buy outside\",\"within_per_s\":%.1f,\"outside_per_s\":%.1f,"
               "\"through_per_s\":%.1f,\"ratio\":%.4f}\n",
               median(within), median(outside), median(through), median(ratio));
    else
        printf("medians of %d: %.0f purchases/s within, %.0f with bank and warehouse (ratio %.2f), "
               "%.0f/s through both\n",
               ROUNDS, median(within), median(outside), median(ratio), median(through));
    return 0;
}

#include "base/clock.h"
#include "base/thread.h"
#include "bench/drop_report.h"
#include "bench/healthy.h"
#include "main/bench.h"
#include "main/bench_copies.h"
#include "main/bench_front.h"
#include "main/bench_items.h"
#include "main/bench_outside.h"
#include "main/bench_trio.h"
#include "shop/audit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    READY_MS = 60000,
    SETTLED_MS = 60000,
    LAG = 100, /* entries that a copy may be behind when it begins */
};
static const char item[] = "the-drop";

/* Three servers, load managers in front, and what lies outside. */
struct stage {
    const struct bench_flags *flags;
    struct trio trio;
    char urls[TRIO][80];
    struct bench_front managers[DROP_FRONTS];
    unsigned manager_count;
    struct bench_outside outside;
    /* The kill, on a thread of its own. */
    pthread_t killer;
    bool kills;
    unsigned primary;
    uint64_t killed_ns;
    int kill_err;
    struct failure kill_failure;
};

/* ---- The kill ---- */

static void *kill_and_start(void *context)
{
    struct stage *stage = context;
    uint64_t down_ns = stage->flags->down_ms * MS_NS;
    stage->killed_ns = clock_mono_ns();
    trio_kill(&stage->trio, stage->primary);
    nanosleep(&(struct timespec){(time_t)(down_ns / SEC_NS), (long)(down_ns % SEC_NS)}, NULL);
    stage->kill_err = trio_start(&stage->trio, stage->primary, &stage->kill_failure);
    if (!stage->kill_err)
        stage->kill_err =
            trio_wait_ready(&stage->trio, stage->primary, READY_MS, &stage->kill_failure);
    return NULL;
}

/* On the drop's thread. */
static void half_sold(void *context)
{
    struct stage *stage = context;
    stage->kills = thread_start(&stage->killer, "stoa-killer", kill_and_start, stage) == 0;
}

static int find_primary(struct stage *stage, struct failure *failure)
{
    struct ask *operators[HEALTHY_SERVERS];
    int err = 0;
    for (unsigned i = 0; i < TRIO; i++) {
        operators[i] = ask_new(stage->urls[i], stage->trio.token);
        if (!operators[i])
            err = fail(failure, ERR_NOMEM, "out of memory");
    }
    err = err ? err : healthy_wait(operators, LAG, &stage->primary, failure);
    for (unsigned i = 0; i < TRIO; i++)
        ask_free(operators[i]);
    return err;
}

/* ---- The stage ---- */

static int start_managers(struct stage *stage, struct failure *failure)
{
    char token[DATADIR_PATH + 32];
    const char *words[2 + 2 * TRIO + OPTION_LIST_MAX + 1] = {"--token-file", token};
    unsigned count = 2;
    int err = 0;
    snprintf(token, sizeof token, "%s/operator.token", stage->trio.servers[0].dir);
    for (unsigned i = 0; i < TRIO; i++) {
        words[count++] = "--server";
        words[count++] = stage->urls[i];
    }
    for (unsigned i = 0; i < stage->flags->balance.count; i++)
        words[count++] = stage->flags->balance.items[i];
    for (unsigned i = 0; !err && i < stage->manager_count; i++)
        err = bench_front_start(&stage->managers[i], i, stage->trio.dir, words, failure);
    return err;
}

static void remote_of(const struct stage *stage, const char *url, struct remote *remote)
{
    *remote = (struct remote){0};
    str_copy(remote->url, sizeof remote->url, str_of(url));
    str_copy(remote->token, sizeof remote->token, str_of(stage->trio.token));
}

static int open_outside(struct stage *stage, struct failure *failure)
{
    struct remote shop;
    char reports_to[TRIO * 81] = "";
    for (unsigned i = 0; i < TRIO; i++) {
        strcat(reports_to, i ? "," : "");
        strcat(reports_to, stage->urls[i]);
    }
    remote_of(stage, stage->urls[0], &shop);
    return bench_outside_open_warehouse(&stage->outside, &shop, reports_to, failure);
}

static int start_servers(struct stage *stage, struct failure *failure)
{
    int err = 0;
    if (stage->flags->outside) {
        err = bench_outside_start_bank(&stage->outside, stage->trio.dir, failure);
        for (unsigned i = 0; i < BENCH_OUTSIDE_WORDS; i++)
            stage->trio.more[i] = stage->outside.words[i];
    }
    return err ? err : trio_start_all(&stage->trio, READY_MS, failure);
}

static int open_stage(struct stage *stage, const struct bench_flags *flags, struct failure *failure)
{
    struct remote shop;
    const char *names[] = {item};
    *stage = (struct stage){.flags = flags, .outside = {.bank.output = -1, .house.output = -1}};
    for (unsigned i = 0; i < DROP_FRONTS; i++)
        stage->managers[i].process.output = -1;
    stage->manager_count = flags->managers ? (unsigned)flags->managers : 1;
    int err = trio_found(&stage->trio, flags->dir, failure);
    for (unsigned i = 0; !err && i < stage->manager_count; i++)
        err = bench_front_place(&stage->managers[i], failure);
    for (unsigned i = 0; i < TRIO; i++)
        snprintf(stage->urls[i], sizeof stage->urls[i], "http://%s", stage->trio.servers[i].listen);
    err = err ? err : start_servers(stage, failure);
    err = err ? err : start_managers(stage, failure);
    err = err ? err : find_primary(stage, failure);
    if (err)
        return err;
    remote_of(stage, stage->urls[stage->primary], &shop);
    err = bench_items_make(&shop, names, 1, (unsigned)flags->units, failure);
    err = err || !flags->outside ? err : open_outside(stage, failure);
    return err ? err : find_primary(stage, failure);
}

static void close_stage(struct stage *stage)
{
    for (unsigned i = 0; i < DROP_FRONTS; i++)
        bench_process_kill(&stage->managers[i].process);
    bench_outside_close(&stage->outside);
    trio_close(&stage->trio, stage->flags->keep);
}

/* ---- The books ---- */

_Static_assert(sizeof((struct drop_books *)0)->found == BENCH_FINDING,
               "found has a finding's size");

static int audit_inside(const struct stage *stage, struct drop_books *books,
                        struct failure *failure)
{
    char file[FILE_PATH], copies[sizeof books->found];
    struct audit_report report;
    int err = bench_copies_judge(&stage->trio, copies, sizeof copies, failure);
    if (!err && strcmp(copies, "equal") != 0)
        bench_finding_keep(books->found, copies);
    err = err ? err : file_join(file, stage->trio.servers[0].dir, "shop.db", failure);
    err = err ? err : audit_run(file, bench_finding_keep, books->found, &report, failure);
    if (err)
        return err;
    books->orders = report.orders;
    books->differences += report.differences;
    return 0;
}

static int audit_all(const struct stage *stage, struct drop_books *books, struct failure *failure)
{
    struct audit_outside_report report;
    int err = bench_outside_audit(&stage->outside, stage->trio.servers[0].dir, books->found,
                                  &report, failure);
    if (err)
        return err;
    books->charges = report.charges;
    books->parcels = report.parcels;
    books->differences += report.differences;
    return 0;
}

static int look_into_books(struct stage *stage, uint64_t sold, struct drop_books *books,
                           struct failure *failure)
{
    int err = 0;
    if (stage->flags->outside)
        err = bench_outside_wait_settled(stage->trio.servers[0].dir, sold, SETTLED_MS, failure);
    err = err ? err : audit_inside(stage, books, failure);
    return err || !stage->flags->outside ? err : audit_all(stage, books, failure);
}

/* ---- The whole ---- */

static int sell(struct stage *stage, struct drop_config *config, struct drop_report *report,
                struct failure *failure)
{
    const struct bench_flags *flags = stage->flags;
    *config = (struct drop_config){
        .front_count = stage->manager_count,
        .item = item,
        .buyers = (unsigned)flags->buyers,
        .units = (unsigned)flags->units,
        .seconds = (double)flags->arrive_ms / 1000,
        .seed = flags->seed,
        .half_sold = flags->no_kill ? NULL : half_sold,
        .context = stage,
    };
    for (unsigned i = 0; i < stage->manager_count; i++)
        config->fronts[i] = stage->managers[i].url;
    int err = drop_run(config, report, failure);
    if (stage->kills)
        pthread_join(stage->killer, NULL);
    if (!err && stage->kill_err) {
        *failure = stage->kill_failure;
        err = stage->kill_err;
    }
    return err;
}

static int run_drop(struct stage *stage, struct failure *failure)
{
    struct drop_config config;
    struct drop_report *report = calloc(1, sizeof *report);
    struct drop_books books = {
        .servers = TRIO, .managers = stage->manager_count, .outside = stage->flags->outside};
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = sell(stage, &config, report, failure);
    books.killed_ns = stage->killed_ns;
    err = err ? err : look_into_books(stage, report->sold, &books, failure);
    if (report->end_count)
        (stage->flags->json ? drop_report_json : drop_report_text)(report, &config, &books, stdout);
    if (!err && !drop_report_good(report, &config, &books))
        err = fail(failure, ERR_STATE, "a promise was broken: see the report");
    if (!err && !stage->flags->no_kill && !stage->killed_ns)
        err = fail(failure, ERR_STATE, "the primary was not killed");
    drop_report_close(report);
    free(report);
    return err;
}

int bench_drop(const struct bench_flags *flags, struct failure *failure)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = open_stage(stage, flags, failure);
    err = err ? err : run_drop(stage, failure);
    close_stage(stage);
    free(stage);
    return err;
}

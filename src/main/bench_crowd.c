#include "balance/policy.h"
#include "base/check.h"
#include "bench/crowd_report.h"
#include "main/bench.h"
#include "main/bench_copies.h"
#include "main/bench_front.h"
#include "main/bench_trio.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READY_MS = 60000,
    END_MS = 30000, /* three times --stop-grace */
    MANAGERS_MAX = CROWD_FRONTS,
    SPREAD_PERIOD_MS = 4,
    SPREAD_SHARE = 500, /* thousandths: half speed */
};

/* Three servers, and what stands in front of them. */
struct stage {
    const struct bench_flags *flags;
    struct trio trio;
    char urls[TRIO][80];
    struct bench_front managers[MANAGERS_MAX];
    unsigned manager_count; /* 0: shoppers go to the servers themselves */
    struct crowd_cluster cluster;
    unsigned runs; /* of crowds, each with numbers of its own: no key is used twice */
};

/* ---- The servers, as the crowd's faults see them ---- */

static int kill_one(void *context, unsigned which, struct failure *failure)
{
    struct stage *stage = context;
    (void)failure;
    trio_kill(&stage->trio, which);
    return 0;
}

static int end_one(void *context, unsigned which, struct failure *failure)
{
    struct stage *stage = context;
    return bench_process_end(&stage->trio.servers[which].process, END_MS, trio_name(which),
                             failure);
}

static int start_one(void *context, unsigned which, struct failure *failure)
{
    struct stage *stage = context;
    int err = trio_start(&stage->trio, which, failure);
    return err ? err : trio_wait_ready(&stage->trio, which, READY_MS, failure);
}

static int hang_one(void *context, unsigned which, bool hangs, struct failure *failure)
{
    struct stage *stage = context;
    return trio_hang(&stage->trio, which, hangs, failure);
}

static uint64_t used_by_one(void *context, unsigned which)
{
    struct stage *stage = context;
    return bench_process_used_ns(&stage->trio.servers[which].process);
}

/* ---- The load managers ---- */

enum { OWN_WORDS_MAX = 2 * TRIO + 4 };
_Static_assert(OWN_WORDS_MAX + OPTION_LIST_MAX <= BENCH_FRONT_WORDS, "as many as one takes");

/* WEIGHTS: the servers are listed with them, as any upstreams; NULL: as a cluster's. */
static int start_manager(struct stage *stage, unsigned which, const char *policy,
                         const unsigned *weights, struct failure *failure)
{
    const struct bench_flags *flags = stage->flags;
    char token[DATADIR_PATH + 32], servers[TRIO][128];
    const char *words[OWN_WORDS_MAX + OPTION_LIST_MAX + 1];
    unsigned count = 0;
    for (unsigned i = 0; i < TRIO; i++) {
        snprintf(servers[i], sizeof servers[i], weights ? "%s,weight=%u" : "%s", stage->urls[i],
                 weights ? weights[i] : 0);
        words[count++] = weights ? "--upstream" : "--server";
        words[count++] = servers[i];
    }
    snprintf(token, sizeof token, "%s/operator.token", stage->trio.servers[0].dir);
    if (!weights) {
        words[count++] = "--token-file";
        words[count++] = token;
    }
    if (policy[0]) {
        words[count++] = "--policy";
        words[count++] = policy;
    }
    CHECK(count <= OWN_WORDS_MAX); /* so that all of the user's have room: none is left out */
    for (unsigned i = 0; i < flags->balance.count; i++)
        words[count++] = flags->balance.items[i];
    words[count] = NULL;
    return bench_front_start(&stage->managers[which], which, stage->trio.dir, words, failure);
}

static int start_managers(struct stage *stage, const char *policy, const unsigned *weights,
                          struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < stage->manager_count; i++)
        err = start_manager(stage, i, policy, weights, failure);
    return err;
}

static int end_managers(struct stage *stage, struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < stage->manager_count; i++)
        err = bench_process_end(&stage->managers[i].process, END_MS, "a load manager", failure);
    return err;
}

/* ---- The stage ---- */

static int place_managers(struct stage *stage, struct failure *failure)
{
    int err = 0;
    stage->manager_count = (unsigned)stage->flags->managers;
    for (unsigned i = 0; !err && i < stage->manager_count; i++)
        err = bench_front_place(&stage->managers[i], failure);
    return err;
}

static int open_stage(struct stage *stage, const struct bench_flags *flags, struct failure *failure)
{
    *stage = (struct stage){.flags = flags};
    for (unsigned i = 0; i < MANAGERS_MAX; i++)
        stage->managers[i].process.output = -1;
    int err = trio_found(&stage->trio, flags->dir, failure);
    if (err)
        return err;
    stage->cluster = (struct crowd_cluster){
        .context = stage,
        .token = stage->trio.token,
        .kill = kill_one,
        .end = end_one,
        .start = start_one,
        .hang = hang_one,
        .processor_ns = used_by_one,
    };
    for (unsigned i = 0; i < TRIO; i++) {
        snprintf(stage->urls[i], sizeof stage->urls[i], "http://%s", stage->trio.servers[i].listen);
        stage->cluster.urls[i] = stage->urls[i];
    }
    err = place_managers(stage, failure);
    return err ? err : trio_start_all(&stage->trio, READY_MS, failure);
}

static void close_stage(struct stage *stage)
{
    for (unsigned i = 0; i < MANAGERS_MAX; i++)
        bench_process_kill(&stage->managers[i].process);
    trio_close(&stage->trio, stage->flags->keep);
}

static void configure(struct stage *stage, struct crowd_config *config)
{
    const struct bench_flags *flags = stage->flags;
    *config = (struct crowd_config){
        .cluster = &stage->cluster,
        .shoppers = (unsigned)flags->shoppers,
        .rate = flags->rate ? (double)flags->rate : (double)flags->shoppers / 5,
        .warm_up_seconds = (double)flags->warm_up_ms / 1000,
        .seconds = (double)flags->duration_ms / 1000,
        .plan = {.kind = crowd_fault_find(flags->fault),
                 .rounds = (unsigned)flags->rounds,
                 .down_ms = (unsigned)flags->down_ms,
                 .calm_ms = (unsigned)flags->calm_ms,
                 .slow_share = 100,
                 .slow_ms = 20},
        .seed = flags->seed + 1000 * stage->runs++,
    };
    config->front_count = stage->manager_count ? stage->manager_count : TRIO;
    for (unsigned i = 0; i < config->front_count; i++)
        config->fronts[i] = stage->manager_count ? stage->managers[i].url : stage->urls[i];
}

/* ---- Faults ---- */

static int run_faults(struct stage *stage, struct failure *failure)
{
    struct crowd_config config;
    struct crowd_report *report = calloc(1, sizeof *report);
    char copies[300] = "not compared";
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    configure(stage, &config);
    int err = start_managers(stage, stage->flags->policy, NULL, failure);
    err = err ? err : crowd_run(&config, report, failure);
    err = err ? err : bench_copies_judge(&stage->trio, copies, sizeof copies, failure);
    if (report->requests)
        (stage->flags->json ? crowd_report_json : crowd_report_text)(report, &config, copies,
                                                                     stdout);
    if (!err && (!crowd_report_good(report) || strcmp(copies, "equal") != 0))
        err = fail(failure, ERR_STATE, "a promise was broken: see the report");
    crowd_report_close(report);
    free(report);
    return err;
}

/* ---- Spread ---- */

/* Slows one server down for as long as the crowd runs. */
struct brake {
    const struct crowd_cluster *cluster;
    atomic_bool stop;
    pthread_t thread;
};

static void *pull_brake(void *argument)
{
    struct brake *brake = argument;
    struct failure failure;
    crowd_faults_slow(brake->cluster, TRIO - 1, SPREAD_SHARE, SPREAD_PERIOD_MS, UINT32_MAX,
                      &brake->stop, &failure);
    return NULL;
}

struct spread_row {
    const char *name;
    double requests, processor, p50_ms, p99_ms, p999_ms;
};

static int measure_spread(struct stage *stage, const char *policy, const unsigned *weights,
                          bool slow, struct spread_row *row, struct failure *failure)
{
    struct crowd_config config;
    struct crowd_report *report = calloc(1, sizeof *report);
    struct brake brake = {.cluster = &stage->cluster};
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    configure(stage, &config);
    config.plan.kind = CROWD_NO_FAULT;
    int err = start_managers(stage, policy, weights, failure);
    if (!err && slow && pthread_create(&brake.thread, NULL, pull_brake, &brake))
        err = fail_errno(failure, ERR_NOMEM, "cannot start a thread");
    bool braked = !err && slow;
    err = err ? err : crowd_run(&config, report, failure);
    if (braked) {
        atomic_store(&brake.stop, true);
        pthread_join(brake.thread, NULL);
    }
    if (!err && !crowd_report_good(report))
        err = fail(failure, ERR_STATE, "a promise was broken with policy %s: %.*s", policy,
                   STR_FMT(str_sub(buf_text(&report->notes), 0, 300)));
    crowd_report_spread(report, &row->requests, &row->processor);
    row->p50_ms = (double)histogram_quantile(&report->latency, 0.5) / 1e6;
    row->p99_ms = (double)histogram_quantile(&report->latency, 0.99) / 1e6;
    row->p999_ms = (double)histogram_quantile(&report->latency, 0.999) / 1e6;
    crowd_report_close(report);
    free(report);
    return err ? err : end_managers(stage, failure);
}

static void print_spread(FILE *out, const struct spread_row *row, bool json, bool first)
{
    if (json)
        fprintf(out,
                "%s{\"policy\":\"%s\",\"variation\":{\"requests\":%.4f,\"processor\":%.4f},"
                "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f}",
                first ? "" : ",", row->name, row->requests, row->processor, row->p50_ms,
                row->p99_ms, row->p999_ms);
    else
        fprintf(out,
                "  %-34s variation of requests %.3f, of processor %.3f   p50 %.1f ms   p99 %.1f   "
                "p99.9 %.1f\n",
                row->name, row->requests, row->processor, row->p50_ms, row->p99_ms, row->p999_ms);
    fflush(out);
}

static int spread_of_policies(struct stage *stage, FILE *out, struct failure *failure)
{
    const struct bench_flags *flags = stage->flags;
    int err = 0;
    bool first = true;
    for (unsigned i = 0; !err && policies[i]; i++) {
        struct spread_row row = {.name = policies[i]->name};
        if (flags->policy[0] && strcmp(flags->policy, row.name) != 0)
            continue;
        err = measure_spread(stage, row.name, NULL, false, &row, failure);
        if (!err)
            print_spread(out, &row, flags->json, first);
        first = false;
    }
    return err;
}

/* With one server at half speed: the policy against the split that is right for that. */
static int spread_when_slow(struct stage *stage, FILE *out, struct failure *failure)
{
    static const unsigned right[TRIO] = {200, 200, 100};
    const struct bench_flags *flags = stage->flags;
    const char *policy = flags->policy[0] ? flags->policy : policies[0]->name;
    char name[OPTION_TEXT_SIZE + 32];
    snprintf(name, sizeof name, "%s, one at half speed", policy);
    struct spread_row own = {.name = name}, ideal = {.name = "2:2:1 by hand, one at half speed"};
    int err = measure_spread(stage, policy, NULL, true, &own, failure);
    if (!err)
        print_spread(out, &own, flags->json, false);
    err = err ? err : measure_spread(stage, policy_round_robin.name, right, true, &ideal, failure);
    if (err)
        return err;
    print_spread(out, &ideal, flags->json, false);
    double ratio = ideal.p99_ms > 0 ? own.p99_ms / ideal.p99_ms : 0;
    if (flags->json)
        fprintf(out, "],\"p99_by_ideal\":%.3f}\n", ratio);
    else
        fprintf(out, "  p99 by that of the right split: %.2f\n", ratio);
    return 0;
}

static int run_spread(struct stage *stage, struct failure *failure)
{
    if (stage->manager_count == 0)
        return fail(failure, ERR_INVALID, "--spread needs a load manager: not --managers 0");
    /* A document is printed whole or not at all; lines as they come. */
    char *document = NULL;
    size_t size = 0;
    FILE *out = stage->flags->json ? open_memstream(&document, &size) : stdout;
    if (!out)
        return fail(failure, ERR_NOMEM, "out of memory");
    if (stage->flags->json)
        fputs("{\"bench\":\"spread\",\"rows\":[", out);
    int err = spread_of_policies(stage, out, failure);
    err = err ? err : spread_when_slow(stage, out, failure);
    if (out == stdout)
        return err;
    if (fclose(out) && !err)
        err = fail(failure, ERR_NOMEM, "out of memory");
    if (!err)
        fputs(document, stdout);
    free(document);
    return err;
}

int bench_crowd(const struct bench_flags *flags, struct failure *failure)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = open_stage(stage, flags, failure);
    err = err ? err : flags->spread ? run_spread(stage, failure) : run_faults(stage, failure);
    close_stage(stage);
    free(stage);
    return err;
}

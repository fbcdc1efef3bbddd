#include "bench/failover.h"
#include "main/bench.h"
#include "main/bench_trio.h"

#include <stdio.h>

enum { READY_MS = 60000 };

static int kill_one(void *context, unsigned which, struct failure *failure)
{
    (void)failure;
    trio_kill(context, which);
    return 0;
}

static int start_one(void *context, unsigned which, struct failure *failure)
{
    int err = trio_start(context, which, failure);
    return err ? err : trio_wait_ready(context, which, READY_MS, failure);
}

static int hang_one(void *context, unsigned which, bool hangs, struct failure *failure)
{
    return trio_hang(context, which, hangs, failure);
}

static void print_times(const char *name, const struct failover_times *times)
{
    printf("%s %u times: selling again after median %.0f ms, p90 %.0f, worst %.0f (%llu refused "
           "meanwhile)\n",
           name, times->rounds, times->median_ms, times->p90_ms, times->worst_ms,
           (unsigned long long)times->refused);
}

static void print_text(const struct failover_report *r)
{
    print_times("primary killed (-9)", &r->killed);
    print_times("primary stopped (hangs)", &r->hanging);
    const struct failover_times *with = &r->planned.with, *without = &r->planned.without;
    printf("planned handover %u times: %llu of %llu changes failed; it takes median %.1f ms, worst "
           "%.1f\n",
           with->rounds, (unsigned long long)r->planned.failed,
           (unsigned long long)r->planned.changes, r->planned.command.median_ms,
           r->planned.command.worst_ms);
    printf("longest wait around one: median %.1f ms, p90 %.1f, worst %.1f; right before it: median "
           "%.1f, p90 %.1f, worst %.1f; added: median %.1f, p90 %.1f, worst %.1f (all changes: "
           "median %.1f)\n",
           with->median_ms, with->p90_ms, with->worst_ms, without->median_ms, without->p90_ms,
           without->worst_ms, with->median_ms - without->median_ms, with->p90_ms - without->p90_ms,
           with->worst_ms - without->worst_ms, r->planned.median_ms);
}

static void json_times(const char *name, const struct failover_times *times)
{
    printf("\"%s\":{\"rounds\":%u,\"median_ms\":%.2f,\"p90_ms\":%.2f,\"worst_ms\":%.2f,"
           "\"refused\":%llu}",
           name, times->rounds, times->median_ms, times->p90_ms, times->worst_ms,
           (unsigned long long)times->refused);
}

static void print_json(const struct failover_report *r)
{
    const struct failover_times *with = &r->planned.with, *without = &r->planned.without;
    printf("{\"bench\":\"failover\",");
    json_times("killed", &r->killed);
    printf(",");
    json_times("hanging", &r->hanging);
    printf(",\"planned\":{\"changes\":%llu,\"failed\":%llu,\"median_ms\":%.2f,"
           "\"worst_added_ms\":%.2f,",
           (unsigned long long)r->planned.changes, (unsigned long long)r->planned.failed,
           r->planned.median_ms, with->worst_ms - without->worst_ms);
    json_times("longest_wait", with);
    printf(",");
    json_times("longest_wait_before", without);
    printf(",");
    json_times("handover", &r->planned.command);
    printf("}}\n");
}

int bench_failover(const struct bench_flags *flags, struct failure *failure)
{
    struct trio trio;
    struct failover_report report;
    char urls[TRIO][80];
    int err = trio_found(&trio, flags->dir, failure);
    if (err)
        return err;
    struct failover_cluster cluster = {
        .context = &trio,
        .token = trio.token,
        .item = "harrow-mug",
        .kill = kill_one,
        .start = start_one,
        .hang = hang_one,
    };
    for (unsigned i = 0; i < TRIO; i++) {
        snprintf(urls[i], sizeof urls[i], "http://%s", trio.servers[i].listen);
        cluster.urls[i] = urls[i];
    }
    err = trio_start_all(&trio, READY_MS, failure);
    err = err ? err : failover_run(&cluster, (unsigned)flags->rounds, &report, failure);
    trio_remove(&trio);
    if (err)
        return err;
    if (flags->json)
        print_json(&report);
    else
        print_text(&report);
    return 0;
}

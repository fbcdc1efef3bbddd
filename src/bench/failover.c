#include "bench/failover.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/ask.h"
#include "bench/healthy.h"
#include "bench/selling.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LAG_FEW = 32,        /* entries, which a server may lack while changes come all the time */
    QUIET_MS = 100,      /* before a window without a handover */
    WINDOW_MS = 300,     /* what a window has after the answer of the request that it is about */
    DEADLINE_MS = 30000, /* for the first success */
    RECORDS_MAX = 2 << 20,
};

struct bench {
    const struct failover_cluster *cluster;
    struct ask *operators[FAILOVER_SERVERS], *shoppers[FAILOVER_SERVERS];
    char body[SELLING_BODY];
};

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * (long)MS_NS}, NULL);
}

static bool is_success(int status)
{
    return status == 200 || status == 201;
}

/* ---- It goes at once ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sum_up(double *times, unsigned count, struct failover_times *out)
{
    qsort(times, count, sizeof *times, compare);
    out->rounds = count;
    out->median_ms = times[count / 2];
    out->p90_ms = times[(count - 1) * 9 / 10];
    out->worst_ms = times[count - 1];
}

static int one_round(struct bench *bench, unsigned number, bool kill, double *ms, uint64_t *refused,
                     struct failure *failure)
{
    const struct failover_cluster *cluster = bench->cluster;
    unsigned primary = 0;
    int err = healthy_wait(bench->operators, 0, &primary, failure);
    if (err)
        return err;
    struct selling selling = {
        .shopper = bench->shoppers[(primary + 1 + number % 2) % FAILOVER_SERVERS],
        .body = bench->body,
        .deadline_ms = DEADLINE_MS,
    };
    /* Its connection stands, as a shopper's would. */
    if (!selling_now(&selling))
        return fail(failure, ERR_STATE, "a healthy cluster refused a cart: %.*s",
                    STR_FMT(str_sub(ask_text(selling.shopper), 0, 200)));
    selling.begin_ns = clock_mono_ns();
    err = kill ? cluster->kill(cluster->context, primary, failure)
               : cluster->hang(cluster->context, primary, true, failure);
    err = err ? err : selling_again(&selling, ms, refused, failure);
    int back = kill ? cluster->start(cluster->context, primary, failure)
                    : cluster->hang(cluster->context, primary, false, failure);
    return err ? err : back;
}

static int at_once(struct bench *bench, unsigned rounds, bool kill, struct failover_times *out,
                   struct failure *failure)
{
    double *times = calloc(rounds, sizeof *times);
    int err = times ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; !err && i < rounds; i++)
        err = one_round(bench, i, kill, &times[i], &out->refused, failure);
    if (!err)
        sum_up(times, rounds, out);
    free(times);
    return err;
}

/* ---- As planned ---- */

struct change {
    uint64_t begin_ns, end_ns;
    bool failed;
};

/* One who changes carts at one server all the time. */
struct writer {
    struct bench *bench;
    struct ask *shopper;
    struct change *changes;
    unsigned count;
    const atomic_bool *over;
    pthread_t thread;
};

static void *write_on(void *argument)
{
    struct writer *writer = argument;
    while (!atomic_load(writer->over) && writer->count < RECORDS_MAX) {
        struct change *change = &writer->changes[writer->count++];
        change->begin_ns = clock_mono_ns();
        change->failed = !is_success(ask_for(writer->shopper, "/carts", writer->bench->body));
        change->end_ns = clock_mono_ns();
        pause_ms(1);
    }
    return NULL;
}

/* From the begin of a request to WINDOW_MS after its end. Each with a handover comes right after
 * one of the same length without: what the machine does by itself is then in both. */
struct window {
    uint64_t begin_ns, end_ns; /* of the request: a handover, or how the cluster is */
    double worst_ms;           /* of the changes that were on their way in it */
};

struct round {
    struct window without, with;
};

static int hand_over_once(struct bench *bench, unsigned number, struct round *round,
                          struct failure *failure)
{
    unsigned primary = 0;
    int err = healthy_wait(bench->operators, LAG_FEW, &primary, failure);
    if (err)
        return err;
    pause_ms(QUIET_MS);
    struct ask *asked = bench->operators[(primary + number) % FAILOVER_SERVERS];
    round->without.begin_ns = clock_mono_ns();
    ask_for(asked, "/api/v1/cluster", NULL);
    round->without.end_ns = clock_mono_ns();
    pause_ms(WINDOW_MS);
    round->with.begin_ns = clock_mono_ns();
    int status = ask_for(asked, "/api/v1/cluster/handover", "{}");
    round->with.end_ns = clock_mono_ns();
    if (status != 200)
        return fail(failure, ERR_STATE, "a handover was answered %d: %.*s", status,
                    STR_FMT(str_sub(ask_text(asked), 0, 200)));
    pause_ms(WINDOW_MS);
    return 0;
}

static int hand_over(struct bench *bench, struct round *rounds, unsigned count,
                     struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < count; i++)
        err = hand_over_once(bench, i, &rounds[i], failure);
    return err;
}

static bool is_in(const struct change *change, const struct window *window)
{
    return change->begin_ns < window->end_ns + WINDOW_MS * MS_NS &&
           change->end_ns > window->begin_ns;
}

static double wait_of(const struct change *change)
{
    return (double)(change->end_ns - change->begin_ns) / 1e6;
}

/* A change that was on its way when the handover began is the handover's, whenever it began. */
static void put_into_window(const struct change *change, struct round *round)
{
    double ms = wait_of(change);
    struct window *window = is_in(change, &round->with)      ? &round->with
                            : is_in(change, &round->without) ? &round->without
                                                             : NULL;
    if (window && ms > window->worst_ms)
        window->worst_ms = ms;
}

static void sum_up_windows(const struct round *rounds, unsigned count, double *times,
                           struct failover_report *report)
{
    for (unsigned i = 0; i < count; i++)
        times[i] = rounds[i].with.worst_ms;
    sum_up(times, count, &report->planned.with);
    for (unsigned i = 0; i < count; i++)
        times[i] = rounds[i].without.worst_ms;
    sum_up(times, count, &report->planned.without);
    for (unsigned i = 0; i < count; i++)
        times[i] = (double)(rounds[i].with.end_ns - rounds[i].with.begin_ns) / 1e6;
    sum_up(times, count, &report->planned.command);
}

/* TIMES: room for as many as there are changes, or rounds. */
static void judge(const struct writer *writers, struct round *rounds, unsigned count, double *times,
                  struct failover_report *report)
{
    unsigned total = 0;
    for (unsigned w = 0; w < FAILOVER_SERVERS; w++)
        for (unsigned i = 0; i < writers[w].count; i++) {
            const struct change *change = &writers[w].changes[i];
            report->planned.failed += change->failed;
            times[total++] = wait_of(change);
            for (unsigned r = 0; r < count; r++)
                put_into_window(change, &rounds[r]);
        }
    report->planned.changes = total;
    qsort(times, total, sizeof *times, compare);
    report->planned.median_ms = total ? times[total / 2] : 0;
    sum_up_windows(rounds, count, times, report);
}

static int drive(struct bench *bench, struct writer *writers, struct round *rounds, unsigned count,
                 struct failure *failure)
{
    atomic_bool over = false;
    unsigned started = 0;
    int err = 0;
    for (; !err && started < FAILOVER_SERVERS; started++) {
        writers[started].over = &over;
        if (pthread_create(&writers[started].thread, NULL, write_on, &writers[started])) {
            err = fail_errno(failure, ERR_NOMEM, "cannot start a thread");
            break;
        }
    }
    err = err ? err : hand_over(bench, rounds, count, failure);
    atomic_store(&over, true);
    for (unsigned i = 0; i < started; i++)
        pthread_join(writers[i].thread, NULL);
    return err;
}

static int planned(struct bench *bench, unsigned count, struct failover_report *report,
                   struct failure *failure)
{
    struct writer writers[FAILOVER_SERVERS] = {{0}};
    struct round *rounds = calloc(count, sizeof *rounds);
    double *times = calloc((size_t)FAILOVER_SERVERS * RECORDS_MAX + count, sizeof *times);
    int err = rounds && times ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < FAILOVER_SERVERS; i++) {
        writers[i].bench = bench;
        writers[i].shopper = bench->shoppers[i];
        writers[i].changes = calloc(RECORDS_MAX, sizeof *writers[i].changes);
        if (!err && !writers[i].changes)
            err = fail(failure, ERR_NOMEM, "out of memory");
    }
    err = err ? err : drive(bench, writers, rounds, count, failure);
    if (!err)
        judge(writers, rounds, count, times, report);
    for (unsigned i = 0; i < FAILOVER_SERVERS; i++)
        free(writers[i].changes);
    free(times);
    free(rounds);
    return err;
}

/* ---- The whole ---- */

int failover_run(const struct failover_cluster *cluster, unsigned rounds,
                 struct failover_report *report, struct failure *failure)
{
    struct bench bench = {.cluster = cluster};
    int err = 0;
    *report = (struct failover_report){0};
    selling_body(cluster->item, bench.body);
    for (unsigned i = 0; i < FAILOVER_SERVERS; i++) {
        bench.operators[i] = ask_new(cluster->urls[i], cluster->token);
        bench.shoppers[i] = ask_new(cluster->urls[i], NULL);
        if (!bench.operators[i] || !bench.shoppers[i])
            err = fail(failure, ERR_NOMEM, "out of memory");
    }
    err = err ? err : planned(&bench, rounds, report, failure);
    err = err ? err : at_once(&bench, rounds, true, &report->killed, failure);
    err = err ? err : at_once(&bench, rounds, false, &report->hanging, failure);
    for (unsigned i = 0; i < FAILOVER_SERVERS; i++) {
        ask_free(bench.operators[i]);
        ask_free(bench.shoppers[i]);
    }
    return err;
}

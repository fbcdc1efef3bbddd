/* `stoa bench scale`: a master front that starts and ends workers and follower fronts as it does
 * for a shop, with the pages of `stoa bench engines` in the shop's place; and beside it
 * `stoa bench engine event`, which is one process with the same pages. */
#include "base/clock.h"
#include "bench/engines_app.h"
#include "bench/tiers_record.h"
#include "bench/tiers_run.h"
#include "main/bench.h"
#include "main/bench_guard.h"
#include "main/bench_process.h"
#include "main/bench_tiers.h"
#include "main/file.h"
#include "main/free_address.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    READY_MS = 20000,
    END_MS = 30000,
    LOOK_MS = 20,
    QUICK_MS = 500,
    QUICK_WARM_UP_MS = 100,
    WORD = 48,
    WORDS_MAX = 48,
    TRACE_MAX = 64 << 20,
};

struct stand {
    char dir[FILE_PATH], log[FILE_PATH], record[FILE_PATH];
    struct bench_guard guard;
    pthread_mutex_t lock; /* who has it starts or ends the server; the guard keeps it */
    struct bench_process server;
    bool alone, keep;
    unsigned cores;
    uint64_t steps;
};

/* ---- The words of its commands ---- */

struct words {
    char text[WORDS_MAX][WORD];
    const char *list[WORDS_MAX + 1];
    unsigned count;
};

static void add(struct words *words, const char *word)
{
    if (words->count < WORDS_MAX)
        words->list[words->count++] = word;
}

/* FORMAT: of a whole word, "--queue=%llu". */
static void add_number(struct words *words, const char *format, uint64_t number)
    __attribute__((format(printf, 2, 0)));

static void add_number(struct words *words, const char *format, uint64_t number)
{
    char *text = words->text[words->count % WORDS_MAX];
    snprintf(text, WORD, format, (unsigned long long)number);
    add(words, text);
}

static void word_tiers(const struct stand *stand, const struct tiers_setup *setup,
                       const char *address, struct words *words)
{
    static const char *const bare[] = {"--scale-hold=0ms", "--scale-calm=0ms", "--scale-urgent=0ms",
                                       "--scale-room=0%"};
    const char *const begin[] = {"front",
                                 "--master",
                                 "--dir",
                                 stand->dir,
                                 "--listen",
                                 address,
                                 "--log-level",
                                 "warn",
                                 "--scale",
                                 setup->rule ? setup->rule : "target",
                                 "--scale-record",
                                 stand->record,
                                 "--scale-record-samples"};
    for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++)
        add(words, begin[i]);
    for (unsigned i = 0; setup->bare && i < sizeof bare / sizeof *bare; i++)
        add(words, bare[i]);
    add_number(words, "--scale-workers-min=%llu", setup->workers);
    add_number(words, "--scale-workers-max=%llu", setup->workers_most);
    add_number(words, "--scale-fronts-min=%llu", setup->fronts);
    add_number(words, "--scale-fronts-max=%llu", setup->fronts_most);
    add_number(words, "--queue=%llu", setup->slots);
    if (setup->poll_ms)
        add_number(words, "--scale-poll=%llums", setup->poll_ms);
    add_number(words, "--worker-option=--bench=%llu", stand->steps);
    add_number(words, "--worker-option=--helpers=%llu", setup->helpers);
    add(words, "--worker-option=--log-level=warn");
    add_number(words, "--worker-option=--in-flight=%llu", 64);
}

static void word_alone(const struct stand *stand, const char *address, struct words *words)
{
    const char *const begin[] = {"bench", "engine", "event",   "--listen",
                                 address, "--dir",  stand->dir};
    for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++)
        add(words, begin[i]);
    add_number(words, "--cores=%llu", stand->cores);
    add_number(words, "--steps=%llu", stand->steps);
}

/* ---- Starting and ending ---- */

static int read_record(void *context, struct buf *text, struct failure *failure)
{
    const struct stand *stand = context;
    int err = file_read_all(stand->record, text, failure);
    return err == ERR_NOTFOUND ? 0 : err;
}

/* Until the master counts as many as are wanted, and none that start. */
static int wait_for_sizes(struct stand *stand, const struct tiers_setup *setup,
                          struct failure *failure)
{
    uint64_t end_ns = clock_mono_ns() + READY_MS * MS_NS;
    struct tiers_sizes sizes = {0};
    struct buf text;
    int err = 0;
    buf_init(&text, TIERS_RECORD_MAX);
    while (!err && (sizes.workers != setup->workers || sizes.fronts != setup->fronts ||
                    sizes.changing > 0)) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * (long)MS_NS}, NULL);
        buf_clear(&text);
        err = read_record(stand, &text, failure);
        tiers_record_last(buf_text(&text), &sizes);
        if (!err && clock_mono_ns() > end_ns)
            err = fail(failure, ERR_TIMEOUT,
                       "%u workers and %u fronts were not ready within %d s, but %llu and %llu",
                       setup->workers, setup->fronts, READY_MS / 1000,
                       (unsigned long long)sizes.workers, (unsigned long long)sizes.fronts);
    }
    buf_close(&text);
    return err;
}

static int end_server(struct stand *stand, struct failure *failure)
{
    return bench_process_end(&stand->server, END_MS,
                             stand->alone ? "the one process" : "the master front", failure);
}

/* In good order: when it is killed its workers end by themselves, but a follower goes on as master.
 */
static int stop(void *context, struct failure *failure)
{
    struct stand *stand = context;
    pthread_mutex_lock(&stand->lock);
    int err = end_server(stand, failure);
    if (stand->server.pid > 0)
        bench_process_kill(&stand->server);
    pthread_mutex_unlock(&stand->lock);
    return err;
}

static int start(void *context, const struct tiers_setup *setup, char *url, struct failure *failure)
{
    struct stand *stand = context;
    char address[TIERS_URL - 8];
    struct words words = {.count = 0};
    int err = free_address("127.0.0.1", NULL, NULL, address, sizeof address, failure);
    if (err)
        return err;
    snprintf(url, TIERS_URL, "http://%s", address);
    unlink(stand->record);
    stand->alone = setup->alone;
    if (setup->alone)
        word_alone(stand, address, &words);
    else
        word_tiers(stand, setup, address, &words);
    pthread_mutex_lock(&stand->lock);
    err = bench_process_start(&stand->server, words.list, stand->log, failure);
    pthread_mutex_unlock(&stand->lock);
    if (err)
        return err;
    err = bench_process_wait(&stand->server, setup->alone ? "ready" : "stoa: front ready", READY_MS,
                             setup->alone ? "the one process" : "the master front", failure);
    if (!err && !setup->alone)
        err = wait_for_sizes(stand, setup, failure);
    if (err) {
        struct failure end;
        (void)stop(stand, &end);
    }
    return err;
}

static void usage(void *context, struct tiers_usage *usage)
{
    struct stand *stand = context;
    *usage = (struct tiers_usage){.fronts_ns = bench_process_used_ns(&stand->server)};
    if (!stand->alone)
        bench_tiers_add_usage(stand->server.pid, usage);
}

/* ---- The bench ---- */

static int read_trace(const char *file, struct scale_load *trace, struct failure *failure)
{
    struct buf text;
    buf_init(&text, TRACE_MAX);
    int err = file_read_all(file, &text, failure);
    if (err == ERR_NOTFOUND)
        fail(failure, err, "there is no file %s", file);
    err = err ? err : scale_load_read(trace, file, buf_text(&text), failure);
    buf_close(&text);
    return err;
}

static int give_results(const struct bench_flags *flags, const struct tiers_report *report,
                        struct failure *failure)
{
    int err = 0;
    if (flags->json)
        tiers_print_json(report, stdout);
    if (flags->page[0]) {
        err = tiers_report_pictures(report, flags->page, failure);
        err = err ? err : tiers_report_page(report, flags->page, failure);
    }
    return err;
}

/* In seconds. */
static double shorter(bool quick, uint64_t wanted_ms, uint64_t quick_ms)
{
    return (double)(quick && wanted_ms > quick_ms ? quick_ms : wanted_ms) / 1000;
}

static int run_in(struct stand *stand, const struct bench_flags *flags,
                  const struct scale_load *trace, struct failure *failure)
{
    struct engines_cores cores;
    struct tiers_host host = {stand, start, stop, usage, read_record};
    struct tiers_plan plan = {
        .only = flags->only,
        .rounds = flags->quick ? 1 : (unsigned)flags->rounds,
        .seconds = shorter(flags->quick, flags->duration_ms, QUICK_MS),
        .warm_up_seconds = shorter(flags->quick, flags->warm_up_ms, QUICK_WARM_UP_MS),
        .limit_ms = (double)flags->limit_ms,
        .quick = flags->quick,
        .seed = flags->seed,
        .trace = trace,
        .progress = flags->json ? stderr : stdout,
    };
    struct tiers_report *report = calloc(1, sizeof *report);
    int err = report ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    engines_cores_look(&cores);
    stand->cores = cores.server;
    stand->steps = engines_calibrate();
    err = err ? err : tiers_run(&plan, &host, report, failure);
    if (!err && trace)
        str_copy(report->trace, sizeof report->trace, str_of(flags->load));
    err = err ? err : give_results(flags, report, failure);
    free(report);
    return err;
}

static void remove_files(const struct stand *stand)
{
    if (stand->keep)
        fprintf(stderr, "stoa bench: the servers' log and files are in %s\n", stand->dir);
    else
        (void)file_remove_tree(stand->dir, NULL); /* a bench's result stands without it */
}

/* For the guard. */
static void end_early(void *context)
{
    struct stand *stand = context;
    struct failure failure;
    pthread_mutex_lock(&stand->lock);
    if (stand->server.pid > 0)
        (void)end_server(stand, &failure);
    remove_files(stand);
}

static int run_with_files(struct stand *stand, const struct bench_flags *flags,
                          const struct scale_load *trace, struct failure *failure)
{
    int err = file_join(stand->log, stand->dir, "servers.log", failure);
    err = err ? err : file_join(stand->record, stand->dir, "decisions.log", failure);
    err = err ? err : bench_guard_begin(&stand->guard, failure);
    err = err ? err : run_in(stand, flags, trace, failure);
    remove_files(stand);
    return err;
}

static int run_under(struct stand *stand, const struct bench_flags *flags,
                     const struct scale_load *trace, struct failure *failure)
{
    *stand = (struct stand){.server = {.output = -1}, .keep = flags->keep};
    stand->guard = (struct bench_guard){end_early, stand};
    pthread_mutex_init(&stand->lock, NULL);
    snprintf(stand->dir, sizeof stand->dir, "%.400s/bench-XXXXXX", flags->dir);
    if (mkdir(flags->dir, 0777) && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "cannot make %s", flags->dir);
    if (!mkdtemp(stand->dir))
        return fail_errno(failure, ERR_IO, "cannot make a folder in %s", flags->dir);
    return run_with_files(stand, flags, trace, failure);
}

int bench_scale(const struct bench_flags *flags, struct failure *failure)
{
    /* Not freed: the guard has it until the process ends. */
    struct stand *stand = malloc(sizeof *stand);
    struct scale_load trace = {0};
    int err = stand ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    if (!err && flags->page[0])
        err = tiers_report_page_check(flags->page, failure);
    if (!err && flags->load[0])
        err = read_trace(flags->load, &trace, failure);
    err = err ? err : run_under(stand, flags, flags->load[0] ? &trace : NULL, failure);
    scale_load_close(&trace);
    return err;
}

/* `stoa bench engines`, and `stoa bench engine NAME`, which is the server of one measurement. */
#include "bench/engines_app.h"
#include "bench/engines_run.h"
#include "engine/engine.h"
#include "main/bench.h"
#include "main/bench_process.h"
#include "main/file.h"
#include "main/free_address.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READY_MS = 20000,
    END_MS = 30000,
    GRACE_MS = 5000,
    WORD = 32,
    QUICK_MS = 500,
    QUICK_WARM_UP_MS = 100,
    URL_SIZE = 80,
};

#define USAGE_FORMAT "usage requests=%llu voluntary=%llu involuntary=%llu cpu_us=%llu"

/* ---- The server ---- */

static double seconds_of(const struct rusage *usage)
{
    return (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6 +
           (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6;
}

/* Of all threads that it had, and of all children, which have ended by now. */
static void say_usage(uint64_t requests)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    printf(USAGE_FORMAT "\n", (unsigned long long)requests,
           (unsigned long long)(own.ru_nvcsw + children.ru_nvcsw),
           (unsigned long long)(own.ru_nivcsw + children.ru_nivcsw),
           (unsigned long long)((seconds_of(&own) + seconds_of(&children)) * 1e6));
    fflush(stdout);
}

static int serve(const struct engine_kind *kind, const struct engine_config *config,
                 struct engines_app *app, struct failure *failure)
{
    struct engine *engine;
    struct engine_stats stats;
    sigset_t signals;
    int signal_number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* they are waited for below */
    int err = kind->start(config, &app->app, &engine, failure);
    if (err)
        return err;
    printf("ready at port %u\n", kind->port(engine, 0));
    fflush(stdout);
    sigwait(&signals, &signal_number);
    kind->stats(engine, &stats);
    kind->stop(engine);
    say_usage(stats.requests);
    return 0;
}

int bench_engine(const struct bench_flags *flags, const char *name, struct failure *failure)
{
    struct log log = {.fd = STDERR_FILENO, .least = LOG_WARN};
    struct engine_config config = {
        .listen_count = 1,
        .stop_grace_ms = GRACE_MS,
        .admission_ms = (uint32_t)flags->admission_ms,
        .workers = (unsigned)flags->workers,
        .log = &log,
    };
    struct engines_app app;
    const struct engine_kind *kind = engine_find(name);
    struct engines_cores cores;
    if (!kind)
        return engines_run_unknown(str_of(name), failure);
    engines_cores_look(&cores);
    if (flags->cores) {
        engines_cores_take(&cores, 0, (unsigned)flags->cores);
        config.loops = (unsigned)flags->cores;
    }
    str_copy(config.listen[0].address, sizeof config.listen[0].address, str_of(flags->listen));
    config.listen[0].option = "--listen";
    uint64_t steps = flags->steps ? flags->steps : engines_calibrate();
    int err = engines_app_init(&app, flags->dir, steps, failure);
    if (err)
        return err;
    err = serve(kind, &config, &app, failure);
    engines_app_close(&app);
    return err;
}

/* ---- The servers of a bench ---- */

struct stand {
    char dir[FILE_PATH], log[FILE_PATH];
    struct bench_process server;
    unsigned cores;
    uint64_t steps;
};

static int start_server(void *context, const struct engines_contestant *contestant, char *url,
                        pid_t *pid, struct failure *failure)
{
    struct stand *stand = context;
    char address[URL_SIZE - 8], cores[WORD], steps[WORD], admission[WORD], workers[WORD];
    int err = free_address("127.0.0.1", NULL, NULL, address, sizeof address, failure);
    if (err)
        return err;
    snprintf(url, URL_SIZE, "http://%s", address);
    snprintf(cores, sizeof cores, "%u", stand->cores);
    snprintf(steps, sizeof steps, "%llu", (unsigned long long)stand->steps);
    snprintf(admission, sizeof admission, "%ums", contestant->admission_ms);
    snprintf(workers, sizeof workers, "%u", contestant->workers);
    const char *words[] = {
        "bench",    "engine", contestant->engine, "--listen", address,     "--cores", cores,
        "--steps",  steps,    "--admission",      admission,  "--workers", workers,   "--dir",
        stand->dir, NULL};
    err = bench_process_start(&stand->server, words, stand->log, failure);
    if (err)
        return err;
    err = bench_process_wait(&stand->server, "ready", READY_MS, contestant->name, failure);
    *pid = stand->server.pid;
    if (err)
        bench_process_kill(&stand->server);
    return err;
}

/* What it says at its end stands in the pipe, which bench_process_end closes. */
static int read_usage(int output, struct engines_usage *usage, struct failure *failure)
{
    char text[512];
    unsigned long long requests, voluntary, involuntary, cpu_us;
    ssize_t got = read(output, text, sizeof text - 1);
    text[got > 0 ? got : 0] = 0;
    const char *line = strstr(text, "usage ");
    if (!line || sscanf(line, USAGE_FORMAT, &requests, &voluntary, &involuntary, &cpu_us) != 4)
        return fail(failure, ERR_STATE, "the server did not say what it had used");
    *usage = (struct engines_usage){requests, voluntary, involuntary, (double)cpu_us / 1e6};
    return 0;
}

/* What the servers' log ends with: why one of them died. */
static void add_last_words(const char *log, struct failure *failure)
{
    char text[1024];
    FILE *in = fopen(log, "re");
    if (!in)
        return;
    if (fseek(in, -(long)(sizeof text - 1), SEEK_END))
        rewind(in);
    size_t got = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    while (got > 0 && text[got - 1] == '\n')
        got--;
    text[got] = 0;
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    struct failure before = *failure;
    if (line[0])
        fail(failure, before.err, "%.200s; the servers' log ends with: %.200s", before.text, line);
}

static int stop_server(void *context, struct engines_usage *usage, struct failure *failure)
{
    struct stand *stand = context;
    int output = dup(stand->server.output);
    int err = bench_process_end(&stand->server, END_MS, "the server", failure);
    if (err)
        add_last_words(stand->log, failure);
    else
        err = read_usage(output, usage, failure);
    if (output >= 0)
        close(output);
    if (stand->server.pid > 0)
        bench_process_kill(&stand->server);
    return err;
}

/* ---- The bench ---- */

static int give_results(const struct bench_flags *flags, const struct engines_report *report,
                        struct failure *failure)
{
    int err = 0;
    if (flags->json)
        engines_print_json(report, stdout);
    else
        engines_print_table(report, stdout);
    if (flags->page[0]) {
        err = engines_report_pictures(report, flags->page, failure);
        err = err ? err : engines_report_page(report, flags->page, failure);
    }
    return err;
}

/* In seconds. */
static double shorter(bool quick, uint64_t wanted_ms, uint64_t quick_ms)
{
    return (double)(quick && wanted_ms > quick_ms ? quick_ms : wanted_ms) / 1000;
}

static int run_in(struct stand *stand, const struct bench_flags *flags, struct failure *failure)
{
    struct engines_cores cores;
    struct engines_host host = {stand, start_server, stop_server};
    bool quick = flags->quick;
    struct engines_plan plan = {
        .only = flags->engines,
        .dir = stand->dir,
        .rounds = quick ? 1 : (unsigned)flags->rounds,
        .seconds = shorter(quick, flags->duration_ms, QUICK_MS),
        .warm_up_seconds = shorter(quick, flags->warm_up_ms, QUICK_WARM_UP_MS),
        .quick = flags->quick,
        .seed = flags->seed,
        .progress = flags->json ? stderr : stdout,
    };
    struct engines_report *report = calloc(1, sizeof *report);
    int err = report ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    engines_cores_look(&cores);
    stand->cores = cores.server;
    stand->steps = engines_calibrate();
    err = err ? err : engines_run(&plan, &host, report, failure);
    err = err ? err : give_results(flags, report, failure);
    free(report);
    return err;
}

int bench_engines(const struct bench_flags *flags, struct failure *failure)
{
    struct stand stand = {.server = {.output = -1}};
    if (flags->page[0] && engines_report_page_check(flags->page, failure))
        return failure->err;
    if (mkdir(flags->dir, 0777) && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "cannot make %s", flags->dir);
    snprintf(stand.dir, sizeof stand.dir, "%.400s/bench-XXXXXX", flags->dir);
    if (!mkdtemp(stand.dir))
        return fail_errno(failure, ERR_IO, "cannot make a folder in %s", flags->dir);
    int err = file_join(stand.log, stand.dir, "servers.log", failure);
    err = err ? err : run_in(&stand, flags, failure);
    if (flags->keep)
        fprintf(stderr, "stoa bench: the servers' log and files are in %s\n", stand.dir);
    else
        (void)file_remove_tree(stand.dir, NULL); /* a bench's result stands without it */
    return err;
}

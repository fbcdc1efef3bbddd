#include "base/clock.h"
#include "bench/ask.h"
#include "bench/healthy.h"
#include "bench/load.h"
#include "bench/share.h"
#include "main/bench.h"
#include "main/bench_items.h"
#include "main/bench_trio.h"
#include "main/free_address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    READY_MS = 60000,
    AGAIN_MS = 30000,
    LAG = 100, /* entries that a copy may be behind when a server is killed */
    UNITS = 1000000,
    QUIET_MS = 100,
};

/* One of the two: three servers of a cluster, or three processes over one directory. */
struct stand {
    struct trio trio;
    bool shared;
    char urls[TRIO][80];
    struct share_figures figures;
};

/* ---- Making ---- */

static int make_folder(struct trio *trio, const char *dir, struct failure *failure)
{
    if (mkdir(dir, 0777) && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "cannot make %s", dir);
    snprintf(trio->dir, sizeof trio->dir, "%.400s/bench-XXXXXX", dir);
    if (mkdtemp(trio->dir))
        return 0;
    trio->dir[0] = 0;
    return fail_errno(failure, ERR_IO, "cannot make a folder in %s", dir);
}

/* As trio_found, but all have one directory. */
static int lay_out(struct trio *trio, const char *dir, struct failure *failure)
{
    *trio = (struct trio){.more = {"--shared"}};
    for (unsigned i = 0; i < TRIO; i++)
        trio->servers[i].process.output = -1;
    int err = make_folder(trio, dir, failure);
    for (unsigned i = 0; !err && i < TRIO; i++) {
        struct trio_server *server = &trio->servers[i];
        snprintf(server->dir, sizeof server->dir, "%.400s/shop", trio->dir);
        err = free_address("127.0.0.1", NULL, NULL, server->listen, sizeof server->listen, failure);
    }
    if (!err && mkdir(trio->servers[0].dir, 0700)) /* their logs are in it */
        err = fail_errno(failure, ERR_IO, "cannot make %s", trio->servers[0].dir);
    return err;
}

static int open_stand(struct stand *stand, bool shared, const char *dir, struct failure *failure)
{
    struct remote remote;
    stand->shared = shared;
    int err = (shared ? lay_out : trio_found)(&stand->trio, dir, failure);
    err = err ? err : trio_start_all(&stand->trio, READY_MS, failure);
    for (unsigned i = 0; i < TRIO; i++)
        snprintf(stand->urls[i], sizeof stand->urls[i], "http://%s", stand->trio.servers[i].listen);
    err = err ? err : remote_find(stand->trio.servers[0].dir, &remote, failure);
    if (!err)
        strcpy(stand->trio.token, remote.token);
    return err;
}

static int make_items(const struct stand *stand, const struct bench_items *items,
                      struct failure *failure)
{
    struct remote remote;
    int err = remote_find(stand->trio.servers[0].dir, &remote, failure);
    return err ? err : bench_items_make(&remote, items->names, items->count, UNITS, failure);
}

/* ---- What the system says of the processes ---- */

/* The number after KEY in /proc/PID/FILE; 0: there is none. */
static uint64_t look_up(pid_t pid, const char *file, const char *key)
{
    char path[64], line[256];
    unsigned long long number = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in))
        if (strncmp(line, key, strlen(key)) == 0)
            number = strtoull(line + strlen(key), NULL, 10);
    if (in)
        fclose(in);
    return number;
}

static uint64_t sum_up(const struct stand *stand, const char *file, const char *key)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < TRIO; i++)
        sum += look_up(stand->trio.servers[i].process.pid, file, key);
    return sum;
}

/* ---- Load ---- */

static int load(const struct stand *stand, const struct bench_flags *flags,
                const struct script *script, const void *context, double *per_second,
                uint64_t *operations, struct failure *failure)
{
    struct load_config config = {
        .url = stand->urls[0],
        .also = {stand->urls[1], stand->urls[2]},
        .also_count = TRIO - 1,
        .script = script,
        .script_context = context,
        .connections = (unsigned)flags->connections,
        .streams = 1,
        .threads = (unsigned)flags->threads,
        .seconds = (double)flags->duration_ms / 1000,
        .warm_up_seconds = (double)flags->warm_up_ms / 1000,
        .seed = flags->seed,
    };
    struct bench_report *report = calloc(1, sizeof *report);
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    histogram_clear(&report->latency);
    report->name = script->name;
    int err = load_run(&config, report, failure);
    if (!err && (report->operations == 0 || report->failed))
        err =
            fail(failure, ERR_STATE, "%s: %llu operations failed, and %llu succeeded", script->name,
                 (unsigned long long)report->failed, (unsigned long long)report->operations);
    *operations = report->operations;
    *per_second = err ? 0 : (double)report->operations / report->seconds;
    free(report);
    return err;
}

/* The three loads, each at both stands right after each other. */
static int load_both(struct stand *stands, const struct bench_flags *flags,
                     const struct bench_items *items, struct failure *failure)
{
    struct http_script page = {"/product/harrow-mug", ""};
    struct shop_script shop = {.items = items->names, .item_count = items->count, .lines = 1};
    uint64_t count, written;
    int err = 0;
    for (unsigned i = 0; !err && i < 2; i++)
        err = load(&stands[i], flags, &script_http, &page, &stands[i].figures.reads_s, &count,
                   failure);
    for (unsigned i = 0; !err && i < 2; i++) {
        struct bench_flags without = *flags; /* what is written in it would count too */
        without.warm_up_ms = 0;
        written = sum_up(&stands[i], "io", "write_bytes:");
        err = load(&stands[i], &without, &script_cart, &shop, &stands[i].figures.carts_s, &count,
                   failure);
        written = sum_up(&stands[i], "io", "write_bytes:") - written;
        stands[i].figures.cart_bytes = count ? (double)written / (double)count : 0;
    }
    for (unsigned i = 0; !err && i < 2; i++)
        err = load(&stands[i], flags, &script_buy, &shop, &stands[i].figures.purchases_s, &count,
                   failure);
    for (unsigned i = 0; i < 2; i++)
        stands[i].figures.memory_mib = (double)sum_up(&stands[i], "smaps_rollup", "Pss:") / 1024;
    return err;
}

/* ---- Killing ---- */

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * (long)MS_NS}, NULL);
}

static int find_primary(const struct stand *stand, unsigned *primary, struct failure *failure)
{
    struct ask *operators[HEALTHY_SERVERS];
    int err = 0;
    for (unsigned i = 0; i < TRIO; i++) {
        operators[i] = ask_new(stand->urls[i], stand->trio.token);
        if (!operators[i])
            err = fail(failure, ERR_NOMEM, "out of memory");
    }
    err = err ? err : healthy_wait(operators, LAG, primary, failure);
    for (unsigned i = 0; i < TRIO; i++)
        ask_free(operators[i]);
    return err;
}

/* Who writes: the primary, or the process that has the lock. */
static int find_writer(const struct stand *stand, unsigned *writer, struct failure *failure)
{
    if (!stand->shared)
        return find_primary(stand, writer, failure);
    uint64_t pid = datadir_pid(stand->trio.servers[0].dir);
    for (*writer = 0; *writer < TRIO; ++*writer)
        if ((uint64_t)stand->trio.servers[*writer].process.pid == pid)
            return 0;
    return fail(failure, ERR_STATE, "none of the processes writes");
}

/* As a shopper at one that is left sees it, whose first try is sent at once. */
static int wait_again(struct ask *shopper, uint64_t begin_ns, struct share_figures *figures,
                      struct failure *failure)
{
    static const char body[] =
        "{\"line_items\":[{\"item\":{\"id\":\"harrow-mug\"},\"quantity\":1}]}";
    int status = ask_for(shopper, "/carts", body);
    while (status != 200 && status != 201) {
        figures->refused++;
        if (clock_mono_ns() - begin_ns > AGAIN_MS * MS_NS)
            return fail(failure, ERR_TIMEOUT, "nothing could be changed for %d s after a kill",
                        AGAIN_MS / 1000);
        pause_ms(1);
        status = ask_again(shopper);
    }
    figures->again_ms[figures->rounds++] = (double)(clock_mono_ns() - begin_ns) / 1e6;
    return 0;
}

static int kill_once(struct stand *stand, struct failure *failure)
{
    unsigned writer = 0;
    int err = find_writer(stand, &writer, failure);
    if (err)
        return err;
    unsigned other = (writer + 1 + stand->figures.rounds % (TRIO - 1)) % TRIO;
    struct ask *shopper = ask_new(stand->urls[other], NULL);
    if (!shopper)
        return fail(failure, ERR_NOMEM, "out of memory");
    pause_ms(QUIET_MS);
    ask_for(shopper, "/livez", NULL); /* it is connected */
    uint64_t begin_ns = clock_mono_ns();
    trio_kill(&stand->trio, writer);
    err = wait_again(shopper, begin_ns, &stand->figures, failure);
    ask_free(shopper);
    err = err ? err : trio_start(&stand->trio, writer, failure);
    return err ? err : trio_wait_ready(&stand->trio, writer, READY_MS, failure);
}

/* ---- The whole ---- */

static int run(struct stand *stands, const struct bench_flags *flags, struct failure *failure)
{
    struct bench_items items = {0};
    uint64_t rounds = flags->rounds < SHARE_ROUNDS_MAX ? flags->rounds : SHARE_ROUNDS_MAX;
    int err = bench_items_name(&items, (unsigned)flags->items, failure);
    for (unsigned i = 0; !err && i < 2; i++)
        err = open_stand(&stands[i], i == 1, flags->dir, failure);
    for (unsigned i = 0; !err && i < 2; i++)
        err = make_items(&stands[i], &items, failure);
    err = err ? err : load_both(stands, flags, &items, failure);
    for (uint64_t round = 0; !err && round < rounds; round++)
        for (unsigned i = 0; !err && i < 2; i++)
            err = kill_once(&stands[i], failure);
    bench_items_close(&items);
    return err;
}

int bench_share(const struct bench_flags *flags, struct failure *failure)
{
    struct stand *stands = calloc(2, sizeof *stands);
    if (!stands)
        return fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < 2 * TRIO; i++)
        stands[i / TRIO].trio.servers[i % TRIO].process.output = -1;
    int err = run(stands, flags, failure);
    for (unsigned i = 0; i < 2; i++)
        trio_remove(&stands[i].trio);
    if (!err)
        (flags->json ? share_json : share_print)(&stands[0].figures, &stands[1].figures, stdout);
    free(stands);
    return err;
}

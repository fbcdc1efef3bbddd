#include "base/check.h"
#include "base/clock.h"
#include "bench/apply_load.h"
#include "bench/load.h"
#include "bench/repair.h"
#include "main/bench.h"
#include "main/bench_pair.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The log's commands are changes of carts. */
enum {
    ITEMS = 1000,
    ITEM_NAME = 16,
    SHOPPERS = 64,
    PURCHASE_BYTES = 1700, /* what one adds to the database, in two commands: measured */
    LEAST_COMMANDS = 1000,
    SETTLED_MS = 60000,
    IDLE_MAX_S = 10,
    LOOK_MS = 5,
};

/* Of one stretch of load. */
static const double LEAST_S = 0.1, MOST_S = 10;

struct run {
    const struct bench_flags *flags;
    struct pair pair;
    struct repair_report report;
    enum repair_kind kind; /* what the second server is now */
    char texts[ITEMS][ITEM_NAME];
    const char *items[ITEMS];
    uint64_t database_bytes; /* wanted */
    uint64_t seed;           /* of the next load */
    struct failure *failure;
};

/* ---- Its database ---- */

static int make_database(void *context, const char *database, struct failure *failure)
{
    struct run *run = context;
    struct apply_load_result result;
    struct apply_load load = {
        .file = database,
        .work = APPLY_BUY,
        .commands = 2 * run->database_bytes / PURCHASE_BYTES,
        .items = ITEMS,
        .entry = 64,
        .group = 64,
        .seed = run->flags->seed,
        .no_yardstick = true,
    };
    if (load.commands < LEAST_COMMANDS)
        load.commands = LEAST_COMMANDS;
    return apply_load_run(&load, &result, failure);
}

static uint64_t size_of(const char *dir)
{
    char path[FILE_PATH];
    struct stat about;
    return file_join(path, dir, "shop.db", NULL) || stat(path, &about) ? 0
                                                                       : (uint64_t)about.st_size;
}

/* ---- Before a round ---- */

/* What server 1 is to see of the second one. */
struct wanted {
    const char *ready; /* NULL: whatever */
    bool up, whole;    /* whole: it lacks nothing */
};

static bool is_as(const struct pair_view *view, const struct wanted *wanted)
{
    return view->primary == PAIR_FIRST + 1 && view->voters == PAIR &&
           (!wanted->ready || strcmp(view->servers[PAIR_SECOND].ready, wanted->ready) == 0) &&
           (!wanted->up || view->servers[PAIR_SECOND].up) &&
           (!wanted->whole || view->servers[PAIR_SECOND].lag_entries == 0);
}

static int wait_for(struct run *run, struct wanted wanted, struct failure *failure)
{
    uint64_t end = clock_mono_ns() + SETTLED_MS * MS_NS;
    struct pair_view view;
    do {
        if (pair_look(&run->pair, PAIR_FIRST, &view) && is_as(&view, &wanted))
            return 0;
        nanosleep(&(struct timespec){0, LOOK_MS * (long)MS_NS}, NULL);
    } while (clock_mono_ns() < end);
    return fail(failure, ERR_TIMEOUT,
                "server 1 primary with three voters, server 2 %s%s, was not seen within %d s",
                wanted.ready ? wanted.ready : "up", wanted.whole ? " and caught up" : "",
                SETTLED_MS / 1000);
}

/* Server 1 runs and is primary. */
static int lead(struct run *run, struct failure *failure)
{
    struct pair *pair = &run->pair;
    bool starts = pair->members[PAIR_FIRST].process.pid == 0;
    int err = pair_start(pair, PAIR_FIRST, failure);
    if (!err && starts)
        err = pair_wait_ready(pair, PAIR_FIRST, failure);
    return err ? err : pair_lead_by_first(pair, failure);
}

/* The second server becomes KIND, while it runs and has a vote. */
static int make_ready(struct run *run, enum repair_kind kind, struct failure *failure)
{
    char body[96];
    /* So seldom that it does not happen meanwhile. */
    snprintf(body, sizeof body, "{\"id\":2,\"ready\":\"%s\"%s}", repair_names[kind],
             kind == REPAIR_HOT ? "" : ",\"every_ms\":86400000");
    int err = pair_start(&run->pair, PAIR_SECOND, failure);
    err = err ? err : wait_for(run, (struct wanted){.up = true}, failure);
    err = err ? err : pair_post(&run->pair, "/api/v1/cluster/ready", body, failure);
    return err ? err : wait_for(run, (struct wanted){.ready = repair_names[kind]}, failure);
}

/* Also the witness begins anew: it would wait before it wakes the same server again so soon. */
static int put_to_sleep(struct run *run, struct failure *failure)
{
    struct pair *pair = &run->pair;
    int err = pair_stop(pair, PAIR_SECOND, failure);
    err = err ? err : pair_stop(pair, PAIR_WITNESS, failure);
    err = err ? err : pair_start(pair, PAIR_WITNESS, failure);
    err = err ? err : pair_wait_ready(pair, PAIR_WITNESS, failure);
    return err ? err : wait_for(run, (struct wanted){.ready = repair_names[REPAIR_COLD]}, failure);
}

/* Server 1 is primary and the second one what KIND says; a cold one has ended. */
static int settle(struct run *run, enum repair_kind kind, struct failure *failure)
{
    int err = lead(run, failure);
    if (!err && run->kind != kind) {
        err = make_ready(run, kind, failure);
        run->kind = kind;
    }
    if (err || kind == REPAIR_COLD)
        return err ? err : put_to_sleep(run, failure);
    struct wanted wanted = {.ready = repair_names[kind], .up = true, .whole = kind == REPAIR_HOT};
    err = pair_start(&run->pair, PAIR_SECOND, failure);
    return err ? err : wait_for(run, wanted, failure);
}

/* Changes carts at the first server for about SECONDS; adds to *DONE how many were. */
static int change_carts(struct run *run, double seconds, uint64_t *done, struct failure *failure)
{
    struct shop_script shop = {
        .items = run->items, .item_count = ITEMS, .lines = 1, .no_key = run->flags->no_key};
    struct load_config config = {
        .url = run->pair.members[PAIR_FIRST].url,
        .script = &script_cart,
        .script_context = &shop,
        .connections = SHOPPERS,
        .streams = 1,
        .threads = 1,
        .seconds = seconds,
        .seed = run->seed++,
    };
    struct bench_report *report = calloc(1, sizeof *report);
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    histogram_clear(&report->latency);
    int err = load_run(&config, report, failure);
    *done += report->operations;
    free(report);
    return err;
}

/* COMMANDS changes, or a few more: in stretches, each as long as the rate until then says. */
static int fill_log(struct run *run, uint64_t commands, uint64_t *done, struct failure *failure)
{
    double spent = 0, next = LEAST_S;
    int err = 0;
    *done = 0;
    while (!err && *done < commands) {
        if (!*done && spent > IDLE_MAX_S)
            return fail(failure, ERR_TIMEOUT, "no cart could be changed for %d s", IDLE_MAX_S);
        err = change_carts(run, next, done, failure);
        spent += next;
        if (!err && *done && *done < commands)
            next = spent / (double)*done * (double)(commands - *done);
        next = next < LEAST_S ? LEAST_S : next < MOST_S ? next : MOST_S;
    }
    return err;
}

/* Of the DONE commands that came since BEFORE those that a warm server has not applied: their part
 * of the entries. */
static int count_lacking(struct run *run, const struct pair_view *before, uint64_t done,
                         uint64_t *lacks, struct failure *failure)
{
    struct pair_view now;
    if (!pair_look(&run->pair, PAIR_FIRST, &now))
        return fail(failure, ERR_STATE, "server 1 does not answer");
    uint64_t entries = now.servers[PAIR_FIRST].index - before->servers[PAIR_FIRST].index;
    uint64_t lag = now.servers[PAIR_SECOND].lag_entries;
    *lacks = entries == 0 ? 0 : lag >= entries ? done : done * lag / entries;
    return 0;
}

/* What is acknowledged now is with those who are left: a majority has their votes in its log. */
static int check_selling(struct run *run, struct failure *failure)
{
    char body[SELLING_BODY];
    struct selling selling = {.shopper = run->pair.operators[PAIR_FIRST], .body = body};
    selling_body(run->items[0], body);
    return selling_now(&selling) ? 0
                                 : fail(failure, ERR_STATE, "server 1 takes no change: %.*s",
                                        STR_FMT(str_sub(ask_text(selling.shopper), 0, 200)));
}

static int prepare(void *context, const struct repair_point *point, uint64_t *lacks,
                   struct failure *failure)
{
    struct run *run = context;
    struct pair_view before;
    uint64_t done = 0;
    int err = settle(run, point->kind, failure);
    if (!err && !pair_look(&run->pair, PAIR_FIRST, &before))
        err = fail(failure, ERR_STATE, "server 1 does not answer");
    err = err ? err : fill_log(run, point->commands, &done, failure);
    err = err ? err : check_selling(run, failure);
    *lacks = point->kind == REPAIR_HOT ? 0 : done;
    if (!err && point->kind == REPAIR_WARM)
        err = count_lacking(run, &before, done, lacks, failure);
    pair_forget_wakes(&run->pair);
    return err;
}

static int kill_primary(void *context, struct failure *failure)
{
    struct run *run = context;
    (void)failure;
    pair_kill(&run->pair, PAIR_FIRST);
    return 0;
}

/* What fails here shows when nothing sells. */
static void heed_wakes(void *context)
{
    struct run *run = context;
    (void)pair_heed_wakes(&run->pair, NULL);
}

/* ---- The points ---- */

static int measure(struct run *run, struct repair_point point)
{
    const struct bench_flags *flags = run->flags;
    struct repair_shop shop = {
        .context = run,
        .shopper = ask_new(run->pair.members[PAIR_SECOND].url, NULL),
        .item = run->items[0],
        .prepare = prepare,
        .kill = kill_primary,
        .meanwhile = heed_wakes,
    };
    bool wanted =
        strcmp(flags->kind, "all") == 0 || strcmp(flags->kind, repair_names[point.kind]) == 0;
    if (!wanted || run->report.count == REPAIR_POINTS) {
        ask_free(shop.shopper);
        return 0;
    }
    point.database_bytes = size_of(run->pair.members[PAIR_SECOND].dir);
    int err = shop.shopper ? repair_measure(&shop, &point, run->failure)
                           : fail(run->failure, ERR_NOMEM, "out of memory");
    ask_free(shop.shopper);
    if (err)
        return err;
    run->report.points[run->report.count++] = point;
    if (!flags->json) {
        repair_print_point(&point, stdout);
        fflush(stdout);
    }
    return 0;
}

/* All kinds on a shop of DATABASE_BYTES, whose log has up to COMMANDS that the backup lacks. */
static int measure_shop(struct run *run, uint64_t database_bytes, uint64_t commands)
{
    static const enum repair_kind logged[] = {REPAIR_WARM, REPAIR_COLD};
    unsigned rounds = (unsigned)run->flags->rounds < REPAIR_ROUNDS_MAX
                          ? (unsigned)run->flags->rounds
                          : REPAIR_ROUNDS_MAX;
    run->database_bytes = database_bytes;
    run->kind = REPAIR_HOT;
    int err = pair_begin(&run->pair, run->flags->dir, make_database, run, run->failure);
    if (err)
        return err;
    err = measure(run, (struct repair_point){.kind = REPAIR_HOT, .rounds = rounds});
    for (unsigned i = 0; i < COUNT_OF(logged); i++) {
        struct repair_point point = {.kind = logged[i], .rounds = rounds};
        err = err ? err : measure(run, point);
        for (uint64_t share = 10; share >= 1; share /= 10) {
            if (commands / share < LEAST_COMMANDS)
                continue;
            point.commands = commands / share;
            point.rounds = share == 1 ? (rounds + 1) / 2 : rounds; /* to fill the log takes long */
            err = err ? err : measure(run, point);
        }
    }
    pair_end(&run->pair);
    return err;
}

static int measure_all(struct run *run)
{
    const struct bench_flags *flags = run->flags;
    for (unsigned i = 0; i < ITEMS; i++) {
        snprintf(run->texts[i], ITEM_NAME, "bench-%06u", i);
        run->items[i] = run->texts[i];
    }
    if (!flags->json)
        repair_print_head(stdout);
    int err = measure_shop(run, 0, flags->backlog);
    if (!err && flags->database)
        err = measure_shop(run, flags->database, 0);
    if (!err && flags->json)
        repair_print_json(&run->report, stdout);
    if (!err && flags->picture[0])
        err = repair_picture(&run->report, flags->picture, run->failure);
    return err;
}

int bench_repair(const struct bench_flags *flags, struct failure *failure)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return fail(failure, ERR_NOMEM, "out of memory");
    run->flags = flags;
    run->failure = failure;
    run->seed = flags->seed;
    run->pair.wakes = -1;
    int err = measure_all(run);
    free(run);
    return err;
}

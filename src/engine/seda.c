#include "engine/seda.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "engine/control_batch.h"
#include "engine/offload.h"
#include "engine/residency.h"
#include "engine/rota.h"
#include "engine/stage.h"

#include <stdlib.h>

enum {
    THREADS = 20,     /* of a stage, at most, where config.workers says nothing */
    READERS = 4,      /* of the disk, at least: they wait more than they work */
    ROUNDS = 4,       /* of what is given back while it is delivered */
    PIECES = 1 << 16, /* of files, that may wait for the disk besides one for each connection */
};

struct seda_engine {
    struct engine base;
    struct seats *seats;
    struct rota *rota;
    struct stage *parse, *handle, *work, *disk, *write;
    /* Who has the controllers take their turns. */
    pthread_t governor;
    bool governed;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool ends; /* under the lock */
};

/* Connections on their way from a batch to the next stage, together. */
struct onward {
    void *items[CONTROL_BATCH_MOST];
    unsigned count;
};

static struct seda_engine *seda_of(const struct engine *engine)
{
    return (struct seda_engine *)CONTAINER_OF(engine, struct seda_engine, base);
}

/* ---- From stage to stage ---- */

static void add(struct onward *onward, struct rota_conn *c)
{
    rota_lay_down(c);
    onward->items[onward->count++] = c;
}

/* There is room for all connections that there may be, closed ones among them (rota.h). */
static void send_on(struct stage *stage, const struct onward *onward)
{
    if (onward->count > 0)
        CHECK(stage_put(stage, onward->items, onward->count));
}

/* The turn ends here. What is complete and was not handled is handled first: whoever is about to go
 * may not leave it behind. */
static void end_turn(struct rota_conn *c, bool goes_on)
{
    dispatcher_handle(&c->dispatcher);
    rota_end(c, goes_on);
}

/* What has left makes room, in which pipelined requests may have become complete. */
static void send_here(struct rota_conn *c, struct onward *to_handle)
{
    bool goes_on = connection_send(&c->connection, c->dispatcher.now_ns);
    if (goes_on && dispatcher_has_complete(&c->dispatcher))
        add(to_handle, c);
    else
        end_turn(c, goes_on);
}

/* ---- parse ---- */

static void ready(void *context, struct rota_conn *first, unsigned count)
{
    struct seda_engine *engine = context;
    (void)count;
    while (first) {
        void *items[CONTROL_BATCH_MOST];
        unsigned taken = 0;
        for (; first && taken < CONTROL_BATCH_MOST; first = first->next)
            items[taken++] = first;
        CHECK(stage_put(engine->parse, items, taken));
    }
}

/* Whether something of C is for the app. */
static bool concerns_app(const struct rota_conn *c)
{
    return dispatcher_has_complete(&c->dispatcher) || dispatcher_has_resumed(&c->dispatcher);
}

static void parse_one(struct seda_engine *engine, struct seat *seat, struct rota_conn *c,
                      struct onward *to_handle, struct onward *to_write)
{
    struct connection *connection = &c->connection;
    uint64_t ready_ns = c->ready_ns;
    bool begins = rota_begin(c, &seat->buffers, seat->thread_state, &engine->base.counters);
    uint64_t now_ns = c->dispatcher.now_ns;
    c->dispatcher.waited_ns = now_ns > ready_ns ? now_ns - ready_ns : 0;
    if (!begins || (!c->closed && !rota_heed(c))) {
        end_turn(c, false);
        return;
    }
    if (!c->closed)
        connection_receive(connection, now_ns);
    if (c->closed || concerns_app(c))
        add(to_handle, c);
    else if (connection->sending && !connection->broken)
        add(to_write, c);
    else
        send_here(c, to_handle);
}

static void parse(void *context, struct seat *seat, void **items, unsigned count)
{
    struct seda_engine *engine = context;
    struct onward to_handle = {.count = 0}, to_write = {.count = 0};
    for (unsigned i = 0; i < count; i++)
        parse_one(engine, seat, items[i], &to_handle, &to_write);
    send_on(engine->handle, &to_handle);
    send_on(engine->write, &to_write);
}

/* ---- handle ---- */

/* Steps give back while they run, and answers make more requests complete. */
static bool handle_all(struct rota_conn *c)
{
    bool is_open = rota_deliver(c);
    dispatcher_handle(&c->dispatcher);
    for (int round = 1; round < ROUNDS && dispatcher_has_resumed(&c->dispatcher); round++) {
        rota_deliver(c);
        dispatcher_handle(&c->dispatcher);
    }
    return is_open;
}

static void handle(void *context, struct seat *seat, void **items, unsigned count)
{
    struct seda_engine *engine = context;
    struct onward to_write = {.count = 0};
    for (unsigned i = 0; i < count; i++) {
        struct rota_conn *c = items[i];
        rota_take_up(c, &seat->buffers, seat->thread_state);
        if (handle_all(c))
            add(&to_write, c);
        else
            end_turn(c, false);
    }
    send_on(engine->write, &to_write);
}

/* ---- write ---- */

static void write_all(void *context, struct seat *seat, void **items, unsigned count)
{
    struct seda_engine *engine = context;
    struct onward to_handle = {.count = 0};
    for (unsigned i = 0; i < count; i++) {
        struct rota_conn *c = items[i];
        rota_take_up(c, &seat->buffers, seat->thread_state);
        send_here(c, &to_handle);
    }
    send_on(engine->handle, &to_handle);
}

/* ---- work ---- */

static bool work(struct dispatcher *d, struct exchange *x)
{
    void *item = x;
    return stage_put(seda_of(d->engine)->work, &item, 1);
}

/* At the end of a stop's grace what waits is given back as it is. */
static void work_one(void *context, struct seat *seat, void **items, unsigned count)
{
    struct seda_engine *engine = context;
    bool abandoned = engine_cuts_off(&engine->base, clock_mono_ns());
    for (unsigned i = 0; i < count; i++)
        offload_run(engine->base.app, items[i], seat->thread_state, abandoned);
}

/* ---- disk ---- */

/* Without room the writer reads for itself. */
static void fetch(struct dispatcher *d, struct exchange *x)
{
    void *item = x;
    if (!stage_put(seda_of(d->engine)->disk, &item, 1))
        exchange_wake(x);
}

static void read_all(void *context, struct seat *seat, void **items, unsigned count)
{
    struct seda_engine *engine = context;
    (void)seat;
    for (unsigned i = 0; i < count; i++) {
        if (!engine_cuts_off(&engine->base, clock_mono_ns()))
            residency_read(items[i], NULL);
        exchange_wake(items[i]);
    }
}

/* ---- The governor ---- */

static void *govern(void *argument)
{
    struct seda_engine *engine = argument;
    pthread_mutex_lock(&engine->lock);
    uint64_t next_ns = clock_mono_ns() + STAGE_CONTROL_NS;
    while (!engine->ends) {
        if (cond_wait_until(&engine->over, &engine->lock, next_ns))
            continue;
        next_ns = clock_mono_ns() + STAGE_CONTROL_NS;
        stage_control(engine->parse, clock_mono_ns());
        stage_control(engine->handle, clock_mono_ns());
        stage_control(engine->work, clock_mono_ns());
        stage_control(engine->disk, clock_mono_ns());
        stage_control(engine->write, clock_mono_ns());
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* ---- The seam ---- */

static void seda_free(struct seda_engine *engine)
{
    if (engine->governed) {
        pthread_mutex_lock(&engine->lock);
        engine->ends = true;
        pthread_cond_signal(&engine->over);
        pthread_mutex_unlock(&engine->lock);
        pthread_join(engine->governor, NULL);
    }
    struct stage *stages[] = {engine->parse, engine->handle, engine->work, engine->disk,
                              engine->write};
    for (unsigned i = 0; i < COUNT_OF(stages); i++)
        stage_end(stages[i]);
    for (unsigned i = 0; i < COUNT_OF(stages); i++)
        stage_free(stages[i]);
    rota_free(engine->rota);
    seats_free(engine->seats);
    engine_close(&engine->base);
    pthread_cond_destroy(&engine->over);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static int make_stages(struct seda_engine *engine, unsigned most, struct failure *failure)
{
    const struct engine_config *config = &engine->base.config;
    unsigned all = config->connections_max;
    const struct {
        struct stage **stage;
        const char *name, *thread;
        void (*handle)(void *, struct seat *, void **, unsigned);
        unsigned least, queue_max;
        bool singly, runs_app;
    } rows[] = {
        {&engine->parse, "parse", "stoa-parse", parse, 1, all, false, true},
        {&engine->handle, "handle", "stoa-handle", handle, 1, all, false, true},
        {&engine->write, "write", "stoa-write", write_all, 1, all, false, true},
        {&engine->disk, "disk", "stoa-disk", read_all, READERS, all + PIECES, true, false},
        {&engine->work, "work", "stoa-work", work_one, config->helpers, config->helper_queue, true,
         true},
    };
    int err = 0;
    for (unsigned i = 0; !err && i < COUNT_OF(rows); i++)
        err = stage_new(
            &(struct stage_config){
                .name = rows[i].name,
                .thread = rows[i].thread,
                .queue_max = rows[i].queue_max,
                .least = rows[i].least < most ? rows[i].least : most,
                .most = most,
                .singly = rows[i].singly,
                .handle = rows[i].handle,
                .context = engine,
                .seats = rows[i].runs_app ? engine->seats : NULL,
                .log = config->log,
            },
            rows[i].stage, failure);
    return err;
}

static int prepare(struct seda_engine *engine, struct failure *failure)
{
    static const struct dispatcher_kind kind = {
        .work = work, .fetch = fetch, .admission = true, .defers = true};
    const struct engine_config *config = &engine->base.config;
    unsigned most = config->workers > 0 ? config->workers : THREADS;
    int err = seats_new(engine->base.app, 4 * most, &engine->seats, failure);
    err = err ? err : make_stages(engine, most, failure);
    if (err)
        return err;
    engine->governed = thread_start(&engine->governor, "stoa-govern", govern, engine) == 0;
    if (!engine->governed)
        return fail(failure, ERR_IO, "cannot start a thread");
    return rota_new(&(struct rota_config){&engine->base, &kind, ready, engine}, &engine->rota,
                    failure);
}

static int start(const struct engine_config *config, struct app *app, struct engine **out,
                 struct failure *failure)
{
    struct seda_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    pthread_mutex_init(&engine->lock, NULL);
    cond_init(&engine->over);
    int err = engine_open(&engine->base, config, app, 1, failure);
    *out = &engine->base; /* before the first request, in which the app may want it */
    err = err ? err : prepare(engine, failure);
    if (err) {
        *out = NULL;
        seda_free(engine);
    }
    return err;
}

static void stats(const struct engine *base, struct engine_stats *stats)
{
    const struct seda_engine *engine = seda_of(base);
    engine_stats(base, stats);
    stats->stages[0] =
        (struct engine_stage){.name = "accept", .done = stats->accepted, .threads = 1, .batch = 1};
    stage_look(engine->parse, &stats->stages[1]);
    stage_look(engine->handle, &stats->stages[2]);
    stage_look(engine->work, &stats->stages[3]);
    stage_look(engine->disk, &stats->stages[4]);
    stage_look(engine->write, &stats->stages[5]);
    stats->stage_count = ENGINE_STAGES;
    stats->helper_waiting = stats->stages[3].queued;
    stats->disk_waiting = stats->stages[4].queued;
    stats->disk_reads = stats->stages[4].done;
}

static bool stop(struct engine *base)
{
    struct seda_engine *engine = seda_of(base);
    engine_begin_stop(base);
    uint64_t held = rota_stop(engine->rota);
    if (engine_leaves_behind(base, held))
        return false;
    seda_free(engine);
    return true;
}

const struct engine_kind engine_seda = {
    .name = "seda",
    .about = "stages with queues, threads and controllers of their own",
    .start = start,
    .port = engine_port,
    .stats = stats,
    .stop = stop,
};

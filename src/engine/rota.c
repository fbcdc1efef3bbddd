#include "engine/rota.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "engine/doors.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BATCH = 256,    /* events taken at a time */
    ACCEPTS = 64,   /* taken in at a time, at each door */
    QUEUED = 4096,  /* the most that a kernel keeps for a door: for the stop */
    ROUNDS = 4,     /* of what a turn itself gives back */
    BELL = 0,       /* epoll's data: the bell, 1 + index of a door, or a connection */
    LONGEST = 60000 /* ms, of a wait */
};

/* When there is no room for connections: look again after this. */
#define RETRY_NS (50 * MS_NS)

/* Connections on their way to config.ready. */
struct found {
    struct rota_conn *first, *last;
    unsigned count;
};

struct rota {
    struct rota_config config;
    struct dispatcher_kind kind;
    struct doors doors;
    int epoll_fd, bell_fd;
    pthread_t thread;
    bool started;
    /* The rota's thread: */
    uint64_t doors_retry_ns; /* 0: they are watched */
    uint64_t stage_until_ns; /* of a stop; 0: it has not been seen */
    enum stopping_stage stage;

    pthread_mutex_t lock;
    /* Under the lock: */
    struct timer_heap timers;
    struct list conns; /* all but those GONE */
    unsigned count;    /* of them */
    unsigned kept;     /* of them: closed, and WATCHED for the app's sake */
    unsigned cut_off;
    struct rota_conn *gone;   /* linked by next */
    uint64_t sleeps_until_ns; /* 0: its thread is awake */
    struct found due;         /* by their timers */
};

static void ring(struct rota *rota)
{
    eventfd_write(rota->bell_fd, 1);
}

static void found_add(struct found *found, struct rota_conn *c)
{
    if (found->last)
        found->last->next = c;
    else
        found->first = c;
    found->last = c;
    found->count++;
}

/* Not under the lock. */
static void hand_out(struct rota *rota, const struct found *found)
{
    if (found->count > 0)
        rota->config.ready(rota->config.context, found->first, found->count);
}

/* ---- Places, under the lock ---- */

static void make_ready(struct rota_conn *c, uint64_t now_ns)
{
    c->place = ROTA_READY;
    c->ready_ns = now_ns;
    c->next = NULL;
}

/* C is WATCHED no more. */
static void find(struct rota_conn *c, struct found *found, uint64_t now_ns)
{
    c->rota->kept -= c->closed;
    make_ready(c, now_ns);
    found_add(found, c);
}

static void note_events(struct rota_conn *c, uint32_t events, struct found *found, uint64_t now_ns)
{
    if (c->place == ROTA_GONE)
        return;
    c->events |= events;
    if (c->place == ROTA_WATCHED && !c->closed)
        find(c, found, now_ns);
}

/* One that is READY or RUNNING will have its deadline looked at anyway, and the timer set again. */
static void timer_fired(struct timer *timer, uint64_t now_ns)
{
    struct rota_conn *c = CONTAINER_OF(timer, struct rota_conn, timer);
    if (c->place == ROTA_WATCHED)
        find(c, &c->rota->due, now_ns);
}

/* The turn is over, C not: whether there is something for another one already. */
static bool has_more(struct rota_conn *c)
{
    if (dispatcher_has_resumed(&c->dispatcher))
        return true;
    return !c->closed && (c->connection.again || c->events || c->rung);
}

/* It will be told when its deadline comes. Without memory for that it is not kept. */
static void set_timer(struct rota_conn *c)
{
    struct rota *rota = c->rota;
    uint64_t due_ns = connection_deadline(&c->connection);
    if (timer_put_off(&rota->timers, &c->timer, due_ns)) {
        c->connection.broken = c->connection.again = true;
        return;
    }
    if (due_ns < rota->sleeps_until_ns) {
        rota->sleeps_until_ns = 0;
        ring(rota);
    }
}

/* Where C goes after its turn. */
static enum rota_place settle(struct rota_conn *c)
{
    struct rota *rota = c->rota;
    if (c->closed)
        timer_stop(&rota->timers, &c->timer);
    else
        set_timer(c);
    if (has_more(c)) {
        make_ready(c, clock_mono_ns());
        return ROTA_READY;
    }
    c->place = ROTA_WATCHED;
    if (!c->closed)
        return c->place;
    if (dispatcher_held(&c->dispatcher) > 0) {
        rota->kept++;
    } else {
        c->place = ROTA_GONE;
        list_remove(&c->node);
        rota->count--;
        c->next = rota->gone;
        rota->gone = c;
    }
    if (engine_is_stopping(rota->config.engine))
        ring(rota);
    return c->place;
}

/* ---- A taker's turn ---- */

/* While it is RUNNING; an event that comes before it is WATCHED again is noted. False: it cannot
 * be waited for. */
static bool watch(struct rota_conn *c, int operation)
{
    struct epoll_event event = {.events = connection_wants(&c->connection) | EPOLLONESHOT,
                                .data.ptr = c};
    return c->connection.again ||
           epoll_ctl(c->rota->epoll_fd, operation, c->connection.fd, &event) == 0;
}

/* An event that has been fetched already may still name C: it is freed by the rota's thread. */
static void close_socket(struct rota_conn *c)
{
    epoll_ctl(c->rota->epoll_fd, EPOLL_CTL_DEL, c->connection.fd, NULL);
    connection_close(&c->connection);
    c->closed = true;
}

/* What a host keeps for reuse is the thread's: rested connections are many. */
static void lend(struct rota_conn *c, struct connection_buffers *buffers)
{
    http_host_close(&c->dispatcher.host); /* what it needed before its first turn */
    c->dispatcher.host.spare = buffers->spare;
    c->connection.buffers = buffers;
    buffers->spare = NULL;
}

static void take_back(struct rota_conn *c)
{
    struct connection_buffers *buffers = c->connection.buffers;
    if (buffers->spare) { /* the turn has passed from one thread to another */
        http_host_close(&c->dispatcher.host);
        return;
    }
    buffers->spare = c->dispatcher.host.spare;
    c->dispatcher.host.spare = NULL;
}

bool rota_begin(struct rota_conn *c, struct connection_buffers *buffers, void *thread_state,
                struct engine_counters *counters)
{
    struct rota *rota = c->rota;
    uint64_t now_ns = clock_mono_ns();
    bool cut_off = !c->closed && engine_cuts_off(rota->config.engine, now_ns);
    pthread_mutex_lock(&rota->lock);
    CHECK(c->place == ROTA_READY);
    c->place = ROTA_RUNNING;
    uint32_t events = c->events;
    c->events = 0;
    c->rung = false;
    rota->cut_off += cut_off;
    pthread_mutex_unlock(&rota->lock);
    lend(c, buffers);
    c->connection.reset |= cut_off;
    c->dispatcher.thread_state = thread_state;
    c->dispatcher.counters = counters;
    c->dispatcher.now_ns = now_ns;
    return c->closed || (!cut_off && connection_ready(&c->connection, events));
}

void rota_lay_down(struct rota_conn *c)
{
    take_back(c);
}

void rota_take_up(struct rota_conn *c, struct connection_buffers *buffers, void *thread_state)
{
    lend(c, buffers);
    c->dispatcher.thread_state = thread_state;
    c->dispatcher.now_ns = clock_mono_ns();
}

bool rota_deliver(struct rota_conn *c)
{
    dispatcher_deliver(&c->dispatcher);
    return !c->closed;
}

bool rota_heed(struct rota_conn *c)
{
    const struct engine *engine = c->rota->config.engine;
    uint64_t until_ns, now_ns = c->dispatcher.now_ns;
    if (!c->drained && engine_is_stopping(engine) &&
        stopping_drains(&engine->stopping, stopping_stage(&engine->stopping, now_ns, &until_ns),
                        c->connection.heard_ns)) {
        c->drained = true;
        if (!connection_drain(&c->connection, now_ns))
            return false;
    }
    return connection_expire(&c->connection, now_ns);
}

bool rota_turn(struct rota_conn *c)
{
    bool goes_on = rota_deliver(c) && rota_heed(c);
    for (int round = 0; goes_on; round++) {
        goes_on = connection_turn(&c->connection, c->dispatcher.now_ns);
        if (!goes_on || round == ROUNDS || !dispatcher_has_resumed(&c->dispatcher))
            break;
        dispatcher_deliver(&c->dispatcher);
    }
    return goes_on;
}

static void leave(struct rota_conn *c)
{
    struct rota *rota = c->rota;
    pthread_mutex_lock(&rota->lock);
    CHECK(c->place == ROTA_RUNNING);
    enum rota_place place = settle(c);
    pthread_mutex_unlock(&rota->lock);
    if (place == ROTA_READY)
        hand_out(rota, &(struct found){c, c, 1});
}

void rota_end(struct rota_conn *c, bool goes_on)
{
    if (!c->closed && (!goes_on || !watch(c, EPOLL_CTL_MOD)))
        close_socket(c);
    take_back(c);
    leave(c);
}

/* ---- For the dispatcher ---- */

/* One that is RUNNING is looked at after its turn (has_more). What was given back may have been
 * delivered by now. */
static void wake(struct dispatcher *d)
{
    struct rota_conn *c = CONTAINER_OF(d, struct rota_conn, dispatcher);
    struct rota *rota = c->rota;
    struct found found = {0};
    pthread_mutex_lock(&rota->lock);
    if (c->place == ROTA_WATCHED && dispatcher_has_resumed(d))
        find(c, &found, clock_mono_ns());
    pthread_mutex_unlock(&rota->lock);
    hand_out(rota, &found);
}

/* In a turn, which looks again before it ends. */
static void touch(struct dispatcher *d, void *owner)
{
    struct connection *connection = owner;
    (void)d;
    connection->again = true;
}

/* ---- Accepting, on the rota's thread ---- */

/* Closes FD when it cannot be served. */
static void take_in(struct rota *rota, unsigned index, int fd, const struct endpoint *peer)
{
    struct engine *engine = rota->config.engine;
    struct rota_conn *c = malloc(sizeof *c);
    if (!c) {
        engine_count(&engine->counters.refused, 1);
        socket_reset_on_close(fd);
        close(fd);
        return;
    }
    *c = (struct rota_conn){.rota = rota, .place = ROTA_RUNNING, .timer.fire = timer_fired};
    dispatcher_init(&c->dispatcher, &rota->kind, engine, &engine->counters);
    bool good = connection_open(&c->connection, &c->dispatcher, NULL, &engine->config.listen[index],
                                fd, peer, clock_mono_ns()) &&
                watch(c, EPOLL_CTL_ADD);
    if (!good)
        close_socket(c);
    pthread_mutex_lock(&rota->lock);
    list_append(&rota->conns, &c->node);
    rota->count++;
    pthread_mutex_unlock(&rota->lock);
    leave(c);
}

/* Closed ones count, too: an engine's queues have room for no more. */
static bool has_room(struct rota *rota)
{
    pthread_mutex_lock(&rota->lock);
    bool room = rota->count < rota->config.engine->config.connections_max;
    pthread_mutex_unlock(&rota->lock);
    return room;
}

/* At most MOST of those that wait at door INDEX. False: there is no room. */
static bool accept_some(struct rota *rota, unsigned index, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        struct endpoint peer;
        int fd;
        if (!has_room(rota))
            return false;
        switch (doors_accept(&rota->doors, index, &fd, &peer)) {
        case DOORS_TAKEN:
            take_in(rota, index, fd, &peer);
            break;
        case DOORS_AGAIN:
            break;
        case DOORS_EMPTY:
            return true;
        case DOORS_FULL:
            return false;
        }
    }
    return true;
}

static void watch_doors(struct rota *rota, uint32_t events)
{
    for (unsigned i = 0; i < rota->config.engine->config.listen_count; i++) {
        struct epoll_event event = {.events = events, .data.u64 = 1 + i};
        epoll_ctl(rota->epoll_fd, EPOLL_CTL_MOD, doors_fd(&rota->doors, i), &event);
    }
}

/* Without room new connections wait in the kernel's queue. */
static void open_door(struct rota *rota, unsigned index, uint64_t now_ns)
{
    if (rota->doors_retry_ns > 0 || accept_some(rota, index, ACCEPTS))
        return;
    watch_doors(rota, 0);
    rota->doors_retry_ns = now_ns + RETRY_NS;
}

/* What had connected already is served. */
static void drain_doors(struct rota *rota)
{
    for (unsigned i = 0; i < rota->config.engine->config.listen_count; i++) {
        accept_some(rota, i, QUEUED);
        /* At once: what comes in between is lost with the queue. An heir may share the socket. */
        epoll_ctl(rota->epoll_fd, EPOLL_CTL_DEL, doors_fd(&rota->doors, i), NULL);
        doors_close_one(&rota->doors, i);
    }
    rota->doors_retry_ns = 0;
}

/* ---- The stop, on the rota's thread ---- */

/* All that are not closed look at the stage. */
static void call_all(struct rota *rota, uint64_t now_ns)
{
    struct found found = {0};
    pthread_mutex_lock(&rota->lock);
    LIST_EACH(&rota->conns, node)
    {
        struct rota_conn *c = CONTAINER_OF(node, struct rota_conn, node);
        c->rung = true;
        if (c->place == ROTA_WATCHED && !c->closed)
            find(c, &found, now_ns);
    }
    pthread_mutex_unlock(&rota->lock);
    hand_out(rota, &found);
}

static void go_on_stopping(struct rota *rota, uint64_t now_ns)
{
    const struct engine *engine = rota->config.engine;
    if (!engine_is_stopping(engine) || rota->stage_until_ns > now_ns)
        return;
    if (rota->stage_until_ns == 0)
        drain_doors(rota);
    rota->stage = stopping_stage(&engine->stopping, now_ns, &rota->stage_until_ns);
    call_all(rota, now_ns);
}

/* Whether nothing is left to be done: at the last only for what the app holds on to. */
static bool is_over(struct rota *rota)
{
    if (rota->stage_until_ns == 0)
        return false;
    pthread_mutex_lock(&rota->lock);
    bool over = rota->count == (rota->stage == STOPPING_LEFT ? rota->kept : 0);
    pthread_mutex_unlock(&rota->lock);
    return over;
}

/* ---- The rota's thread ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return b > 0 && b < a ? b : a;
}

static int await(struct rota *rota, struct epoll_event *events)
{
    pthread_mutex_lock(&rota->lock);
    uint64_t until_ns = timer_next(&rota->timers);
    until_ns = earlier(earlier(until_ns, rota->doors_retry_ns), rota->stage_until_ns);
    rota->sleeps_until_ns = until_ns;
    pthread_mutex_unlock(&rota->lock);
    uint64_t now_ns = clock_mono_ns();
    uint64_t ms = until_ns > now_ns ? (until_ns - now_ns) / MS_NS + 1 : 0;
    int count = epoll_wait(rota->epoll_fd, events, BATCH, ms < LONGEST ? (int)ms : LONGEST);
    return count > 0 ? count : 0;
}

/* What has come for connections. */
static void look_around(struct rota *rota, const struct epoll_event *events, int count,
                        uint64_t now_ns)
{
    pthread_mutex_lock(&rota->lock);
    rota->sleeps_until_ns = 0;
    timer_run(&rota->timers, now_ns);
    struct found found = rota->due;
    rota->due = (struct found){0};
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 > ENGINE_LISTEN_MAX)
            note_events(events[i].data.ptr, events[i].events, &found, now_ns);
    pthread_mutex_unlock(&rota->lock);
    hand_out(rota, &found);
}

static void look_at_doors(struct rota *rota, const struct epoll_event *events, int count,
                          uint64_t now_ns)
{
    if (rota->doors_retry_ns > 0 && rota->doors_retry_ns <= now_ns) {
        rota->doors_retry_ns = 0;
        watch_doors(rota, EPOLLIN);
    }
    for (int i = 0; i < count; i++) {
        eventfd_t rung;
        if (events[i].data.u64 == BELL)
            eventfd_read(rota->bell_fd, &rung);
        else if (events[i].data.u64 <= ENGINE_LISTEN_MAX)
            open_door(rota, (unsigned)events[i].data.u64 - 1, now_ns);
    }
}

/* No event names them any more. */
static void bury(struct rota *rota)
{
    pthread_mutex_lock(&rota->lock);
    struct rota_conn *gone = rota->gone;
    rota->gone = NULL;
    pthread_mutex_unlock(&rota->lock);
    while (gone) {
        struct rota_conn *c = gone;
        gone = c->next;
        dispatcher_close(&c->dispatcher);
        free(c);
    }
}

static void *rota_main(void *argument)
{
    struct rota *rota = argument;
    struct epoll_event events[BATCH];
    while (!is_over(rota)) {
        int count = await(rota, events);
        uint64_t now_ns = clock_mono_ns();
        look_around(rota, events, count, now_ns);
        look_at_doors(rota, events, count, now_ns);
        go_on_stopping(rota, now_ns);
        bury(rota);
    }
    bury(rota);
    return NULL;
}

/* ---- Made and freed ---- */

static int add_descriptors(struct rota *rota)
{
    struct engine *engine = rota->config.engine;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = BELL};
    rota->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    rota->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (rota->epoll_fd < 0 || rota->bell_fd < 0 || doors_open(&rota->doors, engine, 0) ||
        epoll_ctl(rota->epoll_fd, EPOLL_CTL_ADD, rota->bell_fd, &event) < 0)
        return ERR_FULL;
    for (unsigned i = 0; i < engine->config.listen_count; i++) {
        event.data.u64 = 1 + i;
        if (epoll_ctl(rota->epoll_fd, EPOLL_CTL_ADD, doors_fd(&rota->doors, i), &event) < 0)
            return ERR_FULL;
    }
    return 0;
}

int rota_new(const struct rota_config *config, struct rota **out, struct failure *failure)
{
    struct rota *rota = calloc(1, sizeof *rota);
    if (!rota)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    rota->config = *config;
    rota->kind = *config->kind;
    rota->kind.wake = wake;
    rota->kind.touch = touch;
    rota->kind.addresses = connection_addresses;
    rota->doors = (struct doors){.engine = config->engine, .spare_fd = -1};
    rota->epoll_fd = rota->bell_fd = -1;
    list_init(&rota->conns);
    pthread_mutex_init(&rota->lock, NULL);
    *out = rota;
    int err = add_descriptors(rota);
    if (err) {
        fail_errno(failure, err, "cannot prepare the engine");
    } else {
        rota->started = thread_start(&rota->thread, "stoa-rota", rota_main, rota) == 0;
        err = rota->started ? 0 : fail(failure, ERR_IO, "cannot start a thread");
    }
    if (err) {
        *out = NULL;
        rota_free(rota);
    }
    return err;
}

uint64_t rota_stop(struct rota *rota)
{
    uint64_t held = 0;
    ring(rota);
    pthread_join(rota->thread, NULL);
    pthread_mutex_lock(&rota->lock);
    LIST_EACH(&rota->conns, node)
    held += dispatcher_held(&CONTAINER_OF(node, struct rota_conn, node)->dispatcher);
    unsigned cut_off = rota->cut_off;
    pthread_mutex_unlock(&rota->lock);
    engine_cut_off(rota->config.engine, cut_off);
    return held;
}

void rota_free(struct rota *rota)
{
    if (!rota)
        return;
    CHECK(rota->count == 0);
    bury(rota); /* what was given back when its thread had left it behind already */
    doors_close(&rota->doors);
    timer_heap_close(&rota->timers);
    if (rota->epoll_fd >= 0)
        close(rota->epoll_fd);
    if (rota->bell_fd >= 0)
        close(rota->bell_fd);
    pthread_mutex_destroy(&rota->lock);
    free(rota);
}

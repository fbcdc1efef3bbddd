#include "engine/conversation.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* poll and epoll have the same bits: connection.h uses epoll's names. */
_Static_assert(POLLIN == 1 && POLLOUT == 4 && POLLERR == 8 && POLLHUP == 16, "bits of epoll");

/* How long to wait for another thread when there is no descriptor for a bell. */
#define BLIND_NS (5 * MS_NS)

/* ---- For the dispatcher ---- */

/* Either this thread sees the bell, or the conversation's sees what was given back (listens). Both
 * exchange the same word, this one for what it is, and so one comes first. If that is the bell it
 * is seen here; if it is this exchange, what was written before it is seen after the other. */
static void wake(struct dispatcher *d)
{
    struct conversation *c = CONTAINER_OF(d, struct conversation, dispatcher);
    int bell = atomic_fetch_add_explicit(&c->bell, 0, memory_order_acq_rel);
    if (bell >= 0)
        eventfd_write(bell, 1);
}

/* The turn that runs looks again before it waits. */
static void touch(struct dispatcher *d, void *owner)
{
    struct connection *connection = owner;
    (void)d;
    connection->again = true;
}

static const struct dispatcher_kind kind = {
    .wake = wake,
    .touch = touch,
    .addresses = connection_addresses,
};

/* ---- Waiting ---- */

/* Has a bell from now on, if one can be had. True: nothing was given back before that. */
static bool listens(struct conversation *c)
{
    if (atomic_load_explicit(&c->bell, memory_order_relaxed) < 0)
        atomic_exchange_explicit(&c->bell, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
                                 memory_order_acq_rel);
    return !dispatcher_has_resumed(&c->dispatcher);
}

static struct timespec until(uint64_t due_ns, uint64_t now_ns)
{
    uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return (struct timespec){(time_t)(left_ns / SEC_NS), (long)(left_ns % SEC_NS)};
}

/* Until DUE_NS at most. EVENTS: what FD is waited for; FD -1: it is not. Returns what FD can do. */
static uint32_t await(struct conversation *c, int fd, uint32_t events, uint64_t due_ns)
{
    bool deaf = false;
    int bell = -1;
    uint64_t now_ns = clock_mono_ns();
    if (dispatcher_held(&c->dispatcher) > 0) {
        if (!listens(c))
            return 0;
        bell = atomic_load_explicit(&c->bell, memory_order_relaxed);
        deaf = bell < 0;
    }
    if (deaf && due_ns > now_ns + BLIND_NS)
        due_ns = now_ns + BLIND_NS;
    struct pollfd fds[] = {
        {fd, (short)events, 0}, {bell, POLLIN, 0}, {c->stopping ? -1 : c->stop_fd, POLLIN, 0}};
    struct timespec left = until(due_ns, now_ns);
    int ready = ppoll(fds, COUNT_OF(fds), due_ns == UINT64_MAX ? NULL : &left, NULL);
    eventfd_t rung;
    if (ready > 0 && fds[1].revents)
        eventfd_read(bell, &rung);
    return ready > 0 ? (uint32_t)(unsigned short)fds[0].revents : 0;
}

/* ---- The conversation ---- */

static void sit(struct conversation *c, struct seat *seat)
{
    c->connection.buffers = &seat->buffers;
    c->dispatcher.thread_state = seat->thread_state;
    c->dispatcher.now_ns = clock_mono_ns();
}

/* From when it has been seen on, its clock is waited for. Without a stop: STOPPING_POLITE. */
static enum stopping_stage look_at_stop(struct conversation *c, uint64_t now_ns, uint64_t *until_ns)
{
    const struct engine *engine = c->dispatcher.engine;
    *until_ns = UINT64_MAX;
    c->stopping = engine_is_stopping(engine);
    return c->stopping ? stopping_stage(&engine->stopping, now_ns, until_ns) : STOPPING_POLITE;
}

/* What the stage of a stop asks for. False: it is over. *UNTIL_NS: the next stage. */
static bool obey_stop(struct conversation *c, uint64_t now_ns, bool *drained, uint64_t *until_ns)
{
    struct engine *engine = c->dispatcher.engine;
    enum stopping_stage stage = look_at_stop(c, now_ns, until_ns);
    if (!c->stopping)
        return true;
    if (stage >= STOPPING_CUT_OFF) {
        c->cut_off = c->connection.reset = true;
        return false;
    }
    if (*drained || !stopping_drains(&engine->stopping, stage, c->connection.heard_ns))
        return true;
    *drained = true;
    return connection_drain(&c->connection, now_ns);
}

/* One turn with a seat. False: it is over. */
static bool turn(struct conversation *c, bool *drained, uint64_t *until_ns)
{
    struct seat *seat = seats_take(c->seats);
    sit(c, seat);
    uint64_t now_ns = c->dispatcher.now_ns;
    dispatcher_deliver(&c->dispatcher);
    bool goes_on = obey_stop(c, now_ns, drained, until_ns) &&
                   connection_expire(&c->connection, now_ns) &&
                   connection_turn(&c->connection, now_ns);
    seats_give(c->seats, seat);
    return goes_on;
}

static void talk(struct conversation *c)
{
    bool drained = false;
    uint64_t until_ns;
    while (turn(c, &drained, &until_ns)) {
        if (c->connection.again)
            continue;
        uint64_t due_ns = connection_deadline(&c->connection);
        uint32_t events = await(c, c->connection.fd, connection_wants(&c->connection),
                                due_ns < until_ns ? due_ns : until_ns);
        if (!connection_ready(&c->connection, events))
            return;
    }
}

/* With a seat: what has not been answered ends, and the app is told. */
static void hang_up(struct conversation *c)
{
    struct seat *seat = seats_take(c->seats);
    sit(c, seat);
    connection_close(&c->connection);
    seats_give(c->seats, seat);
}

/* The client has gone. What the app still holds comes back here. */
static bool await_app(struct conversation *c)
{
    while (dispatcher_held(&c->dispatcher) > 0) {
        uint64_t until_ns;
        if (look_at_stop(c, clock_mono_ns(), &until_ns) == STOPPING_LEFT)
            return false;
        await(c, -1, 0, until_ns);
        struct seat *seat = seats_take(c->seats);
        sit(c, seat);
        dispatcher_deliver(&c->dispatcher);
        seats_give(c->seats, seat);
    }
    return true;
}

void conversation_run(struct conversation *c, struct engine *engine, struct seats *seats,
                      int stop_fd, const struct engine_listen *listen, int fd,
                      const struct endpoint *peer)
{
    *c = (struct conversation){.seats = seats, .stop_fd = stop_fd};
    atomic_init(&c->bell, -1);
    dispatcher_init(&c->dispatcher, &kind, engine, &engine->counters);
    if (connection_open(&c->connection, &c->dispatcher, NULL, listen, fd, peer, clock_mono_ns()))
        talk(c);
    hang_up(c);
}

bool conversation_close(struct conversation *c)
{
    if (!await_app(c))
        return false;
    dispatcher_close(&c->dispatcher);
    int bell = atomic_load_explicit(&c->bell, memory_order_relaxed);
    if (bell >= 0)
        close(bell);
    return true;
}

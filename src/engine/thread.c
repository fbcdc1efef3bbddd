#include "engine/thread.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/thread.h"
#include "engine/conversation.h"
#include "engine/doors.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    SEATS = 256,     /* where config.workers says nothing */
    FULL_MS = 50,    /* without room: look again after this */
    STACK = 1 << 20, /* of a client's thread */
    ACCEPTS = 64,    /* at an address, before the others and the stop are looked at */
    QUEUED = 4096,   /* the most that a kernel keeps for an address: for the stop */
};

/* Between two lines of the log that say why nobody is accepted. */
#define SILENT_NS (60 * SEC_NS)

struct thread_engine {
    struct engine base;
    struct doors doors;
    struct seats *seats;
    int stop_fd;
    pthread_t acceptor;
    bool accepts;
    /* The acceptor's: who has been accepted at address NEXT_INDEX and has no thread yet. */
    int next_fd; /* -1: nobody */
    unsigned next_index;
    struct endpoint next_peer;
    uint64_t silent_until_ns;
    pthread_attr_t small;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    /* Under the lock: */
    unsigned running; /* client threads */
    unsigned cut_off; /* of those that have ended */
    uint64_t held;    /* exchanges left behind */
    pthread_t last;   /* of those that have ended; it waits for the one before it, and so on, so */
    bool has_last;    /* that none is still on its way out when the engine has stopped */
};

/* A client's thread, and what it begins with. */
struct client {
    struct conversation conversation;
    struct thread_engine *engine;
    const struct engine_listen *listen;
    struct endpoint peer;
    int fd;
};

static struct thread_engine *thread_engine_of(struct engine *engine)
{
    return CONTAINER_OF(engine, struct thread_engine, base);
}

/* ---- A client's thread ---- */

static void *client_main(void *argument)
{
    struct client *client = argument;
    struct thread_engine *engine = client->engine;
    struct conversation *c = &client->conversation;
    pthread_setname_np(pthread_self(), "stoa-client");
    conversation_run(c, &engine->base, engine->seats, engine->stop_fd, client->listen, client->fd,
                     &client->peer);
    bool over = conversation_close(c);
    uint64_t held = over ? 0 : dispatcher_held(&c->dispatcher);
    bool cut_off = c->cut_off;
    if (over)
        free(client);
    pthread_mutex_lock(&engine->lock);
    pthread_t before = engine->last;
    bool has_before = engine->has_last;
    engine->last = pthread_self();
    engine->has_last = true;
    engine->running--;
    engine->cut_off += cut_off;
    engine->held += held;
    if (engine->running == 0)
        pthread_cond_signal(&engine->ended);
    pthread_mutex_unlock(&engine->lock);
    if (has_before)
        pthread_join(before, NULL);
    return NULL;
}

/* ---- Accepting ---- */

/* Counted by threads: one that has not begun yet has opened nothing. */
static bool has_room(struct thread_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    bool room = engine->running < engine->base.config.connections_max;
    pthread_mutex_unlock(&engine->lock);
    return room;
}

static void tell_no_thread(struct thread_engine *engine, int reason)
{
    uint64_t now_ns = clock_mono_ns();
    if (now_ns < engine->silent_until_ns)
        return;
    engine->silent_until_ns = now_ns + SILENT_NS;
    log_line(engine->base.config.log, LOG_WARN, "engine",
             "no other client's thread can be made: %s. Clients wait. Raise what bounds threads: "
             "ulimit -u, kernel.threads-max, pids.max of the control group, memory",
             strerror(reason));
}

/* For who has been accepted. False: there can be no thread at present. */
static bool begin_client(struct thread_engine *engine)
{
    struct client *client = malloc(sizeof *client);
    pthread_t thread;
    if (!client)
        return false;
    client->engine = engine;
    client->listen = &engine->base.config.listen[engine->next_index];
    client->peer = engine->next_peer;
    client->fd = engine->next_fd;
    pthread_mutex_lock(&engine->lock);
    engine->running++;
    pthread_mutex_unlock(&engine->lock);
    int reason = thread_start_as(&thread, &engine->small, NULL, client_main, client);
    if (reason == 0) {
        engine->next_fd = -1;
        return true;
    }
    pthread_mutex_lock(&engine->lock);
    engine->running--;
    pthread_mutex_unlock(&engine->lock);
    free(client);
    tell_no_thread(engine, reason);
    return false;
}

/* Those that wait at address INDEX, MOST of them, behind who has been accepted already. False:
 * there is no room. */
static bool accept_some(struct thread_engine *engine, unsigned index, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        if (engine->next_fd >= 0 && !begin_client(engine))
            return false;
        if (!has_room(engine))
            return false;
        switch (doors_accept(&engine->doors, index, &engine->next_fd, &engine->next_peer)) {
        case DOORS_TAKEN:
            engine->next_index = index;
            break;
        case DOORS_AGAIN:
            break;
        case DOORS_EMPTY:
            return true;
        case DOORS_FULL:
            return false;
        }
    }
    return engine->next_fd < 0 || begin_client(engine);
}

/* At the stop, who has no thread yet. */
static void refuse_next(struct thread_engine *engine)
{
    if (engine->next_fd < 0)
        return;
    socket_reset_on_close(engine->next_fd);
    close(engine->next_fd);
    engine_count(&engine->base.counters.refused, 1);
}

static void *accept_main(void *argument)
{
    struct thread_engine *engine = argument;
    unsigned count = engine->base.config.listen_count;
    struct pollfd fds[ENGINE_LISTEN_MAX + 1];
    bool room = true;
    for (unsigned i = 0; i < count; i++)
        fds[i + 1] = (struct pollfd){doors_fd(&engine->doors, i), POLLIN, 0};
    fds[0] = (struct pollfd){engine->stop_fd, POLLIN, 0};
    while (!engine_is_stopping(&engine->base)) {
        /* Without room new connections wait in the kernel's queue. */
        poll(fds, room ? count + 1 : 1, room ? -1 : FULL_MS);
        room = true;
        for (unsigned i = 0; i < count; i++)
            room = accept_some(engine, i, ACCEPTS) && room;
    }
    /* What had connected already is served. At once: what comes in between is lost with the
     * queue. */
    for (unsigned i = 0; i < count; i++) {
        accept_some(engine, i, QUEUED);
        doors_close_one(&engine->doors, i);
    }
    refuse_next(engine);
    return NULL;
}

/* ---- The seam ---- */

static void thread_free(struct thread_engine *engine)
{
    doors_close(&engine->doors);
    seats_free(engine->seats);
    engine_close(&engine->base);
    if (engine->stop_fd >= 0)
        close(engine->stop_fd);
    pthread_attr_destroy(&engine->small);
    pthread_cond_destroy(&engine->ended);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

static int prepare(struct thread_engine *engine, struct failure *failure)
{
    const struct engine_config *config = &engine->base.config;
    int err = seats_new(engine->base.app, config->workers > 0 ? config->workers : SEATS,
                        &engine->seats, failure);
    if (err)
        return err;
    engine->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (engine->stop_fd < 0 || doors_open(&engine->doors, &engine->base, 0))
        return fail_errno(failure, ERR_FULL, "cannot prepare the engine");
    engine->accepts = thread_start(&engine->acceptor, "stoa-accept", accept_main, engine) == 0;
    return engine->accepts ? 0 : fail(failure, ERR_IO, "cannot start a thread");
}

static int start(const struct engine_config *config, struct app *app, struct engine **out,
                 struct failure *failure)
{
    struct thread_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return fail(failure, ERR_NOMEM, "no memory for the engine");
    engine->stop_fd = engine->doors.spare_fd = engine->next_fd = -1;
    engine->doors.engine = &engine->base;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->ended, NULL);
    pthread_attr_init(&engine->small);
    pthread_attr_setstacksize(&engine->small, STACK);
    int err = engine_open(&engine->base, config, app, 1, failure);
    *out = &engine->base; /* before the first request, in which the app may want it */
    err = err ? err : prepare(engine, failure);
    if (err) {
        *out = NULL;
        thread_free(engine);
    }
    return err;
}

static void stats(const struct engine *base, struct engine_stats *stats)
{
    struct thread_engine *engine = thread_engine_of((struct engine *)base);
    engine_stats(base, stats);
    stats->helper_waiting = seats_waiting(engine->seats);
}

static bool stop(struct engine *base)
{
    struct thread_engine *engine = thread_engine_of(base);
    engine_begin_stop(base);
    eventfd_write(engine->stop_fd, 1);
    pthread_join(engine->acceptor, NULL);
    pthread_mutex_lock(&engine->lock);
    while (engine->running > 0)
        pthread_cond_wait(&engine->ended, &engine->lock);
    bool has_last = engine->has_last;
    uint64_t held = engine->held;
    pthread_mutex_unlock(&engine->lock);
    if (has_last)
        pthread_join(engine->last, NULL);
    engine_cut_off(base, engine->cut_off);
    if (engine_leaves_behind(base, held))
        return false;
    thread_free(engine);
    return true;
}

const struct engine_kind engine_thread = {
    .name = "thread",
    .about = "a thread for each connection",
    .start = start,
    .port = engine_port,
    .stats = stats,
    .stop = stop,
};

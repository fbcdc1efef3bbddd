#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "tier/bridge_inner.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 50,
    LATE_MS = 500,   /* a tick so late: this process was stopped, and could not hear anybody */
    GREET_MS = 3000, /* from the connection to HELLO or WELCOME */
};

/* ---- One end ---- */

static void received(void *context, const struct bridge_message *message)
{
    struct bridge_end *end = context;
    if (message->kind == BRIDGE_PING)
        bridge_ping_hear(&end->ping, loop_now(end->bridge->loop), message);
    bool denied = message->kind == BRIDGE_DENIED; /* at its place alone, or too late for it */
    bool fits = denied      ? end->bridge->greet(end, message)
                : end->take ? bridge_take_receive(end->take, message)
                : end->give ? bridge_give_receive(end->give, message)
                            : end->bridge->greet(end, message);
    if (!fits)
        bridge_link_fail(end->link, "it said what it may not say there");
}

static void drained(void *context)
{
    struct bridge_end *end = context;
    if (end->take)
        bridge_take_drained(end->take);
    if (end->give)
        bridge_give_drained(end->give);
}

static void end_free(struct bridge_end *end)
{
    list_remove(&end->node);
    end->bridge->end_count--;
    bridge_take_free(end->take);
    bridge_give_free(end->give);
    bridge_link_free(end->link);
    explicit_bzero(end->key, sizeof end->key);
    free(end);
}

static void broken(void *context, const char *why)
{
    struct bridge_end *end = context;
    end->bridge->lost(end, why);
    end_free(end);
}

struct bridge_end *bridge_end_open(struct bridge *bridge, int fd, struct tls *tls, const char *peer)
{
    struct bridge_end *end = calloc(1, sizeof *end);
    struct bridge_link_config config = {bridge->loop, end, received, drained, broken};
    if (!end) {
        tls_free(tls);
        close(fd);
        return NULL;
    }
    socket_set_patience(fd, BRIDGE_SILENT_MS);
    end->bridge = bridge;
    end->begun_ns = loop_now(bridge->loop);
    str_copy(end->peer, sizeof end->peer, str_of(peer));
    end->link = bridge_link_open(&config, fd, tls);
    if (!end->link) {
        free(end);
        return NULL;
    }
    list_append(&bridge->ends, &end->node);
    bridge->end_count++;
    return end;
}

uint32_t bridge_window(const struct bridge *bridge)
{
    size_t size = queue_up(bridge->queue, 0).size;
    return size < BRIDGE_WINDOW_MAX ? (uint32_t)size : BRIDGE_WINDOW_MAX;
}

int bridge_end_take(struct bridge_end *end, uint32_t window, const struct queue_far *far,
                    struct failure *failure)
{
    const struct bridge *bridge = end->bridge;
    end->greeted = true;
    return bridge_take_new(bridge->loop, bridge->queue, end->link, window, far, &end->take,
                           failure);
}

int bridge_end_give(struct bridge_end *end, uint32_t window, const struct queue_far *far,
                    const struct bridge_appetite *appetite, struct failure *failure)
{
    const struct bridge *bridge = end->bridge;
    end->greeted = true;
    return bridge_give_new(bridge->loop, bridge->queue, end->link, window, far, appetite,
                           &end->give, failure);
}

/* ---- Time ---- */

static void ping(struct bridge_end *end, uint64_t now_ns)
{
    const struct bridge *bridge = end->bridge;
    struct bridge_message message = {.kind = BRIDGE_PING, .report = bridge->work};
    message.report.draining = bridge->draining;
    bridge_ping_fill(&end->ping, now_ns, &message);
    bridge_link_send(end->link, &message);
}

static void look_at(struct bridge_end *end, uint64_t now_ns, bool late)
{
    if (end->give)
        bridge_give_set_way(end->give, bridge_ping_way_ns(&end->ping));
    if (end->take)
        bridge_take_tick(end->take, now_ns);
    if (end->give)
        bridge_give_tick(end->give, now_ns);
    if (end->take || end->give)
        ping(end, now_ns);
    if (late)
        return;
    if (end->greeted && bridge_link_heard_ns(end->link) + BRIDGE_SILENT_MS * MS_NS < now_ns)
        bridge_link_fail(end->link, "the other side is silent");
    if (!end->greeted && end->begun_ns + GREET_MS * MS_NS < now_ns)
        bridge_link_fail(end->link, "the other side does not answer");
}

static void tick(struct timer *timer, uint64_t now_ns)
{
    struct bridge *bridge = CONTAINER_OF(timer, struct bridge, tick);
    bool late = now_ns - bridge->ticked_ns > LATE_MS * MS_NS;
    bridge->ticked_ns = now_ns;
    if (!bridge->door.knows)
        bridge_dial_tick(bridge);
    LIST_EACH(&bridge->ends, node)
    {
        look_at(CONTAINER_OF(node, struct bridge_end, node), now_ns, late);
    }
    if (bridge->door.knows)
        bridge_door_tick(bridge);
    loop_timer_set(bridge->loop, timer, now_ns + TICK_MS * MS_NS);
}

enum bridge_state bridge_state(const struct bridge *bridge)
{
    return (enum bridge_state)atomic_load(&bridge->state);
}

void bridge_set_state(struct bridge *bridge, enum bridge_state state)
{
    atomic_store(&bridge->state, (int)state);
}

void bridge_drain(struct bridge *bridge)
{
    bridge_set_state(bridge, BRIDGE_UP);
    loop_post(bridge->loop, &bridge->drain_post);
}

/* ---- Made and freed ---- */

struct bridge *bridge_new(struct queue *queue, struct tls_context *tls, const struct log *log,
                          struct failure *failure)
{
    struct bridge *bridge = calloc(1, sizeof *bridge);
    if (!bridge) {
        fail(failure, ERR_NOMEM, "no memory for a bridge");
        return NULL;
    }
    bridge->queue = queue;
    bridge->tls = tls;
    bridge->log = log;
    bridge->listener.fd = -1;
    list_init(&bridge->ends);
    bridge->loop = loop_new(failure);
    if (!bridge->loop) {
        free(bridge);
        return NULL;
    }
    return bridge;
}

static void *run(void *argument)
{
    struct bridge *bridge = argument;
    loop_run(bridge->loop);
    return NULL;
}

int bridge_start(struct bridge *bridge, struct failure *failure)
{
    bridge->tick.fire = tick;
    bridge->ticked_ns = clock_mono_ns();
    int err = loop_timer_set(bridge->loop, &bridge->tick, bridge->ticked_ns + TICK_MS * MS_NS);
    if (!err && thread_start(&bridge->thread, "stoa-bridge", run, bridge) != 0)
        err = ERR_IO;
    bridge->runs = !err;
    return err ? fail(failure, err, "cannot start the bridge's thread") : 0;
}

void bridge_free(struct bridge *bridge)
{
    if (!bridge)
        return;
    if (bridge->runs) {
        loop_stop(bridge->loop);
        pthread_join(bridge->thread, NULL);
    }
    LIST_EACH(&bridge->ends, node)
    {
        end_free(CONTAINER_OF(node, struct bridge_end, node));
    }
    if (bridge->listener.fd >= 0) {
        loop_unwatch(bridge->loop, &bridge->listener);
        close(bridge->listener.fd);
    }
    resolver_free(bridge->resolver);
    loop_free(bridge->loop);
    explicit_bzero(&bridge->dial, sizeof bridge->dial);
    free(bridge);
}

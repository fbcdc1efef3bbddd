#include "engine/event.h"

static struct event_loop *loop_of(struct dispatcher *d)
{
    return CONTAINER_OF(d, struct event_loop, dispatcher);
}

/* Several exchanges of one connection are delivered before it sends, so that their answers leave
 * together. */
static void turn_touched(struct event_loop *l)
{
    loop_soon_cancel(&l->touched_soon);
    while (!list_empty(&l->touched)) {
        struct event_conn *c = CONTAINER_OF(l->touched.next, struct event_conn, touched);
        list_remove(&c->touched);
        event_conn_turn(c);
    }
}

static void run_touched(struct soon *soon)
{
    turn_touched(CONTAINER_OF(soon, struct event_loop, touched_soon));
}

static void run_resumed(struct post *post)
{
    struct event_loop *l = CONTAINER_OF(post, struct event_loop, resumed_post);
    l->dispatcher.now_ns = loop_now(l->loop);
    dispatcher_deliver(&l->dispatcher);
    turn_touched(l);
    event_loop_check_end(l);
}

static void run_own(struct soon *soon)
{
    struct event_loop *l = CONTAINER_OF(soon, struct event_loop, own_soon);
    l->dispatcher.now_ns = loop_now(l->loop);
    bool more = dispatcher_deliver_own(&l->dispatcher);
    turn_touched(l);
    if (more)
        loop_soon(l->loop, soon);
    event_loop_check_end(l);
}

/* Those that waited have their turns, as long as none of them begins what the others wait for. */
static void run_waiting(struct soon *soon)
{
    struct event_loop *l = CONTAINER_OF(soon, struct event_loop, waiting_soon);
    while (!event_is_taken(l) && !list_empty(&l->waiting)) {
        struct event_conn *c = CONTAINER_OF(l->waiting.next, struct event_conn, waiting);
        list_remove(&c->waiting);
        event_conn_turn(c);
    }
}

/* ---- For the dispatcher ---- */

static void wake(struct dispatcher *d)
{
    struct event_loop *l = loop_of(d);
    loop_post(l->loop, &l->resumed_post);
}

static void wake_own(struct dispatcher *d)
{
    struct event_loop *l = loop_of(d);
    loop_soon(l->loop, &l->own_soon);
}

static bool work(struct dispatcher *d, struct exchange *x)
{
    return offload_submit(loop_of(d)->engine->offload, x);
}

static void fetch(struct dispatcher *d, struct exchange *x)
{
    residency_fetch(loop_of(d)->engine->residency, x);
}

static void touch(struct dispatcher *d, void *owner)
{
    struct event_loop *l = loop_of(d);
    struct event_conn *c = CONTAINER_OF(owner, struct event_conn, connection);
    if (list_empty(&c->touched))
        list_append(&l->touched, &c->touched);
    loop_soon(l->loop, &l->touched_soon);
}

static void answered(struct dispatcher *d, struct exchange *x)
{
    struct event_loop *l = loop_of(d);
    if (!x->client_gone) {
        struct event_conn *c =
            CONTAINER_OF(http_conn_owner(x->conn), struct event_conn, connection);
        x->close |= c->drains; /* its answer is to say so, although it is drained behind it */
    }
    if (!list_empty(&l->waiting))
        loop_soon(l->loop, &l->waiting_soon);
}

void event_exchange_init(struct event_loop *l)
{
    static const struct dispatcher_kind usual = {
        .wake = wake,
        .wake_own = wake_own,
        .work = work,
        .touch = touch,
        .addresses = connection_addresses,
        .admission = true,
    };
    static const struct dispatcher_kind with_readers = {
        .wake = wake,
        .wake_own = wake_own,
        .work = work,
        .fetch = fetch,
        .touch = touch,
        .addresses = connection_addresses,
        .admission = true,
    };
    static const struct dispatcher_kind alone = {
        .wake = wake,
        .wake_own = wake_own,
        .touch = touch,
        .addresses = connection_addresses,
        .answered = answered,
    };
    const struct event_variant *variant = l->engine->variant;
    const struct dispatcher_kind *kind = variant->alone       ? &alone
                                         : variant->residency ? &with_readers
                                                              : &usual;
    dispatcher_init(&l->dispatcher, kind, &l->engine->base, &l->counters);
    l->resumed_post.run = run_resumed;
    l->own_soon.run = run_own;
    l->touched_soon.run = run_touched;
    l->waiting_soon.run = run_waiting;
    list_init(&l->waiting_soon.node);
    list_init(&l->waiting);
    list_init(&l->own_soon.node);
    list_init(&l->touched_soon.node);
    list_init(&l->touched);
}

/* The near side: who may come in. */
#include "base/check.h"
#include "base/clock.h"
#include "tier/bridge_inner.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPTED_AT_ONCE = 16,
    STRANGERS_MAX = 32, /* who have not said hello */
    DENIED_LOG_MS = 1000,
    KNOWN_MS = 500, /* how often it is looked whether a key is known still */
};

static const char stops_here[] = "this front stops";
static const char full[] = "this front has as many links as it may: start another one with --link";

static const char *kind_of(const struct bridge_end *end)
{
    return end->take ? "worker" : "front";
}

static void lost(struct bridge_end *end, const char *why)
{
    const struct bridge *bridge = end->bridge;
    unsigned open = end->take ? bridge_take_open(end->take) : 0;
    if (open > 0)
        log_line(bridge->log, LOG_WARN, "bridge",
                 "the link of a worker at %s is over: %s; its %u requests are given to others",
                 end->peer, why, open);
    else if (end->take || end->give)
        log_line(bridge->log, LOG_INFO, "bridge", "the link of a %s at %s is over: %s",
                 kind_of(end), end->peer, why);
    else
        log_line(bridge->log, LOG_DEBUG, "bridge", "%s did not come in: %s", end->peer, why);
}

/* Guessing is hopeless; what a guesser could fill is the log. */
static bool deny(struct bridge_end *end, const char *why)
{
    struct bridge *bridge = end->bridge;
    uint64_t now_ns = loop_now(bridge->loop);
    if (bridge->denied_ns == 0 || now_ns - bridge->denied_ns > DENIED_LOG_MS * MS_NS) {
        bridge->denied_ns = now_ns;
        log_line(bridge->log, LOG_WARN, "bridge", "%s is not let in: %s", end->peer, why);
    }
    bridge_link_send(end->link,
                     &(struct bridge_message){.kind = BRIDGE_DENIED, .bytes = str_of(why)});
    bridge_link_end(end->link, why);
    return true;
}

static unsigned count_linked(const struct bridge *bridge)
{
    unsigned linked = 0;
    LIST_EACH(&bridge->ends, node)
    {
        linked += CONTAINER_OF(node, struct bridge_end, node)->greeted;
    }
    return linked;
}

static bool greet(struct bridge_end *end, const struct bridge_message *message)
{
    struct bridge *bridge = end->bridge;
    struct failure failure = {0};
    struct bridge_appetite appetite = {.work = queue_slots(bridge->queue) / 2,
                                       .most = queue_slots(bridge->queue) / 2};
    if (message->kind != BRIDGE_HELLO)
        return false;
    if (message->version != BRIDGE_VERSION)
        return deny(end, "its stoa is of another version: give both the same");
    if (message->window == 0)
        return false;
    if (!bridge->door.knows(bridge->door.context, message->key))
        return deny(end, "its token is not one of this shop's: make one by `stoa token --tiers`");
    if (count_linked(bridge) >= BRIDGE_LINKS_MAX)
        return deny(end, full);
    memcpy(end->key, message->key, sizeof end->key);
    bridge_link_send(end->link, &(struct bridge_message){.kind = BRIDGE_WELCOME,
                                                         .version = BRIDGE_VERSION,
                                                         .window = bridge_window(bridge)});
    struct queue_far far = {.pid = message->pid, .number = message->number};
    random_secret(&far.space, sizeof far.space);
    str_copy(far.host, sizeof far.host, str_of(end->peer));
    int err = message->works ? bridge_end_take(end, message->window, &far, &failure)
                             : bridge_end_give(end, message->window, &far, &appetite, &failure);
    if (err)
        return deny(end, failure.text);
    log_line(bridge->log, LOG_INFO, "bridge", "a %s at %s is linked", kind_of(end), end->peer);
    return true;
}

/* ---- Draining ---- */

static void close_door(struct bridge *bridge)
{
    if (bridge->listener.fd < 0)
        return;
    loop_unwatch(bridge->loop, &bridge->listener);
    close(bridge->listener.fd);
    bridge->listener.fd = -1;
}

static void drain_fronts(struct post *post)
{
    struct bridge *bridge = CONTAINER_OF(post, struct bridge, fronts_post);
    bridge->fronts_drain = true;
    close_door(bridge);
    LIST_EACH(&bridge->ends, node)
    {
        struct bridge_end *end = CONTAINER_OF(node, struct bridge_end, node);
        if (end->give)
            bridge_give_drain(end->give);
        else if (!end->greeted)
            bridge_link_fail(end->link, stops_here);
    }
}

void bridge_drain_fronts(struct bridge *bridge)
{
    loop_post(bridge->loop, &bridge->fronts_post);
}

static void drain(struct post *post)
{
    struct bridge *bridge = CONTAINER_OF(post, struct bridge, drain_post);
    bridge->draining = true;
    close_door(bridge);
}

/* How many links are left that are to go. */
static unsigned drain_more(struct bridge *bridge)
{
    unsigned left = 0;
    LIST_EACH(&bridge->ends, node)
    {
        const struct bridge_end *end = CONTAINER_OF(node, struct bridge_end, node);
        left += bridge->draining || !end->take;
        if (end->give && bridge_give_is_drained(end->give))
            bridge_link_end(end->link, stops_here);
        if (!end->take || !bridge->draining)
            continue;
        bridge_take_drain(end->take);
        if (bridge_take_open(end->take) == 0)
            bridge_link_end(end->link, stops_here);
    }
    return left;
}

/* ---- Time ---- */

/* The door rests until the next look: who waits outside would wake it again at once. */
static void rest(struct bridge *bridge)
{
    bridge->rests = loop_rewatch(bridge->loop, &bridge->listener, 0) == 0;
}

static void end_rest(struct bridge *bridge)
{
    if (bridge->rests && bridge->listener.fd >= 0)
        bridge->rests = loop_rewatch(bridge->loop, &bridge->listener, EPOLLIN) != 0;
}

void bridge_door_tick(struct bridge *bridge)
{
    uint64_t now_ns = loop_now(bridge->loop);
    end_rest(bridge);
    if ((bridge->draining || bridge->fronts_drain) && drain_more(bridge) == 0)
        bridge_set_state(bridge, BRIDGE_DRAINED);
    if (now_ns - bridge->known_ns < KNOWN_MS * MS_NS)
        return;
    bridge->known_ns = now_ns;
    LIST_EACH(&bridge->ends, node)
    {
        struct bridge_end *end = CONTAINER_OF(node, struct bridge_end, node);
        if (end->greeted && !bridge->door.knows(bridge->door.context, end->key))
            bridge_link_fail(end->link, "its token was revoked");
    }
}

/* ---- The door ---- */

/* Who has no token can keep out those who have one only by coming faster than they say hello: the
 * one who has been silent longest makes room for the next. */
static void make_room(struct bridge *bridge)
{
    struct bridge_end *oldest = NULL;
    unsigned strangers = 0;
    LIST_EACH(&bridge->ends, node)
    {
        struct bridge_end *end = CONTAINER_OF(node, struct bridge_end, node);
        strangers += !end->greeted && !end->sent_away;
        if (!end->greeted && !end->sent_away && !oldest)
            oldest = end;
    }
    if (strangers >= STRANGERS_MAX) {
        oldest->sent_away = true;
        bridge_link_fail(oldest->link, "others came");
    }
}

static void take_in(struct bridge *bridge, int fd, const struct endpoint *peer)
{
    char text[ADDRESS_TEXT];
    struct tls *tls = tls_new(bridge->tls);
    int one = 1;
    make_room(bridge);
    if (!tls) {
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    endpoint_text(peer, true, text, sizeof text);
    bridge_end_open(bridge, fd, tls, text);
}

static void accept_some(struct watch *watch, uint32_t events)
{
    struct bridge *bridge = CONTAINER_OF(watch, struct bridge, listener);
    (void)events;
    for (unsigned i = 0; i < ACCEPTED_AT_ONCE; i++) {
        struct endpoint peer = {.len = sizeof peer.at};
        int fd = accept4(watch->fd, (struct sockaddr *)&peer.at, &peer.len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            take_in(bridge, fd, &peer);
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            rest(bridge);
            return;
        }
    }
}

static int open_door(struct bridge *bridge, struct failure *failure)
{
    struct endpoint address;
    const char *text = bridge->door.address;
    int err = endpoint_resolve(str_of(text), true, &address, failure);
    err = err ? err : socket_listen(&address, text, true, &bridge->listener.fd, failure);
    if (err)
        return err;
    bridge->port = endpoint_port(&address);
    bridge->listener.ready = accept_some;
    if (loop_watch(bridge->loop, &bridge->listener, EPOLLIN) == 0)
        return 0;
    err = fail_errno(failure, ERR_IO, "cannot watch the door at %s", text);
    close(bridge->listener.fd);
    bridge->listener.fd = -1;
    return err;
}

int bridge_listen(const struct bridge_door *door, struct bridge **out, struct failure *failure)
{
    struct bridge *bridge = bridge_new(door->queue, door->tls, door->log, failure);
    *out = NULL;
    if (!bridge)
        return ERR_NOMEM;
    bridge->door = *door;
    bridge->greet = greet;
    bridge->lost = lost;
    bridge->drain_post.run = drain;
    bridge->fronts_post.run = drain_fronts;
    int err = open_door(bridge, failure);
    err = err ? err : bridge_start(bridge, failure);
    if (err)
        bridge_free(bridge);
    else
        *out = bridge;
    return err;
}

unsigned bridge_port(const struct bridge *bridge)
{
    return bridge->port;
}

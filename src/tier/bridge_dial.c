/* The far side: connects, and connects again. */
#include "base/check.h"
#include "base/clock.h"
#include "tier/bridge_inner.h"
#include "tier/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WAIT_FIRST_MS = 50,
    WAIT_MAX_MS = 2000,
    WAIT_DENIED_MS = 5000,
    DESCRIBED = BRIDGE_TEXT + 80,
    NAMED_MS = 500, /* a name that is not known by then is worth a word */
};

/* ---- Where ---- */

bool bridge_address(const char *addresses, unsigned at, struct str *address)
{
    struct str rest = str_of(addresses);
    for (unsigned i = 0; str_cut(&rest, ',', address); i++)
        if (i == at)
            return true;
    return false;
}

static void use_place(struct bridge *bridge, unsigned place)
{
    struct str address;
    bridge->place = bridge_address(bridge->dial.addresses, place, &address) ? place : 0;
    bridge_address(bridge->dial.addresses, bridge->place, &address);
    str_copy(bridge->address, sizeof bridge->address, address);
}

/* ---- When ---- */

/* Not all at the same moment, when a master has died. */
static void try_in(struct bridge *bridge, uint64_t wait_ns)
{
    wait_ns = wait_ns / 2 + random_below(&bridge->random, wait_ns / 2 + 1);
    loop_timer_set(bridge->loop, &bridge->again, loop_now(bridge->loop) + wait_ns);
}

/* The next one is tried soon; after all of them there is a pause, longer each time. */
static void try_next(struct bridge *bridge, uint64_t least_ns)
{
    uint64_t wait_ns = WAIT_FIRST_MS * MS_NS, most_ns = WAIT_MAX_MS * MS_NS;
    use_place(bridge, bridge->place + 1);
    if (bridge->place == 0) {
        wait_ns = bridge->wait_ns;
        bridge->wait_ns = 2 * wait_ns < most_ns ? 2 * wait_ns : most_ns;
    }
    try_in(bridge, wait_ns > least_ns ? wait_ns : least_ns);
}

/* Said once for each time that it is lost, not for each try. */
static void say_lost(struct bridge *bridge, const char *why)
{
    if (!bridge->said_lost)
        log_line(bridge->log, LOG_WARN, "bridge", "no link to %s: %s; trying again",
                 bridge->address, why);
    bridge->said_lost = true;
}

/* It was up, and did not fall silent: it was a process that ended, and another front is at the same
 * door, or soon will be. Else the machine may be gone. */
static bool is_door_there(const struct bridge_end *end)
{
    uint64_t heard_ns = bridge_link_heard_ns(end->link);
    return (end->take || end->give) &&
           heard_ns + BRIDGE_SILENT_MS * MS_NS > loop_now(end->bridge->loop);
}

/* TLS did not come about. WHY alone ("wrong version number") helps nobody. */
static const char *describe(const char *why, char out[static DESCRIBED])
{
    snprintf(out, DESCRIBED, "%s (what is there is not the --link of the shop that has the token)",
             why);
    return out;
}

static void lost(struct bridge_end *end, const char *why)
{
    char text[DESCRIBED];
    struct bridge *bridge = end->bridge;
    bool denied = bridge_state(bridge) == BRIDGE_DENIED_THERE;
    if (!denied) {
        if (!bridge->draining)
            say_lost(bridge, bridge_link_is_safe(end->link) ? why : describe(why, text));
        bridge_set_state(bridge, bridge->draining ? BRIDGE_DRAINED : BRIDGE_CONNECTING);
    }
    if (bridge->draining)
        return;
    if (!denied && is_door_there(end))
        try_in(bridge, WAIT_FIRST_MS * MS_NS);
    else
        try_next(bridge, denied ? WAIT_DENIED_MS * MS_NS : 0);
}

const char *bridge_denied(const struct bridge *bridge)
{
    return bridge->denied;
}

static bool be_denied(struct bridge_end *end, const struct bridge_message *message)
{
    struct bridge *bridge = end->bridge;
    str_copy(bridge->denied, sizeof bridge->denied, message->bytes);
    log_line(bridge->log, LOG_ERROR, "bridge", "%s does not let this one in: %s", bridge->address,
             bridge->denied);
    bridge_set_state(bridge, BRIDGE_DENIED_THERE);
    bridge_link_fail(end->link, "not let in");
    return true;
}

static bool greet(struct bridge_end *end, const struct bridge_message *message)
{
    struct bridge *bridge = end->bridge;
    struct failure failure = {0};
    if (message->kind == BRIDGE_DENIED)
        return be_denied(end, message);
    if (message->kind != BRIDGE_WELCOME || message->window == 0)
        return false;
    int err = bridge->dial.works
                  ? bridge_end_give(end, message->window, NULL, &bridge->dial.appetite, &failure)
                  : bridge_end_take(end, message->window, NULL, &failure);
    if (err) {
        bridge_link_fail(end->link, failure.text);
        return true;
    }
    if (bridge->draining && end->give)
        bridge_give_drain(end->give);
    bridge->wait_ns = WAIT_FIRST_MS * MS_NS;
    bridge->said_lost = false;
    bridge_set_state(bridge, BRIDGE_UP);
    log_line(bridge->log, LOG_INFO, "bridge", "linked to the queue at %s", bridge->address);
    return true;
}

static void say_hello(struct bridge_end *end)
{
    const struct bridge *bridge = end->bridge;
    struct bridge_message hello = {.kind = BRIDGE_HELLO,
                                   .version = BRIDGE_VERSION,
                                   .pid = (uint32_t)getpid(),
                                   .number = bridge->dial.number,
                                   .works = bridge->dial.works,
                                   .window = bridge_window(bridge)};
    memcpy(hello.key, bridge->dial.key, sizeof hello.key);
    bridge_link_send(end->link, &hello);
    explicit_bzero(hello.key, sizeof hello.key);
}

static void try_now(struct timer *timer, uint64_t now_ns)
{
    struct bridge *bridge = CONTAINER_OF(timer, struct bridge, again);
    struct failure failure = {0};
    struct endpoint address;
    struct bridge_end *end = NULL;
    int fd;
    (void)now_ns;
    bridge_set_state(bridge, BRIDGE_CONNECTING);
    if (!resolver_find(bridge->resolver, bridge->address, &address)) {
        if (bridge->wait_ns > NAMED_MS * MS_NS)
            say_lost(bridge, "no address is known for its name");
        try_next(bridge, 0);
        return;
    }
    int err = socket_connect(&address, &fd, &failure);
    if (!err)
        end = bridge_end_open(bridge, fd, tls_new_connecting(bridge->tls), bridge->address);
    if (end) {
        say_hello(end);
        return;
    }
    say_lost(bridge, err ? failure.text : "out of memory");
    try_next(bridge, 0);
}

/* A name is known. */
static void on_address(void *user)
{
    struct bridge *bridge = user;
    if (bridge->end_count == 0 && !bridge->draining)
        loop_timer_set(bridge->loop, &bridge->again, loop_now(bridge->loop));
}

/* ---- Draining ---- */

static void drain(struct post *post)
{
    struct bridge *bridge = CONTAINER_OF(post, struct bridge, drain_post);
    bridge->draining = true;
    loop_timer_stop(bridge->loop, &bridge->again);
    LIST_EACH(&bridge->ends, node)
    {
        struct bridge_end *end = CONTAINER_OF(node, struct bridge_end, node);
        if (end->give)
            bridge_give_drain(end->give);
        else
            bridge_link_fail(end->link, "drained");
    }
    if (bridge->end_count == 0)
        bridge_set_state(bridge, BRIDGE_DRAINED);
}

/* ---- Those who work here ---- */

/* What they have done, for those who scale at the other end. */
static void add_work(struct bridge *bridge, const struct queue_seat_view *seats, unsigned count)
{
    struct queue_report sum = {0};
    unsigned threads = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct queue_report *report = &seats[i].report;
        if ((seats[i].role == QUEUE_WORKER) != bridge->dial.works)
            continue;
        threads++;
        sum.loop_ns += report->loop_ns;
        sum.helper_ns += report->helper_ns;
        sum.helpers += report->helpers;
        memcpy(sum.counts, report->counts, sizeof sum.counts); /* the same of all its threads */
    }
    if (threads > 0)
        sum.loop_ns /= threads;
    bridge->work = sum;
}

/* Linked again, it would be given the next ones. */
static void look_at_workers(struct bridge *bridge, uint64_t now_ns)
{
    struct queue_seat_view seats[QUEUE_SEATS];
    uint32_t pids[QUEUE_SEATS];
    unsigned count = queue_seats(bridge->queue, seats, QUEUE_SEATS);
    add_work(bridge, seats, count);
    if (!bridge->dial.hangs ||
        silence_look(&bridge->silence, seats, count, now_ns, BRIDGE_HANGS_MS * MS_NS, pids) == 0)
        return;
    log_line(bridge->log, LOG_ERROR, "bridge", "the worker has done nothing for %d ms: it ends",
             BRIDGE_HANGS_MS);
    bridge->dial.hangs();
}

static void look_for_link(struct bridge *bridge, uint64_t now_ns)
{
    void (*deserted)(void) = bridge->dial.deserted;
    if (bridge_state(bridge) == BRIDGE_UP || bridge->linked_ns == 0) {
        bridge->linked_ns = now_ns;
    } else if (deserted && now_ns - bridge->linked_ns > WORKER_DESERTED_MS * MS_NS) {
        bridge->dial.deserted = NULL;
        log_line(bridge->log, LOG_WARN, "bridge", "no link to %s for %d s: this process ends",
                 bridge->dial.addresses, WORKER_DESERTED_MS / 1000);
        deserted();
    }
}

void bridge_dial_tick(struct bridge *bridge)
{
    look_at_workers(bridge, loop_now(bridge->loop));
    look_for_link(bridge, loop_now(bridge->loop));
    LIST_EACH(&bridge->ends, node)
    {
        struct bridge_end *end = CONTAINER_OF(node, struct bridge_end, node);
        if (bridge->draining && end->give && bridge_give_is_drained(end->give))
            bridge_link_end(end->link, "drained");
    }
}

int bridge_check(const char *addresses, struct failure *failure)
{
    struct str address, host;
    uint16_t port;
    int err = 0;
    for (unsigned i = 0; !err && bridge_address(addresses, i, &address); i++) {
        err = endpoint_split(address, &host, &port, failure);
        if (!err && (port == 0 || host.len == 0))
            err = fail(failure, ERR_INVALID,
                       "\"%.*s\" cannot be called: write HOST:PORT, with a "
                       "port from 1 to 65535",
                       STR_FMT(address));
        if (!err && address.len >= ADDRESS_LIST)
            err = fail(failure, ERR_INVALID, "an address is longer than %d bytes", ADDRESS_LIST);
    }
    return err;
}

int bridge_connect(const struct bridge_dial *dial, struct bridge **out, struct failure *failure)
{
    struct bridge *bridge = bridge_new(dial->queue, dial->tls, dial->log, failure);
    uint64_t seed;
    *out = NULL;
    if (!bridge)
        return ERR_NOMEM;
    random_secret(&seed, sizeof seed);
    random_seed(&bridge->random, seed);
    bridge->dial = *dial;
    bridge->greet = greet;
    bridge->lost = lost;
    bridge->wait_ns = WAIT_FIRST_MS * MS_NS;
    bridge->again.fire = try_now;
    bridge->drain_post.run = drain;
    int err = bridge_check(dial->addresses, failure);
    if (!err && (!(bridge->resolver = resolver_new(bridge->loop, on_address, bridge)) ||
                 loop_timer_set(bridge->loop, &bridge->again, clock_mono_ns()) != 0))
        err = fail(failure, ERR_NOMEM, "no memory for a bridge");
    use_place(bridge, 0);
    err = err ? err : bridge_start(bridge, failure);
    if (err)
        bridge_free(bridge);
    else
        *out = bridge;
    return err;
}

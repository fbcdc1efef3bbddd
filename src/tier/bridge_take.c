#include "tier/bridge_take.h"

#include "base/check.h"
#include "base/clock.h"
#include "tier/bell.h"
#include "tier/bridge_call.h"
#include "tier/poller.h"

#include <stdlib.h>
#include <string.h>

enum { PULLED_AT_ONCE = 16 };

/* A request that is on its way or at the other end. */
struct take_call {
    struct bridge_call call;
    bool begun, asked;
};

struct bridge_take {
    struct loop *loop;
    struct queue *queue;
    struct bridge_link *link;
    unsigned seat, slots;
    uint32_t window, granted;
    uint64_t numbers; /* given to requests */
    struct bell bell;
    struct soon pull_soon;
    struct poller poller;
    unsigned open;
    struct queue_report report; /* of the other end, as it came last */
    bool draining;
    struct take_call calls[];
};

/* ---- To the giver ---- */

static void forget(struct bridge_take *take, unsigned slot)
{
    take->calls[slot].call.id = 0;
    take->open--;
}

static void fill_facts(const struct bridge_take *take, unsigned slot,
                       struct bridge_message *message)
{
    const struct queue_facts *facts = queue_facts(take->queue, slot);
    uint64_t now_ns = loop_now(take->loop);
    message->class = facts->class;
    message->tls = facts->tls;
    message->peer = str_make(facts->peer, strnlen(facts->peer, sizeof facts->peer));
    message->left_ns = facts->deadline_ns > now_ns ? facts->deadline_ns - now_ns : 0;
    message->age_ns = now_ns > facts->entered_ns ? now_ns - facts->entered_ns : 0;
}

/* One frame of it; false: there is no more to be sent now. */
static bool send_piece(struct bridge_take *take, unsigned slot, struct pipe *up)
{
    struct take_call *call = &take->calls[slot];
    struct bridge_message message = {.kind = call->begun ? BRIDGE_MORE : BRIDGE_REQUEST};
    bool ended = pipe_has_ended(up); /* asked first: then what is there is all */
    if (!bridge_call_piece(&call->call, up, ended, &message) && call->begun)
        return false;
    if (!call->begun)
        fill_facts(take, slot, &message);
    bridge_call_send(&call->call, take->link, up, &message);
    call->begun = true;
    call->asked = message.end;
    return !message.end;
}

static void send_request(struct bridge_take *take, unsigned slot)
{
    struct take_call *call = &take->calls[slot];
    struct pipe up = queue_up(take->queue, slot);
    uint64_t credit = call->call.credit;
    while (!call->asked && bridge_link_has_room(take->link) && send_piece(take, slot, &up))
        ;
    if (call->call.credit < credit && !pipe_has_ended(&up))
        queue_tell_front(take->queue, slot);
}

static void begin(struct bridge_take *take, unsigned slot)
{
    take->calls[slot] = (struct take_call){
        .call = {.id = bridge_id(++take->numbers, slot), .credit = take->window}};
    take->granted--;
    take->open++;
    send_request(take, slot);
}

static void pull(struct bridge_take *take)
{
    for (unsigned i = 0; take->granted > 0 && bridge_link_has_room(take->link); i++) {
        if (i == PULLED_AT_ONCE) {
            loop_soon(take->loop, &take->pull_soon);
            return;
        }
        unsigned slot = queue_pull(take->queue, take->seat, loop_now_refresh(take->loop));
        if (slot == QUEUE_NONE) {
            poller_wait(&take->poller, loop_now(take->loop));
            return;
        }
        poller_took(&take->poller);
        begin(take, slot);
    }
    if (queue_length(take->queue) > 0)
        queue_pass_on(take->queue);
}

static void pull_more(struct soon *soon)
{
    pull(CONTAINER_OF(soon, struct bridge_take, pull_soon));
}

/* ---- News from the fronts ---- */

static void look(struct bridge_take *take, unsigned slot)
{
    struct bridge_call *call = &take->calls[slot].call;
    if (call->id == 0)
        return;
    if (queue_state(take->queue, slot) == QUEUE_ABANDONED) {
        bridge_link_send(
            take->link,
            &(struct bridge_message){.kind = BRIDGE_GONE, .id = call->id, .why = BRIDGE_UNWANTED});
        forget(take, slot);
        queue_done(take->queue, slot, 0);
        return;
    }
    send_request(take, slot);
    struct pipe down = queue_down(take->queue, slot);
    bridge_call_tell_room(call, take->link, &down);
}

static void look_at_all(struct bridge_take *take)
{
    for (unsigned slot = 0; take->open > 0 && slot < take->slots; slot++)
        look(take, slot);
}

static void hear_of(struct bell *bell, unsigned slot)
{
    look(CONTAINER_OF(bell, struct bridge_take, bell), slot);
}

static void hear_of_all(struct bell *bell)
{
    look_at_all(CONTAINER_OF(bell, struct bridge_take, bell));
}

static void heard(struct bell *bell)
{
    pull(CONTAINER_OF(bell, struct bridge_take, bell));
}

static const struct bell_kind bell_kind = {
    .look = hear_of,
    .look_at_all = hear_of_all,
    .looked = heard,
};

void bridge_take_drained(struct bridge_take *take)
{
    look_at_all(take);
    pull(take);
}

void bridge_take_drain(struct bridge_take *take)
{
    if (take->draining)
        return;
    take->draining = true;
    poller_stop(&take->poller);
    take->granted = 0;
    queue_busy(take->queue, take->seat);
    queue_pass_on(take->queue);
}

unsigned bridge_take_open(const struct bridge_take *take)
{
    return take->open;
}

/* ---- From the giver ---- */

static void finish(struct bridge_take *take, unsigned slot, uint64_t work_ns)
{
    struct pipe down = queue_down(take->queue, slot);
    pipe_end(&down);
    forget(take, slot);
    if (queue_done(take->queue, slot, work_ns))
        queue_tell_front(take->queue, slot);
}

/* False: more than there is room for, which it had been told. */
static bool take_answer(struct bridge_take *take, unsigned slot,
                        const struct bridge_message *message)
{
    struct pipe down = queue_down(take->queue, slot);
    if (pipe_put(&down, message->bytes.at, message->bytes.len) < message->bytes.len)
        return false;
    if (message->end)
        finish(take, slot, message->work_ns);
    else
        queue_tell_front(take->queue, slot);
    return true;
}

/* In place of the answer, of which nothing has come. */
static void answer_busy(struct bridge_take *take, unsigned slot)
{
    _Static_assert(sizeof QUEUE_TOO_MANY - 1 == 66, "its Content-Length");
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Content-Length: 66\r\nConnection: close\r\n\r\n" QUEUE_TOO_MANY;
    struct pipe down = queue_down(take->queue, slot);
    if (pipe_room(&down) == down.size)
        pipe_put(&down, busy, sizeof busy - 1);
    finish(take, slot, 0);
}

static void take_gone(struct bridge_take *take, unsigned slot, enum bridge_why why)
{
    if (why == BRIDGE_REFUSED || why == BRIDGE_OVERDUE) {
        answer_busy(take, slot);
        return;
    }
    forget(take, slot);
    queue_give_back(take->queue, slot);
}

static void take_grant(struct bridge_take *take, uint32_t count)
{
    if (count == 0) {
        take->granted = 0;
        poller_stop(&take->poller);
        queue_busy(take->queue, take->seat);
        bridge_link_send(take->link, &(struct bridge_message){.kind = BRIDGE_PULL});
        return;
    }
    if (take->draining)
        return;
    take->granted += count;
    if (take->granted > BRIDGE_PULL_MAX)
        take->granted = BRIDGE_PULL_MAX;
    loop_soon(take->loop, &take->pull_soon);
}

static bool take_of_call(struct bridge_take *take, const struct bridge_message *message)
{
    unsigned slot = bridge_slot(message->id);
    if (slot >= take->slots || take->calls[slot].call.id != message->id)
        return true; /* it is over here: the other end learns it in a moment */
    switch (message->kind) {
    case BRIDGE_ANSWER:
        return take_answer(take, slot, message);
    case BRIDGE_ROOM:
        take->calls[slot].call.credit += message->count;
        send_request(take, slot);
        return true;
    case BRIDGE_GONE:
        take_gone(take, slot, message->why);
        return true;
    default:
        return false;
    }
}

bool bridge_take_receive(struct bridge_take *take, const struct bridge_message *message)
{
    switch (message->kind) {
    case BRIDGE_PULL:
        take_grant(take, message->count);
        return true;
    case BRIDGE_PING:
        take->report = message->report;
        return true;
    case BRIDGE_ANSWER:
    case BRIDGE_ROOM:
    case BRIDGE_GONE:
        return message->id != 0 && take_of_call(take, message);
    default:
        return false;
    }
}

void bridge_take_tick(struct bridge_take *take, uint64_t now_ns)
{
    struct queue_report report = take->report;
    report.beat_ns = now_ns;
    report.open = take->open;
    report.draining |= take->draining;
    queue_report(take->queue, take->seat, &report);
    pull(take);
}

/* ---- Made and freed ---- */

int bridge_take_new(struct loop *loop, struct queue *queue, struct bridge_link *link,
                    uint32_t window, const struct queue_far *far, struct bridge_take **out,
                    struct failure *failure)
{
    unsigned slots = queue_slots(queue);
    struct bridge_take *take = calloc(1, sizeof *take + slots * sizeof(struct take_call));
    *out = NULL;
    if (!take)
        return fail(failure, ERR_NOMEM, "no memory for a bridge");
    take->loop = loop;
    take->queue = queue;
    take->link = link;
    take->window = window;
    take->slots = slots;
    take->report.helpers = 1;
    list_init(&take->pull_soon.node);
    take->pull_soon.run = pull_more;
    int err = queue_join_far(queue, QUEUE_WORKER, far, &take->seat, failure);
    if (err) {
        free(take);
        return err;
    }
    poller_init(&take->poller, loop, queue, take->seat);
    err = bell_start(&take->bell, &bell_kind, loop, queue, take->seat, failure);
    if (err) {
        queue_leave(queue, take->seat);
        free(take);
        return err;
    }
    *out = take;
    return 0;
}

void bridge_take_free(struct bridge_take *take)
{
    if (!take)
        return;
    loop_soon_cancel(&take->pull_soon);
    poller_stop(&take->poller);
    bell_stop(&take->bell);
    queue_leave(take->queue, take->seat);
    free(take);
}

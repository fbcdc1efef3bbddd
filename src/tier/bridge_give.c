#include "tier/bridge_give.h"

#include "base/check.h"
#include "base/clock.h"
#include "tier/bell.h"
#include "tier/bridge_call.h"
#include "tier/bridge_ping.h"

#include <stdlib.h>
#include <string.h>

enum {
    PUSHED_AT_ONCE = 64,
    AHEAD_LEAST = 2,
    LEFT_MAX_S = 3600,
};

struct bridge_give {
    struct loop *loop;
    struct queue *queue;
    struct bridge_link *link;
    struct bridge_appetite appetite;
    uint32_t ahead_most;
    struct bridge_rate rate;
    struct queue_report report; /* of the other end, as it came last */
    unsigned seat, slots;
    uint32_t window, granted, open;
    bool draining, drained;
    struct bell bell;
    struct soon push_soon;
    unsigned pushed[PUSHED_AT_ONCE], push_count; /* filled in this turn */
    uint16_t slot_of[QUEUE_SLOTS_MAX];           /* by the taker's slot; QUEUE_NONE: none */
    struct bridge_call calls[];                  /* by our own */
};

/* ---- Grants ---- */

uint32_t bridge_grant(const struct bridge_appetite *appetite, uint32_t granted, uint32_t open,
                      uint32_t waiting)
{
    uint32_t there = granted + open, room = 0;
    if (there < appetite->work + appetite->ahead)
        room = appetite->work + appetite->ahead - there;
    if (granted + waiting < appetite->ahead && appetite->ahead - granted - waiting > room)
        room = appetite->ahead - granted - waiting;
    uint32_t most = there < appetite->most ? appetite->most - there : 0;
    return room < most ? room : most;
}

static void grant(struct bridge_give *give)
{
    if (give->draining)
        return;
    uint32_t more = bridge_grant(&give->appetite, give->granted, give->open,
                                 (uint32_t)queue_length(give->queue) + give->push_count);
    if (more == 0)
        return;
    give->granted += more;
    bridge_link_send(give->link, &(struct bridge_message){.kind = BRIDGE_PULL, .count = more});
}

void bridge_give_drain(struct bridge_give *give)
{
    if (give->draining)
        return;
    give->draining = true;
    bridge_link_send(give->link, &(struct bridge_message){.kind = BRIDGE_PULL});
}

bool bridge_give_is_drained(const struct bridge_give *give)
{
    return give->drained && give->open == 0;
}

/* ---- The end of a request ---- */

static void unpush(struct bridge_give *give, unsigned slot)
{
    for (unsigned i = 0; i < give->push_count; i++)
        if (give->pushed[i] == slot) {
            give->pushed[i] = give->pushed[--give->push_count];
            return;
        }
}

static void end_call(struct bridge_give *give, unsigned slot)
{
    struct bridge_call *call = &give->calls[slot];
    give->slot_of[bridge_slot(call->id)] = QUEUE_NONE;
    call->id = 0;
    give->open--;
    unpush(give, slot);
    queue_release(give->queue, slot);
}

static void say_gone(struct bridge_give *give, uint64_t id, enum bridge_why why)
{
    bridge_link_send(give->link,
                     &(struct bridge_message){.kind = BRIDGE_GONE, .id = id, .why = why});
}

/* ---- From the taker ---- */

static void push_all(struct soon *soon)
{
    struct bridge_give *give = CONTAINER_OF(soon, struct bridge_give, push_soon);
    unsigned count = give->push_count;
    give->push_count = 0;
    queue_push(give->queue, give->pushed, count);
}

/* Before the link's next message: PUSHED has room for one more then. */
static void push(struct bridge_give *give, unsigned slot)
{
    give->pushed[give->push_count++] = slot;
    if (give->push_count == PUSHED_AT_ONCE)
        push_all(&give->push_soon);
    else
        loop_soon(give->loop, &give->push_soon);
}

static void fill_facts(struct bridge_give *give, unsigned slot,
                       const struct bridge_message *message)
{
    struct queue_facts *facts = queue_facts(give->queue, slot);
    uint64_t now_ns = loop_now(give->loop), most_ns = LEFT_MAX_S * SEC_NS;
    str_copy(facts->peer, sizeof facts->peer, message->peer);
    facts->tls = message->tls;
    facts->deadline_ns = now_ns + (message->left_ns < most_ns ? message->left_ns : most_ns);
    facts->entered_ns = message->age_ns < now_ns ? now_ns - message->age_ns : 0;
}

/* False: more than there is room for, which it had been told. */
static bool take_bytes(struct bridge_give *give, unsigned slot,
                       const struct bridge_message *message)
{
    struct pipe up = queue_up(give->queue, slot);
    if (pipe_put(&up, message->bytes.at, message->bytes.len) < message->bytes.len)
        return false;
    if (message->end)
        pipe_end(&up);
    return true;
}

static bool take_request(struct bridge_give *give, const struct bridge_message *message)
{
    uint16_t *place = &give->slot_of[bridge_slot(message->id)];
    if (message->id == 0 || *place != QUEUE_NONE || give->granted == 0)
        return false;
    give->granted--;
    unsigned slot = queue_enter(give->queue, give->seat, message->class);
    if (slot == QUEUE_NONE) {
        say_gone(give, message->id, BRIDGE_REFUSED);
        grant(give);
        return true;
    }
    *place = (uint16_t)slot;
    give->calls[slot] = (struct bridge_call){.id = message->id, .credit = give->window};
    give->open++;
    fill_facts(give, slot, message);
    if (!take_bytes(give, slot, message))
        return false;
    push(give, slot);
    return true;
}

static void send_answer(struct bridge_give *give, unsigned slot);

static bool take_of_call(struct bridge_give *give, const struct bridge_message *message)
{
    unsigned slot = give->slot_of[bridge_slot(message->id)];
    if (slot == QUEUE_NONE || give->calls[slot].id != message->id)
        return true; /* it is over here: the other end learns it in a moment */
    switch (message->kind) {
    case BRIDGE_MORE:
        if (!take_bytes(give, slot, message))
            return false;
        queue_tell_worker(give->queue, slot);
        return true;
    case BRIDGE_ROOM:
        give->calls[slot].credit += message->count;
        send_answer(give, slot);
        return true;
    case BRIDGE_GONE:
        end_call(give, slot);
        return true;
    default:
        return false;
    }
}

bool bridge_give_receive(struct bridge_give *give, const struct bridge_message *message)
{
    switch (message->kind) {
    case BRIDGE_REQUEST:
        return take_request(give, message);
    case BRIDGE_MORE:
    case BRIDGE_ROOM:
    case BRIDGE_GONE:
        return take_of_call(give, message);
    case BRIDGE_PULL:
        give->granted = 0;
        give->drained = give->draining;
        return give->draining && message->count == 0;
    case BRIDGE_PING:
        give->report = message->report;
        return true;
    default:
        return false;
    }
}

/* ---- To the taker ---- */

/* One frame of the answer; false: there is no more to be sent now, and at its end the call is over.
 * The end goes when the worker has said what it took: it tells right after that. */
static bool send_piece(struct bridge_give *give, unsigned slot, struct pipe *down)
{
    struct bridge_call *call = &give->calls[slot];
    struct bridge_message message = {.kind = BRIDGE_ANSWER};
    enum queue_state state = queue_state(give->queue, slot);
    bool ended = pipe_has_ended(down) && (state == QUEUE_DONE || state == QUEUE_LOST);
    if (!bridge_call_piece(call, down, ended, &message))
        return false;
    if (message.end)
        message.work_ns = queue_work_ns(give->queue, slot);
    bridge_call_send(call, give->link, down, &message);
    if (message.end) {
        bridge_rate_count(&give->rate, loop_now(give->loop), 1);
        end_call(give, slot);
    }
    return !message.end;
}

static void send_answer(struct bridge_give *give, unsigned slot)
{
    struct pipe down = queue_down(give->queue, slot);
    uint64_t credit = give->calls[slot].credit;
    while (bridge_link_has_room(give->link) && send_piece(give, slot, &down))
        ;
    if (give->calls[slot].id != 0 && give->calls[slot].credit < credit && !pipe_has_ended(&down))
        queue_tell_worker(give->queue, slot);
}

static void look(struct bridge_give *give, unsigned slot)
{
    struct bridge_call *call = &give->calls[slot];
    if (call->id == 0)
        return;
    bool dropped = queue_state(give->queue, slot) == QUEUE_DROPPED;
    if (dropped || queue_is_lost(give->queue, slot)) {
        say_gone(give, call->id, dropped ? BRIDGE_OVERDUE : BRIDGE_LOST);
        end_call(give, slot);
        return;
    }
    struct pipe up = queue_up(give->queue, slot);
    bridge_call_tell_room(call, give->link, &up);
    send_answer(give, slot);
}

static void look_at_all(struct bridge_give *give)
{
    for (unsigned slot = 0; give->open > 0 && slot < give->slots; slot++)
        look(give, slot);
}

static void hear_of(struct bell *bell, unsigned slot)
{
    look(CONTAINER_OF(bell, struct bridge_give, bell), slot);
}

static void hear_of_all(struct bell *bell)
{
    look_at_all(CONTAINER_OF(bell, struct bridge_give, bell));
}

static void heard(struct bell *bell)
{
    grant(CONTAINER_OF(bell, struct bridge_give, bell));
}

static const struct bell_kind bell_kind = {
    .look = hear_of,
    .look_at_all = hear_of_all,
    .looked = heard,
};

void bridge_give_drained(struct bridge_give *give)
{
    look_at_all(give);
    grant(give);
}

/* ---- Time ---- */

void bridge_give_tick(struct bridge_give *give, uint64_t now_ns)
{
    for (unsigned slot = 0; give->open > 0 && slot < give->slots; slot++)
        if (give->calls[slot].id != 0 && queue_expire(give->queue, slot, now_ns))
            look(give, slot);
    struct queue_report report = give->report;
    report.beat_ns = now_ns;
    report.open = give->open;
    report.draining |= give->draining;
    queue_report(give->queue, give->seat, &report);
    grant(give);
}

void bridge_give_set_way(struct bridge_give *give, uint64_t way_ns)
{
    bridge_rate_count(&give->rate, loop_now(give->loop), 0);
    if (give->ahead_most > 0)
        give->appetite.ahead =
            bridge_ahead(bridge_rate_now(&give->rate), way_ns, AHEAD_LEAST, give->ahead_most);
}

/* ---- Made and freed ---- */

int bridge_give_new(struct loop *loop, struct queue *queue, struct bridge_link *link,
                    uint32_t window, const struct queue_far *far,
                    const struct bridge_appetite *appetite, struct bridge_give **out,
                    struct failure *failure)
{
    unsigned slots = queue_slots(queue);
    struct bridge_give *give = calloc(1, sizeof *give + slots * sizeof(struct bridge_call));
    *out = NULL;
    if (!give)
        return fail(failure, ERR_NOMEM, "no memory for a bridge");
    give->loop = loop;
    give->queue = queue;
    give->link = link;
    give->window = window;
    give->slots = slots;
    give->appetite = *appetite;
    give->ahead_most = appetite->ahead;
    bridge_give_set_way(give, 0);
    memset(give->slot_of, 0xff, sizeof give->slot_of);
    list_init(&give->push_soon.node);
    give->push_soon.run = push_all;
    int err = queue_join_far(queue, QUEUE_FRONT, far, &give->seat, failure);
    if (err) {
        free(give);
        return err;
    }
    err = bell_start(&give->bell, &bell_kind, loop, queue, give->seat, failure);
    if (err) {
        queue_leave(queue, give->seat);
        free(give);
        return err;
    }
    grant(give);
    *out = give;
    return 0;
}

void bridge_give_free(struct bridge_give *give)
{
    if (!give)
        return;
    loop_soon_cancel(&give->push_soon);
    bell_stop(&give->bell);
    queue_leave(give->queue, give->seat);
    free(give);
}

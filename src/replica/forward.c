#include "replica/forward.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/hello.h"

#include <stdlib.h>

enum {
    SLOTS_MIN = 1024,
    SLOTS_MAX = 64 * 1024, /* a power of two: commands sent and not answered */
    /* Of a frame that is being put together: flags and lengths beside the commands. */
    SHORT_LOOK_MS = 100, /* how often all are looked at for a deadline of their own */
    FRAME_ROOM = FORWARD_FRAME_MAX + ORDER_COMMAND_MAX + FORWARD_COMMANDS_MAX * 8 + 64,
};

/* A command that was sent: number N is in slot N modulo their count. */
struct slot {
    struct submission *submission; /* NULL: answered */
    bool again;                    /* it was sent before, elsewhere */
};

struct queue {
    struct submission *first, **last;
};

struct forward {
    struct forward_config config;
    struct queue pending;
    uint64_t term, server, link; /* the primary, as told */
    bool own;
    bool hold;               /* it says that it is not, or is busy: wait a little */
    uint64_t hold_until_ns;  /* 0: from the next pump on */
    uint64_t short_until_ns; /* until then there may be some with a deadline of their own */
    uint64_t short_look_ns;  /* when to look at all of them again */

    struct {
        uint64_t term, server, link; /* where to */
        struct slot *slots;
        size_t slot_count;
        uint64_t first, next; /* numbers: the oldest unanswered one, the next one to be given */
        size_t bytes;         /* unanswered */
        uint64_t frames[FORWARD_FRAMES]; /* the number after the last one of each */
        unsigned frame_count;
    } sent;
    struct buf frame;
};

int forward_new(const struct forward_config *config, struct forward **out)
{
    struct forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL)
        return ERR_NOMEM;
    forward->config = *config;
    if (forward->config.deadline_ms == 0)
        forward->config.deadline_ms = FORWARD_DEADLINE_MS;
    forward->pending.last = &forward->pending.first;
    buf_init(&forward->frame, FRAME_ROOM);
    *out = forward;
    return 0;
}

void forward_free(struct forward *forward)
{
    if (forward == NULL)
        return;
    CHECK(forward->pending.first == NULL && forward->sent.first == forward->sent.next);
    buf_close(&forward->frame);
    free(forward->sent.slots);
    free(forward);
}

/* ---- Chains ---- */

static void append(struct queue *queue, struct submission *first)
{
    if (first == NULL)
        return;
    *queue->last = first;
    while (first->next != NULL)
        first = first->next;
    queue->last = &first->next;
}

static void prepend(struct queue *queue, struct queue *chain)
{
    if (chain->first == NULL)
        return;
    *chain->last = queue->first;
    if (queue->first == NULL)
        queue->last = chain->last;
    queue->first = chain->first;
}

static void push(struct queue *queue, struct submission *submission)
{
    submission->next = NULL;
    *queue->last = submission;
    queue->last = &submission->next;
}

static struct submission *take_all(struct queue *queue)
{
    struct submission *first = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    return first;
}

/* ---- What was sent ---- */

static struct slot *slot_of(const struct forward *forward, uint64_t number)
{
    return &forward->sent.slots[number & (forward->sent.slot_count - 1)];
}

/* After answers: goes on to the oldest that is unanswered, and forgets the frames before it. */
static void advance(struct forward *forward)
{
    while (forward->sent.first < forward->sent.next &&
           slot_of(forward, forward->sent.first)->submission == NULL)
        forward->sent.first++;
    unsigned done = 0;
    while (done < forward->sent.frame_count && forward->sent.frames[done] <= forward->sent.first)
        done++;
    forward->sent.frame_count -= done;
    for (unsigned i = 0; i < forward->sent.frame_count; i++)
        forward->sent.frames[i] = forward->sent.frames[i + done];
}

static struct submission *empty_slot(struct forward *forward, struct slot *slot)
{
    struct submission *submission = slot->submission;
    slot->submission = NULL;
    forward->sent.bytes -= submission->command.len;
    return submission;
}

/* All that is sent and not answered: oldest first, to *CHAIN. */
static void take_sent(struct forward *forward, struct queue *chain)
{
    for (uint64_t number = forward->sent.first; number < forward->sent.next; number++) {
        struct slot *slot = slot_of(forward, number);
        if (slot->submission != NULL)
            push(chain, empty_slot(forward, slot));
    }
    advance(forward);
}

void forward_primary(struct forward *forward, uint64_t term, uint64_t server, uint64_t link,
                     bool own)
{
    if (term == forward->term && server == forward->server && link == forward->link &&
        own == forward->own)
        return;
    forward->term = term;
    forward->server = server;
    forward->link = link;
    forward->own = own;
    forward->hold = false;
    /* With nobody to send it to it stays where it is: its answer may be on its way. */
    bool known = own || (server != 0 && link != 0);
    bool same = !own && term == forward->sent.term && server == forward->sent.server &&
                link == forward->sent.link;
    if (!known || same)
        return;
    struct queue back = {.last = &back.first};
    take_sent(forward, &back);
    prepend(&forward->pending, &back);
}

/* ---- Sending ---- */

/* Room for COUNT more numbers. */
static bool make_slots(struct forward *forward, size_t count)
{
    size_t used = (size_t)(forward->sent.next - forward->sent.first);
    size_t wanted = forward->sent.slot_count == 0 ? SLOTS_MIN : forward->sent.slot_count;
    while (wanted < used + count)
        wanted *= 2;
    if (wanted == forward->sent.slot_count)
        return true;
    struct slot *slots = calloc(wanted, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint64_t number = forward->sent.first; number < forward->sent.next; number++)
        slots[number & (wanted - 1)] = *slot_of(forward, number);
    free(forward->sent.slots);
    forward->sent.slots = slots;
    forward->sent.slot_count = wanted;
    return true;
}

/* Writes a frame with what is at the front of pending; how many commands. */
static size_t encode(struct forward *forward)
{
    size_t free_slots = SLOTS_MAX - (size_t)(forward->sent.next - forward->sent.first);
    size_t most = free_slots < FORWARD_COMMANDS_MAX ? free_slots : FORWARD_COMMANDS_MAX;
    size_t count = 0, bytes = 0;
    buf_clear(&forward->frame);
    forward_put_begin(&forward->frame, forward->term, forward->sent.next);
    for (const struct submission *s = forward->pending.first; s != NULL; s = s->next) {
        if (count == most || (count > 0 && bytes + s->command.len > FORWARD_FRAME_MAX))
            break;
        forward_put_command(&forward->frame, &(struct forward_command){.patient = s->patient,
                                                                       .again = s->sent,
                                                                       .bytes = s->command});
        count++;
        bytes += s->command.len;
    }
    return forward->frame.failed ? 0 : count; /* without memory: later */
}

static void keep_sent(struct forward *forward, size_t count)
{
    forward->sent.term = forward->term;
    forward->sent.server = forward->server;
    forward->sent.link = forward->link;
    struct ordering *order = forward->config.order;
    for (size_t i = 0; i < count; i++) {
        struct submission *s = forward->pending.first;
        forward->pending.first = s->next;
        atomic_fetch_add_explicit(s->sent ? &order->resent : &order->forwarded, 1,
                                  memory_order_relaxed);
        *slot_of(forward, forward->sent.next++) = (struct slot){s, s->sent};
        s->sent = true;
        forward->sent.bytes += s->command.len;
    }
    if (forward->pending.first == NULL)
        forward->pending.last = &forward->pending.first;
    forward->sent.frames[forward->sent.frame_count++] = forward->sent.next;
}

static bool send_frame(struct forward *forward)
{
    const struct forward_config *config = &forward->config;
    size_t count = encode(forward);
    if (count == 0 || !make_slots(forward, count))
        return false;
    if (config->send(config->context, forward->server, forward->link, FRAME_COMMANDS,
                     buf_text(&forward->frame)) != 0)
        return false;
    keep_sent(forward, count);
    return true;
}

static uint64_t deadline_of(const struct forward *forward, const struct submission *s)
{
    uint32_t ms = s->deadline_ms ? s->deadline_ms : forward->config.deadline_ms;
    return s->submitted_ns + ms * MS_NS;
}

static void note_deadlines(struct forward *forward, const struct submission *first)
{
    for (const struct submission *s = first; s != NULL; s = s->next)
        if (s->deadline_ms != 0 && deadline_of(forward, s) > forward->short_until_ns)
            forward->short_until_ns = deadline_of(forward, s);
}

static bool held(struct forward *forward, uint64_t now_ns)
{
    if (forward->hold && forward->hold_until_ns == 0)
        forward->hold_until_ns = now_ns + FORWARD_HOLD_MS * MS_NS;
    if (forward->hold && now_ns >= forward->hold_until_ns)
        forward->hold = false;
    return forward->hold;
}

void forward_pump(struct forward *forward, uint64_t now_ns)
{
    struct submission *first = ordering_take(forward->config.order);
    note_deadlines(forward, first);
    append(&forward->pending, first);
    if (forward->own || forward->server == 0 || forward->link == 0 || held(forward, now_ns))
        return;
    while (forward->pending.first != NULL && forward->sent.frame_count < FORWARD_FRAMES &&
           forward->sent.bytes < FORWARD_IN_FLIGHT)
        if (!send_frame(forward))
            break;
}

struct submission *forward_take(struct forward *forward)
{
    CHECK(forward->own);
    return take_all(&forward->pending);
}

void forward_give_back(struct forward *forward, struct submission *first)
{
    struct queue back = {.last = &back.first};
    append(&back, first);
    prepend(&forward->pending, &back);
}

/* ---- Answers ---- */

static void hold_on(struct forward *forward)
{
    forward->hold = true;
    forward->hold_until_ns = 0;
}

/* One that is known: done, or back into *BACK. True: it was applied. */
static bool answered(struct forward *forward, struct slot *slot,
                     const struct forward_answer *answer, struct queue *back, struct queue *busy)
{
    bool again = slot->again;
    struct submission *submission = empty_slot(forward, slot);
    switch (answer->verdict) {
    case ANSWER_APPLIED:
        submission->done(submission, 0, answer->index, answer->result);
        return true;
    case ANSWER_BUSY:
        if (again) { /* what may have happened before cannot be said not to happen */
            push(back, submission);
            hold_on(forward);
        } else {
            submission->sent = false;
            push(busy, submission);
        }
        return false;
    case ANSWER_NOT_PRIMARY:
    case ANSWER_CLOSED:
        push(back, submission);
        hold_on(forward);
        return false;
    }
    return false;
}

int forward_answers(struct forward *forward, uint64_t server, uint64_t link, struct str payload)
{
    struct wire in;
    if (forward_open_answers(payload, &in) != 0)
        return ERR_INVALID;
    if (server != forward->sent.server || link != forward->sent.link)
        return 0; /* of before; all of that was sent again */
    struct queue back = {.last = &back.first}, busy = {.last = &busy.first};
    uint64_t applied = 0, bytes = 0;
    struct forward_answer answer;
    while (forward_next_answer(&in, &answer)) {
        if (answer.number < forward->sent.first || answer.number >= forward->sent.next)
            continue;
        struct slot *slot = slot_of(forward, answer.number);
        if (slot->submission == NULL)
            continue;
        size_t len = slot->submission->command.len;
        if (!answered(forward, slot, &answer, &back, &busy))
            continue;
        applied++;
        bytes += len;
    }
    advance(forward);
    prepend(&forward->pending, &back);
    if (applied > 0)
        ordering_answered(forward->config.order, applied, applied, bytes);
    ordering_end(forward->config.order, busy.first, ERR_BUSY);
    return 0;
}

/* ---- The end ---- */

/* Those without a deadline of their own: the oldest stand in front. */
static void expire_oldest(struct forward *forward, uint64_t now_ns, struct queue *late)
{
    while (forward->sent.first < forward->sent.next) {
        struct slot *slot = slot_of(forward, forward->sent.first);
        if (deadline_of(forward, slot->submission) >= now_ns)
            break;
        push(late, empty_slot(forward, slot));
        advance(forward);
    }
    while (forward->pending.first != NULL &&
           deadline_of(forward, forward->pending.first) < now_ns) {
        struct submission *s = forward->pending.first;
        forward->pending.first = s->next;
        push(late, s);
    }
    if (forward->pending.first == NULL)
        forward->pending.last = &forward->pending.first;
}

/* All: a read's barrier may stand behind purchases, which have more time. */
static void expire_all(struct forward *forward, uint64_t now_ns, struct queue *late)
{
    for (uint64_t number = forward->sent.first; number < forward->sent.next; number++) {
        struct slot *slot = slot_of(forward, number);
        if (slot->submission != NULL && deadline_of(forward, slot->submission) < now_ns)
            push(late, empty_slot(forward, slot));
    }
    advance(forward);
    struct submission *s = take_all(&forward->pending);
    while (s != NULL) {
        struct submission *next = s->next;
        push(deadline_of(forward, s) < now_ns ? late : &forward->pending, s);
        s = next;
    }
}

void forward_expire(struct forward *forward, uint64_t now_ns)
{
    struct queue late = {.last = &late.first};
    uint64_t look_ns = SHORT_LOOK_MS * MS_NS;
    if (now_ns < forward->short_look_ns || now_ns > forward->short_until_ns + 2 * look_ns) {
        expire_oldest(forward, now_ns, &late);
    } else {
        expire_all(forward, now_ns, &late);
        forward->short_look_ns = now_ns + look_ns;
    }
    ordering_end(forward->config.order, late.first, ERR_NOPRIMARY);
}

void forward_refuse(struct forward *forward, int err)
{
    struct queue all = {.last = &all.first};
    take_sent(forward, &all);
    append(&forward->pending, ordering_take(forward->config.order));
    append(&all, take_all(&forward->pending));
    ordering_end(forward->config.order, all.first, err);
}

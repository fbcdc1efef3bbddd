#include "outside/outbox_lane.h"

#include "base/check.h"
#include "base/clock.h"
#include "outside/outbox_places.h"

#include <stdlib.h>

enum {
    PAGE = 200,      /* rows read at once */
    MISSED_MOST = 3, /* answers in a row; see receiver_failed */
};

/* What is asked for beyond that is not believed. A sender may have a schedule of days for a row. */
#define RECEIVER_WAIT_MOST_MS (3600u * 1000)
#define ROW_WAIT_MOST_MS      (24 * 3600u * 1000)

/* ---- Open and close ---- */

static unsigned rows_of_receiver(const struct outbox_lane *lane)
{
    return lane->receiver_count == 1 ? OUTBOX_WINDOW : LANE_OF_MANY;
}

int lane_open(struct outbox_lane *lane, struct str name, const struct outbox_sender *sender)
{
    *lane = (struct outbox_lane){.sender = sender};
    str_copy(lane->name, sizeof lane->name, name);
    list_init(&lane->rows);
    lane->receiver_count = sender != NULL && sender->receiver != NULL ? LANE_RECEIVERS : 1;
    lane->receivers = calloc(lane->receiver_count, sizeof *lane->receivers);
    lane->seen_slots = 4 * lane->receiver_count * rows_of_receiver(lane);
    lane->seen = calloc(lane->seen_slots, sizeof *lane->seen);
    if (lane->receivers != NULL && lane->seen != NULL)
        return 0;
    lane_close(lane);
    return ERR_NOMEM;
}

static void forget_reading(struct outbox_lane *lane)
{
    if (lane->receivers != NULL)
        memset(lane->receivers, 0, lane->receiver_count * sizeof *lane->receivers);
    lane->row_count = lane->batches = lane->away = 0;
    memset(lane->left, 0, sizeof lane->left);
    lane->cursor = 0;
    lane->at_end = lane->announced = false;
}

void lane_forget(struct outbox_lane *lane, struct list *orphans)
{
    struct lane_row *announcement = lane->announcement;
    if (announcement != NULL) {
        list_append(&lane->rows, &announcement->link);
        lane->announcement = NULL;
    }
    LIST_EACH(&lane->rows, node)
    {
        struct lane_row *row = CONTAINER_OF(node, struct lane_row, link);
        list_remove(&row->link);
        if (row->state == ROW_ON_ITS_WAY) {
            row->lane = NULL;
            list_append(orphans, &row->link);
        } else {
            free(row);
        }
    }
    forget_reading(lane);
}

void lane_close(struct outbox_lane *lane)
{
    struct list none;
    list_init(&none);
    lane_forget(lane, &none);
    CHECK(list_empty(&none));
    free(lane->receivers);
    free(lane->seen);
    lane->receivers = NULL;
    lane->seen = NULL;
}

/* ---- Reading ---- */

void lane_look_again(struct outbox_lane *lane)
{
    lane->at_end = false;
}

void lane_try_now(struct outbox_lane *lane)
{
    for (unsigned i = 0; i < lane->receiver_count; i++)
        lane->receivers[i].due_ns = 0;
    if (lane->announcement != NULL)
        lane->announcement->due_ns = 0;
    LIST_EACH(&lane->rows, node)
    {
        CONTAINER_OF(node, struct lane_row, link)->due_ns = 0;
    }
}

/* The lane's only receiver is not passed over: reading stops when it has its rows. */
static bool is_full(const struct outbox_lane *lane)
{
    return lane->receiver_count == 1 && lane->row_count >= OUTBOX_WINDOW;
}

bool lane_wants(struct outbox_lane *lane, struct lane_reading *reading)
{
    *reading = (struct lane_reading){.after = lane->cursor, .limit = PAGE};
    if (lane->sender == NULL)
        return false;
    for (unsigned i = 0; i < lane->receiver_count; i++) {
        struct lane_receiver *receiver = &lane->receivers[i];
        if (receiver->passed_seq != 0 && receiver->rows <= rows_of_receiver(lane) / 2) {
            reading->of = receiver;
            reading->after = receiver->passed_seq - 1;
            return true;
        }
    }
    if (lane->receiver_count == 1 && OUTBOX_WINDOW - lane->row_count < PAGE)
        return false; /* a whole page, or it is read again and again for a row or two */
    return !lane->at_end && !is_full(lane);
}

static struct lane_row *row_new(struct outbox_lane *lane, const struct outbox_row *from)
{
    unsigned lines = from != NULL ? from->line_count : 0;
    struct lane_row *row = calloc(1, sizeof *row + 2 * lines * sizeof row->lines[0]);
    if (row == NULL)
        return NULL;
    row->lane = lane;
    row->announcement = from == NULL;
    row->receiver = &lane->receivers[0];
    if (from != NULL) {
        row->row = *from;
        row->row.lane = str_of(lane->name);
        row->row.lines = row->lines;
        if (lines > 0)
            memcpy(row->lines, from->lines, lines * sizeof row->lines[0]);
        row->answer_lines = row->lines + lines;
    }
    list_init(&row->link);
    return row;
}

static struct lane_receiver *receiver_of(struct outbox_lane *lane, const struct outbox_row *row)
{
    const struct outbox_sender *sender = lane->sender;
    return lane->receiver_count == 1 ? &lane->receivers[0]
                                     : places_take(lane, sender->receiver(sender->context, row));
}

static bool is_for(struct outbox_lane *lane, const struct lane_receiver *receiver,
                   const struct outbox_row *row)
{
    const struct outbox_sender *sender = lane->sender;
    return lane->receiver_count == 1 ||
           places_find(lane, sender->receiver(sender->context, row)) == receiver;
}

/* After those of a lower seq: nearly always at the end. */
static void insert(struct outbox_lane *lane, struct lane_row *row)
{
    struct list *node = lane->rows.prev;
    while (node != &lane->rows && CONTAINER_OF(node, struct lane_row, link)->row.seq > row->row.seq)
        node = node->prev;
    list_append(node->next, &row->link);
    lane->row_count++;
    row->receiver->rows++;
}

static int take_in(struct outbox_lane *lane, struct lane_receiver *receiver,
                   const struct outbox_row *from)
{
    if (receiver->rows >= rows_of_receiver(lane)) {
        receiver->passed_seq = from->seq;
        return 0;
    }
    struct lane_row *row = row_new(lane, from);
    if (row == NULL)
        return ERR_NOMEM;
    row->receiver = receiver;
    insert(lane, row);
    return 0;
}

/* Rows that were passed over, up to the cursor: what is after it comes with the new ones. */
static int take_passed(struct outbox_lane *lane, const struct lane_reading *reading,
                       const struct outbox_row *rows, unsigned count)
{
    struct lane_receiver *receiver = reading->of;
    for (unsigned i = 0; i < count && rows[i].seq <= lane->cursor; i++) {
        if (!is_for(lane, receiver, &rows[i]))
            continue;
        bool full = receiver->rows >= rows_of_receiver(lane);
        int err = take_in(lane, receiver, &rows[i]);
        if (err != 0)
            receiver->passed_seq = rows[i].seq;
        if (err != 0 || full)
            return err;
    }
    bool more = count == reading->limit && rows[count - 1].seq < lane->cursor;
    receiver->passed_seq = more ? rows[count - 1].seq + 1 : 0;
    return 0;
}

int lane_take_in(struct outbox_lane *lane, const struct lane_reading *reading,
                 const struct outbox_row *rows, unsigned count)
{
    if (reading->of != NULL)
        return take_passed(lane, reading, rows, count);
    for (unsigned i = 0; i < count; i++) {
        struct lane_receiver *receiver = receiver_of(lane, &rows[i]);
        int err = receiver->passed_seq == 0 ? take_in(lane, receiver, &rows[i]) : 0;
        if (err != 0)
            return err;
        lane->cursor = rows[i].seq;
    }
    lane->at_end = count < reading->limit;
    return 0;
}

/* ---- Sending ---- */

/* Orders of which a row that comes first is still to be answered. Two orders of one hash wait for
 * each other, which harms nobody. The slots are four times as many as rows can be. */
static uint64_t hash_of(struct id order)
{
    uint64_t hash; /* the end of an order's id is random */
    memcpy(&hash, order.bytes + sizeof order.bytes - sizeof hash, sizeof hash);
    return hash | 1;
}

static uint64_t *slot_of(const struct outbox_lane *lane, uint64_t hash)
{
    uint64_t at = hash >> 1;
    while (lane->seen[at % lane->seen_slots] != 0 && lane->seen[at % lane->seen_slots] != hash)
        at++;
    return &lane->seen[at % lane->seen_slots];
}

static bool is_seen(const struct outbox_lane *lane, uint64_t hash)
{
    return *slot_of(lane, hash) == hash;
}

static void see(struct outbox_lane *lane, uint64_t hash)
{
    *slot_of(lane, hash) = hash;
}

static void see_none(struct outbox_lane *lane)
{
    memset(lane->seen, 0, lane->seen_slots * sizeof *lane->seen);
}

struct batch {
    struct lane_row *first, *last;
    unsigned count;
};

static unsigned at_once(const struct outbox_lane *lane)
{
    unsigned wanted = lane->sender->at_once;
    return wanted > 0 && wanted < LANE_BATCHES ? wanted : LANE_BATCHES;
}

static unsigned at_once_of_receiver(const struct outbox_lane *lane)
{
    unsigned all = at_once(lane);
    return lane->receiver_count == 1 ? all : (all + 7) / 8;
}

static void lower(uint64_t *due_ns, uint64_t to)
{
    if (to < *due_ns)
        *due_ns = to;
}

/* Its receiver was away for it, and has taken what was sent after that: it is about the row. */
static bool is_alone(const struct lane_row *row)
{
    return row->alone || (row->failed_ns != 0 && row->receiver->took_sent_ns > row->failed_ns);
}

/* What is still to be sent of a batch goes, unless this server leads no more. */
static bool begin_batch(struct outbox_lane *lane, struct batch *batch,
                        const struct lane_sending *sending)
{
    struct lane_row *row = batch->first;
    if (row == NULL)
        return true;
    if (!sending->may(sending->context))
        return false;
    unsigned place = 0;
    while (lane->left[place] != 0)
        place++;
    lane->left[place] = (unsigned short)batch->count;
    row->receiver->on_their_way++;
    lane->batches++;
    sending->begun(sending->context, batch->count);
    for (unsigned i = 0; i < batch->count; i++) {
        row->state = ROW_ON_ITS_WAY;
        row->batch = place;
        row->sent_ns = sending->now_ns;
        row->fence = *sending->fence;
        row->outbox = sending->context;
        row->send.lane = lane->name;
        row->send.row = row->announcement ? NULL : &row->row;
        row->send.fence = &row->fence;
        row->send.alone = is_alone(row);
        row->send.done = sending->done;
        row->send.sender = NULL;
        see(lane, hash_of(row->row.order));
        row = row->send.next != NULL ? CONTAINER_OF(row->send.next, struct lane_row, send) : NULL;
    }
    struct outbox_send *first = &batch->first->send;
    bool announcement = batch->first->announcement;
    *batch = (struct batch){0};
    if (announcement) {
        lane->sender->announce(lane->sender->context, first);
    } else {
        crash_here(sending->crash, CRASH_outbox_sending);
        lane->sender->begin(lane->sender->context, first);
    }
    return true;
}

static void add_to_batch(struct batch *batch, struct lane_row *row)
{
    row->send.next = NULL;
    if (batch->last != NULL)
        batch->last->send.next = &row->send;
    else
        batch->first = row;
    batch->last = row;
    batch->count++;
}

/* Whether ROW, which waits, may go now for what its receiver and itself have been through. */
static bool is_due(const struct outbox_lane *lane, const struct lane_row *row, uint64_t now_ns,
                   uint64_t *due_ns)
{
    const struct lane_receiver *receiver = row->receiver;
    if (row->due_ns > now_ns) {
        lower(due_ns, row->due_ns);
        return false;
    }
    if (receiver->due_ns > now_ns) {
        lower(due_ns, receiver->due_ns);
        return false;
    }
    if (receiver->tries == 0)
        return receiver->on_their_way < at_once_of_receiver(lane);
    /* After failures one goes ahead. */
    return receiver->on_their_way == 0 && (row->announcement || receiver->turn == row);
}

/* For each receiver that is away, of the rows that could go, the one that was tried longest ago. */
static void choose_turns(struct outbox_lane *lane, uint64_t now_ns)
{
    for (unsigned i = 0; i < lane->receiver_count; i++)
        lane->receivers[i].turn = NULL;
    see_none(lane);
    LIST_EACH(&lane->rows, node)
    {
        struct lane_row *row = CONTAINER_OF(node, struct lane_row, link);
        struct lane_receiver *receiver = row->receiver;
        uint64_t hash = hash_of(row->row.order);
        bool could = row->state == ROW_WAITING && row->due_ns <= now_ns && !is_seen(lane, hash);
        see(lane, hash);
        if (could && receiver->tries > 0 &&
            (receiver->turn == NULL || row->sent_ns < receiver->turn->sent_ns))
            receiver->turn = row;
    }
}

static bool announce(struct outbox_lane *lane, const struct lane_sending *sending, uint64_t *due_ns)
{
    struct batch batch = {0};
    if (lane->announced || lane->sender->announce == NULL)
        return true;
    if (lane->announcement == NULL)
        lane->announcement = row_new(lane, NULL);
    if (lane->announcement == NULL) {
        lower(due_ns, sending->now_ns + OUTBOX_WAIT_LEAST_MS * MS_NS);
    } else if (lane->announcement->state == ROW_WAITING &&
               is_due(lane, lane->announcement, sending->now_ns, due_ns)) {
        add_to_batch(&batch, lane->announcement);
        begin_batch(lane, &batch, sending);
    }
    return false;
}

/* One that failed goes by itself, so that it spoils no others' batch again. */
static bool fits(const struct batch *batch, const struct lane_row *row, unsigned batch_max)
{
    return batch->count < batch_max && batch->first->receiver == row->receiver &&
           batch->first->row.kind == row->row.kind && batch->first->tries == 0 && row->tries == 0;
}

void lane_send(struct outbox_lane *lane, const struct lane_sending *sending, uint64_t *due_ns)
{
    struct batch batch = {0};
    if (lane->sender == NULL || !announce(lane, sending, due_ns) || lane->row_count == 0)
        return;
    unsigned batch_max = lane->sender->batch_max > 0 ? lane->sender->batch_max : 1;
    if (lane->away > 0)
        choose_turns(lane, sending->now_ns);
    see_none(lane);
    LIST_EACH(&lane->rows, node)
    {
        struct lane_row *row = CONTAINER_OF(node, struct lane_row, link);
        uint64_t hash = hash_of(row->row.order);
        if (batch.count > 0 && !fits(&batch, row, batch_max) && !begin_batch(lane, &batch, sending))
            return;
        if (lane->batches >= at_once(lane))
            return;
        if (row->state != ROW_WAITING || is_seen(lane, hash) ||
            !is_due(lane, row, sending->now_ns, due_ns))
            see(lane, hash);
        else
            add_to_batch(&batch, row);
    }
    begin_batch(lane, &batch, sending);
}

/* ---- Outcomes ---- */

uint64_t lane_wait_ns(unsigned tries, const struct lane_waits *waits, struct random *random)
{
    uint64_t wait_ms = waits->least_ms;
    for (unsigned i = 1; i < tries && wait_ms < waits->most_ms; i++)
        wait_ms *= 2;
    if (wait_ms > waits->most_ms)
        wait_ms = waits->most_ms;
    return wait_ms * MS_NS - random_below(random, wait_ms * MS_NS / 2 + 1);
}

static uint64_t wait_of(unsigned tries, uint32_t asked_ms, uint32_t asked_most_ms,
                        const struct lane_waits *waits, struct random *random)
{
    uint64_t asked_ns = (asked_ms < asked_most_ms ? asked_ms : asked_most_ms) * MS_NS;
    uint64_t wait_ns = lane_wait_ns(tries, waits, random);
    return wait_ns > asked_ns ? wait_ns : asked_ns;
}

/* One answer of many may get lost. A batch that fails says more, and so does the third in a row, or
 * a receiver that says how long it is to be left alone: then all that is for this receiver waits,
 * once for all that were on their way when it went. */
static void receiver_failed(struct outbox_lane *lane, struct lane_row *row, uint64_t now_ns,
                            const struct lane_waits *waits, struct random *random)
{
    struct lane_receiver *receiver = row->receiver;
    bool single = lane->sender->batch_max <= 1 && !row->announcement;
    row->due_ns = now_ns + lane_wait_ns(1, waits, random);
    if (single && row->wait_ms == 0 && ++receiver->missed < MISSED_MOST)
        return;
    if (receiver->tries > 0 && row->sent_ns < receiver->failed_ns)
        return;
    lane->away += receiver->tries++ == 0;
    receiver->failed_ns = now_ns;
    receiver->due_ns =
        now_ns + wait_of(receiver->tries, row->wait_ms, RECEIVER_WAIT_MOST_MS, waits, random);
}

static void receiver_took(struct outbox_lane *lane, const struct lane_row *row)
{
    struct lane_receiver *receiver = row->receiver;
    if (row->sent_ns > receiver->took_sent_ns)
        receiver->took_sent_ns = row->sent_ns;
    lane->away -= receiver->tries > 0;
    receiver->tries = receiver->missed = 0;
    receiver->due_ns = 0;
    if (lane->away == 0)
        lane->error[0] = 0;
}

/* It waits by itself, and what is for the same receiver does not. */
static void row_failed(struct lane_row *row, uint64_t now_ns, const struct lane_waits *waits,
                       struct random *random)
{
    row->tries++;
    row->due_ns = now_ns + wait_of(row->tries, row->wait_ms, ROW_WAIT_MOST_MS, waits, random);
}

static bool row_ended(struct outbox_lane *lane, struct lane_row *row)
{
    row->state = ROW_ANSWERED;
    row->receiver->rows--;
    list_remove(&row->link);
    lane->row_count--;
    return true;
}

static bool announcement_ended(struct outbox_lane *lane, struct lane_row *row)
{
    lane->announced = true;
    lane->announcement = NULL;
    free(row);
    return false;
}

bool lane_outcome(struct outbox_lane *lane, struct lane_row *row, uint64_t now_ns,
                  const struct lane_waits *waits, struct random *random)
{
    row->state = ROW_WAITING;
    if (--lane->left[row->batch] == 0) {
        lane->batches--;
        row->receiver->on_their_way--;
    }
    switch (row->sent) {
    case OUTBOX_SENT:
        receiver_took(lane, row);
        if (row->announcement)
            return announcement_ended(lane, row);
        lane->sent++;
        return row_ended(lane, row);
    case OUTBOX_SENT_NEVER:
        if (row->announcement) /* it knows of no fences: what it gets bears one nevertheless */
            return announcement_ended(lane, row);
        lane->refused++;
        str_copy(lane->error, sizeof lane->error, str_of(row->text));
        return row_ended(lane, row);
    case OUTBOX_SENT_OLD:
        row->receiver->missed = MISSED_MOST;
        row->wait_ms = row->wait_ms > waits->most_ms ? row->wait_ms : waits->most_ms;
        receiver_failed(lane, row, now_ns, waits, random);
        break;
    case OUTBOX_SENT_AWAY:
        row->alone = is_alone(row);
        if (row->alone)
            row_failed(row, now_ns, waits, random);
        else
            receiver_failed(lane, row, now_ns, waits, random);
        row->failed_ns = now_ns;
        break;
    case OUTBOX_SENT_LATER:
        row_failed(row, now_ns, waits, random);
        break;
    }
    lane->failed++;
    str_copy(lane->error, sizeof lane->error, str_of(row->text));
    return false;
}

uint32_t lane_wait_ms(const struct outbox_lane *lane, uint64_t now_ns)
{
    uint64_t wait_ns = 0;
    for (unsigned i = 0; i < lane->receiver_count; i++)
        if (lane->receivers[i].due_ns > now_ns && lane->receivers[i].due_ns - now_ns > wait_ns)
            wait_ns = lane->receivers[i].due_ns - now_ns;
    return (uint32_t)(wait_ns / MS_NS);
}

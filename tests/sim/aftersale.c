#include "aftersale.h"

#include "base/check.h"
#include "history.h"
#include "shop/order_events.h"
#include "shop/read.h"
#include "shopper.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORDERS = 1 << 12,  /* by the number of their purchase */
    EFFECTS = 1 << 15, /* by the number of their row */
    LINES = 4,
    ROWS = 5, /* brought at once */
    WAREHOUSES = 2,
};

static const char *const warehouse_names[WAREHOUSES] = {"main", "side"};

/* What the bank knows of an order. */
struct account {
    int64_t captured, refunded;
    bool canceled, refused;
};

/* What a warehouse has of an order. */
struct job {
    bool taken;
    uint32_t lines[LINES], quantity[LINES], shipped[LINES], canceled[LINES];
    unsigned line_count;
};

/* What somebody outside did for a row, and said. */
struct effect {
    bool done;
    struct id id;
    enum outbox_outcome outcome;
    struct order_quantity lines[LINES];
    unsigned line_count;
    char reference[16]; /* of a refund */
    bool taken_back;    /* that failed after it was made */
};

static struct {
    unsigned warehouses;
    unsigned closed; /* the one that is, from 1; 0: none */
    bool forgetful;  /* the bank */
    struct account accounts[ORDERS];
    struct job jobs[WAREHOUSES][ORDERS];
    struct effect effects[EFFECTS];
    uint32_t highest;          /* purchase that a warehouse has taken */
    uint64_t sent[WAREHOUSES]; /* reports */
    uint32_t parcels;
    /* By the log: */
    bool answered[EFFECTS];
    uint64_t reported[WAREHOUSES];
} outside;

static uint32_t order_at(struct id id)
{
    CHECK(history_number(id) < ORDERS);
    return history_number(id);
}

/* ---- The bank ---- */

static enum outbox_outcome bank_does(const struct outbox_row *row)
{
    struct account *account = &outside.accounts[order_at(row->order)];
    switch (row->kind) {
    case OUTBOX_CAPTURE:
        if (account->captured > 0)
            world_fail("order %llu is charged twice", (unsigned long long)row->order_number);
        account->refused = world_one_in(20);
        account->captured += account->refused ? 0 : row->amount;
        return account->refused ? OUTBOX_REFUSED : OUTBOX_DELIVERED;
    case OUTBOX_PAYMENT_CANCEL:
        if (account->canceled || account->captured > 0)
            world_fail("order %llu: the bank has nothing reserved for it",
                       (unsigned long long)row->order_number);
        account->canceled = true;
        account->refused = false;
        return OUTBOX_DELIVERED;
    default:
        if (world_one_in(20))
            return OUTBOX_REFUSED;
        account->refunded += row->amount;
        if (account->refunded > account->captured)
            world_fail("order %llu: %lld were taken and %lld given back",
                       (unsigned long long)row->order_number, (long long)account->captured,
                       (long long)account->refunded);
        return OUTBOX_DELIVERED;
    }
}

/* ---- Warehouses ---- */

static unsigned warehouse_number(struct str id)
{
    for (unsigned i = 0; i < WAREHOUSES; i++)
        if (str_eq(id, str_of(warehouse_names[i])))
            return i;
    world_fail("there is no warehouse %.*s", STR_FMT(id));
    return 0;
}

static unsigned line_in(const struct job *job, uint32_t line_id)
{
    unsigned at = 0;
    while (at < job->line_count && job->lines[at] != line_id)
        at++;
    return at;
}

static void warehouse_takes(struct job *job, const struct outbox_row *row)
{
    job->taken = true;
    for (unsigned i = 0; i < row->line_count; i++) {
        unsigned at = line_in(job, row->lines[i].line_id);
        CHECK(at < LINES);
        job->line_count += at == job->line_count;
        job->lines[at] = row->lines[i].line_id;
        if (job->quantity[at] < row->lines[i].quantity) /* all that it was ever given of it */
            job->quantity[at] = row->lines[i].quantity;
    }
}

/* What has not left is canceled, or, as it is packed already, a part of it. */
static void warehouse_cancels(struct job *job, const struct outbox_row *row, struct effect *effect)
{
    for (unsigned i = 0; i < row->line_count; i++) {
        unsigned at = line_in(job, row->lines[i].line_id);
        if (at == job->line_count)
            world_fail("order %llu: line %u is to be canceled where it never was",
                       (unsigned long long)row->order_number, row->lines[i].line_id);
        uint32_t left = job->quantity[at] - job->shipped[at] - job->canceled[at];
        uint32_t gone = row->lines[i].quantity < left ? row->lines[i].quantity : left;
        gone = world_one_in(4) ? (uint32_t)world_pick(gone + 1u) : gone;
        job->canceled[at] += gone;
        effect->lines[effect->line_count++] = (struct order_quantity){row->lines[i].line_id, gone};
    }
}

/* ---- Effects, once each ---- */

static const struct effect *carry_out(const struct outbox_row *row)
{
    struct effect *effect = &outside.effects[row->seq % EFFECTS];
    bool bank = row->kind <= OUTBOX_REFUND;
    if (effect->done && !id_eq(effect->id, row->effect))
        world_fail("row %llu has another effect than before", (unsigned long long)row->seq);
    if (effect->done && !(bank && outside.forgetful))
        return effect;
    *effect = (struct effect){.done = true, .id = row->effect};
    if (bank) {
        effect->outcome = bank_does(row);
        if (row->kind == OUTBOX_REFUND && effect->outcome == OUTBOX_DELIVERED)
            snprintf(effect->reference, sizeof effect->reference, "re_%llu",
                     (unsigned long long)row->seq);
    } else if (row->kind == OUTBOX_SHIP || row->kind == OUTBOX_CANCEL) {
        unsigned which = warehouse_number(str_from(row->lane, sizeof "warehouse/" - 1));
        struct job *job = &outside.jobs[which][order_at(row->order)];
        if (outside.highest < history_number(row->order))
            outside.highest = history_number(row->order);
        if (row->kind == OUTBOX_SHIP)
            warehouse_takes(job, row);
        else
            warehouse_cancels(job, row, effect);
    }
    return effect;
}

/* ---- The courier ---- */

struct bag {
    struct str lane;
    struct arena *arena;
    struct outbox_row *rows;
    unsigned count;
};

static void look_into_lane(void *context, const struct server *server, struct reader *reader)
{
    struct bag *bag = context;
    (void)server;
    arena_reset(bag->arena);
    CHECK(reader_outbox(reader, bag->arena, bag->lane, 0, ROWS, &bag->rows, &bag->count) == 0);
}

static void look_at_lanes(void *context, const struct server *server, struct reader *reader)
{
    struct bag *bag = context;
    struct outbox_lane_count *lanes;
    unsigned count;
    (void)server;
    arena_reset(bag->arena);
    CHECK(reader_outbox_lanes(reader, bag->arena, &lanes, &count) == 0);
    bag->lane = count > 0 ? lanes[world_pick(count)].lane : STR("");
}

static void bring(struct shopper *courier, struct bag *bag)
{
    struct outbox_answer answers[ROWS];
    unsigned count = 0;
    for (unsigned i = 0; i < bag->count; i++) {
        struct effect *effect = (struct effect *)(uintptr_t)carry_out(&bag->rows[i]);
        if (world_one_in(5))
            break; /* the answer is lost, and the lane is blocked until it is brought again */
        answers[count++] = (struct outbox_answer){.seq = bag->rows[i].seq,
                                                  .outcome = effect->outcome,
                                                  .lines = effect->lines,
                                                  .line_count = effect->line_count,
                                                  .text = str_of(effect->reference)};
    }
    if (count == 0)
        return;
    struct command done = {.type = COMMAND_OUTBOX_DONE,
                           .outbox = {.answers = answers, .count = count}};
    if (shopper_ask(courier, &done) != 0)
        world_fail("answers are refused: %.*s", STR_FMT(shopper_result(courier)->text));
}

/* ---- Reports ---- */

static void report(struct shopper *courier, unsigned which, struct warehouse_report report)
{
    report.warehouse = str_of(warehouse_names[which]);
    report.epoch = history_id(ID_EPOCH, which);
    report.sequence = ++outside.sent[which];
    report.change.actor = STR("warehouse");
    struct command command = {.type = COMMAND_WAREHOUSE_REPORT, .report = report};
    for (unsigned times = world_one_in(4) ? 2 : 1; times > 0; times--)
        if (shopper_ask(courier, &command) != 0)
            world_fail("a report of %s is refused: %.*s", warehouse_names[which],
                       STR_FMT(shopper_result(courier)->text));
}

/* Sends some of what JOB has left; false: nothing. */
static bool send_parcel(struct shopper *courier, unsigned which, uint32_t purchase)
{
    struct job *job = &outside.jobs[which][purchase];
    struct order_quantity lines[LINES];
    unsigned count = 0;
    for (unsigned i = 0; i < job->line_count; i++) {
        uint32_t left = job->quantity[i] - job->shipped[i] - job->canceled[i];
        uint32_t some = left > 0 ? (uint32_t)world_between(1, left) : 0;
        job->shipped[i] += some;
        if (some > 0)
            lines[count++] = (struct order_quantity){job->lines[i], some};
    }
    if (count == 0)
        return false;
    struct order_change change = {.id = history_id(ID_CHECKOUT, purchase),
                                  .lines = lines,
                                  .line_count = count,
                                  .parcel = {.id = history_id(ID_PARCEL, ++outside.parcels),
                                             .warehouse = str_of(warehouse_names[which])}};
    report(courier, which, (struct warehouse_report){.kind = REPORT_SHIPPED, .change = change});
    if (world_one_in(2))
        report(courier, which,
               (struct warehouse_report){.kind = REPORT_DELIVERED, .change = change});
    return true;
}

/* One parcel of any order; false: there is nothing to be sent. */
static bool send_something(struct shopper *courier)
{
    uint32_t count = outside.highest + 1, start = (uint32_t)world_pick(count);
    for (unsigned which = 0; which < outside.warehouses; which++)
        for (uint32_t i = 0; i < count; i++) {
            uint32_t purchase = (start + i) % count;
            if (outside.jobs[which][purchase].taken && send_parcel(courier, which, purchase))
                return true;
        }
    return false;
}

static void goods_arrive(struct shopper *courier)
{
    unsigned which = (unsigned)world_pick(outside.warehouses);
    report(courier, which,
           (struct warehouse_report){.kind = REPORT_ARRIVED,
                                     .item = str_of(item_names[world_pick(ITEMS)]),
                                     .quantity = (int64_t)world_between(1, 4)});
}

/* ---- Warehouses come and go ---- */

static void put_warehouse(struct shopper *owner, unsigned which, bool closed)
{
    struct command command = {.type = COMMAND_WAREHOUSE_PUT,
                              .operation = shopper_operation(),
                              .warehouse = {.id = str_of(warehouse_names[which]),
                                            .url = STR("https://127.0.0.1:1"),
                                            .position = which,
                                            .closed = closed}};
    if (shopper_ask(owner, &command) != 0)
        world_fail("a warehouse is refused: %.*s", STR_FMT(shopper_result(owner)->text));
}

/* One of two is closed, and what it has goes to the other; or it is opened again. */
static void close_or_open(struct shopper *owner)
{
    unsigned was = outside.closed;
    struct command expire = {.type = COMMAND_EXPIRE, .limit = 20};
    outside.closed = was > 0 ? 0 : 1 + (unsigned)world_pick(WAREHOUSES);
    put_warehouse(owner, (was > 0 ? was : outside.closed) - 1, was == 0);
    if (was == 0 && world_one_in(2)) /* at once, or some day */
        shopper_ask(owner, &expire);
}

bool courier_works(struct shopper *courier, bool shop_is_quiet)
{
    struct bag bag = {.arena = shopper_arena(courier)};
    if (outside.warehouses > 0 && !shop_is_quiet && world_one_in(6))
        goods_arrive(courier);
    if (outside.warehouses == WAREHOUSES && !shop_is_quiet && world_one_in(12))
        close_or_open(courier);
    if (world_one_in(3) && send_something(courier))
        return true;
    if (!shopper_look(courier, look_at_lanes, &bag))
        return true;
    if (bag.lane.len == 0)
        return !shop_is_quiet || send_something(courier);
    char name[80];
    CHECK(bag.lane.len < sizeof name);
    memcpy(name, bag.lane.at, bag.lane.len);
    bag.lane = str_make(name, bag.lane.len);
    if (shopper_look(courier, look_into_lane, &bag))
        bring(courier, &bag);
    return true;
}

/* ---- The office ---- */

void aftersale_open(struct shopper *owner)
{
    outside.warehouses = (unsigned)world_pick(WAREHOUSES + 1);
    for (unsigned i = 0; i < outside.warehouses; i++)
        put_warehouse(owner, i, false);
}

/* A line of some order, as a copy shows it, and what the bank has to do with it. */
struct found {
    struct arena *arena;
    bool any;
    bool stuck; /* the bank could not do something */
    struct id id;
    struct line line;
    struct order_event refunded; /* the last refund that was made; number 0: none */
};

static void look_for_order(void *context, const struct server *server, struct reader *reader)
{
    struct found *found = context;
    struct order *orders;
    unsigned count;
    (void)server;
    arena_reset(found->arena);
    CHECK(reader_orders(reader, found->arena, 0, 30, &orders, &count) == 0);
    found->any = count > 0;
    if (count == 0)
        return;
    const struct order *order = &orders[world_pick(count)];
    found->id = order->id;
    found->line = order->basket.lines[world_pick(order->basket.line_count)];
    found->stuck = order->payment_state == PAYMENT_FAILED || order->unrefunded > 0;
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].type == ORDER_EVENT_REFUNDED)
            found->refunded = order->events[i];
}

/* The bank finds that a refund did not reach anybody, and tells it, maybe twice. */
static void bank_takes_back(struct shopper *office, const struct found *found)
{
    uint64_t seq;
    if (found->refunded.number == 0 || str_to_u64(str_from(found->refunded.text, 3), &seq) != 0)
        return;
    struct effect *refund = &outside.effects[seq % EFFECTS];
    if (!refund->taken_back)
        outside.accounts[order_at(found->id)].refunded -= found->refunded.amount;
    refund->taken_back = true;
    struct command command = {.type = COMMAND_ORDER_REFUND_FAILED,
                              .order = {.id = found->id, .reference = str_of(refund->reference)}};
    for (unsigned times = world_one_in(4) ? 2 : 1; times > 0; times--)
        if (shopper_ask(office, &command) != 0)
            world_fail("what the bank tells is refused: %.*s",
                       STR_FMT(shopper_result(office)->text));
}

void office_works(struct shopper *office)
{
    struct found found = {.arena = shopper_arena(office)};
    if (!shopper_look(office, look_for_order, &found) || !found.any)
        return;
    if (world_one_in(8)) {
        bank_takes_back(office, &found);
        return;
    }
    if (found.stuck && world_one_in(2)) {
        struct command retry = {.type = COMMAND_ORDER_RETRY,
                                .operation = shopper_operation(),
                                .order = {.id = found.id, .actor = STR("operator")}};
        shopper_ask(office, &retry); /* now and then it is being asked already */
        return;
    }
    bool sent = found.line.fulfilled > found.line.returned, open = order_open(&found.line) > 0;
    struct order_quantity line = {found.line.line_id, (uint32_t)world_between(1, 2)};
    struct command command = {.type = sent && world_one_in(2)   ? COMMAND_ORDER_RETURN
                                      : sent                    ? COMMAND_ORDER_REFUND
                                      : open && world_one_in(2) ? COMMAND_ORDER_SHIP
                                                                : COMMAND_ORDER_CANCEL,
                              .operation = shopper_operation(),
                              .order = {.id = found.id,
                                        .lines = &line,
                                        .line_count = 1,
                                        .amount = -1,
                                        .restock = world_one_in(2),
                                        .actor = STR("operator")}};
    if (command.type == COMMAND_ORDER_SHIP)
        command.order.parcel.id = history_id(ID_PARCEL, ++outside.parcels);
    if (command.type == COMMAND_ORDER_REFUND)
        command.order.amount = (int64_t)world_between(1, 700);
    if (command.type == COMMAND_ORDER_CANCEL && world_one_in(2)) {
        command.order.actor = STR("shopper");
        command.order.line_count = 0;
    }
    for (unsigned times = world_one_in(4) ? 2 : 1; times > 0; times--)
        shopper_ask(office, &command); /* now and then refused */
}

/* ---- What the log says ---- */

static void check_order(uint64_t index, const struct order *order)
{
    int64_t kept = order->captured - order->refunding - order->refunded - order->unrefunded;
    int64_t due = order_due(order);
    bool sound = due >= 0 && order->refunding >= 0 && order->refunded >= 0 &&
                 (order->payment_state != PAYMENT_CAPTURED || kept == due) &&
                 (order->payment_state != PAYMENT_CANCELED || due == 0);
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        sound = sound && line->fulfilled + line->canceled <= line->quantity &&
                line->returned <= line->fulfilled;
    }
    if (!sound)
        world_fail("entry %llu: order %llu: %lld are due, %lld taken, %lld being given back and "
                   "%lld given back (%s)",
                   (unsigned long long)index, (unsigned long long)order->number, (long long)due,
                   (long long)order->captured, (long long)order->refunding,
                   (long long)order->refunded, payment_state_name(order->payment_state));
}

static int item_of(const struct order *order, uint32_t line_id)
{
    for (unsigned i = 0; i < order->basket.line_count; i++)
        for (int item = 0; item < ITEMS; item++)
            if (order->basket.lines[i].line_id == line_id &&
                str_eq(order->basket.lines[i].item_key, str_of(item_names[item])))
                return item;
    return -1;
}

/* What came back and was not put on the shelves again is gone. */
static void lose(const struct command *command, const struct order *order, int64_t *arrived)
{
    for (unsigned i = 0; i < command->order.line_count && !command->order.restock; i++) {
        int item = item_of(order, command->order.lines[i].line_id);
        CHECK(item >= 0);
        arrived[item] -= command->order.lines[i].quantity;
    }
}

static void count_answers(uint64_t index, const struct command *command, uint64_t taken)
{
    uint64_t fresh = 0;
    for (unsigned i = 0; i < command->outbox.count; i++) {
        bool *answered = &outside.answered[command->outbox.answers[i].seq % EFFECTS];
        fresh += !*answered;
        *answered = true;
    }
    if (taken != fresh)
        world_fail("entry %llu: %llu answers counted; %llu of them are new",
                   (unsigned long long)index, (unsigned long long)taken, (unsigned long long)fresh);
}

static void count_report(const struct command *command, int64_t *arrived)
{
    const struct warehouse_report *report = &command->report;
    uint64_t *reported = &outside.reported[warehouse_number(report->warehouse)];
    if (report->sequence <= *reported)
        return;
    CHECK(report->sequence == *reported + 1);
    *reported = report->sequence;
    for (int item = 0; item < ITEMS && report->kind == REPORT_ARRIVED; item++)
        if (str_eq(report->item, str_of(item_names[item])))
            arrived[item] += report->quantity;
}

void aftersale_applied(uint64_t index, const struct command *command, const struct result *result,
                       bool again, int64_t *arrived)
{
    if (result->kind == RESULT_ORDER)
        check_order(index, &result->order);
    if (command->type == COMMAND_ORDER_RETURN && !again)
        lose(command, &result->order, arrived);
    if (command->type == COMMAND_OUTBOX_DONE)
        count_answers(index, command, result->number);
    if (command->type == COMMAND_WAREHOUSE_REPORT)
        count_report(command, arrived);
}

/* ---- The end ---- */

static void check_money(unsigned server, const struct order *order)
{
    const struct account *account = &outside.accounts[order_at(order->id)];
    enum payment_state state = order->payment_state;
    if (state == PAYMENT_CAPTURING || state == PAYMENT_CANCELING || order->refunding != 0)
        world_fail("server %u: order %llu: the bank is asked still", server + 1,
                   (unsigned long long)order->number);
    if (order->captured != account->captured || order->refunded != account->refunded ||
        (state == PAYMENT_CANCELED) != account->canceled ||
        (state == PAYMENT_FAILED) != account->refused)
        world_fail("server %u: order %llu: %lld taken and %lld given back (%s); the bank has %lld "
                   "and %lld",
                   server + 1, (unsigned long long)order->number, (long long)order->captured,
                   (long long)order->refunded, payment_state_name(state),
                   (long long)account->captured, (long long)account->refunded);
}

static void check_goods(unsigned server, const struct order *order)
{
    for (unsigned i = 0; i < order->allotment_count; i++) {
        const struct allotment *one = &order->allotments[i];
        unsigned which = warehouse_number(one->warehouse);
        const struct job *job = &outside.jobs[which][order_at(order->id)];
        unsigned at = line_in(job, one->line_id);
        if (at == job->line_count || job->quantity[at] != one->quantity ||
            job->shipped[at] != one->shipped || job->canceled[at] != one->canceled ||
            one->asked != 0 || one->recalled != 0)
            world_fail("server %u: order %llu, line %u: %s has another book of it", server + 1,
                       (unsigned long long)order->number, one->line_id, warehouse_names[which]);
    }
}

void aftersale_check(unsigned server, const char *file)
{
    struct reader *reader;
    struct failure failure;
    struct arena arena;
    struct order *orders;
    unsigned count = 1;
    uint64_t before = 0;
    if (reader_open(file, &reader, &failure) != 0)
        world_fail("server %u: its copy cannot be read: %s", server + 1, failure.text);
    arena_init(&arena, 64 << 20);
    while (count > 0) {
        arena_reset(&arena);
        CHECK(reader_orders(reader, &arena, before, 100, &orders, &count) == 0);
        for (unsigned i = 0; i < count; i++) {
            check_order(0, &orders[i]);
            check_money(server, &orders[i]);
            check_goods(server, &orders[i]);
            before = orders[i].number;
        }
    }
    arena_close(&arena);
    reader_close(reader);
}

void aftersale_break_bank(void)
{
    outside.forgetful = true;
}

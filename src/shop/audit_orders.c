/* Audit of orders: what each is now is folded again from its record and its events, and compared
 * with the rows that are kept for queries, with what its warehouses were given, its parcels, and
 * what of it is still to leave the cluster. */
#include "shop/auditing.h"
#include "shop/order.h"
#include "shop/order_events.h"

#include <stdarg.h>
#include <stdio.h>

/* Rows of a table in the order of order numbers, beside the orders. */
struct beside {
    struct stmt *stmt;
    const char *what;
    bool ended;
};

struct looking {
    struct auditing *audit;
    struct beside parcels, outbox;
};

static void say_about(struct auditing *audit, const struct order *order, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say_about(struct auditing *audit, const struct order *order, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    audit_say(audit, "order %llu: %s", (unsigned long long)order->number, text);
}

static void compare(struct auditing *audit, const struct order *order, const char *what,
                    int64_t recorded, int64_t derived)
{
    if (recorded != derived)
        say_about(audit, order, "%s is recorded as %lld, its events make it %lld", what,
                  (long long)recorded, (long long)derived);
}

/* ---- Rows beside ---- */

static void advance(struct beside *beside)
{
    beside->ended = stmt_next(beside->stmt) != 0;
}

static void open_beside(struct auditing *audit, struct beside *beside, const char *what,
                        const char *sql)
{
    *beside = (struct beside){db_stmt(audit->db, sql), what, false};
    advance(beside);
}

/* Whether the next row is of order NUMBER; those of orders that there are not are passed. */
static bool is_of(struct auditing *audit, struct beside *beside, uint64_t number)
{
    for (; !beside->ended && stmt_u64(beside->stmt, 0) < number; advance(beside))
        audit_say(audit, "%s of order %llu, which there is not", beside->what,
                  (unsigned long long)stmt_u64(beside->stmt, 0));
    return !beside->ended && stmt_u64(beside->stmt, 0) == number;
}

/* ---- Lines ---- */

static void check_line(struct auditing *audit, const struct order *order, const struct line *line,
                       struct stmt *row)
{
    if (line->variant_id != stmt_u64(row, 1) || line->quantity != stmt_u64(row, 2) ||
        line->unit_price != stmt_i64(row, 3) || line->discount != stmt_i64(row, 4))
        say_about(audit, order, "line %u: its row and its record differ", line->line_id);
    if (line->fulfilled != stmt_u64(row, 5) || line->canceled != stmt_u64(row, 6) ||
        line->returned != stmt_u64(row, 7))
        say_about(audit, order,
                  "line %u is recorded with %lld shipped, %lld canceled, %lld returned; its events "
                  "make it %u, %u, %u",
                  line->line_id, (long long)stmt_i64(row, 5), (long long)stmt_i64(row, 6),
                  (long long)stmt_i64(row, 7), line->fulfilled, line->canceled, line->returned);
}

static void check_lines(struct auditing *audit, const struct order *order)
{
    struct stmt *row = db_stmt(audit->db, "SELECT line_id, variant_id, quantity, unit_price,"
                                          " discount, shipped, canceled, returned FROM order_line"
                                          " WHERE number = ? ORDER BY line_id");
    stmt_bind_u64(row, 1, order->number);
    unsigned rows = 0;
    for (; stmt_next(row) == 0; rows++) {
        const struct line *line = order_line(order, (uint32_t)stmt_u64(row, 0));
        if (line)
            check_line(audit, order, line, row);
        else
            say_about(audit, order, "line row %lld is not of its record",
                      (long long)stmt_i64(row, 0));
    }
    if (rows != order->basket.line_count)
        say_about(audit, order, "its record has %u lines, there are %u line rows",
                  order->basket.line_count, rows);
    for (unsigned i = 0; i < order->basket.line_count; i++) {
        const struct line *line = &order->basket.lines[i];
        if ((uint64_t)line->fulfilled + line->canceled > line->quantity ||
            line->returned > line->fulfilled)
            say_about(
                audit, order, "line %u: of %u units %u were shipped, %u canceled and %u returned",
                line->line_id, line->quantity, line->fulfilled, line->canceled, line->returned);
    }
}

/* ---- Warehouses ---- */

static void check_allotment_rows(struct auditing *audit, const struct order *order)
{
    struct stmt *row = db_stmt(audit->db, "SELECT warehouse, line_id, variant_id, shipped, canceled"
                                          " FROM allotment WHERE number = ?"
                                          " ORDER BY warehouse, line_id");
    stmt_bind_u64(row, 1, order->number);
    for (unsigned i = 0; i < order->allotment_count && stmt_next(row) == 0; i++) {
        const struct allotment *one = &order->allotments[i];
        const struct line *line = order_line(order, one->line_id);
        if (!line || line->variant_id != stmt_u64(row, 2))
            say_about(audit, order, "warehouse %.*s ships line %u, which is of another item",
                      STR_FMT(one->warehouse), one->line_id);
        if (one->shipped != stmt_u64(row, 3) || one->canceled != stmt_u64(row, 4))
            say_about(audit, order,
                      "line %u at warehouse %.*s is recorded with %lld shipped and %lld canceled; "
                      "its events make it %u and %u",
                      one->line_id, STR_FMT(one->warehouse), (long long)stmt_i64(row, 3),
                      (long long)stmt_i64(row, 4), one->shipped, one->canceled);
        if ((uint64_t)one->shipped + one->canceled > one->quantity)
            say_about(audit, order,
                      "line %u: warehouse %.*s has to ship %u; %u are shipped and %u canceled",
                      one->line_id, STR_FMT(one->warehouse), one->quantity, one->shipped,
                      one->canceled);
    }
    stmt_done(row);
}

static bool is_allotted(const struct order *order, struct str warehouse, uint32_t line_id)
{
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (order->allotments[i].line_id == line_id &&
            str_eq(order->allotments[i].warehouse, warehouse))
            return true;
    return false;
}

/* What left a warehouse, or is left out there, was its own to ship. */
static void check_givers(struct auditing *audit, const struct order *order)
{
    for (unsigned i = 0; i < order->event_count; i++) {
        const struct order_event *event = &order->events[i];
        bool own = event->type == ORDER_EVENT_SHIPPED || event->type == ORDER_EVENT_CANCELED ||
                   event->type == ORDER_EVENT_CANCEL_ASKED || event->type == ORDER_EVENT_RECALLED ||
                   event->type == ORDER_EVENT_GIVEN_UP || event->type == ORDER_EVENT_ALLOTTED;
        for (unsigned k = 0; own && event->parcel.warehouse.len && k < event->line_count; k++)
            if (!is_allotted(order, event->parcel.warehouse, event->lines[k].line_id))
                say_about(audit, order,
                          "event %u (%s) is of line %u at warehouse %.*s, which was not given it",
                          event->number, order_event_name(event->type), event->lines[k].line_id,
                          STR_FMT(event->parcel.warehouse));
    }
}

/* Units of LINE_ID that one warehouse has given up, and another was given. */
static uint64_t moved(const struct order *order, uint32_t line_id)
{
    uint64_t units = 0;
    for (unsigned i = 0; i < order->event_count; i++)
        for (unsigned k = 0; k < order->events[i].line_count; k++)
            if (order->events[i].type == ORDER_EVENT_GIVEN_UP &&
                order->events[i].lines[k].line_id == line_id)
                units += order->events[i].lines[k].quantity;
    return units;
}

/* What the warehouses were given of each line is all of it, and what they did is what happened. */
static void check_allotments(struct auditing *audit, const struct order *order)
{
    check_allotment_rows(audit, order);
    check_givers(audit, order);
    for (unsigned i = 0; i < order->basket.line_count && order->allotment_count > 0; i++) {
        const struct line *line = &order->basket.lines[i];
        uint64_t quantity = 0, shipped = 0, canceled = 0, again = moved(order, line->line_id);
        for (unsigned k = 0; k < order->allotment_count; k++) {
            const struct allotment *one = &order->allotments[k];
            bool same = one->line_id == line->line_id;
            quantity += same ? one->quantity : 0;
            shipped += same ? one->shipped : 0;
            canceled += same ? one->canceled : 0;
        }
        if (quantity != (line->needs_shipping ? line->quantity + again : 0))
            say_about(audit, order, "line %u: of %u units warehouses were given %llu",
                      line->line_id, line->quantity, (unsigned long long)quantity);
        if (line->needs_shipping &&
            (shipped != line->fulfilled || canceled != line->canceled + again))
            say_about(audit, order,
                      "line %u: %u are shipped and %u canceled, by its warehouses %llu and %llu",
                      line->line_id, line->fulfilled, line->canceled, (unsigned long long)shipped,
                      (unsigned long long)canceled);
    }
}

static void check_parcels(struct looking *looking, const struct order *order)
{
    struct auditing *audit = looking->audit;
    uint32_t parcels = 0, events = 0;
    for (unsigned i = 0; i < order->event_count; i++)
        events += order->events[i].type == ORDER_EVENT_SHIPPED;
    for (; is_of(audit, &looking->parcels, order->number); advance(&looking->parcels)) {
        struct stmt *row = looking->parcels.stmt;
        uint64_t number = stmt_u64(row, 1);
        const struct order_event *event =
            number > 0 && number <= order->event_count ? &order->events[number - 1] : NULL;
        char id[ID_TEXT];
        parcels++;
        if (!event || event->type != ORDER_EVENT_SHIPPED ||
            !id_eq(event->parcel.id, stmt_id(row, 2)) ||
            !str_eq(event->parcel.warehouse, stmt_str(row, 3)))
            say_about(audit, order, "parcel %s is not what its event %llu tells",
                      id_text(stmt_id(row, 2), id), (unsigned long long)number);
    }
    if (parcels != events)
        say_about(audit, order, "%u parcels were shipped, %u are recorded", events, parcels);
}

/* ---- Money ---- */

/* What an event asks for outside; OUTBOX_KIND_COUNT: nothing. */
static enum outbox_kind asked_by(enum order_event_type type)
{
    switch (type) {
    case ORDER_EVENT_CAPTURE_BEGUN:
        return OUTBOX_CAPTURE;
    case ORDER_EVENT_PAYMENT_CANCEL_BEGUN:
        return OUTBOX_PAYMENT_CANCEL;
    case ORDER_EVENT_REFUND_BEGUN:
        return OUTBOX_REFUND;
    case ORDER_EVENT_CANCEL_ASKED:
    case ORDER_EVENT_RECALLED:
        return OUTBOX_CANCEL;
    default:
        return OUTBOX_KIND_COUNT;
    }
}

static bool is_answered(const struct order *order, uint32_t number)
{
    for (unsigned i = number; i < order->event_count; i++)
        if (order->events[i].of == number && order->events[i].type != ORDER_EVENT_DELIVERED)
            return true;
    return false;
}

/* The order's rows of the outbox: of each question that is open just one, of none other any. */
static void check_outbox(struct looking *looking, const struct order *order)
{
    struct auditing *audit = looking->audit;
    unsigned open = 0, rows = 0;
    for (unsigned i = 0; i < order->event_count; i++)
        open += asked_by(order->events[i].type) != OUTBOX_KIND_COUNT &&
                !is_answered(order, order->events[i].number);
    for (; is_of(audit, &looking->outbox, order->number); advance(&looking->outbox)) {
        struct stmt *row = looking->outbox.stmt;
        uint64_t number = stmt_u64(row, 1), kind = stmt_u64(row, 2);
        const struct order_event *event =
            number > 0 && number <= order->event_count ? &order->events[number - 1] : NULL;
        bool right = event && kind < OUTBOX_KIND_COUNT && id_eq(stmt_id(row, 4), order->id) &&
                     id_eq(stmt_id(row, 5), order_effect_id(order->id, event->epoch, event->number,
                                                            1 + (unsigned)kind));
        bool told = kind == OUTBOX_WEBHOOK || kind == OUTBOX_MAIL || kind == OUTBOX_SHIP;
        if (right && !told)
            right = asked_by(event->type) == kind && event->amount == stmt_i64(row, 3) &&
                    !is_answered(order, event->number);
        rows += right && !told;
        if (!right)
            say_about(audit, order, "row %llu of the outbox is of no open event of it",
                      (unsigned long long)stmt_u64(row, 6));
    }
    if (rows != open)
        say_about(audit, order,
                  "%u of its events wait for an answer from outside, %u are in the "
                  "outbox",
                  open, rows);
}

static void check_money(struct auditing *audit, const struct order *order)
{
    int64_t due = order_due(order), total = basket_total(&order->basket, TOTAL_TOTAL);
    int64_t kept = order->captured - order->refunded - order->unrefunded;
    if (due < 0 || due > total)
        say_about(audit, order, "%lld of its total of %lld are due", (long long)due,
                  (long long)total);
    if (order->captured > total || order->refunding < 0 || order->unrefunded < 0 ||
        kept < order->refunding)
        say_about(audit, order, "%lld were taken, %lld given back and %lld are being given back",
                  (long long)order->captured, (long long)order->refunded,
                  (long long)order->refunding);
    if (order->payment_state == PAYMENT_CAPTURED && kept - order->refunding != due)
        say_about(audit, order, "%lld were taken and not given back, %lld are due",
                  (long long)(kept - order->refunding), (long long)due);
    if (order->payment_state == PAYMENT_CANCELED && due != 0)
        say_about(audit, order, "its payment is canceled, %lld are due", (long long)due);
    if (order->payment_state == PAYMENT_AUTHORISED && due == 0)
        say_about(audit, order, "nothing is due, but what the bank reserved is not let go");
    if (order->payment_state == PAYMENT_NONE && order->captured != 0)
        say_about(audit, order, "there was nothing to pay, but money was taken");
}

/* ---- All of it ---- */

static void check_order(struct looking *looking, struct stmt *row, uint64_t expected)
{
    struct auditing *audit = looking->audit;
    uint64_t number = stmt_u64(row, 0);
    struct order *order;
    arena_reset(&audit->arena);
    audit->report->orders++;
    if (number != expected)
        audit_say(audit, "order %llu follows order %llu: numbers are missing between",
                  (unsigned long long)number, (unsigned long long)expected - 1);
    order = ARENA_NEW(&audit->arena, struct order);
    if (!order || order_load_number(audit->db, &audit->arena, number, order)) {
        audit_say(audit, "order %llu cannot be read", (unsigned long long)number);
        return;
    }
    if (order->number != number || !id_eq(order->id, stmt_id(row, 1)) ||
        basket_total(&order->basket, TOTAL_TOTAL) != stmt_i64(row, 3))
        say_about(audit, order, "its row and its record differ");
    compare(audit, order, "its status", stmt_i64(row, 2), order->status);
    compare(audit, order, "its payment's state", stmt_i64(row, 4), order->payment_state);
    compare(audit, order, "what was taken", stmt_i64(row, 5), order->captured);
    compare(audit, order, "what is being given back", stmt_i64(row, 6), order->refunding);
    compare(audit, order, "what was given back", stmt_i64(row, 7), order->refunded);
    char whose[64];
    snprintf(whose, sizeof whose, "order %llu", (unsigned long long)number);
    audit_sums(audit, whose, &order->basket);
    check_lines(audit, order);
    check_allotments(audit, order);
    check_parcels(looking, order);
    check_money(audit, order);
    check_outbox(looking, order);
}

/* Rows of TABLE's SQL (an order's number, how many) whose order there is not. */
static void say_orphans(struct auditing *audit, const char *what, const char *sql)
{
    struct stmt *row = db_stmt(audit->db, sql);
    while (stmt_next(row) == 0)
        audit_say(audit, "%lld %s of order %llu, which there is not", (long long)stmt_i64(row, 1),
                  what, (unsigned long long)stmt_u64(row, 0));
}

static void check_outbox_counts(struct auditing *audit)
{
    struct stmt *row = db_stmt(
        audit->db, "SELECT lane, sum(counted), sum(found) FROM (SELECT substr(key, 8) AS lane,"
                   " value AS counted, 0 AS found FROM meta WHERE key > 'outbox/'"
                   " AND key < 'outbox0' UNION ALL SELECT lane, 0, 1 FROM outbox) GROUP BY lane"
                   " HAVING sum(counted) <> sum(found)");
    while (stmt_next(row) == 0)
        audit_say(audit, "the outbox has %lld rows for %.*s, recorded are %lld",
                  (long long)stmt_i64(row, 2), STR_FMT(stmt_str(row, 0)),
                  (long long)stmt_i64(row, 1));
}

void audit_orders(struct auditing *audit)
{
    struct looking looking = {.audit = audit};
    uint64_t last = 1000;
    open_beside(audit, &looking.parcels, "a parcel",
                "SELECT number, event, id, warehouse FROM parcel ORDER BY number, event");
    open_beside(audit, &looking.outbox, "a row of the outbox",
                "SELECT number, event, kind, amount, order_id, effect, seq FROM outbox"
                " ORDER BY number, seq");
    struct stmt *row = db_stmt(audit->db, "SELECT number, id, status, total, payment, captured,"
                                          " refunding, refunded FROM orders ORDER BY number");
    for (; stmt_next(row) == 0; last = stmt_u64(row, 0))
        check_order(&looking, row, last + 1);
    is_of(audit, &looking.parcels, INT64_MAX);
    is_of(audit, &looking.outbox, INT64_MAX);
    stmt_done(looking.parcels.stmt);
    stmt_done(looking.outbox.stmt);
    check_outbox_counts(audit);
    row = db_stmt(audit->db, "SELECT value FROM meta WHERE key = 'next_order'");
    uint64_t counter = stmt_only_u64(row, 1000);
    if (counter != last)
        audit_say(audit, "the last order number given was %llu, the last order is %llu",
                  (unsigned long long)counter, (unsigned long long)last);
    say_orphans(audit, "line rows",
                "SELECT l.number, count(*) FROM order_line l LEFT JOIN orders o"
                " ON o.number = l.number WHERE o.number IS NULL GROUP BY l.number");
    say_orphans(audit, "events",
                "SELECT e.number, count(*) FROM order_event e LEFT JOIN orders o"
                " ON o.number = e.number WHERE o.number IS NULL GROUP BY e.number");
    say_orphans(audit, "allotments",
                "SELECT a.number, count(*) FROM allotment a LEFT JOIN orders o"
                " ON o.number = a.number WHERE o.number IS NULL GROUP BY a.number");
}

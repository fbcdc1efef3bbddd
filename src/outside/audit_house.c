/* Orders and stock against the book of a warehouse. */
#include "outside/auditing_outside.h"
#include "outside/warehouse_book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LANE_MAX = 100, ROWS_AT_ONCE = 100 };

/* Ids in order, each maybe several times. */
struct ids {
    struct id *at;
    size_t count, room;
    bool failed;
};

struct house {
    char id[SHOP_WAREHOUSE_ID_MAX + 1];
    struct db *db;
    struct stmt *orders; /* by id */
    bool there, is_main;
    struct ids shipping, canceling; /* orders with open rows of the outbox for it */
    struct ids unsent;              /* orders of which reports were not taken yet */
    bool any_unsent;                /* of anything */
};

/* ---- Ids ---- */

static void add(struct ids *ids, struct id id)
{
    if (ids->count == ids->room) {
        size_t room = ids->room ? 2 * ids->room : 256;
        struct id *more = realloc(ids->at, room * sizeof *more);
        if (!more) {
            ids->failed = true;
            return;
        }
        ids->at = more;
        ids->room = room;
    }
    ids->at[ids->count++] = id;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

static void sort(struct ids *ids)
{
    if (ids->count > 0)
        qsort(ids->at, ids->count, sizeof *ids->at, compare);
}

static bool has(const struct ids *ids, struct id id)
{
    return ids->count > 0 && bsearch(&id, ids->at, ids->count, sizeof id, compare) != NULL;
}

/* ID with what it is about, for outside_say. */
static struct id about(struct id id, const struct house *house, uint64_t what)
{
    uint64_t hash = 0xcbf29ce484222325ull ^ what;
    for (const char *c = house->id; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3ull;
    for (unsigned i = 0; i < 8; i++)
        id.bytes[i] ^= (unsigned char)(hash >> (8 * i));
    return id;
}

/* ---- Opening ---- */

/* Nobody has to answer for it: its book is read from its file, whether it runs or not. */
static int check_file(const char *file, struct failure *failure)
{
    if (strstr(file, "://"))
        return fail(failure, ERR_INVALID,
                    "%s: a warehouse's book is read from its file, not asked for over the network; "
                    "give its warehouse.db, or the DIR of `stoa warehouse --dir DIR`, or a copy "
                    "from its machine (`sqlite3 warehouse.db '.backup copy.db'`)",
                    file);
    if (access(file, R_OK) == 0)
        return 0;
    return errno == ENOENT
               ? fail(failure, ERR_NOTFOUND,
                      "%s: there is no such book; give the DIR of `stoa warehouse --dir DIR`, its "
                      "warehouse.db, or a copy of it. It need not be running",
                      file)
               : fail(failure, ERR_DENIED, "%s cannot be read: %s", file, strerror(errno));
}

int house_open(const char *place, struct house **out, struct failure *failure)
{
    const char *mark = strchr(place, '='), *file = mark ? mark + 1 : place;
    char id[SHOP_WAREHOUSE_ID_MAX + 1] = "";
    struct house *house = calloc(1, sizeof *house);
    *out = NULL;
    if (!house)
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    int err = check_file(file, failure);
    err = err ? err : db_open(file, DB_READER, &house->db, failure);
    if (!err) {
        warehouse_book_fact(house->db, "id", id, sizeof id);
        if (db_failure(house->db)->err)
            err = fail(failure, ERR_UNSUPPORTED, "%s: this is no warehouse's book", file);
    }
    if (mark)
        str_copy(house->id, sizeof house->id, str_make(place, (size_t)(mark - place)));
    else
        str_copy(house->id, sizeof house->id, str_of(id));
    if (!err && !house->id[0])
        err = fail(failure, ERR_INVALID, "%s does not say which warehouse it is; give ID=%s", file,
                   file);
    if (err) {
        house_close(house);
        return err;
    }
    *out = house;
    return 0;
}

void house_close(struct house *house)
{
    if (!house)
        return;
    db_close(house->db);
    free(house->shipping.at);
    free(house->canceling.at);
    free(house->unsent.at);
    free(house);
}

/* ---- Beginning a look ---- */

static int read_lane(struct outside_audit *audit, struct house *house)
{
    char lane[LANE_MAX];
    uint64_t after = 0;
    unsigned count = ROWS_AT_ONCE;
    snprintf(lane, sizeof lane, "warehouse/%s", house->id);
    while (count == ROWS_AT_ONCE) {
        struct outbox_row *rows;
        arena_reset(&audit->arena);
        int err = reader_outbox(audit->reader, &audit->arena, str_of(lane), after, ROWS_AT_ONCE,
                                &rows, &count);
        if (err)
            return err;
        for (unsigned i = 0; i < count; i++) {
            add(rows[i].kind == OUTBOX_SHIP ? &house->shipping : &house->canceling, rows[i].order);
            after = rows[i].seq;
        }
    }
    return 0;
}

static void read_unsent(struct house *house)
{
    struct stmt *row = db_stmt(house->db, "SELECT order_id FROM report WHERE state = 'waiting'");
    for (; stmt_next(row) == 0; house->any_unsent = true) {
        struct id order = stmt_id(row, 0);
        if (!id_is_zero(order))
            add(&house->unsent, order);
    }
}

/* Whether both count the same reports. */
static void check_pairing(struct outside_audit *audit, struct house *house,
                          const struct warehouse *known)
{
    char epoch[64], text[ID_TEXT];
    uint64_t taken = warehouse_book_count(house->db, "taken");
    warehouse_book_fact(house->db, "epoch", epoch, sizeof epoch);
    id_text(known->epoch, text);
    if (!id_is_zero(known->epoch) && strcmp(epoch, text) != 0)
        outside_say(audit, "epoch", about((struct id){{0}}, house, 0),
                    "warehouse %s: the shop takes reports of epoch %s, its book has epoch %s",
                    house->id, text, epoch);
    else if (taken > known->reported)
        outside_say(audit, "reported", about((struct id){{0}}, house, 0),
                    "warehouse %s: the shop has taken %llu of its reports, its book says %llu",
                    house->id, (unsigned long long)known->reported, (unsigned long long)taken);
}

static int find_it(struct outside_audit *audit, struct house *house, struct failure *failure)
{
    struct warehouse *list;
    unsigned count;
    bool found = false;
    arena_reset(&audit->arena);
    int err = reader_warehouses(audit->reader, &audit->arena, &list, &count);
    for (unsigned i = 0; i < count && !err; i++) {
        if (!str_eq(list[i].id, str_of(house->id)))
            continue;
        found = true;
        if (list[i].gone)
            return fail(failure, ERR_STATE,
                        "warehouse %s is gone for good: what it had to ship is with others, and "
                        "its book is compared no more; leave it out",
                        house->id);
        house->is_main = i == 0;
        check_pairing(audit, house, &list[i]);
    }
    if (!err && !found)
        outside_say(audit, "unknown", about((struct id){{0}}, house, 0),
                    "the shop has no warehouse %s", house->id);
    return err ? fail(failure, err, "%s cannot be read: %s", audit->places->shop, err_sentence(err))
               : 0;
}

int house_begin(struct outside_audit *audit, struct house *house, struct failure *failure)
{
    house->shipping.count = house->canceling.count = house->unsent.count = 0;
    house->any_unsent = false;
    db_begin(house->db);
    int err = find_it(audit, house, failure);
    if (err)
        return err;
    err = read_lane(audit, house);
    if (err)
        return fail(failure, err, "%s cannot be read: %s", audit->places->shop, err_sentence(err));
    read_unsent(house);
    sort(&house->shipping);
    sort(&house->canceling);
    sort(&house->unsent);
    if (house->shipping.failed || house->canceling.failed || house->unsent.failed)
        return fail(failure, ERR_NOMEM, "out of memory");
    house->orders = db_stmt(house->db, "SELECT order_id, number FROM orders ORDER BY order_id");
    house->there = stmt_next(house->orders) == 0;
    return 0; /* what failed in its own book shows at the end */
}

int house_end(struct house *house, struct failure *failure)
{
    const struct failure *why = db_failure(house->db);
    int err = why->err;
    if (err && failure)
        *failure = *why;
    if (house->orders)
        stmt_done(house->orders);
    db_rollback(house->db);
    return err;
}

/* ---- Orders ---- */

void house_orphans(struct outside_audit *audit, struct house *house, struct id until)
{
    for (; house->there; house->there = stmt_next(house->orders) == 0) {
        struct id order = stmt_id(house->orders, 0);
        char id[ID_TEXT];
        if (compare(&order, &until) >= 0)
            return;
        outside_say(audit, "orphan order", about(order, house, 0),
                    "warehouse %s has order %s (%llu), which the shop has not", house->id,
                    id_text(order, id), (unsigned long long)stmt_u64(house->orders, 1));
    }
}

/* The units of a line in both books. THEIRS above OURS, which EXPLAINED (may be) under way. */
static void check_units(struct outside_audit *audit, struct house *house, const struct order *order,
                        uint32_t line, const char *what, uint64_t ours, uint64_t theirs,
                        bool explained)
{
    if (ours != theirs)
        outside_say_unless(audit, explained && theirs > ours, what, about(order->id, house, line),
                           "order %llu: %llu of line %u are %s at warehouse %s, its book says %llu",
                           (unsigned long long)order->number, (unsigned long long)ours, line, what,
                           house->id, (unsigned long long)theirs);
}

static uint32_t returned_there(const struct order *order, const struct house *house, uint32_t line)
{
    uint32_t returned = 0;
    for (unsigned i = 0; i < order->event_count; i++) {
        const struct order_event *event = &order->events[i];
        if (event->type == ORDER_EVENT_RETURNED &&
            str_eq(event->parcel.warehouse, str_of(house->id)))
            for (unsigned k = 0; k < event->line_count; k++)
                returned += event->lines[k].line_id == line ? event->lines[k].quantity : 0;
    }
    return returned;
}

static void check_line(struct outside_audit *audit, struct house *house, const struct order *order,
                       const struct allotment *ours)
{
    bool unsent = has(&house->unsent, order->id);
    struct stmt *row = db_stmt(house->db, "SELECT quantity, shipped, canceled + short, returned"
                                          " FROM order_line WHERE order_id = ? AND line = ?");
    stmt_bind_id(row, 1, order->id);
    stmt_bind_u64(row, 2, ours->line_id);
    if (stmt_next(row)) {
        outside_say_unless(audit, has(&house->shipping, order->id), "lacks",
                           about(order->id, house, ours->line_id),
                           "order %llu: warehouse %s is to ship line %u, and does not know of it",
                           (unsigned long long)order->number, house->id, ours->line_id);
        return;
    }
    check_units(audit, house, order, ours->line_id, "allotted", ours->quantity, stmt_u64(row, 0),
                has(&house->shipping, order->id));
    check_units(audit, house, order, ours->line_id, "shipped", ours->shipped, stmt_u64(row, 1),
                unsent);
    check_units(audit, house, order, ours->line_id, "canceled", ours->canceled, stmt_u64(row, 2),
                unsent || has(&house->canceling, order->id));
    check_units(audit, house, order, ours->line_id, "returned",
                returned_there(order, house, ours->line_id), stmt_u64(row, 3), unsent);
    stmt_done(row);
}

static unsigned lines_of(struct house *house, const struct order *order)
{
    struct stmt *row = db_stmt(house->db, "SELECT count(*) FROM order_line WHERE order_id = ?");
    stmt_bind_id(row, 1, order->id);
    return (unsigned)stmt_only_u64(row, 0);
}

/* ---- Parcels ---- */

static const struct order_event *shipped_as(const struct order *order, struct id parcel)
{
    for (unsigned i = 0; i < order->event_count; i++)
        if (order->events[i].type == ORDER_EVENT_SHIPPED &&
            id_eq(order->events[i].parcel.id, parcel))
            return &order->events[i];
    return NULL;
}

static bool same_lines(struct house *house, struct id parcel, const struct order_event *event)
{
    unsigned rows = 0, same = 0;
    struct stmt *row = db_stmt(house->db, "SELECT line, quantity FROM parcel_line"
                                          " WHERE parcel = ?");
    stmt_bind_id(row, 1, parcel);
    for (; stmt_next(row) == 0; rows++)
        for (unsigned i = 0; i < event->line_count; i++)
            same += event->lines[i].line_id == stmt_u64(row, 0) &&
                    event->lines[i].quantity == stmt_u64(row, 1);
    return rows == event->line_count && same == rows;
}

static void check_parcel(struct outside_audit *audit, struct house *house,
                         const struct order *order, struct id parcel)
{
    char id[ID_TEXT];
    const struct order_event *event = shipped_as(order, parcel);
    id_text(parcel, id);
    if (!event)
        outside_say_unless(audit, has(&house->unsent, order->id), "parcel", about(parcel, house, 0),
                           "order %llu: parcel %s has left warehouse %s, the shop does not know it",
                           (unsigned long long)order->number, id, house->id);
    else if (!str_eq(event->parcel.warehouse, str_of(house->id)) ||
             !same_lines(house, parcel, event))
        outside_say(audit, "parcel lines", about(parcel, house, 0),
                    "order %llu: warehouse %s and the shop have different things in parcel %s",
                    (unsigned long long)order->number, house->id, id);
}

static void check_parcels(struct outside_audit *audit, struct house *house,
                          const struct order *order)
{
    unsigned theirs = 0, ours = 0;
    struct stmt *row = db_stmt(house->db, "SELECT parcel FROM parcel WHERE order_id = ?"
                                          " AND state <> 'packed'");
    stmt_bind_id(row, 1, order->id);
    for (; stmt_next(row) == 0; audit->report->parcels++) {
        struct id parcel = stmt_id(row, 0);
        check_parcel(audit, house, order, parcel);
        theirs += shipped_as(order, parcel) != NULL;
    }
    for (unsigned i = 0; i < order->event_count; i++)
        ours += order->events[i].type == ORDER_EVENT_SHIPPED &&
                str_eq(order->events[i].parcel.warehouse, str_of(house->id));
    if (ours > theirs)
        outside_say(audit, "parcels", about(order->id, house, 0),
                    "order %llu: %u parcels have left warehouse %s, its book has %u of them",
                    (unsigned long long)order->number, ours, house->id, theirs);
}

void house_check_order(struct outside_audit *audit, struct house *house, const struct order *order)
{
    unsigned given = 0;
    bool there = house->there && id_eq(stmt_id(house->orders, 0), order->id);
    unsigned long long number = order->number;
    for (unsigned i = 0; i < order->allotment_count; i++)
        given += str_eq(order->allotments[i].warehouse, str_of(house->id));
    if (there)
        house->there = stmt_next(house->orders) == 0;
    if (given == 0 && !there)
        return;
    if (given == 0) {
        outside_say(audit, "not given", about(order->id, house, 0),
                    "warehouse %s has order %llu, which it is not to ship", house->id, number);
        return;
    }
    if (!there) {
        outside_say_unless(
            audit, has(&house->shipping, order->id), "absent", about(order->id, house, 0),
            "warehouse %s does not have order %llu, which it is to ship", house->id, number);
        return;
    }
    for (unsigned i = 0; i < order->allotment_count; i++)
        if (str_eq(order->allotments[i].warehouse, str_of(house->id)))
            check_line(audit, house, order, &order->allotments[i]);
    if (lines_of(house, order) > given)
        outside_say(audit, "lines", about(order->id, house, 0),
                    "warehouse %s has %u lines of order %llu, and is to ship %u", house->id,
                    lines_of(house, order), number, given);
    check_parcels(audit, house, order);
}

/* ---- Stock ---- */

static bool was_counted(struct house *house, struct str item)
{
    struct stmt *row = db_stmt(house->db, "SELECT count(*) FROM move WHERE item = ?"
                                          " AND kind = 'counted'");
    stmt_bind_str(row, 1, item);
    return stmt_only_u64(row, 0) > 0;
}

static void check_item(struct outside_audit *audit, struct house *house, struct str item,
                       int64_t on_hand)
{
    struct warehouse_stock *list;
    unsigned count;
    struct id whose = {{0}};
    uint64_t name = 0;
    for (size_t i = 0; i < item.len; i++)
        name = (name ^ (unsigned char)item.at[i]) * 0x100000001b3ull;
    /* The main warehouse began with what the shop had: only a count makes both books the same. */
    if (house->is_main && !was_counted(house, item)) {
        audit->report->unpaired++;
        return;
    }
    int err = reader_warehouse_stock(audit->reader, &audit->arena, item, &list, &count);
    if (err == ERR_NOTFOUND) {
        if (on_hand != 0)
            outside_say_unless(audit, house->any_unsent, "item", about(whose, house, name),
                               "warehouse %s has %lld of %.*s, which the shop does not sell",
                               house->id, (long long)on_hand, STR_FMT(item));
        return;
    }
    for (unsigned i = 0; i < count && !err; i++) {
        int64_t ours = list[i].free + list[i].allotted;
        if (str_eq(list[i].warehouse, str_of(house->id)) && ours != on_hand)
            outside_say_unless(audit, house->any_unsent, "stock", about(whose, house, name),
                               "%.*s: %lld lie at warehouse %s, its book says %lld", STR_FMT(item),
                               (long long)ours, house->id, (long long)on_hand);
    }
}

void house_check_stock(struct outside_audit *audit, struct house *house)
{
    struct stmt *row = db_stmt(house->db, "SELECT item, on_hand FROM item ORDER BY item");
    while (stmt_next(row) == 0) {
        arena_reset(&audit->arena);
        struct str item = arena_str(&audit->arena, stmt_str(row, 0));
        audit->report->items++;
        check_item(audit, house, item, stmt_i64(row, 1));
    }
}

#include "base/arena.h"
#include "base/check.h"
#include "base/json_text.h"
#include "outside/warehouse_book.h"
#include "outside/warehouse_json.h"
#include "outside/warehouse_lines.h"

#include <inttypes.h>
#include <stdio.h>

enum { REFUSED_KEPT = 10000 };

/* ---- The fence ---- */

static int note_refusal(struct book *book, const struct book_sender *sender, struct str ours)
{
    char theirs[FENCE_TEXT_SIZE];
    fence_write(&sender->fence, theirs);
    struct stmt *stmt = db_stmt(book->db, "INSERT INTO refused (time_ms, peer, what, theirs, ours)"
                                          " VALUES (?, ?, ?, ?, ?)");
    stmt_bind_i64(stmt, 1, book->now_ms);
    stmt_bind_str(stmt, 2, sender->peer);
    stmt_bind_str(stmt, 3, str_of(sender->what));
    stmt_bind_str(stmt, 4, str_of(theirs));
    stmt_bind_str(stmt, 5, ours);
    stmt_run(stmt);
    struct stmt *old = db_stmt(book->db, "DELETE FROM refused WHERE id <="
                                         " (SELECT max(id) FROM refused) - ?");
    stmt_bind_i64(old, 1, REFUSED_KEPT);
    return stmt_run(old);
}

static int raise_fence(struct book *book, const struct fence *fence)
{
    struct stmt *stmt = db_stmt(
        book->db, "INSERT INTO fence (shop, epoch, term, raised_ms) VALUES (?1, ?2, ?3, ?4)"
                  " ON CONFLICT (shop) DO UPDATE SET epoch = ?2, term = ?3, raised_ms = ?4");
    stmt_bind_id(stmt, 1, fence->shop);
    stmt_bind_u64(stmt, 2, fence->epoch);
    stmt_bind_u64(stmt, 3, fence->term);
    stmt_bind_i64(stmt, 4, book->now_ms);
    return stmt_run(stmt);
}

/* Ours; zero when SHOP has sent none yet. */
static int read_fence(struct book *book, struct id shop, struct fence *fence)
{
    *fence = (struct fence){.shop = shop};
    struct stmt *stmt = db_stmt(book->db, "SELECT epoch, term FROM fence WHERE shop = ?");
    stmt_bind_id(stmt, 1, shop);
    int err = stmt_next(stmt);
    if (err)
        return err == ERR_NOTFOUND ? 0 : err;
    fence->epoch = stmt_u64(stmt, 0);
    fence->term = stmt_u64(stmt, 1);
    stmt_done(stmt);
    return 0;
}

/* Whether SHOP is the one that this warehouse serves; the first becomes it. */
static int check_shop(struct book *book, struct id shop, bool *ours)
{
    char known[64], text[ID_TEXT];
    warehouse_book_fact(book->db, "shop", known, sizeof known);
    id_text(shop, text);
    *ours = !known[0] || str_eq(str_of(known), str_of(text));
    return known[0] ? 0 : warehouse_book_put_fact(book->db, "shop", str_of(text));
}

int warehouse_book_welcome(struct book *book, const struct book_sender *sender,
                           enum book_welcome *welcome, char ours[static FENCE_TEXT_SIZE])
{
    struct fence highest;
    bool our_shop = false;
    int err = check_shop(book, sender->fence.shop, &our_shop);
    err = err ? err : read_fence(book, sender->fence.shop, &highest);
    if (err)
        return err;
    int order = our_shop ? fence_compare(&sender->fence, &highest) : 0;
    fence_write(order > 0 ? &sender->fence : &highest, ours);
    *welcome = !our_shop ? WELCOME_OTHER_SHOP : order < 0 ? WELCOME_TOO_OLD : WELCOME_TAKEN;
    if (*welcome != WELCOME_TAKEN)
        return note_refusal(book, sender, our_shop ? str_of(ours) : STR("another shop"));
    return order > 0 ? raise_fence(book, &sender->fence) : 0;
}

/* ---- Effects and operations ---- */

int warehouse_book_done(struct book *book, struct id operation, bool *done, struct buf *out)
{
    *done = false;
    if (id_is_zero(operation))
        return 0;
    struct stmt *stmt = db_stmt(book->db, "SELECT answer FROM effect WHERE effect = ?");
    stmt_bind_id(stmt, 1, operation);
    int err = stmt_next(stmt);
    if (err)
        return err == ERR_NOTFOUND ? 0 : err;
    *done = true;
    if (out)
        buf_str(out, stmt_str(stmt, 0));
    stmt_done(stmt);
    return 0;
}

int warehouse_book_remember(struct book *book, struct id operation, const char *kind,
                            struct id order, struct str answer)
{
    if (id_is_zero(operation))
        return 0;
    struct stmt *stmt =
        db_stmt(book->db, "INSERT INTO effect (effect, kind, order_id, time_ms, answer)"
                          " VALUES (?, ?, ?, ?, ?)");
    stmt_bind_id(stmt, 1, operation);
    stmt_bind_str(stmt, 2, str_of(kind));
    stmt_bind_id(stmt, 3, order);
    stmt_bind_i64(stmt, 4, book->now_ms);
    stmt_bind_str(stmt, 5, answer);
    return stmt_run(stmt);
}

/* What was appended to OUT since FROM is the answer to EFFECT. */
static int keep_answer(struct book *book, struct id effect, const char *kind, struct id order,
                       const struct buf *out, size_t from)
{
    if (out->failed)
        return fail(book->failure, ERR_NOMEM, "no memory for the answer");
    return warehouse_book_remember(book, effect, kind, order,
                                   str_make(out->at + from, out->len - from));
}

static void put_refusal(struct buf *out, struct id effect, struct str why)
{
    char text[ID_TEXT];
    buf_printf(out, "{\"effect\":\"%s\",\"outcome\":\"refused\",\"text\":", id_text(effect, text));
    json_str_put(why, out);
    buf_byte(out, '}');
}

/* ---- Orders ---- */

static int insert_order(struct book *book, const struct book_order *order,
                        const struct fence *fence)
{
    struct stmt *stmt = db_stmt(
        book->db, "INSERT INTO orders (order_id, number, placed_ms, taken_ms, log_index, epoch,"
                  " term, state, service, email, first_name, last_name, phone, street, extended,"
                  " locality, region, postal_code, country)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_id(stmt, 1, order->order);
    stmt_bind_u64(stmt, 2, order->number);
    stmt_bind_i64(stmt, 3, order->placed_ms);
    stmt_bind_i64(stmt, 4, book->now_ms);
    stmt_bind_u64(stmt, 5, order->log_index);
    stmt_bind_u64(stmt, 6, fence->epoch);
    stmt_bind_u64(stmt, 7, fence->term);
    stmt_bind_str(stmt, 8, order->service);
    stmt_bind_str(stmt, 9, order->email);
    for (int i = 0; i < PLACE_COUNT; i++)
        stmt_bind_str(stmt, 10 + i, order->place[i].at ? order->place[i] : STR(""));
    return stmt_run(stmt);
}

/* Of QUANTITY units of LINE how many were canceled before they came. */
static uint32_t canceled_before(struct book *book, struct id order, uint32_t line,
                                uint32_t quantity)
{
    struct stmt *stmt = db_stmt(book->db, "SELECT sum(quantity) FROM early_cancel WHERE"
                                          " order_id = ? AND line IN (0, ?)");
    stmt_bind_id(stmt, 1, order);
    stmt_bind_i64(stmt, 2, line);
    uint64_t early = stmt_only_u64(stmt, 0);
    return early < quantity ? (uint32_t)early : quantity;
}

static int insert_line(struct book *book, const struct book_order *order,
                       const struct book_line *line)
{
    uint32_t canceled = canceled_before(book, order->order, line->line, line->quantity);
    struct stmt *stmt =
        db_stmt(book->db, "INSERT INTO order_line (order_id, line, item, sku, title, options,"
                          " quantity, canceled) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_id(stmt, 1, order->order);
    stmt_bind_i64(stmt, 2, line->line);
    stmt_bind_str(stmt, 3, line->item);
    stmt_bind_str(stmt, 4, line->sku);
    stmt_bind_str(stmt, 5, line->title);
    stmt_bind_str(stmt, 6, line->options);
    stmt_bind_i64(stmt, 7, line->quantity);
    stmt_bind_i64(stmt, 8, canceled);
    int err = stmt_run(stmt);
    err = err ? err : warehouse_book_item(book, line->item, line->sku, line->title, line->options);
    return err ? err : warehouse_book_allot(book, line->item, line->quantity - canceled);
}

/* The quantity is all that this warehouse was ever given of the line. One that is here already is
 * told again, then it has as many, or was given more since: another warehouse gave them up. */
static int take_line(struct book *book, const struct book_order *order,
                     const struct book_line *line)
{
    struct warehouse_line here;
    int err = warehouse_lines_find(book, order->order, line->line, &here);
    if (err == ERR_NOTFOUND)
        return insert_line(book, order, line);
    if (err || here.quantity >= line->quantity)
        return err;
    struct stmt *stmt = db_stmt(book->db, "UPDATE order_line SET quantity = ?3"
                                          " WHERE order_id = ?1 AND line = ?2");
    stmt_bind_id(stmt, 1, order->order);
    stmt_bind_i64(stmt, 2, line->line);
    stmt_bind_i64(stmt, 3, line->quantity);
    err = stmt_run(stmt);
    return err ? err
               : warehouse_book_allot(book, str_of(here.item), line->quantity - here.quantity);
}

static bool has_order(struct book *book, struct id order)
{
    struct stmt *stmt = db_stmt(book->db, "SELECT count(*) FROM orders WHERE order_id = ?");
    stmt_bind_id(stmt, 1, order);
    return stmt_only_u64(stmt, 0) > 0;
}

int warehouse_book_take(struct book *book, const struct book_order *order,
                        const struct fence *fence, struct buf *out)
{
    char text[ID_TEXT];
    bool done = false;
    size_t from = out->len;
    int err = warehouse_book_done(book, order->effect, &done, out);
    if (err || done)
        return err;
    if (order->wrong.at) {
        put_refusal(out, order->effect, order->wrong); /* may be sent again in a better way */
        return 0;
    }
    if (!has_order(book, order->order))
        err = insert_order(book, order, fence);
    for (unsigned i = 0; !err && i < order->line_count; i++)
        err = take_line(book, order, &order->lines[i]);
    err = err ? err : warehouse_lines_settle(book, order->order);
    buf_printf(out, "{\"effect\":\"%s\",\"outcome\":\"taken\"}", id_text(order->effect, text));
    return err ? err : keep_answer(book, order->effect, "order", order->order, out, from);
}

int warehouse_book_quantities(struct stmt *stmt, struct book_quantity *lines, unsigned room,
                              unsigned *count)
{
    int err = 0;
    *count = 0;
    while (*count < room && stmt_more(stmt, &err))
        lines[(*count)++] =
            (struct book_quantity){(uint32_t)stmt_u64(stmt, 0), (uint32_t)stmt_u64(stmt, 1)};
    stmt_done(stmt);
    return err;
}

/* ---- Cancels ---- */

static int cancel_early(struct book *book, struct id order, uint32_t line, uint32_t quantity)
{
    struct stmt *stmt =
        db_stmt(book->db, "INSERT INTO early_cancel (order_id, line, quantity) VALUES (?1, ?2, ?3)"
                          " ON CONFLICT (order_id, line) DO UPDATE SET"
                          " quantity = min(quantity + ?3, ?4)");
    stmt_bind_id(stmt, 1, order);
    stmt_bind_i64(stmt, 2, line);
    stmt_bind_i64(stmt, 3, quantity);
    stmt_bind_i64(stmt, 4, BOOK_QUANTITY_MAX);
    return stmt_run(stmt);
}

/* Takes out what can still be taken out; returns in *CANCELED how many. Units that are short
 * count: they are what a cancel mostly is about. */
static int cancel_line(struct book *book, struct id order, uint32_t number, uint32_t quantity,
                       uint32_t *canceled)
{
    struct warehouse_line line;
    *canceled = 0;
    int err = warehouse_lines_find(book, order, number, &line);
    if (err == ERR_NOTFOUND)
        return 0;
    if (err)
        return err;
    uint32_t open = warehouse_lines_open(&line), of_open = quantity < open ? quantity : open;
    /* Not what is short: the report of that cancels it. */
    *canceled = of_open;
    line.canceled += of_open;
    if (line.picked > open - of_open)
        line.picked = open - of_open;
    err = warehouse_lines_put(book, order, &line);
    return err ? err : warehouse_book_allot(book, str_of(line.item), -(int64_t)of_open);
}

/* All lines of an order that is here, into ALL of BOOK_LINES_MAX. */
static int whole_order(struct book *book, struct id order, struct book_quantity *all,
                       unsigned *count)
{
    struct stmt *stmt = db_stmt(book->db, "SELECT line, quantity FROM order_line"
                                          " WHERE order_id = ? ORDER BY line LIMIT ?");
    stmt_bind_id(stmt, 1, order);
    stmt_bind_i64(stmt, 2, BOOK_LINES_MAX);
    return warehouse_book_quantities(stmt, all, BOOK_LINES_MAX, count);
}

static int cancel_lines(struct book *book, const struct book_cancel *cancel, bool here,
                        struct buf *out)
{
    struct book_quantity all[BOOK_LINES_MAX];
    const struct book_quantity *lines = cancel->lines;
    unsigned count = cancel->line_count;
    int err = 0;
    if (!count && here) {
        err = whole_order(book, cancel->order, all, &count);
        lines = all;
    } else if (!count) {
        err = cancel_early(book, cancel->order, 0, BOOK_QUANTITY_MAX);
    }
    for (unsigned i = 0; !err && i < count; i++) {
        uint32_t canceled = lines[i].quantity;
        err = here ? cancel_line(book, cancel->order, lines[i].line, lines[i].quantity, &canceled)
                   : cancel_early(book, cancel->order, lines[i].line, lines[i].quantity);
        buf_printf(out, "%s{\"line\":%u,\"canceled\":%u}", i ? "," : "", lines[i].line, canceled);
    }
    return err || !here ? err : warehouse_lines_settle(book, cancel->order);
}

int warehouse_book_cancel(struct book *book, const struct book_cancel *cancel, struct buf *out)
{
    char text[ID_TEXT];
    bool done = false;
    size_t from = out->len;
    int err = warehouse_book_done(book, cancel->effect, &done, out);
    if (err || done)
        return err;
    if (cancel->wrong.at) {
        put_refusal(out, cancel->effect, cancel->wrong);
        return 0;
    }
    buf_printf(out, "{\"effect\":\"%s\",\"outcome\":\"answered\",\"lines\":[",
               id_text(cancel->effect, text));
    err = cancel_lines(book, cancel, has_order(book, cancel->order), out);
    buf_puts(out, "]}");
    return err ? err : keep_answer(book, cancel->effect, "cancel", cancel->order, out, from);
}

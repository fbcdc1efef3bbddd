/* Audit of the records: carts and checkouts, with the rows that go with them; and of sums. */
#include "shop/auditing.h"
#include "shop/record.h"

#include <stdio.h>

/* ---- Sums of a basket ---- */

struct sums {
    int64_t subtotal, discount, shipping_discount, fulfillment, tax_added, total;
    int64_t line_subtotals, line_discounts, applied;
    unsigned subtotals, totals;
};

static struct sums sums_of(const struct basket *basket)
{
    struct sums sums = {0};
    for (unsigned i = 0; i < basket->line_count; i++) {
        sums.line_subtotals += basket->lines[i].subtotal;
        sums.line_discounts += basket->lines[i].discount;
    }
    for (unsigned i = 0; i < basket->applied_count; i++)
        sums.applied += basket->applied[i].amount;
    for (unsigned i = 0; i < basket->total_count; i++) {
        const struct total *total = &basket->totals[i];
        sums.subtotals += total->type == TOTAL_SUBTOTAL;
        sums.totals += total->type == TOTAL_TOTAL;
        sums.subtotal += total->type == TOTAL_SUBTOTAL ? total->amount : 0;
        sums.discount -= total->type == TOTAL_ITEMS_DISCOUNT ? total->amount : 0;
        sums.shipping_discount -= total->type == TOTAL_DISCOUNT ? total->amount : 0;
        sums.fulfillment += total->type == TOTAL_FULFILLMENT ? total->amount : 0;
        sums.tax_added += total->type == TOTAL_TAX && !total->included ? total->amount : 0;
        sums.total += total->type == TOTAL_TOTAL ? total->amount : 0;
    }
    return sums;
}

static void check_line(struct auditing *audit, const char *whose, const struct line *line)
{
    if (line->subtotal != line->unit_price * (int64_t)line->quantity)
        audit_say(audit, "%s: line %u: %u at %lld are not %lld", whose, line->line_id,
                  line->quantity, (long long)line->unit_price, (long long)line->subtotal);
    if (line->total != line->subtotal - line->discount)
        audit_say(audit, "%s: line %u: %lld less %lld is not %lld", whose, line->line_id,
                  (long long)line->subtotal, (long long)line->discount, (long long)line->total);
}

void audit_sums(struct auditing *audit, const char *whose, const struct basket *basket)
{
    struct sums sums = sums_of(basket);
    for (unsigned i = 0; i < basket->line_count; i++)
        check_line(audit, whose, &basket->lines[i]);
    if (sums.subtotals != 1 || sums.totals != 1)
        audit_say(audit, "%s has %u subtotals and %u totals", whose, sums.subtotals, sums.totals);
    if (sums.subtotal != sums.line_subtotals)
        audit_say(audit, "%s: its lines add up to %lld, its subtotal is %lld", whose,
                  (long long)sums.line_subtotals, (long long)sums.subtotal);
    if (sums.discount != sums.line_discounts ||
        sums.discount + sums.shipping_discount != sums.applied)
        audit_say(audit, "%s: discounts of %lld were applied, %lld were taken off", whose,
                  (long long)sums.applied, (long long)(sums.discount + sums.shipping_discount));
    int64_t total =
        sums.subtotal - sums.discount - sums.shipping_discount + sums.fulfillment + sums.tax_added;
    if (sums.total != total)
        audit_say(audit, "%s: its parts add up to %lld, its total is %lld", whose, (long long)total,
                  (long long)sums.total);
}

/* ---- Carts ---- */

void audit_carts(struct auditing *audit)
{
    struct stmt *row = db_stmt(audit->db, "SELECT id, expires_ms, record FROM cart");
    while (stmt_next(row) == 0) {
        char id[ID_TEXT];
        struct cart cart;
        arena_reset(&audit->arena);
        audit->report->carts++;
        id_text(stmt_id(row, 0), id);
        if (record_read_cart(stmt_blob(row, 2), &audit->arena, &cart))
            audit_say(audit, "cart %s cannot be read", id);
        else if (!id_eq(cart.id, stmt_id(row, 0)) || cart.expires_ms != stmt_i64(row, 1))
            audit_say(audit, "cart %s: its row and its record differ", id);
    }
}

/* ---- Checkouts ---- */

static int64_t asked_for(const struct basket *basket, uint64_t variant)
{
    int64_t quantity = 0;
    for (unsigned i = 0; i < basket->line_count; i++)
        if (basket->lines[i].variant_id == variant)
            quantity += basket->lines[i].quantity;
    return quantity;
}

/* What is held for CHECKOUT is what its lines ask for, while it is being paid, else nothing. */
static void check_holds(struct auditing *audit, const char *whose, const struct checkout *checkout)
{
    bool paying = checkout->status == CHECKOUT_PAYING;
    const struct basket *basket = &checkout->basket;
    int64_t held = 0, asked = 0;
    struct stmt *row = db_stmt(audit->db, "SELECT variant_id, quantity FROM hold"
                                          " WHERE checkout_id = ?");
    stmt_bind_id(row, 1, checkout->id);
    while (stmt_next(row) == 0) {
        uint64_t variant = stmt_u64(row, 0);
        held += stmt_i64(row, 1);
        if (paying && stmt_i64(row, 1) != asked_for(basket, variant))
            audit_say(audit, "%s: %lld of variant %llu are held, its lines have %lld", whose,
                      (long long)stmt_i64(row, 1), (unsigned long long)variant,
                      (long long)asked_for(basket, variant));
    }
    for (unsigned i = 0; i < basket->line_count; i++)
        asked += basket->lines[i].quantity;
    if (paying && held != asked)
        audit_say(audit, "%s is being paid: %lld units are held, its lines have %lld", whose,
                  (long long)held, (long long)asked);
    if (!paying && held != 0)
        audit_say(audit, "%s is not being paid, but %lld units are held for it", whose,
                  (long long)held);
}

static void check_completed(struct auditing *audit, const char *whose,
                            const struct checkout *checkout)
{
    struct stmt *row = db_stmt(audit->db, "SELECT number FROM orders WHERE id = ?");
    stmt_bind_id(row, 1, checkout->id);
    uint64_t number = stmt_only_u64(row, 0);
    bool completed = checkout->status == CHECKOUT_COMPLETED;
    if (completed && number == 0)
        audit_say(audit, "%s is completed, but there is no order of it", whose);
    else if (!completed && number != 0)
        audit_say(audit, "%s is not completed, but there is order %llu of it", whose,
                  (unsigned long long)number);
    else if (number != checkout->order_number)
        audit_say(audit, "%s is of order %llu, but its order has number %llu", whose,
                  (unsigned long long)checkout->order_number, (unsigned long long)number);
}

static void check_checkout(struct auditing *audit, struct stmt *row)
{
    char id[ID_TEXT], whose[64];
    struct checkout checkout;
    arena_reset(&audit->arena);
    audit->report->checkouts++;
    snprintf(whose, sizeof whose, "checkout %s", id_text(stmt_id(row, 0), id));
    if (record_read_checkout(stmt_blob(row, 4), &audit->arena, &checkout)) {
        audit_say(audit, "%s cannot be read", whose);
        return;
    }
    if (!id_eq(checkout.id, stmt_id(row, 0)) || checkout.status != stmt_u64(row, 1) ||
        checkout.expires_ms != stmt_i64(row, 2) || checkout.hold_until_ms != stmt_i64(row, 3))
        audit_say(audit, "%s: its row and its record differ", whose);
    audit_sums(audit, whose, &checkout.basket);
    check_holds(audit, whose, &checkout);
    check_completed(audit, whose, &checkout);
}

void audit_checkouts(struct auditing *audit)
{
    struct stmt *row = db_stmt(audit->db, "SELECT id, status, expires_ms, hold_until_ms, record"
                                          " FROM checkout");
    while (stmt_next(row) == 0)
        check_checkout(audit, row);
    row = db_stmt(audit->db, "SELECT h.checkout_id, h.quantity, h.variant_id, c.id IS NULL"
                             " FROM hold h LEFT JOIN checkout c ON c.id = h.checkout_id");
    while (stmt_next(row) == 0) {
        char id[ID_TEXT];
        audit->report->holds++;
        if (stmt_bool(row, 3))
            audit_say(audit, "%lld of variant %llu are held for checkout %s, which there is not",
                      (long long)stmt_i64(row, 1), (unsigned long long)stmt_u64(row, 2),
                      id_text(stmt_id(row, 0), id));
    }
}

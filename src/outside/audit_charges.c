/* Orders against the bank's charges, and charges against orders and holds. */
#include "outside/auditing_outside.h"
#include "outside/bank.h"

/* What the bank has for one order. */
struct charges {
    struct bank_charge mine;     /* of the attempt that became the order */
    unsigned mine_count, others; /* others: live ones of other attempts */
    char other[64];
};

static bool is_foreign(const struct outside_audit *audit, const struct bank_charge *charge)
{
    return !id_is_zero(charge->shop) && !id_is_zero(audit->shop) &&
           !id_eq(charge->shop, audit->shop);
}

/* The next one that is the shop's; NULL: no more. */
static const struct bank_charge *next_own(struct outside_audit *audit, struct bank_book *bank)
{
    const struct bank_charge *charge = bank_book_charge(bank);
    for (; charge && is_foreign(audit, charge); charge = bank_book_charge(bank)) {
        audit->report->foreign++;
        bank_book_next(bank);
    }
    return charge;
}

static int compare(struct id a, struct id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

/* ---- Charges without an order ---- */

static void check_orphan(struct outside_audit *audit, const struct bank_charge *charge)
{
    char id[ID_TEXT];
    struct checkout *checkout = ARENA_NEW(&audit->arena, struct checkout);
    const char *what = charge->state == CHARGE_TAKEN ? "taken" : "reserved";
    if (charge->state == CHARGE_NONE || !checkout)
        return;
    int err = reader_checkout(audit->reader, &audit->arena, charge->checkout, checkout);
    bool paying = !err && checkout->status == CHECKOUT_PAYING;
    if (paying && charge->state == CHARGE_RESERVED &&
        id_eq(checkout_payment_key(checkout), charge->attempt))
        return;
    outside_say(audit, "orphan", charge->checkout,
                "charge %s: %lld are %s for checkout %s, which is %s", charge->reference,
                (long long)(charge->state == CHARGE_TAKEN ? charge->taken : charge->amount), what,
                id_text(charge->checkout, id),
                paying ? "being paid by another attempt, or not paid yet"
                       : "no order, and not held");
}

void outside_orphans(struct outside_audit *audit, struct bank_book *bank, struct id until)
{
    const struct bank_charge *charge;
    while ((charge = next_own(audit, bank)) && compare(charge->checkout, until) < 0) {
        audit->report->charges++;
        check_orphan(audit, charge);
        bank_book_next(bank);
    }
}

/* ---- Orders and their charges ---- */

static void check_figure(struct outside_audit *audit, const struct order *order, const char *rule,
                         const char *what, int64_t shop, int64_t bank)
{
    if (shop != bank)
        outside_say(audit, rule, order->id, "order %llu: %s is %lld, by the bank %lld",
                    (unsigned long long)order->number, what, (long long)shop, (long long)bank);
}

static void expect_state(struct outside_audit *audit, const struct order *order,
                         const struct bank_charge *mine, bool reserved, bool taken, bool none)
{
    static const char *const names[] = {"has nothing", "has reserved it", "has taken it"};
    const bool fits[] = {none, reserved, taken};
    if (!fits[mine->state])
        outside_say(audit, "state", order->id,
                    "order %llu: its payment is %s, but the bank %s (%s)",
                    (unsigned long long)order->number, payment_state_name(order->payment_state),
                    names[mine->state], mine->reference);
}

static void check_taken(struct outside_audit *audit, const struct order *order,
                        const struct bank_charge *mine)
{
    check_figure(audit, order, "taken", "what was taken", order->captured, mine->taken);
    if (mine->given_back < order->refunded || mine->given_back > order->refunded + order->refunding)
        outside_say(
            audit, "given", order->id,
            "order %llu: %lld were given back (and %lld are on their way), by the bank %lld",
            (unsigned long long)order->number, (long long)order->refunded,
            (long long)order->refunding, (long long)mine->given_back);
}

static void check_state(struct outside_audit *audit, const struct order *order,
                        const struct bank_charge *mine)
{
    audit->report->under_way += order->payment_state == PAYMENT_CAPTURING ||
                                order->payment_state == PAYMENT_CANCELING || order->refunding > 0;
    switch (order->payment_state) {
    case PAYMENT_NONE:
        expect_state(audit, order, mine, false, false, true);
        return;
    case PAYMENT_AUTHORISED:
        expect_state(audit, order, mine, true, false, false);
        return;
    case PAYMENT_CAPTURING:
        expect_state(audit, order, mine, true, true, false);
        if (mine->state == CHARGE_TAKEN)
            check_figure(audit, order, "taken", "what is being taken", order->capturing,
                         mine->taken);
        return;
    case PAYMENT_CAPTURED:
        expect_state(audit, order, mine, false, true, false);
        check_taken(audit, order, mine);
        return;
    case PAYMENT_CANCELING:
        expect_state(audit, order, mine, true, false, true);
        return;
    case PAYMENT_CANCELED:
    case PAYMENT_FAILED:
        expect_state(audit, order, mine, false, false, true);
        return;
    }
}

/* Passes over ORDER's charges. */
static void collect(struct outside_audit *audit, struct bank_book *bank, const struct order *order,
                    struct charges *charges)
{
    const struct bank_charge *charge;
    *charges = (struct charges){.mine_count = 0};
    while ((charge = next_own(audit, bank)) && id_eq(charge->checkout, order->id)) {
        audit->report->charges++;
        if (id_eq(charge->attempt, order->payment_key)) {
            charges->mine = *charge;
            charges->mine_count++;
        } else if (charge->state != CHARGE_NONE) {
            charges->others++;
            str_copy(charges->other, sizeof charges->other, str_of(charge->reference));
        }
        bank_book_next(bank);
    }
}

void outside_check_charges(struct outside_audit *audit, struct bank_book *bank,
                           const struct order *order)
{
    struct charges charges;
    unsigned long long number = order->number;
    int64_t total = basket_total(&order->basket, TOTAL_TOTAL);
    collect(audit, bank, order, &charges);
    if (charges.others > 0 || charges.mine_count > 1)
        outside_say(audit, "twice", order->id, "order %llu is charged %u times (%s)", number,
                    charges.others + charges.mine_count,
                    charges.others ? charges.other : charges.mine.reference);
    if (id_is_zero(order->payment_key)) {
        /* Nothing to pay; or of a version that kept no key. */
        audit->report->unpaired += total > 0;
        return;
    }
    if (charges.mine_count == 0 &&
        str_starts(order->payment.reference, STR(BANK_SANDBOX_REFERENCE))) {
        audit->report->unpaired++; /* paid within a server, before there was a bank */
        return;
    }
    if (charges.mine_count == 0) {
        outside_say(audit, "none", order->id, "order %llu has no charge", number);
        return;
    }
    if (order->payment.reference.len > 0 &&
        !str_eq(order->payment.reference, str_of(charges.mine.reference)))
        outside_say(audit, "reference", order->id, "order %llu is paid by %.*s, by the bank %s",
                    number, STR_FMT(order->payment.reference), charges.mine.reference);
    check_figure(audit, order, "amount", "its total", total, charges.mine.amount);
    check_state(audit, order, &charges.mine);
}

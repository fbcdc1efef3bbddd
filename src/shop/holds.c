#include "shop/holds.h"

#include "base/check.h"

#include <stdlib.h>

enum { HOLDS = 4096, SLOTS = 2 * HOLDS };

struct hold {
    struct id checkout;
    uint64_t variant_id;
    int64_t quantity; /* 0: it has ended */
    uint16_t before;  /* 1 + the place of the same checkout's row before it, or 0 */
};

_Static_assert(HOLDS < UINT16_MAX && (int)SHOP_LINES_MAX < (int)HOLDS,
               "each place has a number, and one checkout's rows have room together");

void holds_init(struct holds *holds, struct db *db)
{
    /* A seed of its own for each process: shoppers may choose ids. It decides nothing else. */
    uint64_t here = (uint64_t)(uintptr_t)holds;
    *holds = (struct holds){.db = db, .hash = {here, ~here * 0x9e3779b97f4a7c15u}};
}

void holds_clear(struct holds *holds)
{
    free(holds->waiting);
    free(holds->slots);
    holds_init(holds, holds->db);
}

static bool ready(struct holds *holds)
{
    if (holds->waiting)
        return true;
    holds->waiting = malloc(HOLDS * sizeof *holds->waiting);
    holds->slots = calloc(SLOTS, sizeof *holds->slots);
    if (holds->waiting && holds->slots)
        return true;
    holds_clear(holds);
    return false;
}

/* The slot of CHECKOUT, or the free one where it belongs: half of them are free. */
static uint16_t *slot_of(const struct holds *holds, struct id checkout)
{
    struct str text = str_make(checkout.bytes, sizeof checkout.bytes);
    unsigned slot = (unsigned)hash_fast(holds->hash, text) % SLOTS;
    while (holds->slots[slot] != 0 &&
           !id_eq(holds->waiting[holds->slots[slot] - 1].checkout, checkout))
        slot = (slot + 1) % SLOTS;
    return &holds->slots[slot];
}

static int write_row(struct db *db, const struct hold *hold)
{
    struct stmt *stmt = db_stmt(db, "INSERT INTO hold (checkout_id, variant_id, quantity)"
                                    " VALUES (?1, ?2, ?3)");
    stmt_bind_id(stmt, 1, hold->checkout);
    stmt_bind_u64(stmt, 2, hold->variant_id);
    stmt_bind_i64(stmt, 3, hold->quantity);
    return stmt_run(stmt);
}

int holds_write_back(struct holds *holds)
{
    int err = 0;
    for (unsigned i = 0; i < holds->count && !err; i++)
        if (holds->waiting[i].quantity != 0)
            err = write_row(holds->db, &holds->waiting[i]);
    if (holds->count > 0)
        memset(holds->slots, 0, SLOTS * sizeof *holds->slots);
    holds->count = 0;
    return err;
}

static void add(struct holds *holds, const struct hold *hold)
{
    uint16_t *slot = slot_of(holds, hold->checkout);
    struct hold *place = &holds->waiting[holds->count++];
    *place = *hold;
    place->before = *slot;
    *slot = (uint16_t)holds->count;
}

int holds_begin(struct holds *holds, struct id checkout, const struct basket_need *needs,
                unsigned count)
{
    int err = 0;
    bool waits = ready(holds);
    CHECK(count <= SHOP_LINES_MAX);
    if (waits && holds->count + count > HOLDS)
        err = holds_write_back(holds);
    for (unsigned i = 0; i < count && !err; i++) {
        struct hold hold = {.checkout = checkout,
                            .variant_id = needs[i].item->variant_id,
                            .quantity = needs[i].quantity};
        CHECK(hold.quantity > 0);
        if (waits)
            add(holds, &hold);
        else
            err = write_row(holds->db, &hold);
    }
    return err;
}

int holds_end(struct holds *holds, struct id checkout)
{
    unsigned number = holds->waiting ? *slot_of(holds, checkout) : 0;
    if (number == 0) {
        struct stmt *stmt = db_stmt(holds->db, "DELETE FROM hold WHERE checkout_id = ?");
        stmt_bind_id(stmt, 1, checkout);
        return stmt_run(stmt);
    }
    for (; number != 0; number = holds->waiting[number - 1].before)
        holds->waiting[number - 1].quantity = 0;
    return 0;
}

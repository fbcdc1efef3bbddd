#include "machine.h"

#include "base/check.h"
#include "history.h"
#include "shop/audit.h"
#include "world.h"

const char *const broken_names[BROKEN_COUNT] = {
#define X(name, about) #name,
    BROKEN_LIST(X)
#undef X
};

enum { DIGEST_EVERY = 64 };

void machine_guard_open(struct machine_guard *guard, struct shop *shop, struct db *reader)
{
    guard->shop = shop;
    guard->reader = reader;
    guard->applied = guard->durable = shop_applied_index(shop);
    if (guard->applied < guard->least)
        world_fail("server %u: its copy has entry %llu; it had entry %llu on disk when it died",
                   guard->server + 1, (unsigned long long)guard->applied,
                   (unsigned long long)guard->least);
    guard->entry = 0;
    guard->at = 0;
    buf_init(&guard->record, 1 << 20);
    buf_init(&guard->unasked, 4 << 20);
    arena_init(&guard->arena, 16 << 20);
}

static uint64_t guard_applied(void *context)
{
    struct machine_guard *guard = context;
    return guard->broken == BROKEN_index ? guard->kept_index : shop_applied_index(guard->shop);
}

static int64_t guard_applied_time(void *context)
{
    struct machine_guard *guard = context;
    return guard->broken == BROKEN_index ? guard->kept_time : shop_applied_time(guard->shop);
}

static int guard_begin(void *context, struct failure *failure)
{
    struct machine_guard *guard = context;
    return shop_begin(guard->shop, failure);
}

/* ---- Rules broken on purpose ---- */

/* RECORD as the broken shop gets it. */
static struct str spoil(struct machine_guard *guard, struct str record)
{
    struct command command;
    if (guard->broken != BROKEN_stock && guard->broken != BROKEN_operation)
        return record;
    arena_reset(&guard->arena);
    if (command_decode(&guard->arena, record, &command) != 0)
        return record;
    if (guard->broken == BROKEN_operation)
        command.operation = (struct id){{0}};
    else if (command.type == COMMAND_PRODUCT_PUT)
        command.product.variants[0].sell_when_out = true;
    buf_clear(&guard->record);
    command_encode(&guard->record, &command);
    CHECK(!guard->record.failed);
    return buf_text(&guard->record);
}

/* ---- Applying ---- */

static void end_entry(struct machine_guard *guard)
{
    if (guard->entry != 0)
        history_entry_ended(guard->server, guard->entry, guard->at);
    guard->entry = 0;
}

static int guard_apply(void *context, uint64_t index, int64_t time_ms, struct str command,
                       struct buf *result, struct failure *failure)
{
    struct machine_guard *guard = context;
    if (index != guard->entry) {
        end_entry(guard);
        if (guard->broken == BROKEN_none && index <= guard->applied)
            world_fail("server %u: entry %llu is applied again; the copy has %llu",
                       guard->server + 1, (unsigned long long)index,
                       (unsigned long long)guard->applied);
        guard->entry = index;
        guard->at = 0;
    }
    /* A result that nobody waits for is looked at all the same: the first one always, and, so that
     * those of the copies are compared, every second one. */
    struct buf *answer = result;
    if (answer == NULL && (index % 2 == 0 || !history_knows(index, guard->at))) {
        answer = &guard->unasked;
        buf_clear(answer);
    }
    size_t from = answer != NULL ? answer->len : 0;
    int err = shop_apply(guard->shop, index, time_ms, spoil(guard, command), answer, failure);
    if (err == 0)
        history_applied(guard->server, index, guard->at++, time_ms, command,
                        answer != NULL ? str_make(answer->at + from, answer->len - from)
                                       : STR_NONE);
    return err;
}

/* ---- Promise 1: no unit is sold twice, nor lost ---- */

static void check_stock(struct machine_guard *guard, uint64_t index)
{
    struct db *db = guard->reader;
    for (unsigned i = 0; i < ITEMS; i++) {
        struct stmt *row = db_stmt(db, "SELECT available, held, sold FROM stock JOIN variant"
                                       " ON variant.id = stock.variant_id WHERE variant.key = ?");
        stmt_bind_str(row, 1, str_of(item_names[i]));
        if (stmt_next(row) != 0)
            continue; /* not there yet */
        long long available = stmt_i64(row, 0), held = stmt_i64(row, 1), sold = stmt_i64(row, 2);
        stmt_done(row);
        long long arrived = history_arrived(index, i);
        if (available + held + sold != arrived || available < 0 || held < 0 || sold < 0)
            world_fail("server %u, entry %llu: of %s %lld are available, %lld held and %lld sold;"
                       " %lld have arrived",
                       guard->server + 1, (unsigned long long)index, item_names[i], available, held,
                       sold, arrived);
    }
    if (db_failure(db)->err != 0)
        world_fail("server %u: its copy cannot be read: %s", guard->server + 1,
                   db_failure(db)->text);
}

static void check_digest(struct machine_guard *guard, uint64_t index)
{
    unsigned char digest[DB_DIGEST];
    if (db_begin(guard->reader) != 0 || db_digest(guard->reader, digest) != 0)
        world_fail("server %u: its copy has no digest: %s", guard->server + 1,
                   db_failure(guard->reader)->text);
    history_digest(guard->server, index, digest, guard->reader);
    db_rollback(guard->reader);
}

static int guard_commit(void *context, uint64_t index, int64_t time_ms, struct failure *failure)
{
    struct machine_guard *guard = context;
    end_entry(guard);
    if (guard->broken == BROKEN_index) {
        guard->kept_index = index;
        guard->kept_time = time_ms;
    }
    int err = shop_commit(guard->shop, index, time_ms, failure);
    if (err != 0)
        return err;
    guard->applied = index;
    check_stock(guard, index);
    if (index % DIGEST_EVERY == 0)
        check_digest(guard, index);
    return 0;
}

static int guard_make_durable(void *context, uint64_t *index, struct failure *failure)
{
    struct machine_guard *guard = context;
    int err = shop_make_durable(guard->shop, index, failure);
    if (err == 0)
        guard->durable = *index;
    return err;
}

static int guard_freeze(void *context, struct machine_frozen *frozen, struct failure *failure)
{
    struct machine_guard *guard = context;
    return shop_freeze(guard->shop, &frozen->size, &frozen->index, &frozen->time_ms, failure);
}

static void guard_thaw(void *context)
{
    struct machine_guard *guard = context;
    shop_thaw(guard->shop);
}

static int guard_frozen_read(void *context, uint64_t offset, void *out, size_t len,
                             struct failure *failure)
{
    struct machine_guard *guard = context;
    return shop_frozen_read(guard->shop, offset, out, len, failure);
}

static void guard_rest(void *context)
{
    struct machine_guard *guard = context;
    shop_rest(guard->shop);
}

struct machine machine_guard_machine(struct machine_guard *guard)
{
    return (struct machine){
        .context = guard,
        .applied = guard_applied,
        .applied_time = guard_applied_time,
        .begin = guard_begin,
        .apply = guard_apply,
        .commit = guard_commit,
        .make_durable = guard_make_durable,
        .freeze = guard_freeze,
        .thaw = guard_thaw,
        .frozen_read = guard_frozen_read,
        .rest = guard_rest,
    };
}

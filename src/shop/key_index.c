#include "shop/key_index.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    NEW_MAX = 4096,
    OLD_MAX = 2 * NEW_MAX, /* after a start all that is not in the tree for certain */
    SLOTS = 32768,
    MOVED_AT_ONCE = 2, /* so that OLD is empty by the time that NEW is full */
};

struct young_key {
    unsigned char key[KEY_LEN];
    uint64_t seq; /* 0: the key has got another row */
};

struct key_tables {
    struct young_key old[OLD_MAX], new[NEW_MAX];
    unsigned old_count, old_moved, new_count;
    uint64_t swept;        /* rows up to it are gone */
    uint16_t slots[SLOTS]; /* by hash of the key: 0, or 1 + its place in OLD and then NEW */
};

_Static_assert(OLD_MAX + NEW_MAX < UINT16_MAX && 2 * (OLD_MAX + NEW_MAX) < SLOTS,
               "each place has a number, and a chain of slots has an end");

void key_index_init(struct key_index *index, struct db *db)
{
    /* A seed of its own for each process, as that of the items: it decides nothing else. */
    uint64_t here = (uint64_t)(uintptr_t)index;
    *index = (struct key_index){.db = db, .hash = {here, ~here * 0x9e3779b97f4a7c15u}};
}

void key_index_close(struct key_index *index)
{
    free(index->tables);
    index->tables = NULL;
}

/* ---- In memory ---- */

static struct young_key *at_place(struct key_tables *tables, unsigned place)
{
    return place < OLD_MAX ? &tables->old[place] : &tables->new[place - OLD_MAX];
}

static struct str key_text(const struct young_key *young)
{
    return str_make(young->key, KEY_LEN);
}

/* The slot of KEY, or the free one where it belongs. */
static uint16_t *slot_of(struct key_index *index, struct str key)
{
    struct key_tables *tables = index->tables;
    unsigned slot = (unsigned)hash_fast(index->hash, key) % SLOTS;
    while (tables->slots[slot] != 0 &&
           !str_eq(key_text(at_place(tables, tables->slots[slot] - 1u)), key))
        slot = (slot + 1) % SLOTS;
    return &tables->slots[slot];
}

static int by_key(const void *a, const void *b)
{
    return memcmp(((const struct young_key *)a)->key, ((const struct young_key *)b)->key, KEY_LEN);
}

/* OLD has been filled: sorts it and begins the slots anew; NEW is empty. */
static void take_up_old(struct key_index *index)
{
    struct key_tables *tables = index->tables;
    qsort(tables->old, tables->old_count, sizeof tables->old[0], by_key);
    tables->old_moved = 0;
    tables->new_count = 0;
    memset(tables->slots, 0, sizeof tables->slots);
    for (unsigned i = 0; i < tables->old_count; i++)
        if (tables->old[i].seq != 0)
            *slot_of(index, key_text(&tables->old[i])) = (uint16_t)(i + 1);
}

/* ---- The tree ---- */

static void write_key(struct key_index *index, struct str key, uint64_t seq)
{
    struct stmt *row =
        db_stmt(index->db, "INSERT OR REPLACE INTO idempotency_key (key, seq) VALUES (?, ?)");
    stmt_bind_blob(row, 1, key);
    stmt_bind_u64(row, 2, seq);
    stmt_run(row);
}

static uint64_t read_key(struct key_index *index, struct str key)
{
    struct stmt *row = db_stmt(index->db, "SELECT seq FROM idempotency_key WHERE key = ?");
    stmt_bind_blob(row, 1, key);
    return stmt_only_u64(row, 0);
}

/* The empty key has the row up to which all are in the tree. */
#define ALL_IN STR("")

static void move(struct key_index *index, unsigned count)
{
    struct key_tables *tables = index->tables;
    for (; count > 0 && tables->old_moved < tables->old_count; count--) {
        const struct young_key *young = &tables->old[tables->old_moved++];
        if (young->seq > tables->swept)
            write_key(index, key_text(young), young->seq);
    }
}

/* OLD is in the tree, wholly. */
static void finish_old(struct key_index *index)
{
    struct key_tables *tables = index->tables;
    uint64_t last = 0;
    move(index, OLD_MAX);
    for (unsigned i = 0; i < tables->old_count; i++)
        last = tables->old[i].seq > last ? tables->old[i].seq : last;
    if (last > 0)
        write_key(index, ALL_IN, last);
    tables->old_count = 0;
}

/* ---- Taking up what is there ---- */

static void load_row(struct key_tables *tables, struct stmt *row)
{
    struct young_key *young = &tables->old[tables->old_count];
    struct str key = stmt_blob(row, 1);
    if (key.len != KEY_LEN)
        return;
    memcpy(young->key, key.at, KEY_LEN);
    young->seq = stmt_u64(row, 0);
    tables->old_count++;
}

/* Up to OLD_MAX of the rows that may not be in the tree. False: there are more. */
static bool load_old(struct key_index *index)
{
    struct key_tables *tables = index->tables;
    uint64_t from = read_key(index, ALL_IN);
    struct stmt *row =
        db_stmt(index->db, "SELECT seq, key FROM idempotency WHERE seq > ? ORDER BY seq");
    stmt_bind_u64(row, 1, from);
    while (stmt_next(row) == 0) {
        if (tables->old_count == OLD_MAX) {
            stmt_done(row);
            return false;
        }
        load_row(tables, row);
    }
    return true;
}

static bool ready(struct key_index *index)
{
    if (index->tables)
        return true;
    index->tables = calloc(1, sizeof *index->tables);
    if (!index->tables) {
        db_fail_memory(index->db);
        return false;
    }
    /* More than fit only if it has been stopped again and again before it came to an end. */
    while (!load_old(index)) {
        take_up_old(index);
        finish_old(index);
    }
    take_up_old(index);
    return true;
}

/* ---- What is asked ---- */

uint64_t key_index_find(struct key_index *index, struct str key)
{
    CHECK(key.len == KEY_LEN);
    if (!ready(index))
        return 0;
    uint16_t place = *slot_of(index, key);
    return place ? at_place(index->tables, place - 1u)->seq : read_key(index, key);
}

static void turn(struct key_index *index)
{
    struct key_tables *tables = index->tables;
    finish_old(index);
    memcpy(tables->old, tables->new, sizeof tables->new);
    tables->old_count = tables->new_count;
    take_up_old(index);
}

void key_index_add(struct key_index *index, struct str key, uint64_t seq)
{
    CHECK(key.len == KEY_LEN);
    if (!ready(index))
        return;
    struct key_tables *tables = index->tables;
    if (tables->new_count == NEW_MAX)
        turn(index);
    uint16_t *slot = slot_of(index, key);
    if (*slot)
        at_place(tables, *slot - 1u)->seq = 0;
    struct young_key *young = &tables->new[tables->new_count];
    memcpy(young->key, key.at, KEY_LEN);
    young->seq = seq;
    *slot = (uint16_t)(OLD_MAX + tables->new_count++ + 1);
    move(index, MOVED_AT_ONCE);
}

void key_index_sweep(struct key_index *index, uint64_t seq)
{
    struct stmt *row = db_stmt(index->db, "DELETE FROM idempotency_key WHERE seq <= ?1 AND key IN"
                                          " (SELECT key FROM idempotency WHERE seq <= ?1)");
    stmt_bind_u64(row, 1, seq);
    stmt_run(row);
    if (index->tables && seq > index->tables->swept)
        index->tables->swept = seq;
}

void key_index_empty(struct key_index *index)
{
    struct stmt *row = db_stmt(index->db, "DELETE FROM idempotency_key");
    stmt_run(row);
    key_index_close(index);
}

#include "shop/apply.h"
#include "shop/product.h"

/* Staged import: all of its products are in the log before the first one is sold.
 *
 *            IMPORT_STAGE             IMPORT_COMMIT             IMPORT_STEP
 *   (none) ---------------> staging ----------------> decided ---------------> (none)
 *                              |                         each step moves some products
 *                              |  IMPORT_ABORT, or a day has passed (EXPIRE)
 *                              +---------------------------------------------> (none)
 *
 * A decided import only goes forward: whoever is primary steps on until it is done.
 */
enum { CHUNK_MAX = 200 * 1024, STALE_MS = 86400000, STEP_MAX = 1000, CHUNKS_MAX = 10000000 };
enum { ABORTED = 0 /* in started_ms: past its time, however late it was started */ };

struct import {
    uint64_t chunks; /* 0: staging */
    uint64_t next_chunk, next_offset, moved;
    bool aborted; /* its chunks are being deleted */
};

static int load(struct apply *apply, struct id id, struct import *import)
{
    *import = (struct import){0};
    struct stmt *row = db_stmt(apply->db, "SELECT chunks, next_chunk, next_offset, moved,"
                                          " started_ms FROM import WHERE id = ?");
    stmt_bind_id(row, 1, id);
    int err = stmt_next(row);
    if (err)
        return err;
    *import = (struct import){stmt_u64(row, 0), stmt_u64(row, 1), stmt_u64(row, 2),
                              stmt_u64(row, 3), stmt_i64(row, 4) == ABORTED};
    stmt_done(row);
    return 0;
}

static void result_number(struct apply *apply, uint64_t number)
{
    apply->result->kind = RESULT_NUMBER;
    apply->result->number = number;
}

/* ---- Staging ---- */

/* Every product of the chunk has to be one that could be put: once the import is decided
 * there is nobody left to refuse it to. */
static int check_chunk(struct apply *apply, struct str products)
{
    if (products.len == 0 || products.len > CHUNK_MAX)
        return apply_refuse(apply, ERR_INVALID, "a chunk has 1 to %d bytes of products", CHUNK_MAX);
    for (uint64_t n = 1; products.len > 0; n++) {
        struct product product;
        int err = command_get_product(apply->arena, &products, &product);
        if (err == ERR_NOMEM)
            return db_fail_memory(apply->db);
        if (err)
            return apply_refuse(apply, ERR_INVALID, "product %llu of the chunk cannot be read",
                                (unsigned long long)n);
        err = product_check(apply, &product);
        if (!err)
            err = product_match(apply, &product);
        if (err)
            return err;
    }
    return 0;
}

static void add_import(struct apply *apply, struct id id)
{
    struct stmt *row = db_stmt(apply->db, "INSERT INTO import (id, started_ms, chunks, next_chunk,"
                                          " next_offset, moved) VALUES (?, ?, 0, 0, 0, 0)");
    stmt_bind_id(row, 1, id);
    stmt_bind_i64(row, 2, apply->now);
    stmt_run(row);
}

int apply_import_stage(struct apply *apply)
{
    struct id id = apply->command->import.id;
    uint64_t sequence = apply->command->import.sequence;
    struct import import;
    if (id_is_zero(id) || sequence >= CHUNKS_MAX)
        return apply_refuse(apply, ERR_INVALID, "an import needs an id, and at most %d chunks",
                            CHUNKS_MAX);
    int err = load(apply, id, &import);
    if (!err && (import.chunks > 0 || import.aborted))
        return apply_refuse(apply, ERR_STATE, "the import was %s already, it takes no more chunks",
                            import.aborted ? "aborted" : "decided");
    bool new = err == ERR_NOTFOUND;
    if (err && !new)
        return err;
    err = check_chunk(apply, apply->command->import.products);
    if (err)
        return err;
    if (new)
        add_import(apply, id);
    /* The same chunk again is the same chunk: a retry. */
    struct stmt *row =
        db_stmt(apply->db, "INSERT INTO import_chunk (import_id, sequence, products)"
                           " VALUES (?, ?, ?) ON CONFLICT (import_id, sequence) DO NOTHING");
    stmt_bind_id(row, 1, id);
    stmt_bind_u64(row, 2, sequence);
    stmt_bind_blob(row, 3, apply->command->import.products);
    stmt_run(row);
    return 0;
}

/* ---- Deciding ---- */

int apply_import_commit(struct apply *apply)
{
    struct id id = apply->command->import.id;
    uint64_t chunks = apply->command->import.sequence;
    struct import import;
    int err = load(apply, id, &import);
    if (err == ERR_NOTFOUND || import.aborted)
        return apply_refuse(apply, ERR_NOTFOUND,
                            "there is no such import; it was done, aborted, or is older than a "
                            "day");
    if (err)
        return err;
    if (import.chunks > 0 && import.chunks == chunks)
        return 0;
    if (import.chunks > 0)
        return apply_refuse(apply, ERR_STATE, "the import was decided with %llu chunks",
                            (unsigned long long)import.chunks);
    struct stmt *row = db_stmt(apply->db, "SELECT count(*), coalesce(max(sequence), -1)"
                                          " FROM import_chunk WHERE import_id = ?");
    stmt_bind_id(row, 1, id);
    if (stmt_next(row))
        return apply_failed(apply);
    uint64_t count = stmt_u64(row, 0);
    bool all = chunks > 0 && count == chunks && stmt_i64(row, 1) == (int64_t)chunks - 1;
    stmt_done(row);
    if (!all)
        return apply_refuse(apply, ERR_STATE,
                            "%llu chunks of %llu are there; stage the others first",
                            (unsigned long long)count, (unsigned long long)chunks);
    row = db_stmt(apply->db, "UPDATE import SET chunks = ?2, started_ms = ?3 WHERE id = ?1");
    stmt_bind_id(row, 1, id);
    stmt_bind_u64(row, 2, chunks);
    stmt_bind_i64(row, 3, apply->now);
    stmt_run(row);
    return 0;
}

/* ---- Moving ---- */

static void delete_chunk(struct apply *apply, struct id id, uint64_t sequence)
{
    struct stmt *row =
        db_stmt(apply->db, "DELETE FROM import_chunk WHERE import_id = ? AND sequence = ?");
    stmt_bind_id(row, 1, id);
    stmt_bind_u64(row, 2, sequence);
    stmt_run(row);
}

static void delete_import(struct apply *apply, struct id id)
{
    struct stmt *row = db_stmt(apply->db, "DELETE FROM import WHERE id = ?");
    stmt_bind_id(row, 1, id);
    stmt_run(row);
}

static void save(struct apply *apply, struct id id, const struct import *import)
{
    struct stmt *row = db_stmt(apply->db, "UPDATE import SET next_chunk = ?2, next_offset = ?3,"
                                          " moved = ?4 WHERE id = ?1");
    stmt_bind_id(row, 1, id);
    stmt_bind_u64(row, 2, import->next_chunk);
    stmt_bind_u64(row, 3, import->next_offset);
    stmt_bind_u64(row, 4, import->moved);
    stmt_run(row);
}

/* The chunk's products from where the last step ended; at == NULL: the database failed. */
static struct str rest_of_chunk(struct apply *apply, struct id id, const struct import *import)
{
    struct stmt *row = db_stmt(apply->db, "SELECT products FROM import_chunk"
                                          " WHERE import_id = ? AND sequence = ?");
    stmt_bind_id(row, 1, id);
    stmt_bind_u64(row, 2, import->next_chunk);
    int err = stmt_next(row);
    if (err) {
        if (err == ERR_NOTFOUND)
            db_fail_damaged(apply->db, "a chunk of an import is missing");
        return STR_NONE;
    }
    struct str products = arena_str(apply->arena, stmt_blob(row, 0));
    stmt_done(row);
    if (!products.at)
        db_fail_memory(apply->db);
    return str_from(products, (size_t)import->next_offset);
}

/* A product may still be refused, when its keys were taken since it was staged: it is left
 * out, as nothing better can be done for a decided import. */
static int move_product(struct apply *apply, struct str *products, uint64_t *moved)
{
    struct product product;
    int err = command_get_product(apply->arena, products, &product);
    if (err == ERR_NOMEM)
        return db_fail_memory(apply->db);
    if (err)
        return db_fail_damaged(apply->db, "a product of an import cannot be read");
    err = product_check(apply, &product);
    if (!err)
        err = product_write(apply, &product);
    *moved += !err;
    *apply->result = (struct result){0};
    return db_failure(apply->db)->err;
}

/* Moves up to LIMIT products of one chunk; the chunk is deleted when it is used up. */
static int step(struct apply *apply, struct id id, struct import *import, uint64_t limit,
                uint64_t *seen)
{
    struct str products = rest_of_chunk(apply, id, import);
    size_t len = products.len;
    int err = db_failure(apply->db)->err;
    while (!err && products.len > 0 && *seen < limit) {
        err = move_product(apply, &products, &import->moved);
        ++*seen;
    }
    if (err)
        return err;
    import->next_offset += len - products.len;
    if (products.len == 0) {
        delete_chunk(apply, id, import->next_chunk);
        import->next_chunk++;
        import->next_offset = 0;
    }
    return 0;
}

/* Decided imports move in the order in which they were decided, whichever is asked for: what an
 * older one, left behind by a kill, says of a product must not replace what a newer one says. */
static int first_decided(struct apply *apply, struct id *id)
{
    struct stmt *row = db_stmt(apply->db, "SELECT id FROM import WHERE chunks > 0"
                                          " ORDER BY started_ms, id LIMIT 1");
    int err = stmt_next(row);
    if (err)
        return err;
    *id = stmt_id(row, 0);
    stmt_done(row);
    return 0;
}

int apply_import_step(struct apply *apply)
{
    struct id id = apply->command->import.id;
    uint64_t limit = apply->command->import.limit, seen = 0;
    if (limit == 0 || limit > STEP_MAX)
        limit = STEP_MAX;
    struct import import;
    int err = load(apply, id, &import);
    if (err == ERR_NOTFOUND) {
        result_number(apply, 0); /* done: the step before was the last */
        return 0;
    }
    if (!err && import.chunks == 0)
        return apply_refuse(apply, ERR_STATE, "the import is not decided yet");
    if (!err)
        err = first_decided(apply, &id);
    if (!err)
        err = load(apply, id, &import);
    /* One chunk a step: a command's memory holds its products. */
    if (!err)
        err = step(apply, id, &import, limit, &seen);
    if (err)
        return err;
    if (import.next_chunk == import.chunks)
        delete_import(apply, id);
    else
        save(apply, id, &import);
    apply_changed_catalogue(apply);
    result_number(apply, seen);
    return 0;
}

/* ---- Dropping ---- */

static uint64_t drop_chunks(struct apply *apply, struct id id, uint64_t limit)
{
    struct stmt *row = db_stmt(apply->db, "DELETE FROM import_chunk WHERE seq IN (SELECT seq FROM"
                                          " import_chunk WHERE import_id = ? LIMIT ?)");
    stmt_bind_id(row, 1, id);
    stmt_bind_u64(row, 2, limit);
    return stmt_run(row) ? 0 : db_changed_rows(apply->db);
}

int apply_import_abort(struct apply *apply)
{
    struct id id = apply->command->import.id;
    struct import import;
    int err = load(apply, id, &import);
    if (err == ERR_NOTFOUND)
        return 0;
    if (err)
        return err;
    if (import.chunks > 0)
        return apply_refuse(apply, ERR_STATE,
                            "the import is decided; what it does can be undone by another import");
    /* Deleting the chunks of a large import takes a while: EXPIRE does it bit by bit. */
    struct stmt *row = db_stmt(apply->db, "UPDATE import SET started_ms = ?2 WHERE id = ?1");
    stmt_bind_id(row, 1, id);
    stmt_bind_i64(row, 2, ABORTED);
    stmt_run(row);
    return 0;
}

int expire_imports(struct apply *apply, uint64_t limit, uint64_t *removed)
{
    while (limit > 0) {
        struct stmt *row = db_stmt(apply->db, "SELECT id FROM import WHERE chunks = 0"
                                              " AND started_ms <= ? ORDER BY id LIMIT 1");
        stmt_bind_i64(row, 1, apply->now - STALE_MS);
        if (stmt_next(row))
            break;
        struct id id = stmt_id(row, 0);
        stmt_done(row);
        uint64_t dropped = drop_chunks(apply, id, limit < INT32_MAX ? limit : INT32_MAX);
        limit -= dropped;
        *removed += dropped;
        if (limit > 0) {
            delete_import(apply, id);
            limit--;
            ++*removed;
        }
    }
    return db_failure(apply->db)->err;
}

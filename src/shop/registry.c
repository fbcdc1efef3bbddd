#include "shop/registry.h"

#include "shop/apply.h"
#include "shop/auditing.h"
#include "shop/reader.h"

static bool is_key(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.at[i] <= ' ' || key.at[i] > '~')
            return false;
    return key.len >= 1 && key.len <= REGISTRY_KEY_MAX;
}

/* ---- The command ---- */

/* Whether the entry is as the command demands; ERR_CONFLICT otherwise. */
static int check_condition(struct apply *apply)
{
    enum registry_condition condition = apply->command->registry.condition;
    struct stmt *row = db_stmt(apply->db, "SELECT value FROM registry WHERE key = ?");
    stmt_bind_str(row, 1, apply->command->registry.key);
    bool there = stmt_next(row) == 0, good = true;
    if (condition == REGISTRY_ABSENT)
        good = !there;
    else if (condition == REGISTRY_SAME)
        good = there && str_eq(stmt_blob(row, 0), apply->command->registry.expected);
    if (there)
        stmt_done(row);
    if (good)
        return 0;
    return apply_refuse(apply, ERR_CONFLICT, "the registry's entry \"%.*s\" %s",
                        STR_FMT(apply->command->registry.key),
                        !there                         ? "is not there"
                        : condition == REGISTRY_ABSENT ? "is there already"
                                                       : "has another value");
}

static int check_room(struct apply *apply)
{
    struct stmt *count = db_stmt(apply->db, "SELECT count(*) FROM registry WHERE key <> ?");
    stmt_bind_str(count, 1, apply->command->registry.key);
    uint64_t entries = stmt_next(count) ? 0 : stmt_u64(count, 0);
    stmt_done(count);
    if (entries < REGISTRY_ENTRIES_MAX)
        return 0;
    return apply_refuse(apply, ERR_FULL, "the registry has %llu entries, more are not possible",
                        (unsigned long long)entries);
}

int apply_registry_put(struct apply *apply)
{
    struct str key = apply->command->registry.key, value = apply->command->registry.value;
    if (!is_key(key))
        return apply_refuse(apply, ERR_INVALID,
                            "a key of the registry is 1 to %d printable characters",
                            REGISTRY_KEY_MAX);
    if (value.len > REGISTRY_VALUE_MAX)
        return apply_refuse(apply, ERR_INVALID, "a value of the registry has at most %d bytes",
                            REGISTRY_VALUE_MAX);
    int err = check_condition(apply);
    if (!err && value.len)
        err = check_room(apply);
    if (err)
        return err;
    struct stmt *row;
    if (value.len) {
        row = db_stmt(apply->db, "INSERT OR REPLACE INTO registry (key, value) VALUES (?, ?)");
        stmt_bind_blob(row, 2, value);
    } else {
        row = db_stmt(apply->db, "DELETE FROM registry WHERE key = ?");
    }
    stmt_bind_str(row, 1, key);
    stmt_run(row);
    return 0;
}

int registry_shop_epoch(struct db *db, uint64_t *epoch)
{
    struct stmt *row =
        db_stmt(db, "SELECT value FROM registry WHERE key = '" REGISTRY_SHOP_EPOCH "'");
    *epoch = 0;
    int err = stmt_next(row);
    if (err)
        return err == ERR_NOTFOUND ? ERR_OK : err;
    err = str_to_u64(stmt_blob(row, 0), epoch) ? ERR_DAMAGED : ERR_OK;
    stmt_done(row);
    return err;
}

/* ---- Reading ---- */

static int find(struct reader *reader, struct arena *arena, struct str key, struct str *value)
{
    struct stmt *row = db_stmt(reader->db, "SELECT value FROM registry WHERE key = ?");
    stmt_bind_str(row, 1, key);
    int err = stmt_next(row);
    if (err)
        return err;
    *value = arena_str(arena, stmt_blob(row, 0));
    stmt_done(row);
    return value->at ? 0 : ERR_NOMEM;
}

int reader_registry(struct reader *reader, struct arena *arena, struct str key, struct str *value)
{
    *value = STR_NONE;
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, find(reader, arena, key, value));
}

static int find_next(struct reader *reader, struct arena *arena, struct str prefix,
                     struct str after, struct str *key, struct str *value)
{
    struct stmt *row =
        db_stmt(reader->db, "SELECT key, value FROM registry WHERE key >= ?1 AND key > ?2"
                            " ORDER BY key");
    stmt_bind_str(row, 1, prefix);
    stmt_bind_str(row, 2, after);
    int err = stmt_next(row);
    if (err)
        return err;
    bool matches = str_starts(stmt_str(row, 0), prefix);
    *key = arena_str(arena, stmt_str(row, 0));
    *value = arena_str(arena, stmt_blob(row, 1));
    stmt_done(row);
    if (!matches)
        return ERR_NOTFOUND;
    return key->at && value->at ? 0 : ERR_NOMEM;
}

int reader_registry_next(struct reader *reader, struct arena *arena, struct str prefix,
                         struct str after, struct str *key, struct str *value)
{
    *key = *value = STR_NONE;
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, find_next(reader, arena, prefix, after, key, value));
}

/* ---- Audit ---- */

void audit_registry(struct auditing *audit)
{
    struct stmt *row = db_stmt(audit->db, "SELECT count(*) FROM sqlite_schema"
                                          " WHERE name = 'registry'");
    bool there = stmt_next(row) == 0 && stmt_u64(row, 0);
    stmt_done(row);
    if (!there)
        return; /* of a version that had none */
    row = db_stmt(audit->db, "SELECT key, length(value) FROM registry");
    while (stmt_next(row) == 0)
        if (!is_key(stmt_str(row, 0)) || stmt_u64(row, 1) > REGISTRY_VALUE_MAX ||
            stmt_u64(row, 1) == 0)
            audit_say(audit, "the registry's entry \"%.*s\" is not one that could be put there",
                      STR_FMT(stmt_str(row, 0)));
}

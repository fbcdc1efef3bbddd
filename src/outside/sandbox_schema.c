#include "base/random.h"
#include "outside/sandbox_ledger.h"

enum { VERSION = 1 };

/* Lists are told newest first by time and number, hence the indexes of `created`. */
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS account (letters TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS payment (number INTEGER PRIMARY KEY, created INTEGER NOT NULL,"
    " amount INTEGER NOT NULL, received INTEGER NOT NULL, currency TEXT NOT NULL,"
    " capture_method INTEGER NOT NULL, status INTEGER NOT NULL,"
    " manual_confirmation INTEGER NOT NULL, secret TEXT NOT NULL, method TEXT NOT NULL,"
    " charge INTEGER NOT NULL, decline INTEGER NOT NULL, declined_method TEXT NOT NULL,"
    " lapses_ms INTEGER NOT NULL, canceled_at INTEGER NOT NULL, cancel_reason TEXT NOT NULL,"
    " metadata TEXT NOT NULL, shipping TEXT NOT NULL, description TEXT NOT NULL,"
    " receipt_email TEXT NOT NULL, suffix TEXT NOT NULL, customer TEXT NOT NULL,"
    " CHECK (received BETWEEN 0 AND amount));"
    "CREATE INDEX IF NOT EXISTS payment_created ON payment (created);"
    "CREATE INDEX IF NOT EXISTS payment_lapses ON payment (lapses_ms) WHERE lapses_ms > 0;"
    "CREATE TABLE IF NOT EXISTS charge (number INTEGER PRIMARY KEY, payment INTEGER NOT NULL,"
    " created INTEGER NOT NULL, amount INTEGER NOT NULL, captured INTEGER NOT NULL,"
    " refunded INTEGER NOT NULL, is_captured INTEGER NOT NULL, currency TEXT NOT NULL,"
    " method TEXT NOT NULL, decline INTEGER NOT NULL, capture_before INTEGER NOT NULL,"
    " CHECK (captured BETWEEN 0 AND amount AND refunded BETWEEN 0 AND amount));"
    "CREATE TABLE IF NOT EXISTS refund (number INTEGER PRIMARY KEY, charge INTEGER NOT NULL,"
    " payment INTEGER NOT NULL, created INTEGER NOT NULL, amount INTEGER NOT NULL,"
    " currency TEXT NOT NULL, reason TEXT NOT NULL, reversal INTEGER NOT NULL,"
    " status INTEGER NOT NULL, later INTEGER NOT NULL, later_ms INTEGER NOT NULL,"
    " metadata TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS refund_created ON refund (created);"
    "CREATE INDEX IF NOT EXISTS refund_payment ON refund (payment, created);"
    "CREATE INDEX IF NOT EXISTS refund_later ON refund (later_ms) WHERE later_ms > 0;"
    "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, created INTEGER NOT NULL,"
    " type TEXT NOT NULL, object TEXT NOT NULL, previous TEXT NOT NULL, request TEXT NOT NULL,"
    " key TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS event_created ON event (created);"
    "CREATE TABLE IF NOT EXISTS hook (event INTEGER PRIMARY KEY, tries INTEGER NOT NULL,"
    " next_ms INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS hook_next ON hook (next_ms);"
    "CREATE TABLE IF NOT EXISTS idempotency (number INTEGER PRIMARY KEY, key TEXT NOT NULL,"
    " path TEXT NOT NULL, digest BLOB NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,"
    " made_ms INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX IF NOT EXISTS idempotency_key ON idempotency (key);"
    "CREATE TABLE IF NOT EXISTS fence (shop BLOB PRIMARY KEY, epoch INTEGER NOT NULL,"
    " term INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS refused (number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL,"
    " peer TEXT NOT NULL, what TEXT NOT NULL, fence TEXT NOT NULL, highest TEXT NOT NULL);";

static int make_account(struct db *db)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    unsigned char random[8];
    char text[9] = "";
    if (stmt_only_u64(db_stmt(db, "SELECT count(*) FROM account"), 0) > 0)
        return db_failure(db)->err;
    random_secret(random, sizeof random);
    for (int i = 0; i < 8; i++)
        text[i] = letters[random[i] % 32];
    struct stmt *stmt = db_stmt(db, "INSERT INTO account VALUES (?)");
    stmt_bind_str(stmt, 1, str_of(text));
    return stmt_run(stmt);
}

int ledger_make(struct db *db, struct failure *failure)
{
    uint64_t version = stmt_only_u64(db_stmt(db, "PRAGMA user_version"), 0);
    int err = version > VERSION ? db_fail_newer(db, "its layout") : db_failure(db)->err;
    err = err ? err : db_exec(db, tables);
    err = err ? err : make_account(db);
    err = err ? err : db_exec(db, "PRAGMA user_version = 1");
    if (err && failure)
        *failure = *db_failure(db);
    return err;
}

int ledger_account(struct db *db, struct sandbox_account *account)
{
    struct stmt *stmt = db_stmt(db, "SELECT letters FROM account");
    int err = stmt_next(stmt);
    if (err)
        return err;
    str_copy(account->letters, sizeof account->letters, stmt_str(stmt, 0));
    stmt_done(stmt);
    return strlen(account->letters) == 8 ? 0 : db_fail_damaged(db, "the account's letters");
}

/* By number, since rows come in the order of time: a bounded piece from the oldest on. */
int ledger_prune(struct db *db, int64_t now_ms)
{
    enum { EVENTS_KEPT_S = 30 * 24 * 3600 };
    struct stmt *keys =
        db_stmt(db, "DELETE FROM idempotency WHERE made_ms < ? AND"
                    " number < (SELECT number FROM idempotency ORDER BY number LIMIT 1) + 500");
    stmt_bind_i64(keys, 1, now_ms - SANDBOX_KEY_MS);
    stmt_run(keys);
    struct stmt *events =
        db_stmt(db, "DELETE FROM event WHERE created < ? AND"
                    " number < (SELECT number FROM event ORDER BY number LIMIT 1) + 500"
                    " AND NOT EXISTS (SELECT 1 FROM hook WHERE hook.event = event.number)");
    stmt_bind_i64(events, 1, now_ms / 1000 - EVENTS_KEPT_S);
    return stmt_run(events);
}

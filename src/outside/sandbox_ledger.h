/* Ledger of the sandbox bank: its database, bank.db, and the rows in it: payments, charges,
 * refunds, events with their webhooks, idempotency keys, fences. An ordinary SQLite file, open to
 * every tool: in tests it is the judge of what was charged.
 *
 * Functions that change run on the writer's thread, inside a transaction; those that read, on any
 * thread with a connection of its own. What fails in the database shows in db_failure.
 */
#ifndef STOA_OUTSIDE_SANDBOX_LEDGER_H
#define STOA_OUTSIDE_SANDBOX_LEDGER_H

#include "base/arena.h"
#include "outside/sandbox_json.h"
#include "outside/sandbox_payment.h"
#include "replica/fence.h"
#include "store/db.h"

/* Makes the tables, and the account's letters the first time. For writer_open. */
int ledger_make(struct db *db, struct failure *failure);
int ledger_account(struct db *db, struct sandbox_account *account);

/* Columns in the order that payment_of_row and its like expect. */
#define PAYMENT_COLUMNS                                                                    \
    "number, created, amount, received, currency, capture_method, status,"                 \
    " manual_confirmation, secret, method, charge, decline, declined_method, lapses_ms,"   \
    " canceled_at, cancel_reason, metadata, shipping, description, receipt_email, suffix," \
    " customer"
#define CHARGE_COLUMNS                                                                     \
    "number, payment, created, amount, captured, refunded, is_captured, currency, method," \
    " decline, capture_before"
#define REFUND_COLUMNS                                                                     \
    "number, charge, payment, created, amount, currency, reason, reversal, status, later," \
    " later_ms, metadata"
#define EVENT_COLUMNS "number, created, type, object, previous, request, key"

/* Of the row that STMT is at; strings are lent from it. */
void payment_of_row(struct stmt *stmt, struct payment *payment);
void charge_of_row(struct stmt *stmt, struct charge *charge);
void refund_of_row(struct stmt *stmt, struct refund *refund);
void event_of_row(struct stmt *stmt, struct sandbox_event *event);

/* 0 with strings in ARENA, ERR_NOTFOUND, or the failure. */
int ledger_payment(struct db *db, uint64_t number, struct arena *arena, struct payment *payment);
int ledger_charge(struct db *db, uint64_t number, struct arena *arena, struct charge *charge);
int ledger_refund(struct db *db, uint64_t number, struct arena *arena, struct refund *refund);

/* Gives it its number. */
int ledger_add_payment(struct db *db, struct payment *payment);
int ledger_add_charge(struct db *db, struct charge *charge);
int ledger_add_refund(struct db *db, struct refund *refund);
/* What may change of it. */
int ledger_save_payment(struct db *db, const struct payment *payment);
int ledger_save_charge(struct db *db, const struct charge *charge);
int ledger_save_refund(struct db *db, const struct refund *refund);

/* HOOK_MS: when its webhook is due first; negative: it has none. */
int ledger_add_event(struct db *db, const struct sandbox_event *event, int64_t hook_ms);

/* ---- Idempotency keys (docs/bank.md) ---- */

enum { SANDBOX_KEY_MAX = 255, SANDBOX_KEY_MS = 24 * 3600 * 1000 };

struct sandbox_saved {
    struct str path, digest; /* of the first request */
    int status;
    struct str body;
};
/* What was answered under KEY: 0 with strings in ARENA, or ERR_NOTFOUND: nothing, or more than 24
 * hours ago. */
int ledger_saved(struct db *db, struct str key, int64_t now_ms, struct arena *arena,
                 struct sandbox_saved *saved);
int ledger_save_answer(struct db *db, struct str key, int64_t now_ms,
                       const struct sandbox_saved *saved);

/* ---- Fences ---- */

/* Keeps FENCE when it is not lower than the shop's highest, which goes to *HIGHEST. ERR_DENIED: it
 * is lower, and a row in `refused` says so. */
int ledger_fence(struct db *db, const struct fence *fence, struct str peer, struct str what,
                 int64_t now_ms, struct fence *highest);

/* ---- Upkeep ---- */

/* Removes some of what is too old: keys after 24 hours, events after 30 days. */
int ledger_prune(struct db *db, int64_t now_ms);

#endif

/* The shop as a deterministic machine: the same commands in the same order give the
 * same database on each server. No clock, network, random number or thread in here.
 *
 * One struct shop is the only writer of its database file; it is used by one thread
 * (replica/'s applier). Readers (shop/read.h) have their own connections.
 *
 * Several log entries are applied in one SQLite transaction: shop_begin, shop_apply
 * for each command, shop_commit. What shop_commit recorded is what it was handed:
 * the applied index is in the same transaction as what it applied.
 */
#ifndef STOA_SHOP_SHOP_H
#define STOA_SHOP_SHOP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "shop/command.h"

struct shop;

/* What a committed transaction changed; told after the commit and before any result
 * is given out, on the applier's thread. */
enum change_kind {
    CHANGE_PRODUCT,   /* one product: its page, its JSON, its stock */
    CHANGE_CATALOGUE, /* the set of products, or of categories: lists */
    CHANGE_SETTINGS,  /* name, currency, rates: everything */
    CHANGE_OUTBOX,    /* something is to leave the cluster */
};
struct shop_listener {
    /* PRODUCT_ID and HANDLE for CHANGE_PRODUCT, else 0 and empty. INDEX: the entry. */
    void (*changed)(void *context, enum change_kind kind, uint64_t product_id, struct str handle,
                    uint64_t index);
    void *context;
    /* Around each commit, so that it is known how long readers may see what is not told yet:
     * before it, and when all that it changed is told, of entries up to INDEX. May be NULL. */
    void (*committing)(void *context);
    void (*told)(void *context, uint64_t index);
};

/* Opens or creates the database FILE. LISTENER (copied) may be NULL. */
int shop_open(const char *file, const struct shop_listener *listener, const struct log *log,
              struct shop **shop, struct failure *failure);
void shop_close(struct shop *shop);

/* The last entry that the database has recorded, and its time. */
uint64_t shop_applied_index(const struct shop *shop);
int64_t shop_applied_time(const struct shop *shop);

int shop_begin(struct shop *shop, struct failure *failure);
/* Applies one command record of entry INDEX at TIME_MS and appends the result record to
 * RESULT. A command that is refused (even garbage) changes nothing and gives a result
 * that says so: that is success here. RESULT NULL: nobody waits for it, so that it is made only
 * where it is kept; the database comes out the same. Returns an error only when the database cannot
 * be used (disk full, damaged), or the command is of a later program, whose servers do what this
 * one cannot (ERR_UNSUPPORTED): the process must stop, nothing is committed. */
int shop_apply(struct shop *shop, uint64_t index, int64_t time_ms, struct str command,
               struct buf *result, struct failure *failure);
int shop_commit(struct shop *shop, uint64_t index, int64_t time_ms, struct failure *failure);

/* Makes everything committed durable (the WAL is fsynced or checkpointed); then
 * *INDEX is what survives a power cut. */
int shop_make_durable(struct shop *shop, uint64_t *index, struct failure *failure);

/* Holds the database file still for a copy: complete, as of *INDEX and *TIME_MS, while changes go
 * on beside it. See store/freeze.h: ERR_BUSY is to be tried again. Outside a transaction. */
int shop_freeze(struct shop *shop, uint64_t *size, uint64_t *index, int64_t *time_ms,
                struct failure *failure);
void shop_thaw(struct shop *shop);
/* Reads from the file that is held. Any thread, one at a time. */
int shop_frozen_read(struct shop *shop, uint64_t offset, void *out, size_t len,
                     struct failure *failure);

/* Gives back memory that only saves time. */
void shop_rest(struct shop *shop);

#endif

/* Key index: where the row of an Idempotency-Key is.
 *
 * Keys come in no order. A tree by key would have a page of its own written for each new one, which
 * was the largest part of what a purchase writes. So the youngest rows are found through memory;
 * behind that, their keys move into the tree (table idempotency_key) a few at a time and in the
 * order of the keys, so that many go into one page. (As a log-structured merge tree does with its
 * youngest level: O'Neil et al., 1996.)
 *
 *   key_index_add ──▶ NEW, in order of arrival ──(full, OLD is empty: sorted)──▶ OLD ──▶ the tree
 *                                                              (two with each key_index_add)
 *
 * After a start NEW and OLD come from the rows themselves: the tree remembers up to which row all
 * are in it. The tree may hold what NEW and OLD hold too, and keys of rows that are gone; whoever
 * looks finds no row. What is in the tree decides nothing, so it may differ from server to server
 * and is not in a copy's digest.
 *
 * For the one writer, within a transaction. Bounded: 360 KiB, from the first key on.
 */
#ifndef STOA_SHOP_KEY_INDEX_H
#define STOA_SHOP_KEY_INDEX_H

#include "base/hash.h"
#include "base/str.h"
#include "store/db.h"

enum { KEY_LEN = 16 };

struct key_tables;

struct key_index {
    struct db *db;
    struct hash_key hash;
    struct key_tables *tables; /* NULL until they are needed */
};

void key_index_init(struct key_index *index, struct db *db);
void key_index_close(struct key_index *index);

/* The row of KEY in the table idempotency; it may be gone. 0: there is none. */
uint64_t key_index_find(struct key_index *index, struct str key);
/* KEY has a new row, SEQ, the last of the table. */
void key_index_add(struct key_index *index, struct str key, uint64_t seq);
/* Before the rows up to SEQ, the first of the table, are removed. */
void key_index_sweep(struct key_index *index, uint64_t seq);
/* The table is empty: rows will be counted from 1 again. */
void key_index_empty(struct key_index *index);

#endif

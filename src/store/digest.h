/* Digest: SHA-256 of all that a shop's database holds: each row of each table, in the order of its
 * key. For `stoa audit --digest` and tests: copies of one shop that have applied the same entries
 * have the same, whatever their transactions were; so the search index's own tables do not count
 * (its segments depend on which commands shared a transaction; the audit compares what it finds),
 * nor does the index of requests' keys (shop/key_index.h).
 * Thread: the connection's.
 */
#ifndef STOA_STORE_DIGEST_H
#define STOA_STORE_DIGEST_H

#include "store/db.h"

enum { DB_DIGEST = 32 };

/* Of what the connection sees: inside db_begin, one moment. 0, or db_failure's. */
int db_digest(struct db *db, unsigned char digest[DB_DIGEST]);

#endif

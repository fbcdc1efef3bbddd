/* News: what each server tells the others about itself, five times a second and when something
 * changes: the payload of FRAME_NEWS. From it come status, lag, readiness, who may be promoted; and
 * a connection on which no news come any more is dead. Pure: the encoding.
 *
 * With it go the places of all servers that the sender knows, and who was removed (book.h), once
 * in a while and when they change.
 */
#ifndef STOA_REPLICA_NEWS_H
#define STOA_REPLICA_NEWS_H

#include "base/buf.h"
#include "replica/book.h"
#include "replica/readiness.h"

#include <stdbool.h>
#include <stdint.h>

enum { NEWS_MS = 200, NEWS_BOOK_MS = 2000 };

/* Of a primary: how far one of the others has confirmed the log to it, in its term. Of a witness:
 * its own id, and the entry from which on its log can go on. */
struct news_match {
    uint64_t server, index;
};

struct news {
    uint64_t term, leader;          /* whom it follows; itself when it is primary; 0: nobody */
    uint64_t last_index, last_term; /* of its log */
    uint64_t commit_index;          /* as far as it knows */
    uint64_t applied_index;
    int64_t applied_time_ms;                /* log time */
    uint64_t lag_entries, lag_ms;           /* behind what it knows to be committed */
    uint64_t copy_to, copy_sent, copy_size; /* a copy that it sends; 0: none */
    uint64_t preferred;                     /* who shall be primary; 0: nobody */
    bool ready, leaving;
    bool standing; /* for primary, because leader is gone */
    struct news_match matches[BOOK_PLACES];
    unsigned match_count;
    struct readiness_table readiness; /* as the operator wants it, as far as the sender knows */
};

/* What came along; the arrays are the caller's. */
struct news_book {
    struct server_place places[BOOK_PLACES];
    uint64_t removed[BOOK_REMOVED];
    unsigned place_count, removed_count;
};

/* BOOK may be NULL: it does not go along. */
void news_encode(struct buf *out, const struct news *news, const struct news_book *book);
int news_decode(struct str payload, struct news *news, struct news_book *book);

#endif

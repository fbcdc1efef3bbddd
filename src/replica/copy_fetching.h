/* What copy_fetch.c (the file) and copy_tail.c (what comes after it) share. */
#ifndef STOA_REPLICA_COPY_FETCHING_H
#define STOA_REPLICA_COPY_FETCHING_H

#include "replica/copy.h"
#include "replica/copy_files.h"
#include "replica/copy_wire.h"

enum { COPY_SILENT_MS = 20000 /* so long nothing comes: the connection is given up */ };

/* Connects to the server at PLACE and asks: 0 and what it begins with, ERR_DENIED when it refuses
 * (*REFUSAL and the sentence in FAILURE), or why the connection did not come about (*REFUSAL 0). On
 * success the channel is the caller's. INTERRUPT: see channel_connect. */
int copy_connect(const struct copy_need *need, const struct server_place *place,
                 const struct copy_ask *ask, int interrupt, struct channel *channel,
                 struct copy_begin *begin, enum copy_refusal *refusal, struct failure *failure);

/* NEED is copied, with its places. CHANNEL (may be NULL) is taken over. NULL: no memory. */
struct copy_tail *copy_tail_new(const struct copy_need *need, const struct copy_record *record,
                                const struct channel *channel);

#endif

/* Message: Raft's six messages as bytes, in the payload of a FRAME_RAFT. Pure.
 *
 * A record of base/wire.h: version of this format, type, version of the message, its fields in the
 * order of libraft's struct. Whatever comes out of message_decode keeps what libraft takes for
 * granted of a message, and checks by assertions that Debian's build leaves out.
 *
 * One AppendEntries may become several payloads, each a valid AppendEntries of its own:
 *   - none is longer than about MESSAGE_PIECE, however many entries libraft wants to send;
 *   - a change of the configuration comes first in its payload: libraft 0.22.1 notes any change in
 *     a message under the index of the message's first new entry (replicationAppend), and the
 *     configuration would never be taken as committed.
 *
 * Memory as libraft wants it: the array of entries by raft_malloc, the content of all entries of a
 * message in one raft_malloc'ed batch.
 */
#ifndef STOA_REPLICA_MESSAGE_H
#define STOA_REPLICA_MESSAGE_H

#include "base/buf.h"
#include "base/str.h"

#include <raft.h>
#include <stdbool.h>

enum {
    MESSAGE_PIECE = 512 * 1024,
    MESSAGE_ENTRIES_MAX = 4096,
    MESSAGE_SNAPSHOT_MAX = 64 * 1024,
    MESSAGE_SERVERS_MAX = 64,
};

/* Appends a payload of MESSAGE to OUT, from its entry *NEXT on (0 at first; only AppendEntries
 * has any), and moves *NEXT on. True: there is more to be sent, in a payload of its own. */
bool message_encode(struct buf *out, const struct raft_message *message, unsigned *next);

/* ERR_INVALID, ERR_UNSUPPORTED (of a newer version), ERR_NOMEM. server_id and server_address are
 * the caller's to set. */
int message_decode(struct raft_message *message, struct str payload);
/* Frees what message_decode has allocated, when libraft does not get it. */
void message_free(struct raft_message *message);

#endif

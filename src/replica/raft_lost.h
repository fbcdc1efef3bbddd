/* Raft lost: a server among several whose log ends before what its database has (io_log_reaches),
 * or before what it has confirmed to the primary, which says so in its news: then its directory was
 * put back from an older copy, and database and log agree.
 *
 * Mostly the others fill it up at once: it was killed between the two writes, or another server has
 * become primary since. But a primary to which this server had confirmed the entries does not send
 * them again, for a log does not forget: then the log has really lost its end, and with it perhaps
 * a vote's foundation. Such a server says so and stops; a new one takes its place.
 *
 * Thread: Raft's.
 */
#ifndef STOA_REPLICA_RAFT_LOST_H
#define STOA_REPLICA_RAFT_LOST_H

struct replica;

/* Once, when libraft has read the log. */
void raft_lost_say(struct replica *replica);
/* Each turn. */
void raft_lost_watch(struct replica *replica);

#endif

/* Copy: the whole database of one server, sent to another whose log cannot be caught up any more,
 * and then what was committed since.
 *
 *   who needs it (R)                                  who has it (S)
 *   ASK: which copy to go on with, from where ──────▶ holds its database file still
 *                ◀──────────────────────────────────── BEGIN: size, entry; or REFUSED
 *   writes aside ◀──────────────────────────────────── PIECE … PIECE, DIGEST (SHA-256 of it all)
 *   compares it, TAKEN ─────────────────────────────▶ lets go of the file
 *   opens it; TAIL: what came after entry N? ───────▶
 *   applies      ◀──────────────────────────────────── ENTRIES (also: none yet)
 *   … TAIL, ENTRIES … until R's own log goes on; END ▶
 *
 * A connection that breaks is made again: R says how far it came. S keeps the copy for
 * COPY_KEPT_MS. Whatever stage R was in when its process was killed, it goes on from there.
 *
 * While R has no whole database its process does nothing else (copy_fetch_first); the tail is
 * taken while it runs. What R knows is in DIR/copy:
 *   wanted   a copy is needed; says from which entry on. First thing written, last removed
 *   part     the file so far; state: whose copy it is, and which
 *   copied   up to which entry a copy has gone, until the log has reached it
 */
#ifndef STOA_REPLICA_COPY_H
#define STOA_REPLICA_COPY_H

#include "base/log.h"
#include "net/channel.h"
#include "replica/copies.h"
#include "replica/hello.h"

enum { COPY_KEPT_MS = 30000, COPY_PIECE = 256 * 1024 };

/* ---- The side that has it: on the threads of the door ---- */

struct copy_sender;
struct copy_sender_config {
    struct copies *copies; /* lent */
    const struct log *log;
    /* Any thread. Whether this server is primary: it refuses while R may find another. Whether its
     * own database is whole: it has caught up. */
    bool (*primary)(void *context);
    bool (*whole)(void *context);
    uint64_t (*applied)(void *context);
    void *context;
    uint32_t kept_ms; /* 0: COPY_KEPT_MS */
};
int copy_sender_new(const struct copy_sender_config *config, struct copy_sender **sender,
                    struct failure *failure);
/* After copies_stop, when nobody is in copy_send any more. NULL is fine. */
void copy_sender_free(struct copy_sender *sender);
/* Serves OTHER on CHANNEL until all is done, or it is broken and OTHER did not come again. */
void copy_send(struct copy_sender *sender, const struct server_place *other,
               struct channel *channel);
/* Who is being sent a copy (0: nobody), and how much of it. Any thread. */
struct copy_progress {
    uint64_t to, sent, size;
};
void copy_sender_look(struct copy_sender *sender, struct copy_progress *progress);

/* ---- The side that needs it ---- */

struct copy_need {
    const char *dir; /* replica's; DIR/copy is made in it */
    const char *database;
    struct id cluster;
    uint64_t generation;
    struct server_place own;
    const struct server_place *others;
    unsigned other_count;
    struct tls_context *tls; /* freed with the tail, or before copy_fetch_first returns without */
    const struct log *log;
    uint32_t patience_ms; /* for one server to answer; 0: 10000 */
};

/* Notes that a copy is needed which contains entry LEAST; *WANTED: whether that was noted. */
int copy_want(const char *dir, uint64_t least, struct failure *failure);
bool copy_wanted(const char *dir, uint64_t *least);
/* There is nobody any more who could give one. */
void copy_give_up(const char *dir);
/* Whether the database may be ahead of its log, being a copy; and that it no longer is. */
bool copy_is_ahead(const char *dir);
void copy_caught_up(const char *dir);

/* What is left of a copy once the file is there: the connection for its tail. */
struct copy_tail;

/* Gets the file in place of DATABASE, if a copy is wanted (copy_want), or goes on with the tail of
 * one that has come before. *TAIL: to be given to copy_tail_start or copy_tail_free; NULL: there is
 * none. Goes through the servers again and again until one gives a copy. */
int copy_fetch_first(const struct copy_need *need, struct copy_tail **tail,
                     struct failure *failure);
/* Feeds the applier on a thread of its own. */
int copy_tail_start(struct copy_tail *tail, struct applier *applier, struct failure *failure);
/* The log goes on: entries need no longer come from here. Any thread; does not wait. */
void copy_tail_stop(struct copy_tail *tail);
/* Whether entries still come (or may come again); false: it is over. Any thread. */
bool copy_tail_running(struct copy_tail *tail);
void copy_tail_free(struct copy_tail *tail); /* NULL is fine; before the applier stops */

#endif

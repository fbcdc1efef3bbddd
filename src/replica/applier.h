/* Applier: the one thread that feeds the machine, and that answers.
 *
 * The Raft thread pushes committed entries in the order of the log; the applier takes
 * what has gathered, applies it in one transaction of the machine, and after the commit
 * calls done for the submissions of this server, in order. What nobody here waits for (on a
 * secondary that is all, but for reads that need it) is gathered for a while (pace.h).
 *
 * Entries proposed here hold the submissions themselves, whose bytes are lent until
 * they are answered; entries from elsewhere (a restart's replay, another primary) are
 * copied by the Raft thread.
 */
#ifndef STOA_REPLICA_APPLIER_H
#define STOA_REPLICA_APPLIER_H

#include "replica/machine.h"
#include "replica/ordering.h"

struct applier;

struct applier_entry {
    struct applier_entry *next; /* applier's */
    uint64_t index;
    int64_t time_ms;
    bool mark;                /* not an entry: applier_config.marked is called */
    struct submission *first; /* of this server, oldest first, or NULL */
    uint32_t count;
    uint64_t command_bytes; /* of the submissions */
    size_t len;             /* of a copied entry */
    char bytes[];
};

struct applier_config {
    struct machine machine;
    struct ordering *order;
    /* All on the applier's thread. */
    void (*fatal)(void *context, const char *reason); /* does not return */
    void (*marked)(void *context);                    /* a mark was reached */
    void (*durable)(void *context, uint64_t index);   /* what applier_ask_durable asked */
    void *context;
};

/* Starts the thread; returns when it knows what the machine has applied. */
int applier_start(const struct applier_config *config, struct applier **applier,
                  struct failure *failure);
/* Ends when all that was pushed is applied and answered. */
void applier_stop(struct applier *applier);

/* The Raft thread: an entry without copied bytes, or with a copy of BYTES. NULL
 * without memory. */
struct applier_entry *applier_entry_new(struct str bytes);

/* Hands *ENTRY over (and sets it to NULL). With WAIT the caller is held up while much
 * is queued: for the replay at the start, when nobody is served yet. */
void applier_push(struct applier *applier, struct applier_entry **entry, bool wait);
/* Bytes of copied entries that are queued: a follower takes no more above a bound. */
uint64_t applier_backlog(const struct applier *applier);

/* Any thread. EVERY_MS: this server is warm, what nobody here waits for is applied so often; 0: at
 * once, which is so at first. What is queued is applied at once as well when somebody waits for any
 * of it, when the log is to be cut off, before applier_call, and at the end. */
void applier_set_pace(struct applier *applier, uint32_t every_ms);

/* Any thread: the last entry the machine has committed, and its time. */
uint64_t applier_applied(const struct applier *applier);
int64_t applier_applied_time(const struct applier *applier);

/* Asks that everything up to INDEX survives a power cut; answered by config.durable
 * when it is so. One at a time; INDEX is or will be pushed. */
void applier_ask_durable(struct applier *applier, uint64_t index);

/* Any thread but the applier's and Raft's: runs CALL on the applier's thread between two
 * transactions, and returns after it. For what wants the machine for itself: replica/copy.h. */
void applier_call(struct applier *applier, void (*call)(void *context, struct machine *machine),
                  void *context);

/* Any thread, one at a time, between the machine's freeze and thaw. */
int applier_frozen_read(struct applier *applier, uint64_t offset, void *out, size_t len,
                        struct failure *failure);

/* From within applier_call: TAP (lent; NULL: no more) is given all that is committed from now on,
 * in order, on the applier's thread. */
struct applier_tap {
    void *context;
    /* An entry is in the transaction now; BATCH (replica/batch.h) is lent. */
    void (*add)(void *context, uint64_t index, struct str batch);
    /* The transaction is committed. */
    void (*flush)(void *context);
};
void applier_set_tap(struct applier *applier, const struct applier_tap *tap);

#endif

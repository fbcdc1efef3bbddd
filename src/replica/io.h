/* Io: libraft's disk and network, with guards around them.
 *
 * libraft's own I/O (raft_uv) does the work; each guard answers one of its traps:
 *   set_term, set_vote   our own record of votes first (replica/vote.h), both in one write, before
 *                        anything goes out; libraft's own, in two writes, when the election is over
 *   append, truncate     a failed write ends the process at once, with a message; libraft's
 *                        retry crashes instead
 *   snapshot_put         waits until the machine has made durable what the snapshot stands
 *                        for: the log is cut off only below that
 *   snapshot_get         a failed read ends the process; libraft would free what it never set
 *   send, receive        our own links (replica/peers.h) instead of libraft's connections;
 *                        InstallSnapshot is dropped while a snapshot of our own runs (the leader
 *                        sends again), and entries, not their heartbeat, while the applier is far
 *                        behind
 *   load                 the log must reach as far as the machine has applied; the end of a
 *                        log that was cut short crashes libraft, so it is lengthened first
 *   load, tick, receive  the only voter takes a new term before it leads (replica/lone.h)
 *
 * The guards are put into the raft_io itself, so that what libraft's I/O keeps in it
 * stays where it looks for it. Loop thread only, but for what libraft's own record of votes still
 * lacks: a thread of the loop's writes that.
 */
#ifndef STOA_REPLICA_IO_H
#define STOA_REPLICA_IO_H

#include "replica/latency.h"
#include "replica/vote.h"

#include <raft.h>
#include <stdbool.h>
#include <uv.h>

struct io_config {
    uint64_t id;      /* this server, which is to run; 0: its log is only looked at */
    const char *dir;  /* of the log, for messages */
    uint64_t applied; /* by the machine, at the start */
    bool several;     /* there are other servers; see io_log_reaches */
    struct latency *append;
    uv_loop_t *loop; /* whose threads write what may be late; NULL: the caller's does */
    /* Does not return. */
    void (*fatal)(void *context, const char *reason);
    /* The machine shall make durable what it has for the snapshot that is being taken;
     * io_durable is called when it has. */
    void (*ask_durable)(void *context);
    bool (*behind)(void *context); /* the applier is: take no entries */
    /* Asked each time an election timeout has passed in silence: it goes on waiting, but may give
     * others its vote. NULL: it does not. */
    bool (*waits)(void *context);
    /* Sends MESSAGE (lent): 0, or a libraft error. NULL: there is nobody to send to. */
    int (*send)(void *context, const struct raft_message *message);
    void *context;
};

struct io {
    struct raft_io raft;  /* what libraft is given */
    struct raft_io inner; /* the functions below the guards */
    struct io_config config;
    struct vote *vote;
    struct failure load_failure; /* why load refused, when it did */
    uint64_t floor;              /* see io_log_reaches; 0: the log has reached it */
    struct io_late {             /* what libraft's own record lacks of ours */
        bool term, vote;
        uint64_t since_ns;
        bool writing; /* by WORK's thread, which alone touches what follows meanwhile */
        uv_work_t work;
        bool write_term, write_vote;
        raft_term to_term;
        raft_id to_candidate;
        int status;
    } late;
    raft_io_recv_cb receive;
    raft_io_tick_cb tick;
    uint64_t log_bytes; /* in memory since the last snapshot, about */
    uint64_t log_entries;
    uint64_t bytes_ever; /* of the log that was there and of what was appended since, with what
                          * libraft keeps beside an entry */
    struct io_append *appends, **appends_last;
    bool snapshot_running;
    struct { /* a snapshot_put that waits for the machine */
        struct raft_io_snapshot_put *request;
        const struct raft_snapshot *snapshot;
        unsigned trailing;
    } put;
    struct raft_io_snapshot_put *put_request; /* raft's, while ours is below */
    raft_io_snapshot_put_cb put_done;
    struct raft_io_snapshot_put put_inner;
};

/* Puts the guards around io->raft, which has been initialised (raft_uv_init). VOTE is
 * lent. */
void io_guard(struct io *io, const struct io_config *config, struct vote *vote);

/* Each turn of the loop: notices a write that failed. */
void io_check(struct io *io);
/* Each turn, at its end, when what it says has gone out: libraft's own record of votes follows
 * ours, when nobody waits for it any more. */
void io_settle(struct io *io, uint64_t now_ns);

/* The log ends at LAST now. One of several servers may start with a database that is ahead of its
 * log: it is a copy, or this server was primary and killed while the others had an entry on disk
 * already, and it not yet. Until its log has what its database has, it does not stand for election,
 * and votes only for servers whose log has it: so that a log which has really lost its end cannot
 * undo what was committed. */
void io_log_reaches(struct io *io, uint64_t last);
/* One without others cannot get it back. */
int io_refuse(const struct io *io, uint64_t last, struct failure *failure);

/* Gives MESSAGE, which is well-formed and in memory as message_decode makes it, to libraft. Takes
 * its memory over. */
void io_receive(struct io *io, struct raft_message *message);

/* Frees what load has given. */
void io_free_loaded(struct raft_snapshot **snapshot, struct raft_entry **entries, size_t *count);

/* What ask_durable asked for is durable. */
void io_durable(struct io *io);

#endif

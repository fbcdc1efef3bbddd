/* Raft thread: libraft on a libuv loop, and what replica.c shares with it.
 *
 *   state      arrow (taken by)                                                  to
 *   STARTING   libraft started, its log replayed by the applier (caught_up)      READY
 *              anything went wrong (start_failed)                                FAILED
 *   READY      replica_stop                                                      (closing)
 *   any        a write failed, the machine failed (raft_thread_fatal)            dead: the
 *              thread that noticed tells main and sleeps until the process ends
 *
 * The loop never waits: the database is the applier's. What other threads want of it
 * they write into the atomic flags here, and call raft_thread_wake.
 */
#ifndef STOA_REPLICA_RAFT_THREAD_H
#define STOA_REPLICA_RAFT_THREAD_H

#include "replica/applier.h"
#include "replica/forward.h"
#include "replica/guest.h"
#include "replica/io.h"
#include "replica/propose.h"
#include "replica/replica.h"

#include <pthread.h>
#include <raft.h>
#include <raft/uv.h>

struct links;
struct peers;
struct raft_copying;

/* The loop's longest turns, in this window of time and in the one before. */
struct longest_turns {
    uint64_t since_ns, wall_ns, cpu_ns, wall_before_ns, cpu_before_ns;
};

enum replica_state { REPLICA_STARTING, REPLICA_READY, REPLICA_FAILED };

struct replica {
    struct replica_config config;
    char log_dir[256];   /* DIR/raft */
    char vote_file[256]; /* DIR/vote */
    int lock_fd;

    struct ordering order;
    struct applier *applier;
    struct raft_copying *copying; /* copies of the database: raft_copy.h */

    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, up to the blank line */
    pthread_cond_t changed;
    enum replica_state state;
    struct failure failure; /* when FAILED */
    bool wakeable;          /* the loop's async handle is there */

    atomic_bool stop_asked, durable_told, dead;

    /* The Raft thread's own: */
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t retry;
    uv_prepare_t turn;
    struct raft_uv_transport transport;
    struct vote vote;
    struct io io;
    struct raft_fsm fsm;
    struct raft raft;
    struct witness *witness; /* raft_witness.h; NULL: this server is whole */
    struct links *links;     /* to other servers: raft_links.h. NULL: alone */
    struct peers *peers;     /* its connections; NULL: alone */
    struct forward *forward;
    struct guests *guests;
    struct proposer proposer;
    bool mark_pushed, closing;
    bool no_room;          /* as said in the log */
    uint64_t last_command; /* index of the last entry with commands */
    unsigned threshold;    /* as set in libraft now */
    uint64_t last_snapshot_ns;
    uint64_t still_index, still_ns;              /* the last entry, and since when it is */
    uint64_t lost_last, lost_ns;                 /* the same, of raft_lost.c */
    uint64_t turn_ns, turn_idle_ns, turn_cpu_ns; /* at the begin of this turn */
    struct longest_turns longest;
};

/* ---- raft_thread.c: the loop ---- */

/* The thread: starts libraft, runs the loop until stop_asked, closes everything. */
void *raft_thread_run(void *replica);
/* Any thread. */
void raft_thread_wake(void *replica);
/* Any thread; does not return. */
void raft_thread_fatal(void *replica, const char *reason) __attribute__((noreturn));

void raft_thread_close_handles(struct replica *replica);
void raft_thread_begin_close(struct replica *replica);

/* ---- raft_start.c: from a directory to a running Raft ---- */

/* 0, or an error after which begin_close or close_handles has been called. */
int raft_thread_start(struct replica *replica);

/* ---- raft_fsm.c: what libraft asks of the machine ---- */

void raft_fsm_make(struct replica *replica);
/* Each turn: cuts the log off when it is long enough. */
void raft_fsm_watch_log(struct replica *replica);

/* ---- raft_role.c: who is primary, and what becomes of commands ---- */

/* 0 or ERR_NOMEM. */
int raft_role_start(struct replica *replica);
/* Each turn, after all that has happened in it: sees who is primary, brings what was submitted or
 * has come from others on its way, and answers. */
void raft_role_watch(struct replica *replica);
/* FRAME_COMMANDS or FRAME_ANSWERS has come from SERVER. Not 0: the link should be cut. */
int raft_role_received(struct replica *replica, uint64_t server, uint64_t link, uint8_t kind,
                       struct str payload);
/* Closing begins, and is at its end: all that waits here is told so. */
void raft_role_close(struct replica *replica);

#endif

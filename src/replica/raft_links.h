/* Links: what makes a server one of several, on the Raft thread: its connections, who the others
 * are and how they are, quick succession when the primary dies, changes of the cluster. A server
 * that is alone has none of it (replica->links is NULL).
 *
 *   raft_links.c    begin and end; the door's callbacks; frames in and out
 *   raft_news.c     news to and from the others; status, readiness, lag
 *   raft_succeed.c  a dead primary is succeeded at once; commits are told at once
 *   rival.c         two that stand at once do not wait for each other (no links needed)
 *   raft_ready.c    what being hot, warm or cold means here
 *   raft_change.c   servers added, removed, promoted; handover
 */
#ifndef STOA_REPLICA_RAFT_LINKS_H
#define STOA_REPLICA_RAFT_LINKS_H

#include "replica/book.h"
#include "replica/door.h"
#include "replica/news.h"
#include "replica/peers.h"
#include "replica/raft_thread.h"

enum { PULSE_MS = 25, LAG_SAMPLES = 64, SAMPLE_MS = 5 };

/* What is known of a server, by its news. */
struct acquaintance {
    uint64_t id; /* 0: this place is free */
    struct news news;
    uint64_t heard_ns; /* 0: never */
};

/* As others see it: what status is made of. */
struct links_view {
    uint64_t primary, preferred;
    struct readiness_table readiness;
    struct {
        uint64_t id;
        int role; /* enum raft_role's: RAFT_VOTER … */
        bool witness;
        bool linked;
        bool overdue; /* server_status's */
    } members[BOOK_PLACES];
    unsigned member_count;
    struct news own;
    struct acquaintance others[PEERS_MAX];
};

/* The primary is gone, and somebody is to stand: raft_succeed.c. */
struct succession {
    uint64_t gone; /* 0: nobody is */
    uint64_t since_ns;
    bool stood;
};

struct links {
    struct replica *replica;
    struct replica_cluster config;
    struct tls_context *tls;
    struct door *door;
    uv_timer_t pulse;
    uv_timer_t soon; /* while a primary is to be succeeded */
    struct book book;
    bool book_writing, book_changed;
    uv_work_t book_work;
    struct buf book_text;

    struct acquaintance others[PEERS_MAX];
    uint64_t news_ns, book_news_ns, second_ns, check_ns; /* when that was done last */
    raft_term news_term;
    uint64_t news_leader; /* as told last */
    uint64_t said_leader; /* in the log */
    struct succession succession;
    struct { /* up to where SERVER was told that entries are committed, in our term */
        uint64_t server, commit;
        raft_term term;
    } told[PEERS_MAX];

    struct { /* since when the log was known to be committed up to INDEX */
        uint64_t index, ns;
    } samples[LAG_SAMPLES];
    unsigned sample_count;
    uint64_t catch_up; /* committed when we first heard of a primary: to be applied, then ready */
    bool caught_up, closed;
    atomic_bool place_changed;                  /* by replica_announce */
    atomic_bool door_wanted;                    /* by links_shut_door: let go of it */
    uint64_t removed_by[PEERS_MAX], removed_ns; /* who says that we are; since when */

    raft_index configuration_seen; /* of the committed configuration, as taken notice of */
    uint64_t members[BOOK_PLACES];
    unsigned member_count;

    uint32_t every_ms;  /* raft_ready.c: as the applier was told; 0: it applies at once */
    uint64_t silent_ns; /* since when it waits for a hot server to stand; 0: it does not */

    struct change *change; /* raft_change.c */
    struct keeper *keeper;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t let_go;
    bool door_let_go;
    struct server_place place; /* our own */
    struct links_view view;
    bool leaving;
};

/* ---- raft_links.c ---- */

/* Before libraft starts: book, connections. */
int links_begin(struct replica *replica);
/* libraft runs: opens the door. */
int links_open(struct replica *replica);
/* Another thread: nobody is let in or dialled any more; connections go on. */
void links_shut_door(struct replica *replica);
/* Raft thread, when woken: what other threads have left. */
void links_woken(struct replica *replica);
/* Closing begins: connections end, requests are refused; close_handles will follow. */
void links_close(struct replica *replica);
/* After the thread has ended: the rest. replica->links is NULL afterwards. */
void links_free(struct replica *replica);
/* Each turn of the loop, at its end: what has gathered goes out. */
void links_turn(struct replica *replica);
/* io.c's. */
int links_send(void *replica, const struct raft_message *message);
/* On the primary: how many committed entries some server lacks that is there, or was just now. */
uint64_t links_lacked(const struct replica *replica);
/* The book has changed, or its places: dials, writes it down, tells it. */
void links_arrange(struct replica *replica);

/* ---- raft_news.c ---- */

void links_note_news(struct replica *replica, uint64_t server, const struct news *news);
void links_tell_news(struct replica *replica, bool with_book);
void links_tell_news_to(struct replica *replica, uint64_t server);
/* Each turn: lag and readiness. */
void links_watch(struct replica *replica, uint64_t now_ns);
/* What replica_status shows from now on. */
void links_publish(struct replica *replica);
/* Each pulse: status, and news when they are due. */
void links_pulse_news(struct replica *replica, uint64_t now_ns);
const struct news *links_news_of(const struct replica *replica, uint64_t server,
                                 uint64_t *heard_ns);

/* ---- raft_succeed.c ---- */

void links_gone(struct replica *replica, uint64_t server);
/* Each turn. */
void links_succeed(struct replica *replica, uint64_t now_ns);
void links_tell_commits(struct replica *replica);
/* An AppendEntries goes to its server. */
void links_told(struct replica *replica, const struct raft_message *message);

/* ---- raft_change.c ---- */

int links_change_begin(struct replica *replica);
void links_change_free(struct replica *replica);
/* Each turn: requests of other threads, and what is under way. */
void links_turn_change(struct replica *replica, uint64_t now_ns);
/* Each pulse: who was removed; once a second what happens by itself. */
void links_pulse_change(struct replica *replica, uint64_t now_ns);
/* Closing: all that waits is refused. */
void links_change_close(struct replica *replica);

#endif

/* What door.c, door_guest.c and door_dial.c share. For these alone. */
#ifndef STOA_REPLICA_DOOR_INNER_H
#define STOA_REPLICA_DOOR_INNER_H

#include "base/clock.h"
#include "base/random.h"
#include "replica/door.h"

#include <pthread.h>

enum thread_phase {
    PHASE_FREE,  /* the place is free */
    PHASE_BUSY,  /* its thread runs: a handshake, or a dial */
    PHASE_VISIT, /* its thread is in config.copy or config.join */
    PHASE_DONE,  /* its thread has ended or is about to: to be joined */
};

/* Somebody who connected. The mutex guards the phase; all else is set before the thread starts. */
struct guest {
    struct door *door;
    enum thread_phase phase;
    pthread_t thread;
    int fd;
    int interrupt; /* eventfd: readable when this one is to end */
    uint64_t since_ns;
    struct endpoint host; /* without its port */
    bool joins;           /* at PHASE_VISIT, under the mutex: in config.join */
};

/* Another server that is dialled. */
struct dial {
    struct door *door;
    uint64_t id;
    pthread_t thread;
    int interrupt;
    pthread_cond_t changed;
    /* Under the mutex: */
    enum thread_phase phase;
    bool wanted;    /* a link is to be made */
    bool forgotten; /* by door_forget */
    bool hurry;     /* the other is there: no waiting between attempts */
    uint64_t round; /* counts calls of door_dial */
    char address[SERVER_ADDRESS];
    /* The thread's own: */
    struct random random;
    uint32_t delay_ms;
    char said[96]; /* what was logged last about it; empty: nothing is wrong */
};

/* Kinds of what strangers do wrong. */
enum complaint {
    COMPLAIN_ACCEPT,
    COMPLAIN_CROWD,
    COMPLAIN_HANDSHAKE,
    COMPLAIN_HELLO,
    COMPLAIN_REFUSED, /* and the codes of enum refusal after it */
    COMPLAINTS = COMPLAIN_REFUSED + REFUSED_BUSY + 1,
};

struct door {
    struct door_config config;
    int listen_fd;
    int interrupt; /* the accepting thread's */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t freed; /* a guest's phase has changed */
    bool stopping;
    struct guest guests[DOOR_GUESTS + DOOR_VISITS];
    struct dial dials[DOOR_DIALS];
    struct {
        uint64_t said_ns;
        unsigned withheld; /* since then */
    } complaints[COMPLAINTS];
};

/* Makes an eventfd that channels take as interrupt readable. */
void door_interrupt(int interrupt);
/* Our own hello for PURPOSE. */
void door_hello(const struct door *door, enum hello_purpose purpose, struct hello *hello);
/* Gives a channel's connection to linked(). */
void door_hand_over(const struct door *door, const struct server_place *other, bool connected,
                    struct channel *channel);

/* door_guest.c: the accepting thread's loop, and its end: interrupts all guests and waits. */
void *door_accept_run(void *door);
void door_guests_stop(struct door *door);

/* door_dial.c. */
void door_dials_stop(struct door *door);
/* ID is there: whoever waits before dialling it again need not. */
void door_dial_hurry(struct door *door, uint64_t id);

#endif

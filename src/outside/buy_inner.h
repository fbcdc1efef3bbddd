/* What the files of buying share (outside/buy.h): buy.c has the thread, and who begins and ends a
 * purchase; buy_steps.c has the states. Not for other files.
 */
#ifndef STOA_OUTSIDE_BUY_INNER_H
#define STOA_OUTSIDE_BUY_INNER_H

#include "base/list.h"
#include "outside/buy.h"
#include "shop/command.h"

#include <pthread.h>
#include <stdatomic.h>

enum purchase_state { HOLDING, PAYING, CONFIRMING, RELEASING, TAKING_BACK };

struct purchase {
    struct buying *buying;
    struct purchase *next; /* in buying's inbox */
    struct list paused;    /* in one of buying's paused lists */
    uint64_t due_ns;
    enum purchase_state state;
    unsigned tries;      /* of this step, failed ones */
    uint64_t patient_ns; /* PAYING: until then the bank is asked again */
    struct buy_request request;
    uint32_t attempt; /* the checkout's, from HOLD on */

    struct submission submission;
    struct buf command;
    struct bank_call call;

    /* What came back: written by the applier or the bank, then put into the inbox. */
    int err;
    uint64_t index;
    struct buf record;
    enum bank_outcome outcome;
    struct buf said;    /* the bank's reference, or why it refused */
    struct buf unended; /* TAKING_BACK: why it could not be done */

    size_t words_len;
    char words[]; /* the request's strings */
};

struct buying {
    struct buying_config config;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards inbox and stopping */
    pthread_cond_t work, ended;
    struct purchase *inbox, **inbox_last;
    bool stopping;
    struct list paused[BUY_TRIES - 1]; /* by how long; each in the order of due_ns. Thread's own */
    atomic_uint_fast64_t open, paid, refused, undecided, failed;
    atomic_bool hurried;
};

/* ---- The steps (buy_steps.c), on buying's thread ---- */

/* What PURCHASE waited for is there. It may be gone afterwards. */
void purchase_after(struct purchase *purchase);
/* Does the step of the present state, for the first time or again. The same. */
void purchase_go_on(struct purchase *purchase);
/* Submits the command of the present state. 0: it may be over and gone. */
int purchase_submit(struct purchase *purchase);

/* ---- The thread (buy.c) ---- */

/* Has purchase_after called; any thread. */
void purchase_arrived(struct purchase *purchase);
/* Has purchase_go_on called, after the pause that follows PURCHASE's failed try; false: no more
 * tries. Buying's thread. */
bool purchase_pause(struct purchase *purchase);
/* It was answered. */
void purchase_free(struct purchase *purchase);

#endif

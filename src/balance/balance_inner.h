/* Inside of the load manager: what balance.c and look.c share. */
#ifndef STOA_BALANCE_BALANCE_INNER_H
#define STOA_BALANCE_BALANCE_INNER_H

#include "balance/balance.h"
#include "balance/lane.h"
#include "balance/view.h"

#include <pthread.h>

struct balance {
    struct app app;
    struct balance_config config;
    struct network trusted[BALANCE_TRUSTED_MAX];
    struct events *events;
    struct members *members;
    uint64_t started_ns;
    atomic_uint lane_count;

    pthread_mutex_t lock;               /* for lanes, which come and go with the engine's threads */
    struct lane *lanes[VIEW_LOOPS_MAX]; /* NULL: none */
};

#endif

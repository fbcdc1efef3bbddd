/* A queue with a front and a worker at it, for each test; all is FREE again at its end. */
#ifndef STOA_TESTS_QUEUE_BED_H
#define STOA_TESTS_QUEUE_BED_H

#include "queue_fixture.h"

struct bed {
    char dir[FOLDER_PATH];
    struct queue *queue;
    unsigned front, worker;
};

static inline int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    folder_make(bed->dir);
    bed->queue = queue_at(bed->dir, &queue_usual);
    bed->front = queue_take_seat(bed->queue, QUEUE_FRONT);
    bed->worker = queue_take_seat(bed->queue, QUEUE_WORKER);
    *state = bed;
    return 0;
}

static inline int tear_down(void **state)
{
    struct bed *bed = *state;
    const char *fault = queue_find_fault(bed->queue);
    if (fault)
        fprintf(stderr, "%s\n", fault);
    queue_leave(bed->queue, bed->front);
    queue_leave(bed->queue, bed->worker);
    unsigned left = queue_slots(bed->queue) - queue_count_state(bed->queue, QUEUE_FREE);
    queue_close(bed->queue);
    folder_remove(bed->dir);
    free(bed);
    return fault || left ? -1 : 0;
}

#define QUEUED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif

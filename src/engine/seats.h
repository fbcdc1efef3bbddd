/* Seats: what a thread needs while it runs the app (its thread_state, buffers), lent for as long.
 *
 * An engine with a thread for each connection has thousands of them, of which few are at work; and
 * the shop's thread_state is a database reader. So a seat is taken for a turn and given back before
 * the thread waits for its client. Seats are made when they are first needed, up to a bound; above
 * it takers wait, and who has waited longest gets the next one, before any that comes later. With
 * nobody waiting, the one given back last is lent next: its memory is in the processor's cache.
 *
 * Thread: any.
 */
#ifndef STOA_ENGINE_SEATS_H
#define STOA_ENGINE_SEATS_H

#include "engine/connection.h"

struct seat {
    struct seat *next; /* of those that are free */
    void *thread_state;
    struct connection_buffers buffers;
};

struct seats;

/* When one cannot be made, so many takers wait for those there are before it is tried again: what
 * was short (descriptors, memory) may be there again. */
enum { SEATS_PATIENCE = 64 };

/* At most MAX; the first one is made at once, so that an app that cannot be prepared is found
 * out. */
int seats_new(struct app *app, unsigned max, struct seats **seats, struct failure *failure);
/* Waits until one is free. Never NULL. */
struct seat *seats_take(struct seats *seats);
/* The same without waiting. NULL: there is none, and none can be made at present. */
struct seat *seats_try(struct seats *seats);
void seats_give(struct seats *seats, struct seat *seat);
/* Takers that wait at this moment. */
unsigned seats_waiting(struct seats *seats);
/* All are free again. NULL is fine. */
void seats_free(struct seats *seats);

#endif

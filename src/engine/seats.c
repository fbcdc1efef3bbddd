#include "engine/seats.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>

/* Who waits, on its own stack. */
struct taker {
    struct taker *next;
    struct seat *seat; /* given to it; NULL: none yet */
    pthread_cond_t given;
};

struct seats {
    struct app *app;
    unsigned max;
    pthread_mutex_t lock;
    /* Under the lock: */
    unsigned made, waiting;
    unsigned patience;           /* takers that shall not try to have another one made */
    struct seat *free;           /* none, while anybody waits */
    struct taker *first, **last; /* those that wait, the longest first; last: where to append */
};

static struct seat *make(struct app *app)
{
    struct seat *seat = malloc(sizeof *seat);
    if (!seat)
        return NULL;
    seat->buffers.spare = NULL;
    seat->thread_state = app->thread_start ? app->thread_start(app, NULL) : NULL;
    if (app->thread_start && !seat->thread_state) {
        free(seat);
        return NULL;
    }
    return seat;
}

int seats_new(struct app *app, unsigned max, struct seats **out, struct failure *failure)
{
    struct seats *seats = calloc(1, sizeof *seats);
    struct seat *first = seats ? make(app) : NULL;
    *out = seats;
    if (!first) {
        free(seats);
        *out = NULL;
        return fail(failure, ERR_STATE, "%s: an engine thread could not be prepared", app->name);
    }
    seats->app = app;
    seats->max = max;
    pthread_mutex_init(&seats->lock, NULL);
    seats->last = &seats->first;
    first->next = NULL;
    seats->free = first;
    seats->made = 1;
    return 0;
}

/* Under the lock. */
static bool may_make_another(struct seats *seats)
{
    if (seats->free || seats->made == seats->max)
        return false;
    if (seats->patience == 0)
        return true;
    seats->patience--;
    return false;
}

/* Under the lock, which is let go of meanwhile. NULL: the app could not be prepared once more, and
 * for a while what there is must do. */
static struct seat *make_another(struct seats *seats)
{
    seats->made++;
    pthread_mutex_unlock(&seats->lock);
    struct seat *seat = make(seats->app);
    pthread_mutex_lock(&seats->lock);
    if (!seat) {
        seats->made--;
        seats->patience = SEATS_PATIENCE;
    }
    return seat;
}

/* Under the lock. */
static struct seat *wait_for_one(struct seats *seats)
{
    struct taker self = {0};
    pthread_cond_init(&self.given, NULL);
    *seats->last = &self;
    seats->last = &self.next;
    seats->waiting++;
    while (!self.seat)
        pthread_cond_wait(&self.given, &seats->lock);
    pthread_cond_destroy(&self.given);
    return self.seat;
}

/* Under the lock. */
static struct seat *take_or_make(struct seats *seats)
{
    struct seat *seat = may_make_another(seats) ? make_another(seats) : NULL;
    if (seat || !seats->free)
        return seat;
    seat = seats->free;
    seats->free = seat->next;
    return seat;
}

/* Under the lock, while somebody waits. */
static void pass_on(struct seats *seats, struct seat *seat)
{
    struct taker *taker = seats->first;
    seats->first = taker->next;
    if (!seats->first)
        seats->last = &seats->first;
    seats->waiting--;
    taker->seat = seat;
    pthread_cond_signal(&taker->given); /* it cannot be gone before the lock is let go of */
}

struct seat *seats_take(struct seats *seats)
{
    pthread_mutex_lock(&seats->lock);
    struct seat *seat = take_or_make(seats);
    if (seat && seats->first) { /* it has been made, and they have waited for longer */
        pass_on(seats, seat);
        seat = NULL;
    }
    if (!seat)
        seat = wait_for_one(seats);
    pthread_mutex_unlock(&seats->lock);
    return seat;
}

struct seat *seats_try(struct seats *seats)
{
    pthread_mutex_lock(&seats->lock);
    seats->patience = 0; /* it is asked for rarely */
    struct seat *seat = take_or_make(seats);
    pthread_mutex_unlock(&seats->lock);
    return seat;
}

void seats_give(struct seats *seats, struct seat *seat)
{
    pthread_mutex_lock(&seats->lock);
    if (seats->first) {
        pass_on(seats, seat);
    } else {
        seat->next = seats->free;
        seats->free = seat;
    }
    pthread_mutex_unlock(&seats->lock);
}

unsigned seats_waiting(struct seats *seats)
{
    pthread_mutex_lock(&seats->lock);
    unsigned waiting = seats->waiting;
    pthread_mutex_unlock(&seats->lock);
    return waiting;
}

void seats_free(struct seats *seats)
{
    if (!seats)
        return;
    while (seats->free) {
        struct seat *seat = seats->free;
        seats->free = seat->next;
        seats->made--;
        if (seats->app->thread_stop)
            seats->app->thread_stop(seats->app, seat->thread_state);
        connection_buffers_close(&seat->buffers);
        free(seat);
    }
    CHECK(seats->made == 0);
    pthread_mutex_destroy(&seats->lock);
    free(seats);
}

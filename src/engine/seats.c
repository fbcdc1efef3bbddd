#include "engine/seats.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>

struct seats {
    struct app *app;
    unsigned max;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    /* Under the lock: */
    unsigned made, waiting;
    struct seat *free;
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
    pthread_cond_init(&seats->freed, NULL);
    first->next = NULL;
    seats->free = first;
    seats->made = 1;
    return 0;
}

/* Under the lock, which is let go of meanwhile. NULL: the app could not be prepared once more, and
 * what there is must do. */
static struct seat *make_another(struct seats *seats)
{
    seats->made++;
    pthread_mutex_unlock(&seats->lock);
    struct seat *seat = make(seats->app);
    pthread_mutex_lock(&seats->lock);
    if (!seat) {
        seats->made--;
        seats->max = seats->made;
    }
    return seat;
}

struct seat *seats_take(struct seats *seats)
{
    struct seat *seat = NULL;
    pthread_mutex_lock(&seats->lock);
    if (!seats->free && seats->made < seats->max)
        seat = make_another(seats);
    seats->waiting++;
    while (!seat && !seats->free)
        pthread_cond_wait(&seats->freed, &seats->lock);
    seats->waiting--;
    if (!seat) {
        seat = seats->free;
        seats->free = seat->next;
    }
    pthread_mutex_unlock(&seats->lock);
    return seat;
}

void seats_give(struct seats *seats, struct seat *seat)
{
    pthread_mutex_lock(&seats->lock);
    seat->next = seats->free;
    seats->free = seat;
    if (seats->waiting > 0)
        pthread_cond_signal(&seats->freed);
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
    pthread_cond_destroy(&seats->freed);
    pthread_mutex_destroy(&seats->lock);
    free(seats);
}

#include "web/announced.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct managers {
    pthread_mutex_t lock;
    unsigned count;
    struct manager at[MANAGERS_MAX]; /* the longest known first */
};

struct managers *managers_new(void)
{
    struct managers *managers = calloc(1, sizeof *managers);
    if (managers)
        pthread_mutex_init(&managers->lock, NULL);
    return managers;
}

void managers_free(struct managers *managers)
{
    if (managers)
        pthread_mutex_destroy(&managers->lock);
    free(managers);
}

static bool is_silent(const struct manager *manager, uint64_t now_ns)
{
    return now_ns > manager->seen_ns && now_ns - manager->seen_ns > MANAGER_SILENT_MS * MS_NS;
}

static void drop(struct managers *managers, unsigned place)
{
    managers->count--;
    memmove(&managers->at[place], &managers->at[place + 1],
            (managers->count - place) * sizeof *managers->at);
}

/* There is room for one more after it. */
static void make_room(struct managers *managers)
{
    unsigned oldest = 0;
    if (managers->count < MANAGERS_MAX)
        return;
    for (unsigned i = 1; i < managers->count; i++)
        if (managers->at[i].seen_ns < managers->at[oldest].seen_ns)
            oldest = i;
    drop(managers, oldest);
}

void managers_hear(struct managers *managers, const struct manager *manager)
{
    unsigned place = 0;
    pthread_mutex_lock(&managers->lock);
    while (place < managers->count && strcmp(managers->at[place].id, manager->id) != 0)
        place++;
    if (place == managers->count) {
        make_room(managers);
        place = managers->count++;
    }
    managers->at[place] = *manager;
    pthread_mutex_unlock(&managers->lock);
}

unsigned managers_list(struct managers *managers, uint64_t now_ns,
                       struct manager out[static MANAGERS_MAX])
{
    unsigned count = 0;
    pthread_mutex_lock(&managers->lock);
    for (unsigned i = managers->count; i-- > 0;)
        if (is_silent(&managers->at[i], now_ns))
            drop(managers, i);
    for (; count < managers->count; count++)
        out[count] = managers->at[count];
    pthread_mutex_unlock(&managers->lock);
    return count;
}

bool managers_come_from(struct managers *managers, struct str peer, uint64_t now_ns)
{
    bool found = false;
    pthread_mutex_lock(&managers->lock);
    for (unsigned i = 0; i < managers->count && !found; i++)
        found = str_eq(str_of(managers->at[i].peer), peer) && !is_silent(&managers->at[i], now_ns);
    pthread_mutex_unlock(&managers->lock);
    return found;
}

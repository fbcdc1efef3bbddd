#include "replica/reaper.h"

#include "base/thread.h"

#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More wait only when 16 segments, 128 MiB, were filled within one grace period. */
enum { WAITING_MAX = 16 };

struct reaper {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    aio_context_t waiting[WAITING_MAX];
    unsigned count;
    bool stopping;
};

/* libraft calls io_destroy with the kernel's number of the context and nothing of ours, so the
 * way from the loop's thread to its reaper can only lead through the thread. The one such
 * variable in the program; tools/check-style knows it. */
static _Thread_local struct reaper *reaper_of_thread;

static int destroy(aio_context_t context)
{
    return (int)syscall(SYS_io_destroy, context);
}

static bool hand_over(struct reaper *reaper, aio_context_t context)
{
    pthread_mutex_lock(&reaper->mutex);
    bool room = reaper->count < WAITING_MAX;
    if (room)
        reaper->waiting[reaper->count++] = context;
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
    return room;
}

/* In the place of libraft's own io_destroy, by the linker. */
int __wrap_io_destroy(aio_context_t context);
__attribute__((used)) int __wrap_io_destroy(aio_context_t context)
{
    struct reaper *reaper = reaper_of_thread;
    return reaper != NULL && hand_over(reaper, context) ? 0 : destroy(context);
}

static void *run(void *argument)
{
    struct reaper *reaper = argument;
    pthread_mutex_lock(&reaper->mutex);
    while (reaper->count > 0 || !reaper->stopping) {
        if (reaper->count == 0) {
            pthread_cond_wait(&reaper->changed, &reaper->mutex);
            continue;
        }
        aio_context_t context = reaper->waiting[--reaper->count];
        pthread_mutex_unlock(&reaper->mutex);
        destroy(context);
        pthread_mutex_lock(&reaper->mutex);
    }
    pthread_mutex_unlock(&reaper->mutex);
    return NULL;
}

struct reaper *reaper_start(void)
{
    struct reaper *reaper = calloc(1, sizeof *reaper);
    if (reaper == NULL)
        return NULL;
    pthread_mutex_init(&reaper->mutex, NULL);
    pthread_cond_init(&reaper->changed, NULL);
    if (thread_start(&reaper->thread, "stoa-reaper", run, reaper) != 0) {
        free(reaper);
        return NULL;
    }
    reaper_of_thread = reaper;
    return reaper;
}

void reaper_stop(struct reaper *reaper)
{
    if (reaper == NULL)
        return;
    reaper_of_thread = NULL;
    pthread_mutex_lock(&reaper->mutex);
    reaper->stopping = true;
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
    pthread_join(reaper->thread, NULL);
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->mutex);
    free(reaper);
}

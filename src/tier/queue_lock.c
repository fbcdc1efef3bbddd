/* The queue's mutex. Who dies with it is followed by the next one, who makes the lists anew. Who is
 * stopped with it (SIGSTOP, a debugger) is killed after a while by one who does not wait for it. */
#include "base/check.h"
#include "tier/queue_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { LOOKS = 20, STAT_MAX = 512, PATH_SIZE = 64 };

void queue_lock_init(struct queue *queue)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    CHECK(pthread_mutex_init(&queue->area->lock, &kind) == 0);
    pthread_mutexattr_destroy(&kind);
}

/* ---- Who has it, and does not go on ---- */

/* The word that the kernel looks at when a thread dies: so it names the holder from the very store
 * by which the mutex is taken to that by which it is given back, where a note beside it would be
 * written too late, or wiped too early. As its own system numbers threads; 0: nobody. */
static uint32_t holder_of(const struct queue *queue)
{
    const int *word = &queue->area->lock.__data.__lock;
    return (uint32_t)__atomic_load_n(word, __ATOMIC_ACQUIRE) & FUTEX_TID_MASK;
}

/* Behind the thread's name, which may have any characters: its state. */
static bool is_stopped(uint32_t pid, uint32_t thread)
{
    char path[PATH_SIZE], text[STAT_MAX];
    snprintf(path, sizeof path, "/proc/%u/task/%u/stat", pid, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[len > 0 ? len : 0] = '\0';
    const char *end = strrchr(text, ')');
    return end && (strncmp(end, ") T ", 4) == 0 || strncmp(end, ") t ", 4) == 0);
}

/* Of those of this system who have a seat: whose THREAD this is, if it is stopped; else 0. */
static uint32_t stopped_process_of(const struct queue *queue, uint32_t thread)
{
    for (unsigned i = 0; i < QUEUE_SEATS && thread != 0; i++) {
        const struct queue_seat *seat = &queue->area->seats[i];
        uint32_t pid = atomic_load(&seat->pid);
        if (atomic_load(&seat->role) != QUEUE_NOBODY && atomic_load(&seat->space) == queue->space &&
            is_stopped(pid, thread))
            return pid;
    }
    return 0;
}

bool queue_is_stuck(struct queue_stuck *stuck, uint32_t holder, bool stopped)
{
    if (!stopped || holder != stuck->holder)
        *stuck = (struct queue_stuck){.holder = holder};
    stuck->looks += stopped;
    return stuck->looks >= LOOKS;
}

/* The descriptor is had first: then it is that process and no later one which is seen to be stopped
 * with the mutex, and gets the signal. */
static bool end_holder(const struct queue *queue, uint32_t pid, uint32_t thread)
{
    int fd = pidfd_open((pid_t)pid, 0);
    if (fd < 0)
        return false;
    bool done = holder_of(queue) == thread && is_stopped(pid, thread) &&
                pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;
    close(fd);
    return done;
}

uint32_t queue_end_stopped(const struct queue *queue, struct queue_stuck *stuck)
{
    uint32_t thread = holder_of(queue), pid = stopped_process_of(queue, thread);
    return queue_is_stuck(stuck, thread, pid != 0) && end_holder(queue, pid, thread) ? pid : 0;
}

/* ---- The lock ---- */

void queue_lock(struct queue *queue)
{
    int err = pthread_mutex_lock(&queue->area->lock);
    if (err == EOWNERDEAD) {
        queue_rebuild(queue);
        pthread_mutex_consistent(&queue->area->lock);
        return;
    }
    CHECK(err == 0);
}

void queue_unlock(struct queue *queue)
{
    CHECK(pthread_mutex_unlock(&queue->area->lock) == 0);
}

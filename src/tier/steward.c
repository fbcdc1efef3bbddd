#include "tier/steward.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "tier/silence.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { FOLLOWED_TURNS = 10 };

struct steward {
    struct steward_config config;
    pthread_t thread;
    bool started;
    atomic_bool leads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, roused; /* under the lock */
    unsigned turns;        /* that it has not led */
    struct silence silence;
};

static void begin_to_lead(struct steward *steward)
{
    atomic_store(&steward->leads, true);
    log_line(steward->config.log, LOG_INFO, "front", "this process is the master of its queue");
}

/* ---- Workers that hang ---- */

/* On one machine that is safe: what is killed answers no more, and its seat is free after that and
 * not before. */
static void end_worker(const struct steward *steward, uint32_t pid)
{
    int fd = pidfd_open((pid_t)pid, 0);
    const char *done = "it is killed";
    if (fd < 0 || pidfd_send_signal(fd, SIGKILL, NULL, 0) != 0)
        done = "and cannot be killed";
    log_line(steward->config.log, LOG_WARN, "front",
             "worker process %lu has done nothing for %llu ms: %s", (unsigned long)pid,
             (unsigned long long)(steward->config.silent_ns / MS_NS), done);
    if (fd >= 0)
        close(fd);
}

static void look_for_silent(struct steward *steward)
{
    struct queue_seat_view seats[QUEUE_SEATS];
    uint32_t pids[QUEUE_SEATS];
    unsigned count = queue_seats(steward->config.queue, seats, QUEUE_SEATS);
    unsigned silent = silence_look(&steward->silence, seats, count, clock_mono_ns(),
                                   steward->config.silent_ns, pids);
    for (unsigned i = 0; i < silent; i++)
        end_worker(steward, pids[i]);
}

static void turn(struct steward *steward)
{
    const struct steward_config *config = &steward->config;
    if (!atomic_load(&steward->leads)) {
        if (!queue_lead(config->queue)) {
            /* Who leads may hang. */
            if (++steward->turns % FOLLOWED_TURNS == 0)
                queue_sweep(config->queue);
            return;
        }
        begin_to_lead(steward);
    }
    unsigned died = queue_sweep(config->queue);
    if (died > 0)
        log_line(config->log, LOG_WARN, "front",
                 "%u of those at the queue died; their requests were given back", died);
    if (config->silent_ns > 0)
        look_for_silent(steward);
}

/* Until the next turn; false: there is none. */
static bool rest(struct steward *steward, uint64_t until_ns)
{
    pthread_mutex_lock(&steward->lock);
    while (!steward->stopping && !steward->roused &&
           cond_wait_until(&steward->changed, &steward->lock, until_ns))
        ;
    steward->roused = false;
    bool goes_on = !steward->stopping;
    pthread_mutex_unlock(&steward->lock);
    return goes_on;
}

static void *run(void *argument)
{
    struct steward *steward = argument;
    do
        turn(steward);
    while (rest(steward, clock_mono_ns() + STEWARD_MS * MS_NS));
    return NULL;
}

int steward_new(const struct steward_config *config, struct steward **out, struct failure *failure)
{
    struct steward *steward = calloc(1, sizeof *steward);
    *out = steward;
    if (!steward)
        return fail(failure, ERR_NOMEM, "no memory for what looks after the queue");
    steward->config = *config;
    atomic_init(&steward->leads, false);
    pthread_mutex_init(&steward->lock, NULL);
    cond_init(&steward->changed);
    steward->started = thread_start(&steward->thread, "stoa-steward", run, steward) == 0;
    if (steward->started)
        return 0;
    steward_free(steward);
    *out = NULL;
    return fail(failure, ERR_IO, "cannot start a thread");
}

bool steward_leads(const struct steward *steward)
{
    return atomic_load(&steward->leads);
}

void steward_rouse(struct steward *steward)
{
    pthread_mutex_lock(&steward->lock);
    steward->roused = true;
    pthread_cond_signal(&steward->changed);
    pthread_mutex_unlock(&steward->lock);
}

void steward_free(struct steward *steward)
{
    if (!steward)
        return;
    pthread_mutex_lock(&steward->lock);
    steward->stopping = true;
    pthread_cond_signal(&steward->changed);
    pthread_mutex_unlock(&steward->lock);
    if (steward->started)
        pthread_join(steward->thread, NULL);
    if (atomic_load(&steward->leads))
        queue_follow(steward->config.queue);
    pthread_cond_destroy(&steward->changed);
    pthread_mutex_destroy(&steward->lock);
    free(steward);
}

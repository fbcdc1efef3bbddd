#include "tier/steward.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "tier/silence.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { FOLLOWED_TURNS = 10 };

struct steward {
    struct steward_config config;
    pthread_t thread, watch; /* watch: never waits for the queue's lock */
    bool started, watches;
    atomic_bool leads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, roused; /* under the lock */
    unsigned turns;        /* that it has not led */
    uint64_t look_ns;      /* when to look again who hangs */
    struct silence silence;
    struct queue_seat_view seats[QUEUE_SEATS], last[QUEUE_SEATS]; /* while it looks */
};

static void begin_to_lead(struct steward *steward)
{
    atomic_store(&steward->leads, true);
    log_line(steward->config.log, LOG_INFO, "front", "this process is the master of its queue");
}

static void give_back_of_dead(const struct steward *steward)
{
    unsigned died = queue_sweep(steward->config.queue);
    if (died > 0)
        log_line(steward->config.log, LOG_WARN, "front",
                 "%u of those at the queue died; their requests were given back", died);
}

/* ---- Who hangs ---- */

/* Who has died meanwhile has no seat any more, so that another process with its number is not taken
 * for it. */
static bool hangs_on(struct steward *steward, struct queue_process process)
{
    give_back_of_dead(steward);
    unsigned count = queue_seats(steward->config.queue, steward->last, QUEUE_SEATS);
    return silence_goes_on(&steward->silence, process, steward->last, count);
}

/* On one machine that is safe: what is killed answers no more, and its seats and the lead are free
 * after that and not before. The descriptor is had first: then it is that process which is seen to
 * hang on, and gets the signal. Several fronts may do so at once. */
static void end_process(struct steward *steward, const struct queue_seat_view *seat)
{
    int fd = pidfd_open((pid_t)seat->pid, 0);
    const char *done = "it is killed";
    if (fd < 0 || !hangs_on(steward, queue_process_of(seat)))
        done = fd < 0 && errno != ESRCH ? "and cannot be killed" : NULL;
    else if (pidfd_send_signal(fd, SIGKILL, NULL, 0) != 0)
        done = "and cannot be killed";
    if (done)
        log_line(steward->config.log, LOG_WARN, "front",
                 "%s process %lu has done nothing for %llu ms: %s",
                 seat->role == QUEUE_FRONT ? "front" : "worker", (unsigned long)seat->pid,
                 (unsigned long long)(steward->config.silent_ns / MS_NS), done);
    if (fd >= 0)
        close(fd);
}

static void look_for_silent(struct steward *steward, uint64_t now_ns)
{
    struct queue *queue = steward->config.queue;
    const struct silence_watch watch = {queue_self(queue), queue_leader(queue)};
    unsigned places[QUEUE_SEATS];
    unsigned count = queue_seats(queue, steward->seats, QUEUE_SEATS);
    unsigned silent = silence_look_at_processes(&steward->silence, &watch, steward->seats, count,
                                                now_ns, steward->config.silent_ns, places);
    for (unsigned i = 0; i < silent; i++)
        end_process(steward, &steward->seats[places[i]]);
}

static void look_now_and_then(struct steward *steward)
{
    uint64_t now_ns = clock_mono_ns(), limit_ns = steward->config.silent_ns;
    if (limit_ns == 0 || now_ns < steward->look_ns)
        return;
    steward->look_ns = now_ns + silence_pause_ns(limit_ns);
    look_for_silent(steward, now_ns);
}

/* ---- Its turns ---- */

/* Who leads may hang, until it is ended: its part is done now and then. */
static void follow(struct steward *steward)
{
    if (++steward->turns % FOLLOWED_TURNS == 0)
        queue_sweep(steward->config.queue);
}

static void turn(struct steward *steward)
{
    if (!atomic_load(&steward->leads) && queue_lead(steward->config.queue))
        begin_to_lead(steward);
    if (atomic_load(&steward->leads))
        give_back_of_dead(steward);
    else
        follow(steward);
    look_now_and_then(steward);
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

/* ---- Who is stopped with the lock ---- */

static bool look_again(struct steward *steward, uint64_t until_ns)
{
    pthread_mutex_lock(&steward->lock);
    while (!steward->stopping && cond_wait_until(&steward->changed, &steward->lock, until_ns))
        ;
    bool goes_on = !steward->stopping;
    pthread_mutex_unlock(&steward->lock);
    return goes_on;
}

static void *watch_lock(void *argument)
{
    struct steward *steward = argument;
    struct queue_stuck stuck = {0};
    while (look_again(steward, clock_mono_ns() + QUEUE_LOOK_MS * MS_NS)) {
        uint32_t pid = queue_end_stopped(steward->config.queue, &stuck);
        if (pid)
            log_line(steward->config.log, LOG_WARN, "front",
                     "process %lu was stopped while it changed the queue, so that nobody else "
                     "could: it is killed",
                     (unsigned long)pid);
    }
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
    steward->watches = thread_start(&steward->watch, "stoa-watch", watch_lock, steward) == 0;
    if (steward->started && steward->watches)
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
    pthread_cond_broadcast(&steward->changed);
    pthread_mutex_unlock(&steward->lock);
}

void steward_free(struct steward *steward)
{
    if (!steward)
        return;
    pthread_mutex_lock(&steward->lock);
    steward->stopping = true;
    pthread_cond_broadcast(&steward->changed);
    pthread_mutex_unlock(&steward->lock);
    if (steward->started)
        pthread_join(steward->thread, NULL);
    if (steward->watches)
        pthread_join(steward->watch, NULL);
    if (atomic_load(&steward->leads))
        queue_follow(steward->config.queue);
    pthread_cond_destroy(&steward->changed);
    pthread_mutex_destroy(&steward->lock);
    free(steward);
}

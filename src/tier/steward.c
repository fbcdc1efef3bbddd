#include "tier/steward.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdlib.h>

struct steward {
    struct steward_config config;
    pthread_t thread;
    bool started;
    atomic_bool leads;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, roused; /* under the lock */
};

static void begin_to_lead(struct steward *steward)
{
    atomic_store(&steward->leads, true);
    log_line(steward->config.log, LOG_INFO, "front", "this process is the master of its queue");
    if (steward->config.lead)
        steward->config.lead(steward->config.context);
}

static void turn(struct steward *steward)
{
    const struct steward_config *config = &steward->config;
    if (!atomic_load(&steward->leads)) {
        if (!queue_lead(config->queue))
            return;
        begin_to_lead(steward);
    }
    unsigned died = queue_sweep(config->queue);
    if (died > 0)
        log_line(config->log, LOG_WARN, "front",
                 "%u of those at the queue died; their requests were given back", died);
    if (!config->look)
        return;
    struct queue_stats stats;
    uint64_t now_ns = clock_mono_ns();
    queue_look(config->queue, now_ns, &stats);
    config->look(config->context, &stats, now_ns);
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

#include "engine/stage.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/random.h"
#include "base/thread.h"
#include "engine/control_batch.h"
#include "engine/control_threads.h"

#include <stdlib.h>

enum worker_place { WORKER_FREE, WORKER_RUNS, WORKER_ENDED };

struct worker {
    struct stage *stage;
    pthread_t thread;
    struct seat *seat;       /* NULL: it needs none */
    enum worker_place place; /* under the stage's lock */
};

struct stage {
    struct stage_config config;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    /* Under the lock: */
    void **ring; /* [config.queue_max] */
    unsigned first, count;
    uint64_t done;
    unsigned running, idle;
    bool ends;
    struct control_threads threads;
    struct control_batch batch;
    struct random random; /* for how long a thread may be idle */
    /* Of whoever controls: */
    uint64_t looked_ns, looked_done;
    struct worker workers[]; /* [config.most] */
};

/* ---- The queue ---- */

bool stage_put(struct stage *stage, void *const *items, unsigned count)
{
    pthread_mutex_lock(&stage->lock);
    unsigned max = stage->config.queue_max;
    bool room = max - stage->count >= count;
    for (unsigned i = 0; room && i < count; i++)
        stage->ring[(stage->first + stage->count++) % max] = items[i];
    unsigned wake = !room ? 0 : count < stage->idle ? count : stage->idle;
    pthread_mutex_unlock(&stage->lock);
    while (wake-- > 0)
        pthread_cond_signal(&stage->filled);
    return room;
}

/* Under the lock: how many a thread takes now. */
static unsigned portion(const struct stage *stage)
{
    if (stage->config.singly)
        return 1;
    unsigned share = (stage->count + stage->running - 1) / stage->running;
    return share < stage->batch.factor ? share : stage->batch.factor;
}

/* Under the lock, until there is something. False: the thread is to end. */
static bool await(struct stage *stage)
{
    uint64_t idle_ns = control_threads_idle_ns(random_u64(&stage->random));
    uint64_t until_ns = clock_mono_ns() + idle_ns;
    while (stage->count == 0) {
        if (stage->ends)
            return false;
        stage->idle++;
        bool in_time = cond_wait_until(&stage->filled, &stage->lock, until_ns);
        stage->idle--;
        if (in_time || stage->count > 0)
            continue;
        uint64_t now_ns = clock_mono_ns();
        if (control_threads_leave(&stage->threads, stage->running, now_ns)) {
            log_line(stage->config.log, LOG_INFO, "engine",
                     "stage %s: a thread of %u leaves: idle for %.1f s", stage->config.name,
                     stage->running, (double)idle_ns / 1e9);
            return false;
        }
        until_ns = now_ns + idle_ns;
    }
    return true;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct stage *stage = worker->stage;
    struct seat *seat = worker->seat;
    void *batch[CONTROL_BATCH_MOST];
    pthread_mutex_lock(&stage->lock);
    while (await(stage)) {
        unsigned count = portion(stage);
        for (unsigned i = 0; i < count; i++)
            batch[i] = stage->ring[(stage->first + i) % stage->config.queue_max];
        stage->first = (stage->first + count) % stage->config.queue_max;
        stage->count -= count;
        pthread_mutex_unlock(&stage->lock);
        stage->config.handle(stage->config.context, seat, batch, count);
        pthread_mutex_lock(&stage->lock);
        stage->done += count;
    }
    stage->running--;
    worker->place = WORKER_ENDED;
    pthread_mutex_unlock(&stage->lock);
    if (seat)
        seats_give(stage->config.seats, seat);
    return NULL;
}

/* ---- Control ---- */

/* Under the lock, which is let go of while SEAT is looked for. False: there is none. */
static bool find_seat(struct stage *stage, struct seat **seat)
{
    *seat = NULL;
    if (!stage->config.seats)
        return true;
    pthread_mutex_unlock(&stage->lock);
    *seat = seats_try(stage->config.seats);
    pthread_mutex_lock(&stage->lock);
    return *seat != NULL;
}

/* Under the lock. A thread that waited for its seat would be counted on in vain. */
static bool start_worker(struct stage *stage)
{
    struct worker *worker = stage->workers;
    struct seat *seat;
    if (!find_seat(stage, &seat))
        return false;
    for (unsigned i = 0; i < stage->config.most && worker->place == WORKER_RUNS; i++)
        worker++;
    CHECK(worker < stage->workers + stage->config.most);
    if (worker->place == WORKER_ENDED)
        pthread_join(worker->thread, NULL); /* it has only its seat to give back */
    worker->place = WORKER_FREE;
    worker->stage = stage;
    worker->seat = seat;
    if (thread_start(&worker->thread, stage->config.thread, worker_main, worker)) {
        if (seat)
            seats_give(stage->config.seats, seat);
        return false;
    }
    worker->place = WORKER_RUNS;
    stage->running++;
    return true;
}

static void control_threads(struct stage *stage, uint64_t now_ns)
{
    if (!control_threads_grow(&stage->threads, stage->running, stage->count, now_ns))
        return;
    bool started = start_worker(stage);
    log_line(stage->config.log, started ? LOG_INFO : LOG_WARN, "engine",
             started ? "stage %s: one more thread, %u now: %u wait"
                     : "stage %s: a thread beyond its %u cannot be started, and %u wait",
             stage->config.name, stage->running, stage->count);
}

static void control_batch(struct stage *stage, uint64_t now_ns)
{
    uint64_t done = stage->done - stage->looked_done, ns = now_ns - stage->looked_ns;
    unsigned before = stage->batch.factor;
    if (!stage->config.singly && control_batch_step(&stage->batch, done, stage->count, ns))
        log_line(stage->config.log, LOG_DEBUG, "engine",
                 "stage %s: batches of %u, before of %u: %llu done in %.0f ms, %u wait",
                 stage->config.name, stage->batch.factor, before, (unsigned long long)done,
                 (double)ns / 1e6, stage->count);
    stage->looked_done = stage->done;
    stage->looked_ns = now_ns;
}

void stage_control(struct stage *stage, uint64_t now_ns)
{
    pthread_mutex_lock(&stage->lock);
    control_threads(stage, now_ns);
    control_batch(stage, now_ns);
    pthread_mutex_unlock(&stage->lock);
}

void stage_look(struct stage *stage, struct engine_stage *look)
{
    pthread_mutex_lock(&stage->lock);
    *look = (struct engine_stage){
        .name = stage->config.name,
        .done = stage->done,
        .queued = stage->count,
        .threads = stage->running,
        .batch = stage->config.singly ? 1 : stage->batch.factor,
    };
    pthread_mutex_unlock(&stage->lock);
}

/* ---- Made and freed ---- */

int stage_new(const struct stage_config *config, struct stage **out, struct failure *failure)
{
    struct stage *stage = calloc(1, sizeof *stage + config->most * sizeof stage->workers[0]);
    if (stage)
        stage->ring = calloc(config->queue_max, sizeof *stage->ring);
    if (!stage || !stage->ring) {
        free(stage);
        return fail(failure, ERR_NOMEM, "no memory for the stage %s", config->name);
    }
    stage->config = *config;
    stage->looked_ns = clock_mono_ns();
    stage->threads = (struct control_threads){
        .least = config->least, .most = config->most, .looked_ns = stage->looked_ns};
    control_batch_init(&stage->batch);
    random_seed(&stage->random, stage->looked_ns);
    pthread_mutex_init(&stage->lock, NULL);
    cond_init(&stage->filled);
    *out = stage;
    pthread_mutex_lock(&stage->lock);
    bool good = true;
    while (good && stage->running < config->least)
        good = start_worker(stage);
    pthread_mutex_unlock(&stage->lock);
    return good ? 0 : fail(failure, ERR_IO, "cannot start a thread of the stage %s", config->name);
}

static void join(struct worker *worker)
{
    struct stage *stage = worker->stage;
    if (!stage)
        return; /* there never was one */
    pthread_mutex_lock(&stage->lock);
    bool exists = worker->place != WORKER_FREE;
    pthread_mutex_unlock(&stage->lock);
    if (exists)
        pthread_join(worker->thread, NULL);
}

void stage_end(struct stage *stage)
{
    if (!stage)
        return;
    pthread_mutex_lock(&stage->lock);
    CHECK(stage->count == 0);
    stage->ends = true;
    pthread_cond_broadcast(&stage->filled);
    pthread_mutex_unlock(&stage->lock);
    for (unsigned i = 0; i < stage->config.most; i++)
        join(&stage->workers[i]);
}

void stage_free(struct stage *stage)
{
    if (!stage)
        return;
    pthread_cond_destroy(&stage->filled);
    pthread_mutex_destroy(&stage->lock);
    free(stage->ring);
    free(stage);
}

#include "bench/crowd_director.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

enum { LOOK_MS = 20 /* between two looks at whether it is to end */ };

static void rest(double seconds, const atomic_bool *stop)
{
    uint64_t end = clock_mono_ns() + (uint64_t)(seconds * 1e9);
    while (clock_mono_ns() < end && !atomic_load(stop))
        nanosleep(&(struct timespec){0, LOOK_MS * (long)MS_NS}, NULL);
}

static void count_processors(struct crowd_director *director, bool begin)
{
    const struct crowd_cluster *cluster = director->config->cluster;
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++) {
        uint64_t used = cluster->processor_ns(cluster->context, i);
        uint64_t *out = &director->report->processor_ns[i];
        *out = begin ? used : used - (*out < used ? *out : used);
    }
}

static void *direct(void *argument)
{
    struct crowd_director *director = argument;
    const struct crowd_config *config = director->config;
    rest(config->warm_up_seconds, &director->stop);
    count_processors(director, true);
    director->report->begin_ns = clock_mono_ns();
    if (config->plan.kind == CROWD_NO_FAULT)
        rest(config->seconds, &director->stop);
    else
        director->err = crowd_faults_run(&director->report->faults, &config->plan, config->cluster,
                                         &director->stop, &director->failure);
    count_processors(director, false);
    atomic_store(&director->finished, true);
    return NULL;
}

int crowd_director_start(struct crowd_director *director, const struct crowd_config *config,
                         struct crowd_report *report, struct failure *failure)
{
    *director = (struct crowd_director){.config = config, .report = report};
    int err = pthread_create(&director->thread, NULL, direct, director);
    return err ? fail(failure, ERR_NOMEM, "cannot start a thread: %s", strerror(err)) : 0;
}

int crowd_director_end(struct crowd_director *director, struct failure *failure)
{
    atomic_store(&director->stop, true);
    pthread_join(director->thread, NULL);
    if (director->err && failure)
        *failure = director->failure;
    return director->err;
}

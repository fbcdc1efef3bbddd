#include "engine/inside.h"

#include "base/check.h"
#include "base/clock.h"
#include "engine/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_doors(struct engine *engine, struct failure *failure)
{
    const struct engine *from = engine->config.heir_of;
    unsigned listens = engine->config.listen_count, sharers = engine->sharers;
    struct engine_sockets sockets;
    int err;
    if (from && (from->sharers != sharers || from->config.listen_count != listens))
        return fail(failure, ERR_INVALID, "an engine's heir must have its loops and addresses");
    if (from) /* it runs: its doors change at its stop alone */
        err = engine_sockets_share(&sockets, &engine->config, sharers, from->doors, from->ports,
                                   failure);
    else
        err = engine_sockets_open(&sockets, &engine->config, sharers, failure);
    if (err)
        return err;
    engine->doors = sockets.fds;
    atomic_store_explicit(&engine->doors_open, listens * sharers, memory_order_relaxed);
    memcpy(engine->ports, sockets.ports, sizeof engine->ports);
    return 0;
}

/* Made once: what is refused comes in masses, and must cost less than what is let in. */
static int make_refusal(struct engine *engine, struct failure *failure)
{
    const struct http_header more[] = {
        {STR("Retry-After"), STR("1"), 0},
        {STR("Stoa-Try"), STR("once"), 0}, /* the app will not have seen it */
    };
    struct str text =
        STR("More is asked for than can be answered in time. Please try again in a second.\n");
    if (engine->intake.target_ns == 0)
        return 0;
    engine->too_much = http_page_with(503, STR("text/plain; charset=utf-8"), STR("no-store"), more,
                                      COUNT_OF(more), text, false);
    return engine->too_much ? 0 : fail(failure, ERR_NOMEM, "no memory for the engine");
}

static int fill(struct engine *engine, const struct engine_config *config, struct app *app,
                struct failure *failure)
{
    engine->config = *config;
    engine->app = app;
    engine_settings_fill(&engine->config);
    atomic_init(&engine->doors_open, 0);
    atomic_init(&engine->open, 0);
    atomic_init(&engine->is_stopping, false);
    intake_init(&engine->intake, engine->config.admission_ms * MS_NS, engine->config.log,
                clock_mono_ns());
    int trusted = engine_trusted(&engine->config, engine->trusted, failure);
    if (trusted < 0)
        return ERR_INVALID;
    engine->trusted_count = (unsigned)trusted;
    int err = engine_tls(&engine->config, &engine->tls, failure);
    return err ? err : make_refusal(engine, failure);
}

int engine_open_without_doors(struct engine *engine, const struct engine_config *config,
                              struct app *app, struct failure *failure)
{
    int err = fill(engine, config, app, failure);
    if (err)
        engine_close(engine);
    return err;
}

int engine_open(struct engine *engine, const struct engine_config *config, struct app *app,
                unsigned sharers, struct failure *failure)
{
    int err = fill(engine, config, app, failure);
    engine->sharers = sharers > 0 ? sharers : engine->config.loops;
    err = err ? err : open_doors(engine, failure);
    if (err)
        engine_close(engine);
    return err;
}

void engine_close(struct engine *engine)
{
    size_t count = (size_t)engine->config.listen_count * engine->sharers;
    for (size_t i = 0; engine->doors && i < count; i++)
        if (engine->doors[i] >= 0)
            close(engine->doors[i]);
    free(engine->doors);
    engine->doors = NULL;
    tls_context_free(engine->tls);
    engine->tls = NULL;
    http_page_drop(engine->too_much);
    engine->too_much = NULL;
}

void engine_begin_stop(struct engine *engine)
{
    engine->stopping = (struct stopping){.asked_ns = clock_mono_ns(),
                                         .grace_ns = engine->config.stop_grace_ms * MS_NS};
    atomic_store_explicit(&engine->is_stopping, true, memory_order_release);
}

bool engine_cuts_off(const struct engine *engine, uint64_t now_ns)
{
    uint64_t until_ns;
    return engine_is_stopping(engine) &&
           stopping_stage(&engine->stopping, now_ns, &until_ns) >= STOPPING_CUT_OFF;
}

bool engine_leaves_behind(const struct engine *engine, uint64_t held)
{
    if (held > 0)
        log_line(engine->config.log, LOG_ERROR, "engine",
                 "%s still holds %llu exchanges after the stop; the engine's memory is left to "
                 "them",
                 engine->app->name, (unsigned long long)held);
    return held > 0;
}

void engine_cut_off(const struct engine *engine, unsigned count)
{
    if (count > 0)
        log_line(engine->config.log, LOG_WARN, "engine",
                 "%u connections were cut off: not finished within the %llu ms of a graceful stop",
                 count, (unsigned long long)engine->config.stop_grace_ms);
}

uint16_t engine_port(const struct engine *engine, unsigned index)
{
    return index < engine->config.listen_count ? engine->ports[index] : 0;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void engine_counters_add(const struct engine_counters *counters, struct engine_stats *stats)
{
    stats->accepted += read_counter(&counters->accepted);
    stats->requests += read_counter(&counters->requests);
    stats->refused += read_counter(&counters->refused);
    stats->bytes_in += read_counter(&counters->bytes_in);
    stats->bytes_out += read_counter(&counters->bytes_out);
    stats->timeouts += read_counter(&counters->timeouts);
    stats->bad_requests += read_counter(&counters->bad_requests);
}

void engine_stats(const struct engine *engine, struct engine_stats *stats)
{
    *stats = (struct engine_stats){
        .doors = atomic_load_explicit(&engine->doors_open, memory_order_acquire),
        .open = atomic_load_explicit(&engine->open, memory_order_relaxed),
    };
    engine_counters_add(&engine->counters, stats);
    intake_look(&engine->intake, &stats->admission);
}

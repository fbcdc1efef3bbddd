/* Inside: what every engine has, whatever its threads are: settings, TLS context, whom it trusts,
 * how many connections are open, counters, and whether it is stopping.
 *
 * Each engine embeds one, and whoever started it holds that one. Set up before there are threads;
 * afterwards only the atomic fields change, from any thread, and the doors at the stop.
 */
#ifndef STOA_ENGINE_INSIDE_H
#define STOA_ENGINE_INSIDE_H

#include "engine/engine.h"
#include "engine/intake.h"
#include "engine/stopping.h"
#include "net/network.h"
#include "net/socket.h"
#include "net/tls.h"

#include <stdatomic.h>

struct engine_counters {
    _Atomic uint64_t accepted, requests, refused, bytes_in, bytes_out, timeouts, bad_requests;
};

struct engine {
    struct engine_config config; /* with its zeroes filled in */
    struct app *app;
    struct tls_context *tls; /* NULL: nothing listens with TLS */
    struct network trusted[ENGINE_TRUSTED_MAX];
    unsigned trusted_count;
    /* The listening sockets, [config.listen_count][sharers], open until the stop. */
    unsigned sharers;
    int *doors;
    uint16_t ports[ENGINE_LISTEN_MAX];
    atomic_uint doors_open;  /* of them; fork's are not counted down */
    atomic_uint open;        /* connections */
    atomic_bool is_stopping; /* and then: */
    struct stopping stopping;
    struct intake intake;            /* for dispatcher_kind.admission */
    struct http_page *too_much;      /* what intake refuses is answered; NULL: it refuses nothing */
    struct engine_counters counters; /* of an engine whose threads have none of their own */
};

/* Fills the settings in, opens SHARERS sockets at each address (0: config.loops of them), makes
 * the TLS context. With FAILURE nothing stays. */
int engine_open(struct engine *engine, const struct engine_config *config, struct app *app,
                unsigned sharers, struct failure *failure);
/* For one that gets its requests in other ways. */
int engine_open_without_doors(struct engine *engine, const struct engine_config *config,
                              struct app *app, struct failure *failure);
/* Closes what engine_open opened, and is still open. */
void engine_close(struct engine *engine);

/* From here on answers say that the connection closes, and engine->stopping counts. */
void engine_begin_stop(struct engine *engine);

static inline bool engine_is_stopping(const struct engine *engine)
{
    return atomic_load_explicit(&engine->is_stopping, memory_order_acquire);
}

/* Whether the grace of a stop is over at NOW_NS: connections are reset, queues abandoned. */
bool engine_cuts_off(const struct engine *engine, uint64_t now_ns);

/* How many exchanges the app holds although the engine has stopped: HELD. True: there are some,
 * which is logged, and nothing may be freed. Whoever holds them may still finish them. */
bool engine_leaves_behind(const struct engine *engine, uint64_t held);

/* Logs that COUNT connections were reset at the end of the grace. */
void engine_cut_off(const struct engine *engine, unsigned count);

static inline int *engine_door(const struct engine *engine, unsigned index, unsigned sharer)
{
    return &engine->doors[index * engine->sharers + sharer];
}

/* For engine_kind. */
uint16_t engine_port(const struct engine *engine, unsigned index);
void engine_stats(const struct engine *engine, struct engine_stats *stats);
/* Adds COUNTERS to STATS. */
void engine_counters_add(const struct engine_counters *counters, struct engine_stats *stats);

static inline void engine_count(_Atomic uint64_t *counter, uint64_t add)
{
    atomic_fetch_add_explicit(counter, add, memory_order_relaxed);
}

static inline bool engine_has_room(const struct engine *engine)
{
    return atomic_load_explicit(&engine->open, memory_order_relaxed) <
           engine->config.connections_max;
}

#endif

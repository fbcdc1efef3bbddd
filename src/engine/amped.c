#include "engine/amped.h"

#include "engine/event.h"

static int start(const struct engine_config *config, struct app *app, struct engine **engine,
                 struct failure *failure)
{
    static const struct event_variant with_readers = {.loops = 1, .residency = true};
    return event_start_as(&with_readers, config, app, engine, failure);
}

const struct engine_kind engine_amped = {
    .name = "amped",
    .about = "one event loop, and threads that read files for it",
    .start = start,
    .port = engine_port,
    .stats = event_stats,
    .stop = event_stop,
};

#include "engine/loop.h"

#include "engine/event.h"

static int start(const struct engine_config *config, struct app *app, struct engine **engine,
                 struct failure *failure)
{
    static const struct event_variant alone = {.loops = 1, .alone = true};
    return event_start_as(&alone, config, app, engine, failure);
}

const struct engine_kind engine_loop = {
    .name = "loop",
    .about = "one request at a time",
    .start = start,
    .port = engine_port,
    .stats = event_stats,
    .stop = event_stop,
};

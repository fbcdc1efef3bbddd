#include "main/shared_front.h"

#include "main/listening.h"
#include "main/shared_pages.h"

#include <stdio.h>
#include <stdlib.h>

enum { HELPERS = 4, URL = 320 };

struct shared_front {
    struct shared_front_config config;
    struct shared_pages *pages;
    char url[URL];
    const struct engine_kind *kind;
    struct engine *engine;
};

/* While this process takes over, its reader's engine and its server's both take what comes. What is
 * passed on to the server must not come to the reader: where one exchange runs at a time it would
 * wait for itself. An exchange asks, so that the engine is there. */
static bool takes_more(const struct shared_front *front)
{
    struct engine_stats stats;
    front->kind->stats(front->engine, &stats);
    return stats.doors > 0;
}

static bool waits(void *context)
{
    const struct shared_front *front = context;
    return shared_writer_is_here(front->config.writer) && takes_more(front);
}

static int open_engine(struct shared_front *front, struct failure *failure)
{
    const struct settings *settings = front->config.settings;
    struct engine_config config;
    int err = serving_engine(settings, settings->dir, front->config.log, &config, failure);
    if (err)
        return err;
    if (config.helpers < HELPERS)
        config.helpers = HELPERS;
    config.heir_of = front->config.heir_of;
    front->kind = serving_kind(settings);
    err = front->kind->start(&config, shared_pages_app(front->pages), &front->engine, failure);
    if (!err)
        listening_url(config.listen[0].address, config.listen[0].tls,
                      front->kind->port(front->engine, 0), "127.0.0.1", front->url,
                      sizeof front->url);
    return err;
}

int shared_front_open(const struct shared_front_config *config, struct shared_front **out,
                      struct failure *failure)
{
    struct shared_front *front = calloc(1, sizeof *front);
    *out = NULL;
    if (!front)
        return fail(failure, ERR_NOMEM, "out of memory");
    front->config = *config;
    struct shared_pages_config pages = {
        .settings = config->settings,
        .log = config->log,
        .writer = config->writer,
        .waits = waits,
        .context = front,
    };
    int err = shared_pages_open(&pages, &front->pages, failure);
    err = err ? err : open_engine(front, failure);
    if (err)
        shared_front_close(front, false);
    else
        *out = front;
    return err;
}

void shared_front_close(struct shared_front *front, bool heir)
{
    if (!front)
        return;
    if (front->pages && !heir)
        shared_pages_stop(front->pages);
    bool over = !front->engine || front->kind->stop(front->engine);
    if (front->pages && heir)
        shared_pages_stop(front->pages);
    if (!over) /* somebody is still at work with it; the process, which goes on, leaves it to them
                */
        return;
    shared_pages_close(front->pages);
    free(front);
}

const struct engine *shared_front_engine(const struct shared_front *front)
{
    return front->engine;
}

const char *shared_front_url(const struct shared_front *front)
{
    return front->url;
}

bool shared_front_is_current(const struct shared_front *front)
{
    return shared_pages_is_current(front->pages);
}

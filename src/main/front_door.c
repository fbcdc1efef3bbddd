#include "main/front_door.h"

#include "admin/tiers_door.h"
#include "engine/engine.h"
#include "main/foreground.h"
#include "main/listening.h"
#include "main/secret_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS = 256, GRACE_MS = 200, PATH = 4096, URL = 320 };

struct front_door {
    struct front_door_config config;
    struct tiers_door *app;
    struct engine *engine;
};

/* The server makes it when it is first started, which may be after the front was. */
static void read_token(void *context, char out[static TIERS_DOOR_TOKEN])
{
    const struct front_door *door = context;
    char path[PATH];
    snprintf(path, sizeof path, "%s/operator.token", door->config.dir);
    if (secret_file_read("--status", path, out, TIERS_DOOR_TOKEN, NULL) != 0)
        out[0] = 0;
}

static int open_app(struct front_door *door, struct failure *failure)
{
    struct tiers_door_settings settings = {
        .queue = door->config.queue,
        .loopback = listening_is_loopback(door->config.address),
        .token = read_token,
        .context = door,
    };
    return tiers_door_new(&settings, &door->app, failure);
}

static int start_engine(struct front_door *door, struct failure *failure)
{
    struct engine_config config = {
        .listen_count = 1,
        .listens_beside = true,
        .loops = 1,
        .helpers = 1,
        .connections_max = CONNECTIONS,
        .stop_grace_ms = GRACE_MS,
        .log = door->config.log,
    };
    str_copy(config.listen[0].address, sizeof config.listen[0].address,
             str_of(door->config.address));
    config.listen[0].option = "--status";
    return engine_event.start(&config, tiers_door_app(door->app), &door->engine, failure);
}

static void say_where(const struct front_door *door)
{
    char url[URL];
    listening_url(door->config.address, false, engine_event.port(door->engine, 0), "127.0.0.1", url,
                  sizeof url);
    log_line(door->config.log, LOG_INFO, "front", "status at %s", url);
}

int front_door_open(const struct front_door_config *config, struct front_door **out,
                    struct failure *failure)
{
    struct front_door *door = calloc(1, sizeof *door);
    *out = NULL;
    if (!door)
        return fail(failure, ERR_NOMEM, "no memory for the status door");
    door->config = *config;
    int err = open_app(door, failure);
    err = err ? err : start_engine(door, failure);
    if (err) {
        front_door_close(door);
        return err;
    }
    say_where(door);
    *out = door;
    return 0;
}

void front_door_close(struct front_door *door)
{
    if (!door)
        return;
    foreground_stop(&engine_event, door->engine);
    tiers_door_free(door->app);
    free(door);
}

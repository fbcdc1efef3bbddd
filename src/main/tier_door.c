#include "main/tier_door.h"

#include "base/clock.h"
#include "main/tier_token.h"
#include "tier/bridge.h"

#include <stdlib.h>
#include <time.h>

enum { LOOK_MS = 5 };

struct tier_door {
    const char *dir;
    struct tls_context *tls;
    struct bridge *bridge;
};

static bool knows(void *context, const unsigned char key[static BRIDGE_KEY])
{
    const struct tier_door *door = context;
    return tier_token_knows(door->dir, key);
}

int tier_door_open(const struct tier_door_config *config, struct tier_door **out,
                   struct failure *failure)
{
    struct tier_door *door = calloc(1, sizeof *door);
    *out = NULL;
    if (!door)
        return fail(failure, ERR_NOMEM, "no memory for the door at %s", config->address);
    door->dir = config->dir;
    int err = tier_token_context(config->dir, &door->tls, failure);
    struct bridge_door bridge = {config->queue, door->tls, config->address,
                                 knows,         door,      config->log};
    err = err ? err : bridge_listen(&bridge, &door->bridge, failure);
    if (err) {
        tier_door_close(door);
        return err;
    }
    log_line(config->log, LOG_INFO, "bridge",
             "workers and fronts of other machines come in at "
             "port %u",
             bridge_port(door->bridge));
    *out = door;
    return 0;
}

static void wait_drained(const struct tier_door *door, uint64_t grace_ms)
{
    uint64_t end_ns = clock_mono_ns() + grace_ms * MS_NS;
    while (bridge_state(door->bridge) != BRIDGE_DRAINED && clock_mono_ns() < end_ns)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * (long)MS_NS}, NULL);
}

void tier_door_drain_fronts(struct tier_door *door, uint64_t grace_ms)
{
    if (!door)
        return;
    bridge_drain_fronts(door->bridge);
    wait_drained(door, grace_ms);
}

void tier_door_drain(struct tier_door *door, uint64_t grace_ms)
{
    if (!door)
        return;
    bridge_drain(door->bridge);
    wait_drained(door, grace_ms);
}

void tier_door_close(struct tier_door *door)
{
    if (!door)
        return;
    bridge_free(door->bridge);
    tls_context_free(door->tls);
    free(door);
}

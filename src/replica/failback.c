#include "replica/failback.h"

#include <string.h>

static void note_loss(struct failback_memory *memory, uint64_t server, uint64_t now_ms)
{
    if (memory->count == FAILBACK_LOSSES) {
        memmove(memory->losses, memory->losses + 1,
                (FAILBACK_LOSSES - 1) * sizeof memory->losses[0]);
        memory->count--;
    }
    memory->losses[memory->count].server = server;
    memory->losses[memory->count++].at_ms = now_ms;
}

void failback_note(struct failback_memory *memory, uint64_t primary, uint64_t last_index,
                   uint64_t now_ms)
{
    if (primary != 0 && primary != memory->primary) {
        if (memory->primary != 0)
            note_loss(memory, memory->primary, now_ms);
        memory->primary = primary;
    }
    if (memory->quiet_since_ms == 0 || last_index < memory->quiet_index ||
        last_index - memory->quiet_index > FAILBACK_QUIET_ENTRIES) {
        memory->quiet_index = last_index;
        memory->quiet_since_ms = now_ms;
    }
}

static unsigned losses_of(const struct failback_memory *memory, uint64_t server, uint64_t now_ms)
{
    unsigned losses = 0;
    for (unsigned i = 0; i < memory->count; i++)
        losses += memory->losses[i].server == server &&
                  now_ms - memory->losses[i].at_ms < FAILBACK_WINDOW_MS;
    return losses;
}

uint64_t failback_wait_ms(const struct failback_memory *memory, uint64_t server, uint32_t steady_ms,
                          uint64_t now_ms)
{
    unsigned losses = losses_of(memory, server, now_ms);
    uint64_t wait_ms = steady_ms;
    for (unsigned i = FAILBACK_FREE; i < losses && wait_ms < FAILBACK_WAIT_MAX_MS; i++)
        wait_ms *= 2;
    if (losses > FAILBACK_FREE && wait_ms > FAILBACK_WAIT_MAX_MS)
        wait_ms = FAILBACK_WAIT_MAX_MS;
    return wait_ms;
}

uint64_t failback_quiet_ms(const struct failback_memory *memory, uint64_t now_ms)
{
    return memory->quiet_since_ms == 0 ? 0 : now_ms - memory->quiet_since_ms;
}

#include "engine/stopping.h"

#include "base/clock.h"

/* Heard of within BUSY_NS: it gets POLITE_NS for its next request. */
#define BUSY_NS   (1 * SEC_NS)
#define POLITE_NS (300 * MS_NS)
/* After the grace: how long the app may take to let go of what it still holds. */
#define LET_GO_NS (1 * SEC_NS)

enum stopping_stage stopping_stage(const struct stopping *stopping, uint64_t now_ns,
                                   uint64_t *until_ns)
{
    uint64_t grace_ns = stopping->grace_ns;
    const uint64_t ends_ns[] = {
        [STOPPING_POLITE] = stopping->asked_ns + (POLITE_NS < grace_ns ? POLITE_NS : grace_ns),
        [STOPPING_DRAINING] = stopping->asked_ns + grace_ns,
        [STOPPING_CUT_OFF] = stopping->asked_ns + grace_ns + LET_GO_NS,
        [STOPPING_LEFT] = UINT64_MAX,
    };
    enum stopping_stage stage = STOPPING_POLITE;
    while (stage < STOPPING_LEFT && now_ns >= ends_ns[stage])
        stage++;
    *until_ns = ends_ns[stage];
    return stage;
}

bool stopping_drains(const struct stopping *stopping, enum stopping_stage stage, uint64_t heard_ns)
{
    return stage != STOPPING_POLITE || heard_ns + BUSY_NS <= stopping->asked_ns;
}

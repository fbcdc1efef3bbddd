#include "main/shared_pulse.h"

#include "base/clock.h"

bool shared_pulse_look(struct shared_pulse *pulse, uint64_t pid, enum shared_sign sign,
                       uint64_t begun_ns, uint64_t now_ns, uint64_t kill_ms)
{
    bool gap = pulse->looked_ns && now_ns - pulse->looked_ns > SHARED_PULSE_GAP_MS * MS_NS;
    if (pid != pulse->pid || sign != SHARED_SIGN_SILENCE || gap)
        *pulse = (struct shared_pulse){.pid = pid};
    pulse->looked_ns = now_ns;
    if (sign != SHARED_SIGN_SILENCE || gap)
        return false;
    if (pulse->misses++ == 0)
        pulse->silent_ns = begun_ns;
    bool dead = kill_ms && pulse->misses >= SHARED_PULSE_MISSES &&
                now_ns - pulse->silent_ns >= kill_ms * MS_NS;
    if (dead)
        *pulse = (struct shared_pulse){.pid = pid, .looked_ns = now_ns};
    return dead;
}

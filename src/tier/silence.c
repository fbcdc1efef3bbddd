#include "tier/silence.h"

#include "base/clock.h"

static bool is_silent(struct silence_seat *known, const struct queue_seat_view *seat, bool anew,
                      uint64_t now_ns, uint64_t limit_ns)
{
    if (anew || known->pid != seat->pid || known->beat_ns != seat->report.beat_ns) {
        *known = (struct silence_seat){seat->pid, seat->report.beat_ns, now_ns};
        return false;
    }
    if (now_ns - known->since_ns < limit_ns)
        return false;
    known->since_ns = now_ns;
    return true;
}

unsigned silence_look(struct silence *silence, const struct queue_seat_view *seats, unsigned count,
                      uint64_t now_ns, uint64_t limit_ns, uint32_t *pids)
{
    bool anew = now_ns - silence->looked_ns > SILENCE_GAP_MS * MS_NS;
    unsigned silent = 0;
    silence->looked_ns = now_ns;
    for (unsigned i = 0; i < count; i++)
        if (seats[i].role == QUEUE_WORKER && seats[i].is_near &&
            is_silent(&silence->seats[seats[i].seat], &seats[i], anew, now_ns, limit_ns))
            pids[silent++] = seats[i].pid;
    return silent;
}

#include "tier/silence.h"

#include "base/clock.h"

enum { LOOKS = 5, PAUSE_MAX_MS = 1000, GAPS = 2 /* so many are a limit */ };

uint64_t silence_pause_ns(uint64_t limit_ns)
{
    uint64_t pause_ns = limit_ns / LOOKS;
    return pause_ns < PAUSE_MAX_MS * MS_NS ? pause_ns : PAUSE_MAX_MS * MS_NS;
}

static bool begins_anew(struct silence *silence, uint64_t now_ns, uint64_t limit_ns)
{
    bool anew = now_ns - silence->looked_ns > limit_ns / GAPS;
    silence->looked_ns = now_ns;
    return anew;
}

static bool has_beaten(const struct silence_seat *known, const struct queue_seat_view *seat)
{
    return known->pid != seat->pid || known->beat_ns != seat->report.beat_ns;
}

static void note(struct silence *silence, const struct queue_seat_view *seat, bool anew,
                 uint64_t now_ns)
{
    struct silence_seat *known = &silence->seats[seat->seat];
    if (anew || has_beaten(known, seat))
        *known = (struct silence_seat){seat->pid, seat->report.beat_ns, now_ns};
}

static bool is_silent(const struct silence *silence, const struct queue_seat_view *seat,
                      uint64_t limit_ns)
{
    return silence->looked_ns - silence->seats[seat->seat].since_ns >= limit_ns;
}

unsigned silence_look(struct silence *silence, const struct queue_seat_view *seats, unsigned count,
                      uint64_t now_ns, uint64_t limit_ns, uint32_t *pids)
{
    bool anew = begins_anew(silence, now_ns, limit_ns);
    unsigned silent = 0;
    for (unsigned i = 0; i < count; i++) {
        if (seats[i].role != QUEUE_WORKER || !seats[i].is_near)
            continue;
        note(silence, &seats[i], anew, now_ns);
        if (!is_silent(silence, &seats[i], limit_ns))
            continue;
        silence->seats[seats[i].seat].since_ns = now_ns;
        pids[silent++] = seats[i].pid;
    }
    return silent;
}

/* ---- Processes ---- */

static bool has_seat(const struct queue_seat_view *seat, struct queue_process process)
{
    return seat->is_near && queue_is_same(queue_process_of(seat), process);
}

static bool is_watched(const struct silence_watch *watch, const struct queue_seat_view *seat)
{
    bool all = queue_is_same(watch->self, watch->leader);
    return seat->is_near && !has_seat(seat, watch->self) && (all || has_seat(seat, watch->leader));
}

static bool is_all_silent(const struct silence *silence, struct queue_process process,
                          const struct queue_seat_view *seats, unsigned count, uint64_t limit_ns)
{
    for (unsigned i = 0; i < count; i++)
        if (has_seat(&seats[i], process) && !is_silent(silence, &seats[i], limit_ns))
            return false;
    return true;
}

/* So that it is named no more for as long. */
static void forget(struct silence *silence, struct queue_process process,
                   const struct queue_seat_view *seats, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (has_seat(&seats[i], process))
            silence->seats[seats[i].seat].since_ns = silence->looked_ns;
}

unsigned silence_look_at_processes(struct silence *silence, const struct silence_watch *watch,
                                   const struct queue_seat_view *seats, unsigned count,
                                   uint64_t now_ns, uint64_t limit_ns, unsigned *places)
{
    bool anew = begins_anew(silence, now_ns, limit_ns);
    unsigned silent = 0;
    for (unsigned i = 0; i < count; i++)
        if (seats[i].is_near)
            note(silence, &seats[i], anew, now_ns);
    for (unsigned i = 0; i < count; i++) {
        struct queue_process process = queue_process_of(&seats[i]);
        if (!is_watched(watch, &seats[i]) || !is_silent(silence, &seats[i], limit_ns) ||
            !is_all_silent(silence, process, seats, count, limit_ns))
            continue;
        forget(silence, process, seats, count);
        places[silent++] = i;
    }
    return silent;
}

bool silence_goes_on(const struct silence *silence, struct queue_process process,
                     const struct queue_seat_view *seats, unsigned count)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!has_seat(&seats[i], process))
            continue;
        if (has_beaten(&silence->seats[seats[i].seat], &seats[i]))
            return false;
        found++;
    }
    return found > 0;
}

#include "engine/control_admission.h"

#include "base/clock.h"

#define LONGEST_NS SEC_NS
#define QUIET_NS   (10 * SEC_NS)

/* Found with a queue of 1 and of 10 servers, 100 to 20,000 requests a second and 2 to 10 times as
 * many arrivals: 95 to 99 % of the server's capacity is used, and 4 to 6 % are later than the
 * target (tests/unit/test_engine_control_admission.c has that queue). */
static const double aim = 0.875;       /* of the target */
static const double dead_band = 0.4;   /* below what is aimed at: neither raised nor lowered */
static const double increase = 0.025;  /* of the best rate, at most */
static const double decrease = 0.05;   /* of the rate, at least */
static const double severity = 0.4;    /* and for each time that it was late */
static const double divisor_most = 2;  /* at once */
static const double draining = 1.05;   /* answered per let in */
static const double forgetting = 0.98; /* what the best rate is worth an interval later */

void control_admission_init(struct control_admission *control, uint64_t target_ns)
{
    *control = (struct control_admission){.target_ns = target_ns};
}

bool control_admission_is_due(const struct control_admission *control, uint64_t ns,
                              uint32_t measured)
{
    uint64_t shortest_ns = control->target_ns < LONGEST_NS ? control->target_ns : LONGEST_NS;
    return ns >= LONGEST_NS || (measured >= ADMISSION_LEAST && ns >= shortest_ns);
}

/* LATE: how much too late, as a share of what is aimed at. */
static enum admission_move lower(struct control_admission *control, double answered, double late)
{
    double divisor = 1 + decrease + severity * late;
    double from = answered;
    if (divisor > divisor_most)
        divisor = divisor_most;
    if (control->rate > 0) {
        if (answered > control->rate * draining)
            return ADMISSION_HELD;
        /* An interval in which the machine stood still says nothing of what it can do. */
        if (from < control->rate / 2)
            from = control->rate / 2;
    }
    control->drained = from / (1 + decrease);
    control->rate = from / divisor;
    return ADMISSION_LOWERED;
}

static enum admission_move raise(struct control_admission *control,
                                 const struct admission_seen *seen, double early)
{
    if (control->quiet_ns >= QUIET_NS) {
        control->rate = control->drained = 0;
        return ADMISSION_LIFTED;
    }
    double drained = control->drained;
    control->drained = 0;
    if (drained > control->rate) {
        control->rate = drained;
        return ADMISSION_RAISED;
    }
    if (seen->refused == 0 || early <= dead_band)
        return ADMISSION_HELD;
    control->rate += control->best * increase * early;
    return ADMISSION_RAISED;
}

enum admission_move control_admission_step(struct control_admission *control,
                                           const struct admission_seen *seen)
{
    double answered = (double)seen->answered * 1e9 / (double)(seen->ns > 0 ? seen->ns : 1);
    control->best *= forgetting;
    if (answered > control->best)
        control->best = answered;
    control->quiet_ns = seen->refused > 0 ? 0 : control->quiet_ns + seen->ns;
    if (seen->measured == 0)
        return ADMISSION_HELD;
    double goal_ns = aim * (double)control->target_ns;
    double error = ((double)seen->p90_ns - goal_ns) / goal_ns;
    if (error > 0)
        return lower(control, answered, error);
    return control->rate > 0 ? raise(control, seen, -error) : ADMISSION_HELD;
}

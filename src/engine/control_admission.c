#include "engine/control_admission.h"

#include "base/clock.h"

#define LONGEST_NS SEC_NS
#define QUIET_NS   (10 * SEC_NS)

/* Found with queues of 1 to 10 servers, 40 to 20,000 requests a second and 2 to 10 times as many
 * arrivals, alone and disturbed: tests/unit/test_engine_control_admission.c has them, and what each
 * must come to. Half or twice the numbers changes little. */
static const double aim = 0.875;          /* of the target */
static const double dead_band = 0.4;      /* below what is aimed at: neither raised nor lowered */
static const double hardly_anybody = 0.9; /* below what is aimed at: hardly anybody waits */
static const double increase = 0.025;     /* of the best rate, at most */
static const double increase_easy = 0.075;
static const double known_good = 0.9;  /* of the best rate: up to there in large steps */
static const double decrease = 0.05;   /* of the rate, at least */
static const double cautious = 0.15;   /* where no queue is to be seen */
static const double severity = 0.4;    /* and for each time that it was late */
static const double lowest = 0.5;      /* of the rate before */
static const double undone = 0.7;      /* of the rate before, once nobody waits any more */
static const double draining = 1.05;   /* answered per let in */
static const double standing = 0.5;    /* of what is aimed at: half of them took longer */
static const double few = 2;           /* requests in the server at a time: they are no queue */
static const double forgetting = 0.98; /* what the best rate is worth an interval later */
static const double doubted = 0.9;     /* and when it was too much */

/* Times in a row that an increase is doubled. */
enum { EASY_MOST = 5 };

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

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* To what the server does, and for a while below that. */
static void fall(struct control_admission *control, double answered, double late)
{
    bool is_first = control->rate <= 0;
    double before = is_first ? answered : control->rate;
    double from = larger(answered, before * lowest);
    control->rate = larger(from / (1 + decrease + severity * late), before * lowest);
    control->drained = from / (1 + decrease);
    if (answered < before * lowest)
        control->drained = larger(control->drained, before * undone);
    control->best = is_first ? answered : larger(control->best * doubted, answered);
}

/* LATE: how much too late, as a share of what is aimed at. */
static enum admission_move lower(struct control_admission *control,
                                 const struct admission_seen *seen, double answered, double late)
{
    bool is_first = control->rate <= 0;
    control->easy = 0;
    if (is_first && !control->was_late) {
        control->was_late = true;
        return ADMISSION_HELD;
    }
    if (!is_first && answered > control->rate * draining)
        return ADMISSION_HELD;
    if (!is_first && answered * (double)seen->p90_ns / 1e9 < few)
        return ADMISSION_HELD;
    if (is_first || (double)seen->p50_ns > standing * aim * (double)control->target_ns) {
        fall(control, answered, late);
    } else {
        control->drained = control->rate / (1 + decrease);
        control->rate /= 1 + cautious;
    }
    return ADMISSION_LOWERED;
}

/* All that was answered had waited since before the last change. */
static enum admission_move unmeasured(struct control_admission *control, double answered)
{
    if (control->rate <= 0 || answered >= control->rate * lowest)
        return ADMISSION_HELD;
    fall(control, answered, 0);
    return ADMISSION_LOWERED;
}

static enum admission_move raise(struct control_admission *control,
                                 const struct admission_seen *seen, double early)
{
    if (control->quiet_ns >= QUIET_NS) {
        control->rate = control->drained = 0;
        control->was_late = false;
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
    control->easy = early <= hardly_anybody     ? 0
                    : control->easy < EASY_MOST ? control->easy + 1
                                                : EASY_MOST;
    double known = control->best * known_good, twice = control->rate * (1 + early);
    double step = control->easy ? increase_easy * (1u << (control->easy - 1)) : increase;
    double by = larger(control->best, control->rate) * step * early;
    control->rate = larger(control->rate + by, twice < known ? twice : known);
    return ADMISSION_RAISED;
}

enum admission_move control_admission_step(struct control_admission *control,
                                           const struct admission_seen *seen)
{
    double answered = (double)seen->answered * 1e9 / (double)(seen->ns > 0 ? seen->ns : 1);
    control->best = larger(control->best * forgetting, answered);
    control->quiet_ns = seen->refused > 0 ? 0 : control->quiet_ns + seen->ns;
    if (seen->measured == 0)
        return unmeasured(control, answered);
    double goal_ns = aim * (double)control->target_ns;
    double error = ((double)seen->p90_ns - goal_ns) / goal_ns;
    if (error > 0)
        return lower(control, seen, answered, error);
    control->was_late &= control->rate > 0;
    return control->rate > 0 ? raise(control, seen, -error) : ADMISSION_HELD;
}

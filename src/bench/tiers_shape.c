#include "bench/tiers_shape.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

static const double LOW = 0.1, HIGH = 3, PIECE_S = 0.25;
static const double TRACE_S = 20, TRACE_QUICK_S = 2;

const char *const tiers_shape_names[TIERS_SHAPES] = {
#define X(name, word) word,
    TIERS_SHAPE_LIST(X)
#undef X
};

struct making {
    struct scale_load *load;
    struct random random;
    double at_s, speed; /* quick ones are the same, faster */
    bool failed;
};

static void hold(struct making *making, double seconds, double rate)
{
    seconds /= making->speed;
    struct load_point point = {making->at_s, seconds, rate, 0};
    making->failed |= !scale_load_add(making->load, point);
    making->at_s += seconds;
}

static void slide(struct making *making, double seconds, double from, double to)
{
    double steps = ceil(seconds / PIECE_S);
    for (double i = 0; i < steps; i++)
        hold(making, seconds / steps, from + (to - from) * (i + 0.5) / steps);
}

/* Log-normal, of mean 1. */
static double noise(struct making *making, double sigma)
{
    double u = random_unit(&making->random), v = random_unit(&making->random);
    double normal = sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
    return exp(sigma * normal - sigma * sigma / 2);
}

static void make_day(struct making *making)
{
    enum { PIECES = 96 }; /* a quarter of an hour each */
    static const double SECONDS = 24;
    for (unsigned i = 0; i < PIECES; i++) {
        double hour = i * 24.0 / PIECES;
        double midday = exp(-(hour - 12) * (hour - 12) / 8);
        double evening = exp(-(hour - 20) * (hour - 20) / 5);
        double rate = 0.2 + 1.6 * midday + 2.5 * evening;
        hold(making, SECONDS / PIECES, rate * noise(making, 0.15));
    }
}

static void make_steady(struct making *making)
{
    static const double SECONDS = 30;
    for (double at = 0; at < SECONDS; at += PIECE_S)
        hold(making, PIECE_S, 1.5 * noise(making, 0.3));
}

static void make_bursts(struct making *making)
{
    for (unsigned i = 0; i < 4; i++) {
        hold(making, 2, 2.5);
        hold(making, 3, 0.2);
    }
}

static double highest(const struct scale_load *load)
{
    double most = 0;
    for (unsigned i = 0; i < load->count; i++)
        most = fmax(most, load->points[i].rate);
    return most;
}

static void make_trace(struct making *making, const struct scale_load *trace, double most_s)
{
    double factor = highest(trace) > 0 ? HIGH / highest(trace) : 0;
    making->speed = trace->seconds > most_s ? trace->seconds / most_s : 1;
    for (unsigned i = 0; i < trace->count; i++)
        hold(making, trace->points[i].seconds, trace->points[i].rate * factor);
}

static void make(struct making *making, enum tiers_shape shape, const struct scale_load *trace,
                 bool quick, double *rise_s)
{
    switch (shape) {
    case TIERS_STEP:
        hold(making, 2, LOW);
        *rise_s = making->at_s;
        hold(making, 10, HIGH);
        hold(making, 3, LOW);
        break;
    case TIERS_RAMP:
        hold(making, 2, LOW);
        slide(making, 8, LOW, HIGH);
        hold(making, 3, HIGH);
        slide(making, 3, HIGH, LOW);
        hold(making, 2, LOW);
        break;
    case TIERS_SPIKE:
        hold(making, 3, 0.3);
        *rise_s = making->at_s;
        hold(making, 2, 4);
        hold(making, 7, 0.3);
        break;
    case TIERS_DAY:
        make_day(making);
        break;
    case TIERS_STEADY:
        make_steady(making);
        break;
    case TIERS_TRACE:
        make_trace(making, trace, quick ? TRACE_QUICK_S : TRACE_S);
        break;
    default:
        make_bursts(making);
    }
}

int tiers_shape_make(enum tiers_shape shape, bool quick, uint64_t seed,
                     const struct scale_load *trace, struct tiers_load *out,
                     struct failure *failure)
{
    struct making making = {.load = &out->load, .speed = quick ? 5 : 1};
    memset(out, 0, sizeof *out);
    out->rise_s = NAN;
    random_seed(&making.random, seed);
    make(&making, shape, trace, quick, &out->rise_s);
    if (shape == TIERS_TRACE) {
        double at_s;
        out->rise_s = scale_load_step(&out->load, &at_s) ? at_s : NAN;
    }
    if (!making.failed)
        return 0;
    scale_load_close(&out->load);
    return fail(failure, ERR_NOMEM, "out of memory");
}

void tiers_shape_multiply(struct scale_load *load, double factor)
{
    for (unsigned i = 0; i < load->count; i++)
        load->points[i].rate *= factor;
}

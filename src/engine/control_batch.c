#include "engine/control_batch.h"

/* A fall of throughput of less than this is taken for noise. */
static const double tolerance = 0.93;
/* An old best is believed less from interval to interval: the load's kind may have changed. */
static const double forgetting = 0.99;

void control_batch_init(struct control_batch *control)
{
    *control = (struct control_batch){.factor = CONTROL_BATCH_MOST};
}

static unsigned smaller(unsigned factor)
{
    unsigned step = factor / 4;
    return factor > 1 ? factor - (step > 0 ? step : 1) : 1;
}

static unsigned larger(unsigned factor)
{
    unsigned grown = factor + factor / 2 + 1;
    return grown < CONTROL_BATCH_MOST ? grown : CONTROL_BATCH_MOST;
}

bool control_batch_step(struct control_batch *control, uint64_t done, uint64_t queued, uint64_t ns)
{
    unsigned before = control->factor;
    double rate = (double)done * 1e9 / (double)(ns > 0 ? ns : 1);
    if (queued == 0) {
        control->held = 0;
        control->factor = smaller(before);
    } else if (rate < control->held * tolerance) {
        /* What it is now is what the next interval is compared with. */
        control->held = rate;
        control->factor = larger(before);
    } else {
        control->held *= forgetting;
        if (rate > control->held)
            control->held = rate;
        control->factor = smaller(before);
    }
    return control->factor != before;
}

#include "scale/trend.h"

#include <math.h>

static void move_on(struct trend *trend, double seconds, double tau)
{
    double fade = exp(-seconds / tau);
    trend->wxx = fade * (trend->wxx - 2 * seconds * trend->wx + seconds * seconds * trend->w);
    trend->wxy = fade * (trend->wxy - seconds * trend->wy);
    trend->wx = fade * (trend->wx - seconds * trend->w);
    trend->wy *= fade;
    trend->w *= fade;
}

void trend_add(struct trend *trend, double value, double seconds, double tau)
{
    if (!(seconds > 0))
        return;
    move_on(trend, seconds, tau);
    double x = -seconds / 2, w = seconds; /* as if it had been measured in the middle */
    trend->w += w;
    trend->wx += w * x;
    trend->wxx += w * x * x;
    trend->wy += w * value;
    trend->wxy += w * x * value;
}

void trend_restart(struct trend *trend, double value, double seconds)
{
    *trend = (struct trend){.w = seconds, .wy = seconds * value};
}

/* Of the line y = a + b × x. */
static void fit(const struct trend *trend, double *a, double *b)
{
    double spread = trend->w * trend->wxx - trend->wx * trend->wx;
    *a = trend->w > 0 ? trend->wy / trend->w : 0;
    *b = 0;
    if (!(spread > 1e-9 * trend->w * trend->w))
        return;
    *b = (trend->w * trend->wxy - trend->wx * trend->wy) / spread;
    *a = (trend->wy - *b * trend->wx) / trend->w;
}

double trend_level(const struct trend *trend)
{
    double a, b;
    fit(trend, &a, &b);
    return a > 0 ? a : 0;
}

double trend_ahead(const struct trend *trend, double ahead)
{
    double a, b;
    fit(trend, &a, &b);
    double level = a > 0 ? a : 0, then = a + b * ahead;
    if (!(then > 0))
        return 0;
    return then < 2 * level ? then : 2 * level;
}

#include "scale/fronts.h"

#include "scale/rule.h"

/* Of their limit those have at most who are left when one ends. */
#define KEPT_PART 0.75

static unsigned by_ratio(const struct scale_settings *settings, unsigned fronts, unsigned workers)
{
    double ideal = (double)workers * (double)settings->fronts_ratio / 1000;
    double band = (double)settings->fronts_band / 1000;
    if (ideal > (double)fronts + band || ideal <= (double)fronts - 1 - band)
        return scale_whole(ideal);
    return fronts;
}

/* How many fronts LOAD fills to their limit. */
static double filled(const struct scale_settings *settings, struct scale_fronts_load load)
{
    double busy = load.busy / ((double)settings->fronts_busy / 1000);
    double connections = load.connections / (double)settings->fronts_connections;
    return busy > connections ? busy : connections;
}

unsigned scale_fronts(const struct scale_settings *settings, unsigned fronts, unsigned workers,
                      struct scale_fronts_load load)
{
    unsigned wanted = by_ratio(settings, fronts, workers);
    unsigned needed = scale_whole(filled(settings, load));
    unsigned kept = scale_whole(filled(settings, load) / KEPT_PART);
    if (wanted < fronts && wanted < kept)
        wanted = kept < fronts ? kept : fronts;
    if (wanted < needed)
        wanted = needed;
    if (wanted < settings->fronts_min)
        return (unsigned)settings->fronts_min;
    return wanted > settings->fronts_max ? (unsigned)settings->fronts_max : wanted;
}

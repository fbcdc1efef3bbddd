#include "scale/fronts.h"

#include "scale/rule.h"

static unsigned by_ratio(const struct scale_settings *settings, unsigned fronts, unsigned workers)
{
    double ideal = (double)workers * (double)settings->fronts_ratio / 1000;
    double band = (double)settings->fronts_band / 1000;
    if (ideal > (double)fronts + band || ideal <= (double)fronts - 1 - band)
        return scale_whole(ideal);
    return fronts;
}

unsigned scale_fronts(const struct scale_settings *settings, unsigned fronts, unsigned workers,
                      double busy)
{
    double limit = (double)settings->fronts_busy / 1000;
    unsigned wanted = by_ratio(settings, fronts, workers);
    unsigned needed = scale_whole(busy / limit);
    unsigned kept = scale_whole(busy / (limit * 3 / 4));
    if (wanted < fronts && wanted < kept)
        wanted = kept < fronts ? kept : fronts;
    if (wanted < needed)
        wanted = needed;
    if (wanted < settings->fronts_min)
        return (unsigned)settings->fronts_min;
    return wanted > settings->fronts_max ? (unsigned)settings->fronts_max : wanted;
}

#include "scale/peak.h"

#include <string.h>

enum { PARTS = PEAK_PARTS + 1 };

unsigned peak_add(struct peak *peak, unsigned value, uint64_t elapsed_ns, uint64_t window_ns)
{
    uint64_t part_ns = window_ns / PEAK_PARTS;
    if (elapsed_ns >= part_ns * PARTS || part_ns == 0) {
        memset(peak, 0, sizeof *peak);
        elapsed_ns = 0;
    }
    peak->passed_ns += elapsed_ns;
    for (; part_ns > 0 && peak->passed_ns >= part_ns; peak->passed_ns -= part_ns) {
        peak->at = (peak->at + 1) % PARTS;
        peak->parts[peak->at] = 0;
    }
    if (value > peak->parts[peak->at])
        peak->parts[peak->at] = value;
    unsigned largest = 0;
    for (unsigned i = 0; i < PARTS; i++)
        if (peak->parts[i] > largest)
            largest = peak->parts[i];
    return largest;
}

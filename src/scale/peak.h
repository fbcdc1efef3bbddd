/* Peak: the largest number of late. Pure.
 *
 * Time is cut into PEAK_PARTS parts of the window, of which each keeps its largest; so what is
 * forgotten is between one and one and a sixteenth windows old, in constant memory.
 * Memory: the caller's, begun zeroed.
 */
#ifndef STOA_SCALE_PEAK_H
#define STOA_SCALE_PEAK_H

#include <stdint.h>

enum { PEAK_PARTS = 16 };

struct peak {
    uint64_t passed_ns; /* of the present part */
    unsigned at;        /* the present part; the last is overwritten next */
    unsigned parts[PEAK_PARTS + 1];
};

/* VALUE, ELAPSED_NS after the one before. Returns the largest of the last WINDOW_NS (at least
 * PEAK_PARTS), this one included. */
unsigned peak_add(struct peak *peak, unsigned value, uint64_t elapsed_ns, uint64_t window_ns);

#endif

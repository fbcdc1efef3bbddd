/* Barcode: a text as Code 128 (ISO/IEC 15417), code sets B and C, for packing slips.
 *
 * Digits in pairs go by code set C, which halves their length. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_BARCODE_H
#define STOA_OUTSIDE_WAREHOUSE_BARCODE_H

#include "base/buf.h"
#include "base/str.h"

enum { BARCODE_TEXT_MAX = 48, BARCODE_QUIET = 10 };

/* The symbol values of TEXT with start, check and stop, into VALUES; returns how many, or 0 when
 * TEXT is empty, too long or has something else than printable ASCII in it. */
enum { BARCODE_VALUES_MAX = 2 * BARCODE_TEXT_MAX + 4 };
unsigned warehouse_barcode_values(struct str text, unsigned char values[static BARCODE_VALUES_MAX]);

/* Appends the bars of TEXT as the data of an SVG path, each bar a rectangle of HEIGHT, one module
 * being one unit wide; returns the whole width with its quiet zones. 0 as above. */
unsigned warehouse_barcode_path(struct str text, unsigned height, struct buf *out);

#endif

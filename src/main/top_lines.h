/* Top's lines: text with colours, cut to the window's width and height. Pure.
 *
 * For the screens of `stoa top` (top_screen.h, top_engine.h).
 */
#ifndef STOA_MAIN_TOP_LINES_H
#define STOA_MAIN_TOP_LINES_H

#include "base/buf.h"

#include <stdbool.h>

enum { TOP_COLUMNS_LEAST = 40, TOP_ROWS_LEAST = 8, SCREEN_FIGURE = 16 };

enum style { PLAIN, BOLD, DIM, GOOD, WARNING, BAD };

struct screen {
    struct buf *out;
    unsigned columns, rows; /* rows: those that are left */
    unsigned column;
    bool colours;
};

/* More of the line; what has no room is left out. */
void screen_put(struct screen *screen, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void screen_end_line(struct screen *screen);

/* In at most five characters: 0, 12.3, 999, 12.3k, 4.56M. */
const char *screen_number(double value, char out[static SCREEN_FIGURE]);
/* Milliseconds; nothing: "-". */
const char *screen_time(double ms, char out[static SCREEN_FIGURE]);

#endif

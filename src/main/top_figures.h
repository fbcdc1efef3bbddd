/* Top's figures: members of a JSON object, and how they are put into a line with their names.
 *
 * For the screens of `stoa top` that are made from JSON (top_screen.h, top_tiers.h). Pure.
 */
#ifndef STOA_MAIN_TOP_FIGURES_H
#define STOA_MAIN_TOP_FIGURES_H

#include "main/top_lines.h"

#include <yyjson.h>

/* What is missing, or of another kind, is 0 or empty. */
double top_number(yyjson_val *object, const char *key);
const char *top_text(yyjson_val *object, const char *key);

/* Ends the screen's first line, with TIME at its right where there is room. */
void top_end_title(struct screen *screen, const char *time);

/* "NAME 12.3k  ". */
void top_put_number(struct screen *screen, yyjson_val *of, const char *key, const char *name);
/* The same of milliseconds. */
void top_put_time(struct screen *screen, yyjson_val *of, const char *key, const char *name);
/* Of a count that had better be 0. */
void top_put_bad(struct screen *screen, yyjson_val *of, const char *key, const char *name);

#endif

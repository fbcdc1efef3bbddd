/* Scale rows: the settings of the scaler (scale/settings.h) as rows of a command's option table,
 * each named --scale-NAME. Values, ranges and defaults are that table's: nothing is said twice.
 */
#ifndef STOA_MAIN_SCALE_ROWS_H
#define STOA_MAIN_SCALE_ROWS_H

#include "main/option.h"
#include "scale/settings.h"

/* How a number of the table is typed. */
#define SCALE_TYPED_COUNT(number)    #number
#define SCALE_TYPED_DURATION(number) #number "ms"
#define SCALE_TYPED_SHARE(number)    #number "%"

/* In a table of a command whose settings have a struct scale_settings at SCALE_BASE, an offset,
 * which is to be defined before: {…}, SCALE_SETTINGS(SCALE_ROW) {…} */
#define SCALE_ROW(field, name, kind, standard, least, most, value, help) \
    {"scale-" name,                                                      \
     OPTION_##kind,                                                      \
     SCALE_BASE + offsetof(struct scale_settings, field),                \
     SCALE_TYPED_##kind(standard),                                       \
     (uint64_t)(least)*SCALE_UNIT_##kind,                                \
     (uint64_t)(most)*SCALE_UNIT_##kind,                                 \
     NULL,                                                               \
     value,                                                              \
     help},

#endif

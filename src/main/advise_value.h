/* Advise value: numbers, times and names as a file for `stoa advise` and its flags have them. Pure.
 * Thread: any.
 */
#ifndef STOA_MAIN_ADVISE_VALUE_H
#define STOA_MAIN_ADVISE_VALUE_H

#include "base/err.h"
#include "base/str.h"
#include "scale/advise.h"

/* "12", "0.42": not negative, below 1e12. NAME is what a failure calls it. */
int advise_value_number(const char *name, struct str text, double *value, struct failure *failure);

/* "90us", "0.12ms", "1.5s", in seconds; at most an hour. */
int advise_value_time(const char *name, struct str text, double *value, struct failure *failure);

/* "18ms", or "18ms 25ms": the median and the 99th percentile, which is NAN if it is left out. */
int advise_value_times(const char *name, struct str text, struct advise_time *value,
                       struct failure *failure);

/* "70%", to 0.7. */
int advise_value_share(const char *name, struct str text, double *value, struct failure *failure);

/* "2026-11-23", in days since 1970. */
int advise_value_day(const char *name, struct str text, double *day, struct failure *failure);

/* DAYS since 1970 as such a text. */
void advise_value_write_day(double days, char out[16]);

#endif

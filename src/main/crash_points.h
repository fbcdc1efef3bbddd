/* Crash points: what --crash-at was given, for the programs that have the option (base/crash.h).
 * Thread: main.
 */
#ifndef STOA_MAIN_CRASH_POINTS_H
#define STOA_MAIN_CRASH_POINTS_H

#include "base/crash.h"
#include "main/option.h"

/* Adds RULES to *PLAN, which is made when there is one. Whatever it returns, *PLAN is the caller's.
 */
int crash_points_read(struct crash_plan **plan, const struct option_list *rules,
                      struct failure *failure);

#endif

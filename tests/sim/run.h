/* Run: one seed from its begin to its end, in this process. */
#ifndef STOA_SIM_RUN_H
#define STOA_SIM_RUN_H

#include "machine.h"

#include <stdint.h>
#include <sys/types.h>

/* Returns when every promise was kept, and has said how much happened; else the process ends with
 * status 1, having said what broke. */
void run_seed(uint64_t seed, bool trace, enum broken_rule broken);

/* Where the process PID keeps what its servers have on real files. */
void run_root(char out[64], pid_t pid);

#endif

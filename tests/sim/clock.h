/* Clock: how far the simulated servers' wall clocks are off. */
#ifndef STOA_SIM_CLOCK_H
#define STOA_SIM_CLOCK_H

#include <stdint.h>

enum { CLOCK_SERVERS_MAX = 16 };

void clock_set_offset(unsigned server, int64_t offset_ms);

#endif

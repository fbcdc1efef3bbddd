/* Weather: what goes wrong, drawn by the seed: servers are killed and lose power (also in the
 * middle of a write), disks fail and slow down, the network is cut in one direction or both, links
 * are reset, machines stand still, clocks jump; the operator stops servers, hands over, adds and
 * removes servers. A seed has some of these, often or seldom.
 */
#ifndef STOA_SIM_WEATHER_H
#define STOA_SIM_WEATHER_H

#include <stdint.h>

/* Name, and what it does. */
#define WEATHER_LIST(X)                                                             \
    X(kill, "a server's process is killed")                                         \
    X(power, "a server's machine loses power")                                      \
    X(within, "a server dies in the middle of a write of its database")             \
    X(disk, "a write of the log or of the database fails")                          \
    X(slow_disk, "a disk becomes slow")                                             \
    X(cut, "a server is cut off, or two from each other; in one direction or both") \
    X(reset, "the links between two servers are reset")                             \
    X(slow_net, "what a server sends takes long")                                   \
    X(pause, "a server stands still")                                               \
    X(clock, "a server's wall clock jumps")                                         \
    X(stop, "a server is stopped and started again")                                \
    X(handover, "another server becomes primary as planned")                        \
    X(member, "a server is added or removed")

enum weather {
#define X(name, about) WEATHER_##name,
    WEATHER_LIST(X)
#undef X
        WEATHER_COUNT
};
extern const char *const weather_names[WEATHER_COUNT];

/* Begins; ends by UNTIL_NS. */
void weather_start(uint64_t until_ns);
/* Everything that is broken is repaired, and who is down is started. */
void weather_clear(void);
/* How often each happened. */
const unsigned *weather_counts(void);

#endif

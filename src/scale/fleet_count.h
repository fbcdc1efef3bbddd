/* Fleet count: when the operator's command is told how many members there are to be. Pure.
 *
 *   SETTLED ── want another number ──▶ DUE ── turn ──▶ UNDER WAY ── done ──▶ SETTLED, or DUE again
 *                                       ▲                   │                if the number changed
 *                                       └── failed: pause ──┘
 *
 * One command at a time. One that failed is tried again after 1 s, 2 s, 4 s … 60 s, with the number
 * that is wanted by then.
 */
#ifndef STOA_SCALE_FLEET_COUNT_H
#define STOA_SCALE_FLEET_COUNT_H

#include <stdbool.h>
#include <stdint.h>

struct fleet_count {
    bool is_wanted; /* somebody has said how many */
    bool is_told;   /* the command has, of the number `told` */
    bool under_way;
    unsigned wanted, told, telling;
    unsigned failures; /* in a row */
    uint64_t due_ns;   /* no command before */
};

void fleet_count_want(struct fleet_count *count, unsigned wanted);
/* True: the command is to be run now, with *NUMBER. */
bool fleet_count_turn(struct fleet_count *count, uint64_t now_ns, unsigned *number);
/* It has ended. */
void fleet_count_done(struct fleet_count *count, bool failed, uint64_t now_ns);
/* When the next turn has something to do; UINT64_MAX: nothing. */
uint64_t fleet_count_due(const struct fleet_count *count);

#endif

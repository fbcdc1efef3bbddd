/* Fleet place: on which of several machines a member of a tier lives. Pure; the answer for a number
 * never changes, so that a master who takes over gives the same one.
 *
 * Members come to the machine that is the least full for its size; of machines that are as full as
 * each other, to the first in the list. So two machines with room for 4 and 8 get members 1, 4, 7 …
 * and 2, 3, 5, 6 …: the first one, and both of them at any size by their share.
 */
#ifndef STOA_SCALE_FLEET_PLACE_H
#define STOA_SCALE_FLEET_PLACE_H

#include "base/err.h"

enum { FLEET_MACHINES = 32, FLEET_MACHINE_NAME = 128 };

struct fleet_machine {
    char name[FLEET_MACHINE_NAME]; /* as the operator's command wants it: "web1", "stoa@10.0.0.4" */
    unsigned most;                 /* so many members at most; not 0 */
};

struct fleet_machines {
    unsigned count;
    struct fleet_machine machines[FLEET_MACHINES];
};

/* "web1=4": adds a machine. A name has letters, digits, and "-", "_", ".", ":", "@" inside: what a
 * shell takes as it is. */
int fleet_machines_add(struct fleet_machines *machines, const char *text, struct failure *failure);

/* How many members they have room for. */
unsigned fleet_machines_most(const struct fleet_machines *machines);

/* That of member NUMBER (from 1 on, to fleet_machines_most). */
const struct fleet_machine *fleet_place_of(const struct fleet_machines *machines, unsigned number);

#endif

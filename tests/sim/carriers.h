/* Carriers: what is expected of witnesses, and what two servers and a witness are for.
 *
 * A witness never acts as a primary, puts no command and no change of members into the log, sends
 * no snapshot, and when it leads it has soon handed over or stepped down. The rules that it keeps
 * can be broken here (machine.h).
 *
 * The drill comes after the storm, in a cluster of two servers and a witness: one server is cut
 * off, the shop goes on selling; then the primary dies and the other one can be reached again. It
 * must be primary soon, with all that was acknowledged, though only the witness has it.
 */
#ifndef STOA_SIM_CARRIERS_H
#define STOA_SIM_CARRIERS_H

#include <stdbool.h>
#include <stdint.h>

/* After each event. */
void carriers_look(void);
/* An entry of TERM is written to a log. */
void carriers_check_entry(uint64_t index, uint64_t term, bool command);
/* How often one led. */
unsigned carriers_count(void);

/* Before anything happens: how long the drill takes, at the most, in this seed; 0: there is none.
 */
uint64_t drill_ns(void);
void drill_start(void);
bool drill_done(void);
/* How often a drill came to its end. */
unsigned drill_count(void);

#endif

/* Members: what the operator does to the cluster: hands over, adds servers, removes them. */
#ifndef STOA_SIM_MEMBERS_H
#define STOA_SIM_MEMBERS_H

void members_hand_over(void);
/* Adds one, or removes one; at least three stay. */
void members_change(void);

#endif

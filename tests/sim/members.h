/* Members: what the operator does to the cluster: hands over, adds servers, removes them. */
#ifndef STOA_SIM_MEMBERS_H
#define STOA_SIM_MEMBERS_H

/* At the begin: in half of the seeds with a witness that one joins at once. */
void members_begin(void);
void members_hand_over(void);
/* Adds one, or removes one; at least three stay, two of them with a database. */
void members_change(void);

#endif

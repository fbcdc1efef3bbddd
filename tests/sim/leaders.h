/* Leaders: what servers say about being primary when they are asked for the fence that goes with
 * what leaves the cluster (order_leading_term), looked at after each event.
 *
 *  - A term is said by one server alone.
 *  - One that has stood still for longer than half an election timeout does not come back with a
 *    term that was outdone meanwhile.
 */
#ifndef STOA_SIM_LEADERS_H
#define STOA_SIM_LEADERS_H

void leaders_look(void);

#endif

/* Demo file: demo.json, in which a demo keeps who has which address, for the next time and for
 * those who look at it from outside (`stoa status`, `stoa top`). Thread: any; main writes it.
 */
#ifndef STOA_MAIN_DEMO_FILE_H
#define STOA_MAIN_DEMO_FILE_H

#include "main/demo_plan.h"

int demo_file_write(const struct demo_plan *plan, struct failure *failure);

/* Fills in how many servers there were to be, and the addresses that all had the last time, where
 * the plan has none given; a file that cannot be read tells nothing. */
void demo_file_recall(struct demo_plan *plan);

/* The directories of the bank and of the warehouse beside the demo in DIR, by demo_service_kind; an
 * empty one: it has none, or is no demo. */
void demo_file_services(const char *dir, char out[static DEMO_SERVICES][OPTION_TEXT_SIZE]);

/* The load managers of the demo in DIR; 0: it has none, or is none. */
unsigned demo_file_managers(const char *dir, struct demo_manager out[static DEMO_MANAGERS_MAX]);

#endif

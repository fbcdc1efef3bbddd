/* Shoppers: who uses the shop while things break. Each is a fiber of its own, outside all servers.
 *
 * A shopper does one thing after another: puts things into its cart, looks at it on any server,
 * buys, gives up buying, and now and then sends a request once more. It sends each to a server of
 * its choice, and when there is no answer, the same one with the same operation id to another,
 * until it knows how it went. What it was told has to stay so: promises 2 to 4 are judged by what
 * shoppers have seen.
 *
 * One of them is the supplier, to whom it is goods that come; another one tidies up what is past
 * its time.
 */
#ifndef STOA_SIM_SHOPPER_H
#define STOA_SIM_SHOPPER_H

#include <stdbool.h>
#include <stdint.h>

enum { SHOPPERS_MAX = 8 };

/* COUNT shoppers begin; they begin nothing new once the time is UNTIL_NS. */
void shoppers_start(unsigned count, uint64_t until_ns);
/* All know how everything went. */
bool shoppers_done(void);
/* Where somebody still waits, for a message. */
const char *shoppers_waiting(void);
uint64_t shoppers_asked(void);

#endif

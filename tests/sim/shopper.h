/* Shoppers: who uses the shop while things break. Each is a fiber of its own, outside all servers.
 *
 * A shopper does one thing after another: puts things into its cart, looks at it on any server,
 * buys, gives up buying, and now and then sends a request once more. It sends each to a server of
 * its choice, and when there is no answer, the same one with the same operation id to another,
 * until it knows how it went. What it was told has to stay so: promises 2 to 4 are judged by what
 * shoppers have seen.
 *
 * One of them is the supplier, to whom it is goods that come; another one tidies up what is past
 * its time. And two look after what was bought (aftersale.h).
 */
#ifndef STOA_SIM_SHOPPER_H
#define STOA_SIM_SHOPPER_H

#include "shop/command.h"
#include "shop/read.h"

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

/* For what others do as one of them, on its fiber: asks until there is an answer, and gives its
 * err; looks at the copy of some server that has what it has seen (false: not in time). */
struct shopper;
struct server;
int shopper_ask(struct shopper *shopper, const struct command *command);
const struct result *shopper_result(const struct shopper *shopper);
bool shopper_look(struct shopper *shopper,
                  void (*look)(void *context, const struct server *server, struct reader *reader),
                  void *context);
struct arena *shopper_arena(struct shopper *shopper);
struct id shopper_operation(void);

#endif

/* Shared front: what a process serves with while another one writes: pages and API over the same
 * database, with an engine and a response cache of its own, without log and order (web/pass.h).
 * Thread: main or the one that watches, one at a time; what web/ asks, any.
 */
#ifndef STOA_MAIN_SHARED_FRONT_H
#define STOA_MAIN_SHARED_FRONT_H

#include "main/serving.h"
#include "main/settings.h"
#include "main/shared_writer.h"

struct shared_front_config {
    const struct settings *settings; /* lent, as all here */
    const struct log *log;
    struct shared_writer *writer;
    const struct engine *heir_of; /* NULL: the addresses are opened */
};

struct shared_front;
/* ERR_NOTFOUND: there is no writer that is ready yet. ERR_STATE: it tells nobody of its changes. */
int shared_front_open(const struct shared_front_config *config, struct shared_front **front,
                      struct failure *failure);
/* Refuses what is new, unless an heir has the addresses, and finishes what is in flight. HEIR: who
 * waits for the writer goes on waiting, as it comes. NULL is fine. */
void shared_front_close(struct shared_front *front, bool heir);

const struct engine *shared_front_engine(const struct shared_front *front);
const char *shared_front_url(const struct shared_front *front);
/* Whether the database that it has open is still the directory's. */
bool shared_front_is_current(const struct shared_front *front);

#endif

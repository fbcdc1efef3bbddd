/* Free address: "HOST:PORT" on this machine that nobody listens at, for a server that is to have it
 * now and at each later start: below the ports that Linux gives to connections (32768 and up by
 * default), so that it is still free then. Thread: any.
 */
#ifndef STOA_MAIN_FREE_ADDRESS_H
#define STOA_MAIN_FREE_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* HOST: "127.0.0.1", "[::1]". Into OUT, which TAKEN (may be NULL) may look at meanwhile: it says
 * what somebody is to have who does not listen yet. ERR_BUSY: none was found. */
int free_address(const char *host, bool (*taken)(const void *context, const char *address),
                 const void *context, char *out, size_t size, struct failure *failure);

/* Whether nobody listens at ADDRESS. */
bool free_address_is(const char *address);

#endif

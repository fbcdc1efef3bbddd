/* Signing: sees to it that the shop has a key by which it signs (outside/signing_keys.h), from its
 * first start on, or from the first start of a version that signs. Thread: main.
 */
#ifndef STOA_MAIN_SIGNING_H
#define STOA_MAIN_SIGNING_H

#include "main/server.h"

/* Makes one unless there is one. Blocks shortly: when the servers do not agree on a primary now,
 * that is logged and another start does it. */
void signing_begin(struct server *server);

#endif

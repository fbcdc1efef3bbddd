/* Listening: from the addresses that a person wrote to an engine's, and back to URLs.
 * Thread: main.
 */
#ifndef STOA_MAIN_LISTENING_H
#define STOA_MAIN_LISTENING_H

#include "engine/engine.h"
#include "main/option.h"

enum listening_kind { LISTENING_HTTP, LISTENING_TLS, LISTENING_PROXY };

/* Appends LIST's addresses to CONFIG's. */
int listening_add(struct engine_config *config, const struct option_list *list,
                  enum listening_kind kind, struct failure *failure);

/* LISTEN as a URL, with the PORT that it really got. EVERY_HOST: how this machine is called where
 * LISTEN means all of its addresses. */
void listening_url(const struct engine_listen *listen, uint16_t port, const char *every_host,
                   char *out, size_t size);

#endif

/* Serving: what a server (main/server.c) and a reader beside it (main/shared_front.c) tell their
 * engine and their pages alike, from the settings. Thread: main.
 */
#ifndef STOA_MAIN_SERVING_H
#define STOA_MAIN_SERVING_H

#include "engine/engine.h"
#include "main/settings.h"
#include "web/web.h"

const struct engine_kind *serving_kind(const struct settings *settings);

/* DIR: the data directory; LOG is lent. */
int serving_engine(const struct settings *settings, const char *dir, const struct log *log,
                   struct engine_config *config, struct failure *failure);

/* Sets what pages are like and who is believed; texts are lent from SETTINGS. */
void serving_pages(const struct settings *settings, struct web_settings *web);

#endif

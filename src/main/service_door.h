/* Service door: how a small service beside the shop (bank, warehouse) takes requests: over TLS with
 * a certificate that is given or made, which others know by its pin.
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_SERVICE_DOOR_H
#define STOA_MAIN_SERVICE_DOOR_H

#include "engine/engine.h"
#include "net/tls.h"

enum { SERVICE_URL = 128 };

/* Of one service, for all its addresses. */
struct service_door {
    const char *dir;               /* where a certificate that is made is kept */
    bool plain;                    /* HTTP without TLS */
    const char *certificate, *key; /* PEM files; empty: a self-signed one is made */
    unsigned loops, helpers;
    uint64_t stop_grace_ms;
    uint32_t answer_ms; /* how long an answer may take; 0: as the engine has it */
    const struct log *log;
};

/* What to pin of its certificate's key, which is made if need be; empty when it is plain. */
int service_door_pin(const struct service_door *door, char pin[static TLS_PIN],
                     struct failure *failure);

/* Serves APP (lent until *ENGINE is stopped) at ADDRESS, which the option named OPTION gave. URL
 * tells where that is, with the port that it really got. */
int service_door_open(const struct service_door *door, const char *address, const char *option,
                      struct app *app, struct engine **engine, char url[static SERVICE_URL],
                      struct failure *failure);

#endif

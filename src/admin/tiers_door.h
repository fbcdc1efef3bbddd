/* Tiers' door: what the status door of a front answers. An app for an engine of its own
 * (engine/app.h), apart from the door of the shoppers; main/ starts it.
 *
 *   GET /               the status page; without scripts it loads itself anew each 2 s
 *   GET /tiers.json     one look (tiers.h); the page's script and `stoa top` read it
 *   GET /history.json   the last three minutes, a point each second
 *   GET /metrics        Prometheus' text format
 *   GET /livez          200 as long as this front answers
 *
 * Any front answers for all, for it reads the queue's memory. A door that others than this machine
 * can reach asks for the operator's token, except at /livez; that is read anew for each request,
 * for the server that makes it may come later (see engine/operator_door.h).
 *
 * Each engine loop has a room of its own: its timer looks each second. Threads: the engine's.
 */
#ifndef STOA_ADMIN_TIERS_DOOR_H
#define STOA_ADMIN_TIERS_DOOR_H

#include "base/err.h"
#include "engine/app.h"
#include "tier/queue.h"

enum { TIERS_DOOR_TOKEN = 257 };

struct tiers_door_settings {
    struct queue *queue; /* lent, as all here */
    bool loopback;       /* the door is on loopback addresses alone */
    /* The operator's token as text; empty: there is none. Called only when it is not. */
    void (*token)(void *context, char out[static TIERS_DOOR_TOKEN]);
    void *context;
};

struct tiers_door;

/* Copies SETTINGS. */
int tiers_door_new(const struct tiers_door_settings *settings, struct tiers_door **door,
                   struct failure *failure);
struct app *tiers_door_app(struct tiers_door *door);
/* The engine has stopped. NULL is fine. */
void tiers_door_free(struct tiers_door *door);

#endif

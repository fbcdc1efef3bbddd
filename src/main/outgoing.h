/* Outgoing: what leaves the cluster from this server, put together: the transfers, and the outbox
 * with those who know how to send what is in its lanes.
 *
 * Thread: main, but for outgoing_wake.
 */
#ifndef STOA_MAIN_OUTGOING_H
#define STOA_MAIN_OUTGOING_H

#include "outside/outbox.h"
#include "outside/outbox_bank.h"
#include "outside/outbox_warehouse.h"
#include "outside/transfer.h"

struct post;
struct server;

struct outgoing {
    struct transfers *transfers;
    struct outbox_view view;
    struct outbox_bank *bank;
    struct outbox_warehouse *warehouse;
    struct post *post; /* webhooks and mail */
    struct outbox *outbox;
    struct outbox *_Atomic awake; /* to be woken: the outbox while it runs */
};

/* SERVER's replica and bank are there. */
int outgoing_open(struct server *server, struct failure *failure);
/* Apply has written rows. On the applier's thread; also before it is open, and after its end. */
void outgoing_wake(struct outgoing *outgoing);
/* Nothing more is begun. */
void outgoing_stop(struct outgoing *outgoing);
/* After the replica's end and the bank's, who answer what is on its way; harmless on one that was
 * never opened. */
void outgoing_close(struct outgoing *outgoing);

#endif

/* Demo services: the bank and the warehouse that run beside a demo's servers.
 *
 *     DIR/bank             `stoa bank`'s: key, webhook.secret, self-signed.pem, bank.db
 *     DIR/warehouse        `stoa warehouse`'s, of the warehouse DEMO_WAREHOUSE_ID
 *     DIR/warehouse.token  what the shop and it share; there once the shop has registered it
 *     DIR/warehouse.phrase the pass phrase of its people
 *     DIR/mail             mail to shoppers (a maildir), unless it goes elsewhere
 *
 * The bank's key and both certificates are made here, before anything runs, where the services find
 * and keep them. So servers are told of them at once, and nobody waits for anybody: a bank that is
 * not up yet is the same to them as one that is away for a moment.
 */
#ifndef STOA_MAIN_DEMO_SERVICES_H
#define STOA_MAIN_DEMO_SERVICES_H

#include "main/demo_plan.h"
#include "main/file.h"
#include "main/remote.h"

#define DEMO_WAREHOUSE_ID "main"

/* Makes what the wanted services of PLAN need and lacks; fills in their pins. Thread: main. */
int demo_services_prepare(struct demo_plan *plan, struct failure *failure);

/* The warehouse can be started: the shop has registered it. */
bool demo_services_registered(const struct demo_plan *plan);

/* The pass phrase that DIR/warehouse.phrase keeps; empty: there is none. */
enum { DEMO_PHRASE = 64 };
void demo_services_phrase(const struct demo_plan *plan, char phrase[static DEMO_PHRASE]);
int demo_services_keep_phrase(const struct demo_plan *plan, const char *phrase,
                              struct failure *failure);

/* What a shop is told by its operator's API once it answers. All lent. */
struct furnishing {
    const char *dir;       /* the demo's */
    const char *url, *pin; /* of the warehouse; NULL: there is none */
    bool mail;             /* its setting is to be switched on */
};

/* Does it, as far as it is not done. *ALIEN: the shop has warehouses, and ours is none of them: it
 * stays as it is, ours is not registered. Thread: any, blocks. */
int demo_services_furnish(const struct furnishing *furnishing, const struct remote *remote,
                          bool *alien, struct failure *failure);

#endif

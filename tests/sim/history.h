/* History: what the cluster has agreed on, entry by entry, and the promises of the design judged
 * by it.
 *
 * The first server that applies an entry tells what it was and what it gave; from then on every
 * other server, and the same one after a crash, must get the same (state machine safety). Beside
 * it a small model of the shop goes on: what each cart holds, which purchases became orders, how
 * many units of each item have arrived. It knows no server, no retry and no crash: an operation
 * counts once. Whatever differs from it is a broken promise.
 */
#ifndef STOA_SIM_HISTORY_H
#define STOA_SIM_HISTORY_H

#include "shop/command.h"
#include "store/digest.h"

#include <stdbool.h>
#include <stdint.h>

enum { ITEMS = 4 };
extern const char *const item_names[ITEMS];

/* Carts and purchases are numbered; an id says which one it is. */
enum id_kind { ID_CART = 1, ID_CHECKOUT, ID_OPERATION, ID_PARCEL, ID_EPOCH };
struct id history_id(enum id_kind kind, uint32_t number);
uint32_t history_number(struct id id);

/* Server SERVER applies command number AT of entry INDEX, and it gave RESULT; STR_NONE:
 * it was not asked for, which only those may do that are not the first. */
void history_applied(unsigned server, uint64_t index, unsigned at, int64_t time_ms,
                     struct str command, struct str result);
/* Whether a server has applied command number AT of entry INDEX. */
bool history_knows(uint64_t index, unsigned at);
/* Entry INDEX has no more than COUNT commands. */
void history_entry_ended(unsigned server, uint64_t index, unsigned count);

/* SERVER leads in TERM, in its START-th life: nobody else ever does. */
void history_leads(unsigned server, uint64_t start, uint64_t term);
/* The server that has led in TERM; -1: nobody, as far as is known. */
int history_leader(uint64_t term);

/* COMMAND was acknowledged with INDEX and RESULT: it has to be there. */
void history_acknowledged(uint64_t index, struct str command, struct str result);
uint64_t history_last(void);

/* What lies of each item in a copy that has applied everything up to INDEX must add up to this. */
int64_t history_arrived(uint64_t index, unsigned item);
/* The copy of SERVER, which DB reads, has DIGEST after INDEX. */
void history_digest(unsigned server, uint64_t index, const unsigned char digest[DB_DIGEST],
                    struct db *db);

/* The purchases that have become orders, by the model. */
uint64_t history_orders(void);

/* How often each kind of command was applied and not refused: nothing was tested by commands that
 * were all refused. */
const unsigned *history_counts(void);

#endif

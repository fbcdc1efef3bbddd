/* Warehouse server: everything of `stoa warehouse` but its command line: the door of the shop, the
 * pages and the API of its people, and what it tells the shop.
 *
 *   shop's primary ──orders, cancels, fence──▶ door ─┐              ┌─▶ reporter ──▶ shop
 *   its people ─────pages, API────────────────▶ acts ┴▶ writer ─▶ book
 *   --auto-ship ──────────────────────────────▶ acts ┘   (warehouse.db, one transaction per group)
 *
 * What comes from the network is answered when it is durable. All that blocks runs on the engine's
 * helper threads, each of which has a reader of its own.
 *
 * Its directory: warehouse.db; secret, which signs cookies; people.key, the bearer token of the
 * people's API; passphrase, the hash of the phrase by which people come in.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_SERVER_H
#define STOA_OUTSIDE_WAREHOUSE_SERVER_H

#include "base/crash.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/app.h"

#include <stdbool.h>
#include <stdint.h>

enum { WAREHOUSE_SHOPS_MAX = 16, WAREHOUSE_KEY = 32, WAREHOUSE_HASH = 32 };

/* All texts are lent as long as the server lives. */
struct warehouse_config {
    const char *dir, *file, *id;
    const char *token;                      /* shared with the shop */
    const char *shops[WAREHOUSE_SHOPS_MAX]; /* addresses of the one shop, tried in turn; none: it
                                               reports to nobody */
    unsigned shop_count;
    const char *shop_id;                 /* 32 hex digits; NULL: the first that comes */
    const char *authority, *pin;         /* whom to believe as the shop; NULL: the system's */
    const char *people_key;              /* the people's bearer token */
    unsigned char secret[WAREHOUSE_KEY]; /* signs cookies and forms */
    unsigned char phrase_salt[WAREHOUSE_HASH], phrase_hash[WAREHOUSE_HASH];
    uint64_t auto_ship_ms, auto_deliver_ms; /* UINT64_MAX: people do it */
    struct crash_plan *crash;
    const struct log *log;
};

struct warehouse_server;

int warehouse_server_open(const struct warehouse_config *config, struct warehouse_server **server,
                          struct failure *failure);
/* After the engines have stopped. NULL is fine. */
void warehouse_server_close(struct warehouse_server *server);

/* What engines run: everything, or the shop's side alone, or the people's alone. Each lives as long
 * as the server. */
enum warehouse_face { WAREHOUSE_SHOP = 1, WAREHOUSE_PEOPLE = 2 };
struct app *warehouse_server_app(struct warehouse_server *server, unsigned faces);

/* The hash of PHRASE under SALT, as `phrase_hash` has it: slow on purpose (scrypt, RFC 7914). */
int warehouse_phrase_hash(const char *phrase, const unsigned char salt[static WAREHOUSE_HASH],
                          unsigned char hash[static WAREHOUSE_HASH]);
/* A new phrase of 60 bits that can be read aloud: "bako-lumi-tefa-..." */
enum { WAREHOUSE_PHRASE = 32 };
void warehouse_phrase_make(char phrase[static WAREHOUSE_PHRASE]);

#endif

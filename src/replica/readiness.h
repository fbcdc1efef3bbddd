/* Readiness: how soon each server could take over, and what the operator lets that cost.
 *
 *   hot    applies each change at once; serves shoppers
 *   warm   keeps and confirms the log, and applies it every so often, or when it becomes primary;
 *          serves no shoppers: what they ask of it goes to the primary
 *   cold   its process does not run; it has the copy and the log of when it ran last, and is woken
 *          (replica/wake.h) when a server is missing, or when its log falls too far behind
 *
 * The three words are the usual ones for standby systems (hot, warm and cold standby).
 * What the operator has set is in the registry (main/member.h) and comes to each server with the
 * log; main/ tells the replica of it. A server that applies late would hear of it late, and a
 * witness never: so the primary's news carry it too (news.h), and whoever follows believes those.
 * Servers that are not named are hot. A witness has none.
 */
#ifndef STOA_REPLICA_READINESS_H
#define STOA_REPLICA_READINESS_H

#include "base/err.h"
#include "base/str.h"
#include "base/wire.h"
#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>

struct replica;

enum readiness { READINESS_HOT, READINESS_WARM, READINESS_COLD };
enum { READINESS_COUNT = 3, READINESS_TEXT = 32 };
extern const char *const readiness_names[READINESS_COUNT];

/* When the configuration that the operator wants is restored after a takeover: the preferred server
 * is primary again, what stood in for another goes back to its readiness. */
enum failback { FAILBACK_AT_ONCE, FAILBACK_IDLE, FAILBACK_NEVER };
enum { FAILBACK_COUNT = 3 };
extern const char *const failback_names[FAILBACK_COUNT]; /* "at-once", "idle", "never" */

struct readiness_table {
    unsigned count;
    struct server_readiness {
        uint64_t id;
        enum readiness kind;
        uint32_t every_ms; /* warm: how often it applies; cold: how often it is woken to catch up */
    } servers[CLUSTER_SERVERS_MAX]; /* by id; those that are not here are hot */
    enum failback failback;
};

enum {
    READINESS_WARM_EVERY_MS = 30000,
    READINESS_COLD_EVERY_MS = 3600000,
    READINESS_EVERY_MIN_MS = 1000,
    READINESS_EVERY_MAX_MS = 7 * 24 * 3600 * 1000,
};

/* Hot, when ID is not in TABLE. */
struct server_readiness readiness_of(const struct readiness_table *table, uint64_t id);
/* Puts SERVER in its place; hot takes it out. ERR_FULL: there is no room. */
int readiness_set(struct readiness_table *table, const struct server_readiness *server);
bool readiness_same(const struct readiness_table *a, const struct readiness_table *b);

/* "warm", "never". ERR_INVALID. */
int readiness_kind_read(struct str text, enum readiness *kind);
int failback_read(struct str text, enum failback *failback);
/* When the operator says nothing; hot: 0. */
uint32_t readiness_usual_every_ms(enum readiness kind);

/* As the registry keeps it: "warm 30000", "hot 0". ERR_INVALID; server->id is left as it is. */
char *readiness_write(const struct server_readiness *server, char out[READINESS_TEXT]);
int readiness_read(struct str text, struct server_readiness *server);

/* In news. */
void readiness_put(struct buf *out, const struct readiness_table *table);
void readiness_get(struct wire *in, struct readiness_table *table);

/* Any thread: what holds from now on, here; and what does now. */
void replica_set_readiness(struct replica *replica, const struct readiness_table *table);
void replica_readiness(struct replica *replica, struct readiness_table *table);

#endif

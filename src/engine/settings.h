/* Settings: what an engine's zeroes stand for, and what every engine does first.
 *
 * Called by each engine's start, once, before it has threads.
 */
#ifndef STOA_ENGINE_SETTINGS_H
#define STOA_ENGINE_SETTINGS_H

#include "engine/engine.h"
#include "net/network.h"

/* Puts the default in the place of each 0 (not in `limits`: the connection core does
 * that) and raises the limit of open files. */
void engine_settings_fill(struct engine_config *config);

/* How many event loops a setting of LOOPS means; 0: one per core. */
unsigned engine_loops(unsigned loops);

/* The listening sockets of a config. */
struct engine_sockets {
    unsigned listens, sharers;
    uint16_t ports[ENGINE_LISTEN_MAX];
    int *fds; /* [listens][sharers]; malloc */
};

/* Opens SHARERS sockets at each address of CONFIG (several share the port and the
 * kernel spreads the connections). All or nothing. */
int engine_sockets_open(struct engine_sockets *sockets, const struct engine_config *config,
                        unsigned sharers, struct failure *failure);
/* The same sockets once more: FDS, [listens][sharers], stay whose they are. */
int engine_sockets_share(struct engine_sockets *sockets, const struct engine_config *config,
                         unsigned sharers, const int *fds, const uint16_t *ports,
                         struct failure *failure);
/* Socket SHARER of listen[INDEX], handed over: closing it is up to the caller now. */
int engine_sockets_take(struct engine_sockets *sockets, unsigned index, unsigned sharer);
/* Closes those not taken. */
void engine_sockets_close(struct engine_sockets *sockets);

/* CONFIG's trusted networks; returns how many, or -1. */
int engine_trusted(const struct engine_config *config,
                   struct network networks[static ENGINE_TRUSTED_MAX], struct failure *failure);

struct tls_context;
/* The TLS context that CONFIG asks for: from its files, or self-signed. *CONTEXT is
 * NULL when nothing listens with TLS. */
int engine_tls(const struct engine_config *config, struct tls_context **context,
               struct failure *failure);

#endif

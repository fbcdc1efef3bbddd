/* Check: active checks of the servers, on the watcher's loop.
 *
 * Each server is asked in turn, the questions spread evenly over the time between two of one
 * server and a little by chance, so that they never come all at once:
 *
 *   a server of ours       GET /livez, which its engine loop answers at once, with the header
 *                          Stoa-Load: in-flight=12, latency-us=350
 *                          and each second GET /healthz, whether it sells (on its own connection,
 *                          as that answer may take long): two bad ones in a row, two seconds
 *                          apart, count as CHECK_BAD. During an election all are bad for a while.
 *   a fixed upstream       GET of the configured path; 4xx and 5xx count as CHECK_BAD
 *   without such a path    a knock: a connection is made and closed; ten times less often while it
 *                          is fine
 *
 * The rule of silence: a check is open, and for silent_ns nothing at all has come from the server,
 * neither for us nor for any loop: it hangs (SIGSTOP, a lost machine), and is SUSPECT. What makes
 * this safe is the clock by which it is measured: it stands still while this thread does, and
 * answers that came meanwhile are read first. A load manager that was stopped, or got no
 * processor, blames nobody.
 *
 * A knock is answered by the kernel, be the server stopped or not. So when nothing has come from a
 * server for a third of silent_ns while two requests or more wait there, it gets a ping, "OPTIONS
 * *", to which any answer will do, or a closed connection. Its silence counts by stricter rules, as
 * the server may be one that does one thing after the other and has a long one to do: there must be
 * two requests, and it must have been silent for three times what most of its answers take.
 *
 * Once a second servers are compared with each other (outlier.h).
 *
 * Thread: the watcher's.
 */
#ifndef STOA_BALANCE_CHECK_H
#define STOA_BALANCE_CHECK_H

#include "balance/backend.h"
#include "net/loop.h"

struct checks;

struct check_settings {
    uint64_t check_ns, silent_ns; /* see struct balance_config; never 0 */
    const char *path;             /* of fixed upstreams; empty: a connection is enough. Lent */
    uint64_t seed;
};

/* NULL without memory. The first checks go out soon. */
struct checks *checks_new(struct loop *loop, const struct check_settings *settings);
/* NULL is fine. */
void checks_free(struct checks *checks);

/* These are checked from now on. ERR_NOMEM: some are not. */
int checks_set(struct checks *checks, const struct backend_set *set);
/* The cluster says that server ID has not got all it needs to sell: its checks are bad until the
 * cluster says otherwise. */
void checks_unready(struct checks *checks, uint64_t id, bool unready);
/* Why the last check of server ID was not fine, for a person; empty: it was, or nothing more is
 * known. Lent until the next turn. */
const char *checks_problem(const struct checks *checks, uint64_t id);

/* "in-flight=12, latency-us=350" in any order, unknown names passed over. False: neither is in it.
 */
bool check_read_load(struct str text, uint32_t *in_flight, uint64_t *latency_ns);

/* The clock that stands still while its owner does. Pure. */
struct awake {
    uint64_t awake_ns, seen_ns;
    uint64_t step_ns; /* what passes between two looks at most */
};
void awake_begin(struct awake *awake, uint64_t step_ns, uint64_t now_ns);
uint64_t awake_look(struct awake *awake, uint64_t now_ns);

#endif

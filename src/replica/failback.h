/* Failback: what restoring the operator's configuration after a takeover must know beyond the
 * present. Pure; membership.h decides.
 *
 *   - How long a server must have been healthy before it is primary again. One that lost leadership
 *     now and then: steady_ms. One that keeps losing it (a machine that restarts, a bad cable)
 * would cost a pause each time it gets it back: from the third loss within an hour on it waits
 * twice as long with each, up to ten minutes.
 *   - Since when the log is quiet, for an operator who wants no change of primary under load.
 */
#ifndef STOA_REPLICA_FAILBACK_H
#define STOA_REPLICA_FAILBACK_H

#include <stdint.h>

enum {
    FAILBACK_QUIET_MS = 5000,   /* so long the log must be quiet */
    FAILBACK_QUIET_ENTRIES = 5, /* with so few entries in that time at the most */
    FAILBACK_WINDOW_MS = 3600000,
    FAILBACK_FREE = 2, /* losses that do not count */
    FAILBACK_WAIT_MAX_MS = 600000,
    FAILBACK_LOSSES = 32,
};

/* Zeroed at first. */
struct failback_memory {
    uint64_t primary; /* the last one there was */
    unsigned count;
    struct {
        uint64_t server, at_ms;
    } losses[FAILBACK_LOSSES]; /* the oldest first; the oldest is forgotten first */
    uint64_t quiet_index, quiet_since_ms;
};

/* About once a second, on each server. PRIMARY: 0 for none; LAST_INDEX: of the log. Times are
 * monotonic. */
void failback_note(struct failback_memory *memory, uint64_t primary, uint64_t last_index,
                   uint64_t now_ms);

/* For how long SERVER must have been healthy, where STEADY_MS is usual. */
uint64_t failback_wait_ms(const struct failback_memory *memory, uint64_t server, uint32_t steady_ms,
                          uint64_t now_ms);

/* For how long the log has been quiet. */
uint64_t failback_quiet_ms(const struct failback_memory *memory, uint64_t now_ms);

#endif

/* Poll rule: the worker's side of the rule "poll" of the scaler (scale/rule_poll.c). Pure.
 *
 * A worker sees the central queue whenever it polls, so it is the first to know. One look proves
 * nothing; it speaks up when it has seen the same several times in a row:
 *
 *   longer than the threshold, twice        → it asks for more workers
 *   nothing there for the whole time, three → it asks to leave
 *
 * What it asks for is decided elsewhere (how many come, whether it is its turn to leave), so that
 * many who see the same queue do not all get their wish. Whoever has asked begins to count anew,
 * and so does everybody when the tier's size has changed: what was seen before says nothing of it.
 *
 * Called by a worker after each poll, on the thread that polls. Memory: the caller's, begun zeroed.
 */
#ifndef STOA_TIER_POLL_RULE_H
#define STOA_TIER_POLL_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum { POLL_RULE_LONG = 2 /* polls in a row */, POLL_RULE_EMPTY = 3 };

enum poll_wish { POLL_WISH_NONE, POLL_WISH_MORE, POLL_WISH_FEWER };

struct poll_rule {
    unsigned long_polls, empty_polls; /* in a row, so far */
    uint64_t actions;                 /* the last that poll_rule_heed was told */
};

/* A poll has ended. QUEUE_LENGTH: what waited, with what this worker took of it; EMPTY: it came
 * back with nothing when its time was over. More than THRESHOLD is too long. */
enum poll_wish poll_rule_step(struct poll_rule *rule, uint64_t queue_length, uint64_t threshold,
                              bool empty);

/* ACTIONS: how often the tier's size has been changed, by whatever count; when it is another than
 * last time, counting begins anew. */
void poll_rule_heed(struct poll_rule *rule, uint64_t actions);

#endif

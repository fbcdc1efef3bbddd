/* Drop: few units, many buyers at one moment.
 *
 * An open loop: buyers come at random moments (Poisson) at a mean rate, whatever the shop does,
 * each once, to buy one unit of one product: a checkout is made, then completed. Each has a
 * connection of its own and is timed from when she was due to her last answer. A buyer to whom no
 * answer comes, or 503, sends the very same request again, under the same Idempotency-Key, after a
 * pause that grows, as an agent would; for DROP_PATIENCE_S in all.
 *
 *   due ─▶ connect ─▶ checkout ─▶ complete ─▶ sold | sold out | strange
 *              ▲          └────────────┴─ no answer, 503 ─▶ pause ─┐
 *              └───────────────────────────────────────────────────┘   no more patience: unanswered
 *
 * Blocks. Thread: the caller's.
 */
#ifndef STOA_BENCH_DROP_H
#define STOA_BENCH_DROP_H

#include "base/buf.h"
#include "base/err.h"
#include "bench/histogram.h"

enum { DROP_FRONTS = 4, DROP_PATIENCE_S = 60 };

struct drop_config {
    const char *fronts[DROP_FRONTS]; /* URLs, where buyers go by turns */
    unsigned front_count;
    const char *item;
    unsigned buyers, units;
    double seconds; /* over which they come */
    uint64_t seed;
    /* May be NULL. Called once, on the drop's thread, when half of the units are sold; must not
     * wait. */
    void (*half_sold)(void *context);
    void *context;
};

/* Why a request was sent again. */
enum drop_why { DROP_REFUSED, DROP_BROKEN, DROP_TOLD_LATER, DROP_CALLED_OFF, DROP_WHYS };
const char *drop_why_text(enum drop_why why);

struct drop_report {
    uint64_t sold, sold_out, strange, unanswered; /* buyers */
    uint64_t again[DROP_WHYS];                    /* requests */
    uint64_t requests;
    uint64_t first_ns;    /* when the first was due */
    uint64_t sold_out_ns; /* when the last unit was acknowledged; 0: not all were */
    uint64_t end_ns;      /* the last answer */
    uint64_t late_p99_ns; /* how late buyers came for want of the generator */
    struct histogram of_sold, of_sold_out;
    uint64_t *ends; /* when each buyer had her last answer, in order */
    unsigned end_count;
    struct buf notes; /* a line for each of the first strange answers */
};

/* *REPORT is closed by drop_report_close, also when it has failed. */
int drop_run(const struct drop_config *config, struct drop_report *report, struct failure *failure);
void drop_report_close(struct drop_report *report);

/* The longest time between FROM_NS and TO_NS in which nobody got a last answer. */
uint64_t drop_longest_gap_ns(const struct drop_report *report, uint64_t from_ns, uint64_t to_ns);

#endif

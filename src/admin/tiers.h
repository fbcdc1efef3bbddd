/* Tiers: the fronts, the central queue and the workers of one shop on this machine at one moment,
 * as plain data, and how it is written.
 *
 * tiers_look gathers it from the queue's memory (tier/queue.h) and its board (scale/board.h), so
 * any front can, the master and the others; all else here is pure. Rates, quantiles and how busy
 * somebody is need two looks: tiers_figure makes them from those that were remembered, one each
 * second. The status door (tiers_door.h) looks; `stoa top --front` reads what it writes as JSON,
 * Prometheus the metrics.
 *
 * Thread: any, one for each memory.
 */
#ifndef STOA_ADMIN_TIERS_H
#define STOA_ADMIN_TIERS_H

#include "admin/worker_cache.h"
#include "base/buf.h"
#include "scale/board.h"
#include "scale/measure.h"
#include "tier/front.h"

enum {
    TIERS_LOOKS = 6, /* remembered: of the last seconds */
    TIERS_MEMBERS = QUEUE_SEATS + 2 * FLEET_SLOTS,
    TIERS_TEXT_MAX = 1 << 20, /* bytes that suffice for either text of the most members */
};

/* Of one class of requests. */
struct tiers_class {
    uint32_t waiting, held, weight;
    uint64_t entered, taken, done, dropped, refused; /* since the queue was made */
    uint64_t work_ns;                                /* of those that are done, added up */
    double arrived_per_s, answered_per_s;
};

/* What happens to a member, as it is seen from here. */
enum tiers_state {
    TIERS_READY,
    TIERS_DRAINING,
    TIERS_SILENT, /* it has a place at the queue and says nothing: it was stopped, or hangs */
    TIERS_STARTING,
    TIERS_CRASHED, /* it waits to be started again */
    TIERS_STATES
};
const char *tiers_state_name(enum tiers_state state);

/* A process. */
struct tiers_member {
    enum fleet_tier tier;
    enum tiers_state state;
    uint32_t pid;          /* 0: not known */
    uint64_t space;        /* of PID, as in queue_process */
    char host[QUEUE_PEER]; /* empty: this machine */
    unsigned number;       /* the fleet's; 0: somebody else started it */
    unsigned threads;      /* at the queue */
    unsigned failures;     /* crashes in a row, as the fleet knows */
    bool master;
    uint32_t open;                 /* requests that it has */
    uint64_t handled, empty_polls; /* a worker's, since it began */
    uint64_t busy;                 /* in thousandths */
    double requests_per_s;
    struct front_stats front;  /* a front's */
    struct worker_cache cache; /* a worker's; limit 0: it has none */
    double hit_ratio;          /* of the cache, in the last seconds; NAN: nobody asked it */
};

struct tiers_size {
    unsigned in[TIERS_STATES]; /* processes in each state */
    uint64_t busy;             /* mean of those that are ready, in thousandths */
};

struct tiers_view {
    /* tiers_look. */
    struct scale_look look;
    uint64_t started_ns; /* when this process began, monotonic; filled in by whoever looks */
    int64_t wall_ms;
    struct queue_process self, master; /* master's pid 0: there is none */
    bool scaled;                       /* somebody has scaled here: there is a board */
    struct scale_board board;          /* kept when it cannot be read at this moment */

    /* tiers_figure. */
    bool fresh; /* the board is the present master's */
    uint32_t length, held;
    double arrived_per_s, taken_per_s, answered_per_s, dropped_per_s, refused_per_s;
    double hit_ratio;                               /* of all workers' caches together, as of one */
    uint64_t wait_p50_ns, wait_p90_ns, wait_p99_ns; /* of the last seconds */
    struct tiers_class classes[SHARE_CLASSES];
    struct tiers_size sizes[FLEET_TIERS];
    unsigned count;
    struct tiers_member members[TIERS_MEMBERS]; /* fronts, then workers */
};

/* Looks that were remembered, the last of them at count - 1; begun zeroed. */
struct tiers_memory {
    unsigned count;
    struct scale_look looks[TIERS_LOOKS];
};

void tiers_look(struct queue *queue, struct tiers_view *view);
void tiers_figure(const struct tiers_memory *memory, struct tiers_view *view);
void tiers_remember(struct tiers_memory *memory, const struct tiers_view *view);

/* GET /tiers.json. */
void tiers_write_json(struct buf *out, const struct tiers_view *view);
/* GET /metrics: Prometheus' text format 0.0.4. */
void tiers_write_metrics(struct buf *out, const struct tiers_view *view);

#endif

/* Health: whether a server gets requests. The pure part: signs in, a state out.
 *
 * Signs come from active checks (check.h), which are spread in time, and from the requests
 * themselves (passive). Numbers by the practice of Envoy, HAProxy and gdnsd, without their known
 * pains: detection is fast, and what was wrongly suspected is back at once.
 *
 *   begin, fresh ──▶ WARMING ──────(slow start is over: settle)──────▶ UP ◀── begin
 *                    ▲   │ ▲                                        ▲   │
 *      (settle: time │   │ └───────── any sign of life ──────────┐  │   │ SILENT
 *    is up, checks   │   │            (alive: where it was)      │  │   ▼
 *          are fine) │   └───── SILENT ─────────────────────▶ SUSPECT ──┐
 *                    │                                                  │ silent for longer
 *                   OUT ◀── failures, checks lost, refused (put_out) ───┴─ or any of these
 *
 *   DRAINING lies over all of them: DRAIN puts it on, RETURN takes it off, and what is below it
 *   goes on meanwhile, so that a server that returns is where it would have been.
 *
 * What puts a server out by passive signs alone (failures in a row) lasts for a time, which is
 * longer the more of them came in a row, and shorter again after a good time. What active checks
 * put out (also a connection refused, which cannot be an accident of one request) lasts until they
 * are fine again. A slow server is never put out: its share shrinks, and recovers by itself.
 *
 * At most a share of all servers is out by passive signs alone; and when too few are left, more
 * are used than should be (panic mode): see health_all.
 */
#ifndef STOA_BALANCE_HEALTH_H
#define STOA_BALANCE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_state { HEALTH_UP, HEALTH_WARMING, HEALTH_SUSPECT, HEALTH_OUT, HEALTH_DRAINING };

enum health_sign {
    SIGN_FINE,       /* a request was answered (503 too: the answer of one who is busy) */
    SIGN_5XX,        /* answered 500, 502, 504 */
    SIGN_SLOW,       /* for a while it has been far slower than the others (outlier.h) */
    SIGN_FAILING,    /* for a while far more of its answers were failures than of the others' */
    SIGN_RESET,      /* the connection broke before the answer was there */
    SIGN_REFUSED,    /* nobody listens there. Not: this process has no descriptor or port left */
    SIGN_TIMEOUT,    /* no answer, or no connection, in time */
    SIGN_RUBBISH,    /* what came is no answer */
    SIGN_CHECK_FINE, /* active check */
    SIGN_CHECK_BAD,  /* it answers that it does not sell (503) */
    SIGN_CHECK_LOST, /* reset, rubbish, too late */
    SIGN_SILENT,     /* a check is open, and nothing at all has come for a while; repeated */
    SIGN_TICK,       /* time passes */
    SIGN_DRAIN,      /* it is leaving: nothing new goes there */
    SIGN_RETURN,     /* it is no longer leaving */
    SIGN_COUNT
};

/* Bounds and times; 0 in a field: the default. */
struct health_rules {
    uint32_t failures;       /* passive ones in a row that eject; 5 */
    uint32_t checks_lost;    /* active ones in a row that put out; 2 */
    uint32_t checks_fine;    /* in a row that bring back; 2 */
    uint64_t suspect_ns;     /* silent for so long after it became suspect: out; 1 s */
    uint64_t eject_ns;       /* first ejection; 1 s, doubled by each further one */
    uint64_t eject_max_ns;   /* 30 s */
    uint64_t forgive_ns;     /* a good time that halves the next ejection; 10 s */
    uint64_t slow_start_ns;  /* from the smallest to the full share; 5 s */
    uint32_t slow_start_min; /* thousandths of the share at its start; 100 */
    uint32_t slow_min;       /* the least that slowness leaves of the share; 100 */
    uint64_t slow_ns;        /* since the last SLOW until the share begins to recover; 2 s */
};

/* Its memory for one server. */
struct health {
    struct health_rules rules; /* without zeros */
    enum health_state state;   /* as others see it */
    enum health_state inner;   /* without DRAINING */
    enum health_state before;  /* SUSPECT: where it was, UP or WARMING */
    bool draining;
    bool by_checks;                /* OUT: by more than passive signs */
    uint32_t failures, lost, fine; /* in a row */
    uint32_t ejections;            /* the exponent of the next one */
    uint32_t slow;                 /* what slowness leaves of its share, thousandths */
    uint64_t changed_ns;           /* of `state` */
    uint64_t silent_ns;            /* since when it has been silent; 0: it is not */
    uint64_t warm_ns;              /* when its slow start began */
    uint64_t out_until_ns;         /* not back before */
    uint64_t good_ns;              /* since when nothing has failed */
    uint64_t slow_until_ns;        /* when its share begins to recover, or goes on to */
};

/* FRESH: it has just joined: slow start. Otherwise it is up at once. */
void health_begin(struct health *health, const struct health_rules *rules, bool fresh,
                  uint64_t now_ns);
/* True: the state is another now. */
bool health_see(struct health *health, enum health_sign sign, uint64_t now_ns);
/* What of its weight it gets if it is used at all, in thousandths: 1 … 1000. That of a server in
 * OUT is for panic mode: as if nothing were wrong. */
uint32_t health_share(const struct health *health, uint64_t now_ns);
/* Whether a server in STATE takes new requests. */
bool health_takes(enum health_state state);
/* "up", "warming", "suspect", "out", "draining". */
const char *health_name(enum health_state state);
/* For people: "the connection was refused", … */
const char *health_sign_text(enum health_sign sign);

/* A server, for health_all. */
struct health_member {
    enum health_state state;
    bool by_checks;      /* it is OUT for more than passive signs */
    uint64_t changed_ns; /* since when it is in this state */
    bool aside;          /* a backup that serves shoppers only when nobody else does */
};

/* Of all servers together: which are used, as a mask by place. At most MAX_OUT thousandths of
 * them may be out by passive signs; those that were put out last are used all the same. With fewer
 * than PANIC thousandths usable, who is out by passive signs alone is used too, as one that fails
 * now and then is better than too few; with none at all everyone is, as one that seems dead is
 * better than none. Those that drain never are; those that are aside are when there is nobody else
 * who takes requests, and do not count otherwise. *PANIC_NOW says that it has come to one of the
 * two. */
uint64_t health_all(const struct health_member *members, unsigned count, uint32_t max_out,
                    uint32_t panic, bool *panic_now);

#endif

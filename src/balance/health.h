/* Health: whether a server gets requests. The pure part: signs in, a state out.
 *
 * Signs come from active checks (check.h), which are spread in time, and from the requests
 * themselves (passive). Numbers by the practice of Envoy, HAProxy and gdnsd, without their known
 * pains: detection is fast, and what was wrongly suspected is back at once.
 *
 *             ┌──────────────── fine ───────────────┐
 *             ▼                                     │
 *   ──▶ WARMING ──(slow start is over)──▶ UP ──silent──▶ SUSPECT
 *          ▲  │                           │ │            │   │
 *          │  └────(failures)───┐    (failures)     fine │   │ silent for longer, refused
 *          │                    ▼         ▼              │   ▼
 *          └──(checks are fine)── OUT ◀───┴──────────────┴──
 *   any ──(it leaves, or the operator says so)──▶ DRAINING
 *
 * An ejection lasts longer the more of them came in a row, and shorter again after a good time.
 * At most a share of all servers is out by passive signs alone; and when too few are left, all
 * are used (panic mode): see health_all.
 */
#ifndef STOA_BALANCE_HEALTH_H
#define STOA_BALANCE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_state { HEALTH_UP, HEALTH_WARMING, HEALTH_SUSPECT, HEALTH_OUT, HEALTH_DRAINING };

enum health_sign {
    SIGN_FINE,       /* a request was answered */
    SIGN_5XX,        /* answered 500, 502, 504; 503 is an answer of one who is busy */
    SIGN_SLOW,       /* answered, far slower than the others */
    SIGN_RESET,      /* the connection broke before the answer was there */
    SIGN_REFUSED,    /* no connection */
    SIGN_TIMEOUT,    /* no answer in time */
    SIGN_RUBBISH,    /* what came is no answer */
    SIGN_CHECK_FINE, /* active check */
    SIGN_CHECK_BAD,  /* it answers that it does not sell (503) */
    SIGN_CHECK_LOST, /* refused, reset, rubbish */
    SIGN_SILENT,     /* a check and requests are open, and nothing at all has come for a while */
    SIGN_TICK,       /* time passes */
    SIGN_DRAIN,      /* it is leaving: nothing new goes there */
    SIGN_RETURN,     /* it is no longer leaving */
};

/* Bounds and times; 0 in a field: the default. */
struct health_rules {
    uint32_t failures;       /* passive ones in a row that eject; 5 */
    uint32_t checks_lost;    /* active ones in a row that eject; 2 */
    uint32_t checks_fine;    /* in a row that bring back; 2 */
    uint64_t eject_ns;       /* first ejection; 1 s, doubled by each further one */
    uint64_t eject_max_ns;   /* 30 s */
    uint64_t forgive_ns;     /* a good time that halves the next ejection; 10 s */
    uint64_t slow_start_ns;  /* from the first request to the full share; 5 s */
    uint32_t slow_start_min; /* thousandths of the share at its start; 100 */
};

/* Its memory for one server; begun zeroed, then health_begin. */
struct health {
    struct health_rules rules;
    enum health_state state;
    bool draining;
    uint32_t failures, lost, fine; /* in a row */
    uint32_t ejections;            /* the exponent of the next one */
    uint64_t changed_ns, out_until_ns, good_since_ns;
};

/* FRESH: it has just joined: slow start. Otherwise it is up at once. */
void health_begin(struct health *health, const struct health_rules *rules, bool fresh,
                  uint64_t now_ns);
/* True: the state is another now. */
bool health_see(struct health *health, enum health_sign sign, uint64_t now_ns);
/* Thousandths of its weight. */
uint32_t health_share(const struct health *health, uint64_t now_ns);
/* Whether a server in STATE takes new requests. */
bool health_takes(enum health_state state);
const char *health_name(enum health_state state);

/* Of all servers together: which are used, as a mask by place. At most MAX_OUT thousandths of
 * them may be out by passive signs; with fewer than PANIC thousandths usable, all but those that
 * drain are used, as one that seems dead is better than none. *PANIC_NOW says that it is so. */
uint64_t health_all(const enum health_state *states, const bool *by_checks, unsigned count,
                    uint32_t max_out, uint32_t panic, bool *panic_now);

#endif

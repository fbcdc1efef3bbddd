/* Advise: how many servers a shop needs and where, from what was measured.
 *
 * A shop is sold by servers at sites; shoppers come from regions. Each region's requests go to the
 * nearest site that has servers, and on to the next nearest where those are full. Every server has
 * the whole shop: reads and computing stay where they come in, a change goes on to the primary,
 * is confirmed by a majority, and is written by each server. advise_make finds the cheapest servers
 * with which every region's latency stays below its limit, also after any one server, or any one
 * site, has gone; and what tells why: what breaks with one fewer, what one more would gain, until
 * which load this and what is there now suffice.
 *
 * Called by `stoa advise`. Pure: no clock, no random number; the same input gives the same answer.
 * Thread: any. The input is lent for the call. Times are in seconds, rates in requests a second, of
 * which a region's highest count; costs are of an hour.
 *
 * This is the uncapacitated facility location problem with a limit on distances and queues in the
 * facilities (Berman and Krass, in Drezner and Hamacher, Facility Location, 2002); the assignment
 * to the nearest is what DNS and anycast do. advise_search.h says how it is searched,
 * advise_model.h what is assumed, queueing.h how long requests wait.
 */
#ifndef STOA_SCALE_ADVISE_H
#define STOA_SCALE_ADVISE_H

#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ADVISE_NAME = 32,
    ADVISE_SITES_MAX = 24,
    ADVISE_REGIONS_MAX = 48,
    ADVISE_SITES_EXACT = 12, /* with more, the answer need not be the cheapest */
    ADVISE_VOTES_MAX = CLUSTER_SERVERS_MAX,
    ADVISE_PROCESSORS_MAX = 1024,
};

enum advise_kind { ADVISE_READ, ADVISE_WRITE, ADVISE_COMPUTE, ADVISE_KINDS };

/* There and back, or another time that was measured more than once. */
struct advise_time {
    double p50_s, p99_s; /* NAN: not measured */
};

struct advise_region {
    char name[ADVISE_NAME];
    double rate[ADVISE_KINDS]; /* mean */
    double peak;               /* the highest by the mean; at least 1 */
    double p50_s, p99_s;       /* limits; INFINITY: none */
    double degraded_p99_s;     /* while a server or site is gone */
    struct advise_time to[ADVISE_SITES_MAX];
};

struct advise_site {
    char name[ADVISE_NAME];
    double cost; /* of one server */
    unsigned processors;
    double work_s[ADVISE_KINDS]; /* processor time of a request at the server that gets it */
    double write_s;              /* of each change, at every server */
    struct advise_time durable;  /* until the log is on disk */
    unsigned least, most, now;   /* servers */
    bool witness;                /* one votes here, whatever is advised */
    struct advise_time to[ADVISE_SITES_MAX]; /* to itself: between two servers here */
};

enum advise_tolerate { ADVISE_TOLERATE_NONE, ADVISE_TOLERATE_SERVER, ADVISE_TOLERATE_SITE };

struct advise_input {
    unsigned region_count, site_count;
    struct advise_region regions[ADVISE_REGIONS_MAX];
    struct advise_site sites[ADVISE_SITES_MAX];
    double utilisation; /* at most, of processors and of the log's writer */
    enum advise_tolerate tolerate;
    double budget;         /* INFINITY: none */
    double growth_per_day; /* 0.01: 1 % more each day */
};

/* Servers by site. */
struct advise_plan {
    unsigned servers[ADVISE_SITES_MAX];
    unsigned primary; /* a site */
};

/* All well, or what is gone: of a plan's SITE one server, or all that is there. */
enum advise_gone { ADVISE_WHOLE, ADVISE_SERVER_GONE, ADVISE_SITE_GONE };
struct advise_case {
    enum advise_gone gone;
    unsigned site;
};

enum advise_breach {
    ADVISE_KEPT,
    ADVISE_NO_SERVER,   /* no site with a server is known to be reached from REGION */
    ADVISE_NO_MAJORITY, /* VALUE votes are left, LIMIT are needed */
    ADVISE_FULL,        /* utilisation of SITE */
    ADVISE_WRITER_FULL, /* utilisation of the log's writer at SITE, which more servers do not help
                         */
    ADVISE_P50,         /* of REGION */
    ADVISE_P99,
    ADVISE_TOO_MANY, /* VALUE votes, of which a cluster has at most LIMIT */
    ADVISE_FEWER,    /* VALUE servers at SITE, where LIMIT are to be at least */
};

/* A limit that a plan does not keep; of several the one that is passed by most. */
struct advise_broken {
    enum advise_breach breach;
    struct advise_case when;
    unsigned region, site;
    double value, limit;
};

struct advise_region_state {
    double share[ADVISE_SITES_MAX]; /* of its requests, by site */
    double p50_s, p99_s;            /* of all its requests */
    double write_p50_s, write_p99_s;
};

struct advise_site_state {
    unsigned servers;
    double rate;        /* requests that come in here */
    double utilisation; /* of the processors */
    double writer;      /* of the log's writer */
    double wait_s;      /* mean, for a processor */
};

/* A plan in one case, at the regions' highest load. */
struct advise_state {
    bool serves; /* false: no majority; nothing below counts */
    unsigned primary;
    double mean_s;             /* latency of all requests */
    struct advise_time commit; /* from the primary's log to a majority's */
    struct advise_region_state regions[ADVISE_REGIONS_MAX];
    struct advise_site_state sites[ADVISE_SITES_MAX];
};

/* What there is to know of a plan. */
struct advise_view {
    struct advise_plan plan;
    double cost;
    struct advise_state whole;
    struct advise_broken broken;
    /* By region: the highest p99 after a death, and after which. */
    double worst_p99_s[ADVISE_REGIONS_MAX];
    struct advise_case worst_case[ADVISE_REGIONS_MAX];
    double reach;                /* how many times the load the plan holds; 0: not even a little */
    struct advise_broken beyond; /* what breaks above that */
    double whole_reach;          /* the same as long as nothing has gone */
};

enum advise_outcome {
    ADVISE_FOUND,
    ADVISE_TOO_DEAR,  /* VIEW costs more than the budget; WITHIN does not, and breaks limits */
    ADVISE_IMPOSSIBLE /* nothing that was tried keeps the limits; VIEW comes nearest */
};

/* The plan with one server more or fewer at a site. */
struct advise_change {
    bool possible;
    double cost;   /* more or less an hour */
    double mean_s; /* change of the mean latency; NAN: there is none */
    double p99_s;  /* change of REGION's p99, which changes most */
    unsigned region;
    struct advise_broken broken;
};

struct advise_answer {
    enum advise_outcome outcome;
    bool exact;      /* no plan that keeps the limits is cheaper */
    uint64_t judged; /* plans */
    double bound;    /* where it is not exact: no such plan costs less than this */
    struct advise_view view;
    struct advise_view within; /* ADVISE_TOO_DEAR */
    /* ADVISE_IMPOSSIBLE: by how much all limits of latency would have to be higher for RELAXED to
     * keep them, to a twentieth; 0: that would not help. */
    double relaxed_by;
    struct advise_view relaxed;
    struct advise_view present; /* if there are servers now */
    bool has_present;
    /* By site with one server: a witness in its place, which votes and has no database, would keep
     * all limits too. */
    bool witness_does[ADVISE_SITES_MAX];
    struct advise_change fewer[ADVISE_SITES_MAX], more[ADVISE_SITES_MAX]; /* of VIEW */
    struct advise_change present_more[ADVISE_SITES_MAX];                  /* of PRESENT */
};

/* INPUT has what its fields' comments say; every site has a time to every other. */
void advise_make(const struct advise_input *input, struct advise_answer *answer);

double advise_cost(const struct advise_input *input, const struct advise_plan *plan);
/* All regions' highest loads together, of all kinds. */
double advise_peak_rate(const struct advise_input *input);

/* Days until the load is FACTOR times what it is, at a growth of PER_DAY; INFINITY: never; 0:
 * already. */
double advise_days(double factor, double per_day);

/* Growth a day out of COUNT measurements: least squares of the loads' logarithms over DAYS. False:
 * they do not tell, as all are of one day. */
bool advise_growth(const double *days, const double *rates, unsigned count, double *per_day);

#endif

/* Tiers report: what `stoa bench scale` found, as text, JSON, a page of Markdown and pictures.
 *
 * A cell is one arrangement of processes under one load; what was measured stands in its rounds,
 * figures by name, NAN where there was nothing to measure. Means and their confidence come from
 * tiers_report_mean. The page has a part that is written by hand and kept: everything outside the
 * two lines TIERS_REPORT_BEGIN and TIERS_REPORT_END.
 *
 * Thread: the caller's.
 */
#ifndef STOA_BENCH_TIERS_REPORT_H
#define STOA_BENCH_TIERS_REPORT_H

#include "base/err.h"
#include "bench/engines_machine.h"
#include "bench/tiers_figures.h"
#include "bench/tiers_shape.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    TIERS_CELLS_MAX = 128,
    TIERS_ROUNDS_MAX = 9,
    TIERS_NAME = 64,
    TIERS_WINDOWS_MAX = 128,
    TIERS_WINDOW_MS = 250,
};

#define TIERS_REPORT_BEGIN "<!-- from here on written by: stoa bench scale -->"
#define TIERS_REPORT_END   "<!-- until here -->"

/* The questions that are asked. */
#define TIERS_PART_LIST(X)  \
    X(RULES, "rules")       \
    X(SIZES, "sizes")       \
    X(POLLS, "polls")       \
    X(RATIO, "ratio")       \
    X(OVERLOAD, "overload") \
    X(HOP, "hop")

enum tiers_part {
#define X(name, word) TIERS_##name,
    TIERS_PART_LIST(X)
#undef X
        TIERS_PARTS
};
extern const char *const tiers_part_names[TIERS_PARTS];

#define TIERS_FIGURE_LIST(X)                                                                 \
    X(OFFERED, "offered_per_s") /* of an open loop */                                        \
    X(PER_S, "answered_per_s")  /* well: neither refused nor failed */                       \
    X(REFUSED, "refused")       /* 503: no room, or nobody took it in time */                \
    X(FAILED, "failed")         /* any other */                                              \
    X(LATE, "late_share")       /* of all: answered later than the limit, refused, failed */ \
    X(P50, "p50_ms")                                                                         \
    X(P99, "p99_ms")                                                                         \
    X(LONGEST, "longest_ms")                                                                 \
    X(BACK, "back_s")       /* from the rise until p99 was under the limit for good */       \
    X(NOT_BACK, "not_back") /* 1: it never was; back_s is how long that was looked at */     \
    X(OVER, "over_s")       /* how long p99 was over the limit in all */                     \
    X(WORKER_S, "worker_s") /* seconds of workers, from being wanted to their end */         \
    X(MOST, "workers_most")                                                                  \
    X(DECISIONS, "decisions")                                                                \
    X(REVERSALS, "reversals_per_minute") /* of the workers' number */                        \
    X(DROPPED, "dropped")                /* out of the queue: their deadline had passed */   \
    X(MINIMUM, "back_to_minimum_s")      /* from the load's end */                           \
    X(BUSY, "workers_busy")              /* how many of them, on average */                  \
    X(CPU, "cpu_us_per_request")         /* of all processes of the tiers */                 \
    X(CPU_FRONTS, "cpu_us_per_request_fronts")                                               \
    X(CPU_WORKERS, "cpu_us_per_request_workers")                                             \
    X(CPU_NET, "cpu_us_per_request_net") /* without what they use when nothing is asked */   \
    X(FRONTS_NET, "cpu_us_per_request_fronts_net")                                           \
    X(IDLE, "idle_cpu_share") /* of a processor, by all, before anything is asked */         \
    X(GENERATOR, "generator_busy")

enum tiers_figure {
#define X(name, key) TIERS_##name,
    TIERS_FIGURE_LIST(X)
#undef X
        TIERS_FIGURES
};
extern const char *const tiers_figure_keys[TIERS_FIGURES];

/* Which processes serve. */
struct tiers_setup {
    bool alone;       /* one process on the engine event, and no tiers */
    const char *rule; /* NULL: sizes stay as they are at first */
    unsigned workers, workers_most, fronts, fronts_most;
    unsigned helpers; /* of a worker, or of the one process */
    unsigned slots;   /* of the queue */
    unsigned poll_ms; /* 0: as is usual */
    bool bare;  /* the rule without what the scaler puts around it (hold, calm, urgent, room) */
    bool apart; /* they have half of the processors, the generator the others */
};

enum tiers_loop { TIERS_PACED, TIERS_OPEN, TIERS_CLOSED };

struct tiers_cell {
    enum tiers_part part;
    char name[TIERS_NAME]; /* what varies: the load */
    char who[TIERS_NAME];  /* … and who bears it */
    struct tiers_setup setup;
    const char *page; /* "/cached" */
    enum tiers_loop loop;
    enum tiers_shape shape; /* paced */
    double load;            /* open: as a multiple of what all its workers can do … */
    double rate;            /* … or, where that is 0, operations a second */
    unsigned connections;
};

/* A run over time: one of each cell that is paced is kept. */
struct tiers_series {
    unsigned count; /* windows of TIERS_WINDOW_MS */
    float offered[TIERS_WINDOWS_MAX], p99_ms[TIERS_WINDOWS_MAX], workers[TIERS_WINDOWS_MAX];
};

struct tiers_result {
    unsigned rounds;
    double round[TIERS_ROUNDS_MAX][TIERS_FIGURES];
    struct tiers_series series;
    char why[240]; /* a round could not be measured; "": all could */
};

struct tiers_report {
    struct engines_machine machine;
    unsigned rounds, cell_count, server_cores;
    double seconds, warm_up_seconds, limit_ms;
    double capacity_per_s; /* of one worker, of pages that wait: median of all rounds */
    char trace[120];       /* its file; "": none */
    bool quick;
    struct tiers_cell cells[TIERS_CELLS_MAX];
    struct tiers_result results[TIERS_CELLS_MAX];
};

/* Pages: they compute for a fifth of their time and wait for the rest, as one does that asks a bank
 * or a database; so a machine can bear more workers than it has processors. */
#define TIERS_PAGE_WAITING "/compute?us=2000&wait=8000"

struct tiers_mean tiers_report_mean(const struct tiers_report *report, unsigned cell,
                                    enum tiers_figure figure);
/* Whether any cell is of PART. */
bool tiers_report_has(const struct tiers_report *report, enum tiers_part part);
/* Of the cell of the hop for the tiers, that of the one process under the same load; -1: none. */
int tiers_report_alone(const struct tiers_report *report, unsigned cell);

/* Of the cell AT of overload: of as much as the same workers do, in the same round, in a closed
 * loop.
 */
struct tiers_mean tiers_report_kept(const struct tiers_report *report, unsigned at);

/* While it runs: a head, and a line for the last round of a cell, or WHY there is none. */
void tiers_print_head(FILE *out);
void tiers_print_round(const struct tiers_report *report, unsigned cell, const char *why,
                       FILE *out);
void tiers_print_json(const struct tiers_report *report, FILE *out);

/* The page FILE with its part written anew, and pictures beside it: for docs/scale.md
 * docs/scale-step.svg and so on. */
int tiers_report_page(const struct tiers_report *report, const char *file, struct failure *failure);
int tiers_report_page_check(const char *file, struct failure *failure);

enum { TIERS_PICTURES = 5 };
int tiers_report_pictures(const struct tiers_report *report, const char *page,
                          struct failure *failure);
/* Whether there is anything to draw, and what picture WHICH is called, without folder. */
bool tiers_picture_wanted(const struct tiers_report *report, unsigned which);
void tiers_picture_name(const char *page, unsigned which, char *out, size_t size);

#endif

/* Engines report: what `stoa bench engines` found, as text, JSON, a page of Markdown and pictures.
 *
 * A contestant is an engine, or an engine with admission; a cell is a workload at one load. What
 * was measured stands in a table of cells by contestants, each with its rounds and, after
 * engines_report_close, their medians. The page has a part that is written by hand and kept:
 * everything outside the two lines ENGINES_REPORT_BEGIN and ENGINES_REPORT_END.
 *
 * Thread: the caller's.
 */
#ifndef STOA_BENCH_ENGINES_REPORT_H
#define STOA_BENCH_ENGINES_REPORT_H

#include "base/err.h"
#include "bench/engines_machine.h"
#include "bench/histogram.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    ENGINES_CELLS_MAX = 24,
    ENGINES_CONTESTANTS_MAX = 12,
    ENGINES_ROUNDS_MAX = 9,
    ENGINES_MIDDLE = 64, /* connections: where engines are compared by one number */
};

#define ENGINES_REPORT_BEGIN "<!-- from here on written by: stoa bench engines -->"
#define ENGINES_REPORT_END   "<!-- until here -->"

enum engines_work {
    ENGINES_CACHED,     /* closed loop, a page that is in memory */
    ENGINES_COMPUTE,    /* closed loop, a page that computes: the capacity */
    ENGINES_DISK_ALONE, /* open loop, pages in memory: the yardstick for the next */
    ENGINES_DISK,       /* the same, and beside them some from the disk */
    ENGINES_MIX,        /* open loop: nine short requests, one long */
    ENGINES_OVERLOAD,   /* open loop, pages that compute, LOAD times the capacity */
};

struct engines_cell {
    const char *name;
    enum engines_work work;
    unsigned connections;
    double load;
};

/* What is known of a measurement, each a number. Of loads with two kinds of requests p50 to p99.99
 * are of the short ones. Usage is of the server's whole life, so its start is in it. */
#define ENGINES_FIGURE_LIST(X)                                                              \
    X(OFFERED, "offered_per_s")                                                             \
    X(PER_S, "answered_per_s")  /* well: neither refused nor failed */                      \
    X(IN_TIME, "in_time_per_s") /* within ENGINES_IN_TIME_MS */                             \
    X(REFUSED, "refused_per_s")                                                             \
    X(FAILED, "failed_per_s")                                                               \
    X(CAPACITY, "capacity_per_s") /* of an overload: in a closed loop, just before */       \
    X(OF_CAPACITY, "answered_of_capacity")                                                  \
    X(IN_TIME_OF_CAPACITY, "in_time_of_capacity")                                           \
    X(P50, "p50_ms")                                                                        \
    X(P99, "p99_ms")                                                                        \
    X(P999, "p99_9_ms")                                                                     \
    X(P9999, "p99_99_ms")                                                                   \
    X(MEAN, "mean_ms")                                                                      \
    X(LONGEST, "longest_wait_ms") /* of all, also of those that were never answered */      \
    X(LONG_P50, "long_p50_ms")                                                              \
    X(LONG_P99, "long_p99_ms")                                                              \
    X(LONG_MEAN, "long_mean_ms")                                                            \
    X(JAIN_CLIENTS, "jain_clients")      /* of what each connection got */                  \
    X(JAIN_KINDS, "jain_short_and_long") /* of how much longer than alone each kind took */ \
    X(RSS, "rss_mb")                                                                        \
    X(PSS, "pss_mb")                                                                        \
    X(PROCESSES, "processes")                                                               \
    X(THREADS, "threads")                                                                   \
    X(VOLUNTARY, "voluntary_switches_per_request")                                          \
    X(INVOLUNTARY, "involuntary_switches_per_request")                                      \
    X(CPU, "cpu_us_per_request")                                                            \
    X(CONNECTIONS, "connections")                                                           \
    X(GENERATOR, "generator_busy") /* share of its time, computing or waiting for a core */

enum engines_figure {
#define X(name, key) ENGINES_##name,
    ENGINES_FIGURE_LIST(X)
#undef X
        ENGINES_FIGURES
};
extern const char *const engines_figure_keys[ENGINES_FIGURES];

enum { ENGINES_IN_TIME_MS = 1000 };

struct engines_result {
    unsigned rounds;
    double round[ENGINES_ROUNDS_MAX][ENGINES_FIGURES];
    double median[ENGINES_FIGURES];
    struct histogram latency; /* of all rounds */
    char why[240];            /* a round could not be measured; "": all could */
};

struct engines_contestant {
    char name[40];      /* "event", "event, admission" */
    const char *engine; /* its name */
    const char *about;
    uint32_t admission_ms; /* 0: without */
    unsigned workers;      /* engine_config.workers */
    unsigned plain;        /* the contestant that is the same engine without */
    unsigned capacity_connections;
};

struct engines_report {
    struct engines_machine machine;
    unsigned rounds, contestant_count, cell_count, server_cores;
    double seconds, warm_up_seconds, cold_ms, cold_per_s;
    bool quick;
    struct engines_contestant contestants[ENGINES_CONTESTANTS_MAX];
    struct engines_cell cells[ENGINES_CELLS_MAX];
    struct engines_result results[ENGINES_CELLS_MAX][ENGINES_CONTESTANTS_MAX];
};

/* Whether CELL is one for this contestant: with admission there is overload alone. */
bool engines_report_wants(const struct engines_report *report, unsigned cell, unsigned contestant);
/* The cell of WORK at CONNECTIONS (0: any) and LOAD (0: any), or -1. */
int engines_report_cell(const struct engines_report *report, enum engines_work work,
                        unsigned connections, double load);
/* A figure's median; 0 where there is none. CELL may be -1. */
double engines_report_median(const struct engines_report *report, int cell, unsigned contestant,
                             enum engines_figure figure);
/* Computes the medians: after each round, for what comes later in it. */
void engines_report_close(struct engines_report *report);

/* A line for the last round of a measurement, or WHY it could not be made (NULL: it could); and the
 * heading above such lines. */
void engines_print_head(FILE *out);
void engines_print_round(const struct engines_report *report, unsigned cell, unsigned contestant,
                         const char *why, FILE *out);
void engines_print_table(const struct engines_report *report, FILE *out);
void engines_print_json(const struct engines_report *report, FILE *out);

/* engines_page.c: FILE is made, or the part between the two lines is written anew. The pictures are
 * taken to lie beside it. */
int engines_report_page(const struct engines_report *report, const char *file,
                        struct failure *failure);
/* Whether FILE can be written so, before it is measured what is to stand there. */
int engines_report_page_check(const char *file, struct failure *failure);
/* engines_picture.c: all of them, beside PAGE, named for it: "engines.md" has
 * "engines-throughput.svg" and so on. */
enum { ENGINES_PICTURES = 4 };
int engines_report_pictures(const struct engines_report *report, const char *page,
                            struct failure *failure);
/* What picture WHICH is called there, without folder. */
void engines_picture_name(const char *page, unsigned which, char *out, size_t size);

#endif

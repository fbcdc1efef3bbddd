/* Drop report: what a drop (drop.h) has found, as text and as JSON. Thread: the caller's. */
#ifndef STOA_BENCH_DROP_REPORT_H
#define STOA_BENCH_DROP_REPORT_H

#include "bench/drop.h"

#include <stdbool.h>
#include <stdio.h>

/* What is known beside the buyers' answers. */
struct drop_books {
    unsigned servers, managers;
    bool outside;              /* a bank and a warehouse were beside it */
    uint64_t killed_ns;        /* when the primary was; 0: it was not */
    uint64_t orders;           /* in the shop's book */
    uint64_t charges, parcels; /* of these orders, in the bank's and the warehouse's */
    uint64_t differences;      /* that the audit has found */
    char found[300];           /* the first of them; or where the copies differ */
};

/* Whether everything that is promised was kept. */
bool drop_report_good(const struct drop_report *report, const struct drop_config *config,
                      const struct drop_books *books);
void drop_report_text(const struct drop_report *report, const struct drop_config *config,
                      const struct drop_books *books, FILE *out);
void drop_report_json(const struct drop_report *report, const struct drop_config *config,
                      const struct drop_books *books, FILE *out);

#endif

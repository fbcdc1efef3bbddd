/* The table of all figures: names in JSON and in Prometheus' format, kinds and explanations.
 * view_json.c, view_metrics.c and the test of docs/balance.md go by it.
 */
#ifndef STOA_BALANCE_VIEW_TABLE_H
#define STOA_BALANCE_VIEW_TABLE_H

#include <stddef.h>

enum view_form {
    VIEW_U64,
    VIEW_U32,
    VIEW_UNSIGNED,
    VIEW_TRUTH,     /* bool; 0 or 1 as a metric */
    VIEW_TIME,      /* uint64_t nanoseconds; as a metric in seconds, in JSON in milliseconds */
    VIEW_SECONDS,   /* the same, in seconds in both */
    VIEW_NUMBER,    /* double */
    VIEW_THOUSANDTH /* uint32_t; shown as 0 to 1 */
};

struct view_row {
    const char *key;    /* in JSON; NULL: not there */
    const char *metric; /* without "stoa_balance_"; NULL: no metric */
    const char *type, *help;
    enum view_form form;
    size_t offset; /* in what the table is of */
};

/* Ended by a row without form: key and metric are both NULL. */
extern const struct view_row view_rows_whole[];  /* of struct balance_view */
extern const struct view_row view_rows_server[]; /* of struct view_backend */
extern const struct view_row view_rows_loop[];   /* of struct view_loop */

/* What ROW says of WHOLE, which is what its table is of; as a metric, or as in JSON. */
double view_row_value(const struct view_row *row, const void *whole, int as_metric);

#endif

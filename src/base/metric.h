/* Metric: figures as members of JSON and as Prometheus' text format 0.0.4, both from one table, so
 * that names, kinds and explanations stand once. Pure.
 *
 * Used by the status doors (balance/view.h, admin/tiers.h). Thread: as the buffer.
 */
#ifndef STOA_BASE_METRIC_H
#define STOA_BASE_METRIC_H

#include "base/buf.h"

#include <stddef.h>

enum metric_form {
    METRIC_U64,
    METRIC_U32,
    METRIC_UNSIGNED,
    METRIC_TRUTH,     /* bool; 0 or 1 as a metric */
    METRIC_TIME,      /* uint64_t nanoseconds; as a metric in seconds, in JSON in milliseconds */
    METRIC_SECONDS,   /* the same, in seconds in both */
    METRIC_NUMBER,    /* double */
    METRIC_THOUSANDTH /* uint32_t; shown as 0 to 1 */
};

struct metric_row {
    const char *key;    /* in JSON; NULL: not there */
    const char *metric; /* without its prefix; NULL: no metric */
    const char *type, *help;
    enum metric_form form;
    size_t offset; /* in what the table is of */
};
/* A table is ended by a row without key and metric. */

/* What ROW says of WHOLE, which is what its table is of; as a metric, or as in JSON. */
double metric_value(const struct metric_row *row, const void *whole, bool as_metric);

/* The members that TABLE has of WHOLE, each with a comma before it. */
void metric_put_json(struct buf *out, const struct metric_row *table, const void *whole);

/* The lines HELP and TYPE of PREFIX and METRIC together. What is a process' own has no prefix:
 * process figures have the names that all programs give them. */
void metric_put_head(struct buf *out, const char *prefix, const char *metric, const char *type,
                     const char *help);
/* All rows of TABLE that are metrics, without labels. */
void metric_put_table(struct buf *out, const char *prefix, const struct metric_row *table,
                      const void *whole);
/* A space, VALUE and the line's end. */
void metric_put_number(struct buf *out, double value);
/* A label's value: backslash, quote and line feed are escaped; other control characters and what
 * is no UTF-8 become '?'. */
void metric_put_label(struct buf *out, const char *text);

#endif

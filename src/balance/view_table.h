/* The table of all figures: names in JSON and in Prometheus' format, kinds and explanations.
 * view_json.c, view_metrics.c and the test of docs/balance.md go by it. Metrics have the prefix
 * "stoa_balance_".
 */
#ifndef STOA_BALANCE_VIEW_TABLE_H
#define STOA_BALANCE_VIEW_TABLE_H

#include "base/metric.h"

extern const struct metric_row view_rows_whole[];  /* of struct balance_view */
extern const struct metric_row view_rows_server[]; /* of struct view_backend */
extern const struct metric_row view_rows_loop[];   /* of struct view_loop */

#endif

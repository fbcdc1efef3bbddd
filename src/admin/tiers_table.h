/* The tables of the tiers' figures: names in JSON and in Prometheus' format, kinds and
 * explanations. tiers_json.c, tiers_metrics.c and the test of docs/tiers-status.md go by them.
 * Metrics have the prefix "stoa_".
 */
#ifndef STOA_ADMIN_TIERS_TABLE_H
#define STOA_ADMIN_TIERS_TABLE_H

#include "base/metric.h"

extern const struct metric_row tiers_rows_whole[];  /* of struct tiers_view */
extern const struct metric_row tiers_rows_class[];  /* of struct tiers_class; by class */
extern const struct metric_row tiers_rows_front[];  /* of struct front_stats; by front */
extern const struct metric_row tiers_rows_cache[];  /* of struct worker_cache; by worker */
extern const struct metric_row tiers_rows_wanted[]; /* of struct scale_board; while one scales */
extern const struct metric_row tiers_rows_fleet[];  /* of struct fleet_tier_view; by tier */

#endif

/* Trend: a line through what was measured lately, older things counting less and less. Pure.
 *
 * Least squares with weights that fall by e in every TAU (discounted least squares: Brown,
 * Smoothing, Forecasting and Prediction, 1963), kept as five sums that are moved along with time,
 * so that it costs the same however much has been seen. Memory: the caller's, begun zeroed.
 */
#ifndef STOA_SCALE_TREND_H
#define STOA_SCALE_TREND_H

struct trend {
    /* Sums of weights w, and of w × x, w × x², w × y, w × x × y; x is the time in seconds from now,
     * so it is never positive. */
    double w, wx, wxx, wy, wxy;
};

/* VALUE, measured over the last SECONDS. */
void trend_add(struct trend *trend, double value, double seconds, double tau);

/* Forgets all but that the value is VALUE, as if seen for SECONDS. */
void trend_restart(struct trend *trend, double value, double seconds);

/* The value now. */
double trend_level(const struct trend *trend);
/* The value in AHEAD seconds: never less than none, never more than double that of now. */
double trend_ahead(const struct trend *trend, double ahead);

#endif

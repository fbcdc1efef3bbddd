/* Queueing: how long requests wait at a server of several processors, by formula.
 *
 * Called by advise_model.c. Pure. Thread: any.
 *
 * A server is taken as M/G/c: requests come by chance (Poisson), C processors work on one queue.
 * The chance to wait is Erlang's (1917; Kleinrock, Queueing Systems I, 3.5). How long those who
 * wait do so is exponential, with the mean that makes the mean of all waits Allen and Cunneen's
 * (Erlang C times (1 + squared coefficient of variation) / 2). For exponential times of work, which
 * is what the answer's time is computed with, both are exact: M/M/c.
 */
#ifndef STOA_SCALE_QUEUEING_H
#define STOA_SCALE_QUEUEING_H

struct queueing {
    double utilisation; /* 1 and above: the queue grows without end */
    double wait_chance; /* of having to wait at all */
    double wait_rate;   /* of those who wait: 1 / their mean wait, in 1/s */
};

/* Erlang C: the chance to wait where LOAD (rate × time of work) comes to PROCESSORS. */
double queueing_wait_chance(unsigned processors, double load);

/* RATE requests a second, each of which takes MEAN_S seconds of a processor, with the mean of
 * squares SQUARE_S2. */
struct queueing queueing_of(unsigned processors, double rate, double mean_s, double square_s2);

/* The mean wait; infinite where the queue grows. */
double queueing_wait_s(const struct queueing *queue);

/* The chance that wait and work, which takes WORK_S in the mean, together exceed LIMIT_S. */
double queueing_tail(const struct queueing *queue, double work_s, double limit_s);

#endif

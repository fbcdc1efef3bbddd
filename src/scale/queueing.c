#include "scale/queueing.h"

#include <math.h>

double queueing_wait_chance(unsigned processors, double load)
{
    if (load <= 0)
        return 0;
    if (load >= processors)
        return 1;
    /* Erlang B step by step, which neither overflows nor cancels. */
    double lost = 1;
    for (unsigned k = 1; k <= processors; k++)
        lost = load * lost / (k + load * lost);
    return lost / (1 - load / processors * (1 - lost));
}

struct queueing queueing_of(unsigned processors, double rate, double mean_s, double square_s2)
{
    double load = rate * mean_s;
    struct queueing queue = {.utilisation = load / processors};
    if (load <= 0)
        return queue;
    queue.wait_chance = queueing_wait_chance(processors, load);
    if (queue.utilisation < 1)
        queue.wait_rate = processors * (1 - queue.utilisation) * 2 * mean_s / square_s2;
    return queue;
}

double queueing_wait_s(const struct queueing *queue)
{
    if (queue->wait_chance <= 0)
        return 0;
    return queue->wait_rate > 0 ? queue->wait_chance / queue->wait_rate : INFINITY;
}

/* The chance that the sum of two exponential times of rates A and B exceeds T. */
static double sum_tail(double a, double b, double t)
{
    if (fabs(a - b) <= 1e-9 * (a + b))
        return (1 + a * t) * exp(-a * t);
    return (a * exp(-b * t) - b * exp(-a * t)) / (a - b);
}

double queueing_tail(const struct queueing *queue, double work_s, double limit_s)
{
    double waits = queue->wait_chance;
    if (limit_s < 0 || queue->utilisation >= 1)
        return 1;
    double worked = work_s > 0 ? exp(-limit_s / work_s) : 0;
    if (waits <= 0)
        return worked;
    double both = work_s > 0 ? sum_tail(1 / work_s, queue->wait_rate, limit_s)
                             : exp(-queue->wait_rate * limit_s);
    return (1 - waits) * worked + waits * both;
}

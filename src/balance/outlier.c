#include "balance/outlier.h"

#include <stdlib.h>

enum { SERVERS_MAX = 64, LOOKS = 2 };

/* Slow: four times the others' median and two milliseconds more, which no server that shares a
 * machine with others stays above by chance. Failing: three in ten, while of the others' answers
 * less than one in twenty fails. */
static const double slow_factor = 4, slow_more_ns = 2e6, failing_least = 0.3, failing_others = 0.05;

void outlier_count(struct outlier_server *server, uint64_t answers, uint64_t failed, uint64_t lost,
                   uint64_t latency_ns)
{
    server->tries /= 2;
    server->failures /= 2;
    if (server->known) {
        double gone = (double)(lost - server->lost_before);
        server->tries += (double)(answers - server->answers_before) + gone;
        server->failures += (double)(failed - server->failures_before) + gone;
    }
    server->latency_ns = server->tries - server->failures >= OUTLIER_LEAST ? latency_ns : 0;
    server->known = true;
    server->answers_before = answers;
    server->failures_before = failed;
    server->lost_before = lost;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Of VALUES without the one at LEFT_OUT; the upper one of two. Negative: there are none. */
static double median_of_others(const double *values, unsigned count, unsigned left_out)
{
    double others[SERVERS_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        if (i != left_out && values[i] >= 0)
            others[n++] = values[i];
    if (n == 0)
        return -1;
    qsort(others, n, sizeof *others, compare);
    return others[n / 2];
}

/* Those who are beyond FACTOR times the others' median and MORE; the most of them that may be. */
static uint64_t beyond(const double *values, unsigned count, double factor, double more)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < count; i++) {
        double others = median_of_others(values, count, i);
        if (values[i] >= 0 && others >= 0 && values[i] > factor * others + more)
            found |= 1ull << i;
    }
    return found;
}

/* The worst of FOUND, half of COUNT at the most. */
static uint64_t worst(uint64_t found, const double *values, unsigned count)
{
    unsigned judged = 0;
    for (unsigned i = 0; i < count; i++)
        judged += values[i] >= 0;
    while ((unsigned)__builtin_popcountll(found) > judged / 2) {
        unsigned least = (unsigned)__builtin_ctzll(found);
        for (unsigned i = 0; i < count; i++)
            if (found >> i & 1 && values[i] < values[least])
                least = i;
        found &= ~(1ull << least);
    }
    return found;
}

static uint64_t failing(const double *shares, unsigned count)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < count; i++) {
        double others = median_of_others(shares, count, i);
        if (shares[i] >= failing_least && others >= 0 && others <= failing_others)
            found |= 1ull << i;
    }
    return found;
}

struct outliers outlier_look(struct outlier_server *const *servers, unsigned count)
{
    double latencies[SERVERS_MAX] = {0}, shares[SERVERS_MAX] = {0};
    struct outliers outliers = {0, 0};
    if (count > SERVERS_MAX)
        count = SERVERS_MAX;
    for (unsigned i = 0; i < count; i++) {
        const struct outlier_server *server = servers[i];
        latencies[i] = shares[i] = -1;
        if (server && server->latency_ns)
            latencies[i] = (double)server->latency_ns;
        if (server && server->tries >= OUTLIER_LEAST)
            shares[i] = server->failures / server->tries;
    }
    uint64_t slow = worst(beyond(latencies, count, slow_factor, slow_more_ns), latencies, count);
    uint64_t fails = worst(failing(shares, count), shares, count);
    for (unsigned i = 0; i < count; i++) {
        struct outlier_server *server = servers[i];
        if (!server)
            continue;
        server->slow_looks = slow >> i & 1 ? server->slow_looks + 1 : 0;
        server->failing_looks = fails >> i & 1 ? server->failing_looks + 1 : 0;
        outliers.slow |= (uint64_t)(server->slow_looks >= LOOKS) << i;
        outliers.failing |= (uint64_t)(server->failing_looks >= LOOKS) << i;
    }
    return outliers;
}

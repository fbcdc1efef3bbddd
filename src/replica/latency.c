#include "replica/latency.h"

#include <stdlib.h>

void latency_record(struct latency *latency, uint64_t ns)
{
    uint64_t us = ns / 1000;
    uint64_t n = atomic_load_explicit(&latency->recorded, memory_order_relaxed);
    atomic_store_explicit(&latency->us[n % LATENCY_KEPT], us > UINT32_MAX ? UINT32_MAX : us,
                          memory_order_relaxed);
    atomic_store_explicit(&latency->recorded, n + 1, memory_order_release);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void latency_quantiles(const struct latency *latency, uint64_t *p50_ns, uint64_t *p99_ns)
{
    uint32_t sorted[LATENCY_KEPT];
    uint64_t n = atomic_load_explicit(&latency->recorded, memory_order_acquire);
    if (n > LATENCY_KEPT)
        n = LATENCY_KEPT;
    for (uint64_t i = 0; i < n; i++)
        sorted[i] = (uint32_t)atomic_load_explicit(&latency->us[i], memory_order_relaxed);
    qsort(sorted, n, sizeof sorted[0], compare);
    *p50_ns = n == 0 ? 0 : sorted[n / 2] * 1000ull;
    *p99_ns = n == 0 ? 0 : sorted[n * 99 / 100] * 1000ull;
}

#include "balance/view.h"

#include <math.h>
#include <string.h>

enum { LEAST_NS = 100000000 /* between two looks that are compared */ };

static double rate(uint64_t before, uint64_t now, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0;
}

static int find(const struct balance_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->at[i].id == id)
            return (int)i;
    return -1;
}

/* How unevenly load falls: 0 is even. Of servers that are up, by what their weight asks for. */
static double spread_of(const struct balance_view *view)
{
    double sum = 0, squares = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < view->count; i++) {
        const struct view_backend *server = &view->at[i];
        if (server->state != HEALTH_UP || !server->weight)
            continue;
        double load = server->requests_per_s / server->weight;
        sum += load;
        squares += load * load;
        count++;
    }
    if (count < 2 || sum <= 0)
        return 0;
    double mean = sum / count, variance = squares / count - mean * mean;
    return variance > 0 ? sqrt(variance) / mean : 0;
}

static void roll_server(struct view_backend *server, const struct view_backend *before,
                        struct latency_decay *decay, double seconds)
{
    static const struct view_backend none;
    if (!before)
        before = &none;
    server->requests_per_s = rate(before->requests, server->requests, seconds);
    server->failures_per_s = rate(before->failures, server->failures, seconds);
    server->bytes_per_s = rate(before->bytes_in, server->bytes_in, seconds);
    latency_fade(decay, &before->latency, &server->latency, (uint64_t)(seconds * 1e9));
    server->p50_ns = latency_quantile(decay, 0.5);
    server->p95_ns = latency_quantile(decay, 0.95);
    server->p99_ns = latency_quantile(decay, 0.99);
}

/* A server that came or went has another place than before: its memory goes along. */
static void roll_servers(struct view_memory *memory, struct balance_view *view, double seconds)
{
    const struct balance_view *before = &memory->before;
    struct latency_decay kept[BACKENDS_MAX];
    for (unsigned i = 0; i < view->count; i++) {
        struct view_backend *server = &view->at[i];
        int place = find(before, server->id);
        kept[i] = place >= 0 ? memory->at[place] : (struct latency_decay){0};
        roll_server(server, place >= 0 ? &before->at[place] : NULL, &kept[i], seconds);
    }
    memcpy(memory->at, kept, view->count * sizeof *kept);
}

static void roll_totals(struct view_memory *memory, struct balance_view *view, double seconds)
{
    const struct view_totals *before = &memory->before.totals;
    struct view_totals *now = &view->totals;
    now->requests_per_s = rate(before->requests, now->requests, seconds);
    now->bytes_per_s = rate(before->bytes_out, now->bytes_out, seconds);
    now->shed_per_s = rate(before->shed, now->shed, seconds);
    now->retries_per_s = rate(before->retries, now->retries, seconds);
    now->hedges_per_s = rate(before->hedges, now->hedges, seconds);
    latency_fade(&memory->all, &before->latency, &now->latency, (uint64_t)(seconds * 1e9));
    now->p50_ns = latency_quantile(&memory->all, 0.5);
    now->p95_ns = latency_quantile(&memory->all, 0.95);
    now->p99_ns = latency_quantile(&memory->all, 0.99);
    now->p999_ns = latency_quantile(&memory->all, 0.999);
    for (unsigned i = 0; i < view->loop_count && i < memory->before.loop_count; i++)
        view->loops[i].requests_per_s =
            rate(memory->before.loops[i].requests, view->loops[i].requests, seconds);
    view->processor = rate(memory->before.process.cpu_ns, view->process.cpu_ns, seconds * 1e9);
    view->spread = spread_of(view);
}

void view_borrow(const struct view_memory *memory, struct balance_view *view)
{
    const struct balance_view *before = &memory->before;
    struct view_totals *now = &view->totals;
    const struct view_totals *then = &before->totals;
    now->requests_per_s = then->requests_per_s;
    now->bytes_per_s = then->bytes_per_s;
    now->shed_per_s = then->shed_per_s;
    now->retries_per_s = then->retries_per_s;
    now->hedges_per_s = then->hedges_per_s;
    now->p50_ns = then->p50_ns;
    now->p95_ns = then->p95_ns;
    now->p99_ns = then->p99_ns;
    now->p999_ns = then->p999_ns;
    view->spread = before->spread;
    view->processor = before->processor;
    for (unsigned i = 0; i < view->loop_count && i < before->loop_count; i++)
        view->loops[i].requests_per_s = before->loops[i].requests_per_s;
    for (unsigned i = 0; i < view->count; i++) {
        int place = find(before, view->at[i].id);
        if (place < 0)
            continue;
        view->at[i].requests_per_s = before->at[place].requests_per_s;
        view->at[i].failures_per_s = before->at[place].failures_per_s;
        view->at[i].bytes_per_s = before->at[place].bytes_per_s;
        view->at[i].p50_ns = before->at[place].p50_ns;
        view->at[i].p95_ns = before->at[place].p95_ns;
        view->at[i].p99_ns = before->at[place].p99_ns;
    }
}

void view_roll(struct view_memory *memory, struct balance_view *view)
{
    const struct balance_view *before = &memory->before;
    bool first = before->now_ns == 0;
    uint64_t since = first ? view->started_ns : before->now_ns;
    uint64_t elapsed = view->now_ns > since ? view->now_ns - since : 0;
    if (elapsed < LEAST_NS) {
        view_borrow(memory, view);
        return;
    }
    roll_totals(memory, view, (double)elapsed / 1e9);
    roll_servers(memory, view, (double)elapsed / 1e9);
    view->spread = spread_of(view);
    memory->before = *view;
}

#include "balance/tunnel.h"

#include "balance/forward.h"

/* What the client sends; empty: it has closed its half. */
static enum sink_verdict take(struct exchange *x, struct str bytes)
{
    struct forward *f = x->state;
    struct upstream *line = f->winner ? f->winner->line : NULL;
    if (!line)
        return SINK_MORE; /* the server has closed: nobody wants it */
    if (bytes.len == 0) {
        upstream_shut(line);
        return SINK_MORE;
    }
    buf_str(upstream_out(line), bytes);
    upstream_send(line);
    return upstream_crowded(line) ? SINK_PAUSE : SINK_MORE;
}

static const struct body_sink sink = {.data = take};

void tunnel_begin(struct forward *f, const struct body_source *source)
{
    struct lane_figures *figures = &f->lane->figures;
    f->tunnel = true;
    lane_count(&figures->tunnels, 1);
    atomic_fetch_add_explicit(&figures->tunnels_open, 1, memory_order_relaxed);
    exchange_upgrade(f->x, &sink, source);
}

void tunnel_end(struct forward *f)
{
    f->tunnel = false;
    atomic_fetch_sub_explicit(&f->lane->figures.tunnels_open, 1, memory_order_relaxed);
}

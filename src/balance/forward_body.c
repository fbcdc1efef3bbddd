#include "balance/forward.h"

#include <stdio.h>

/* One piece, framed as the head said. */
static void put_piece(struct forward *f, struct buf *out, struct str bytes)
{
    char size[24];
    if (f->x->content_length >= 0) {
        buf_str(out, bytes);
        return;
    }
    int len = snprintf(size, sizeof size, "%zx\r\n", bytes.len);
    buf_put(out, size, (size_t)len);
    buf_str(out, bytes);
    buf_str(out, STR("\r\n"));
}

static void put_end(struct forward *f, struct attempt *attempt)
{
    if (f->x->content_length < 0)
        buf_str(upstream_out(attempt->line), STR("0\r\n\r\n"));
    upstream_written(attempt->line);
}

/* More has come than is kept: from here on it cannot be sent again. While nothing of it has left,
 * no more comes than there is room for. */
static void let_go(struct forward *f, const struct attempt *attempt)
{
    if (!f->kept || f->body_seen <= f->lane->config->replay_bytes || attempt->line->sent == 0)
        return;
    f->kept = false;
    buf_close(&f->beginning);
}

void forward_send_body(struct forward *f, struct attempt *attempt)
{
    struct buf *out = upstream_out(attempt->line);
    if (!f->streamed) {
        buf_str(out, f->x->body);
        upstream_written(attempt->line);
        return;
    }
    if (f->beginning.len)
        put_piece(f, out, buf_text(&f->beginning));
    let_go(f, attempt);
    if (f->body_complete)
        put_end(f, attempt);
    else if (!upstream_crowded(attempt->line))
        exchange_nudge(f->x); /* it may have paused for want of somewhere to go */
}

/* The attempt that the body goes to; NULL: none is under way. There are no hedges of a body. */
static struct attempt *taker_of(struct forward *f)
{
    return f->attempts[0].line ? &f->attempts[0] : NULL;
}

/* False: there is no memory for it, and nowhere else to put it. */
static bool keep(struct forward *f, struct str bytes)
{
    if (!f->kept)
        return true;
    buf_str(&f->beginning, bytes);
    if (!f->beginning.failed)
        return true;
    f->kept = false; /* half a body must never be sent again */
    buf_close(&f->beginning);
    if (taker_of(f))
        return true;
    forward_wait_ends(f);
    forward_fail(f, 503, "The load manager is out of memory.");
    return false;
}

static enum sink_verdict take(struct exchange *x, struct str bytes)
{
    struct forward *f = x->state;
    struct attempt *attempt = taker_of(f);
    if (f->given || !f->lane)
        return f->given ? SINK_STOP : SINK_PAUSE;
    f->body_seen += bytes.len;
    f->heard_ns = lane_now(f->lane); /* no server is late as long as it comes */
    f->deadline_ns = f->heard_ns + f->lane->config->answer_ns;
    if (!keep(f, bytes))
        return SINK_STOP;
    if (!attempt)
        return f->body_seen > f->lane->config->replay_bytes ? SINK_PAUSE : SINK_MORE;
    put_piece(f, upstream_out(attempt->line), bytes);
    upstream_send(attempt->line);
    let_go(f, attempt);
    return upstream_crowded(attempt->line) ? SINK_PAUSE : SINK_MORE;
}

const struct body_sink forward_sink = {.data = take};

void forward_body_ends(struct forward *f)
{
    struct attempt *attempt = taker_of(f);
    f->body_complete = true;
    if (!attempt)
        return;
    put_end(f, attempt);
    upstream_send(attempt->line);
    forward_answer_may_go(f);
}

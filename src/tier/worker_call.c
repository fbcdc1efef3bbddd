/* One request of a worker, between its slot's pipes and the connection core. */
#include "base/check.h"
#include "base/clock.h"
#include "tier/worker_inner.h"

#include <stdlib.h>

enum {
    UNTOLD_NS = 50000, /* how late a front is told, at most */
    PIECES = 16,
    PUMPED_AT_ONCE = 256 << 10, /* of one answer, before others have their turn */
};

/* ---- The end of a request ---- */

static void set_stalled(struct worker_call *call, bool stalled)
{
    struct worker *worker = call->worker;
    worker->stalled = worker->stalled - call->stalled + stalled;
    call->stalled = stalled;
}

void worker_call_forget(struct worker_call *call)
{
    struct worker *worker = call->worker;
    set_stalled(call, false);
    worker->of[call->slot] = NULL;
    list_remove(&call->touched);
    list_remove(&call->node);
    http_conn_free(call->http);
    worker->open--;
    free(call);
}

void worker_count(_Atomic uint64_t *counter, uint64_t add)
{
    atomic_fetch_add_explicit(counter, add, memory_order_relaxed);
}

/* A front that has been told wakes, and has little to do for one answer. */
void worker_tell_fronts(struct worker *worker)
{
    for (unsigned i = 0; i < worker->untold_count; i++)
        queue_tell_front(worker->queue, worker->untold[i]);
    worker->untold_count = 0;
}

/* Where work takes long, an answer does not wait for the next one. */
void worker_tell_soon(struct worker *worker, unsigned slot, uint64_t work_ns)
{
    uint64_t now_ns = clock_mono_ns();
    worker->usual_ns = worker->usual_ns - worker->usual_ns / 8 + work_ns / 8;
    if (worker->untold_count == 0)
        worker->untold_ns = now_ns;
    worker->untold[worker->untold_count++] = slot;
    if (worker->untold_count == UNTOLD_MAX || worker->usual_ns > UNTOLD_NS ||
        now_ns - worker->untold_ns > UNTOLD_NS)
        worker_tell_fronts(worker);
    else
        loop_soon(worker->loop, &worker->tell_soon);
}

void worker_tell_now(struct soon *soon)
{
    worker_tell_fronts(CONTAINER_OF(soon, struct worker, tell_soon));
}

void worker_call_end(struct worker_call *call)
{
    struct worker *worker = call->worker;
    unsigned slot = call->slot;
    uint64_t work_ns = call->work_ns;
    struct pipe down = queue_down(worker->queue, slot);
    worker_call_forget(call);
    pipe_end(&down);
    worker_count(&worker->handled, 1);
    worker_count(&worker->busy_ns, work_ns);
    if (queue_done(worker->queue, slot, work_ns))
        worker_tell_soon(worker, slot, work_ns);
}

/* ---- Bytes ---- */

static void feed(struct worker_call *call)
{
    struct queue *queue = call->worker->queue;
    struct pipe up = queue_up(queue, call->slot);
    struct iovec pieces[2];
    bool taken = false;
    while (http_conn_wants_input(call->http) && pipe_peek(&up, pieces) > 0) {
        http_conn_receive(call->http, pieces[0].iov_base, pieces[0].iov_len,
                          call->worker->dispatcher.now_ns);
        pipe_take(&up, pieces[0].iov_len);
        taken = true;
    }
    if (taken && !pipe_has_ended(&up))
        queue_tell_front(queue, call->slot);
}

/* How many bytes there was room for. */
static size_t put(struct pipe *down, const struct iovec *pieces, int count, bool *full)
{
    size_t sent = 0;
    for (int i = 0; i < count && !*full; i++) {
        size_t len = pipe_put(down, pieces[i].iov_base, pieces[i].iov_len);
        *full = len < pieces[i].iov_len;
        sent += len;
    }
    return sent;
}

/* False: there is no room for the rest, and the front has been told what there is; or it is enough
 * for now, though the front makes room as fast as it is filled, and this worker looks at it again.
 */
static bool pump(struct worker_call *call)
{
    struct worker *worker = call->worker;
    struct pipe down = queue_down(worker->queue, call->slot);
    struct iovec pieces[PIECES];
    bool full = false;
    size_t pumped = 0;
    int n = 0;
    while (!full && pumped < PUMPED_AT_ONCE &&
           (n = http_conn_output(call->http, pieces, PIECES)) > 0) {
        size_t sent = put(&down, pieces, n, &full);
        http_conn_sent(call->http, sent, worker->dispatcher.now_ns);
        pumped += sent;
    }
    set_stalled(call, full);
    if (full)
        queue_tell_front(worker->queue, call->slot);
    else if (n > 0)
        queue_tell_worker(worker->queue, call->slot);
    return !full && n <= 0;
}

void worker_call_turn(struct worker_call *call)
{
    uint64_t begun_ns = clock_mono_ns();
    feed(call);
    bool sent = pump(call);
    call->work_ns += clock_mono_ns() - begun_ns;
    if (sent && http_conn_finished(call->http))
        worker_call_end(call);
}

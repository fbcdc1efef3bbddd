#include "web/gate.h"

#include "base/check.h"
#include "base/clock.h"
#include "web/api.h"
#include "web/call.h"
#include "web/change_ring.h"
#include "web/inner.h"
#include "web/pass.h"
#include "web/relay.h"
#include "web/session.h"
#include "web/token.h"

#define HEADER "Stoa-Session"

/* One wait. In the exchange's arena; the exchange lives until it is over. */
struct gate {
    struct exchange *x;
    gate_then *then, *late;
    struct submission barrier;
    struct awaiting awaiting;
    bool after; /* a command of X has been applied: X must not be done again elsewhere */
    int err;
};

static bool is_alone(const struct exchange *x)
{
    const struct web_settings *settings = &call_web(x)->settings;
    return !settings->cluster.status && !settings->writer.in_cluster;
}

/* ---- Tokens ---- */

static struct token_scope scope_of(const struct exchange *x)
{
    const struct web_cluster *cluster = &call_web(x)->settings.cluster;
    return (struct token_scope){cluster->id, cluster->generation};
}

static uint64_t index_in(struct exchange *x, struct str text)
{
    struct token_scope scope = scope_of(x);
    uint64_t index = 0;
    if (text.at && token_read(call_thread(x)->signer, &scope, text, &index))
        return 0; /* of another cluster, or made up: as if there were none */
    return index;
}

/* What X says it has seen; 0: nothing that we believe. */
static uint64_t read_given(struct exchange *x)
{
    uint64_t header = index_in(x, exchange_header(x, STR(HEADER)));
    uint64_t cookie = index_in(x, session_seen(x));
    return header > cookie ? header : cookie;
}

static uint64_t given(struct exchange *x)
{
    struct call *call = call_of(x);
    if (!call->token_read)
        call->given = read_given(x);
    call->token_read = true;
    return call->given;
}

bool gate_is_open(struct exchange *x)
{
    struct ordering *order = call_web(x)->settings.order;
    return is_alone(x) || (order && read_given(x) <= order_applied(order));
}

void gate_saw(struct exchange *x, uint64_t index)
{
    struct call *call = call_of(x);
    if (index > call->seen)
        call->seen = index;
}

/* Nobody can be behind: no other server, and no process elsewhere that keeps pages (far.h). */
static bool is_only_one(const struct exchange *x)
{
    const struct change_ring *changes = call_web(x)->settings.changes;
    return is_alone(x) && !(changes && change_ring_is_heard(changes));
}

/* A server that is alone reads without a view of its own; what it has by now is at least that. */
static void note_read(struct exchange *x)
{
    const struct route *route = call_of(x)->route;
    struct ordering *order = call_web(x)->settings.order;
    if (is_alone(x) && order && route && route->gate != GATE_OFF)
        gate_saw(x, order_applied(order));
}

/* The answer is complete: it says how far X has seen now, if that is news. */
static void tell(struct exchange *x)
{
    struct token_scope scope = scope_of(x);
    struct call *call = call_of(x);
    char text[TOKEN_TEXT];
    if (is_only_one(x))
        return;
    note_read(x);
    if (call->seen <= given(x))
        return;
    token_write(call_thread(x)->signer, &scope, call->seen, text);
    struct str token = arena_str(&x->arena, str_of(text));
    if (!token.len)
        return;
    if (call->face == FACE_PAGES)
        session_keep_seen(x, token);
    else
        exchange_add_header(x, STR(HEADER), token);
}

void gate_finish(struct exchange *x, enum app_verdict verdict)
{
    CHECK(verdict != APP_WORK);
    if (verdict == APP_LATER)
        return;
    tell(x);
    exchange_finish(x);
}

/* ---- The handler ---- */

/* Runs THEN in one view of this copy. What it shows is marked before: when THEN submits a
 * command from a helper's thread, X may be somebody else's when it returns. */
static enum app_verdict run(struct exchange *x, gate_then *then)
{
    struct reader *reader = call_reader(x);
    uint64_t index;
    int err = reader_begin(reader, &index);
    if (err)
        return call_fail_err(x, err);
    gate_saw(x, index);
    enum app_verdict verdict = then(x);
    reader_end(reader);
    return verdict;
}

/* A page of no gate is a moment old here and there; but a process elsewhere keeps it, and has
 * promised its shopper more (far.h). */
static bool is_behind_far(struct exchange *x)
{
    struct ordering *order = call_web(x)->settings.order;
    return order && call_of(x)->far && given(x) > order_applied(order);
}

/* Whether the handler of X's route will read what must not be old. */
static bool is_gated(struct exchange *x)
{
    struct id cart;
    if (is_alone(x))
        return false;
    switch (call_of(x)->route->gate) {
    case GATE_OFF:
        return is_behind_far(x);
    case GATE_CART:
        return session_cart_id(x, &cart);
    case GATE_READ:
        return true;
    }
    return true;
}

static enum app_verdict handle_gated(struct exchange *x)
{
    const struct route *route = call_of(x)->route;
    return route->kind == ROUTE_WORK ? APP_WORK : run(x, route->handle);
}

enum app_verdict gate_work(struct exchange *x)
{
    gate_then *handle = call_of(x)->route->handle;
    enum app_verdict verdict = is_gated(x) ? run(x, handle) : handle(x);
    if (verdict == APP_DONE)
        tell(x);
    return verdict;
}

static void work(struct exchange *x)
{
    CHECK(gate_work(x) == APP_DONE);
}

static void worked(struct exchange *x)
{
    exchange_finish(x);
}

/* A step has come to VERDICT: as gate_finish, but there may be work for a helper. */
static void go_on(struct exchange *x, enum app_verdict verdict)
{
    if (verdict == APP_WORK)
        exchange_offload(x, work, worked);
    else
        gate_finish(x, verdict);
}

/* ---- Waiting ---- */

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void relay(struct exchange *x)
{
    struct failure failure;
    count(&call_web(x)->relayed);
    int err = relay_to_primary(x, RELAY_MS, &failure);
    if (!err)
        return;
    relay_note(x, &failure);
    /* A read that came to nothing may be done again by anyone. */
    call_fail_err(x, err == ERR_TIMEOUT && x->method != HTTP_GET ? err : ERR_NOPRIMARY);
}

/* This copy is too far behind for X. */
static void is_late(struct exchange *x, const struct gate *gate)
{
    if (gate->late)
        go_on(x, gate->late(x));
    else if (gate->after || relay_is_refused(x))
        go_on(x, call_fail_err(x, ERR_NOPRIMARY));
    else
        exchange_offload(x, relay, worked);
}

static void awaited_step(struct exchange *x)
{
    const struct gate *gate = call_of(x)->gate;
    if (!gate->err)
        go_on(x, gate->then(x));
    else if (gate->err == ERR_TIMEOUT)
        is_late(x, gate);
    else
        go_on(x, call_fail_err(x, gate->err));
}

static void awaited(struct awaiting *awaiting, int err)
{
    struct gate *gate = CONTAINER_OF(awaiting, struct gate, awaiting);
    gate->err = err;
    exchange_continue(gate->x, awaited_step);
}

/* True: this copy has INDEX. False: awaited_step comes. */
static bool has(struct exchange *x, struct gate *gate, uint64_t index)
{
    struct web *web = call_web(x);
    gate->awaiting.index = index;
    gate->awaiting.deadline_ns = clock_mono_ns() + GATE_WAIT_MS * MS_NS;
    gate->awaiting.done = awaited;
    bool here = order_await(web->settings.order, &gate->awaiting);
    if (!here)
        count(&web->gate_waits);
    return here;
}

static void barred_step(struct exchange *x)
{
    struct gate *gate = call_of(x)->gate;
    if (gate->err) /* it asks for nothing, so that nothing of unknown fate can be left */
        go_on(x, call_fail_err(x, gate->err == ERR_TIMEOUT ? ERR_NOPRIMARY : gate->err));
    else if (has(x, gate, gate->awaiting.index))
        go_on(x, gate->then(x));
}

static void barred(struct submission *barrier, int err, uint64_t index, struct str result)
{
    struct gate *gate = CONTAINER_OF(barrier, struct gate, barrier);
    (void)result;
    gate->err = err;
    gate->awaiting.index = index;
    exchange_continue(gate->x, barred_step);
}

static struct gate *gate_new(struct exchange *x, gate_then *then)
{
    struct gate *gate = ARENA_NEW(&x->arena, struct gate);
    if (gate)
        *gate = (struct gate){.x = x, .then = then};
    call_of(x)->gate = gate;
    return gate;
}

/* Runs THEN once this copy has what X has seen, or all that is acknowledged. */
static enum app_verdict pass(struct exchange *x, gate_then *then)
{
    uint64_t index = given(x);
    if (index && index <= order_applied(call_web(x)->settings.order))
        return then(x);
    struct gate *gate = gate_new(x, then);
    if (!gate)
        return call_fail_err(x, ERR_NOMEM);
    if (index)
        return has(x, gate, index) ? then(x) : APP_LATER;
    count(&call_web(x)->gate_barriers);
    gate->barrier = (struct submission){.done = barred, .deadline_ms = GATE_WAIT_MS};
    int err = order_submit(call_web(x)->settings.order, &gate->barrier);
    return err ? call_fail_err(x, err) : APP_LATER;
}

/* Files are the same everywhere. */
static bool shows_the_shop(const struct route *route)
{
    static const char *const files[] = {"/assets/", "/pictures/", "/media/", "/favicon", "/robots"};
    struct str pattern = str_of(route->pattern);
    if ((route->face != FACE_PAGES && route->face != FACE_UCP) || pass_is_own(route))
        return false;
    for (unsigned i = 0; i < COUNT_OF(files); i++)
        if (str_starts(pattern, str_of(files[i])))
            return false;
    return true;
}

/* ---- On a reader ---- */

/* The view tells how far this copy is; without a token only the writer knows what is acknowledged.
 */
static enum app_verdict read_here(struct exchange *x)
{
    struct reader *reader = call_reader(x);
    uint64_t index, least = given(x);
    int err = reader_begin(reader, &index);
    if (err)
        return call_fail_err(x, err);
    if (!least || index < least) {
        reader_end(reader);
        return pass_on(x);
    }
    gate_saw(x, index);
    enum app_verdict verdict = call_of(x)->route->handle(x);
    reader_end(reader);
    return verdict;
}

static bool needs_reader(const struct route *route)
{
    return route->face == FACE_OPERATOR || shows_the_shop(route);
}

static enum app_verdict handle_on_reader(struct exchange *x)
{
    const struct route *route = call_of(x)->route;
    const struct web_writer *writer = &call_web(x)->settings.writer;
    bool own = pass_is_own(route), gated = is_gated(x);
    /* What is asked of the server is not this process's to say. But changes are told by pages' tags
     * that they belong to, and those only the server could give. */
    if (own && inner_is_client(x) && route->handle != api_changes)
        return pass_on(x);
    if (!own && (!pass_reads(route, writer->in_cluster) || !writer->same(writer->context)))
        return pass_on(x);
    if (inner_is_client(x) && needs_reader(route) && !call_reader(x))
        return pass_on(x);
    if (!gated)
        return route->kind == ROUTE_WORK ? APP_WORK : route->handle(x);
    /* Of those that may take long the operator's alone are gated. */
    return route->kind == ROUTE_WORK ? pass_on(x) : read_here(x);
}

/* ---- On a backup that serves no shoppers ---- */

bool gate_is_aside(const struct exchange *x)
{
    struct ordering *order = call_web(x)->settings.order;
    return order && !is_alone(x) && order_is_aside(order);
}

/* Without a primary what is here is better than nothing. */
static bool is_for_primary(const struct exchange *x, const struct route *route)
{
    return gate_is_aside(x) && shows_the_shop(route) && !relay_is_refused(x);
}

/* ---- Entrances ---- */

enum app_verdict gate_handle(struct exchange *x)
{
    const struct route *route = call_of(x)->route;
    enum app_verdict verdict;
    if (is_for_primary(x, route)) {
        exchange_offload(x, relay, worked);
        return APP_LATER;
    }
    if (pass_is_reader(x))
        verdict = handle_on_reader(x);
    else if (is_gated(x))
        verdict = pass(x, handle_gated);
    else
        verdict = route->kind == ROUTE_WORK ? APP_WORK : route->handle(x);
    if (verdict == APP_DONE)
        tell(x);
    return verdict;
}

static enum app_verdict run_read(struct exchange *x)
{
    return run(x, call_of(x)->read);
}

enum app_verdict gate_read(struct exchange *x, gate_then *then)
{
    call_of(x)->read = then;
    return is_alone(x) ? then(x) : pass(x, run_read);
}

enum app_verdict gate_after(struct exchange *x, uint64_t index, gate_then *then, gate_then *late)
{
    call_of(x)->read = then;
    if (is_alone(x))
        return then(x);
    struct gate *gate = gate_new(x, run_read);
    if (!gate)
        return call_fail_err(x, ERR_NOMEM);
    gate->late = late;
    gate->after = true;
    return has(x, gate, index) ? run_read(x) : APP_LATER;
}

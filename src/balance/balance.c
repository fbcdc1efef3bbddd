#include "balance/balance_inner.h"
#include "balance/events.h"
#include "balance/forward.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

static struct balance *balance_of(struct app *app)
{
    return CONTAINER_OF(app, struct balance, app);
}

/* ---- What the engine asks for ---- */

static void answer_without_memory(struct exchange *x)
{
    exchange_reply(x, 503, STR("text/plain"), STR("The load manager is out of memory.\n"));
}

/* What no server is to see: TRACE would show a page what its browser keeps from it (cookies). */
static bool ends_here(struct exchange *x)
{
    bool trace = str_eq(x->method_name, STR("TRACE"));
    if (!trace && !hop_is_last(x))
        return false;
    exchange_add_header(x, STR("Allow"), STR("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
    exchange_reply(x, trace ? 405 : 204, trace ? STR("text/plain") : STR(""),
                   trace ? STR("TRACE is not passed on.\n") : STR(""));
    return true;
}

static void on_accept(struct app *app, struct exchange *x)
{
    struct lane *lane = x->thread_state;
    uint32_t most = balance_of(app)->config.replay_bytes;
    if (ends_here(x))
        return;
    x->wants_upgrade = x->wants_upgrade && hop_may_upgrade(x);
    if (!x->has_body || (x->content_length >= 0 && x->content_length <= (int64_t)most)) {
        x->body_limit = most;
        return;
    }
    struct forward *f = forward_open(lane, x);
    if (!f) {
        answer_without_memory(x);
        return;
    }
    x->body_limit = UINT64_MAX;
    x->sink = &forward_sink;
    f->streamed = true;
    forward_begin(f);
}

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    struct forward *f = x->state;
    (void)app;
    if (f && f->streamed) {
        if (f->given)
            return APP_DONE;
        f->in_app = true;
        forward_body_ends(f);
        return APP_LATER;
    }
    f = forward_open(x->thread_state, x);
    if (!f) {
        answer_without_memory(x);
        return APP_DONE;
    }
    f->in_app = true;
    forward_begin(f);
    return APP_LATER;
}

static enum app_verdict on_work(struct app *app, struct exchange *x)
{
    (void)app, (void)x;
    check_failed(__FILE__, __LINE__, "the load manager never gives work to helpers");
}

/* For balance_look: in place of BEFORE there is NOW. */
static void show_lane(struct balance *balance, struct lane *before, struct lane *now)
{
    pthread_mutex_lock(&balance->lock);
    for (unsigned i = 0; i < VIEW_LOOPS_MAX; i++) {
        if (balance->lanes[i] != before)
            continue;
        balance->lanes[i] = now;
        break;
    }
    pthread_mutex_unlock(&balance->lock);
}

static void *on_thread_start(struct app *app, struct loop *loop)
{
    struct balance *balance = balance_of(app);
    if (!loop)
        return balance; /* a helper: anything but NULL */
    struct lane_plan plan = {
        .config = &balance->config,
        .trusted = balance->trusted,
        .trusted_count = balance->config.trusted_count,
        .members = balance->members,
        .events = balance->events,
        .lanes = &balance->lane_count,
    };
    struct lane *lane = lane_new(&plan, loop);
    show_lane(balance, NULL, lane);
    return lane;
}

static void on_thread_stop(struct app *app, void *thread_state)
{
    struct balance *balance = balance_of(app);
    if (thread_state == balance)
        return;
    show_lane(balance, thread_state, NULL);
    lane_free(thread_state);
}

/* ---- Being made and freed ---- */

static int begin(struct balance *balance, struct failure *failure)
{
    const struct balance_config *config = &balance->config;
    for (unsigned i = 0; i < config->trusted_count; i++) {
        int err = network_parse(str_of(config->trusted[i]), &balance->trusted[i], failure);
        if (err)
            return err;
    }
    int err = events_new(config->log, &balance->events, failure);
    return err ? err : members_new(config, balance->events, &balance->members, failure);
}

int balance_new(const struct balance_config *config, struct balance **out, struct failure *failure)
{
    struct balance *balance = calloc(1, sizeof *balance);
    if (!balance)
        return fail(failure, ERR_NOMEM, "no memory for the load manager");
    balance->config = *config;
    balance->started_ns = clock_mono_ns();
    pthread_mutex_init(&balance->lock, NULL);
    /* Or backups would be made, and closed, for ever. */
    if (config->idle_connections < config->backup_connections)
        balance->config.idle_connections = config->backup_connections;
    balance->app = (struct app){
        .name = "balance",
        .accept = on_accept,
        .handle = on_handle,
        .work = on_work,
        .thread_start = on_thread_start,
        .thread_stop = on_thread_stop,
    };
    int err = begin(balance, failure);
    if (err) {
        balance_free(balance);
        return err;
    }
    *out = balance;
    return 0;
}

struct app *balance_app(struct balance *balance)
{
    return &balance->app;
}

void balance_free(struct balance *balance)
{
    if (!balance)
        return;
    members_free(balance->members);
    events_free(balance->events);
    pthread_mutex_destroy(&balance->lock);
    free(balance);
}

int balance_drain(struct balance *balance, uint64_t id, bool drain)
{
    return members_drain(balance->members, id, drain);
}

struct events *balance_events(struct balance *balance)
{
    return balance->events;
}

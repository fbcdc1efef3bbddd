#include "balance/members_inner.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/random.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>

/* How long members_new waits for the first set. */
#define FIRST_NS (500 * MS_NS)

/* ---- News for the loops ---- */

static void run_post(struct post *post)
{
    struct member_post *to = CONTAINER_OF(post, struct member_post, post);
    atomic_store_explicit(&to->under_way, false, memory_order_release);
    if (to->news)
        to->news->changed(to->news);
}

static void tell_loops(struct members *members)
{
    pthread_mutex_lock(&members->lock);
    LIST_EACH(&members->posts, node)
    {
        struct member_post *to = CONTAINER_OF(node, struct member_post, node);
        if (to->loop && !atomic_exchange_explicit(&to->under_way, true, memory_order_acq_rel))
            loop_post(to->loop, &to->post);
    }
    pthread_mutex_unlock(&members->lock);
}

int members_listen(struct members *members, struct loop *loop, struct member_news *news)
{
    struct member_post *to = calloc(1, sizeof *to);
    if (!to)
        return ERR_NOMEM;
    to->post.run = run_post;
    to->loop = loop;
    to->news = news;
    news->post = to;
    pthread_mutex_lock(&members->lock);
    list_append(&members->posts, &to->node);
    pthread_mutex_unlock(&members->lock);
    return ERR_OK;
}

void members_unlisten(struct members *members, struct member_news *news)
{
    struct member_post *to = news->post;
    if (!to)
        return;
    pthread_mutex_lock(&members->lock);
    to->loop = NULL;
    pthread_mutex_unlock(&members->lock);
    to->news = NULL;
    news->post = NULL;
}

/* ---- The set ---- */

struct backend_set *members_set(struct members *members)
{
    pthread_mutex_lock(&members->lock);
    struct backend_set *set = backend_set_hold(members->set);
    pthread_mutex_unlock(&members->lock);
    return set;
}

void members_publish(struct members *members, struct backend_set *set)
{
    pthread_mutex_lock(&members->lock);
    struct backend_set *old = members->set;
    members->set = set;
    members->set_known = true;
    pthread_cond_broadcast(&members->known);
    pthread_mutex_unlock(&members->lock);
    checks_set(members->checks, set);
    backend_set_drop(old);
    tell_loops(members);
    members_tell_panic(members);
}

/* The operator and the cluster, each for himself, may want that nothing new goes there. */
void members_drain_now(struct backend *backend)
{
    bool drain = atomic_load(&backend->held) || atomic_load(&backend->leaving);
    backend_sign(backend, drain ? SIGN_DRAIN : SIGN_RETURN, clock_mono_ns());
}

int members_drain(struct members *members, uint64_t id, bool drain)
{
    pthread_mutex_lock(&members->drains);
    struct backend_set *set = members_set(members);
    struct backend *backend = backend_set_find(set, id);
    if (backend) {
        atomic_store(&backend->held, drain);
        members_drain_now(backend);
    }
    pthread_mutex_unlock(&members->drains);
    backend_set_drop(set);
    return backend ? ERR_OK : ERR_NOTFOUND;
}

/* Any thread. */
static void backend_changed(struct backend_watcher *watcher, struct backend *backend,
                            enum health_state before, enum health_state now, enum health_sign sign)
{
    struct members *members = CONTAINER_OF(watcher, struct members, watcher);
    tell_loops(members);
    members_tell_state(members, backend, before, now, sign);
    members_tell_panic(members);
    bool wrong = now == HEALTH_OUT || now == HEALTH_SUSPECT;
    if (wrong && !atomic_exchange_explicit(&members->hurried, true, memory_order_acq_rel))
        loop_post(members->loop, &members->hurry);
}

static void backend_slowed(struct backend_watcher *watcher, struct backend *backend, uint32_t now)
{
    struct members *members = CONTAINER_OF(watcher, struct members, watcher);
    members_tell_slow(members, backend, now);
}

static void run_hurry(struct post *post)
{
    struct members *members = CONTAINER_OF(post, struct members, hurry);
    atomic_store_explicit(&members->hurried, false, memory_order_release);
    if (members->learn)
        learn_hurry(members->learn);
}

/* ---- Fixed upstreams ---- */

static struct backend *fixed_one(struct members *members, unsigned place, struct failure *failure)
{
    const struct balance_config *config = members->config;
    const struct balance_seed *seed = &config->upstreams[place];
    char host[ROSTER_HOST], url[BACKEND_URL];
    struct backend_plan plan = {
        .id = place + 1,
        .name = host,
        .url = url,
        .proxy_header = config->proxy_out,
        .weight = seed->weight ? seed->weight : POLICY_WEIGHT,
        .limit = config->limit,
        .rules = config->health,
        .watcher = &members->watcher,
    };
    bool tls;
    if (roster_url(str_of(seed->url), &tls, host, failure) != ERR_OK ||
        endpoint_resolve(str_of(host), false, &plan.address, failure) != ERR_OK)
        return NULL;
    snprintf(url, sizeof url, "%s://%s", tls ? "https" : "http", host);
    plan.tls_context = tls ? members->tls_context : NULL;
    struct backend *backend = backend_new(&plan, clock_mono_ns());
    if (!backend)
        fail(failure, ERR_NOMEM, "no memory for the list of servers");
    return backend;
}

static int fixed_begin(struct members *members, struct failure *failure)
{
    struct backend_set *set = backend_set_new(1);
    if (!set)
        return fail(failure, ERR_NOMEM, "no memory for the list of servers");
    for (unsigned i = 0; i < members->config->upstream_count; i++) {
        struct backend *backend = fixed_one(members, i, failure);
        if (!backend) {
            backend_set_drop(set);
            return failure->err;
        }
        set->at[set->count++] = backend;
    }
    members_publish(members, set);
    return ERR_OK;
}

/* ---- Beginning and ending ---- */

static void *run_watcher(void *context)
{
    struct members *members = context;
    loop_run(members->loop);
    return NULL;
}

static void await_first(struct members *members)
{
    uint64_t until = clock_mono_ns() + FIRST_NS;
    pthread_mutex_lock(&members->lock);
    while (!members->set_known && cond_wait_until(&members->known, &members->lock, until))
        ;
    pthread_mutex_unlock(&members->lock);
}

/* A context is made when a URL of the configuration needs one, and for a cluster, whose members
 * say themselves how they are reached. */
static int tls_begin(struct members *members, struct failure *failure)
{
    const struct balance_config *config = members->config;
    bool needed = config->server_count > 0 || config->authority[0]; /* what is wrong is told now */
    for (unsigned i = 0; i < config->upstream_count; i++)
        needed |= str_starts(str_of(config->upstreams[i].url), STR("https://"));
    if (!needed)
        return ERR_OK;
    const char *authority = config->authority[0] ? config->authority : NULL;
    members->tls_context = tls_context_client(authority, !config->insecure, failure);
    return members->tls_context ? ERR_OK : failure->err;
}

static int begin(struct members *members, struct failure *failure)
{
    uint64_t seed;
    random_secret(&seed, sizeof seed);
    struct check_settings settings = {
        .check_ns = members->config->check_ns,
        .silent_ns = members->config->silent_ns,
        .path = members->config->check_path,
        .seed = seed,
    };
    members->loop = loop_new(failure);
    if (!members->loop)
        return failure->err;
    members->set = backend_set_new(0);
    members->checks = checks_new(members->loop, &settings);
    if (!members->set || !members->checks)
        return fail(failure, ERR_NOMEM, "no memory for the list of servers");
    int err = tls_begin(members, failure);
    if (!err)
        err = members->config->upstream_count ? fixed_begin(members, failure)
                                              : members_cluster_begin(members, failure);
    return err;
}

static int start(struct members *members, struct failure *failure)
{
    int err = begin(members, failure);
    if (err)
        return err;
    int reason = thread_start(&members->thread, "stoa-watch", run_watcher, members);
    if (reason)
        return fail(failure, ERR_IO, "cannot start the watcher thread: %s", strerror(reason));
    members->started = true;
    await_first(members);
    return ERR_OK;
}

int members_new(const struct balance_config *config, struct events *events, struct members **out,
                struct failure *failure)
{
    struct members *members = calloc(1, sizeof *members);
    if (!members)
        return fail(failure, ERR_NOMEM, "no memory for the list of servers");
    members->config = config;
    members->events = events;
    members->watcher = (struct backend_watcher){backend_changed, backend_slowed};
    members->hurry.run = run_hurry;
    list_init(&members->posts);
    pthread_mutex_init(&members->lock, NULL);
    pthread_mutex_init(&members->drains, NULL);
    cond_init(&members->known);
    int err = start(members, failure);
    if (err) {
        members_free(members);
        return err;
    }
    *out = members;
    return ERR_OK;
}

void members_free(struct members *members)
{
    if (!members)
        return;
    if (members->started) {
        loop_stop(members->loop);
        pthread_join(members->thread, NULL);
    }
    members_cluster_end(members);
    checks_free(members->checks);
    backend_set_drop(members->set);
    tls_context_free(members->tls_context);
    LIST_EACH(&members->posts, node)
    free(CONTAINER_OF(node, struct member_post, node));
    loop_free(members->loop);
    pthread_cond_destroy(&members->known);
    pthread_mutex_destroy(&members->lock);
    pthread_mutex_destroy(&members->drains);
    free(members);
}

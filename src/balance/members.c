#include "balance/members_inner.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"

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
    backend_set_drop(old);
    tell_loops(members);
}

int members_drain(struct members *members, uint64_t id, bool drain)
{
    struct backend_set *set = members_set(members);
    struct backend *backend = backend_set_find(set, id);
    if (backend)
        backend_sign(backend, drain ? SIGN_DRAIN : SIGN_RETURN, clock_mono_ns());
    backend_set_drop(set);
    return backend ? ERR_OK : ERR_NOTFOUND;
}

static void backend_changed(struct backend_watcher *watcher, struct backend *backend,
                            enum health_state before, enum health_state now, enum health_sign sign)
{
    struct members *members = CONTAINER_OF(watcher, struct members, watcher);
    (void)backend, (void)before, (void)now, (void)sign;
    tell_loops(members);
}

/* ---- Fixed upstreams ---- */

static int fixed_set(struct members *members, struct failure *failure)
{
    const struct balance_config *config = members->config;
    struct backend_set *set = backend_set_new(1);
    if (!set)
        return fail(failure, ERR_NOMEM, "no memory for the list of servers");
    for (unsigned i = 0; i < config->upstream_count; i++) {
        struct backend_plan plan = {
            .id = i + 1,
            .url = config->upstreams[i].url,
            .proxy_header = config->proxy_out,
            .weight = config->upstreams[i].weight ? config->upstreams[i].weight : POLICY_WEIGHT,
            .limit = config->limit,
            .rules = config->health,
            .watcher = &members->watcher,
        };
        struct str address = str_of(plan.url);
        ptrdiff_t scheme = str_find(address, STR("://"));
        address = str_from(address, scheme < 0 ? 0 : (size_t)scheme + 3);
        plan.name = address.at;
        int err = endpoint_resolve(address, false, &plan.address, failure);
        if (!err) {
            set->at[set->count] = backend_new(&plan, clock_mono_ns());
            if (!set->at[set->count])
                err = fail(failure, ERR_NOMEM, "no memory for the list of servers");
        }
        if (err) {
            backend_set_drop(set);
            return err;
        }
        set->count++;
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

static int start(struct members *members, struct failure *failure)
{
    members->loop = loop_new(failure);
    members->set = backend_set_new(0);
    if (!members->loop)
        return ERR_NOMEM;
    if (!members->set)
        return fail(failure, ERR_NOMEM, "no memory for the list of servers");
    int err = members->config->upstream_count ? fixed_set(members, failure) : ERR_OK;
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
    members->watcher.changed = backend_changed;
    list_init(&members->posts);
    pthread_mutex_init(&members->lock, NULL);
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
    backend_set_drop(members->set);
    LIST_EACH(&members->posts, node)
    free(CONTAINER_OF(node, struct member_post, node));
    loop_free(members->loop);
    pthread_cond_destroy(&members->known);
    pthread_mutex_destroy(&members->lock);
    free(members);
}

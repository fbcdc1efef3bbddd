#include "balance/members_inner.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>

enum { ANNOUNCEMENT_MAX = 4 << 10 };

/* ---- A set from a roster ---- */

/* SERVER as it is now: the one that is known, or another. NULL: it cannot be used yet. */
static struct backend *find_or_make(struct members *members, const struct roster_server *server,
                                    bool shop_joins)
{
    const struct balance_config *config = members->config;
    char host[ROSTER_HOST], name[BACKEND_NAME];
    bool tls;
    struct backend *known = backend_set_find(members->set, server->id);
    struct backend_plan plan = {
        .id = server->id,
        .name = name,
        .url = server->url,
        .shop = true,
        .proxy_header = config->proxy_out,
        .fresh = shop_joins,
        .weight = server->weight,
        .limit = config->limit,
        .rules = config->health,
        .watcher = &members->watcher,
    };
    if (roster_url(str_of(server->url), &tls, host, NULL) != ERR_OK ||
        !resolver_find(members->resolver, host, &plan.address))
        return known ? backend_hold(known) : NULL;
    if (known && known->weight == server->weight && strcmp(known->url, server->url) == 0 &&
        known->address.len == plan.address.len &&
        memcmp(&known->address.at, &plan.address.at, plan.address.len) == 0)
        return backend_hold(known);
    /* One that is not ready is met when it is. */
    if (server->unready)
        return NULL;
    snprintf(name, sizeof name, "server %llu", (unsigned long long)server->id);
    plan.tls_context = tls ? members->tls_context : NULL;
    struct backend *made = backend_new(&plan, clock_mono_ns());
    if (made && known && atomic_load(&known->held)) { /* the same server, at another place */
        atomic_store(&made->held, true);
        members_drain_now(made);
    }
    return made;
}

static bool is_same(const struct backend_set *a, const struct backend_set *b)
{
    if (a->count != b->count || a->keyed != b->keyed || memcmp(a->key, b->key, sizeof a->key) != 0)
        return false;
    return memcmp(a->at, b->at, a->count * sizeof(struct backend *)) == 0;
}

static void tell_members(struct members *members, const struct backend_set *before,
                         const struct backend_set *now)
{
    for (unsigned i = 0; i < now->count; i++)
        if (!backend_set_find(before, now->at[i]->id))
            events_add(members->events, EVENT_JOINED, now->at[i]->id, now->at[i]->name,
                       "It has joined at %s.", now->at[i]->url);
    for (unsigned i = 0; i < before->count; i++)
        if (!backend_set_find(now, before->at[i]->id))
            events_add(members->events, EVENT_GONE, before->at[i]->id, before->at[i]->name,
                       "It belongs to the cluster no more.");
}

static void set_from_roster(struct members *members)
{
    const struct roster *roster = &members->roster;
    /* Only the watcher changes members->set, so that it may read it without the lock. */
    struct backend_set *before = members->set, *set = backend_set_new(before->version + 1);
    if (!set)
        return;
    set->keyed = roster->keyed;
    memcpy(set->key, roster->key, sizeof set->key);
    for (unsigned i = 0; i < roster->count; i++) {
        struct backend *backend = find_or_make(members, &roster->servers[i], before->count > 0);
        if (backend)
            set->at[set->count++] = backend;
    }
    if (before->version > 0 && is_same(before, set)) {
        backend_set_drop(set);
        return;
    }
    tell_members(members, before, set);
    members_publish(members, set);
}

/* What the cluster says of a server that is in the set. */
static void apply(struct members *members, const struct roster_server *server)
{
    struct backend *backend = backend_set_find(members->set, server->id);
    if (!backend)
        return;
    checks_unready(members->checks, server->id, server->unready);
    if (atomic_exchange_explicit(&backend->primary, server->primary, memory_order_relaxed) !=
            server->primary &&
        server->primary)
        events_add(members->events, EVENT_PRIMARY, backend->id, backend->name, "It is primary.");
    if (atomic_exchange_explicit(&backend->aside, server->aside, memory_order_relaxed) !=
        server->aside)
        events_add(members->events, EVENT_NOTE, backend->id, backend->name, "%s",
                   server->aside ? "It is a backup now: shoppers go to the others."
                                 : "It serves shoppers.");
    if (atomic_exchange(&backend->leaving, server->leaving) != server->leaving)
        members_drain_now(backend);
}

static void use_roster(struct members *members)
{
    /* Over the whole: what the operator wants of a server that is made anew meanwhile counts. */
    pthread_mutex_lock(&members->drains);
    set_from_roster(members);
    for (unsigned i = 0; i < members->roster.count; i++)
        apply(members, &members->roster.servers[i]);
    pthread_mutex_unlock(&members->drains);
}

/* ---- What is learnt ---- */

static void on_learnt(void *user, const struct roster *roster)
{
    struct members *members = user;
    members->roster = *roster;
    members->roster_known = true;
    use_roster(members);
}

/* The seeds are servers that stand alone: they are the members, in the order of the list. */
static void on_alone(void *user)
{
    struct members *members = user;
    const struct balance_config *config = members->config;
    struct roster *roster = &members->roster;
    if (members->roster_known)
        return;
    for (unsigned i = 0; i < config->server_count; i++) {
        struct roster_server *server = &roster->servers[i];
        char host[ROSTER_HOST];
        bool tls;
        if (roster_url(str_of(config->servers[i].url), &tls, host, NULL) != ERR_OK)
            continue;
        *server = (struct roster_server){.id = i + 1};
        server->weight = config->servers[i].weight ? config->servers[i].weight : POLICY_WEIGHT;
        snprintf(server->url, sizeof server->url, "%s://%s", tls ? "https" : "http", host);
    }
    roster->count = config->server_count;
    members->roster_known = true;
    use_roster(members);
}

static void on_trouble(void *user, const char *text)
{
    struct members *members = user;
    if (text[0])
        events_add(members->events, EVENT_MEMBERS, 0, NULL, "%s", text);
    else
        events_add(members->events, EVENT_NOTE, 0, NULL, "The servers of the cluster are known.");
}

static void on_address(void *user)
{
    struct members *members = user;
    if (members->roster_known)
        use_roster(members);
}

/* ---- Beginning and ending ---- */

/* What each server is told of this load manager, as JSON. */
static int announce(struct members *members)
{
    const struct balance_config *config = members->config;
    char id[17], started_at[32];
    unsigned char bytes[8];
    random_secret(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, id);
    clock_rfc3339(clock_wall_ms(), started_at, sizeof started_at);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "id", id);
    yyjson_mut_obj_add_uint(doc, root, "pid", (uint64_t)getpid());
    yyjson_mut_obj_add_str(doc, root, "url", config->url);
    yyjson_mut_obj_add_str(doc, root, "status", config->status_url);
    yyjson_mut_obj_add_str(doc, root, "policy", config->policy->name);
    yyjson_mut_obj_add_str(doc, root, "mode", config->mode == BALANCE_DIRECT ? "direct" : "proxy");
    yyjson_mut_obj_add_str(doc, root, "started_at", started_at);
    size_t len;
    char *text = yyjson_mut_write(doc, 0, &len);
    buf_init(&members->announcement, ANNOUNCEMENT_MAX);
    if (text)
        buf_put(&members->announcement, text, len);
    free(text);
    yyjson_mut_doc_free(doc);
    return text && !members->announcement.failed ? ERR_OK : ERR_NOMEM;
}

int members_cluster_begin(struct members *members, struct failure *failure)
{
    const struct balance_config *config = members->config;
    struct learn_settings settings = {
        .loop = members->loop,
        .tls_context = members->tls_context,
        .token = config->token,
        .proxy_header = config->proxy_out,
        .seed_count = config->server_count,
        .user = members,
        .learnt = on_learnt,
        .alone = on_alone,
        .trouble = on_trouble,
    };
    for (unsigned i = 0; i < config->server_count; i++) {
        char host[ROSTER_HOST];
        bool tls;
        settings.seeds[i] = config->servers[i].url;
        int err = roster_url(str_of(settings.seeds[i]), &tls, host, failure);
        if (err)
            return err;
    }
    members->resolver = resolver_new(members->loop, on_address, members);
    if (!members->resolver || announce(members) != ERR_OK)
        return fail(failure, ERR_NOMEM, "no memory for the list of servers");
    settings.resolver = members->resolver;
    settings.announcement = buf_text(&members->announcement);
    members->learn = learn_new(&settings);
    return members->learn ? ERR_OK : fail(failure, ERR_NOMEM, "no memory for the list of servers");
}

void members_cluster_end(struct members *members)
{
    learn_free(members->learn);
    resolver_free(members->resolver);
    buf_close(&members->announcement);
}

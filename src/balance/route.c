#include "balance/route.h"

#include "balance/policy_place.h"
#include "base/hash.h"

/* ---- What is asked for ---- */

/* The same everywhere, as every load manager has to come to the same place. Who chooses his key
 * chooses his server, and nothing else: ids are made by the shop. */
static const struct hash_key placing = {0x73746f6120726f75, 0x7465206b65792031};

static uint64_t hash_of(struct str text)
{
    uint64_t hash = hash_fast(placing, text);
    return hash ? hash : 1;
}

/* The part of PATH after PREFIX, up to the next '/'; empty: another path. */
static struct str part_after(struct str path, struct str prefix)
{
    struct str rest, part;
    if (!str_starts(path, prefix))
        return STR("");
    rest = str_from(path, prefix.len);
    str_cut(&rest, '/', &part);
    return part;
}

static bool is_operators(struct str path)
{
    return str_starts(path, STR("/admin/")) || str_starts(path, STR("/api/"));
}

uint64_t route_key(const struct exchange *x)
{
    static const char *const objects[] = {"/carts/", "/checkout-sessions/", "/checkout/",
                                          "/orders/", "/order/"};
    for (unsigned i = 0; i < sizeof objects / sizeof *objects; i++) {
        struct str id = part_after(x->path, str_of(objects[i]));
        if (id.len)
            return hash_of(id);
    }
    struct str cart = exchange_cookie(x, STR("cart"));
    if (cart.len)
        return hash_of(cart);
    struct str token = x->known[HTTP_FIELD_AUTHORIZATION];
    return token.len && is_operators(x->path) ? hash_of(token) : 0;
}

bool route_repeats(const struct exchange *x)
{
    return !str_starts(x->path, STR("/api/v1/")) && !str_eq(x->path, STR("/admin/api/import"));
}

/* What pages load besides, and what programs ask for. */
static bool is_for_programs(struct str path)
{
    static const char *const folders[] = {"/assets/", "/pictures/",         "/media/",  "/catalog/",
                                          "/carts",   "/checkout-sessions", "/orders/", "/admin/",
                                          "/api/",    "/.well-known/"};
    static const char *const files[] = {"/suggest", "/favicon.svg", "/favicon.ico", "/robots.txt",
                                        "/livez",   "/healthz",     "/metrics"};
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++)
        if (str_starts(path, str_of(folders[i])))
            return true;
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
        if (str_eq(path, str_of(files[i])))
            return true;
    return str_ends(path, STR(".json"));
}

/* Somebody who keeps cookies, and who stays: a browser that opens a page or changes something.
 * Sec-Fetch-Mode is sent by all browsers of today, and tells a page from what is in it. */
static bool settles(const struct exchange *x)
{
    struct str mode = exchange_header(x, STR("sec-fetch-mode"));
    if (is_for_programs(x->path))
        return false;
    if (x->method == HTTP_POST)
        return true;
    return x->method == HTTP_GET && (!mode.at || str_eq(mode, STR("navigate")));
}

/* ---- Places ---- */

static unsigned set_size(const struct router *router, const struct policy_view *view)
{
    unsigned size = router->aways + 1;
    if (size > HOME_SERVERS_MAX)
        size = HOME_SERVERS_MAX;
    return size < view->count ? size : view->count;
}

/* HOME's servers that are in VIEW alone; their places as bits. */
static uint64_t keep_known(const struct policy_view *view, struct home *home)
{
    uint64_t places = 0;
    unsigned kept = 0;
    for (unsigned i = 0; i < home->count; i++) {
        int place = place_find(view, home->servers[i]);
        if (place < 0)
            continue;
        places |= UINT64_C(1) << place;
        home->servers[kept++] = home->servers[i];
    }
    home->count = kept;
    return places;
}

/* Who picks. */
struct picker {
    const struct policy *policy;
    void *memory;
    uint64_t key, now_ns;
    struct random *random;
};

static int pick(const struct picker *picker, const struct policy_view *view, uint64_t tried)
{
    return picker->policy->pick(picker->memory, view, picker->key, tried, picker->now_ns,
                                picker->random);
}

/* Further servers into HOME until it has SIZE; those in TAKEN are in it. True: there are more. */
static bool fill(const struct picker *picker, const struct policy_view *view, unsigned size,
                 uint64_t taken, struct home *home)
{
    struct policy_view settling = *view;
    unsigned before = home->count;
    settling.settling = true;
    while (home->count < size) {
        int place = pick(picker, &settling, taken);
        /* With all usable ones tried, a policy names one of them again. */
        if (place < 0 || places_have(taken, place))
            break;
        taken |= UINT64_C(1) << place;
        home->servers[home->count++] = view->servers[place].id;
    }
    return home->count > before;
}

/* HOME's servers that can be used: those with room first. */
static void order_places(const struct policy_view *view, uint64_t overloaded,
                         struct route_plan *plan)
{
    plan->count = 0;
    for (int full = 0; full < 2; full++) {
        for (unsigned i = 0; i < plan->home.count; i++) {
            int place = place_find(view, plan->home.servers[i]);
            if (view->servers[place].usable && places_have(overloaded, place) == full)
                plan->places[plan->count++] = place;
        }
    }
}

/* ---- Plans ---- */

/* The set that X's cookie names, as far as it stands. False: there is none. */
static bool read_cookie(struct router *router, const struct exchange *x,
                        const struct policy_view *view, struct route_plan *plan, uint64_t *taken)
{
    if (!home_find(router->signer, x->known[HTTP_FIELD_COOKIE], &plan->home))
        return false;
    unsigned count = plan->home.count;
    *taken = keep_known(view, &plan->home);
    plan->set_cookie = plan->home.count < count;
    return true;
}

/* A shopper who has a set: goes home if that can be, and else away. */
static void plan_own(struct router *router, const struct picker *first,
                     const struct policy_view *view, uint64_t overloaded, uint64_t taken,
                     struct route_plan *plan)
{
    unsigned size = set_size(router, view);
    plan->set_cookie |= fill(first, view, size, taken, &plan->home);
    order_places(view, overloaded, plan);
    if (plan->count == 0 && plan->home.count) {
        plan->home.count = 0;
        plan->set_cookie = fill(first, view, size, 0, &plan->home);
        order_places(view, overloaded, plan);
    }
    bool at_home = plan->count && view->servers[plan->places[0]].id == plan->home.servers[0];
    plan->reason = at_home ? ROUTE_HOME : ROUTE_AWAY;
}

static void plan_one(const struct picker *picker, const struct policy_view *view,
                     struct route_plan *plan)
{
    int place = pick(picker, view, 0);
    plan->reason = ROUTE_POLICY;
    plan->count = place >= 0;
    plan->places[0] = place;
}

void route_choose(struct router *router, const struct exchange *x, const struct policy_view *view,
                  uint64_t overloaded, uint64_t now_ns, int64_t wall_ms, struct route_plan *plan)
{
    *plan = (struct route_plan){.key = route_key(x)};
    bool keyed = plan->key != 0;
    if (!keyed)
        plan->key = hash_of(x->peer);
    struct picker first = {router->policy, router->policy_memory, plan->key, now_ns,
                           &router->random};
    struct picker hash = {router->hash, router->hash_memory, plan->key, now_ns, &router->random};
    uint64_t taken = 0;
    if (!router->signer) {
        plan_one(&first, view, plan);
    } else if (read_cookie(router, x, view, plan, &taken)) {
        plan_own(router, &first, view, overloaded, taken, plan);
    } else if (keyed || settles(x)) {
        plan_own(router, keyed ? &hash : &first, view, overloaded, 0, plan);
        plan->reason = keyed ? ROUTE_HASH : ROUTE_POLICY;
        plan->set_cookie = plan->home.count && settles(x);
        plan->ask = plan->set_cookie && exchange_cookie(x, STR("cart")).len > 0;
    } else {
        plan_one(&first, view, plan);
    }
    if (plan->set_cookie)
        plan->home.since_s = (uint64_t)(wall_ms / 1000);
}

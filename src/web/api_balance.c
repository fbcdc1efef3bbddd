#include "balance/home.h"
#include "balance/policy.h"
#include "base/clock.h"
#include "web/announced.h"
#include "web/api.h"
#include "web/wayback.h"

/* A load manager says that it is there, and learns whom it may send shoppers to. Each asks every
 * server once a second: answered from memory, on the loop. See balance/members.h. */

static void put_server(struct json *json, yyjson_mut_val *list, const struct server_status *server,
                       bool drain)
{
    yyjson_mut_val *one = json_add_object(json, list);
    json_put_int(json, one, "id", (int64_t)server->place.id);
    json_put_text(json, one, "url", arena_str(json->arena, str_of(server->place.url)));
    json_put_text(json, one, "role", str_of(server_role_names[server->role]));
    json_put_text(json, one, "state", str_of(server_state_names[server->state]));
    json_put_int(json, one, "weight", POLICY_WEIGHT);
    if (drain)
        json_put_bool(json, one, "drain", true);
    if (server->ready != READINESS_HOT && server->role != SERVER_PRIMARY)
        json_put_bool(json, one, "aside", true);
}

static void put_key(struct exchange *x, struct json *json)
{
    const struct web_settings *settings = &call_web(x)->settings;
    unsigned char key[HOME_KEY];
    char text[2 * HOME_KEY + 1];
    home_key(settings->secret, sizeof settings->secret, key);
    hex_encode(key, sizeof key, text);
    json_put_text(json, json->root, "key", arena_str(&x->arena, str_of(text)));
}

static void read_manager(struct json_in *in, const struct json_spot *body, struct manager *manager)
{
    struct json_spot pid = json_member(body, "pid");
    *manager = (struct manager){.seen_ns = clock_mono_ns()};
    json_require(in, &pid);
    manager->pid = (uint64_t)json_integer(in, &pid, 1, INT32_MAX, 0);
    str_copy(manager->id, sizeof manager->id, json_need_text(in, body, "id", MANAGER_ID - 1));
    str_copy(manager->url, sizeof manager->url, json_text_of(in, body, "url", MANAGER_URL - 1));
    str_copy(manager->status, sizeof manager->status,
             json_text_of(in, body, "status", MANAGER_URL - 1));
    str_copy(manager->policy, sizeof manager->policy,
             json_text_of(in, body, "policy", MANAGER_WORD - 1));
    str_copy(manager->started_at, sizeof manager->started_at,
             json_text_of(in, body, "started_at", MANAGER_WORD - 1));
    manager->direct = str_eq(json_text_of(in, body, "mode", MANAGER_WORD - 1), STR("direct"));
}

static void learn_way_back(struct exchange *x, const struct cluster_status *status)
{
    struct web *web = call_web(x);
    struct manager *managers = ARENA_ARRAY(&x->arena, struct manager, MANAGERS_MAX);
    if (!managers)
        return;
    unsigned count = managers_list(web->api->managers, clock_mono_ns(), managers);
    if (wayback_learn(web->api->wayback, managers, count, status))
        cache_renew(web->settings.cache);
}

enum app_verdict api_manager_announce(struct exchange *x)
{
    const struct web_cluster *cluster = &call_web(x)->settings.cluster;
    struct cluster_status status;
    struct manager manager;
    struct json_in in;
    struct json_spot body;
    struct json json;
    char id[ID_TEXT];
    if (!api_body(x, &in, &body))
        return APP_DONE;
    read_manager(&in, &body, &manager);
    str_copy(manager.peer, sizeof manager.peer, x->peer);
    if (api_malformed(x, &in))
        return APP_DONE;
    managers_hear(call_web(x)->api->managers, &manager);
    if (!api_has_cluster(x))
        return APP_DONE;
    cluster->status(cluster->context, &status);
    learn_way_back(x, &status);
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "cluster",
                  arena_str(&x->arena, str_of(id_text(cluster->id, id))));
    json_put_int(&json, json.root, "own", (int64_t)status.own);
    json_put_int(&json, json.root, "primary", (int64_t)status.primary);
    json_put_int(&json, json.root, "index", (int64_t)order_applied(call_web(x)->settings.order));
    yyjson_mut_val *list = json_put_list(&json, json.root, "servers");
    for (unsigned i = 0; i < status.count; i++) {
        bool own = status.servers[i].place.id == status.own;
        if (own)
            json_put_int(&json, json.root, "term", (int64_t)status.servers[i].term);
        put_server(&json, list, &status.servers[i], own && call_web(x)->api->stopping);
    }
    put_key(x, &json);
    return api_send(x, &json);
}

void api_put_managers(struct exchange *x, struct json *json)
{
    struct manager *managers = ARENA_ARRAY(&x->arena, struct manager, MANAGERS_MAX);
    yyjson_mut_val *list = json_put_list(json, json->root, "load_managers");
    if (!managers)
        return;
    uint64_t now_ns = clock_mono_ns();
    unsigned count = managers_list(call_web(x)->api->managers, now_ns, managers);
    for (unsigned i = 0; i < count; i++) {
        const struct manager *manager = &managers[i];
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "id", str_of(manager->id));
        json_put_int(json, one, "pid", (int64_t)manager->pid);
        json_put_text(json, one, "url", str_of(manager->url));
        json_put_some(json, one, "status", str_of(manager->status));
        json_put_some(json, one, "policy", str_of(manager->policy));
        json_put_some(json, one, "started_at", str_of(manager->started_at));
        json_put_text(json, one, "mode", manager->direct ? STR("direct") : STR("proxy"));
        json_put_int(json, one, "seen_ms",
                     now_ns > manager->seen_ns ? (int64_t)((now_ns - manager->seen_ns) / MS_NS)
                                               : 0);
    }
}

enum app_verdict api_cluster_home(struct exchange *x)
{
    struct str text = exchange_query(x, STR("cart"));
    struct cart *cart = ARENA_NEW(&x->arena, struct cart);
    struct json json;
    struct id id;
    if (!cart)
        return call_fail_err(x, ERR_NOMEM);
    if (!text.at || id_parse(text, &id))
        return api_refuse(x, 422, "invalid", STR("give the cart's id: ?cart=ID"), STR("cart"));
    int err = reader_cart(call_reader(x), &x->arena, id, cart);
    if (err)
        return api_failed(x, err, err == ERR_NOTFOUND ? STR("there is no such cart") : STR(""));
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "cart", text);
    yyjson_mut_val *list = json_put_list(&json, json.root, "servers");
    for (unsigned i = 0; i < cart->home.count; i++)
        json_add_int(&json, list, (int64_t)cart->home.servers[i]);
    return api_send(x, &json);
}

#include "base/clock.h"
#include "web/api.h"
#include "web/fetch.h"
#include "web/relay.h"

#include <time.h>

/* The cluster by the operator's API. Any server takes any of these requests; what the primary
 * alone can do goes on to it. */

enum {
    LOOK_MS = 20,
    CHOICE_WAIT_MS = 3000,              /* as long as the servers may take to choose a primary */
    CHANGE_MS = CHOICE_WAIT_MS + 11000, /* replica's own bound on a change is 10 s */
    LEAVE_WAIT_MS = 10000,              /* until another one is primary */
    ANSWER_MAX = 64 << 10,
    TOKEN_BYTES_MAX = 16 << 10,
    LIFETIME_S = 3600,
    LIFETIME_MAX_S = 30 * 24 * 3600,
};

static const struct web_cluster *cluster_of(const struct exchange *x)
{
    return &call_web(x)->settings.cluster;
}

bool api_has_cluster(struct exchange *x)
{
    if (cluster_of(x)->status)
        return true;
    api_refuse(x, 404, "alone",
               STR("This server is alone. `stoa init` makes a cluster, `stoa join` brings a server "
                   "into one."),
               STR(""));
    return false;
}

static enum app_verdict refuse(struct exchange *x, const struct failure *failure)
{
    struct str text = arena_str(&x->arena, str_of(failure->text));
    call_try_elsewhere(x, failure->err == ERR_TIMEOUT ? ERR_OK : failure->err);
    switch (failure->err) {
    case ERR_TIMEOUT:
        exchange_add_header(x, STR("Retry-After"), STR("2"));
        return api_refuse(x, 503, "timeout", text, STR(""));
    case ERR_NOPRIMARY:
    case ERR_CLOSED:
    case ERR_BUSY:
        exchange_add_header(x, STR("Retry-After"), STR("2"));
        return api_refuse(x, 503, "no_primary", text, STR(""));
    default:
        return api_failed(x, failure->err, text);
    }
}

/* ---- Looking ---- */

static void put_server(struct json *json, yyjson_mut_val *list, const struct server_status *server)
{
    struct arena *arena = json->arena;
    yyjson_mut_val *one = json_add_object(json, list);
    json_put_int(json, one, "id", (int64_t)server->place.id);
    json_put_int(json, one, "pid", (int64_t)server->place.pid);
    json_put_text(json, one, "url", arena_str(arena, str_of(server->place.url)));
    json_put_text(json, one, "address", arena_str(arena, str_of(server->place.address)));
    json_put_text(json, one, "role", str_of(server_role_names[server->role]));
    json_put_text(json, one, "state", str_of(server_state_names[server->state]));
    json_put_int(json, one, "term", (int64_t)server->term);
    json_put_int(json, one, "index", (int64_t)server->index);
    json_put_int(json, one, "lag_entries", (int64_t)server->lag_entries);
    json_put_int(json, one, "lag_ms", (int64_t)server->lag_ms);
    json_put_bool(json, one, "preferred", server->preferred);
    json_put_bool(json, one, "vote", server->vote);
    if (server->role != SERVER_WITNESS)
        json_put_text(json, one, "ready", str_of(readiness_names[server->ready]));
    if (server->role != SERVER_WITNESS && server->ready != READINESS_HOT)
        json_put_int(json, one, "every_ms", server->every_ms);
    if (server->state != SERVER_COPYING)
        return;
    json_put_int(json, one, "copied_bytes", (int64_t)server->copied_bytes);
    json_put_int(json, one, "copy_bytes", (int64_t)server->copy_bytes);
}

enum app_verdict api_cluster_get(struct exchange *x)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct cluster_status status;
    struct json json;
    char id[ID_TEXT];
    if (!api_has_cluster(x))
        return APP_DONE;
    cluster->status(cluster->context, &status);
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "cluster",
                  arena_str(&x->arena, str_of(id_text(cluster->id, id))));
    json_put_text(&json, json.root, "name", str_of(cluster->name));
    json_put_int(&json, json.root, "own", (int64_t)status.own);
    json_put_int(&json, json.root, "primary", (int64_t)status.primary);
    json_put_text(&json, json.root, "failback", str_of(failback_names[status.failback]));
    yyjson_mut_val *list = json_put_list(&json, json.root, "servers");
    for (unsigned i = 0; i < status.count; i++)
        put_server(&json, list, &status.servers[i]);
    api_put_managers(x, &json);
    return api_send(x, &json);
}

/* ---- Changing ---- */

static enum app_verdict done(struct exchange *x)
{
    struct json json;
    json_begin(&json, &x->arena);
    json_put_bool(&json, json.root, "done", true);
    return api_send(x, &json);
}

/* The number KEY of X's body; LEAST is also what stands for a missing one. False: refused. */
static bool number_in_body(struct exchange *x, const char *key, int64_t least, uint64_t *number)
{
    struct json_in in;
    struct json_spot body;
    if (!api_body(x, &in, &body))
        return false;
    struct json_spot spot = json_member(&body, key);
    if (least)
        json_require(&in, &spot);
    *number = (uint64_t)json_integer(&in, &spot, least, INT64_MAX, least);
    return !api_malformed(x, &in);
}

/* Who may be waited for as primary. */
enum { OWN = 1, OTHERS = 2 };

/* After a while, unless UNTIL has passed. */
static bool look_again(uint64_t until)
{
    if (clock_mono_ns() >= until)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * (long)MS_NS}, NULL);
    return true;
}

/* Waits until this server is primary, or another one whose URL it knows, whichever of them WHO
 * names. OWN or OTHERS; 0: neither by UNTIL. */
static unsigned await_primary(const struct web_cluster *cluster, unsigned who, uint64_t until,
                              char url[static SERVER_URL])
{
    struct cluster_status status;
    do {
        cluster->status(cluster->context, &status);
        const struct server_status *primary = cluster_primary(&status);
        if (primary && primary->place.id == status.own && who & OWN)
            return OWN;
        if (primary && primary->place.id != status.own && primary->place.url[0] && who & OTHERS) {
            str_copy(url, SERVER_URL, str_of(primary->place.url));
            return OTHERS;
        }
    } while (look_again(until));
    return 0;
}

/* The primary does it: ACT here, or X goes there. While the servers choose one, X waits: who sent
 * it here may know of the choice before this server does. When an answer is lost it is asked again:
 * a server is gone then anyway, and a handover may go one server further. */
static enum app_verdict change(struct exchange *x,
                               int (*act)(void *context, uint64_t id, struct failure *failure),
                               uint64_t id)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct failure failure;
    char url[SERVER_URL];
    uint64_t until = clock_mono_ns() + CHOICE_WAIT_MS * MS_NS;
    int err;
    do {
        switch (await_primary(cluster, relay_has_come(x) ? OWN : OWN | OTHERS, until, url)) {
        case OWN:
            failure.err = act(cluster->context, id, &failure);
            return failure.err ? refuse(x, &failure) : done(x);
        case OTHERS:
            err = relay_to_primary(x, CHANGE_MS, &failure);
            break;
        default:
            err = fail(&failure, ERR_NOPRIMARY, "none is known");
        }
        /* It may just have died. */
    } while (err && err != ERR_TIMEOUT && look_again(until));
    if (!err)
        return APP_DONE;
    relay_note(x, &failure);
    fail(&failure, err == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_NOPRIMARY,
         err == ERR_TIMEOUT
             ? "the primary did not answer in time; see GET /api/v1/cluster for how it went"
             : "no primary can be reached, and only the primary can do this; try again when most "
               "of the servers are up");
    return refuse(x, &failure);
}

/* Whether ID is one of the servers; false: refused. */
static bool is_known(struct exchange *x, uint64_t id)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct cluster_status status;
    cluster->status(cluster->context, &status);
    for (unsigned i = 0; i < status.count; i++)
        if (status.servers[i].place.id == id)
            return true;
    api_refuse(
        x, 404, "not_found",
        arena_printf(&x->arena, "There is no server %llu in this cluster.", (unsigned long long)id),
        STR(""));
    return false;
}

enum app_verdict api_cluster_handover(struct exchange *x)
{
    uint64_t to;
    if (!api_has_cluster(x) || !number_in_body(x, "to", 0, &to) || (to && !is_known(x, to)))
        return APP_DONE;
    return change(x, cluster_of(x)->handover, to);
}

enum app_verdict api_cluster_prefer(struct exchange *x)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct failure failure;
    uint64_t id;
    if (!api_has_cluster(x) || !number_in_body(x, "id", 0, &id) || (id && !is_known(x, id)))
        return APP_DONE;
    failure.err = cluster->prefer(cluster->context, id, &failure);
    return failure.err ? refuse(x, &failure) : done(x);
}

/* The word KEY of BODY. */
static struct str word_in(struct json_in *in, const struct json_spot *body, const char *key)
{
    enum { WORD_MAX = 16 };
    return json_need_text(in, body, key, WORD_MAX);
}

static bool read_ready(struct exchange *x, struct server_readiness *server)
{
    struct json_in in;
    struct json_spot body;
    if (!api_body(x, &in, &body))
        return false;
    *server = (struct server_readiness){
        .id = (uint64_t)json_integer_of(&in, &body, "id", 1, INT64_MAX, 0)};
    struct json_spot id = json_member(&body, "id"), word = json_member(&body, "ready");
    json_require(&in, &id);
    if (readiness_kind_read(word_in(&in, &body, "ready"), &server->kind) && !json_bad(&in))
        json_wrong(&in, &word, "must be hot, warm or cold");
    server->every_ms = readiness_usual_every_ms(server->kind);
    struct json_spot every = json_member(&body, "every_ms");
    if (server->kind != READINESS_HOT)
        server->every_ms = (uint32_t)json_integer(&in, &every, READINESS_EVERY_MIN_MS,
                                                  READINESS_EVERY_MAX_MS, server->every_ms);
    else if (json_has(&every) && json_integer(&in, &every, 0, INT64_MAX, 0) != 0)
        json_wrong(&in, &every, "is of warm and cold servers; a hot one applies at once");
    return !api_malformed(x, &in);
}

enum app_verdict api_cluster_ready(struct exchange *x)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct server_readiness server;
    struct failure failure;
    if (!api_has_cluster(x) || !read_ready(x, &server) || !is_known(x, server.id))
        return APP_DONE;
    failure.err = cluster->ready(cluster->context, &server, &failure);
    return failure.err ? refuse(x, &failure) : done(x);
}

enum app_verdict api_cluster_failback(struct exchange *x)
{
    const struct web_cluster *cluster = cluster_of(x);
    enum failback failback = FAILBACK_AT_ONCE;
    struct failure failure;
    struct json_in in;
    struct json_spot body;
    if (!api_has_cluster(x) || !api_body(x, &in, &body))
        return APP_DONE;
    struct json_spot word = json_member(&body, "failback");
    if (failback_read(word_in(&in, &body, "failback"), &failback) && !json_bad(&in))
        json_wrong(&in, &word, "must be at-once, idle or never");
    if (api_malformed(x, &in))
        return APP_DONE;
    failure.err = cluster->failback(cluster->context, failback, &failure);
    return failure.err ? refuse(x, &failure) : done(x);
}

enum app_verdict api_cluster_token(struct exchange *x)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct failure failure;
    struct json_in in;
    struct json_spot body;
    struct json json;
    struct buf text;
    if (!api_has_cluster(x) || !api_body(x, &in, &body))
        return APP_DONE;
    int64_t lifetime = json_integer_of(&in, &body, "lifetime", 1, LIFETIME_MAX_S, LIFETIME_S);
    bool witness = json_flag_of(&in, &body, "witness", false);
    if (api_malformed(x, &in))
        return APP_DONE;
    buf_init(&text, TOKEN_BYTES_MAX);
    failure.err = cluster->token(cluster->context, (uint64_t)lifetime, witness, &text, &failure);
    struct str token = arena_str(&x->arena, buf_text(&text));
    buf_close(&text);
    if (failure.err)
        return refuse(x, &failure);
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "token", token);
    json_put_int(&json, json.root, "lifetime", lifetime);
    return api_send(x, &json);
}

/* ---- Removing and leaving ---- */

/* Has the server at URL take OWN out of the cluster. */
static int ask_to_remove(struct exchange *x, const char *url, uint64_t own, struct failure *failure)
{
    struct fetch_line *line = call_line(x);
    struct fetch *fetch = ARENA_NEW(&x->arena, struct fetch);
    const struct http_header headers[] = {
        {.name = STR("Authorization"), .value = x->known[HTTP_FIELD_AUTHORIZATION]},
        {.name = STR("Content-Type"), .value = STR("application/json")},
        {.name = STR(RELAY_HEADER), .value = STR("1")},
    };
    struct str address = arena_printf(&x->arena, "%s/api/v1/cluster/remove", url);
    struct str body = arena_printf(&x->arena, "{\"id\": %llu}", (unsigned long long)own);
    if (!line || !fetch || !address.at || !body.at)
        return fail(failure, ERR_NOMEM, "out of memory");
    *fetch = (struct fetch){
        .method = STR("POST"),
        .url = address.at,
        .headers = headers,
        .header_count = sizeof headers / sizeof *headers,
        .body = body,
        .body_file = -1,
        .connect_ms = CHANGE_MS,
        .total_ms = CHANGE_MS,
        .answer_file = -1,
        .answer_max = ANSWER_MAX,
    };
    int err = fetch_run(line, fetch, &x->arena, failure);
    if (!err && fetch->status != 200)
        err = fail(failure, fetch->status == 503 ? ERR_NOPRIMARY : ERR_STATE,
                   "the primary at %s answered %d: %.*s", url, fetch->status,
                   STR_FMT(str_sub(fetch->answer, 0, 300)));
    return err;
}

/* Takes this server out of the cluster. The primary cannot do that to itself (replica.h): another
 * takes over and does it. */
static int take_own_out(struct exchange *x, struct failure *failure)
{
    const struct web_cluster *cluster = cluster_of(x);
    struct cluster_status status;
    char url[SERVER_URL];
    cluster->status(cluster->context, &status);
    if (status.count < 2)
        return fail(failure, ERR_STATE,
                    "this is the cluster's only server; to end the shop, stop it");
    int err = 0;
    if (status.primary == status.own)
        err = cluster->handover(cluster->context, 0, failure);
    if (err)
        return err;
    if (!await_primary(cluster, OTHERS, clock_mono_ns() + LEAVE_WAIT_MS * MS_NS, url))
        return fail(failure, ERR_NOPRIMARY,
                    "no other server has become primary; this one stays a member. Try again when "
                    "most of the servers are up");
    return ask_to_remove(x, url, status.own, failure);
}

static bool is_own_and_primary(const struct web_cluster *cluster, uint64_t id)
{
    struct cluster_status status;
    char url[SERVER_URL];
    cluster->status(cluster->context, &status);
    return id == status.own && await_primary(cluster, OWN | OTHERS,
                                             clock_mono_ns() + CHOICE_WAIT_MS * MS_NS, url) == OWN;
}

enum app_verdict api_cluster_remove(struct exchange *x)
{
    struct failure failure;
    uint64_t id;
    if (!api_has_cluster(x) || !number_in_body(x, "id", 1, &id) || !is_known(x, id))
        return APP_DONE;
    if (!is_own_and_primary(cluster_of(x), id))
        return change(x, cluster_of(x)->remove, id);
    failure.err = take_own_out(x, &failure);
    return failure.err ? refuse(x, &failure) : done(x);
}

/* The answer has left. */
static void stop(void *argument)
{
    const struct web_cluster *cluster = argument;
    cluster->stop(cluster->context);
}

enum app_verdict api_cluster_leave(struct exchange *x)
{
    struct web_cluster *cluster = &call_web(x)->settings.cluster;
    struct failure failure;
    if (!api_has_cluster(x))
        return APP_DONE;
    cluster->leaving(cluster->context, true);
    failure.err = take_own_out(x, &failure);
    if (failure.err) {
        cluster->leaving(cluster->context, false);
        return refuse(x, &failure);
    }
    if (exchange_at_end(x, stop, cluster))
        cluster->stop(cluster->context);
    return done(x);
}

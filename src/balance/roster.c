#include "balance/roster.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#define ANEW_NS (10 * SEC_NS)

/* ---- URLs ---- */

int roster_url(struct str url, bool *tls, char host[static ROSTER_HOST], struct failure *failure)
{
    struct str rest = url, name;
    uint16_t port;
    *tls = str_starts(url, STR("https://"));
    if (*tls || str_starts(url, STR("http://")))
        rest = str_from(url, *tls ? 8 : 7);
    if (str_ends(rest, STR("/")))
        rest.len--;
    if (rest.len == 0 || rest.len + sizeof ":443" > ROSTER_HOST || str_find_byte(rest, '/') >= 0 ||
        str_find_byte(rest, '@') >= 0 || str_find_byte(rest, '?') >= 0)
        return fail(failure, ERR_INVALID,
                    "\"%.*s\" is no address of a server (write http://HOST:PORT)", STR_FMT(url));
    /* Behind the brackets of an IPv6 address, if it is one. */
    ptrdiff_t bracket = str_find_byte(rest, ']');
    bool numbered = str_find_byte(str_from(rest, bracket < 0 ? 0 : (size_t)bracket), ':') >= 0;
    snprintf(host, ROSTER_HOST, numbered ? "%.*s" : *tls ? "%.*s:443" : "%.*s:80", STR_FMT(rest));
    return endpoint_split(str_of(host), &name, &port, failure);
}

/* ---- Reading ---- */

static struct str text_of(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    return yyjson_is_str(value) ? str_make(yyjson_get_str(value), yyjson_get_len(value)) : STR("");
}

static uint64_t number_of(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    return yyjson_is_uint(value) ? yyjson_get_uint(value) : 0;
}

static bool is_word(struct str text, const char *word)
{
    return str_eq(text, str_of(word));
}

static bool is_unready(yyjson_val *server)
{
    struct str state = text_of(server, "state");
    return is_word(state, "joining") || is_word(state, "copying");
}

/* False: it is none that shoppers are sent to. */
static bool read_server(yyjson_val *value, struct roster_server *server)
{
    struct str url = text_of(value, "url"), role = text_of(value, "role");
    struct str state = text_of(value, "state");
    char host[ROSTER_HOST];
    bool tls;
    uint64_t weight = number_of(value, "weight");
    *server = (struct roster_server){
        .id = number_of(value, "id"),
        .weight = weight > 0 && weight <= 100 * POLICY_WEIGHT ? (uint32_t)weight : POLICY_WEIGHT,
        .primary = is_word(role, "primary"),
        .unready = is_unready(value),
        .drain = yyjson_is_true(yyjson_obj_get(value, "drain")),
        .aside = yyjson_is_true(yyjson_obj_get(value, "aside")),
    };
    server->leaving = server->drain || is_word(state, "leaving");
    if (server->id == 0 || is_word(role, "witness") || roster_url(url, &tls, host, NULL) != ERR_OK)
        return false;
    snprintf(server->url, sizeof server->url, "%s://%s", tls ? "https" : "http", host);
    return true;
}

static int by_id(const void *a, const void *b)
{
    uint64_t left = ((const struct roster_server *)a)->id;
    uint64_t right = ((const struct roster_server *)b)->id;
    return left < right ? -1 : left > right;
}

static int read_servers(yyjson_val *list, struct roster *roster, struct failure *failure)
{
    yyjson_val *value;
    size_t at, most;
    yyjson_arr_foreach(list, at, most, value)
    {
        roster->outsider |= number_of(value, "id") == roster->own && is_unready(value);
        if (roster->count == BACKENDS_MAX)
            return fail(failure, ERR_INVALID, "it names more than %d servers", BACKENDS_MAX);
        if (read_server(value, &roster->servers[roster->count]))
            roster->count++;
    }
    qsort(roster->servers, roster->count, sizeof *roster->servers, by_id);
    for (unsigned i = 1; i < roster->count; i++)
        if (roster->servers[i].id == roster->servers[i - 1].id)
            return fail(failure, ERR_INVALID, "it names server %llu twice",
                        (unsigned long long)roster->servers[i].id);
    return ERR_OK;
}

static int read_root(yyjson_val *root, struct roster *roster, struct failure *failure)
{
    struct str cluster = text_of(root, "cluster"), key = text_of(root, "key");
    yyjson_val *list = yyjson_obj_get(root, "servers");
    if (cluster.len == 0 || cluster.len >= ROSTER_CLUSTER || !yyjson_is_arr(list))
        return fail(failure, ERR_INVALID,
                    "it does not say of which cluster it is and who is in it");
    str_copy(roster->cluster, sizeof roster->cluster, cluster);
    roster->own = number_of(root, "own");
    roster->term = number_of(root, "term");
    roster->index = number_of(root, "index");
    roster->keyed = key.len > 0;
    if (roster->keyed && hex_decode(key, roster->key, sizeof roster->key) != ERR_OK)
        return fail(failure, ERR_INVALID, "its key is not %d hexadecimal digits", 2 * HOME_KEY);
    return read_servers(list, roster, failure);
}

int roster_read(struct str json, struct roster *roster, struct failure *failure)
{
    yyjson_read_err why;
    *roster = (struct roster){.count = 0};
    /* Without YYJSON_READ_INSITU nothing is written to. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.at, json.len, 0, NULL, &why);
    if (!doc)
        return fail(failure, ERR_INVALID, "it is no JSON: %s", why.msg);
    int err = read_root(yyjson_doc_get_root(doc), roster, failure);
    yyjson_doc_free(doc);
    return err;
}

/* ---- Which one counts ---- */

bool roster_replaces(const struct roster *now, const struct roster *known, uint64_t age_ns)
{
    if (strcmp(now->cluster, known->cluster) != 0)
        return false;
    if (now->term != known->term)
        return now->term > known->term || age_ns >= ANEW_NS;
    return now->index >= known->index || age_ns >= ANEW_NS;
}

/* ---- Who is about to be stopped ---- */

/* Its place; roster->count: it is not there. */
static unsigned place_of(const struct roster *roster, uint64_t id)
{
    unsigned place = 0;
    while (place < roster->count && roster->servers[place].id != id)
        place++;
    return place;
}

bool roster_hear_drain(const struct roster *now, struct roster *known)
{
    unsigned from = place_of(now, now->own), to = place_of(known, now->own);
    if (from == now->count || to == known->count ||
        now->servers[from].drain == known->servers[to].drain)
        return false;
    known->servers[to].drain = now->servers[from].drain;
    known->servers[to].leaving = now->servers[from].leaving;
    return true;
}

void roster_keep_drains(struct roster *now, const struct roster *known)
{
    for (unsigned i = 0; i < now->count; i++) {
        struct roster_server *server = &now->servers[i];
        unsigned place = place_of(known, server->id);
        if (server->id != now->own && place < known->count && known->servers[place].drain)
            server->drain = server->leaving = true;
    }
}

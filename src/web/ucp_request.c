#include "outside/profile.h"
#include "web/ucp.h"

enum { IDEMPOTENCY_KEY_MAX = 255 };

/* ---- UCP-Agent ---- */

/* Cuts a quoted string (RFC 8941 §3.3.3) off the front of REST. Escapes do not occur in
 * addresses and versions: with one it is none. */
static bool take_quoted(struct str *rest, struct str *value)
{
    if (!str_starts(*rest, STR("\"")))
        return false;
    *rest = str_from(*rest, 1);
    ptrdiff_t end = str_find_byte(*rest, '"');
    if (end < 0)
        return false;
    *value = str_sub(*rest, 0, (size_t)end);
    *rest = str_from(*rest, (size_t)end + 1);
    return str_find_byte(*value, '\\') < 0;
}

/* A quoted string, or a token up to the next separator. */
static bool take_value(struct str *rest, struct str *value)
{
    if (str_starts(*rest, STR("\"")))
        return take_quoted(rest, value);
    size_t len = 0;
    while (len < rest->len && !strchr(",; \t", rest->at[len]))
        len++;
    *value = str_sub(*rest, 0, len);
    *rest = str_from(*rest, len);
    return len > 0;
}

int ucp_agent_parse(struct str header, struct str *profile, struct str *version)
{
    struct str rest = str_trim(header);
    *profile = *version = STR_NONE;
    /* Members stand between commas, parameters between semicolons: both are taken alike,
     * as a version is seen in either place. */
    while (rest.len) {
        size_t len = 0;
        while (len < rest.len && !strchr("=,; \t", rest.at[len]))
            len++;
        struct str key = str_sub(rest, 0, len), value = STR_NONE;
        rest = str_from(rest, len);
        if (str_starts(rest, STR("="))) {
            rest = str_from(rest, 1);
            if (!take_value(&rest, &value))
                return ERR_INVALID;
        }
        if (str_eq(key, STR("profile")))
            *profile = value;
        else if (str_eq(key, STR("version")))
            *version = value;
        rest = str_trim(rest);
        if (rest.len && rest.at[0] != ',' && rest.at[0] != ';')
            return ERR_INVALID;
        rest = str_trim(str_from(rest, 1));
    }
    /* Whether the shop fetches it from this machine is another question, when it is asked for. */
    return profile_is_address(*profile, true) ? 0 : ERR_INVALID;
}

/* True: refused. The platform's profile is not fetched: nothing of it is needed while
 * there are neither signatures nor webhooks, so that the version counts that the header
 * itself names, if it names one. */
static bool refuse_agent(struct ucp *ucp)
{
    struct exchange *x = ucp->x;
    struct str version;
    if (ucp_agent_parse(x->known[HTTP_FIELD_UCP_AGENT], &ucp->profile, &version)) {
        ucp_refuse(x, 400, "invalid_profile_url",
                   STR("Send the header UCP-Agent: profile=\"https://…\" with the address of your "
                       "profile."),
                   STR(""));
        return true;
    }
    if (version.len && !str_eq(version, STR(UCP_VERSION))) {
        ucp_refuse(x, 422, "version_unsupported",
                   arena_printf(&x->arena,
                                "Version %.*s is not supported. This shop implements version %s.",
                                STR_FMT(version), UCP_VERSION),
                   STR(""));
        return true;
    }
    return false;
}

/* ---- Body and key ---- */

static bool is_json(struct str type)
{
    ptrdiff_t end = str_find_byte(type, ';');
    if (end >= 0)
        type = str_sub(type, 0, (size_t)end);
    type = str_trim(type);
    return !type.len || str_eq_nocase(type, STR("application/json"));
}

/* The key counts for this platform and this kind of request. The body's hash has the whole
 * path in it, so that a key used again for another object is a conflict. */
static bool refuse_key(struct ucp *ucp)
{
    struct exchange *x = ucp->x;
    struct str key = str_trim(x->known[HTTP_FIELD_IDEMPOTENCY_KEY]);
    if (x->method == HTTP_GET || x->method == HTTP_HEAD || !x->known[HTTP_FIELD_IDEMPOTENCY_KEY].at)
        return false;
    if (!key.len || key.len > IDEMPOTENCY_KEY_MAX) {
        ucp_refuse(x, 400, "invalid_idempotency_key",
                   arena_printf(&x->arena, "An Idempotency-Key has 1 to %d characters.",
                                IDEMPOTENCY_KEY_MAX),
                   STR(""));
        return true;
    }
    struct str scope =
        ARENA_JOIN(&x->arena, x->method_name, STR(" "), str_of(call_of(x)->route->pattern),
                   STR("\n"), ucp->profile, STR("\n"), key);
    struct str request = ARENA_JOIN(&x->arena, x->method_name, STR(" "), x->path);
    json_hash(scope, NULL, ucp->key);
    json_hash(request, ucp->body.value, ucp->hash);
    ucp->keyed = true;
    return false;
}

struct ucp *ucp_begin(struct exchange *x)
{
    struct ucp *ucp = ARENA_NEW(&x->arena, struct ucp);
    if (!ucp) {
        call_fail_err(x, ERR_NOMEM);
        return NULL;
    }
    ucp->x = x;
    call_of(x)->own = ucp;
    if (refuse_agent(ucp))
        return NULL;
    if (x->body.len && !is_json(x->known[HTTP_FIELD_CONTENT_TYPE])) {
        ucp_refuse(x, 415, "unsupported_media_type",
                   STR("Send the body as Content-Type: application/json."), STR(""));
        return NULL;
    }
    json_read(&ucp->in, &x->arena, x->body, &ucp->body);
    json_is_object(&ucp->in, &ucp->body);
    if (ucp_malformed(ucp) || refuse_key(ucp))
        return NULL;
    return ucp;
}

bool ucp_malformed(struct ucp *ucp)
{
    struct json_in *in = &ucp->in;
    if (!json_bad(in))
        return false;
    ucp_refuse(ucp->x, 422, "invalid_request",
               arena_printf(&ucp->x->arena, "%.*s %.*s", STR_FMT(in->path), STR_FMT(in->problem)),
               in->path);
    return true;
}

void ucp_key(const struct ucp *ucp, struct command *command)
{
    if (!ucp->keyed)
        return;
    command->idempotency = IDEMPOTENCY_FULL;
    memcpy(command->idempotency_key, ucp->key, sizeof command->idempotency_key);
    memcpy(command->idempotency_body, ucp->hash, sizeof command->idempotency_body);
}

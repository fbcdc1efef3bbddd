#include "web/api.h"

#include "base/clock.h"
#include "net/sign.h"
#include "web/announced.h"
#include "web/change_feed.h"
#include "web/desk.h"
#include "web/upload.h"
#include "web/wayback.h"

#include <stdlib.h>

/* Before each beat. Nobody may have asked this server for a page since its last load manager fell
 * silent; but those who keep its pages give them out. */
static bool may_beat(void *context)
{
    struct api *api = context;
    if (wayback_lapses(api->wayback, clock_mono_ns()))
        cache_renew(api->cache);
    return order_is_in_touch(api->order);
}

static int open_feed(struct api *api, const struct web_settings *settings, struct failure *failure)
{
    const struct change_feed_config config = {
        .ring = settings->changes,
        .cache = settings->cache,
        .may_beat = may_beat,
        .context = api,
    };
    if (!settings->changes)
        return 0;
    api->order = settings->order;
    api->cache = settings->cache;
    api->feed = change_feed_new(&config);
    return api->feed ? 0 : fail(failure, ERR_NOMEM, "no memory for those who listen to changes");
}

int api_new(const struct web_settings *settings, struct api **api, struct failure *failure)
{
    struct api *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for the operator's API");
    bool reads = settings->writer.find != NULL; /* and takes no uploads: no thread for them */
    int err = reads ? 0 : uploads_new(settings->spool_dir, &made->uploads, failure);
    err = err ? err : desk_new(&made->importing, failure);
    err = err ? err : desk_new(&made->exporting, failure);
    err = err ? err : desk_new(&made->backing_up, failure);
    made->managers = managers_new();
    made->wayback = wayback_new();
    if (!err && (!made->managers || !made->wayback))
        err = fail(failure, ERR_NOMEM, "no memory for the list of load managers");
    err = err ? err : open_feed(made, settings, failure);
    if (err) {
        api_free(made);
        return err;
    }
    if (!reads) /* what is being written there is the writer's */
        uploads_clear(settings->media_dir);
    *api = made;
    return 0;
}

void api_stop(struct api *api)
{
    api->stopping = true;
    desk_stop(api->importing);
    desk_stop(api->exporting);
    desk_stop(api->backing_up);
    if (api->feed)
        change_feed_stop(api->feed);
}

void api_free(struct api *api)
{
    if (!api)
        return;
    desk_free(api->importing);
    desk_free(api->exporting);
    desk_free(api->backing_up);
    change_feed_free(api->feed);
    uploads_free(api->uploads);
    managers_free(api->managers);
    wayback_free(api->wayback);
    free(api);
}

/* ---- Who asks ---- */

static bool is_token(const char *right, struct str given)
{
    size_t len = strlen(right);
    return given.len == len && sign_same(right, given.at, len);
}

bool api_admit(struct exchange *x)
{
    const char *token = call_web(x)->settings.operator_token;
    struct str given = x->known[HTTP_FIELD_AUTHORIZATION];
    if (!token || !*token) {
        api_refuse(x, 404, "not_found", STR("The operator's API is off."), STR(""));
        return false;
    }
    if (given.len > 7 && str_eq_nocase(str_sub(given, 0, 7), STR("Bearer ")) &&
        is_token(token, str_trim(str_from(given, 7))))
        return true;
    exchange_add_header(x, STR("WWW-Authenticate"), STR("Bearer realm=\"stoa\""));
    api_refuse(x, 401, "unauthorized",
               STR("Send the operator's token: Authorization: Bearer TOKEN (it is in the file "
                   "operator.token of the data directory)."),
               STR(""));
    return false;
}

/* ---- Answers ---- */

static enum app_verdict send_text(struct exchange *x, int status, struct str text)
{
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    if (text.at)
        exchange_reply(x, status, STR("application/json"), text);
    else
        exchange_reply(
            x, 500, STR("application/json"),
            STR("{\"error\":{\"code\":\"internal_error\",\"message\":\"The answer is too "
                "large.\"}}"));
    x->compressible = true;
    return APP_DONE;
}

enum app_verdict api_refuse(struct exchange *x, int status, const char *code, struct str message,
                            struct str path)
{
    struct json json;
    json_begin(&json, &x->arena);
    yyjson_mut_val *error = json_put_object(&json, json.root, "error");
    json_put_text(&json, error, "code", str_of(code));
    json_put_text(&json, error, "message", message);
    json_put_some(&json, error, "path", path);
    return send_text(x, status, json_end(&json));
}

enum app_verdict api_send(struct exchange *x, struct json *json)
{
    return send_text(x, 200, json_end(json));
}

enum app_verdict api_failed(struct exchange *x, int err, struct str text)
{
    if (!text.len)
        text = str_of(err_sentence(err));
    switch (err) {
    case ERR_NOTFOUND:
        return api_refuse(x, 404, "not_found", text, STR(""));
    case ERR_INVALID:
        return api_refuse(x, 422, "invalid", text, STR(""));
    case ERR_FULL:
        return api_refuse(x, 422, "too_large", text, STR(""));
    case ERR_EXISTS:
    case ERR_STATE:
    case ERR_SHORT:
    case ERR_CONFLICT:
        return api_refuse(x, 409, "conflict", text, STR(""));
    default:
        return call_fail_err(x, err);
    }
}

/* ---- Requests ---- */

bool api_malformed(struct exchange *x, const struct json_in *in)
{
    if (!json_bad(in))
        return false;
    api_refuse(x, 422, "invalid",
               arena_printf(&x->arena, "%.*s %.*s", STR_FMT(in->path), STR_FMT(in->problem)),
               in->path);
    return true;
}

bool api_body(struct exchange *x, struct json_in *in, struct json_spot *body)
{
    json_read(in, &x->arena, x->body, body);
    json_is_object(in, body);
    return !api_malformed(x, in);
}

bool api_number(struct exchange *x, const char *name, uint64_t min, uint64_t max, uint64_t fallback,
                uint64_t *value)
{
    struct str text = exchange_query(x, str_of(name));
    *value = fallback;
    if (!text.at)
        return true;
    if (str_to_u64(text, value) == 0 && *value >= min && *value <= max)
        return true;
    api_refuse(x, 422, "invalid",
               arena_printf(&x->arena, "%s must be a number from %llu to %llu", name,
                            (unsigned long long)min, (unsigned long long)max),
               str_of(name));
    return false;
}

bool api_went_wrong(struct exchange *x, const struct outcome *outcome)
{
    if (outcome->err)
        api_failed(x, outcome->err, STR(""));
    else if (outcome->result.err)
        api_failed(x, outcome->result.err, outcome->result.text);
    return outcome->err || outcome->result.err;
}

static enum app_verdict submitted(struct exchange *x, struct outcome *outcome)
{
    const struct result *result = &outcome->result;
    struct json json;
    if (api_went_wrong(x, outcome))
        return APP_DONE;
    json_begin(&json, &x->arena);
    json_put_bool(&json, json.root, "done", true);
    if (result->kind == RESULT_NUMBER)
        json_put_int(&json, json.root, "number", (int64_t)result->number);
    json_put_int(&json, json.root, "index", (int64_t)outcome->index);
    return api_send(x, &json);
}

enum app_verdict api_submit(struct exchange *x, const struct command *command)
{
    return submit_command(x, command, submitted);
}

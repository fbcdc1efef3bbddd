#include "base/clock.h"
#include "outside/signing_keys.h"
#include "web/api.h"

/* The keys by which the shop signs its webhooks (outside/signing_keys.h): which there are, and a
 * new one. */

/* What the registry has, and its text in *TEXT. */
static int read_keys(struct exchange *x, struct str *text, struct signing_keys *keys,
                     struct failure *failure)
{
    int err = reader_registry(call_reader(x), &x->arena, STR(SIGNING_KEYS_ENTRY), text);
    if (err == ERR_NOTFOUND)
        *text = STR("");
    else if (err)
        return fail(failure, err, "the shop's registry cannot be read: %s", err_sentence(err));
    return signing_keys_parse(*text, keys, failure);
}

static enum app_verdict failed(struct exchange *x, const struct failure *failure)
{
    return api_failed(x, failure->err, arena_str(&x->arena, str_of(failure->text)));
}

enum app_verdict api_signing_keys(struct exchange *x)
{
    struct signing_keys keys;
    struct failure failure = {0};
    struct json json;
    struct str text;
    int64_t now_ms = clock_wall_ms();
    if (read_keys(x, &text, &keys, &failure))
        return failed(x, &failure);
    signing_keys_prune(&keys, now_ms);
    const struct signing_key *current = signing_keys_current(&keys, now_ms);
    json_begin(&json, &x->arena);
    yyjson_mut_val *list = json_put_list(&json, json.root, "keys");
    for (unsigned i = 0; i < keys.count; i++) {
        const struct signing_key *key = &keys.keys[i];
        char made[32];
        yyjson_mut_val *one = json_add_object(&json, list);
        clock_rfc3339(key->made_ms, made, sizeof made);
        json_put_text(&json, one, "kid", key->name);
        json_put_text(&json, one, "made", arena_str(&x->arena, str_of(made)));
        json_put_text(&json, one, "state",
                      key == current  ? STR("signing")
                      : key > current ? STR("published")
                                      : STR("old"));
    }
    return api_send(x, &json);
}

/* Two at once: one of them is refused, by the condition. */
enum app_verdict api_signing_keys_rotate(struct exchange *x)
{
    struct signing_keys keys;
    struct failure failure = {0};
    struct json_in in;
    struct json_spot body;
    struct str before;
    struct buf text;
    if (!api_body(x, &in, &body))
        return APP_DONE;
    bool at_once = json_flag_of(&in, &body, "at_once", false);
    if (api_malformed(x, &in))
        return APP_DONE;
    if (read_keys(x, &before, &keys, &failure))
        return failed(x, &failure);
    buf_init(&text, 2 * SIGNING_KEYS_TEXT);
    int err = signing_keys_add(&keys, call_web(x)->settings.secret, clock_wall_ms(), at_once, &text,
                               &failure);
    struct str after = err ? STR("") : arena_str(&x->arena, buf_text(&text));
    buf_close(&text);
    if (err)
        return failed(x, &failure);
    if (!after.at)
        return api_failed(x, ERR_NOMEM, STR(""));
    struct command command = {
        .type = COMMAND_REGISTRY_PUT,
        .registry = {.key = STR(SIGNING_KEYS_ENTRY),
                     .value = after,
                     .condition = before.len ? REGISTRY_SAME : REGISTRY_ABSENT,
                     .expected = before},
    };
    return api_submit(x, &command);
}

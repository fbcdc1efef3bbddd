#include "main/demo_services.h"

#include "base/random.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

enum { SECRET_BYTES = 24, SECRET_TEXT = 80, CALL_MS = 5000, ANSWER_MAX = 1 << 20 };

/* ---- Before they run ---- */

/* DIR/NAME unless it is there: PREFIX and hexadecimal digits. */
static int make_secret(const char *dir, const char *name, const char *prefix,
                       struct failure *failure)
{
    char path[FILE_PATH], text[SECRET_TEXT];
    unsigned char bytes[SECRET_BYTES];
    int err = file_join(path, dir, name, failure);
    if (err || access(path, F_OK) == 0)
        return err;
    size_t len = strlen(prefix);
    random_secret(bytes, sizeof bytes);
    memcpy(text, prefix, len);
    hex_encode(bytes, sizeof bytes, text + len);
    strcat(text, "\n");
    return file_write(path, str_of(text), failure);
}

static int prepare(struct demo_service *service, bool bank, struct failure *failure)
{
    char certificate[TLS_PATH];
    int err = file_make_dir(service->dir, 0700, NULL, failure);
    err = err ? err : tls_self_signed(service->dir, certificate, failure);
    err = err ? err : tls_pin(certificate, service->pin, failure);
    if (err || !bank)
        return err;
    err = make_secret(service->dir, "key", "sk_test_", failure);
    return err ? err : make_secret(service->dir, "webhook.secret", "whsec_", failure);
}

int demo_services_prepare(struct demo_plan *plan, struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < DEMO_SERVICES; i++)
        if (plan->services[i].wanted)
            err = prepare(&plan->services[i], i == DEMO_BANK, failure);
    return err;
}

bool demo_services_registered(const struct demo_plan *plan)
{
    char path[FILE_PATH];
    return file_join(path, plan->dir, "warehouse.token", NULL) == 0 && access(path, F_OK) == 0;
}

/* ---- The people's pass phrase ---- */

void demo_services_phrase(const struct demo_plan *plan, char phrase[static DEMO_PHRASE])
{
    char path[FILE_PATH], text[DEMO_PHRASE];
    size_t len = 0;
    phrase[0] = 0;
    if (file_join(path, plan->dir, "warehouse.phrase", NULL) == 0 &&
        file_read(path, text, sizeof text, &len, NULL) == 0)
        str_copy(phrase, DEMO_PHRASE, str_trim(str_make(text, len)));
}

int demo_services_keep_phrase(const struct demo_plan *plan, const char *phrase,
                              struct failure *failure)
{
    char path[FILE_PATH], text[DEMO_PHRASE + 1];
    int len = snprintf(text, sizeof text, "%s\n", phrase);
    int err = file_join(path, plan->dir, "warehouse.phrase", failure);
    return err ? err : file_write(path, str_make(text, (size_t)len), failure);
}

/* ---- Telling the shop ---- */

static int switch_mail_on(const struct remote *remote, struct failure *failure)
{
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    int err =
        remote_put(remote, "/admin/api/settings", "{\"mail\":true}", CALL_MS, &answer, failure);
    buf_close(&answer);
    return err;
}

static int put_warehouse(const struct furnishing *furnishing, const struct remote *remote,
                         struct failure *failure)
{
    char body[2 * OPTION_TEXT_SIZE];
    struct buf answer;
    snprintf(body, sizeof body, "{\"url\":\"%s\",\"pin\":\"%s\"}", furnishing->url,
             furnishing->pin);
    buf_init(&answer, ANSWER_MAX);
    int err = remote_put(remote, "/admin/api/warehouses/" DEMO_WAREHOUSE_ID, body, CALL_MS, &answer,
                         failure);
    buf_close(&answer);
    return err;
}

static bool is_text(yyjson_val *object, const char *key, const char *text)
{
    const char *found = yyjson_get_str(yyjson_obj_get(object, key));
    return found && strcmp(found, text) == 0;
}

/* The token of our warehouse, if it is registered as it is to be, into TOKEN; *ALIEN as above. Ours
 * is known by its key, wherever it listened before. */
static int look(const struct furnishing *furnishing, const struct remote *remote, bool *alien,
                char token[static SECRET_TEXT], struct failure *failure)
{
    size_t at, count;
    yyjson_val *each;
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    token[0] = 0;
    int err = remote_call(remote, "/admin/api/warehouses", NULL, CALL_MS, &answer, failure);
    yyjson_doc *doc = err ? NULL : yyjson_read(answer.at, answer.len, 0);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "warehouses");
    if (!err && !list)
        err = fail(failure, ERR_INTERNAL, "the server does not say which warehouses there are");
    *alien = yyjson_arr_size(list) > 0;
    yyjson_arr_foreach(list, at, count, each)
    {
        if (!is_text(each, "id", DEMO_WAREHOUSE_ID) || !is_text(each, "pin", furnishing->pin))
            continue;
        *alien = false;
        const char *told = yyjson_get_str(yyjson_obj_get(each, "token"));
        if (is_text(each, "url", furnishing->url) && told && strlen(told) + 1 < SECRET_TEXT)
            strcpy(token, told);
    }
    yyjson_doc_free(doc);
    buf_close(&answer);
    return err;
}

/* Registers it, if need be, and keeps the token: from then on it may be started. */
static int register_warehouse(const struct furnishing *furnishing, const struct remote *remote,
                              bool *alien, struct failure *failure)
{
    char path[FILE_PATH], token[SECRET_TEXT];
    int err = look(furnishing, remote, alien, token, failure);
    if (!err && !*alien && !token[0]) {
        err = put_warehouse(furnishing, remote, failure);
        err = err ? err : look(furnishing, remote, alien, token, failure);
    }
    if (err || *alien)
        return err;
    if (!token[0])
        return fail(failure, ERR_STATE, "the server has not registered the warehouse yet");
    strcat(token, "\n");
    err = file_join(path, furnishing->dir, "warehouse.token", failure);
    return err ? err : file_write(path, str_of(token), failure);
}

int demo_services_furnish(const struct furnishing *furnishing, const struct remote *remote,
                          bool *alien, struct failure *failure)
{
    *alien = false;
    int err = furnishing->mail ? switch_mail_on(remote, failure) : 0;
    if (!err && furnishing->url)
        err = register_warehouse(furnishing, remote, alien, failure);
    return err;
}

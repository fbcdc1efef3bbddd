/* `stoa key`: the keys by which the shop signs its webhooks; a client of the operator's API. */
#include "base/check.h"
#include "main/program.h"
#include "main/remote.h"

#include <curl/curl.h>
#include <string.h>
#include <yyjson.h>

enum { CALL_MS = 30000, KEY_ANSWER_MAX = 64 << 10 };

struct key_flags {
    char dir[OPTION_TEXT_SIZE];
    bool json, at_once;
};

#define AT(field) offsetof(struct key_flags, field)

static const struct option_row key_rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "the data directory of one of the servers, or a demo's"},
    {"at-once", OPTION_SWITCH, AT(at_once), NULL, 0, 0, NULL, NULL,
     "rotate: sign with the new key from now on and drop all others, as after a theft"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table key_table = {key_rows, COUNT_OF(key_rows)};

static void print_keys(struct str answer)
{
    size_t at, count;
    yyjson_val *each;
    yyjson_doc *doc = yyjson_read(answer.at, answer.len, 0);
    printf("%-44s %-25s %s\n", "KEY", "MADE", "STATE");
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "keys");
    yyjson_arr_foreach(list, at, count, each)
    {
        const char *kid = yyjson_get_str(yyjson_obj_get(each, "kid"));
        const char *made = yyjson_get_str(yyjson_obj_get(each, "made"));
        const char *state = yyjson_get_str(yyjson_obj_get(each, "state"));
        printf("%-44s %-25s %s\n", kid ? kid : "?", made ? made : "?", state ? state : "?");
    }
    yyjson_doc_free(doc);
}

static int show_keys(const struct program_command *self, const struct remote *remote,
                     const struct key_flags *flags)
{
    struct failure failure = {0};
    struct buf answer;
    buf_init(&answer, KEY_ANSWER_MAX);
    int err = remote_call(remote, "/admin/api/signing-keys", NULL, CALL_MS, &answer, &failure);
    if (!err && flags->json)
        printf("%.*s\n", STR_FMT(buf_text(&answer)));
    else if (!err)
        print_keys(buf_text(&answer));
    buf_close(&answer);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

static int rotate(const struct program_command *self, const struct remote *remote,
                  const struct key_flags *flags)
{
    struct failure failure = {0};
    struct buf answer;
    buf_init(&answer, KEY_ANSWER_MAX);
    int err = remote_call(remote, "/admin/api/signing-keys/rotate",
                          flags->at_once ? "{\"at_once\":true}" : "{}", CALL_MS, &answer, &failure);
    buf_close(&answer);
    return err ? command_failed(self, failure.text) : show_keys(self, remote, flags);
}

static int run_key(const struct program_command *self, int count, char **words)
{
    struct key_flags flags = {0};
    struct failure failure = {0};
    struct remote remote;
    const char *what = NULL;
    unsigned whats = 0;
    option_defaults(self->options, &flags);
    if (option_parse(self->options, &flags, count, words, &what, 1, &whats, &failure))
        return command_usage_error(self, failure.text);
    bool rotates = whats && strcmp(what, "rotate") == 0;
    if (whats && !rotates)
        return command_usage_error(self, "give rotate, or nothing to see the keys");
    if (flags.at_once && !rotates)
        return command_usage_error(self, "--at-once is for rotate");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (remote_find(flags.dir, &remote, &failure))
        return command_failed(self, failure.text);
    return rotates ? rotate(self, &remote, &flags) : show_keys(self, &remote, &flags);
}

const struct program_command command_key = {
    "key",
    "[rotate] [options]",
    "show or change the keys by which webhooks are signed",
    "`stoa key rotate` makes a new key. It is published at once in /.well-known/ucp, signs from\n"
    "ten minutes later on, when every platform can know it, and the one before it stays published\n"
    "for eight days. UCP recommends a rotation every 90 days.",
    &key_table,
    run_key,
};

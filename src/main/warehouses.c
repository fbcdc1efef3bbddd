/* `stoa warehouses`: the shop's warehouses; a client of the operator's API. */
#include "base/check.h"
#include "base/json_text.h"
#include "main/program.h"
#include "main/remote.h"

#include <curl/curl.h>
#include <string.h>
#include <yyjson.h>

enum { CALL_MS = 30000, ANSWER_MAX = 1 << 20, WORDS_MAX = 2, PATH_SIZE = 512 };

struct warehouses_flags {
    char dir[OPTION_TEXT_SIZE], name[OPTION_TEXT_SIZE], url[OPTION_TEXT_SIZE],
        pin[OPTION_TEXT_SIZE], position[OPTION_TEXT_SIZE], epoch[OPTION_TEXT_SIZE];
    bool json, close, open, renew, gone, sure;
};

#define AT(field) offsetof(struct warehouses_flags, field)

static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "the data directory of one of the servers, or a demo's"},
    {"url", OPTION_TEXT, AT(url), NULL, 0, 0, NULL, "URL",
     "put: where it takes orders: https://warehouse.example"},
    {"pin", OPTION_TEXT, AT(pin), NULL, 0, 0, NULL, "PIN",
     "put: of its public key, as it prints it: sha256//…; without one, its certificate must be of "
     "an authority that this machine trusts"},
    {"name", OPTION_TEXT, AT(name), NULL, 0, 0, NULL, "NAME", "put: for people"},
    {"position", OPTION_TEXT, AT(position), NULL, 0, 0, NULL, "N",
     "put: those with low positions ship first; the lowest has what no other has"},
    {"epoch", OPTION_TEXT, AT(epoch), NULL, 0, 0, NULL, "EPOCH",
     "put: take reports of this database of it from now on, counted from 1"},
    {"close", OPTION_SWITCH, AT(close), NULL, 0, 0, NULL, NULL,
     "put: give it nothing new, and to others what it has not packed"},
    {"open", OPTION_SWITCH, AT(open), NULL, 0, 0, NULL, NULL, "put: give it new orders again"},
    {"renew", OPTION_SWITCH, AT(renew), NULL, 0, 0, NULL, NULL,
     "token: make another one; the one before opens nothing any more"},
    {"sure", OPTION_SWITCH, AT(sure), NULL, 0, 0, NULL, NULL,
     "gone: you know that it ships nothing any more"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

static const char *text_of(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text ? text : "";
}

static bool is_set(yyjson_val *object, const char *key)
{
    return yyjson_get_bool(yyjson_obj_get(object, key));
}

static void print_one(yyjson_val *one)
{
    const char *state = is_set(one, "gone")     ? "gone"
                        : is_set(one, "closed") ? "closed"
                        : is_set(one, "main")   ? "main"
                                                : "open";
    if (is_set(one, "clearing"))
        state = "clearing";
    printf("%-20s %8lld %-8s %8lld %s\n", text_of(one, "id"),
           (long long)yyjson_get_int(yyjson_obj_get(one, "position")), state,
           (long long)yyjson_get_int(yyjson_obj_get(one, "reported")), text_of(one, "url"));
}

/* All of them, or with ID its token alone. False: there is no such one. */
static bool print(struct str answer, const char *id)
{
    size_t at, count;
    yyjson_val *each;
    bool found = !id;
    yyjson_doc *doc = yyjson_read(answer.at, answer.len, 0);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "warehouses");
    if (!id)
        printf("%-20s %8s %-8s %8s %s\n", "WAREHOUSE", "POSITION", "STATE", "REPORTS", "ADDRESS");
    yyjson_arr_foreach(list, at, count, each)
    {
        if (!id)
            print_one(each);
        if (!id || strcmp(id, text_of(each, "id")) != 0)
            continue;
        found = true;
        puts(text_of(each, "token"));
    }
    yyjson_doc_free(doc);
    return found;
}

static int show(const struct program_command *self, const struct remote *remote,
                const struct warehouses_flags *flags, const char *id)
{
    struct failure failure = {0};
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    int err = remote_call(remote, "/admin/api/warehouses", NULL, CALL_MS, &answer, &failure);
    if (!err && flags->json)
        printf("%.*s\n", STR_FMT(buf_text(&answer)));
    else if (!err && !print(buf_text(&answer), id))
        err = fail(&failure, ERR_NOTFOUND, "there is no warehouse \"%s\"", id);
    buf_close(&answer);
    return err ? command_failed(self, failure.text) : EXIT_DONE;
}

static void put_text(struct buf *body, const char *key, const char *text)
{
    if (!text[0])
        return;
    buf_printf(body, "%s\"%s\":", body->len > 1 ? "," : "", key);
    json_text_put(text, body);
}

static void put_body(struct buf *body, const struct warehouses_flags *flags)
{
    uint64_t position;
    buf_byte(body, '{');
    put_text(body, "url", flags->url);
    put_text(body, "pin", flags->pin);
    put_text(body, "name", flags->name);
    put_text(body, "epoch", flags->epoch);
    if (str_to_u64(str_of(flags->position), &position) == 0)
        buf_printf(body, "%s\"position\":%llu", body->len > 1 ? "," : "",
                   (unsigned long long)position);
    if (flags->gone)
        buf_printf(body, "%s\"gone\":true", body->len > 1 ? "," : "");
    if (flags->renew)
        buf_printf(body, "%s\"renew_token\":true", body->len > 1 ? "," : "");
    if (flags->close || flags->open)
        buf_printf(body, "%s\"closed\":%s", body->len > 1 ? "," : "",
                   flags->close ? "true" : "false");
    buf_puts(body, "}");
    buf_byte(body, 0);
}

static int put(const struct program_command *self, const struct remote *remote,
               const struct warehouses_flags *flags, const char *id)
{
    struct failure failure = {0};
    struct buf body, answer;
    char escaped[PATH_SIZE / 2], path[PATH_SIZE];
    remote_escape(id, escaped, sizeof escaped);
    snprintf(path, sizeof path, "/admin/api/warehouses/%s", escaped);
    buf_init(&body, 8 * OPTION_TEXT_SIZE);
    buf_init(&answer, ANSWER_MAX);
    put_body(&body, flags);
    int err = body.failed ? fail(&failure, ERR_NOMEM, "out of memory")
                          : remote_put(remote, path, body.at, CALL_MS, &answer, &failure);
    buf_close(&body);
    buf_close(&answer);
    return err ? command_failed(self, failure.text)
               : show(self, remote, flags, flags->renew ? id : NULL);
}

static int check(const struct program_command *self, const struct warehouses_flags *flags,
                 unsigned count, const char *const *words)
{
    uint64_t position;
    if (count && strcmp(words[0], "put") != 0 && strcmp(words[0], "token") != 0 &&
        strcmp(words[0], "gone") != 0)
        return command_usage_error(self, "give put ID, token ID, gone ID, or nothing to see them");
    if (count == 1)
        return command_usage_error(self, "which warehouse? Give its id");
    if (flags->position[0] &&
        (str_to_u64(str_of(flags->position), &position) || position > UINT32_MAX))
        return command_usage_error(self, "--position is a number from 0");
    if (flags->renew && (!count || strcmp(words[0], "token") != 0))
        return command_usage_error(self, "--renew goes with token ID");
    if (flags->gone && count > 1 && !flags->sure)
        return command_usage_error(
            self, "what this warehouse had to ship is shipped by others, and its goods are counted "
                  "away, for good. If it still ships anything, shoppers get it twice: ask there, "
                  "then say it again with --sure. One that can be asked is better closed: put ID "
                  "--close");
    if (flags->close && flags->open)
        return command_usage_error(self, "--close or --open, not both");
    return EXIT_DONE;
}

static int run_warehouses(const struct program_command *self, int count, char **given)
{
    struct warehouses_flags flags = {0};
    struct failure failure = {0};
    struct remote remote;
    const char *words[WORDS_MAX] = {NULL};
    unsigned word_count = 0;
    option_defaults(self->options, &flags);
    if (option_parse(self->options, &flags, count, given, words, WORDS_MAX, &word_count, &failure))
        return command_usage_error(self, failure.text);
    flags.gone = word_count && strcmp(words[0], "gone") == 0;
    int status = check(self, &flags, word_count, words);
    if (status)
        return status;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (remote_find(flags.dir, &remote, &failure))
        return command_failed(self, failure.text);
    if (word_count && (flags.renew || flags.gone || strcmp(words[0], "put") == 0))
        return put(self, &remote, &flags, words[1]);
    return show(self, &remote, &flags, word_count ? words[1] : NULL);
}

const struct program_command command_warehouses = {
    "warehouses",
    "[put ID | token ID | gone ID] [options]",
    "show or change the warehouses that the shop ships from",
    "`stoa warehouses put ID --url URL --pin PIN` makes a warehouse known to the shop; what is "
    "not\n"
    "given of one that is known stays. `stoa warehouses token ID` prints the token by which that\n"
    "warehouse and the shop know each other: give it to `stoa warehouse --token-file`.\n"
    "With --renew it is another one from now on: until the warehouse has it, neither side gets\n"
    "through to the other, and all that they have to tell waits.\n"
    "A warehouse is never forgotten, as orders name it. One that is closed (--close) is asked\n"
    "for what it has not packed, and others ship that, as far as they have it. One that burnt\n"
    "down cannot be asked: `stoa warehouses gone ID --sure` gives all that it had to ship to\n"
    "others, and its id is used no more.",
    &table,
    run_warehouses,
};

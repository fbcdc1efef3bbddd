#include "main/register.h"

#include "base/check.h"
#include "base/clock.h"
#include "shop/read.h"
#include "shop/registry.h"

enum { RECORD_MAX = 16 << 10, ANSWER_MAX = 64 << 10, FRESH_MS = 5000 };

/* ---- Writing ---- */

static int result_of(struct buf *answer, struct failure *failure)
{
    struct arena arena;
    struct result result;
    arena_init(&arena, ANSWER_MAX);
    int err = result_decode(&arena, buf_text(answer), &result);
    if (err)
        fail(failure, err, "the shop's answer cannot be read");
    else if (result.err)
        err = fail(failure, result.err, "%.*s", STR_FMT(result.text));
    arena_close(&arena);
    return err;
}

int register_put(struct ordering *order, const struct registration *what, struct failure *failure)
{
    struct buf record, answer;
    uint64_t index = 0;
    struct command command = {
        .type = COMMAND_REGISTRY_PUT,
        .operation = id_new(clock_wall_ms()),
        .registry = {.key = str_of(what->key),
                     .value = what->value,
                     .condition = what->condition,
                     .expected = what->expected},
    };
    buf_init(&record, RECORD_MAX);
    buf_init(&answer, ANSWER_MAX);
    command_encode(&record, &command);
    int err =
        record.failed ? ERR_FULL : order_submit_wait(order, buf_text(&record), &answer, &index);
    if (err)
        fail(failure, err, "the cluster's registry cannot be changed: %s", err_sentence(err));
    else
        err = result_of(&answer, failure);
    if (!err && order_await_wait(order, index, FRESH_MS))
        err = fail(failure, ERR_TIMEOUT, "this server is too far behind the primary");
    buf_close(&record);
    buf_close(&answer);
    return err;
}

/* ---- Reading ---- */

int register_catch_up(struct ordering *order, struct failure *failure)
{
    struct buf answer;
    uint64_t index = 0;
    buf_init(&answer, ANSWER_MAX);
    int err = order_submit_wait(order, STR(""), &answer, &index);
    err = err ? err : order_await_wait(order, index, FRESH_MS);
    buf_close(&answer);
    return err ? fail(failure, err, "the cluster's registry cannot be read: %s", err_sentence(err))
               : 0;
}

int register_get(struct ordering *order, const char *database, const char *key, bool fresh,
                 char *value, size_t size, struct failure *failure)
{
    struct reader *reader;
    struct arena arena;
    struct str found;
    value[0] = 0;
    int err = fresh ? register_catch_up(order, failure) : 0;
    err = err ? err : reader_open(database, &reader, failure);
    if (err)
        return err;
    arena_init(&arena, ANSWER_MAX);
    err = reader_registry(reader, &arena, str_of(key), &found);
    if (err && err != ERR_NOTFOUND)
        fail(failure, err, "the registry cannot be read: %s", err_sentence(err));
    if (!err && found.len >= size)
        err = fail(failure, ERR_DAMAGED, "the registry's entry \"%s\" is too long", key);
    if (!err)
        str_copy(value, size, found);
    arena_close(&arena);
    reader_close(reader);
    return err;
}

int register_each(const char *database, const char *prefix,
                  int (*each)(void *context, struct str key, struct str value), void *context,
                  struct failure *failure)
{
    struct reader *reader;
    struct arena arena;
    char after[REGISTRY_KEY_MAX + 1] = "";
    struct str key, value;
    int err = reader_open(database, &reader, failure);
    if (err)
        return err;
    arena_init(&arena, ANSWER_MAX);
    while (!(
        err = reader_registry_next(reader, &arena, str_of(prefix), str_of(after), &key, &value))) {
        err = each(context, key, value);
        if (err)
            break;
        str_copy(after, sizeof after, key);
        arena_reset(&arena);
    }
    arena_close(&arena);
    reader_close(reader);
    return err == ERR_NOTFOUND ? 0 : err;
}

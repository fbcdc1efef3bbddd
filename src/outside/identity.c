#include "outside/identity.h"

#include "base/check.h"
#include "base/clock.h"
#include "shop/command.h"

enum { MEMORY_MAX = 64 << 10, RECORD_MAX = 16 << 10 };

/* ---- Reading ---- */

static int read_both(struct reader *reader, struct arena *arena, struct id *shop, uint64_t *epoch)
{
    struct str text;
    int err = reader_registry(reader, arena, STR(IDENTITY_SHOP_ID), &text);
    if (err == 0 && id_parse(text, shop) != 0)
        err = ERR_DAMAGED;
    if (err != 0)
        return err;
    err = reader_registry(reader, arena, STR(IDENTITY_EPOCH), &text);
    if (err == 0 && str_to_u64(text, epoch) != 0)
        err = ERR_DAMAGED;
    return err;
}

int identity_read(struct reader *reader, struct id *shop, uint64_t *epoch)
{
    struct arena arena;
    arena_init(&arena, MEMORY_MAX);
    int err = read_both(reader, &arena, shop, epoch);
    arena_close(&arena);
    return err;
}

/* ---- Putting ---- */

static int put(struct ordering *order, const char *key, struct str value, struct failure *failure)
{
    struct buf record, answer;
    struct command command = {
        .type = COMMAND_REGISTRY_PUT,
        .operation = id_new(clock_wall_ms()),
        .registry = {.key = str_of(key), .value = value, .condition = REGISTRY_ABSENT},
    };
    struct str why;
    buf_init(&record, RECORD_MAX);
    buf_init(&answer, MEMORY_MAX);
    command_encode(&record, &command);
    CHECK(!record.failed);
    int err = order_submit_wait(order, buf_text(&record), &answer, NULL);
    if (err == 0)
        err = result_err(buf_text(&answer), &why);
    if (err == ERR_CONFLICT) /* it is there */
        err = 0;
    buf_close(&record);
    buf_close(&answer);
    return err == 0 ? 0 : fail(failure, err, "cannot put \"%s\": %s", key, err_sentence(err));
}

int identity_put(struct ordering *order, struct failure *failure)
{
    char text[ID_TEXT];
    int err = put(order, IDENTITY_EPOCH, STR("0"), failure);
    return err != 0 ? err
                    : put(order, IDENTITY_SHOP_ID, str_of(id_text(id_new(clock_wall_ms()), text)),
                          failure);
}

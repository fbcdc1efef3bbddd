#include "outside/import_stage.h"

#include "base/clock.h"

enum { CHUNK_MAX = 200 << 10, STEP_PRODUCTS = 200 };

void stage_init(struct stage *stage, struct ordering *order)
{
    *stage = (struct stage){.order = order, .id = id_new(clock_wall_ms())};
    buf_init(&stage->chunk, CHUNK_MAX);
    buf_init(&stage->one, CHUNK_MAX);
    buf_init(&stage->record, ORDER_COMMAND_MAX);
    buf_init(&stage->result, 4 * ORDER_COMMAND_MAX);
}

void stage_close(struct stage *stage)
{
    buf_close(&stage->chunk);
    buf_close(&stage->one);
    buf_close(&stage->record);
    buf_close(&stage->result);
}

static int read_result(struct stage *stage, uint64_t *number, struct failure *failure)
{
    struct arena arena;
    struct result result;
    arena_init(&arena, 4 << 20);
    int err = result_decode(&arena, buf_text(&stage->result), &result);
    if (err)
        fail(failure, err, "the shop's answer cannot be read");
    else if (result.err)
        err = fail(failure, result.err, "%.*s", STR_FMT(result.text));
    else if (number && result.kind == RESULT_NUMBER)
        *number = result.number;
    arena_close(&arena);
    return err;
}

int stage_command(struct stage *stage, const struct command *command, uint64_t *number,
                  struct failure *failure)
{
    buf_clear(&stage->record);
    buf_clear(&stage->result);
    struct command stamped = *command;
    if (command_once(command->type)) /* it may be sent again when the primary changes */
        stamped.operation = id_new(clock_wall_ms());
    command_encode(&stage->record, &stamped);
    if (stage->record.failed)
        return fail(failure, ERR_FULL, "a command is longer than the log takes");
    int err =
        order_submit_wait(stage->order, buf_text(&stage->record), &stage->result, &stage->index);
    if (err)
        return fail(failure, err, "the shop did not take it: %s", err_sentence(err));
    return read_result(stage, number, failure);
}

static int send_chunk(struct stage *stage, struct failure *failure)
{
    struct command command = {.type = COMMAND_IMPORT_STAGE};
    if (stage->chunk.len == 0)
        return 0;
    command.import.id = stage->id;
    command.import.sequence = stage->chunks;
    command.import.products = buf_text(&stage->chunk);
    int err = stage_command(stage, &command, NULL, failure);
    if (err)
        return err;
    stage->chunks++;
    buf_clear(&stage->chunk);
    return 0;
}

int stage_product(struct stage *stage, const struct product *product, struct failure *failure)
{
    buf_clear(&stage->one);
    command_put_product(&stage->one, product);
    if (stage->one.failed)
        return fail(failure, ERR_FULL, "product \"%.*s\" is larger than 200 KiB",
                    STR_FMT(product->handle));
    if (stage->chunk.len + stage->one.len > CHUNK_MAX) {
        int err = send_chunk(stage, failure);
        if (err)
            return err;
    }
    buf_str(&stage->chunk, buf_text(&stage->one));
    return 0;
}

/* The primary has it all in its catalogue: now this server too, so that its operator finds what
 * was imported. A copy that takes longer is behind with everything. */
static void wait_for_copy(struct stage *stage)
{
    enum { COPY_WAIT_MS = 30000 };
    order_await_wait(stage->order, stage->index, COPY_WAIT_MS);
}

int stage_commit(struct stage *stage, struct failure *failure)
{
    struct command command = {.type = COMMAND_IMPORT_COMMIT};
    int err = send_chunk(stage, failure);
    if (err || stage->chunks == 0)
        return err;
    command.import.id = stage->id;
    command.import.sequence = stage->chunks;
    err = stage_command(stage, &command, NULL, failure);
    for (uint64_t moved = 1; !err && moved;) {
        struct command step = {.type = COMMAND_IMPORT_STEP};
        step.import.id = stage->id;
        step.import.limit = STEP_PRODUCTS;
        moved = 0;
        if (stage->stop && *stage->stop)
            return fail(failure, ERR_CLOSED, "the server stops; the import goes on when it runs");
        err = stage_command(stage, &step, &moved, failure);
        if (stage->stepped)
            stage->stepped(stage->context);
    }
    if (!err)
        wait_for_copy(stage);
    return err;
}

void stage_abort(struct stage *stage)
{
    struct command command = {.type = COMMAND_IMPORT_ABORT};
    command.import.id = stage->id;
    /* When even this fails, the shop drops the undecided import after a day. */
    if (stage->chunks)
        stage_command(stage, &command, NULL, NULL);
}

/* Any bytes are read as a command, as a result and as products of an import: what is taken
 * for one can be written again, and is then read as the same. */
#include "base/check.h"
#include "shop/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_command(struct arena *arena, struct str input)
{
    struct command command, again;
    struct buf out, twice;
    if (command_decode(arena, input, &command))
        return;
    buf_init(&out, 4 << 20);
    buf_init(&twice, 4 << 20);
    command_encode(&out, &command);
    CHECK(!out.failed);
    CHECK(command_decode(arena, buf_text(&out), &again) == 0);
    command_encode(&twice, &again);
    CHECK(str_eq(buf_text(&out), buf_text(&twice)));
    buf_close(&out);
    buf_close(&twice);
}

static void try_products(struct arena *arena, struct str input)
{
    struct product product;
    while (input.len > 0 && command_get_product(arena, &input, &product) == 0)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct result result;
    struct str input = str_make(data, size);
    arena_init(&arena, 64 << 20);
    try_command(&arena, input);
    try_products(&arena, input);
    result_decode(&arena, input, &result);
    arena_close(&arena);
    return 0;
}

#include "web/basket.h"

int basket_input_of(struct arena *arena, const struct basket *basket, struct basket_input *input)
{
    memset(input, 0, sizeof *input);
    input->lines = ARENA_ARRAY(arena, struct command_line, basket->line_count + 1);
    if (!input->lines)
        return ERR_NOMEM;
    input->line_count = basket->line_count;
    for (unsigned i = 0; i < basket->line_count; i++)
        input->lines[i] = (struct command_line){
            .item_key = basket->lines[i].item_key,
            .quantity = basket->lines[i].quantity,
            .line_id = basket->lines[i].line_id,
        };
    input->buyer = basket->buyer;
    input->context_country = basket->context_country;
    input->context_region = basket->context_region;
    input->context_postal_code = basket->context_postal_code;
    input->code_count = basket->code_count;
    for (unsigned i = 0; i < basket->code_count; i++)
        input->codes[i] = basket->codes[i];
    return 0;
}

#include "replica/fence.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>

int fence_compare(const struct fence *a, const struct fence *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    if (a->term != b->term)
        return a->term < b->term ? -1 : 1;
    return 0;
}

void fence_write(const struct fence *fence, char text[static FENCE_TEXT_SIZE])
{
    char shop[ID_TEXT];
    snprintf(text, FENCE_TEXT_SIZE, "%s %" PRIu64 ".%" PRIu64, id_text(fence->shop, shop),
             fence->epoch, fence->term);
}

int fence_parse(struct str text, struct fence *fence)
{
    struct fence read;
    struct str shop, epoch, rest = str_trim(text);
    if (!str_cut(&rest, ' ', &shop) || shop.len != ID_TEXT - 1 || id_parse(shop, &read.shop) != 0 ||
        !str_cut(&rest, '.', &epoch) || str_to_u64(epoch, &read.epoch) != 0 ||
        str_to_u64(rest, &read.term) != 0)
        return ERR_INVALID;
    *fence = read;
    return 0;
}

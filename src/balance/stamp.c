#include "balance/stamp.h"

#include "base/random.h"

char *stamp_new(struct stamp *stamp, int64_t wall_ms, char out[static ID_TEXT])
{
    enum { EACH = 16 };
    if (stamp->left < EACH) {
        random_secret(stamp->bits, sizeof stamp->bits);
        stamp->left = sizeof stamp->bits;
    }
    stamp->left -= EACH;
    unsigned char *bits = stamp->bits + stamp->left;
    id_text(id_make(wall_ms, bits), out);
    memset(bits, 0, EACH); /* an id that was given out is told by nothing here any more */
    return out;
}

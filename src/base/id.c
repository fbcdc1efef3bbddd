#include "base/id.h"

#include "base/err.h"
#include "base/random.h"

struct id id_make(int64_t wall_ms, const unsigned char random_bits[16])
{
    struct id id;
    memcpy(id.bytes, random_bits, sizeof id.bytes);
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (unsigned char)(wall_ms >> (40 - 8 * i));
    id.bytes[6] = (unsigned char)((id.bytes[6] & 0x0f) | 0x70);
    id.bytes[8] = (unsigned char)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

struct id id_new(int64_t wall_ms)
{
    unsigned char bits[16];
    random_secret(bits, sizeof bits);
    return id_make(wall_ms, bits);
}

bool id_is_zero(struct id id)
{
    return id_eq(id, (struct id){{0}});
}

char *id_text(struct id id, char out[static ID_TEXT])
{
    hex_encode(id.bytes, sizeof id.bytes, out);
    return out;
}

int id_parse(struct str text, struct id *id)
{
    char digits[32];
    size_t n = 0;
    bool dashed = text.len == 36;
    if (!dashed && text.len != 32)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        bool dash_here = dashed && (i == 8 || i == 13 || i == 18 || i == 23);
        if (dash_here != (text.at[i] == '-'))
            return ERR_INVALID;
        if (!dash_here)
            digits[n++] = text.at[i];
    }
    struct id read;
    int err = hex_decode(str_make(digits, n), read.bytes, sizeof read.bytes);
    if (!err)
        *id = read;
    return err;
}

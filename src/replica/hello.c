#include "replica/hello.h"

#include "base/wire.h"

#include <stdio.h>

char *server_name(uint64_t id, char out[SERVER_NAME])
{
    snprintf(out, SERVER_NAME, "server-%llu", (unsigned long long)id);
    return out;
}

void server_place_put(struct buf *out, const struct server_place *place)
{
    wire_put_u64(out, place->id);
    wire_put_i64(out, place->since_ms);
    wire_put_u64(out, place->pid);
    wire_put_str(out, str_of(place->address));
    wire_put_str(out, str_of(place->url));
}

/* Printable, and not too long: it comes into our log and into other servers' files. */
static void get_text(struct wire *in, char *out, size_t size)
{
    struct str text = wire_str(in);
    for (size_t i = 0; i < text.len; i++)
        in->bad |= (unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f;
    in->bad |= text.len >= size;
    str_copy(out, size, in->bad ? STR_NONE : text);
}

void server_place_get(struct wire *in, struct server_place *place)
{
    place->id = wire_u64(in);
    place->since_ms = wire_i64(in);
    place->pid = wire_u64(in);
    get_text(in, place->address, sizeof place->address);
    get_text(in, place->url, sizeof place->url);
}

void hello_encode(struct buf *out, const struct hello *hello)
{
    wire_put_u64(out, HELLO_VERSION);
    wire_put_u64(out, hello->purpose);
    wire_put_raw(out, hello->cluster.bytes, sizeof hello->cluster.bytes);
    wire_put_u64(out, hello->generation);
    server_place_put(out, &hello->place);
}

int hello_decode(struct hello *hello, struct str payload)
{
    struct wire in = wire_of(payload);
    *hello = (struct hello){0};
    uint64_t version = wire_u64(&in);
    if (!in.bad && version != HELLO_VERSION)
        return ERR_UNSUPPORTED;
    uint64_t purpose = wire_u64_max(&in, HELLO_JOIN);
    wire_raw(&in, hello->cluster.bytes, sizeof hello->cluster.bytes);
    hello->generation = wire_u64(&in);
    server_place_get(&in, &hello->place);
    if (in.bad || wire_left(&in) > 0 || purpose < HELLO_LINK)
        return ERR_INVALID;
    hello->purpose = (enum hello_purpose)purpose;
    return ERR_OK;
}

void refusal_encode(struct buf *out, enum refusal code, const char *sentence)
{
    wire_put_u64(out, code);
    wire_put_str(out, str_clip_utf8(str_of(sentence), REFUSAL_TEXT - 1));
}

int refusal_decode(struct str payload, enum refusal *code, char *sentence, size_t size)
{
    struct wire in = wire_of(payload);
    uint64_t number = wire_u64_max(&in, REFUSED_BUSY);
    struct str text = wire_str(&in);
    if (in.bad || wire_left(&in) > 0 || number < REFUSED_CLUSTER)
        return ERR_INVALID;
    *code = (enum refusal)number;
    str_copy(sentence, size, str_clip_utf8(text, size - 1));
    for (char *at = sentence; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    return ERR_OK;
}

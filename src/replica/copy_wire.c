#include "replica/copy_wire.h"

#include "base/wire.h"

void copy_ask_put(struct buf *out, const struct copy_ask *ask)
{
    wire_put_u64(out, COPY_VERSION);
    wire_put_u64(out, ask->copy);
    wire_put_u64(out, ask->offset);
    wire_put_u64(out, ask->least);
    wire_put_bool(out, ask->primary_too);
}

int copy_ask_get(struct copy_ask *ask, struct str payload)
{
    struct wire in = wire_of(payload);
    if (wire_u64(&in) != COPY_VERSION && !in.bad)
        return ERR_UNSUPPORTED;
    ask->copy = wire_u64(&in);
    ask->offset = wire_u64(&in);
    ask->least = wire_u64(&in);
    ask->primary_too = wire_bool(&in);
    return in.bad ? ERR_INVALID : 0;
}

void copy_begin_put(struct buf *out, const struct copy_begin *begin)
{
    wire_put_u64(out, begin->copy);
    wire_put_u64(out, begin->offset);
    wire_put_u64(out, begin->size);
    wire_put_u64(out, begin->index);
    wire_put_i64(out, begin->time_ms);
}

int copy_begin_get(struct copy_begin *begin, struct str payload)
{
    struct wire in = wire_of(payload);
    begin->copy = wire_u64(&in);
    begin->offset = wire_u64(&in);
    begin->size = wire_u64(&in);
    begin->index = wire_u64(&in);
    begin->time_ms = wire_i64(&in);
    bool possible = begin->copy != 0 && begin->offset <= begin->size && begin->size <= INT64_MAX;
    return in.bad || !possible ? ERR_INVALID : 0;
}

void copy_refused_put(struct buf *out, enum copy_refusal code, const char *sentence)
{
    wire_put_u64(out, code);
    wire_put_str(out, str_of(sentence));
}

int copy_refused_get(enum copy_refusal *code, char *sentence, size_t size, struct str payload)
{
    struct wire in = wire_of(payload);
    *code = (enum copy_refusal)wire_u64_max(&in, COPY_UNKNOWN);
    str_copy(sentence, size, wire_str(&in));
    return in.bad ? ERR_INVALID : 0;
}

void copy_offset_put(unsigned char out[COPY_OFFSET_SIZE], uint64_t offset)
{
    for (int i = 0; i < COPY_OFFSET_SIZE; i++)
        out[i] = (unsigned char)(offset >> (8 * i));
}

uint64_t copy_offset_get(const char *in)
{
    uint64_t offset = 0;
    for (int i = 0; i < COPY_OFFSET_SIZE; i++)
        offset |= (uint64_t)(unsigned char)in[i] << (8 * i);
    return offset;
}

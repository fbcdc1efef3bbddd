/* Binary records: how commands, results and stored states are written.
 *
 * Integers are LEB128 varints (signed ones zigzag-coded), byte strings a varint
 * length and the bytes. There are no field tags: a record starts with a version
 * number, and a reader of version N reads what a writer of version ≤ N wrote.
 *
 * The reader never reads past its end: after the first error every read gives 0
 * or an empty string and `bad` stays set, so a decoder checks once, at the end.
 * Strings read are lent from the record. Thread: any.
 */
#ifndef STOA_BASE_WIRE_H
#define STOA_BASE_WIRE_H

#include "base/buf.h"

struct wire {
    const unsigned char *at, *end;
    bool bad;
};

void wire_put_u64(struct buf *out, uint64_t value);
void wire_put_i64(struct buf *out, int64_t value);
void wire_put_bool(struct buf *out, bool value);
void wire_put_str(struct buf *out, struct str value);
/* LEN bytes as they are, without a length in front. */
void wire_put_raw(struct buf *out, const void *bytes, size_t len);

struct wire wire_of(struct str record);
uint64_t wire_u64(struct wire *in);
/* As wire_u64, and `bad` when above MAX. */
uint64_t wire_u64_max(struct wire *in, uint64_t max);
int64_t wire_i64(struct wire *in);
bool wire_bool(struct wire *in);
struct str wire_str(struct wire *in);
/* Copies LEN raw bytes to OUT (zeroes when bad). */
void wire_raw(struct wire *in, void *out, size_t len);
/* How many bytes are left. */
static inline size_t wire_left(const struct wire *in)
{
    return (size_t)(in->end - in->at);
}

#endif

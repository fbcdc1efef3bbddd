/* Frame: messages on a byte stream, as servers of one cluster speak to each other.
 *
 *   offset  size  little-endian
 *        0     4  length of the payload, at most FRAME_PAYLOAD_MAX
 *        4     1  kind (the protocol's, never 0; see replica/hello.h)
 *        5     3  zeros
 *        8        payload
 *
 * Integrity is TLS's. Pure.
 */
#ifndef STOA_NET_FRAME_H
#define STOA_NET_FRAME_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER = 8, FRAME_PAYLOAD_MAX = 4 * 1024 * 1024 };

struct frame {
    uint8_t kind;
    struct str payload; /* lent from the bytes */
};

/* Just the header of a payload of LEN bytes that follows from elsewhere. */
void frame_header(char out[FRAME_HEADER], uint8_t kind, size_t len);

/* Appends a frame. With frame_begin and frame_end the payload is written straight into OUT
 * between the two; frame_begin's result is handed to frame_end. What is longer than
 * FRAME_PAYLOAD_MAX is the caller's mistake and aborts. */
void frame_put(struct buf *out, uint8_t kind, struct str payload);
size_t frame_begin(struct buf *out, uint8_t kind);
void frame_end(struct buf *out, size_t begun);

/* Reads the frame at the begin of BYTES: 0 and *USED (header and payload), ERR_NOTFOUND while
 * there is no whole one yet, ERR_INVALID when this is no frame. */
int frame_read(struct str bytes, struct frame *frame, size_t *used);
/* The same of the header alone: whether to wait for LEN bytes can be decided before they come. */
int frame_read_header(struct str bytes, uint8_t *kind, size_t *len);

#endif

#include "net/frame.h"

#include "base/check.h"

void frame_header(char out[FRAME_HEADER], uint8_t kind, size_t len)
{
    CHECK(kind != 0 && len <= FRAME_PAYLOAD_MAX);
    unsigned char header[FRAME_HEADER] = {(unsigned char)len, (unsigned char)(len >> 8),
                                          (unsigned char)(len >> 16), (unsigned char)(len >> 24),
                                          kind};
    memcpy(out, header, sizeof header);
}

void frame_put(struct buf *out, uint8_t kind, struct str payload)
{
    size_t begun = frame_begin(out, kind);
    buf_str(out, payload);
    frame_end(out, begun);
}

size_t frame_begin(struct buf *out, uint8_t kind)
{
    size_t begun = out->len;
    char *room = buf_room(out, FRAME_HEADER);
    if (room) {
        frame_header(room, kind, 0);
        out->len += FRAME_HEADER;
    }
    return begun;
}

void frame_end(struct buf *out, size_t begun)
{
    if (out->failed)
        return;
    frame_header(out->at + begun, (uint8_t)out->at[begun + 4], out->len - begun - FRAME_HEADER);
}

int frame_read_header(struct str bytes, uint8_t *kind, size_t *len)
{
    if (bytes.len < FRAME_HEADER)
        return ERR_NOTFOUND;
    const unsigned char *at = (const unsigned char *)bytes.at;
    *len = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    *kind = at[4];
    bool valid = *len <= FRAME_PAYLOAD_MAX && at[4] != 0 && at[5] == 0 && at[6] == 0 && at[7] == 0;
    return valid ? ERR_OK : ERR_INVALID;
}

int frame_read(struct str bytes, struct frame *frame, size_t *used)
{
    size_t len;
    int err = frame_read_header(bytes, &frame->kind, &len);
    if (err)
        return err;
    if (bytes.len - FRAME_HEADER < len)
        return ERR_NOTFOUND;
    frame->payload = str_sub(bytes, FRAME_HEADER, len);
    *used = FRAME_HEADER + len;
    return ERR_OK;
}

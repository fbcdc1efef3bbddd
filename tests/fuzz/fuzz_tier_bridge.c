/* Any bytes come over a bridge's link: what is taken for a message can be written again, and is
 * read as the same. */
#include "base/check.h"
#include "tier/bridge_frame.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bridge_message message, again;
    struct buf out, other;
    if (size == 0 || bridge_read(data[0], str_make(data + 1, size - 1), &message) != 0)
        return 0;
    CHECK(message.bytes.len <= BRIDGE_PIECE && message.peer.len < QUEUE_PEER);
    CHECK(message.class < SHARE_CLASSES && message.why < BRIDGE_WHYS);
    buf_init(&out, 64 << 10);
    buf_init(&other, 64 << 10);
    bridge_put(&out, &message);
    CHECK(!out.failed && bridge_read(data[0], buf_text(&out), &again) == 0);
    bridge_put(&other, &again);
    CHECK(str_eq(buf_text(&out), buf_text(&other)));
    buf_close(&out);
    buf_close(&other);
    return 0;
}

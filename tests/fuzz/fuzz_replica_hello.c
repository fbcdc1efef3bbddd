/* What another server, or anybody who says that he is one, sends first: frames, and in them a hello
 * or a refusal. */
#include "net/frame.h"
#include "replica/hello.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    if (len == size)
        abort();
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            abort();
}

/* What was read can be written, and is the same then. */
static void check_hello(const struct hello *hello)
{
    struct buf out;
    struct hello again;
    check_printable(hello->place.address, sizeof hello->place.address);
    check_printable(hello->place.url, sizeof hello->place.url);
    buf_init(&out, HELLO_MAX);
    hello_encode(&out, hello);
    if (out.failed || hello_decode(&again, buf_text(&out)) != ERR_OK ||
        again.place.id != hello->place.id || again.purpose != hello->purpose ||
        again.generation != hello->generation || !id_eq(again.cluster, hello->cluster) ||
        strcmp(again.place.url, hello->place.url) != 0)
        abort();
    buf_close(&out);
}

static void read_payload(struct str payload)
{
    struct hello hello;
    enum refusal code;
    char sentence[REFUSAL_TEXT];
    if (hello_decode(&hello, payload) == ERR_OK)
        check_hello(&hello);
    if (refusal_decode(payload, &code, sentence, sizeof sentence) == ERR_OK)
        check_printable(sentence, sizeof sentence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str left = str_make(data, size);
    struct frame frame;
    size_t used;
    read_payload(left);
    while (frame_read(left, &frame, &used) == ERR_OK) {
        if (used != FRAME_HEADER + frame.payload.len || used > left.len)
            abort();
        read_payload(frame.payload);
        left = str_from(left, used);
    }
    return 0;
}

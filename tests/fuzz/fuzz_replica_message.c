/* What other servers send on a link: Raft's messages and news. What is taken must come out the same
 * when it is written again. */
#include "base/buf.h"
#include "replica/message.h"
#include "replica/news.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct raft_message *message)
{
    struct buf out;
    unsigned next = 0;
    buf_init(&out, 8 * 1024 * 1024);
    struct raft_message second;
    message_encode(&out, message, &next);
    if (out.failed || message_decode(&second, buf_text(&out)) != 0 || second.type != message->type)
        abort();
    message_free(&second);
    buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct news_book book;
    struct raft_message message;
    struct news news;
    struct str input = str_make(data, size);
    if (message_decode(&message, input) == 0) {
        again(&message);
        message_free(&message);
    }
    (void)news_decode(input, &news, &book);
    return 0;
}

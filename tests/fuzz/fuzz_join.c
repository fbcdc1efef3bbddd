/* Any bytes are read as a token and as what newcomer and member say to each other: what is taken
 * for one can be written again, and is then the same. */
#include "base/check.h"
#include "main/join_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_token(struct str input)
{
    struct token token, again;
    struct buf out;
    if (token_decode(input, &token, NULL))
        return;
    buf_init(&out, TOKEN_TEXT);
    token_encode(&out, &token);
    CHECK(!out.failed);
    CHECK(token_decode(buf_text(&out), &again, NULL) == 0);
    CHECK(token.address_count == again.address_count && token.expires_ms == again.expires_ms);
    buf_close(&out);
}

static void try_ask(struct str input)
{
    struct join_ask ask;
    struct buf out;
    if (join_ask_decode(&ask, input))
        return;
    buf_init(&out, JOIN_WORDS_MAX);
    join_ask_encode(&out, &ask);
    struct join_ask again;
    CHECK(!out.failed && join_ask_decode(&again, buf_text(&out)) == 0);
    CHECK(str_eq(ask.address, again.address) && str_eq(ask.request, again.request));
    buf_close(&out);
}

static void try_welcome(struct str input)
{
    struct join_welcome welcome, again;
    struct buf out;
    if (join_welcome_decode(&welcome, input))
        return;
    buf_init(&out, JOIN_WORDS_MAX);
    join_welcome_encode(&out, &welcome);
    CHECK(!out.failed && join_welcome_decode(&again, buf_text(&out)) == 0);
    CHECK(welcome.id == again.id && str_eq(welcome.book, again.book));
    buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make(data, size);
    if (size > JOIN_WORDS_MAX)
        return 0;
    try_token(input);
    try_ask(input);
    try_welcome(input);
    return 0;
}

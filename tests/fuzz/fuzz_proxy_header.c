/* PROXY headers, and networks: what is accepted must be the same with more behind it, and be
 * written and read again as it was. */
#include "base/check.h"
#include "net/network.h"
#include "net/proxy_header.h"

#include <stdlib.h>

static void check_written_again(const struct proxy_header *header)
{
    unsigned char out[PROXY_HEADER_WRITTEN];
    char text[2][ADDRESS_TEXT];
    struct proxy_header again;
    const char *why = NULL;
    size_t len = proxy_header_write(&header->client, &header->here, out);
    CHECK(len <= sizeof out);
    CHECK(proxy_header_parse(str_make(out, len), &again, &why) == 0 && again.len == len);
    endpoint_text(&header->client, true, text[0], sizeof text[0]);
    endpoint_text(&again.client, true, text[1], sizeof text[1]);
    CHECK(strcmp(text[0], text[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct proxy_header header, with_more;
    struct network network;
    const char *why = NULL;
    int err = proxy_header_parse(str_make(bytes, len), &header, &why);
    CHECK(err == 0 || err == ERR_SHORT || (err == ERR_INVALID && why));
    if (err == 0) {
        CHECK(header.len <= len && header.len <= PROXY_HEADER_MAX);
        /* It needs all of its bytes, and none behind it. */
        CHECK(proxy_header_parse(str_make(bytes, header.len), &with_more, &why) == 0);
        CHECK(proxy_header_parse(str_make(bytes, header.len - 1), &with_more, &why) == ERR_SHORT);
        if (!header.local)
            check_written_again(&header);
    }
    CHECK(err != ERR_SHORT || len < PROXY_HEADER_MAX);
    if (network_parse(str_make(bytes, len), &network, NULL) == 0)
        CHECK(network.bits <= 128);
    return 0;
}

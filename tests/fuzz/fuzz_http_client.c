/* HTTP client: a byte that chooses the protocol and the pieces, then what a server sends. */
#include "base/check.h"
#include "http/client.h"

#include <stdlib.h>

static unsigned done;

static void on_head(void *user, const struct http_response *response)
{
    (void)user;
    CHECK(response->status >= 200);
    for (unsigned i = 0; i < response->header_count; i++)
        CHECK(response->headers[i].name.len < 1 << 20 && response->headers[i].value.at != NULL);
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    (void)user;
    CHECK(response->body_bytes >= bytes.len);
}

static void on_done(void *user, const struct http_response *response)
{
    (void)user, (void)response;
    done++;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct http_client_events events = {on_head, on_body, on_done};
    if (len < 1)
        return 0;
    unsigned choice = bytes[0], asked = 0;
    struct http_client *client = http_client_new(choice & 1 ? HTTP_2 : HTTP_1, &events, NULL);
    struct http_request request = {
        .method = choice & 2 ? STR("HEAD") : STR("GET"), .target = STR("/"), .authority = STR("a")};
    done = 0;
    for (unsigned i = 0; i < 5; i++)
        asked += http_client_request(client, &request, NULL) == 0;
    http_client_sent(client, http_client_output(client).len);
    size_t most = 1 + (choice >> 2) * 8;
    for (size_t at = 1; at < len; at += most) {
        size_t piece = len - at < most ? len - at : most;
        char *copy = malloc(piece);
        memcpy(copy, bytes + at, piece);
        http_client_receive(client, copy, piece);
        free(copy);
        http_client_sent(client, http_client_output(client).len);
    }
    http_client_receive(client, "", 0);
    CHECK(done == asked && http_client_waiting(client) == 0);
    http_client_free(client);
    return 0;
}

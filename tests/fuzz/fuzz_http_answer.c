/* What comes back from servers, over HTTP/1.1: two bytes that choose what was asked and how the
 * rest is cut, then what a server sends. Whatever the cuts, the same is told: so each input goes
 * through the client as a whole and in pieces, and what was told is compared.
 */
#include "base/check.h"
#include "base/hash.h"
#include "http/client.h"
#include "http/fields.h"

#include <stdlib.h>

struct run {
    struct http_client *client;
    struct buf told; /* everything, one behind the other */
    unsigned choice, heads, done;
    uint64_t body;
    bool in_answer;
};

static void tell_headers(struct run *run, const struct http_response *response)
{
    buf_u64(&run->told, (uint64_t)response->status);
    for (unsigned i = 0; i < response->header_count; i++) {
        struct str name = response->headers[i].name, value = response->headers[i].value;
        CHECK(name.len > 0 && fields_clean(name.at, name.at + name.len) == name.len);
        CHECK(fields_clean(value.at, value.at + value.len) == value.len);
        buf_str(&run->told, name);
        buf_byte(&run->told, ':');
        buf_str(&run->told, value);
        buf_byte(&run->told, '\n');
    }
}

static void on_head(void *user, const struct http_response *response)
{
    struct run *run = user;
    CHECK(!run->in_answer && (response->status >= 200 || response->status == 101));
    CHECK(response->status <= 599);
    run->in_answer = true;
    run->heads++;
    run->body = 0;
    tell_headers(run, response);
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    struct run *run = user;
    CHECK(run->in_answer && bytes.len > 0);
    run->body += bytes.len;
    CHECK(response->body_bytes == run->body);
    CHECK(response->content_length < 0 || run->body <= (uint64_t)response->content_length);
    buf_str(&run->told, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct run *run = user;
    CHECK(response->broken || run->in_answer);
    CHECK(!response->broken || !response->keep_alive);
    run->in_answer = false;
    run->done++;
    buf_puts(&run->told, response->broken ? "broken" : "done");
}

/* Some by the client, or one of our own making that may switch protocols. */
static unsigned ask(struct run *run)
{
    static const struct str methods[] = {STR("GET"), STR("HEAD"), STR("POST"), STR("DELETE")};
    struct http_request request = {.target = STR("/"), .authority = STR("a")};
    unsigned asked = 0;
    for (unsigned i = 0; i < 1 + (run->choice >> 4) % 4; i++) {
        request.method = methods[(run->choice + i) % 4];
        request.body = run->choice & 4 ? STR("abc") : STR_NONE;
        asked += run->choice & 64 ? http_client_expect(run->client, run->choice & 2, run) == 0
                                  : http_client_request(run->client, &request, run) == 0;
    }
    if (run->choice & 8)
        http_client_may_switch(run->client);
    http_client_sent(run->client, http_client_output(run->client).len);
    return asked;
}

/* What was told, hashed. */
static uint64_t drive(unsigned choice, const uint8_t *bytes, size_t len, size_t most)
{
    static const struct http_client_events events = {on_head, on_body, on_done};
    struct run run = {.choice = choice};
    run.client = http_client_new(HTTP_1, &events, &run);
    buf_init(&run.told, 64 << 20);
    unsigned asked = ask(&run);
    for (size_t at = 0; at < len; at += most) {
        size_t piece = len - at < most ? len - at : most;
        char *copy = malloc(piece);
        memcpy(copy, bytes + at, piece);
        int err = http_client_receive(run.client, copy, piece);
        free(copy);
        CHECK(!err || (err == ERR_INVALID && http_client_error(run.client)));
    }
    http_client_receive(run.client, "", 0);
    CHECK(run.done == asked && http_client_waiting(run.client) == 0);
    uint64_t told = hash_fast((struct hash_key){1, 2}, buf_text(&run.told));
    http_client_free(run.client);
    buf_close(&run.told);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    unsigned choice = bytes[0];
    size_t most = 1 + bytes[1] % 64;
    uint64_t whole = drive(choice, bytes + 2, len - 2, len);
    CHECK(drive(choice, bytes + 2, len - 2, most) == whole);
    return 0;
}

/* HTTP/1.1 answers, read where they lie: a head that has come as a whole is parsed in the
 * caller's buffer, and pieces of a body are lent from it. Only what is incomplete is kept.
 */
#include "base/err.h"
#include "http/client_inner.h"

#include <stdlib.h>

static bool invalid(struct http_client *client, const char *why)
{
    client->error = why;
    return false;
}

/* ---- The end of an answer ---- */

static void done(struct http_client *client, bool broken)
{
    struct http_response response = client->response;
    response.tag = client->queue[client->first].tag;
    response.broken = broken;
    response.headers = NULL;
    response.header_count = 0;
    client->first = (client->first + 1) % CLIENT_WAITING_MAX;
    client->waiting--;
    client->response = (struct http_response){0};
    client->interims = 0;
    if (client->events->done)
        client->events->done(client->user, &response);
}

/* No more answers will come: all that wait are done. */
static void give_up(struct http_client *client)
{
    client->closed = true;
    client->state = ANSWER_OVER;
    buf_close(&client->held);
    while (client->waiting > 0 && !client->freed) {
        client->response.keep_alive = false;
        done(client, true);
    }
}

/* REST is what has come behind it. Whatever is wrong is known before `done`, in which the caller
 * may want to use the connection again. */
static bool complete(struct http_client *client, struct str rest)
{
    bool keep_alive = client->response.keep_alive;
    if (client->waiting == 1 && rest.len > 0 && keep_alive) {
        invalid(client, "more came than belongs to the answer");
        keep_alive = false;
    }
    client->response.keep_alive = keep_alive;
    client->state = keep_alive ? ANSWER_HEAD : ANSWER_OVER;
    if (!keep_alive)
        client->closed = true;
    client->scan = (struct fields_scan){0};
    done(client, false);
    return true;
}

/* ---- The head ---- */

/* "HTTP/1.1 200 OK", without its line end. */
static bool status_line(struct http_client *client, struct str line, bool *old)
{
    const char *at = line.at;
    if (line.len < 12 || memcmp(at, "HTTP/1.", 7) != 0 || (at[7] != '0' && at[7] != '1') ||
        at[8] != ' ')
        return invalid(client, "the answer does not begin with HTTP/1.1");
    *old = at[7] == '0';
    for (int i = 9; i < 12; i++)
        if (at[i] < '0' || at[i] > '9')
            return invalid(client, "the status is not a number of three digits");
    client->response.status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    if (client->response.status < 100 || client->response.status > 599)
        return invalid(client, "the status is not between 100 and 599");
    if (line.len > 12 && at[12] != ' ')
        return invalid(client, "the status is not a number of three digits");
    if (fields_clean(at, at + line.len) < line.len)
        return invalid(client, "there is a control character in the status line");
    return true;
}

/* What the head says about the body and the connection. */
struct framing {
    bool length, chunked, close, keep;
};

static bool length_field(struct http_client *client, struct framing *framing, struct str value)
{
    uint64_t length;
    if (framing->length)
        return invalid(client, "there are several Content-Length fields");
    if (str_to_u64(value, &length) || length > INT64_MAX)
        return invalid(client, "Content-Length is not one decimal number");
    framing->length = true;
    client->response.content_length = (int64_t)length;
    return true;
}

static bool framing_fields(struct http_client *client, struct framing *framing)
{
    const struct http_response *response = &client->response;
    for (unsigned i = 0; i < response->header_count; i++) {
        struct str value = response->headers[i].value;
        switch (response->headers[i].field) {
        case HTTP_FIELD_CONTENT_LENGTH:
            if (!length_field(client, framing, value))
                return false;
            break;
        case HTTP_FIELD_TRANSFER_ENCODING:
            if (framing->chunked)
                return invalid(client, "there are several Transfer-Encoding fields");
            if (!str_eq_nocase(value, STR("chunked")))
                return invalid(client, "the only Transfer-Encoding taken is chunked");
            framing->chunked = true;
            break;
        case HTTP_FIELD_CONNECTION:
            framing->close |= fields_has_token(value, STR("close"));
            framing->keep |= fields_has_token(value, STR("keep-alive"));
            break;
        default:
            break;
        }
    }
    return true;
}

static bool read_framing(struct http_client *client, struct framing *framing, bool old)
{
    int status = client->response.status;
    client->response.content_length = -1;
    if (!framing_fields(client, framing))
        return false;
    if (framing->chunked && framing->length)
        return invalid(client, "there are both Content-Length and Transfer-Encoding");
    if (framing->chunked && old)
        return invalid(client, "HTTP/1.0 has no Transfer-Encoding");
    if (framing->chunked && (status < 200 || status == 204))
        return invalid(client, "an answer without a body has a Transfer-Encoding");
    return true;
}

/* An answer before the one that counts, or the switch to another protocol. */
static bool interim(struct http_client *client)
{
    if (client->response.status == 101) {
        if (!client->queue[client->first].upgrade || client->waiting > 1)
            return invalid(client, "it switches protocols, and nobody asked for it");
        client->state = ANSWER_UNTIL_CLOSE;
        client->closed = true;
        client->response.keep_alive = false;
        client->response.content_length = -1; /* of what follows, whatever it says */
        if (client->events->head)
            client->events->head(client->user, &client->response);
        client->response.headers = NULL; /* they were lent */
        client->response.header_count = 0;
        return true;
    }
    if (++client->interims > ANSWER_INTERIMS)
        return invalid(client, "there are too many interim answers");
    client->scan = (struct fields_scan){0};
    client->response = (struct http_response){0};
    return true;
}

static bool head_complete(struct http_client *client, const struct framing *framing, bool old,
                          struct str rest)
{
    struct http_response *response = &client->response;
    int status = response->status;
    bool bodiless = client->queue[client->first].is_head || status == 204 || status == 304;
    bool until_close = !bodiless && !framing->chunked && !framing->length;
    response->keep_alive = !framing->close && (!old || framing->keep) && !until_close;
    client->left = bodiless || until_close ? 0 : (uint64_t)response->content_length;
    client->chunked = (struct chunked){0};
    client->scan = (struct fields_scan){0};
    client->state = until_close                     ? ANSWER_UNTIL_CLOSE
                    : framing->chunked && !bodiless ? ANSWER_CHUNKS
                                                    : ANSWER_LENGTH;
    if (client->events->head)
        client->events->head(client->user, response);
    response->headers = NULL;
    response->header_count = 0;
    if (client->state == ANSWER_LENGTH && client->left == 0 && !client->freed)
        return complete(client, rest);
    return true;
}

static bool parse_head(struct http_client *client, struct str head, struct str rest)
{
    struct http_header headers[CLIENT_HEADERS_MAX];
    struct framing framing = {0};
    const char *why = NULL;
    bool old;
    size_t line = (size_t)((const char *)memchr(head.at, '\n', head.len) - head.at) + 1;
    client->response =
        (struct http_response){.tag = client->queue[client->first].tag, .headers = headers};
    if (!status_line(client, str_sub(head, 0, line - 2), &old))
        return false;
    if (fields_parse(str_from(head, line), headers, CLIENT_HEADERS_MAX,
                     &client->response.header_count, &why))
        return invalid(client, why);
    if (!read_framing(client, &framing, old))
        return false;
    return client->response.status < 200 ? interim(client)
                                         : head_complete(client, &framing, old, rest);
}

/* Lines that end with an empty one, of a head or of trailers, are cut off REST. False: they are
 * not complete, or not valid. */
static bool take_lines(struct http_client *client, struct str *rest, struct str *lines)
{
    const char *why = NULL;
    ptrdiff_t end = fields_end(*rest, &client->scan, &why);
    if (end < 0)
        return invalid(client, why);
    if (rest->len > ANSWER_HEAD_BYTES && (end == 0 || (size_t)end > ANSWER_HEAD_BYTES))
        return invalid(client, "the answer's header is too large");
    if (end == 0)
        return false;
    *lines = str_sub(*rest, 0, (size_t)end);
    *rest = str_from(*rest, (size_t)end);
    return true;
}

static bool head_step(struct http_client *client, struct str *rest)
{
    static const char begin[] = "HTTP/1.";
    size_t known = rest->len < sizeof begin - 1 ? rest->len : sizeof begin - 1;
    struct str head;
    if (rest->len == 0)
        return false;
    if (client->waiting == 0)
        return invalid(client, "an answer came that nobody asked for");
    if (memcmp(rest->at, begin, known) != 0)
        return invalid(client, "the answer does not begin with HTTP/1.1");
    return take_lines(client, rest, &head) && parse_head(client, head, *rest);
}

/* ---- The body ---- */

static void body(struct http_client *client, struct str bytes)
{
    client->response.body_bytes += bytes.len;
    if (client->events->body)
        client->events->body(client->user, &client->response, bytes);
}

static bool length_step(struct http_client *client, struct str *rest)
{
    if (client->left == 0)
        return complete(client, *rest);
    if (rest->len == 0)
        return false;
    size_t take = client->left < rest->len ? (size_t)client->left : rest->len;
    struct str piece = str_sub(*rest, 0, take);
    *rest = str_from(*rest, take);
    client->left -= take;
    body(client, piece);
    return true;
}

static bool chunks_step(struct http_client *client, struct str *rest)
{
    struct str piece;
    const char *why = NULL;
    switch (chunked_read(&client->chunked, rest, &piece, &why)) {
    case CHUNKED_MORE:
        return false;
    case CHUNKED_DATA:
        body(client, piece);
        return true;
    case CHUNKED_TRAILERS:
        client->state = ANSWER_TRAILERS;
        return true;
    case CHUNKED_INVALID:
        break;
    }
    return invalid(client, why);
}

static bool trailers_step(struct http_client *client, struct str *rest)
{
    struct http_header trailers[CLIENT_HEADERS_MAX];
    struct str lines;
    unsigned count;
    const char *why = NULL;
    if (!take_lines(client, rest, &lines))
        return false;
    if (fields_parse(lines, trailers, CLIENT_HEADERS_MAX, &count, &why))
        return invalid(client, why);
    return complete(client, *rest);
}

/* False: more bytes are needed, or it is not valid. */
static bool step(struct http_client *client, struct str *rest)
{
    switch (client->state) {
    case ANSWER_HEAD:
        return head_step(client, rest);
    case ANSWER_LENGTH:
        return length_step(client, rest);
    case ANSWER_CHUNKS:
        return chunks_step(client, rest);
    case ANSWER_TRAILERS:
        return trailers_step(client, rest);
    case ANSWER_UNTIL_CLOSE: {
        struct str all = *rest;
        *rest = str_from(*rest, rest->len);
        if (all.len > 0)
            body(client, all);
        return false;
    }
    case ANSWER_OVER:
        *rest = str_from(*rest, rest->len);
        return false;
    }
    return false;
}

/* What is left of BYTES. */
static struct str feed(struct http_client *client, struct str bytes)
{
    while (!client->freed && !client->error && step(client, &bytes))
        ;
    return bytes;
}

/* The server has closed, and everything before that is told. */
static void at_end(struct http_client *client)
{
    if (client->state == ANSWER_UNTIL_CLOSE)
        complete(client, STR(""));
    give_up(client);
}

static int leave(struct http_client *client)
{
    if (client->error && !client->freed)
        give_up(client);
    else if (client->ended && !client->freed)
        at_end(client);
    int err = client->error ? ERR_INVALID : 0;
    return client_leave(client) ? ERR_CLOSED : err;
}

/* Goes on with what is held and, behind it, BYTES. */
static void feed_held(struct http_client *client, struct str bytes)
{
    struct buf held = client->held;
    buf_str(&held, bytes);
    buf_init(&client->held, held.max);
    if (held.failed) {
        invalid(client, "out of memory");
        buf_close(&held);
        return;
    }
    struct str rest = feed(client, buf_text(&held));
    buf_drain(&held, held.len - rest.len);
    if (held.len == 0 || client->error || client->freed)
        buf_close(&held);
    client->held = held;
}

int client_h1_receive(struct http_client *client, const void *bytes, size_t len)
{
    if (client->error)
        return ERR_INVALID;
    client->parsing = true;
    if (len == 0)
        client->ended = true;
    else if (client->held.len > 0)
        feed_held(client, str_make(bytes, len));
    else {
        struct str rest = feed(client, str_make(bytes, len));
        if (rest.len > 0 && !client->error && !client->freed)
            buf_str(&client->held, rest);
    }
    if (client->held.failed)
        invalid(client, "out of memory");
    return leave(client);
}

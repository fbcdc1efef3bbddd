#include "bench/peer.h"

#include "base/check.h"
#include "http/client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10, HEADERS_MAX = 32 };

struct peer {
    const struct peer_kind *kind;
    void *owner;
    struct watch watch;
    struct soon gone; /* `closed` is told outside of any callback */
    struct http_client *client;
    bool connected, broken, wants_output;
    int reason;
};

static void head(void *user, const struct http_response *response)
{
    struct peer_call *call = response->tag;
    struct peer *peer = user;
    buf_clear(&call->answer);
    if (peer->kind->events.head)
        peer->kind->events.head(peer, call, response);
}

static void body(void *user, const struct http_response *response, struct str bytes)
{
    struct peer_call *call = response->tag;
    (void)user;
    buf_str(&call->answer, bytes);
}

static void break_off(struct peer *peer)
{
    if (peer->broken)
        return;
    peer->broken = true;
    loop_unwatch(peer->kind->loop, &peer->watch);
    loop_soon(peer->kind->loop, &peer->gone);
}

static void done(void *user, const struct http_response *response)
{
    struct peer *peer = user;
    /* Before its owner hears of it, who would send the next one here. */
    if (response->broken || (!response->keep_alive && !peer->kind->http2))
        break_off(peer);
    if (!response->broken) /* or else its owner ends what was on its way */
        peer->kind->events.answered(peer, response->tag, response->status);
}

static const struct http_client_events client_events = {head, body, done};

static void flush(struct peer *peer)
{
    while (!peer->broken) {
        struct str out = http_client_output(peer->client);
        if (out.len == 0)
            break;
        ssize_t sent = send(peer->watch.fd, out.at, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            http_client_sent(peer->client, (size_t)sent);
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR) {
            peer->reason = errno;
            break_off(peer);
        }
    }
    bool wants = !peer->broken && http_client_output(peer->client).len > 0;
    if (!peer->broken && wants != peer->wants_output)
        loop_rewatch(peer->kind->loop, &peer->watch, EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0));
    peer->wants_output = wants;
}

static void receive(struct peer *peer)
{
    char bytes[READ_SIZE];
    ssize_t got = recv(peer->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        peer->reason = got < 0 ? errno : 0;
        break_off(peer);
        return;
    }
    *peer->kind->bytes_in += (uint64_t)got;
    if (http_client_receive(peer->client, bytes, (size_t)got))
        break_off(peer);
}

static void ready(struct watch *watch, uint32_t events)
{
    struct peer *peer = CONTAINER_OF(watch, struct peer, watch);
    if (!peer->connected) {
        peer->reason = socket_error(watch->fd);
        if (peer->reason) {
            break_off(peer);
            return;
        }
        peer->connected = true;
        peer->wants_output = true; /* as it is watched now */
        peer->kind->events.connected(peer);
    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        receive(peer);
    }
    flush(peer);
}

static void tell_closed(struct soon *soon)
{
    struct peer *peer = CONTAINER_OF(soon, struct peer, gone);
    peer->kind->events.closed(peer);
}

struct peer *peer_new(const struct peer_kind *kind, void *owner)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->kind = kind;
    peer->owner = owner;
    peer->watch = (struct watch){-1, ready};
    peer->gone.run = tell_closed;
    list_init(&peer->gone.node);
    peer->client = http_client_new(kind->http2 ? HTTP_2 : HTTP_1, &client_events, peer);
    if (!peer->client || socket_connect(&kind->address, &peer->watch.fd, NULL) ||
        loop_watch(kind->loop, &peer->watch, EPOLLIN | EPOLLOUT)) {
        int reason = errno;
        peer->broken = true;
        peer_free(peer);
        errno = reason;
        return NULL;
    }
    return peer;
}

void *peer_owner(const struct peer *peer)
{
    return peer->owner;
}

bool peer_usable(const struct peer *peer)
{
    return peer->connected && !peer->broken;
}

int peer_reason(const struct peer *peer)
{
    return peer->reason;
}

static unsigned split_headers(struct str text, struct http_header *headers)
{
    unsigned count = 0;
    struct str line;
    while (text.len && count < HEADERS_MAX && str_cut(&text, '\n', &line)) {
        ptrdiff_t colon = str_find_byte(line, ':');
        if (colon < 0)
            continue;
        headers[count++] = (struct http_header){
            .name = str_sub(line, 0, (size_t)colon),
            .value = str_trim(str_from(line, (size_t)colon + 1)),
        };
    }
    return count;
}

void peer_request(struct peer *peer, struct peer_call *call, const char *method, struct str path,
                  struct str headers)
{
    struct http_header list[HEADERS_MAX];
    struct http_request request = {
        .method = str_of(method),
        .target = path,
        .authority = peer->kind->authority,
        .headers = list,
        .header_count = split_headers(headers, list),
        .body = call->sent.len ? buf_text(&call->sent) : STR_NONE,
    };
    if (peer->broken)
        return;
    if (http_client_request(peer->client, &request, call))
        break_off(peer);
    else
        flush(peer);
}

void peer_free(struct peer *peer)
{
    if (peer->watch.fd >= 0) {
        if (!peer->broken)
            loop_unwatch(peer->kind->loop, &peer->watch);
        close(peer->watch.fd);
    }
    loop_soon_cancel(&peer->gone);
    http_client_free(peer->client);
    free(peer);
}

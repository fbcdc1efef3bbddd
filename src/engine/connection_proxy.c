/* The PROXY header before everything else: it is looked at in the kernel's buffer until it is
 * complete, and only then taken out, so that not a byte of what follows has to be carried over.
 */
#include "engine/connection.h"
#include "net/proxy_header.h"

#include <errno.h>
#include <sys/socket.h>

/* The buffer is larger than any header. */
_Static_assert((int)PROXY_HEADER_MAX <= (int)CONNECTION_READ, "a PROXY header fits one read");

static void refuse(struct connection *c)
{
    c->broken = true;
    engine_count(&c->dispatcher->counters->bad_requests, 1);
}

/* Than the LEN bytes that stay where they are: who polls would be told of those for ever. */
static void await_more(struct connection *c, size_t len)
{
    socket_set_low_water(c->fd, len + 1);
    c->in_pieces = true;
    c->readable = false;
}

bool connection_proxy_read(struct connection *c)
{
    struct proxy_header header;
    const char *why = NULL;
    if (!c->readable)
        return false;
    ssize_t n;
    do {
        n = recv(c->fd, c->buffers->input, PROXY_HEADER_MAX, MSG_PEEK);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        c->readable = false;
        return false;
    }
    if (n <= 0) {
        c->broken = true;
        return false;
    }
    int err = proxy_header_parse(str_make(c->buffers->input, (size_t)n), &header, &why);
    if (err == ERR_SHORT && !c->hung_up) {
        await_more(c, (size_t)n);
        return false;
    }
    if (err || recv(c->fd, c->buffers->input, header.len, 0) != (ssize_t)header.len) {
        refuse(c);
        return false;
    }
    if (c->in_pieces)
        socket_set_low_water(c->fd, 1);
    if (!header.local) {
        c->proxied = true;
        c->peer = header.client;
        c->here = header.here;
    }
    return true;
}

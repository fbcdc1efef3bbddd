#include "net/socket.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BACKLOG = 4096, HOST_MAX = 254 };

int endpoint_split(struct str text, struct str *host, uint16_t *port, struct failure *failure)
{
    struct str rest;
    if (text.len > 0 && text.at[0] == '[') {
        ptrdiff_t end = str_find_byte(text, ']');
        if (end < 0)
            return fail(failure, ERR_INVALID, "\"%.*s\": the ']' after the IPv6 address is missing",
                        STR_FMT(text));
        *host = str_sub(text, 1, (size_t)end - 1);
        rest = str_from(text, (size_t)end + 1);
    } else {
        ptrdiff_t colon = str_find_byte(text, ':');
        *host = colon < 0 ? text : str_sub(text, 0, (size_t)colon);
        rest = str_from(text, host->len);
        if (rest.len > 1 && str_find_byte(str_from(rest, 1), ':') >= 0)
            return fail(failure, ERR_INVALID,
                        "\"%.*s\": put an IPv6 address in brackets, as in [::1]:8080",
                        STR_FMT(text));
    }
    uint64_t number;
    if (rest.len < 2 || rest.at[0] != ':')
        return fail(failure, ERR_INVALID, "\"%.*s\" has no port (write HOST:PORT)", STR_FMT(text));
    if (str_to_u64(str_from(rest, 1), &number) != ERR_OK || number > 65535)
        return fail(failure, ERR_INVALID, "\"%.*s\": the port is not a number from 0 to 65535",
                    STR_FMT(text));
    if (host->len >= HOST_MAX)
        return fail(failure, ERR_INVALID, "the host name in \"%.40s...\" is too long", host->at);
    *port = (uint16_t)number;
    return ERR_OK;
}

/* Every address of both families, or of IPv4 alone where the kernel has no IPv6. */
static void wildcard(uint16_t port, struct endpoint *address)
{
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(address, 0, sizeof *address);
    if (probe >= 0) {
        close(probe);
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->at;
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_any;
        address->len = sizeof *v6;
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&address->at;
        v4->sin_family = AF_INET;
        v4->sin_addr.s_addr = htonl(INADDR_ANY);
        address->len = sizeof *v4;
    }
    endpoint_set_port(address, port);
}

int endpoint_resolve(struct str text, bool passive, struct endpoint *address,
                     struct failure *failure)
{
    unsigned count;
    return endpoint_resolve_all(text, passive, address, 1, &count, failure);
}

int endpoint_resolve_all(struct str text, bool passive, struct endpoint *addresses, unsigned max,
                         unsigned *count, struct failure *failure)
{
    struct str host;
    uint16_t port;
    *count = 0;
    int err = endpoint_split(text, &host, &port, failure);
    if (err)
        return err;
    if (host.len == 0 && passive) {
        wildcard(port, addresses);
        *count = 1;
        return ERR_OK;
    }
    char name[HOST_MAX + 1];
    str_copy(name, sizeof name, host.len ? host : STR("127.0.0.1"));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(name, NULL, &hints, &found);
    if (result != 0)
        return fail(failure, ERR_NOTFOUND, "\"%.*s\": no address for the host: %s", STR_FMT(text),
                    result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
    for (struct addrinfo *at = found; at && *count < max; at = at->ai_next) {
        struct endpoint *address = &addresses[(*count)++];
        memset(address, 0, sizeof *address);
        memcpy(&address->at, at->ai_addr, at->ai_addrlen);
        address->len = at->ai_addrlen;
        endpoint_set_port(address, port);
    }
    freeaddrinfo(found);
    return ERR_OK;
}

void endpoint_text(const struct endpoint *address, bool with_port, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (size > 0)
        out[0] = '\0';
    if (address->at.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
        /* A client of IPv4 on a socket of both families is written as what it is. */
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        if (mapped)
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host, sizeof host);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        if (with_port)
            snprintf(out, size, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(v6->sin6_port));
        else
            snprintf(out, size, "%s", host);
    } else if (address->at.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->at;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        if (with_port)
            snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
        else
            snprintf(out, size, "%s", host);
    }
}

uint16_t endpoint_port(const struct endpoint *address)
{
    if (address->at.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->at)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address->at)->sin_port);
}

void endpoint_set_port(struct endpoint *address, uint16_t port)
{
    if (address->at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->at)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address->at)->sin_port = htons(port);
}

static int new_socket(const struct endpoint *address, struct failure *failure, const char *text)
{
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail_errno(failure, ERR_IO, "cannot make a socket for %s", text);
    return fd;
}

static void set_flag(int fd, int level, int option, int value)
{
    /* Each of these only tunes a TCP socket: a refusal changes no behaviour. */
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

static int bind_failure(const char *text, struct failure *failure)
{
    if (errno == EADDRINUSE)
        return fail(failure, ERR_EXISTS,
                    "cannot listen on %s: address in use (another program listens there; choose "
                    "another port)",
                    text);
    if (errno == EADDRNOTAVAIL)
        return fail(failure, ERR_INVALID, "cannot listen on %s: this machine has no such address",
                    text);
    if (errno == EACCES)
        return fail(failure, ERR_DENIED,
                    "cannot listen on %s: not allowed (ports below 1024 are for root; choose "
                    "another port)",
                    text);
    return fail_errno(failure, ERR_IO, "cannot listen on %s", text);
}

static int bind_to(int fd, const struct endpoint *address, const char *text,
                   struct failure *failure)
{
    set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (address->at.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->at;
        set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr));
    }
    if (bind(fd, (const struct sockaddr *)&address->at, address->len) < 0)
        return bind_failure(text, failure);
    return ERR_OK;
}

int socket_listen_check(const struct endpoint *address, const char *text, struct failure *failure)
{
    if (endpoint_port(address) == 0)
        return ERR_OK;
    int fd = new_socket(address, failure, text);
    if (fd < 0)
        return ERR_IO;
    int err = bind_to(fd, address, text, failure);
    close(fd);
    return err;
}

int socket_listen(struct endpoint *address, const char *text, bool shared, int *out,
                  struct failure *failure)
{
    int fd = new_socket(address, failure, text);
    if (fd < 0)
        return ERR_IO;
    /* What a listening socket has set, the accepted ones inherit. */
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (shared)
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    int err = bind_to(fd, address, text, failure);
    if (!err && listen(fd, BACKLOG) < 0)
        err = bind_failure(text, failure);
    if (!err && getsockname(fd, (struct sockaddr *)&address->at, &address->len) < 0)
        err = fail_errno(failure, ERR_IO, "cannot find out the port of %s", text);
    if (err) {
        close(fd);
        return err;
    }
    *out = fd;
    return ERR_OK;
}

int socket_connect(const struct endpoint *address, int *out, struct failure *failure)
{
    char text[ADDRESS_TEXT];
    endpoint_text(address, true, text, sizeof text);
    int fd = new_socket(address, failure, text);
    if (fd < 0)
        return ERR_IO;
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (connect(fd, (const struct sockaddr *)&address->at, address->len) < 0 &&
        errno != EINPROGRESS) {
        int err = fail_errno(failure, ERR_IO, "cannot connect to %s", text);
        close(fd);
        return err;
    }
    *out = fd;
    return ERR_OK;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    return error;
}

void socket_set_patience(int fd, unsigned ms)
{
    set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_flag(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    set_flag(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    /* Once the user timeout is set it also says when keepalive gives up, in place of a count. */
    set_flag(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ms > INT_MAX ? INT_MAX : (int)ms);
}

void socket_set_low_water(int fd, size_t bytes)
{
    set_flag(fd, SOL_SOCKET, SO_RCVLOWAT, (int)bytes);
}

void socket_reset_on_close(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

unsigned socket_limit_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

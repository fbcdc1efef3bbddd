/* Bare: a back end that costs as little as one can, so that a comparison of proxies is about the
 * proxies. `tools/bench-balance` compiles and starts it; it is no part of the program.
 *
 *   bare PORT…      listens at each PORT of 127.0.0.1, on one thread
 *
 * It reads no more of a request than its path and where its head ends: GET /N gets N bytes.
 * Requests have no bodies. Pipelined ones are answered in turn.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS = 256, HEAD_MAX = 8192, BODY_MAX = 1 << 20 };

struct visitor {
    int fd;
    size_t got;                   /* bytes of a head that is not whole yet */
    char head[128];               /* of the answer under way */
    size_t head_len, sent, total; /* total 0: none is under way */
    char bytes[HEAD_MAX];
};

static char body[BODY_MAX];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void answer_begin(struct visitor *v)
{
    const char *path = memchr(v->bytes, '/', v->got);
    size_t size = path ? strtoul(path + 1, NULL, 10) : 0;
    size = size < BODY_MAX ? size : BODY_MAX;
    int len = snprintf(v->head, sizeof v->head,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                       size);
    v->head_len = (size_t)len;
    v->sent = 0;
    v->total = v->head_len + size;
}

/* 1: all is sent; 0: the socket is full; -1: it is gone. */
static int answer_send(struct visitor *v)
{
    while (v->sent < v->total) {
        size_t in_head = v->sent < v->head_len ? v->head_len - v->sent : 0;
        size_t in_body = v->sent < v->head_len ? 0 : v->sent - v->head_len;
        struct iovec parts[2] = {
            {v->head + v->sent, in_head},
            {body + in_body, v->total - v->head_len - in_body},
        };
        struct msghdr message = {.msg_iov = in_head ? parts : parts + 1,
                                 .msg_iovlen = in_head ? 2 : 1};
        ssize_t sent = sendmsg(v->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        v->sent += (size_t)sent;
    }
    v->total = 0;
    return 1;
}

/* What is read and not answered yet; as answer_send. */
static int answer_all(struct visitor *v)
{
    int sent = v->total ? answer_send(v) : 1;
    char *end;
    while (sent == 1 && v->got && (end = memmem(v->bytes, v->got, "\r\n\r\n", 4))) {
        size_t head = (size_t)(end - v->bytes) + 4;
        answer_begin(v);
        v->got -= head;
        if (v->got)
            memmove(v->bytes, v->bytes + head, v->got);
        sent = answer_send(v);
    }
    return sent;
}

/* False: it is gone. Edge-triggered: reads until there is nothing more, unless an answer is stuck.
 */
static bool serve(struct visitor *v)
{
    for (;;) {
        int sent = answer_all(v);
        if (sent < 1)
            return sent == 0;
        size_t room = sizeof v->bytes - v->got;
        ssize_t got = room ? recv(v->fd, v->bytes + v->got, room, 0) : 0;
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        v->got += (size_t)got;
        if ((size_t)got < room) /* then that was all, most likely; if not, an event comes */
            return answer_all(v) >= 0;
    }
}

static int listen_at(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* taken over by accept4 */
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096))
        fail("bare: cannot listen");
    return fd;
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct visitor *v = calloc(1, sizeof *v);
        if (!v)
            fail("bare");
        v->fd = fd;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = v};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
            fail("bare: epoll_ctl");
    }
}

int main(int count, char **words)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC), listeners[16];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    memset(body, 'x', sizeof body);
    for (int i = 1; i < count && i <= 16; i++) {
        listeners[i - 1] = listen_at(atoi(words[i]));
        /* A listener's pointer is that of its place in the list. */
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listeners[i - 1]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[i - 1], &event);
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int *place = events[i].data.ptr;
            struct visitor *v = events[i].data.ptr;
            if (place >= listeners && place < listeners + 16) {
                accept_all(epoll, *place);
            } else if (!serve(v)) {
                close(v->fd);
                free(v);
            }
        }
    }
}

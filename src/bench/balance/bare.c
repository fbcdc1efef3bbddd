/* Bare: a back end that costs as little as one can, so that a comparison of proxies is about the
 * proxies. `tools/bench-balance` compiles and starts it; it is no part of the program.
 *
 *   bare PORT[:MICROSECONDS]…      listens at each PORT of 127.0.0.1, on one thread
 *
 * It reads no more of a request than its path and where its head ends: GET /N gets N bytes.
 * Requests have no bodies. Pipelined ones are answered in turn.
 *
 * A port with MICROSECONDS is a server of a certain speed: it does one request after the other,
 * and each takes that long on average (exponential). "/count" tells how many it has done.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, HEAD_MAX = 8192, BODY_MAX = 1 << 20, PORTS_MAX = 16 };

struct port {
    int fd, timer; /* timer: of one with a speed; -1: none */
    double service_ns;
    uint64_t done, free_ns;       /* free_ns: when what waits is done */
    struct visitor *first, *last; /* whose requests wait, in turn */
};

struct visitor {
    int fd;
    struct port *port;
    struct visitor *next;         /* behind it in the port's queue */
    uint64_t due_ns;              /* when its answer is ready; 0: it does not wait */
    bool gone;                    /* closed while it waits */
    size_t got;                   /* bytes of a head that is not whole yet */
    char head[128];               /* of the answer under way */
    size_t head_len, sent, total; /* total 0: none is under way */
    char bytes[HEAD_MAX];
};

static char body[BODY_MAX];
static struct port ports[PORTS_MAX];
static struct visitor *buried; /* gone, and freed when no event of this turn can name them */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* How many requests the port has done, as a body within the head. */
static void answer_count(struct visitor *v)
{
    char number[24];
    int digits = snprintf(number, sizeof number, "%llu", (unsigned long long)v->port->done);
    v->head_len = (size_t)snprintf(
        v->head, sizeof v->head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", digits, number);
    v->sent = 0;
    v->total = v->head_len;
}

static void arm(struct port *port)
{
    uint64_t due = port->first ? port->first->due_ns : 0;
    struct itimerspec at = {.it_value = {(time_t)(due / 1000000000), (long)(due % 1000000000)}};
    timerfd_settime(port->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Its answer is ready once all before it are, and its own time has passed. */
static void wait_in_turn(struct visitor *v)
{
    struct port *port = v->port;
    uint64_t now = now_ns();
    double share = (random() + 1.0) / (RAND_MAX + 2.0);
    port->free_ns = port->free_ns > now ? port->free_ns : now;
    port->free_ns += (uint64_t)(-log(share) * port->service_ns);
    v->due_ns = port->free_ns;
    v->next = NULL;
    if (port->first)
        port->last->next = v;
    else
        port->first = v;
    port->last = v;
    if (port->first == v)
        arm(port);
}

static void answer_begin(struct visitor *v)
{
    const char *path = memchr(v->bytes, '/', v->got);
    if (path && v->got > 6 && strncmp(path, "/count", 6) == 0) {
        answer_count(v);
        return;
    }
    size_t size = path ? strtoul(path + 1, NULL, 10) : 0;
    size = size < BODY_MAX ? size : BODY_MAX;
    int len = snprintf(v->head, sizeof v->head,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                       size);
    v->head_len = (size_t)len;
    v->sent = 0;
    v->total = v->head_len + size;
    v->port->done++;
    if (v->port->timer >= 0)
        wait_in_turn(v);
}

/* 1: all is sent; 0: the socket is full; -1: it is gone. */
static int answer_send(struct visitor *v)
{
    if (v->due_ns)
        return 0;
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

static void bury(struct visitor *v)
{
    v->next = buried;
    buried = v;
}

static void leave(struct visitor *v)
{
    close(v->fd);
    v->gone = true;
    if (!v->due_ns)
        bury(v);
    /* Or else when its turn has come. */
}

static void turn_has_come(struct port *port)
{
    uint64_t now = now_ns(), fired;
    if (read(port->timer, &fired, sizeof fired) < 0)
        return;
    while (port->first && port->first->due_ns <= now) {
        struct visitor *v = port->first;
        port->first = v->next;
        v->due_ns = 0;
        if (v->gone)
            bury(v);
        else if (!serve(v))
            leave(v);
    }
    if (port->first)
        arm(port);
}

/* TEXT: "9001", "9001:500" */
static void listen_at(struct port *port, const char *text)
{
    char *end;
    int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(text, &end, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    port->service_ns = *end == ':' ? strtod(end + 1, NULL) * 1000 : 0;
    port->timer =
        port->service_ns > 0 ? timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC) : -1;
    port->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(port->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(port->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* taken over by accept4 */
    if (port->fd < 0 || bind(port->fd, (struct sockaddr *)&at, sizeof at) || listen(port->fd, 4096))
        fail("bare: cannot listen");
}

static void watch(int epoll, int fd, uint32_t events, void *pointer)
{
    struct epoll_event event = {.events = events, .data.ptr = pointer};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        fail("bare: epoll_ctl");
}

static void accept_all(int epoll, struct port *port)
{
    int fd;
    while ((fd = accept4(port->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct visitor *v = calloc(1, sizeof *v);
        if (!v)
            fail("bare");
        v->fd = fd;
        v->port = port;
        watch(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLET, v);
    }
}

/* What is watched is told apart by its pointer: a port, its timer, or a visitor. */
static void happened(int epoll, void *pointer)
{
    char *at = pointer;
    if (at >= (char *)ports && at < (char *)(ports + PORTS_MAX)) {
        struct port *port = &ports[(size_t)(at - (char *)ports) / sizeof *ports];
        if (pointer == &port->timer)
            turn_has_come(port);
        else
            accept_all(epoll, port);
        return;
    }
    struct visitor *v = pointer;
    if (!v->gone && !serve(v))
        leave(v);
}

int main(int count, char **words)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    memset(body, 'x', sizeof body);
    for (int i = 0; i + 1 < count && i < PORTS_MAX; i++) {
        listen_at(&ports[i], words[i + 1]);
        watch(epoll, ports[i].fd, EPOLLIN, &ports[i]);
        if (ports[i].timer >= 0)
            watch(epoll, ports[i].timer, EPOLLIN, &ports[i].timer);
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            happened(epoll, events[i].data.ptr);
        while (buried) {
            struct visitor *v = buried;
            buried = v->next;
            free(v);
        }
    }
}

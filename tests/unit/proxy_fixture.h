/* A proxy over loopback between one who dials and a server: it counts, and breaks connections. */
#ifndef STOA_TESTS_PROXY_FIXTURE_H
#define STOA_TESTS_PROXY_FIXTURE_H

#include "base/check.h"
#include "net/socket.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct proxy {
    char address[64], target[64];
    int listener;
    pthread_t thread;
    atomic_bool stopping;
    atomic_uint_fast64_t bytes, connections; /* towards whoever dialled */
    atomic_uint_fast64_t break_at;           /* the connection that carries this byte; 0: none */
    atomic_uint_fast64_t hold_at;            /* nothing goes on behind this byte; 0: all does */
    atomic_uint_fast64_t reset_at; /* the one that carries this byte: what comes after it is kept
                                      back until nothing more comes, and then goes with a reset,
                                      which whoever sends back finds; 0: none */
};

static inline int proxy_dial(const char *address)
{
    struct endpoint at;
    struct failure failure;
    CHECK(endpoint_resolve(str_of(address), false, &at, &failure) == 0);
    int fd = socket(at.at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at.at, at.len) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Moves what is there; false: closed, or to be broken. */
static inline bool proxy_move(struct proxy *proxy, int from, int to, bool counted)
{
    char bytes[65536];
    ssize_t got = read(from, bytes, sizeof bytes);
    if (got <= 0)
        return false;
    for (ssize_t at = 0; at < got;) {
        ssize_t n = send(to, bytes + at, (size_t)(got - at), MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
    }
    if (!counted)
        return true;
    uint64_t sum = atomic_fetch_add(&proxy->bytes, (uint64_t)got) + (uint64_t)got;
    uint64_t limit = atomic_load(&proxy->break_at);
    if (limit == 0 || sum < limit)
        return true;
    atomic_store(&proxy->break_at, 0);
    return false;
}

/* Passes on what is still to come, and resets the connection to whoever dialled behind it. */
static inline void proxy_reset(struct proxy *proxy, int from, int to)
{
    static char bytes[1 << 20];
    struct linger at_once = {.l_onoff = 1};
    struct pollfd more = {.fd = from, .events = POLLIN};
    size_t len = 0;
    while (poll(&more, 1, 1000) > 0) {
        ssize_t got = read(from, bytes + len, sizeof bytes - len);
        CHECK(got > 0);
        len += (size_t)got;
    }
    atomic_store(&proxy->reset_at, 0);
    CHECK(send(to, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
    setsockopt(to, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

struct proxy_pair {
    struct proxy *proxy;
    int near, far;
};

static inline void *proxy_carry(void *context)
{
    struct proxy_pair pair = *(struct proxy_pair *)context;
    free(context);
    struct pollfd polled[2] = {{.fd = pair.near, .events = POLLIN},
                               {.fd = pair.far, .events = POLLIN}};
    bool good = pair.far >= 0;
    while (good && !atomic_load(&pair.proxy->stopping)) {
        uint64_t hold_at = atomic_load(&pair.proxy->hold_at);
        bool held = hold_at != 0 && atomic_load(&pair.proxy->bytes) >= hold_at;
        polled[1].fd = held ? -1 : pair.far;
        poll(polled, 2, 50);
        if (polled[0].revents)
            good = proxy_move(pair.proxy, pair.near, pair.far, false);
        if (good && polled[1].revents)
            good = proxy_move(pair.proxy, pair.far, pair.near, true);
        uint64_t reset_at = atomic_load(&pair.proxy->reset_at);
        if (good && reset_at != 0 && atomic_load(&pair.proxy->bytes) >= reset_at) {
            proxy_reset(pair.proxy, pair.far, pair.near);
            good = false;
        }
    }
    close(pair.near);
    if (pair.far >= 0)
        close(pair.far);
    return NULL;
}

static inline void *proxy_run(void *context)
{
    struct proxy *proxy = context;
    pthread_t threads[64];
    unsigned count = 0;
    while (!atomic_load(&proxy->stopping)) {
        struct pollfd polled = {.fd = proxy->listener, .events = POLLIN};
        if (poll(&polled, 1, 20) <= 0)
            continue;
        struct proxy_pair *pair = malloc(sizeof *pair);
        *pair = (struct proxy_pair){proxy, accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC),
                                    proxy_dial(proxy->target)};
        CHECK(count < COUNT_OF(threads) && pair->near >= 0);
        atomic_fetch_add(&proxy->connections, 1);
        CHECK(pthread_create(&threads[count++], NULL, proxy_carry, pair) == 0);
    }
    while (count > 0)
        pthread_join(threads[--count], NULL);
    return NULL;
}

static inline void proxy_open(struct proxy *proxy, uint16_t target)
{
    struct endpoint at;
    struct failure failure;
    CHECK(endpoint_resolve(STR("127.0.0.1:0"), true, &at, &failure) == 0);
    CHECK(socket_listen(&at, "127.0.0.1:0", false, &proxy->listener, &failure) == 0);
    snprintf(proxy->address, sizeof proxy->address, "127.0.0.1:%u", endpoint_port(&at));
    snprintf(proxy->target, sizeof proxy->target, "127.0.0.1:%u", target);
    CHECK(pthread_create(&proxy->thread, NULL, proxy_run, proxy) == 0);
}

static inline void proxy_close(struct proxy *proxy)
{
    atomic_store(&proxy->stopping, true);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
}

#endif

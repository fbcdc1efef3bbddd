/* A small HTTP server for a unit test, on a thread of its own: what it answers is the test's to
 * say. Included by one test file each. */
#ifndef STOA_TESTS_SMALL_SERVER_FIXTURE_H
#define STOA_TESTS_SMALL_SERVER_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "net/socket.h"
#include "net_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_CONNECTIONS = 32, SMALL_TEXT = 8192 };

struct small_server {
    struct endpoint address;
    char url[64], host[48];
    int listener, wake[2];
    pthread_t thread;
    pthread_mutex_t lock;    /* for the next three */
    char answer[SMALL_TEXT]; /* all of it, from the status line on */
    char asked[SMALL_TEXT];  /* the last request */
    bool hangs, closes;      /* it does not answer; it closes after an answer */
    atomic_uint connections, requests;
};

static inline void small_say(struct small_server *server, int status, const char *headers,
                             const char *body)
{
    pthread_mutex_lock(&server->lock);
    snprintf(server->answer, sizeof server->answer,
             "HTTP/1.1 %d OK\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body),
             body);
    pthread_mutex_unlock(&server->lock);
}

/* The whole answer, as it is. */
static inline void small_say_raw(struct small_server *server, const char *text)
{
    pthread_mutex_lock(&server->lock);
    snprintf(server->answer, sizeof server->answer, "%s", text);
    pthread_mutex_unlock(&server->lock);
}

static inline void small_hang(struct small_server *server, bool hangs)
{
    pthread_mutex_lock(&server->lock);
    server->hangs = hangs;
    pthread_mutex_unlock(&server->lock);
}

/* After each answer it closes the connection. */
static inline void small_close_after(struct small_server *server, bool closes)
{
    pthread_mutex_lock(&server->lock);
    server->closes = closes;
    pthread_mutex_unlock(&server->lock);
}

static inline void small_asked(struct small_server *server, char out[SMALL_TEXT])
{
    pthread_mutex_lock(&server->lock);
    memcpy(out, server->asked, SMALL_TEXT);
    pthread_mutex_unlock(&server->lock);
}

/* A request has come, in one piece as they are small. False: the connection is over. */
static inline bool small_serve(struct small_server *server, int fd)
{
    char text[SMALL_TEXT], answer[SMALL_TEXT];
    pthread_mutex_lock(&server->lock);
    bool hangs = server->hangs, closes = server->closes;
    memcpy(answer, server->answer, sizeof answer);
    pthread_mutex_unlock(&server->lock);
    if (hangs)
        return true;
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    text[n] = '\0';
    pthread_mutex_lock(&server->lock);
    memcpy(server->asked, text, (size_t)n + 1);
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->requests, 1);
    ssize_t sent = send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    return sent > 0 && !closes;
}

static inline void *small_run(void *context)
{
    struct small_server *server = context;
    struct pollfd fds[SMALL_CONNECTIONS + 2] = {{server->wake[0], POLLIN, 0},
                                                {server->listener, POLLIN, 0}};
    nfds_t count = 2;
    for (;;) {
        /* One that hangs leaves what came where it is; so it looks now and then. */
        if (poll(fds, count, 5) < 0)
            continue;
        if (fds[0].revents)
            break;
        if (fds[1].revents && count < SMALL_CONNECTIONS + 2) {
            int fd = accept(server->listener, NULL, NULL);
            if (fd >= 0)
                fds[count++] = (struct pollfd){fd, POLLIN, 0};
            atomic_fetch_add(&server->connections, fd >= 0);
        }
        for (nfds_t i = 2; i < count; i++) {
            if (!fds[i].revents || small_serve(server, fds[i].fd))
                continue;
            close(fds[i].fd);
            fds[i--] = fds[--count];
        }
    }
    while (count > 2)
        close(fds[--count].fd);
    return NULL;
}

/* Listens at the port that SERVER has had, or at any. */
static inline void small_start(struct small_server *server)
{
    struct failure failure;
    CHECK(socket_listen(&server->address, "a test", false, &server->listener, &failure) == ERR_OK);
    CHECK(pipe(server->wake) == 0);
    CHECK(pthread_create(&server->thread, NULL, small_run, server) == 0);
}

/* At PORT of an address that no other test has (net_fixture.h). */
static inline void small_open(struct small_server *server, unsigned port)
{
    memset(server, 0, sizeof *server);
    pthread_mutex_init(&server->lock, NULL);
    own_address(server->host, sizeof server->host, port);
    CHECK(endpoint_resolve(str_of(server->host), true, &server->address, NULL) == ERR_OK);
    snprintf(server->url, sizeof server->url, "http://%s", server->host);
    small_say(server, 200, "", "ok");
    small_start(server);
}

/* Nobody listens there any more, and its connections are closed; also when it is stopped already,
 * as by a test that fails. */
static inline void small_stop(struct small_server *server)
{
    if (server->wake[1] < 0)
        return;
    CHECK(write(server->wake[1], "", 1) == 1);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->wake[0]);
    close(server->wake[1]);
    server->wake[1] = -1;
}

static inline void small_close(struct small_server *server)
{
    small_stop(server);
    pthread_mutex_destroy(&server->lock);
}

#endif

/* A status door on a free port of this machine, and a client that waits. */
#ifndef STOA_TESTS_STATUS_FIXTURE_H
#define STOA_TESTS_STATUS_FIXTURE_H

#include "engine/engine.h"
#include "net/socket.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define OK "HTTP/1.1 200 "

struct status_door {
    struct endpoint address;
    struct engine *engine;
};

static inline void status_door_open(struct status_door *door, struct app *app)
{
    struct failure failure;
    struct engine_config config = {
        .listen = {{"127.0.0.1:0"}}, .listen_count = 1, .loops = 1, .helpers = 1};
    int err = engine_event.start(&config, app, &door->engine, &failure);
    if (err)
        fail_msg("%s", failure.text);
    char address[ADDRESS_TEXT];
    snprintf(address, sizeof address, "127.0.0.1:%u", engine_event.port(door->engine, 0));
    assert_int_equal(endpoint_resolve(str_of(address), false, &door->address, &failure), 0);
}

static inline int connect_to(const struct status_door *door)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&door->address.at, door->address.len), 0);
    return fd;
}

static inline int ask(const struct status_door *door, const char *request)
{
    int fd = connect_to(door);
    size_t len = strlen(request);
    assert_int_equal(write(fd, request, len), (ssize_t)len);
    return fd;
}

/* Reads on into TEXT until WANTED is there (true), or the end comes. */
static inline bool read_until(int fd, struct buf *text, const char *wanted)
{
    while (!wanted || str_find(buf_text(text), str_of(wanted)) < 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, 20000) <= 0)
            fail_msg("nothing came for 20 s; before: %.*s", STR_FMT(buf_text(text)));
        char *room = buf_room(text, 65536);
        assert_non_null(room);
        ssize_t got = read(fd, room, 65536);
        if (got <= 0)
            return false;
        text->len += (size_t)got;
    }
    return true;
}

/* The whole answer to METHOD PATH with MORE headers. */
static inline struct str fetch(const struct status_door *door, struct buf *text, const char *line,
                               const char *more)
{
    char request[1024];
    snprintf(request, sizeof request, "%s HTTP/1.1\r\n%s\r\nConnection: close\r\n\r\n", line,
             more ? more : "Host: 127.0.0.1");
    buf_clear(text);
    int fd = ask(door, request);
    read_until(fd, text, NULL);
    close(fd);
    return buf_text(text);
}

static inline void answers(const struct status_door *door, const char *line, const char *more,
                           const char *status, const char *part)
{
    struct buf text;
    buf_init(&text, 4 << 20);
    struct str got = fetch(door, &text, line, more);
    if (!str_starts(got, str_of(status)) || str_find(got, str_of(part)) < 0)
        fail_msg("%s: not %s with %s, but %.*s", line, status, part, STR_FMT(got));
    buf_close(&text);
}

#endif

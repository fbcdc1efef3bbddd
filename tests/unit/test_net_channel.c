#include "net/channel.h"
#include "net_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* What may be quick is expected within this, what shall take long takes less. */
enum { LONG_MS = 10000, SHORT_MS = 150 };

struct fixture {
    struct pki pki, others;
    struct tls_context *one, *two;
    int listen_fd;
    char address[ADDRESS_TEXT];
};

static void listen_at(struct fixture *f, const char *text)
{
    struct endpoint endpoint;
    assert_int_equal(endpoint_resolve(str_of(text), true, &endpoint, NULL), ERR_OK);
    assert_int_equal(socket_listen(&endpoint, text, false, &f->listen_fd, NULL), ERR_OK);
    endpoint_text(&endpoint, true, f->address, sizeof f->address);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    pki_open(&f->pki, "ours");
    pki_open(&f->others, "others");
    f->one = pki_context(&f->pki, "server-1");
    f->two = pki_context(&f->pki, "server-2");
    listen_at(f, "127.0.0.1:0");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->listen_fd);
    tls_context_free(f->one);
    tls_context_free(f->two);
    pki_close(&f->pki);
    pki_close(&f->others);
    free(f);
    return 0;
}

/* Connects in another thread, while the test's accepts. */
struct caller {
    pthread_t thread;
    struct channel channel;
    const char *address;
    struct tls_context *context;
    struct failure failure;
    int err;
};

static void *call(void *argument)
{
    struct caller *c = argument;
    c->err =
        channel_connect(&c->channel, c->address, c->context, -1, within_ms(LONG_MS), &c->failure);
    return NULL;
}

static int accept_fd(int listen_fd)
{
    struct pollfd readable = {.fd = listen_fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int meet_as(struct fixture *f, struct caller *caller, struct tls_context *context,
                   struct channel *accepted, struct failure *failure)
{
    *caller = (struct caller){.address = f->address, .context = context};
    assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
    int err =
        channel_accept(accepted, accept_fd(f->listen_fd), f->two, -1, within_ms(LONG_MS), failure);
    pthread_join(caller->thread, NULL);
    return err;
}

static void meet(struct fixture *f, struct caller *caller, struct channel *accepted)
{
    assert_int_equal(meet_as(f, caller, f->one, accepted, NULL), ERR_OK);
    assert_int_equal(caller->err, ERR_OK);
}

static void both_sides_know_who_is_there(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    meet(f, &caller, &accepted);
    assert_string_equal(caller.channel.peer, "server-2");
    assert_string_equal(caller.channel.where, f->address);
    assert_string_equal(accepted.peer, "server-1");
    assert_non_null(strstr(accepted.where, "127.0.0.1:"));
    channel_close(&caller.channel);
    channel_close(&accepted);
}

/* Sends frames of many sizes, and then as many raw bytes. */
static const size_t sizes[] = {0, 1, 8, 16384, 16385, 300000, FRAME_PAYLOAD_MAX};

static void *send_all(void *argument)
{
    struct channel *channel = argument;
    char *bytes = malloc(FRAME_PAYLOAD_MAX);
    CHECK(bytes);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        memset(bytes, (int)('a' + i), sizes[i]);
        CHECK(channel_send(channel, (uint8_t)(i + 1), str_make(bytes, sizes[i]),
                           within_ms(LONG_MS)) == ERR_OK);
        CHECK(channel_send_raw(channel, bytes, sizes[i], within_ms(LONG_MS)) == ERR_OK);
    }
    free(bytes);
    return NULL;
}

static bool all_are(const char *bytes, size_t len, char expected)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != expected)
            return false;
    return true;
}

static void frames_and_raw_bytes_of_all_sizes_arrive(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct frame frame;
    pthread_t sender;
    meet(f, &caller, &accepted);
    char *bytes = malloc(FRAME_PAYLOAD_MAX);
    assert_non_null(bytes);
    pthread_create(&sender, NULL, send_all, &caller.channel);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(channel_receive(&accepted, &frame, within_ms(LONG_MS)), ERR_OK);
        assert_int_equal(frame.kind, i + 1);
        assert_int_equal(frame.payload.len, sizes[i]);
        assert_true(all_are(frame.payload.at, frame.payload.len, (char)('a' + i)));
        assert_int_equal(channel_receive_raw(&accepted, bytes, sizes[i], within_ms(LONG_MS)),
                         ERR_OK);
        assert_true(all_are(bytes, sizes[i], (char)('a' + i)));
    }
    pthread_join(sender, NULL);
    free(bytes);
    channel_close(&caller.channel);
    assert_int_equal(channel_receive(&accepted, &frame, within_ms(LONG_MS)), ERR_CLOSED);
    channel_close(&accepted);
}

static void silence_ends_at_the_deadline_and_may_be_waited_for_again(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct frame frame;
    meet(f, &caller, &accepted);
    assert_int_equal(channel_receive(&accepted, &frame, within_ms(SHORT_MS)), ERR_TIMEOUT);
    assert_int_equal(channel_send(&caller.channel, 5, STR("late"), within_ms(LONG_MS)), ERR_OK);
    assert_int_equal(channel_receive(&accepted, &frame, within_ms(LONG_MS)), ERR_OK);
    assert_true(str_eq(frame.payload, STR("late")));
    channel_close(&caller.channel);
    channel_close(&accepted);
}

static void one_who_takes_nothing_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    meet(f, &caller, &accepted);
    char *bytes = calloc(1, FRAME_PAYLOAD_MAX);
    int err = ERR_OK;
    for (int i = 0; i < 100 && !err; i++)
        err = channel_send(&caller.channel, 5, str_make(bytes, FRAME_PAYLOAD_MAX),
                           within_ms(SHORT_MS));
    assert_int_equal(err, ERR_TIMEOUT);
    free(bytes);
    channel_close(&caller.channel);
    channel_close(&accepted);
}

static void a_listener_that_never_answers_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure = {0};
    assert_int_equal(
        channel_connect(&channel, f->address, f->one, -1, within_ms(SHORT_MS), &failure),
        ERR_TIMEOUT);
    assert_non_null(strstr(failure.text, f->address));
}

static void nobody_listening_is_told_from_all_else(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure = {0};
    char own[ADDRESS_TEXT];
    close(f->listen_fd);
    own_address(own, sizeof own, 7001);
    listen_at(f, own);
    close(f->listen_fd);
    assert_int_equal(
        channel_connect(&channel, f->address, f->one, -1, within_ms(LONG_MS), &failure),
        ERR_CLOSED);
    assert_non_null(strstr(failure.text, "nobody listens there"));
    listen_at(f, "127.0.0.1:0");
    assert_int_equal(
        channel_connect(&channel, "127.0.0.1", f->one, -1, within_ms(LONG_MS), &failure),
        ERR_INVALID);
}

/* Closed at once after it was accepted: a process that is dying, not one that is gone. */
static void *accept_and_close(void *argument)
{
    struct fixture *f = argument;
    close(accept_fd(f->listen_fd));
    return NULL;
}

static void a_handshake_broken_off_is_not_a_refused_connection(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, accept_and_close, f);
    assert_int_equal(
        channel_connect(&channel, f->address, f->one, -1, within_ms(LONG_MS), &failure), ERR_IO);
    assert_non_null(strstr(failure.text, "during the handshake"));
    pthread_join(thread, NULL);
}

/* A connection without TLS. */
static int connect_plainly(struct fixture *f)
{
    struct endpoint endpoint;
    int fd;
    assert_int_equal(endpoint_resolve(str_of(f->address), false, &endpoint, NULL), ERR_OK);
    assert_int_equal(socket_connect(&endpoint, &fd, NULL), ERR_OK);
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&writable, 1, LONG_MS), 1);
    return fd;
}

static void garbage_is_no_tls(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure = {0};
    int fd = connect_plainly(f);
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), 27);
    assert_int_equal(
        channel_accept(&channel, accept_fd(f->listen_fd), f->two, -1, within_ms(LONG_MS), &failure),
        ERR_DENIED);
    assert_non_null(strstr(failure.text, "no TLS with 127.0.0.1:"));
    close(fd);
}

/* The begin of a TLS handshake, byte by byte: never silent, never done. */
static void *trickle(void *argument)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    int fd = *(int *)argument;
    for (size_t i = 0; i < 1000; i++) {
        char byte = i < sizeof hello - 1 ? hello[i] : 0;
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            break;
        struct pollfd closed = {.fd = fd, .events = POLLIN};
        if (poll(&closed, 1, 5) > 0)
            break;
    }
    return NULL;
}

static void slow_bytes_do_not_extend_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure = {0};
    pthread_t thread;
    int fd = connect_plainly(f);
    pthread_create(&thread, NULL, trickle, &fd);
    uint64_t begin = clock_mono_ns();
    assert_int_equal(channel_accept(&channel, accept_fd(f->listen_fd), f->two, -1,
                                    within_ms(SHORT_MS), &failure),
                     ERR_TIMEOUT);
    assert_true(clock_mono_ns() - begin < LONG_MS * MS_NS / 2);
    pthread_join(thread, NULL);
    close(fd);
}

static void a_frame_too_long_is_refused_before_it_is_there(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct frame frame;
    char header[FRAME_HEADER];
    meet(f, &caller, &accepted);
    accepted.frame_max = 100;
    frame_header(header, 1, 101);
    assert_int_equal(channel_send_raw(&caller.channel, header, sizeof header, within_ms(LONG_MS)),
                     ERR_OK);
    assert_int_equal(channel_receive(&accepted, &frame, within_ms(LONG_MS)), ERR_INVALID);
    channel_close(&caller.channel);
    channel_close(&accepted);
}

static void a_frame_broken_off_is_not_an_orderly_end(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct frame frame;
    char header[FRAME_HEADER];
    meet(f, &caller, &accepted);
    frame_header(header, 1, 10);
    assert_int_equal(channel_send_raw(&caller.channel, header, sizeof header, within_ms(LONG_MS)),
                     ERR_OK);
    assert_int_equal(channel_send_raw(&caller.channel, "half", 4, within_ms(LONG_MS)), ERR_OK);
    channel_close(&caller.channel);
    assert_int_equal(channel_receive(&accepted, &frame, within_ms(LONG_MS)), ERR_INVALID);
    channel_close(&accepted);
}

static void whoever_waits_can_be_interrupted(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure;
    int interrupt = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_not_equal(
        channel_connect(&channel, f->address, f->one, interrupt, within_ms(LONG_MS), &failure),
        ERR_OK);
    int fd = connect_plainly(f);
    close(accept_fd(f->listen_fd)); /* of the first attempt */
    uint64_t begin = clock_mono_ns();
    assert_int_not_equal(channel_accept(&channel, accept_fd(f->listen_fd), f->two, interrupt,
                                        within_ms(LONG_MS), &failure),
                         ERR_OK);
    assert_true(clock_mono_ns() - begin < LONG_MS * MS_NS / 2);
    close(fd);
    close(interrupt);
}

static void what_was_received_goes_along_when_a_channel_is_handed_over(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct frame frame;
    struct buf both, rest;
    struct tls *tls;
    int fd;
    size_t used;
    meet(f, &caller, &accepted);
    buf_init(&both, 1000);
    frame_put(&both, 1, STR("first"));
    frame_put(&both, 2, STR("second"));
    assert_int_equal(channel_send_raw(&caller.channel, both.at, both.len, within_ms(LONG_MS)), 0);
    assert_int_equal(channel_receive(&accepted, &frame, within_ms(LONG_MS)), ERR_OK);
    channel_release(&accepted, &fd, &tls, &rest);
    channel_close(&accepted); /* closes nothing any more */
    assert_int_equal(frame_read(buf_text(&rest), &frame, &used), ERR_OK);
    assert_true(str_eq(frame.payload, STR("second")));
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    tls_free(tls);
    buf_close(&rest);
    buf_close(&both);
    channel_close(&caller.channel);
}

static void another_cluster_is_refused_and_told(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct failure failure = {0};
    struct tls_context *other = pki_context(&f->others, "server-1");
    assert_int_equal(meet_as(f, &caller, other, &accepted, &failure), ERR_DENIED);
    assert_int_equal(caller.err, ERR_DENIED);
    assert_non_null(strstr(caller.failure.text, "certificate"));
    assert_non_null(strstr(failure.text, "unknown ca"));
    tls_context_free(other);
}

static void who_joins_shows_no_certificate(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct tls_context *joining = pki_pinned(&f->pki);
    assert_int_equal(meet_as(f, &caller, joining, &accepted, NULL), ERR_OK);
    assert_int_equal(caller.err, ERR_OK);
    assert_string_equal(accepted.peer, "");
    assert_string_equal(caller.channel.peer, "server-2");
    channel_close(&caller.channel);
    channel_close(&accepted);
    tls_context_free(joining);
}

/* localhost is ::1 first in most places, and the server listens on 127.0.0.1 alone. */
static void every_address_of_a_host_is_tried(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct endpoint endpoint;
    assert_int_equal(endpoint_resolve(str_of(f->address), false, &endpoint, NULL), ERR_OK);
    snprintf(f->address, sizeof f->address, "localhost:%u", endpoint_port(&endpoint));
    meet(f, &caller, &accepted);
    channel_close(&caller.channel);
    channel_close(&accepted);
}

static void ipv6_does_as_well(void **state)
{
    struct fixture *f = *state;
    struct caller caller;
    struct channel accepted;
    struct endpoint endpoint;
    int fd;
    assert_int_equal(endpoint_resolve(STR("[::1]:0"), true, &endpoint, NULL), ERR_OK);
    if (socket_listen(&endpoint, "[::1]:0", false, &fd, NULL) != ERR_OK)
        skip(); /* a kernel without it */
    close(fd);
    close(f->listen_fd);
    listen_at(f, "[::1]:0");
    meet(f, &caller, &accepted);
    assert_non_null(strstr(accepted.where, "[::1]:"));
    channel_close(&caller.channel);
    channel_close(&accepted);
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANNEL_TEST(both_sides_know_who_is_there),
        CHANNEL_TEST(frames_and_raw_bytes_of_all_sizes_arrive),
        CHANNEL_TEST(silence_ends_at_the_deadline_and_may_be_waited_for_again),
        CHANNEL_TEST(one_who_takes_nothing_is_given_up),
        CHANNEL_TEST(a_listener_that_never_answers_is_given_up),
        CHANNEL_TEST(nobody_listening_is_told_from_all_else),
        CHANNEL_TEST(a_handshake_broken_off_is_not_a_refused_connection),
        CHANNEL_TEST(garbage_is_no_tls),
        CHANNEL_TEST(slow_bytes_do_not_extend_the_deadline),
        CHANNEL_TEST(a_frame_too_long_is_refused_before_it_is_there),
        CHANNEL_TEST(a_frame_broken_off_is_not_an_orderly_end),
        CHANNEL_TEST(whoever_waits_can_be_interrupted),
        CHANNEL_TEST(what_was_received_goes_along_when_a_channel_is_handed_over),
        CHANNEL_TEST(another_cluster_is_refused_and_told),
        CHANNEL_TEST(who_joins_shows_no_certificate),
        CHANNEL_TEST(every_address_of_a_host_is_tried),
        CHANNEL_TEST(ipv6_does_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

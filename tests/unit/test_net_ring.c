#include "base/check.h"
#include "net/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { PATIENCE_MS = 20000, TURNS = 10000 };

/* A ring, and one socket in it; the other end is ours. */
struct bed {
    struct ring *ring;
    int epoll_fd, end;
    struct ring_socket socket;
    char got[64 * 1024];
    size_t len;
    ssize_t last;      /* of `received` */
    ssize_t sent;      /* of `sent`; 0: not yet */
    unsigned gone;     /* how often */
    bool echoes;       /* each piece is sent back, out of `answer` */
    char answer[4096]; /* lent to the ring */
};

static struct bed *bed_of(struct ring_socket *socket)
{
    return CONTAINER_OF(socket, struct bed, socket);
}

static void on_received(struct ring_socket *socket, const char *at, ssize_t n)
{
    struct bed *bed = bed_of(socket);
    bed->last = n;
    if (n <= 0)
        return;
    assert_true(bed->len + (size_t)n <= sizeof bed->got);
    memcpy(bed->got + bed->len, at, (size_t)n);
    bed->len += (size_t)n;
    if (bed->echoes && !socket->sending) {
        memcpy(bed->answer, at, (size_t)n);
        assert_true(ring_send(bed->ring, socket, bed->answer, (size_t)n));
    }
}

static void on_sent(struct ring_socket *socket, ssize_t n)
{
    bed_of(socket)->sent = n;
}

static void on_gone(struct ring_socket *socket)
{
    bed_of(socket)->gone++;
}

/* NULL: there is no io_uring here. */
static struct bed *bed_make(void)
{
    struct bed *bed = calloc(1, sizeof *bed);
    struct failure why;
    int ends[2];
    assert_non_null(bed);
    bed->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_true(bed->epoll_fd >= 0);
    bed->ring = ring_new(bed->epoll_fd, &why);
    if (!bed->ring) {
        print_message("%s\n", why.text);
        close(bed->epoll_fd);
        free(bed);
        return NULL;
    }
    assert_int_equal(ring_enable(bed->ring), ERR_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    bed->end = ends[1];
    bed->socket = (struct ring_socket){
        .fd = ends[0], .received = on_received, .sent = on_sent, .gone = on_gone};
    ring_join(bed->ring, &bed->socket);
    return bed;
}

static void bed_free(struct bed *bed)
{
    ring_free(bed->ring);
    close(bed->epoll_fd);
    close(bed->end);
    close(bed->socket.fd);
    free(bed);
}

static bool turn(struct bed *bed)
{
    ring_wait(bed->ring, PATIENCE_MS);
    return ring_run(bed->ring);
}

static struct bed *bed_or_skip(void)
{
    struct bed *bed = bed_make();
    if (!bed)
        skip();
    return bed;
}

static void what_comes_is_told_in_order(void **state)
{
    struct bed *bed = bed_or_skip();
    char bytes[40000]; /* ten buffers, and less than a socket takes */
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 + i / 256);
    assert_int_equal(send(bed->end, bytes, sizeof bytes, 0), sizeof bytes);
    for (int i = 0; i < TURNS && bed->len < sizeof bytes; i++)
        turn(bed);
    assert_int_equal(bed->len, sizeof bytes);
    assert_memory_equal(bed->got, bytes, sizeof bytes);
    shutdown(bed->end, SHUT_WR);
    for (int i = 0; i < TURNS && bed->last > 0; i++)
        turn(bed);
    assert_int_equal(bed->last, 0);
    assert_false(bed->socket.receiving);
    bed_free(bed);
}

static void more_pieces_than_buffers_are_told(void **state)
{
    struct bed *bed = bed_or_skip();
    size_t all = 0;
    (void)state;
    while (all < 3 * RING_BUFFERS) {
        assert_int_equal(send(bed->end, "x", 1, 0), 1);
        all++;
        for (int i = 0; i < TURNS && bed->len < all; i++)
            turn(bed);
        assert_int_equal(bed->len, all);
    }
    bed_free(bed);
}

static void what_is_sent_in_a_batch_has_left_at_its_end(void **state)
{
    struct bed *bed = bed_or_skip();
    char back[8];
    (void)state;
    bed->echoes = true;
    assert_int_equal(send(bed->end, "echo", 4, 0), 4);
    for (int i = 0; i < TURNS && bed->len < 4; i++)
        turn(bed);
    assert_int_equal(bed->sent, 4);
    assert_int_equal(recv(bed->end, back, sizeof back, 0), 4);
    assert_memory_equal(back, "echo", 4);
    assert_false(ring_send(bed->ring, &bed->socket, "late", 4)); /* there is no batch */
    bed_free(bed);
}

static void who_leaves_is_told_once_that_it_is_gone(void **state)
{
    struct bed *bed = bed_or_skip();
    (void)state;
    ring_leave(bed->ring, &bed->socket);
    ring_leave(bed->ring, &bed->socket);
    for (int i = 0; i < TURNS && !bed->gone; i++)
        turn(bed);
    assert_int_equal(bed->gone, 1);
    assert_int_equal(send(bed->end, "x", 1, 0), 1);
    char byte;
    assert_int_equal(recv(bed->socket.fd, &byte, 1, 0), 1); /* the ring does not take it */
    bed_free(bed);
}

static void what_epoll_has_is_told_each_time(void **state)
{
    struct bed *bed = bed_or_skip();
    int counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN};
    uint64_t one = 1;
    (void)state;
    assert_int_equal(epoll_ctl(bed->epoll_fd, EPOLL_CTL_ADD, counter, &event), 0);
    for (int round = 0; round < 3; round++) {
        bool told = false;
        assert_int_equal(write(counter, &one, sizeof one), sizeof one);
        for (int i = 0; i < TURNS && !told; i++)
            told = turn(bed);
        assert_true(told);
        assert_int_equal(epoll_wait(bed->epoll_fd, &event, 1, 0), 1);
        assert_int_equal(read(counter, &one, sizeof one), sizeof one);
    }
    close(counter);
    bed_free(bed);
}

/* Each of COUNT sockets has a byte when it is looked: how many have been told of in one look. */
static unsigned told_at_once(struct bed *bed, unsigned count)
{
    struct bed *more = calloc(count, sizeof *more);
    unsigned told = 0;
    assert_non_null(more);
    for (unsigned i = 0; i < count; i++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        more[i].end = ends[1];
        more[i].socket = (struct ring_socket){
            .fd = ends[0], .received = on_received, .sent = on_sent, .gone = on_gone};
        ring_join(bed->ring, &more[i].socket);
    }
    ring_wait(bed->ring, 0);
    ring_run(bed->ring);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(send(more[i].end, "x", 1, 0), 1);
    turn(bed);
    for (unsigned i = 0; i < count; i++) {
        told += more[i].len > 0;
        ring_leave(bed->ring, &more[i].socket);
    }
    for (unsigned i = 0; i < count; i++) {
        for (int turns = 0; turns < TURNS && !more[i].gone; turns++)
            turn(bed);
        assert_int_equal(more[i].gone, 1);
        close(more[i].end);
        close(more[i].socket.fd);
    }
    free(more);
    return told;
}

static void what_has_come_is_told_in_one_look(void **state)
{
    struct bed *bed = bed_or_skip();
    (void)state;
    assert_int_equal(told_at_once(bed, 150), 150);
    assert_false(ring_is_full(bed->ring));
    bed_free(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_is_told_in_order),
        cmocka_unit_test(more_pieces_than_buffers_are_told),
        cmocka_unit_test(what_is_sent_in_a_batch_has_left_at_its_end),
        cmocka_unit_test(who_leaves_is_told_once_that_it_is_gone),
        cmocka_unit_test(what_epoll_has_is_told_each_time),
        cmocka_unit_test(what_has_come_is_told_in_one_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

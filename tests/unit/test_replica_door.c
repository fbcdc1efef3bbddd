/* The door's links: who dials whom, and when again. */
#include "door_fixture.h"
#include "replica/greet.h"

#include <poll.h>

/* ---- Links ---- */

static void two_servers_link_in_both_directions(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    assert_int_equal(door_dial(f->one.door, 2, f->two.address), ERR_OK);
    assert_int_equal(door_dial(f->two.door, 1, f->one.address), ERR_OK);
    wait_for(&f->one, &f->one.linked_out, 1);
    wait_for(&f->one, &f->one.linked_in, 1);
    wait_for(&f->two, &f->two.linked_out, 1);
    wait_for(&f->two, &f->two.linked_in, 1);
    assert_int_equal(f->one.last_other, 2);
    assert_int_equal(f->two.last_other, 1);
    assert_int_equal(now(&f->one, &f->one.missed), 0);
}

static void a_link_carries_what_follows_the_hello(void **state)
{
    struct fixture *f = *state;
    struct failure failure;
    struct channel channel;
    struct hello answer,
        hello = {.purpose = HELLO_LINK, .cluster = f->cluster, .generation = 1, .place = {.id = 2}};
    enum refusal refusal;
    char bytes[64];
    f->two.tls = pki_context(&f->pki, "server-2");
    assert_int_equal(
        channel_connect(&channel, f->one.address, f->two.tls, -1, within_ms(LONG_MS), &failure),
        ERR_OK);
    assert_int_equal(greet(&channel, &hello, &answer, &refusal, within_ms(LONG_MS), &failure), 0);
    assert_int_equal(answer.place.id, 1);
    assert_string_equal(answer.place.address, f->one.address);
    wait_for(&f->one, &f->one.linked_in, 1);
    assert_int_equal(channel_send(&channel, FRAME_NEWS, STR("news"), within_ms(LONG_MS)), ERR_OK);
    struct pollfd readable = {.fd = f->one.links[0].fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    ssize_t got = recv(f->one.links[0].fd, bytes, sizeof bytes, 0);
    assert_true(got > 0);
    char plain[64];
    size_t len, sum = 0;
    tls_receive(f->one.links[0].tls, bytes, (size_t)got);
    while (tls_read(f->one.links[0].tls, plain + sum, sizeof plain - sum, &len) == TLS_OK)
        sum += len;
    assert_true(sum >= FRAME_HEADER && plain[4] == FRAME_NEWS);
    channel_close(&channel);
}

static void a_broken_link_is_dialled_again_at_once(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
    for (unsigned i = 2; i < 6; i++) {
        drop_links(&f->one);
        door_dial(f->one.door, 2, f->two.address);
        wait_for(&f->one, &f->one.linked_out, i);
    }
    assert_int_equal(now(&f->one, &f->one.missed), 0);
}

static void a_process_that_is_gone_is_told_at_once_and_comes_back(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
    house_close(&f->two);
    uint64_t begin = clock_mono_ns();
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 1);
    assert_true(clock_mono_ns() - begin < LONG_MS * MS_NS / 2);
    wait_for(&f->one, &f->one.dead, 4);
    assert_int_equal(now(&f->one, &f->one.missed), now(&f->one, &f->one.dead));
    house_open(f, &f->two, 2); /* under the same address */
    wait_for(&f->one, &f->one.linked_out, 2);
}

static void a_server_that_comes_back_is_dialled_without_waiting(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    house_close(&f->two); /* its port is free now */
    reopen(f, LONG_MS, 60000);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 1);
    house_open(f, &f->two, 2);
    door_dial(f->two.door, 1, f->one.address);
    /* Its link tells that it is there; otherwise this would take half a minute and more. */
    wait_for(&f->one, &f->one.linked_out, 1);
}

static void a_new_address_replaces_the_former(void **state)
{
    struct fixture *f = *state;
    struct endpoint silent;
    char text[ADDRESS_TEXT];
    int fd;
    /* Accepted by the kernel, and answered by nobody. */
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), true, &silent, NULL), ERR_OK);
    assert_int_equal(socket_listen(&silent, "x", false, &fd, NULL), ERR_OK);
    endpoint_text(&silent, true, text, sizeof text);
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 2, text);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
    close(fd);
}

static void silence_is_not_death(void **state)
{
    struct fixture *f = *state;
    struct endpoint silent;
    char text[ADDRESS_TEXT];
    int fd;
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), true, &silent, NULL), ERR_OK);
    assert_int_equal(socket_listen(&silent, "x", false, &fd, NULL), ERR_OK);
    endpoint_text(&silent, true, text, sizeof text);
    reopen(f, SHORT_MS, 0);
    uint64_t begin = clock_mono_ns();
    door_dial(f->one.door, 2, text);
    wait_for(&f->one, &f->one.missed, 1);
    uint64_t took = clock_mono_ns() - begin;
    assert_true(took >= (SHORT_MS - 10) * MS_NS && took < LONG_MS * MS_NS / 2);
    assert_int_equal(now(&f->one, &f->one.dead), 0);
    assert_non_null(strstr(why_of(&f->one), "did not answer in time"));
    close(fd);
}

static void who_is_forgotten_is_dialled_no_more(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    house_close(&f->two);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 1);
    door_forget(f->one.door, 2);
    door_forget(f->one.door, 3); /* never dialled */
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 1, f->two.address); /* ends in an answer, long after 2 would be linked */
    wait_for(&f->one, &f->one.missed, 2);
    assert_int_equal(now(&f->one, &f->one.linked_out), 0);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(two_servers_link_in_both_directions),
        DOOR_TEST(a_link_carries_what_follows_the_hello),
        DOOR_TEST(a_broken_link_is_dialled_again_at_once),
        DOOR_TEST(a_process_that_is_gone_is_told_at_once_and_comes_back),
        DOOR_TEST(a_server_that_comes_back_is_dialled_without_waiting),
        DOOR_TEST(a_new_address_replaces_the_former),
        DOOR_TEST(silence_is_not_death),
        DOOR_TEST(who_is_forgotten_is_dialled_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

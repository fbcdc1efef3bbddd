#include "net/socket.h"

#include "net_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void addresses_are_split_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::1]:8443", "::1", 8443},
        {":80", "", 80},
        {"shop.example:0", "shop.example", 0},
        {"localhost:65535", "localhost", 65535},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct str host;
        uint16_t port;
        assert_int_equal(endpoint_split(str_of(good[i].text), &host, &port, NULL), ERR_OK);
        assert_true(str_eq(host, str_of(good[i].host)));
        assert_int_equal(port, good[i].port);
    }
}

static void what_is_wrong_with_an_address_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *about;
    } bad[] = {
        {"", "has no port"},
        {"127.0.0.1", "has no port"},
        {"127.0.0.1:", "has no port"},
        {"127.0.0.1:x", "not a number from 0 to 65535"},
        {"127.0.0.1:65536", "not a number from 0 to 65535"},
        {"127.0.0.1:-1", "not a number from 0 to 65535"},
        {"[::1", "']'"},
        {"[::1]", "has no port"},
        {"[::1]8080", "has no port"},
        {"::1:8080", "in brackets"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct str host;
        uint16_t port;
        struct failure failure = {0};
        assert_int_equal(endpoint_split(str_of(bad[i].text), &host, &port, &failure), ERR_INVALID);
        assert_non_null(strstr(failure.text, bad[i].about));
    }
}

static void an_address_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1:8080", "[::1]:8443"};
    for (int i = 0; i < 2; i++) {
        struct endpoint address;
        char text[ADDRESS_TEXT];
        assert_int_equal(endpoint_resolve(str_of(texts[i]), true, &address, NULL), ERR_OK);
        endpoint_text(&address, true, text, sizeof text);
        assert_string_equal(text, texts[i]);
    }
}

static void a_taken_port_is_refused_with_advice(void **state)
{
    (void)state;
    struct endpoint address;
    struct failure failure = {0};
    char text[ADDRESS_TEXT];
    int first, second;
    own_address(text, sizeof text, 0);
    assert_int_equal(endpoint_resolve(str_of(text), true, &address, NULL), ERR_OK);
    assert_int_equal(socket_listen(&address, text, true, &first, NULL), ERR_OK);
    assert_int_not_equal(endpoint_port(&address), 0);
    /* Sharers of this process may join, but a check finds that somebody is there. */
    assert_int_equal(socket_listen(&address, "x", true, &second, NULL), ERR_OK);
    close(second);
    endpoint_text(&address, true, text, sizeof text);
    assert_int_equal(socket_listen_check(&address, text, &failure), ERR_EXISTS);
    assert_non_null(strstr(failure.text, text));
    assert_non_null(strstr(failure.text, "choose another port"));
    close(first);
    assert_int_equal(socket_listen_check(&address, text, &failure), ERR_OK);
}

static void a_connection_comes_about_or_says_why_not(void **state)
{
    (void)state;
    struct endpoint address;
    char text[ADDRESS_TEXT];
    int door, fd;
    own_address(text, sizeof text, 0);
    assert_int_equal(endpoint_resolve(str_of(text), true, &address, NULL), ERR_OK);
    assert_int_equal(socket_listen(&address, "x", false, &door, NULL), ERR_OK);
    assert_int_equal(socket_connect(&address, &fd, NULL), ERR_OK);
    struct pollfd writable = {fd, POLLOUT, 0};
    assert_int_equal(poll(&writable, 1, 30000), 1);
    assert_int_equal(socket_error(fd), 0);
    close(fd);
    close(door);
    if (socket_connect(&address, &fd, NULL) == ERR_OK) {
        writable.fd = fd;
        assert_int_equal(poll(&writable, 1, 30000), 1);
        assert_int_not_equal(socket_error(fd), 0);
        close(fd);
    }
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void a_patient_socket_notices_who_is_gone(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socket_set_patience(fd, 1234);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
    close(fd);
}

static void all_addresses_of_a_host_are_found_up_to_a_bound(void **state)
{
    (void)state;
    struct endpoint found[8];
    unsigned count;
    assert_int_equal(endpoint_resolve_all(STR("127.0.0.1:7000"), false, found, 8, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(endpoint_port(&found[0]), 7000);
    assert_int_equal(endpoint_resolve_all(STR("localhost:7000"), false, found, 8, &count, NULL), 0);
    assert_true(count >= 1 && count <= 8);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(endpoint_port(&found[i]), 7000);
    assert_int_equal(endpoint_resolve_all(STR("localhost:7000"), false, found, 1, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_not_equal(endpoint_resolve_all(STR("localhost"), false, found, 8, &count, NULL), 0);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_split_as_people_write_them),
        cmocka_unit_test(what_is_wrong_with_an_address_is_said),
        cmocka_unit_test(an_address_is_written_as_it_was_read),
        cmocka_unit_test(a_taken_port_is_refused_with_advice),
        cmocka_unit_test(a_connection_comes_about_or_says_why_not),
        cmocka_unit_test(a_patient_socket_notices_who_is_gone),
        cmocka_unit_test(all_addresses_of_a_host_are_found_up_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

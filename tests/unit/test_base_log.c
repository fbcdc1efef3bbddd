#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A pair of which each write to one end is one message at the other. */
static void open_pair(int pair[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static void a_line_is_time_level_area_and_text_in_one_write(void **state)
{
    (void)state;
    int pair[2];
    char line[2048];
    open_pair(pair);
    struct log log = {pair[0], LOG_DEBUG};
    log_line(&log, LOG_WARN, "store", "%d of %s", 3, "ten");
    ssize_t len = recv(pair[1], line, sizeof line - 1, 0);
    assert_true(len > 0);
    line[len] = 0;
    assert_string_equal(line + 24, " warn store: 3 of ten\n");
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    assert_int_equal(recv(pair[1], line, sizeof line, 0), -1); /* nothing more */
    close_pair(pair);
}

static void what_is_below_the_least_level_is_dropped(void **state)
{
    (void)state;
    int pair[2];
    char line[2048];
    open_pair(pair);
    struct log log = {pair[0], LOG_WARN};
    log_line(&log, LOG_INFO, "x", "quiet");
    log_line(NULL, LOG_ERROR, "x", "nobody");
    assert_int_equal(recv(pair[1], line, sizeof line, 0), -1);
    log_line(&log, LOG_WARN, "x", "a");
    log_line(&log, LOG_ERROR, "x", "b");
    assert_true(recv(pair[1], line, sizeof line, 0) > 0);
    assert_true(recv(pair[1], line, sizeof line, 0) > 0);
    close_pair(pair);
}

static void nobody_can_forge_a_line_with_control_characters(void **state)
{
    (void)state;
    int pair[2];
    char line[2048];
    open_pair(pair);
    struct log log = {pair[0], LOG_DEBUG};
    log_line(&log, LOG_INFO, "web", "%s", "a\nb\rc\x1b[2J\x7f\t\xc3\xa9");
    ssize_t len = recv(pair[1], line, sizeof line - 1, 0);
    assert_true(len > 0);
    line[len] = 0;
    assert_string_equal(line + 24, " info web: a?b?c?[2J??\xc3\xa9\n");
    close_pair(pair);
}

static void long_lines_are_clipped_and_still_end(void **state)
{
    (void)state;
    int pair[2];
    char line[4096];
    open_pair(pair);
    struct log log = {pair[0], LOG_DEBUG};
    log_line(&log, LOG_INFO, "web", "%3000d", 7);
    ssize_t len = recv(pair[1], line, sizeof line, 0);
    assert_int_equal(len, 1023);
    assert_int_equal(line[len - 1], '\n');
    assert_null(memchr(line, 0, (size_t)len));
    char area[2000];
    memset(area, 'a', sizeof area);
    area[sizeof area - 1] = 0;
    log_line(&log, LOG_INFO, area, "text");
    len = recv(pair[1], line, sizeof line, 0);
    assert_true(len > 0 && len <= 1023);
    assert_memory_equal(line + len - 7, ": text\n", 7);
    close_pair(pair);
}

static void a_log_that_cannot_be_written_stops_nobody(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct log log = {full, LOG_DEBUG}, closed = {-1, LOG_DEBUG};
    log_line(&log, LOG_ERROR, "x", "no room");
    log_line(&closed, LOG_ERROR, "x", "no file");
    close(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_time_level_area_and_text_in_one_write),
        cmocka_unit_test(what_is_below_the_least_level_is_dropped),
        cmocka_unit_test(nobody_can_forge_a_line_with_control_characters),
        cmocka_unit_test(long_lines_are_clipped_and_still_end),
        cmocka_unit_test(a_log_that_cannot_be_written_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

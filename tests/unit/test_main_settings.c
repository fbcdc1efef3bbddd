#include "main/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings settings;
static struct failure failure;

/* Reads the words up to a NULL as flags. */
static int read_flags(const char *const *words)
{
    int count = 0;
    while (words[count])
        count++;
    failure = (struct failure){0};
    return settings_read(&settings, count, (char **)(uintptr_t)words, &failure);
}

static char *write_file(const char *text)
{
    static char path[64];
    strcpy(path, "/tmp/stoa-settings-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return path;
}

static void without_any_flag_a_shop_can_be_served(void **state)
{
    (void)state;
    assert_int_equal(read_flags((const char *const[]){NULL}), 0);
    assert_int_equal(settings.listen.count, 1);
    assert_string_equal(settings.listen.items[0], "127.0.0.1:8080");
    assert_string_equal(settings.dir, "data");
    assert_string_equal(settings.media, "data/media");
    assert_string_equal(settings.engine, "event");
}

static void an_election_needs_some_heartbeats(void **state)
{
    (void)state;
    const char *const words[] = {"--election-timeout", "100ms", "--heartbeat", "30ms", NULL};
    assert_int_equal(read_flags(words), ERR_INVALID);
    assert_non_null(strstr(failure.text, "at least four heartbeats"));
    const char *const more[] = {"--election-timeout", "100ms", "--heartbeat", "25ms",
                                "--voters",           "5",     NULL};
    assert_int_equal(read_flags(more), 0);
    assert_string_equal(settings.voters, "5");
}

static void what_an_engine_would_pass_over_is_refused(void **state)
{
    (void)state;
    const char *const pool[] = {"--engine", "pool", "--admission", "100ms", NULL};
    assert_int_equal(read_flags(pool), ERR_INVALID);
    assert_non_null(strstr(failure.text, "event and seda, and pool lets everybody in"));
    const char *const seda[] = {"--engine", "seda", "--admission", "100ms", NULL};
    assert_int_equal(read_flags(seda), 0);
    const char *const fork[] = {"--engine", "fork", "--shared", NULL};
    assert_int_equal(read_flags(fork), ERR_INVALID);
    assert_non_null(strstr(failure.text, "do not go together"));
}

static void flags_win_over_the_file_and_the_file_over_defaults(void **state)
{
    (void)state;
    char *file = write_file("dir = filed\nhelpers = 7\nlisten = {\"a:1\", \"b:2\"}\n");
    const char *const words[] = {"--helpers", "9", "--config", file, NULL};
    assert_int_equal(read_flags(words), 0);
    assert_string_equal(settings.dir, "filed");
    assert_int_equal(settings.helpers, 9);
    assert_int_equal(settings.listen.count, 2);
    assert_string_equal(settings.config, file);
    const char *const more[] = {"--config", file, "--listen", "c:3", NULL};
    assert_int_equal(read_flags(more), 0);
    assert_int_equal(settings.listen.count, 1); /* in place of the file's */
    assert_string_equal(settings.listen.items[0], "c:3");
    assert_int_equal(settings.helpers, 7);
    unlink(file);
}

static void every_list_of_flags_takes_the_place_of_the_files(void **state)
{
    (void)state;
    char *file = write_file("listen-tls = {\"a:1\", \"b:2\"}\ntrust = {\"10.0.0.0/8\", \"::1\"}\n");
    const char *const words[] = {"--config", file, NULL};
    assert_int_equal(read_flags(words), 0);
    assert_int_equal(settings.trust.count, 2);
    const char *const more[] = {"--config",     file,           "--trust", "192.0.2.1", "--trust",
                                "198.51.100.1", "--listen-tls", "c:3",     NULL};
    assert_int_equal(read_flags(more), 0);
    assert_int_equal(settings.trust.count, 2);
    assert_string_equal(settings.trust.items[0], "192.0.2.1");
    assert_string_equal(settings.trust.items[1], "198.51.100.1");
    assert_int_equal(settings.listen_tls.count, 1);
    unlink(file);
}

static void who_is_trusted_is_judged_at_once_and_told_with_its_place(void **state)
{
    (void)state;
    const char *const words[] = {"--trust", "foo", NULL};
    assert_int_equal(read_flags(words), ERR_INVALID);
    assert_string_equal(failure.text, "trust \"foo\" is not a network (use 10.0.0.0/8, "
                                      "2001:db8::/32, or an address)");
    char *file = write_file("dir = x\ntrust = 10.0.0.0/40\n"), place[100];
    const char *const filed[] = {"--config", file, NULL};
    assert_int_equal(read_flags(filed), ERR_INVALID);
    snprintf(place, sizeof place, "%s:2: trust \"10.0.0.0/40\": the number", file);
    assert_memory_equal(failure.text, place, strlen(place));
    unlink(file);
    const char *many[2 * 17 + 1] = {NULL};
    for (unsigned i = 0; i < 17; i++) {
        many[2 * i] = "--trust";
        many[2 * i + 1] = "::1";
    }
    assert_int_equal(read_flags(many), ERR_INVALID);
    assert_string_equal(failure.text, "trust is given more than 16 times");
    many[2 * 16] = NULL;
    assert_int_equal(read_flags(many), 0);
}

static void a_bad_file_is_told_with_its_line(void **state)
{
    (void)state;
    char *file = write_file("dir = x\nhelpers = 0\n"), place[80];
    const char *const words[] = {"--config", file, NULL};
    assert_int_equal(read_flags(words), ERR_INVALID);
    snprintf(place, sizeof place, "%s:2: helpers is 0", file);
    assert_memory_equal(failure.text, place, strlen(place));
    unlink(file);
}

static void what_makes_no_sense_together_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words[5];
        const char *text;
    } bad[] = {
        {{"--certificate", "x"}, "certificate and key must be given together"},
        {{"--key", "x"}, "certificate and key must be given together"},
        {{"--listen="}, "there is no address to serve at: give listen or listen-tls"},
        {{"--dir="}, "dir is empty: give the shop's data directory"},
        {{"--url", "shop.example"},
         "url is \"shop.example\", but must begin with http:// or https://"},
        {{"operand"}, "\"operand\" is one argument too many"},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_flags(bad[i].words), ERR_INVALID);
        assert_string_equal(failure.text, bad[i].text);
    }
}

static void https_alone_and_a_whole_address_are_fine(void **state)
{
    (void)state;
    const char *const words[] = {"--listen=", "--listen-tls",         "[::1]:8443",
                                 "--url",     "https://shop.example", NULL};
    assert_int_equal(read_flags(words), 0);
    assert_int_equal(settings.listen.count, 0);
    assert_int_equal(settings.listen_tls.count, 1);
}

static void a_path_too_long_for_its_media_is_refused(void **state)
{
    (void)state;
    char dir[OPTION_TEXT_SIZE];
    memset(dir, 'd', sizeof dir - 1);
    dir[sizeof dir - 1] = 0;
    const char *const words[] = {"--dir", dir, NULL};
    assert_int_equal(read_flags(words), ERR_INVALID);
    assert_string_equal(failure.text, "dir is too long a path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_flag_a_shop_can_be_served),
        cmocka_unit_test(an_election_needs_some_heartbeats),
        cmocka_unit_test(what_an_engine_would_pass_over_is_refused),
        cmocka_unit_test(flags_win_over_the_file_and_the_file_over_defaults),
        cmocka_unit_test(every_list_of_flags_takes_the_place_of_the_files),
        cmocka_unit_test(who_is_trusted_is_judged_at_once_and_told_with_its_place),
        cmocka_unit_test(a_bad_file_is_told_with_its_line),
        cmocka_unit_test(what_makes_no_sense_together_is_refused),
        cmocka_unit_test(https_alone_and_a_whole_address_are_fine),
        cmocka_unit_test(a_path_too_long_for_its_media_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

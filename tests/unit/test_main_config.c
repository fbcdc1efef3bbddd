#include "main/config.h"
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

struct loaded {
    struct settings settings;
    struct failure failure;
    int err;
    char file[64];
};

static struct loaded *load(const char *text)
{
    struct loaded *l = calloc(1, sizeof *l);
    strcpy(l->file, "/tmp/stoa-config-XXXXXX");
    int fd = mkstemp(l->file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    option_defaults(&settings_table, &l->settings);
    l->err = config_load(l->file, &settings_table, &l->settings, &l->failure);
    unlink(l->file);
    return l;
}

/* TEXT is refused with "FILE:LINE: " and something that contains WHY. */
static void assert_refused(const char *text, int line, const char *why)
{
    struct loaded *l = load(text);
    char place[80];
    snprintf(place, sizeof place, "%s:%d: ", l->file, line);
    assert_int_equal(l->err, ERR_INVALID);
    if (strncmp(l->failure.text, place, strlen(place)) != 0 || !strstr(l->failure.text, why))
        fail_msg("got \"%s\", not %s%s", l->failure.text, place, why);
    free(l);
}

static void settings_are_read_with_quotes_lists_and_comments(void **state)
{
    (void)state;
    struct loaded *l = load("# a shop\n"
                            "listen = {\"127.0.0.1:1\", '[::1]:2'} # two\n"
                            "dir = \"/srv/a shop\" // spaces\n"
                            "/* more */\n"
                            "helper_queue = 2k\n"
                            "cache = 16M\n"
                            "idle_timeout = 5m\n");
    assert_string_equal(l->failure.text, "");
    assert_int_equal(l->err, 0);
    assert_int_equal(l->settings.listen.count, 2);
    assert_string_equal(l->settings.listen.items[0], "127.0.0.1:1");
    assert_string_equal(l->settings.listen.items[1], "[::1]:2");
    assert_string_equal(l->settings.dir, "/srv/a shop");
    assert_int_equal(l->settings.helper_queue, 2000);
    assert_int_equal(l->settings.cache_bytes, 16 << 20);
    assert_int_equal(l->settings.limits.idle_ms, 300000);
    free(l);
}

static void a_name_is_the_flags_or_has_underscores(void **state)
{
    (void)state;
    struct loaded *l = load("helper-queue = 2k\nidle_timeout = 5m\nlog-level = warn\n");
    assert_int_equal(l->err, 0);
    assert_int_equal(l->settings.helper_queue, 2000);
    assert_int_equal(l->settings.limits.idle_ms, 300000);
    assert_string_equal(l->settings.log_level, "warn");
    free(l);
    assert_refused("dir = x\nlog-level = loud\n", 2, "must be one of: debug info warn error");
}

static void an_empty_file_changes_nothing(void **state)
{
    (void)state;
    struct loaded *l = load("\n# nothing\n");
    assert_int_equal(l->err, 0);
    assert_string_equal(l->settings.dir, "data");
    assert_int_equal(l->settings.listen.count, 1);
    free(l);
}

static void bad_and_unknown_settings_are_refused_with_file_and_line(void **state)
{
    (void)state;
    assert_refused("dir = x\nhelpers = many\n", 2, "helpers is \"many\", but must be a number");
    assert_refused("helpers = 0\n", 1, "helpers is 0, but must be from 1 to 256");
    assert_refused("\n\nhelpers = -1\n", 3, "helpers is \"-1\"");
    assert_refused("log_level = loud\n", 1, "must be one of: debug info warn error");
    assert_refused("cache = 1\n", 1, "must be from 64K to");
    assert_refused("colour = red\n", 1, "no such option");
    assert_refused("dir = a\nserver x {\n  port = 1\n}\n", 2, "no such option");
    assert_refused("include(\"/etc/passwd\")\n", 1, "no such option");
    assert_refused("config = other\n", 1, "no such option");
    assert_refused("dir\n", 2, "");
    assert_refused("listen = {a, b\n", 2, "premature end");
}

static void the_first_mistake_is_the_one_told(void **state)
{
    (void)state;
    assert_refused("helpers = many\ncolour = red\n", 1, "helpers");
}

static void what_is_no_file_is_told(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct settings *s = calloc(1, sizeof *s);
    assert_int_equal(config_load("/nonexistent/stoa.conf", &settings_table, s, &failure),
                     ERR_NOTFOUND);
    assert_string_equal(failure.text, "/nonexistent/stoa.conf: cannot read the configuration: "
                                      "No such file or directory");
    assert_int_equal(config_load("/tmp", &settings_table, s, &failure), ERR_INVALID);
    assert_string_equal(failure.text, "/tmp: is a directory, not a configuration file");
    assert_int_equal(config_load("/nonexistent", &settings_table, s, NULL), ERR_NOTFOUND);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_read_with_quotes_lists_and_comments),
        cmocka_unit_test(a_name_is_the_flags_or_has_underscores),
        cmocka_unit_test(an_empty_file_changes_nothing),
        cmocka_unit_test(bad_and_unknown_settings_are_refused_with_file_and_line),
        cmocka_unit_test(the_first_mistake_is_the_one_told),
        cmocka_unit_test(what_is_no_file_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

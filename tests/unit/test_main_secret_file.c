/* The first line of a file as a secret: what is taken, and what a person is told otherwise. */
#include "folder_fixture.h"
#include "main/file.h"
#include "main/secret_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct place {
    char dir[FOLDER_PATH], file[FILE_PATH], out[SECRET_FILE_SIZE];
    struct failure failure;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    folder_make(place->dir);
    assert_int_equal(file_join(place->file, place->dir, "token", NULL), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    folder_remove(place->dir);
    free(place);
    return 0;
}

static int read_size(struct place *place, struct str content, size_t size)
{
    assert_int_equal(file_write(place->file, content, NULL), 0);
    return secret_file_read("--token-file", place->file, place->out, size, &place->failure);
}

static int read_content(struct place *place, struct str content)
{
    return read_size(place, content, sizeof place->out);
}

static void assert_told(const struct place *place, const char *what)
{
    assert_non_null(strstr(place->failure.text, "--token-file: "));
    assert_non_null(strstr(place->failure.text, place->file));
    if (!strstr(place->failure.text, what))
        fail_msg("\"%s\" is not in \"%s\"", what, place->failure.text);
}

static void first_line_is_the_secret(void **state)
{
    struct place *place = *state;
    static const char *const contents[] = {"sk_test_1", "sk_test_1\n", "  sk_test_1 \t\r\n",
                                           "sk_test_1\nwhat follows does not matter\n"};
    for (unsigned i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        assert_int_equal(read_content(place, str_of(contents[i])), 0);
        assert_string_equal(place->out, "sk_test_1");
    }
    assert_int_equal(read_content(place, STR("two words, and \xc3\xa4\n")), 0);
    assert_string_equal(place->out, "two words, and \xc3\xa4");
}

static void longest_one_fits_and_a_longer_one_is_refused(void **state)
{
    struct place *place = *state;
    char content[4096];
    memset(content, 'x', sizeof content);
    assert_int_equal(read_content(place, str_make(content, SECRET_FILE_SIZE - 1)), 0);
    assert_int_equal(strlen(place->out), SECRET_FILE_SIZE - 1);
    assert_int_equal(read_content(place, str_make(content, SECRET_FILE_SIZE)), ERR_INVALID);
    assert_told(place, "longer than 256 characters");
    assert_string_equal(place->out, "");
    assert_int_equal(read_content(place, str_make(content, sizeof content)), ERR_INVALID);
    assert_told(place, "longer than 256 characters");
    assert_int_equal(read_size(place, STR("12345678\n"), 8), ERR_INVALID);
    assert_told(place, "longer than 7 characters");
}

static void what_is_no_secret_is_refused(void **state)
{
    struct place *place = *state;
    assert_int_equal(read_content(place, STR("")), ERR_INVALID);
    assert_told(place, "is empty");
    assert_int_equal(read_content(place, STR(" \nsecond line\n")), ERR_INVALID);
    assert_told(place, "is empty");
    assert_int_equal(read_content(place, STR("a\0b\n")), ERR_INVALID);
    assert_told(place, "is no text");
    assert_string_equal(place->out, "");
}

static void file_that_cannot_be_read_is_named(void **state)
{
    struct place *place = *state;
    struct failure *failure = &place->failure;
    assert_int_equal(
        secret_file_read("--token-file", place->file, place->out, sizeof place->out, failure),
        ERR_NOTFOUND);
    assert_told(place, "there is no file");
    assert_int_equal(
        secret_file_read("--token-file", place->dir, place->out, sizeof place->out, failure),
        ERR_IO);
    assert_non_null(strstr(failure->text, "Is a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_line_is_the_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(longest_one_fits_and_a_longer_one_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_secret_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_that_cannot_be_read_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

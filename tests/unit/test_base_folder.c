/* Files by their names: durable, whole or not at all. */
#include "base/folder.h"
#include "folder_fixture.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[FOLDER_PATH], file[FOLDER_PATH + 8], aside[FOLDER_PATH + 16];
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    folder_make(place->dir);
    snprintf(place->file, sizeof place->file, "%s/file", place->dir);
    snprintf(place->aside, sizeof place->aside, "%s.new", place->file);
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

static void has(const struct place *place, const char *text)
{
    char bytes[100];
    FILE *file = fopen(place->file, "r");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
    fclose(file);
    assert_int_equal(access(place->aside, F_OK), -1);
}

static void a_file_is_replaced_and_its_owner_s_alone(void **state)
{
    struct place *place = *state;
    struct stat about;
    assert_int_equal(folder_put(place->file, STR("the first one")), 0);
    has(place, "the first one");
    assert_int_equal(folder_put(place->file, STR("another")), 0);
    has(place, "another");
    assert_int_equal(stat(place->file, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void what_cannot_be_written_whole_leaves_all_as_it_was(void **state)
{
    struct place *place = *state;
    static char large[8192];
    struct rlimit usual, small;
    assert_int_equal(folder_put(place->file, STR("before")), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    small = (struct rlimit){.rlim_cur = 4096, .rlim_max = usual.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = folder_put(place->file, str_make(large, sizeof large)), reason = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(result, -1);
    assert_int_equal(reason, EFBIG);
    has(place, "before");
}

static void the_folder_of_any_name_is_found(void **state)
{
    struct place *place = *state;
    char name[PATH_MAX + 16];
    assert_int_equal(folder_sync_of(place->file), 0); /* also of a file that is not there */
    assert_int_equal(folder_sync_of("here"), 0);
    assert_int_equal(folder_sync_of("/at-the-top"), 0);
    snprintf(name, sizeof name, "%s/missing/file", place->dir);
    assert_int_equal(folder_sync_of(name), -1);
    assert_int_equal(errno, ENOENT);
    memset(name, 'x', sizeof name);
    memcpy(name + sizeof name - 8, "/file", 6);
    assert_int_equal(folder_sync_of(name), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(folder_put(name, STR("text")), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_replaced_and_its_owner_s_alone),
        TEST(what_cannot_be_written_whole_leaves_all_as_it_was),
        TEST(the_folder_of_any_name_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

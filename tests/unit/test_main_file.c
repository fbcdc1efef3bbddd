/* Whole folders are removed, and nothing else. */
#include "folder_fixture.h"
#include "main/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[FOLDER_PATH];
};

/* NAME in the folder. */
static const char *in(const struct place *place, const char *name)
{
    static char path[FILE_PATH];
    assert_int_equal(file_join(path, place->dir, name, NULL), 0);
    return path;
}

static bool is_there(const struct place *place, const char *name)
{
    return access(in(place, name), F_OK) == 0;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    folder_make(place->dir);
    static const char *const folders[] = {"tree", "tree/deep", "tree/deep/empty", "beside"};
    static const char *const files[] = {"tree/a", "tree/deep/b", "beside/kept"};
    for (unsigned i = 0; i < sizeof folders / sizeof folders[0]; i++)
        assert_int_equal(mkdir(in(place, folders[i]), 0700), 0);
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_int_equal(file_write(in(place, files[i]), STR("text"), NULL), 0);
    assert_int_equal(symlink("../beside", in(place, "tree/link")), 0);
    assert_int_equal(symlink("nowhere", in(place, "tree/deep/lost")), 0);
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

static void a_tree_goes_and_what_its_links_lead_to_stays(void **state)
{
    const struct place *place = *state;
    assert_int_equal(file_remove_tree(in(place, "tree"), NULL), 0);
    assert_false(is_there(place, "tree"));
    assert_true(is_there(place, "beside/kept"));
}

static void content_goes_and_the_folder_stays(void **state)
{
    const struct place *place = *state;
    assert_int_equal(file_remove_content(in(place, "tree"), NULL), 0);
    assert_true(is_there(place, "tree"));
    assert_int_equal(rmdir(in(place, "tree")), 0); /* it is empty */
    assert_true(is_there(place, "beside/kept"));
}

static void what_is_not_there_is_gone_already(void **state)
{
    const struct place *place = *state;
    assert_int_equal(file_remove_tree(in(place, "none"), NULL), 0);
    assert_int_equal(file_remove_content(in(place, "none"), NULL), 0);
    assert_int_equal(file_remove_tree(in(place, "beside/kept"), NULL), 0); /* a file */
    assert_false(is_there(place, "beside/kept"));
}

#define FILES(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES(a_tree_goes_and_what_its_links_lead_to_stays),
        FILES(content_goes_and_the_folder_stays),
        FILES(what_is_not_there_is_gone_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

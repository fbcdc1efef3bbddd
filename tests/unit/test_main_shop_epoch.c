/* The shop's epoch, as restore and recover raise it in the file. */
#include "base/err.h"
#include "main/shop_epoch.h"
#include "outside/identity.h"
#include "shop/shop.h"
#include "store/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW_S = 1795361400 };

struct scene {
    char dir[64], file[80];
};

/* A new shop's file, with what SQL puts into it. */
static void open_scene(struct scene *scene, const char *sql)
{
    struct shop *shop;
    struct db *db;
    struct failure failure = {0};
    strcpy(scene->dir, "/tmp/stoa-epoch-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    snprintf(scene->file, sizeof scene->file, "%s/shop.db", scene->dir);
    assert_int_equal(shop_open(scene->file, NULL, NULL, &shop, &failure), 0);
    shop_close(shop);
    assert_int_equal(db_open(scene->file, DB_WRITER, &db, &failure), 0);
    if (sql != NULL)
        assert_int_equal(db_exec(db, sql), 0);
    db_close(db);
}

static void close_scene(struct scene *scene)
{
    char wal[96], shm[96];
    snprintf(wal, sizeof wal, "%s-wal", scene->file);
    snprintf(shm, sizeof shm, "%s-shm", scene->file);
    unlink(scene->file);
    unlink(wal);
    unlink(shm);
    rmdir(scene->dir);
}

#define ID        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"
#define PUT_ID    "INSERT INTO registry (key, value) VALUES ('shop/id', CAST('" ID "' AS BLOB));"
#define EPOCH(it) "INSERT INTO registry (key, value) VALUES ('shop/epoch', CAST('" it "' AS BLOB))"

static int read_identity(const struct scene *scene, struct id *shop, uint64_t *epoch)
{
    struct reader *reader;
    struct failure failure = {0};
    assert_int_equal(reader_open(scene->file, &reader, &failure), 0);
    int err = identity_read(reader, shop, epoch);
    reader_close(reader);
    return err;
}

static void a_shop_without_an_epoch_gets_the_present_second(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct id shop;
    uint64_t raised = 0, read = 0;
    open_scene(&scene, PUT_ID);
    assert_int_equal(read_identity(&scene, &shop, &read), ERR_NOTFOUND); /* not whole yet */
    assert_int_equal(shop_epoch_raise(scene.file, NOW_S * 1000ll + 999, &raised, &failure), 0);
    assert_int_equal(raised, NOW_S);
    assert_int_equal(read_identity(&scene, &shop, &read), 0);
    assert_int_equal(read, NOW_S);
    close_scene(&scene);
}

static void two_within_a_second_differ_and_a_clock_that_was_set_back_does_no_harm(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    uint64_t raised = 0;
    open_scene(&scene, PUT_ID EPOCH("7"));
    assert_int_equal(shop_epoch_raise(scene.file, NOW_S * 1000ll, &raised, &failure), 0);
    assert_int_equal(raised, NOW_S);
    assert_int_equal(shop_epoch_raise(scene.file, NOW_S * 1000ll, &raised, &failure), 0);
    assert_int_equal(raised, NOW_S + 1);
    assert_int_equal(shop_epoch_raise(scene.file, 5000, &raised, &failure), 0);
    assert_int_equal(raised, NOW_S + 2);
    close_scene(&scene);
}

static void an_epoch_that_is_no_number_is_refused_with_a_sentence(void **state)
{
    (void)state;
    struct scene scene;
    struct failure failure = {0};
    struct id shop;
    uint64_t epoch;
    open_scene(&scene, PUT_ID EPOCH("seven"));
    assert_int_equal(shop_epoch_raise(scene.file, NOW_S * 1000ll, NULL, &failure), ERR_DAMAGED);
    assert_non_null(strstr(failure.text, "shop/epoch"));
    assert_int_equal(read_identity(&scene, &shop, &epoch), ERR_DAMAGED);
    close_scene(&scene);
}

static void a_shop_that_nobody_has_opened_has_no_identity(void **state)
{
    (void)state;
    struct scene scene;
    struct id shop;
    uint64_t epoch;
    open_scene(&scene, NULL);
    assert_int_equal(read_identity(&scene, &shop, &epoch), ERR_NOTFOUND);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shop_without_an_epoch_gets_the_present_second),
        cmocka_unit_test(two_within_a_second_differ_and_a_clock_that_was_set_back_does_no_harm),
        cmocka_unit_test(an_epoch_that_is_no_number_is_refused_with_a_sentence),
        cmocka_unit_test(a_shop_that_nobody_has_opened_has_no_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

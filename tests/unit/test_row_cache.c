#include "shop/row_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PLACES = 256, ROOM = 32, IDS = 128 };

static struct id numbered(unsigned number)
{
    struct id id = {{0}};
    id.bytes[5] = (unsigned char)number; /* as ids of one moment: the rest is the same */
    return id;
}

static void what_was_put_last_is_found(void **state)
{
    (void)state;
    struct row_cache cache;
    struct id id = numbered(1);
    row_cache_init(&cache, PLACES, ROOM);
    assert_null(row_cache_find(&cache, id).at);
    row_cache_put(&cache, id, STR("one"));
    row_cache_put(&cache, id, STR("two"));
    assert_true(str_eq(row_cache_find(&cache, id), STR("two")));
    assert_null(row_cache_find(&cache, numbered(2)).at);
    row_cache_clear(&cache);
    assert_null(row_cache_find(&cache, id).at);
}

static void a_record_that_has_grown_too_long_is_no_longer_found(void **state)
{
    (void)state;
    struct row_cache cache;
    row_cache_init(&cache, PLACES, ROOM);
    row_cache_put(&cache, numbered(1), STR("short"));
    row_cache_put(&cache, numbered(1), STR("a record that has more than 32 bytes"));
    assert_null(row_cache_find(&cache, numbered(1)).at);
    row_cache_clear(&cache);
}

static void ids_that_differ_little_have_places_of_their_own(void **state)
{
    (void)state;
    struct row_cache cache;
    unsigned found = 0;
    row_cache_init(&cache, PLACES, ROOM);
    for (unsigned i = 0; i < IDS; i++)
        row_cache_put(&cache, numbered(i), STR("x"));
    for (unsigned i = 0; i < IDS; i++)
        found += row_cache_find(&cache, numbered(i)).len > 0;
    assert_in_range(found, IDS / 2, IDS);
    row_cache_clear(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_last_is_found),
        cmocka_unit_test(a_record_that_has_grown_too_long_is_no_longer_found),
        cmocka_unit_test(ids_that_differ_little_have_places_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

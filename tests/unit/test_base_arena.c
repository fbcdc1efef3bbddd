#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void everything_is_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena;
    unsigned char *blocks[400];
    arena_init(&arena, 1 << 20);
    for (unsigned i = 0; i < 400; i++) {
        blocks[i] = arena_alloc(&arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i & 0xff), i);
    }
    for (unsigned i = 0; i < 400; i++)
        for (unsigned b = 0; b < i; b++)
            assert_int_equal(blocks[i][b], i & 0xff);
    assert_ptr_not_equal(blocks[0], blocks[1]);
    arena_close(&arena);
}

static void no_bytes_are_an_address_also_in_a_fresh_arena(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    assert_non_null(arena_alloc(&arena, 0));
    assert_non_null(ARENA_ARRAY(&arena, uint64_t, 0));
    arena_close(&arena);
}

static void the_bound_holds_and_what_fits_is_still_given(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 100);
    assert_null(arena_alloc(&arena, 101));
    assert_non_null(arena_alloc(&arena, 64));
    assert_null(arena_alloc(&arena, 64));
    assert_non_null(arena_alloc(&arena, 32));
    assert_null(arena_alloc(&arena, 16));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 96));
    arena_close(&arena);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(arena_zeros(&arena, SIZE_MAX / 8 + 2, 8)); /* the product would be 8 */
    assert_null(ARENA_ARRAY(&arena, uint64_t, SIZE_MAX / 2 + 1));
    assert_null(arena_str(&arena, str_make("x", SIZE_MAX)).at);
    arena_close(&arena);
}

static void reset_forgets_but_keeps_the_first_block(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    void *first = arena_alloc(&arena, 8);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&arena, 4000));
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(arena_alloc(&arena, 8), first);
    arena_close(&arena);
    arena_reset(&arena);                     /* harmless when there is none */
    assert_non_null(arena_alloc(&arena, 8)); /* and it may be used again */
    arena_close(&arena);
}

static void zeroed_memory_is_zero_after_use(void **state)
{
    (void)state;
    struct arena arena;
    static const char zero[256];
    arena_init(&arena, 4096);
    memset(arena_alloc(&arena, 256), 'x', 256);
    arena_reset(&arena);
    assert_memory_equal(arena_zero(&arena, 256), zero, 256);
    arena_close(&arena);
}

static void a_text_that_does_not_fit_the_rest_of_a_block_comes_whole(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    for (int i = 0; i < 400; i++) { /* each ends somewhere else, also at a block's end */
        struct str text = arena_printf(&arena, "%0*d", 60 + i % 7, i);
        assert_int_equal(text.len, 60 + i % 7);
        assert_int_equal(atoi(text.at), i);
        assert_int_equal(text.at[text.len], 0);
    }
    arena_close(&arena);
}

static void joined_texts_stand_one_behind_the_other(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    struct str text = ARENA_JOIN(&arena, STR("http://a"), STR_NONE, STR("/"), STR("x\0y"));
    assert_int_equal(text.len, 12);
    assert_memory_equal(text.at, "http://a/x\0y", 13);
    assert_null(ARENA_JOIN(&arena, text, text, text, text).at);
    assert_null(ARENA_JOIN(&arena, str_make(text.at, SIZE_MAX), text).at);
    arena_close(&arena);
}

static void texts_are_copied_with_a_zero_behind(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    struct str copy = arena_str(&arena, STR("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.at, "a\0b", 4);
    struct str text = arena_printf(&arena, "%s-%d", "x", 42);
    assert_true(str_eq(text, STR("x-42")));
    assert_int_equal(text.at[text.len], 0);
    assert_non_null(arena_str(&arena, STR_NONE).at);
    assert_null(arena_printf(&arena, "%100d", 1).at);
    assert_null(arena_str(&arena, str_make(text.at, 64)).at);
    arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_aligned_and_apart),
        cmocka_unit_test(no_bytes_are_an_address_also_in_a_fresh_arena),
        cmocka_unit_test(the_bound_holds_and_what_fits_is_still_given),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(reset_forgets_but_keeps_the_first_block),
        cmocka_unit_test(zeroed_memory_is_zero_after_use),
        cmocka_unit_test(a_text_that_does_not_fit_the_rest_of_a_block_comes_whole),
        cmocka_unit_test(joined_texts_stand_one_behind_the_other),
        cmocka_unit_test(texts_are_copied_with_a_zero_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

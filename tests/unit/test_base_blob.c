#include "base/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_copy_has_its_bytes_and_a_zero_behind(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(STR("a\0b"));
    assert_int_equal(blob->len, 3);
    assert_memory_equal(blob->bytes, "a\0b", 4);
    blob_drop(blob);
    blob = blob_copy(STR_NONE);
    assert_int_equal(blob->len, 0);
    assert_int_equal(blob->bytes[0], 0);
    blob_drop(blob);
    blob_drop(NULL);
}

static void more_than_memory_can_hold_is_refused(void **state)
{
    (void)state;
    assert_null(blob_new(SIZE_MAX));
    assert_null(blob_new(SIZE_MAX - sizeof(struct blob)));
}

enum { TURNS = 20000, THREADS = 4 };

static void *hold_and_drop(void *shared)
{
    for (int i = 0; i < TURNS; i++) {
        struct blob *held = blob_hold(shared);
        if (held->bytes[0] != 'x')
            return NULL;
        blob_drop(held);
    }
    return shared;
}

static void references_of_many_threads_are_counted(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(STR("x"));
    pthread_t threads[THREADS];
    assert_ptr_equal(blob_hold(blob), blob);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, blob), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, blob);
    }
    assert_int_equal(atomic_load(&blob->references), 2);
    blob_drop(blob);
    assert_int_equal(blob->bytes[0], 'x'); /* still there for who holds it */
    blob_drop(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_its_bytes_and_a_zero_behind),
        cmocka_unit_test(more_than_memory_can_hold_is_refused),
        cmocka_unit_test(references_of_many_threads_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

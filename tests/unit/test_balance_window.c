/* Windows: what slow clients may hold of a load manager's memory. */
#include "balance/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct taken {
    char *window;
    size_t bytes;
};

static void take(struct windows *windows, struct taken *taken)
{
    taken->window = window_take(windows, windows_read(windows), &taken->bytes);
    assert_non_null(taken->window);
    memset(taken->window, 1, taken->bytes); /* an address sanitizer sees a wrong size */
}

static void many_slow_clients_get_small_ones(void **state)
{
    (void)state;
    enum { CLIENTS = WINDOWS_LARGE + 100 };
    static struct taken taken[CLIENTS];
    struct windows windows = {.spare_count = 0};
    for (unsigned i = 0; i < CLIENTS; i++) {
        take(&windows, &taken[i]);
        assert_int_equal(taken[i].bytes, i < WINDOWS_LARGE ? WINDOW_BYTES : WINDOW_SMALL);
    }
    assert_int_equal(windows_read(&windows), WINDOW_SMALL_READ);
    for (unsigned i = 0; i < CLIENTS; i++)
        window_give(&windows, taken[i].window, taken[i].bytes);
    assert_int_equal(windows.large, 0);
    assert_int_equal(windows.spare_count, WINDOWS_SPARE);
    assert_int_equal(windows_read(&windows), UPSTREAM_READ);
    windows_close(&windows);
    assert_int_equal(windows.spare_count, 0);
}

/* Who was told to read much while there was room gets room for it, though there is none now. */
static void what_is_read_already_fits(void **state)
{
    (void)state;
    static struct taken taken[WINDOWS_LARGE];
    struct windows windows = {.spare_count = 0};
    struct taken late;
    for (unsigned i = 0; i < WINDOWS_LARGE; i++)
        take(&windows, &taken[i]);
    late.window = window_take(&windows, UPSTREAM_READ, &late.bytes);
    assert_non_null(late.window);
    assert_int_equal(late.bytes, WINDOW_BYTES);
    window_give(&windows, late.window, late.bytes);
    for (unsigned i = 0; i < WINDOWS_LARGE; i++)
        window_give(&windows, taken[i].window, taken[i].bytes);
    windows_close(&windows);
}

static void a_spare_one_is_used_again(void **state)
{
    (void)state;
    struct windows windows = {.spare_count = 0};
    struct taken first, second;
    take(&windows, &first);
    window_give(&windows, first.window, first.bytes);
    take(&windows, &second);
    assert_ptr_equal(first.window, second.window);
    assert_int_equal(windows.spare_count, 0);
    window_give(&windows, second.window, second.bytes);
    windows_close(&windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_slow_clients_get_small_ones),
        cmocka_unit_test(what_is_read_already_fits),
        cmocka_unit_test(a_spare_one_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

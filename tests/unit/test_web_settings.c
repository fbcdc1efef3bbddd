/* What a thread keeps of the shop's settings between requests. */
#include "shop_fixture.h"
#include "web/cache.h"
#include "web/call.h"

struct desk {
    struct fixture *shop;
    struct web web;
    struct web_thread thread;
    struct exchange x;
};

static int set_up(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    struct failure failure = {0};
    void *shop;
    fixture_open(&shop);
    desk->shop = shop;
    desk->web.settings.cache = cache_new(1 << 20);
    desk->thread.web = &desk->web;
    arena_init(&desk->thread.settings_memory, SETTINGS_MEMORY);
    assert_int_equal(reader_open(desk->shop->file, &desk->thread.reader, &failure), 0);
    desk->x.thread_state = &desk->thread;
    arena_init(&desk->x.arena, 1 << 20);
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    void *shop = desk->shop;
    arena_close(&desk->x.arena);
    arena_close(&desk->thread.settings_memory);
    reader_close(desk->thread.reader);
    cache_free(desk->web.settings.cache);
    fixture_close(&shop);
    free(desk);
    return 0;
}

/* As a commit does: first the database, then who is told. */
static void rename_shop(struct desk *desk, const char *name)
{
    struct command command = {.type = COMMAND_SETTINGS_PUT,
                              .settings = {.name = str_of(name),
                                           .currency = STR("USD"),
                                           .country = STR("US"),
                                           .hold_ms = 60000,
                                           .checkout_ttl_ms = 600000,
                                           .cart_ttl_ms = 600000}};
    assert_int_equal(apply_command(desk->shop, &command), 0);
    cache_changed(desk->web.settings.cache, CHANGE_SETTINGS, 0, STR(""), desk->shop->index);
}

static void expect_name(struct desk *desk, const char *name)
{
    struct shop_settings settings;
    assert_int_equal(call_settings(&desk->x, &settings), 0);
    assert_string_equal(settings.name.at, name);
}

static void a_change_is_seen_by_the_next_request(void **state)
{
    struct desk *desk = *state;
    struct shop_settings before;
    assert_int_equal(call_settings(&desk->x, &before), 0);
    rename_shop(desk, "More flowers");
    expect_name(desk, "More flowers");
    assert_string_equal(before.name.at, "Flowers"); /* who has them keeps them */
    rename_shop(desk, "Most flowers");
    expect_name(desk, "Most flowers");
}

static void the_database_is_read_only_after_a_change(void **state)
{
    struct desk *desk = *state;
    struct reader *reader = desk->thread.reader;
    expect_name(desk, "Flowers");
    desk->thread.reader = NULL;
    expect_name(desk, "Flowers");
    desk->thread.reader = reader;
}

static void what_a_view_from_before_a_change_shows_is_not_kept(void **state)
{
    struct desk *desk = *state;
    uint64_t index;
    assert_int_equal(reader_begin(desk->thread.reader, &index), 0);
    rename_shop(desk, "More flowers");
    expect_name(desk, "Flowers");
    reader_end(desk->thread.reader);
    expect_name(desk, "More flowers");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_seen_by_the_next_request),
        TEST(the_database_is_read_only_after_a_change),
        TEST(what_a_view_from_before_a_change_shows_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

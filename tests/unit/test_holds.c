#include "shop/holds.h"
#include "store_fixture.h"

enum { MANY = 5000 };

struct world {
    struct store store;
    struct holds holds;
    struct item items[3];
};

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    store_open(&world->store);
    for (unsigned i = 0; i < 3; i++)
        world->items[i].variant_id = i + 1;
    holds_init(&world->holds, world->store.db);
    db_begin(world->store.db);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    holds_clear(&world->holds);
    assert_int_equal(db_failure(world->store.db)->err, 0);
    db_commit(world->store.db);
    store_close(&world->store);
    free(world);
    return 0;
}

static struct id numbered(unsigned number)
{
    struct id id = {{1}};
    id.bytes[4] = (unsigned char)(number >> 8);
    id.bytes[5] = (unsigned char)number;
    return id;
}

/* Of three variants: 1, 2 and 3 units. */
static void hold(struct world *world, unsigned checkout)
{
    struct basket_need needs[3];
    for (unsigned i = 0; i < 3; i++)
        needs[i] = (struct basket_need){.item = &world->items[i], .quantity = i + 1};
    assert_int_equal(holds_begin(&world->holds, numbered(checkout), needs, 3), 0);
}

static void end(struct world *world, unsigned checkout)
{
    assert_int_equal(holds_end(&world->holds, numbered(checkout)), 0);
}

static uint64_t number(struct world *world, const char *sql)
{
    struct stmt *stmt = stmt_new(world->store.db, sql);
    uint64_t value = stmt_only_u64(stmt, 0);
    stmt_free(stmt);
    return value;
}

static uint64_t rows(struct world *world)
{
    return number(world, "SELECT count(*) FROM hold");
}

static void what_is_held_is_in_the_table_at_the_end(void **state)
{
    struct world *world = *state;
    hold(world, 1);
    hold(world, 2);
    assert_int_equal(rows(world), 0);
    holds_write_back(&world->holds);
    assert_int_equal(rows(world), 6);
    assert_int_equal(number(world, "SELECT sum(quantity * variant_id) FROM hold"), 2 * (1 + 4 + 9));
    holds_write_back(&world->holds);
    assert_int_equal(rows(world), 6);
}

static void a_hold_that_ends_before_is_never_written(void **state)
{
    struct world *world = *state;
    hold(world, 1);
    hold(world, 2);
    end(world, 1);
    holds_write_back(&world->holds);
    assert_int_equal(rows(world), 3);
    end(world, 2);
    assert_int_equal(rows(world), 0);
}

static void a_checkout_may_be_held_again(void **state)
{
    struct world *world = *state;
    hold(world, 1);
    end(world, 1);
    hold(world, 1);
    holds_write_back(&world->holds);
    assert_int_equal(rows(world), 3);
    end(world, 1); /* of the table */
    hold(world, 1);
    end(world, 1); /* of those that wait */
    end(world, 1);
    holds_write_back(&world->holds);
    assert_int_equal(rows(world), 0);
}

static void more_than_can_wait_are_written_and_can_be_ended(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < MANY; i++)
        hold(world, i);
    assert_in_range(rows(world), 1, 3 * MANY - 1);
    for (unsigned i = 0; i < MANY; i += 2)
        end(world, i);
    holds_write_back(&world->holds);
    assert_int_equal(rows(world), 3 * MANY / 2);
    for (unsigned i = 1; i < MANY; i += 2)
        end(world, i);
    assert_int_equal(rows(world), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_held_is_in_the_table_at_the_end),
        TEST(a_hold_that_ends_before_is_never_written),
        TEST(a_checkout_may_be_held_again),
        TEST(more_than_can_wait_are_written_and_can_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

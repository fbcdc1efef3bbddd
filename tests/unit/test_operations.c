#include "base/random.h"
#include "shop/operations.h"
#include "store_fixture.h"

enum { IDS = 300, HOUR = 1000, MANY = 70000 };

/* What must come out, beside what is asked. */
struct model {
    int64_t time_ms; /* -1: it is new */
    const char *result;
};

struct world {
    struct store store;
    struct operations operations;
    struct buf out;
    struct model models[IDS];
};

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    store_open(&world->store);
    buf_init(&world->out, 1 << 16);
    for (unsigned i = 0; i < IDS; i++)
        world->models[i].time_ms = -1;
    operations_init(&world->operations, world->store.db);
    db_begin(world->store.db);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    operations_clear(&world->operations);
    assert_int_equal(db_failure(world->store.db)->err, 0);
    db_commit(world->store.db);
    store_close(&world->store);
    buf_close(&world->out);
    free(world);
    return 0;
}

static struct id numbered(unsigned number)
{
    struct id id = {{1}};
    for (unsigned i = 0; i < 4; i++)
        id.bytes[4 + i] = (unsigned char)(number >> (24 - 8 * i));
    return id;
}

static enum operation_known find(struct world *world, unsigned number, int64_t oldest_ms)
{
    buf_clear(&world->out);
    return operations_find(&world->operations, numbered(number), oldest_ms, &world->out);
}

static uint64_t rows(struct world *world)
{
    return stmt_only_u64(db_stmt(world->store.db, "SELECT count(*) FROM operation"), 0);
}

static void an_operation_that_was_added_is_known(void **state)
{
    struct world *world = *state;
    struct operations *operations = &world->operations;
    assert_int_equal(find(world, 1, 0), OPERATION_NEW);
    operations_add(operations, numbered(1), 5);
    assert_int_equal(find(world, 1, 4), OPERATION_KNOWN);
    assert_int_equal(world->out.len, 0);
    assert_int_equal(find(world, 1, 5), OPERATION_OLD);
    assert_int_equal(rows(world), 0);
    operations_write_back(operations);
    assert_int_equal(rows(world), 1);
    assert_int_equal(find(world, 1, 4), OPERATION_KNOWN);
    assert_int_equal(find(world, 1, 5), OPERATION_OLD);
}

static void a_result_is_kept_at_once(void **state)
{
    struct world *world = *state;
    struct operations *operations = &world->operations;
    operations_add(operations, numbered(1), 5);
    operations_put(operations, numbered(1), 5, STR("refused"));
    assert_int_equal(find(world, 1, 4), OPERATION_KNOWN);
    assert_true(str_eq(buf_text(&world->out), STR("refused")));
    operations_write_back(operations);
    assert_int_equal(find(world, 1, 4), OPERATION_KNOWN);
    assert_true(str_eq(buf_text(&world->out), STR("refused")));
    assert_int_equal(rows(world), 1);
}

/* Ids of before the start, and one that is not later than those. */
static void what_the_table_has_is_known_after_a_start(void **state)
{
    struct world *world = *state;
    struct operations *operations = &world->operations;
    operations_add(operations, numbered(10), 5);
    operations_add(operations, numbered(20), 5);
    operations_write_back(operations);
    operations_clear(operations);
    assert_int_equal(find(world, 10, 4), OPERATION_KNOWN);
    assert_int_equal(find(world, 20, 4), OPERATION_KNOWN);
    assert_int_equal(find(world, 15, 4), OPERATION_NEW);
    assert_int_equal(find(world, 30, 4), OPERATION_NEW);
    operations_add(operations, numbered(15), 6);
    assert_int_equal(find(world, 15, 4), OPERATION_KNOWN);
    operations_write_back(operations);
    assert_int_equal(rows(world), 3);
}

static void more_than_memory_has_room_for_are_known(void **state)
{
    struct world *world = *state;
    struct operations *operations = &world->operations;
    for (unsigned i = 0; i < MANY; i++)
        operations_add(operations, numbered(i ^ 5), 5); /* nearly in their order */
    for (unsigned i = 0; i < MANY; i += 7)
        assert_int_equal(find(world, i, 4), OPERATION_KNOWN);
    assert_int_equal(find(world, MANY + 100, 4), OPERATION_NEW);
    operations_write_back(operations);
    assert_int_equal(rows(world), MANY);
}

static void expect_answer(struct world *world, unsigned number, int64_t now)
{
    const struct model *model = &world->models[number];
    enum operation_known known = find(world, number, now - HOUR);
    if (model->time_ms < 0) {
        assert_int_equal(known, OPERATION_NEW);
    } else if (model->time_ms <= now - HOUR) {
        assert_int_equal(known, OPERATION_OLD);
    } else {
        assert_int_equal(known, OPERATION_KNOWN);
        assert_true(str_eq(buf_text(&world->out), str_of(model->result)));
    }
}

/* As shop/remember.c does. */
static void happen(struct world *world, unsigned number, int64_t now, bool refused)
{
    struct model *model = &world->models[number];
    if (model->time_ms > now - HOUR && model->time_ms >= 0)
        return;
    if (model->time_ms < 0)
        operations_add(&world->operations, numbered(number), now);
    else
        operations_put(&world->operations, numbered(number), now, STR(""));
    *model = (struct model){now, ""};
    if (!refused)
        return;
    model->result = "refused";
    operations_put(&world->operations, numbered(number), now, STR("refused"));
}

static void sweep(struct world *world, int64_t now)
{
    operations_write_back(&world->operations);
    struct stmt *row = db_stmt(world->store.db, "DELETE FROM operation WHERE time_ms <= ?");
    stmt_bind_i64(row, 1, now - HOUR);
    stmt_run(row);
    operations_forget(&world->operations);
    for (unsigned i = 0; i < IDS; i++)
        if (world->models[i].time_ms <= now - HOUR)
            world->models[i].time_ms = -1;
}

static void any_history_gives_the_answers_of_the_table_alone(void **state)
{
    struct world *world = *state;
    struct random random;
    random_seed(&random, 11);
    for (int64_t now = HOUR; now < 30 * HOUR; now++) {
        unsigned number = (unsigned)random_below(&random, IDS);
        expect_answer(world, number, now);
        happen(world, number, now, random_below(&random, 5) == 0);
        if (random_below(&random, 30) == 0)
            operations_write_back(&world->operations);
        if (random_below(&random, 300) == 0)
            sweep(world, now);
        if (random_below(&random, 1000) == 0) {
            operations_write_back(&world->operations);
            operations_clear(&world->operations);
        }
    }
    for (unsigned i = 0; i < IDS; i++)
        expect_answer(world, i, 30 * HOUR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_operation_that_was_added_is_known),
        TEST(a_result_is_kept_at_once),
        TEST(what_the_table_has_is_known_after_a_start),
        TEST(more_than_memory_has_room_for_are_known),
        TEST(any_history_gives_the_answers_of_the_table_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

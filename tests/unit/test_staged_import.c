#include "shop_fixture.h"

enum { PER_CHUNK = 3 };

static int stage(struct fixture *f, unsigned import, unsigned sequence)
{
    struct buf chunk;
    buf_init(&chunk, 65536);
    for (unsigned i = 0; i < PER_CHUNK; i++) {
        char handle[32];
        snprintf(handle, sizeof handle, "imported-%u-%u", sequence, i);
        add_to_chunk(&chunk, handle, 100);
    }
    struct command command = {
        .type = COMMAND_IMPORT_STAGE,
        .import = {.id = test_id(import), .sequence = sequence, .products = buf_text(&chunk)}};
    int err = apply_command(f, &command);
    buf_close(&chunk);
    return err;
}

static int import_command(struct fixture *f, enum command_type type, unsigned import,
                          uint64_t number)
{
    struct command command = {
        .type = type, .import = {.id = test_id(import), .sequence = number, .limit = number}};
    return apply_command(f, &command);
}

static struct shop_counts counts(struct fixture *f)
{
    struct reader *reader;
    struct shop_counts counts;
    struct failure failure = {0};
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_counts(reader, &counts), 0);
    reader_close(reader);
    return counts;
}

static unsigned imports_due(struct fixture *f)
{
    struct reader *reader;
    struct due due;
    struct failure failure = {0};
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_due(reader, &f->arena, f->now, &due), 0);
    reader_close(reader);
    return due.import_count;
}

static void nothing_is_sold_before_the_import_is_decided(void **state)
{
    struct fixture *f = *state;
    uint64_t before = counts(f).products;
    assert_int_equal(stage(f, 1, 0), 0);
    assert_int_equal(stage(f, 1, 1), 0);
    assert_int_equal(import_command(f, COMMAND_IMPORT_STEP, 1, 10), ERR_STATE);
    assert_int_equal(counts(f).products, before);
    assert_int_equal(imports_due(f), 0);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 2), 0);
    assert_int_equal(imports_due(f), 1);
}

static void steps_move_all_of_it_and_end(void **state)
{
    struct fixture *f = *state;
    uint64_t before = counts(f).products, moved = 0;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(stage(f, 1, 3 - i), 0);
    assert_int_equal(stage(f, 1, 2), 0);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 4), 0);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 4), 0);
    while (import_command(f, COMMAND_IMPORT_STEP, 1, 2) == 0 && f->result.number > 0) {
        assert_true(f->result.number <= 2);
        moved += f->result.number;
    }
    assert_int_equal(moved, 4 * PER_CHUNK);
    assert_int_equal(counts(f).products, before + moved);
    assert_int_equal(imports_due(f), 0);
    expect_clean_audit(f);
}

static void an_import_with_a_chunk_missing_cannot_be_decided(void **state)
{
    struct fixture *f = *state;
    stage(f, 1, 0);
    stage(f, 1, 2);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 3), ERR_STATE);
    expect_text(f->result.text, "2 chunks of 3 are there; stage the others first");
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 2), ERR_STATE);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 2, 1), ERR_NOTFOUND);
    stage(f, 1, 1);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 3), 0);
    assert_int_equal(stage(f, 1, 3), ERR_STATE);
    assert_int_equal(import_command(f, COMMAND_IMPORT_ABORT, 1, 0), ERR_STATE);
}

static void a_bad_product_is_refused_while_it_can_be(void **state)
{
    struct fixture *f = *state;
    struct buf chunk;
    buf_init(&chunk, 65536);
    add_to_chunk(&chunk, "fine", 100);
    add_to_chunk(&chunk, "Not Fine", 100);
    struct command command = {.type = COMMAND_IMPORT_STAGE,
                              .import = {.id = test_id(1), .products = buf_text(&chunk)}};
    assert_int_equal(apply_command(f, &command), ERR_INVALID);
    command.import.products.len -= 3;
    assert_int_equal(apply_command(f, &command), ERR_INVALID);
    command.import.products = STR("");
    assert_int_equal(apply_command(f, &command), ERR_INVALID);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 1), ERR_NOTFOUND);
    buf_close(&chunk);
}

static void a_key_of_another_product_is_refused_while_it_can_be(void **state)
{
    struct fixture *f = *state;
    struct variant variant = {.key = STR("imported-0-1"), .price = 1, .picture = -1};
    struct command other = {.type = COMMAND_PRODUCT_PUT,
                            .product = {.handle = STR("other"),
                                        .title = STR("other"),
                                        .published = true,
                                        .variants = &variant,
                                        .variant_count = 1}};
    assert_int_equal(apply_command(f, &other), 0);
    assert_int_equal(stage(f, 1, 0), ERR_EXISTS);
    expect_text(f->result.text, "product \"imported-0-1\": the key \"imported-0-1\" belongs to "
                                "product \"other\"; choose another key");
}

static void an_aborted_import_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    stage(f, 1, 0);
    stage(f, 1, 1);
    assert_int_equal(import_command(f, COMMAND_IMPORT_ABORT, 1, 0), 0);
    assert_int_equal(import_command(f, COMMAND_IMPORT_ABORT, 1, 0), 0);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 2), ERR_NOTFOUND);
    assert_int_equal(stage(f, 1, 2), ERR_STATE);
    assert_int_equal(expire(f, 1), 1);
    assert_int_equal(expire(f, 100), 2);
    assert_int_equal(expire(f, 100), 0);
}

static void an_undecided_import_is_dropped_after_a_day(void **state)
{
    struct fixture *f = *state;
    stage(f, 1, 0);
    stage(f, 2, 0);
    import_command(f, COMMAND_IMPORT_COMMIT, 2, 1);
    f->now += 24 * 3600 * 1000 - 1000;
    assert_int_equal(expire(f, 100), 0);
    f->now += 1000;
    assert_int_equal(expire(f, 100), 2);
    assert_int_equal(imports_due(f), 1);
}

static void a_key_taken_in_the_meantime_leaves_its_product_out(void **state)
{
    struct fixture *f = *state;
    stage(f, 1, 0);
    import_command(f, COMMAND_IMPORT_COMMIT, 1, 1);
    struct variant variant = {.key = STR("imported-0-1"), .price = 1, .picture = -1};
    struct command other = {.type = COMMAND_PRODUCT_PUT,
                            .product = {.handle = STR("other"),
                                        .title = STR("other"),
                                        .published = true,
                                        .variants = &variant,
                                        .variant_count = 1}};
    assert_int_equal(apply_command(f, &other), 0);
    uint64_t before = counts(f).products;
    assert_int_equal(import_command(f, COMMAND_IMPORT_STEP, 1, 100), 0);
    assert_int_equal(f->result.number, PER_CHUNK);
    assert_int_equal(counts(f).products, before + PER_CHUNK - 1);
}

static void an_older_import_does_not_replace_what_a_newer_one_says(void **state)
{
    struct fixture *f = *state;
    stage(f, 2, 0);
    import_command(f, COMMAND_IMPORT_COMMIT, 2, 1); /* and its server was killed */
    struct buf chunk;
    buf_init(&chunk, 65536);
    add_to_chunk(&chunk, "imported-0-2", 999);
    struct command newer = {.type = COMMAND_IMPORT_STAGE,
                            .import = {.id = test_id(1), .products = buf_text(&chunk)}};
    assert_int_equal(apply_command(f, &newer), 0);
    buf_close(&chunk);
    assert_int_equal(import_command(f, COMMAND_IMPORT_COMMIT, 1, 1), 0);
    unsigned steps = 0;
    while (import_command(f, COMMAND_IMPORT_STEP, 1, 2) == 0 && f->result.number > 0)
        steps++;
    assert_int_equal(steps, 3);
    while (import_command(f, COMMAND_IMPORT_STEP, 2, 2) == 0 && f->result.number > 0)
        steps++;
    assert_int_equal(steps, 3);
    assert_int_equal(imports_due(f), 0);
    struct reader *reader;
    struct product product;
    struct failure failure = {0};
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_product(reader, &f->arena, STR("imported-0-2"), false, &product), 0);
    assert_int_equal(product.variants[0].price, 999);
    reader_close(reader);
    expect_clean_audit(f);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_sold_before_the_import_is_decided),
        TEST(steps_move_all_of_it_and_end),
        TEST(an_import_with_a_chunk_missing_cannot_be_decided),
        TEST(a_bad_product_is_refused_while_it_can_be),
        TEST(a_key_of_another_product_is_refused_while_it_can_be),
        TEST(an_aborted_import_leaves_nothing),
        TEST(an_undecided_import_is_dropped_after_a_day),
        TEST(an_older_import_does_not_replace_what_a_newer_one_says),
        TEST(a_key_taken_in_the_meantime_leaves_its_product_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

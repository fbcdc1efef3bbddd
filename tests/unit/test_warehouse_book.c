/* A warehouse's book: whatever people and the shop do, its units add up, and what is told to the
 * shop is told once and without gaps. */
#include "base/check.h"
#include "base/random.h"
#include "folder_fixture.h"
#include "outside/warehouse_act.h"
#include "outside/warehouse_reports.h"
#include "outside/warehouse_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct bed {
    char folder[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct db *db;
    struct failure failure;
    struct book book;
    struct buf out;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    folder_make(bed->folder);
    snprintf(bed->file, sizeof bed->file, "%s/warehouse.db", bed->folder);
    assert_int_equal(db_open(bed->file, DB_WRITER, &bed->db, &bed->failure), 0);
    assert_int_equal(db_exec(bed->db, "PRAGMA synchronous = OFF"), 0);
    assert_int_equal(db_begin(bed->db), 0);
    assert_int_equal(warehouse_book_make(bed->db, &bed->failure), 0);
    bed->book = (struct book){bed->db, 1000, &bed->failure};
    buf_init(&bed->out, 1 << 20);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    buf_close(&bed->out);
    db_rollback(bed->db);
    db_close(bed->db);
    folder_remove(bed->folder);
    free(bed);
    return 0;
}

static struct id id_of(unsigned char kind, unsigned number)
{
    struct id id = {{kind, [14] = (unsigned char)(number >> 8), (unsigned char)number}};
    return id;
}

static const char *const keys[] = {"mug", "pen", "cup"};

/* Order NUMBER of QUANTITY of each of LINES items. */
static void take_order(struct bed *bed, unsigned number, unsigned lines, uint32_t quantity)
{
    struct book_line line[COUNT_OF(keys)];
    const struct fence fence = {.term = 1};
    for (unsigned i = 0; i < lines; i++)
        line[i] =
            (struct book_line){i + 1, quantity, str_of(keys[i]), STR("S"), STR("A thing"), STR("")};
    const struct book_order order = {.effect = id_of('e', number),
                                     .order = id_of('o', number),
                                     .number = number,
                                     .lines = line,
                                     .line_count = lines};
    assert_int_equal(warehouse_book_take(&bed->book, &order, &fence, &bed->out), 0);
}

static uint32_t cancel_line(struct bed *bed, unsigned number, unsigned effect, uint32_t line,
                            uint32_t quantity)
{
    struct book_quantity lines[] = {{line, quantity}};
    const struct book_cancel cancel = {
        .effect = id_of('c', effect), .order = id_of('o', number), .lines = lines, .line_count = 1};
    unsigned got_line = 0, canceled = 0;
    buf_clear(&bed->out);
    assert_int_equal(warehouse_book_cancel(&bed->book, &cancel, &bed->out), 0);
    buf_byte(&bed->out, '\0');
    const char *answer = strstr(bed->out.at, "\"line\":");
    assert_non_null(answer);
    assert_int_equal(sscanf(answer, "\"line\":%u,\"canceled\":%u", &got_line, &canceled), 2);
    assert_int_equal(got_line, line);
    return canceled;
}

static void complain(void *context, const char *text)
{
    (void)context;
    print_error("%s\n", text);
}

static enum book_welcome welcome(struct bed *bed, unsigned shop, uint64_t epoch, uint64_t term)
{
    const struct book_sender sender = {
        .fence = {id_of('s', shop), epoch, term}, .peer = STR("here"), .what = "orders"};
    char ours[FENCE_TEXT_SIZE];
    enum book_welcome welcome;
    assert_int_equal(warehouse_book_welcome(&bed->book, &sender, &welcome, ours), 0);
    return welcome;
}

static void keep_silent(void *context, const char *text)
{
    (void)context, (void)text;
}

static void assert_adds_up(struct bed *bed)
{
    struct book_counts counts;
    assert_int_equal(warehouse_book_check(bed->db, complain, NULL, &counts, &bed->failure), 0);
    assert_int_equal(counts.wrong, 0);
}

static void units_add_up_after_any_acts(void **state)
{
    struct bed *bed = *state;
    struct random random;
    unsigned done = 0, refused = 0;
    random_seed(&random, 20261122);
    for (unsigned number = 1; number <= 12; number += number % 3 == 0 ? 2 : 1)
        take_order(bed, number, 1 + number % 3, 1 + number % 5);
    for (unsigned step = 0; step < 3000; step++) {
        struct book_quantity lines[] = {
            {1 + (uint32_t)random_below(&random, 3), 1 + (uint32_t)random_below(&random, 3)}};
        struct warehouse_act act = {
            .kind = (enum act_kind)random_below(&random, ACT_PRODUCT),
            .operation = random_below(&random, 3) ? id_of('p', step) : id_of('p', step / 2),
            .order = id_of('o', 1 + (unsigned)random_below(&random, 12)),
            .parcel = id_of('x', (unsigned)random_below(&random, 60)),
            .line = lines[0].line,
            .lines = lines,
            .line_count = (unsigned)random_below(&random, 2),
            .carriage = {STR("Post"), STR("T"), STR("")},
            .restock = random_below(&random, 2),
            .quantity = (int64_t)random_below(&random, 5) - 1,
            .item = str_of(keys[random_below(&random, COUNT_OF(keys))]),
            .note = STR("note"),
        };
        db_exec(bed->db, "SAVEPOINT act");
        int err = warehouse_act_run(&bed->book, &act);
        if (err)
            db_exec(bed->db, "ROLLBACK TO act");
        db_exec(bed->db, "RELEASE act");
        assert_int_equal(db_failure(bed->db)->err, 0);
        assert_true(err == 0 || err == ERR_STATE || err == ERR_NOTFOUND || err == ERR_INVALID);
        *(err ? &refused : &done) += 1;
        if (step % 10 == 0)
            cancel_line(bed, 1 + (unsigned)random_below(&random, 12), step, 1, 1);
        if (step == 1000) /* some were canceled before they came */
            take_order(bed, 4, 3, 4);
        if (step % 100 == 0)
            assert_adds_up(bed);
    }
    assert_adds_up(bed);
    assert_true(done > 500 && refused > 500);
    struct stmt *left = db_stmt(bed->db, "SELECT count(*) FROM parcel WHERE state <> 'packed'");
    assert_true(stmt_only_u64(left, 0) > 5);
}

static void cancel_takes_what_is_open(void **state)
{
    struct bed *bed = *state;
    const struct book_quantity two = {1, 2}, one = {1, 1};
    struct id order = id_of('o', 1);
    take_order(bed, 1, 1, 5);
    assert_int_equal(warehouse_book_pack(&bed->book, order, id_of('x', 1), &two, 1), 0);
    assert_int_equal(warehouse_book_short(&bed->book, order, &one, 1, STR("")), 0);
    assert_int_equal(warehouse_book_pick(&bed->book, order, 1, 2), 0);
    assert_int_equal(cancel_line(bed, 1, 1, 1, 1), 1); /* one of the picked goes back */
    assert_int_equal(cancel_line(bed, 1, 1, 1, 4), 1); /* the same effect: the same answer */
    assert_int_equal(cancel_line(bed, 1, 2, 1, 4), 1); /* one open; not the short one */
    assert_int_equal(cancel_line(bed, 1, 3, 1, 4), 0);
    assert_int_equal(warehouse_book_unpack(&bed->book, id_of('x', 1)), 0);
    assert_int_equal(cancel_line(bed, 1, 4, 1, 4), 2); /* out of the parcel again */
    assert_adds_up(bed);
}

static void goods_under_a_sku_are_those_of_the_item(void **state)
{
    struct bed *bed = *state;
    struct view_item item;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    assert_int_equal(warehouse_book_arrive(&bed->book, STR("SKU-1"), 7, STR("")), 0);
    assert_int_equal(
        warehouse_book_item(&bed->book, STR("mug-blue"), STR("SKU-1"), STR("Mug"), STR("Blue")), 0);
    assert_int_equal(warehouse_view_item(bed->db, &arena, STR("mug-blue"), &item), 0);
    assert_int_equal(item.on_hand, 7);
    assert_true(str_eq(warehouse_book_key(bed->db, &arena, STR("SKU-1")), STR("mug-blue")));
    assert_int_equal(warehouse_book_counted(&bed->book, STR("SKU-1"), 3, STR("")), 0);
    assert_int_equal(warehouse_view_item(bed->db, &arena, STR("mug-blue"), &item), 0);
    assert_int_equal(item.on_hand, 3);
    assert_adds_up(bed);
    arena_close(&arena);
}

/* What breaks a rule is told: one statement for each. */
static void check_notices_what_was_tampered_with(void **state)
{
    static const char *const damages[] = {
        "UPDATE order_line SET packed = packed + 1 WHERE line = 1",
        "UPDATE order_line SET shipped = 0",
        "UPDATE order_line SET picked = 9",
        "UPDATE order_line SET item = 'nothing'",
        "UPDATE orders SET state = 'open'",
        "UPDATE orders SET term = 2",
        "DELETE FROM orders",
        "DELETE FROM order_line",
        "DELETE FROM parcel",
        "DELETE FROM parcel_line",
        "UPDATE item SET on_hand = on_hand + 1",
        "UPDATE item SET allotted = allotted + 1",
        "UPDATE item SET shipped = shipped + 1",
        "DELETE FROM move WHERE kind = 'shipped'",
        "INSERT INTO report (kind, body, made_ms, state) SELECT kind, body, 0, state FROM report",
        "UPDATE report SET sequence = 5",
        "UPDATE report SET state = 'taken', sequence = 5",
    };
    struct bed *bed = *state;
    const struct book_carriage carriage = {STR("Post"), STR(""), STR("")};
    assert_int_equal(welcome(bed, 1, 0, 1), WELCOME_TAKEN);
    take_order(bed, 1, 2, 1);
    assert_int_equal(warehouse_book_pack(&bed->book, id_of('o', 1), id_of('x', 1), NULL, 0), 0);
    bed->book.now_ms++;
    assert_int_equal(warehouse_book_arrive(&bed->book, STR("mug"), 1, STR("")), 0);
    bed->book.now_ms++;
    assert_int_equal(warehouse_book_ship(&bed->book, id_of('x', 1), &carriage), 0);
    assert_adds_up(bed);
    for (unsigned i = 0; i < COUNT_OF(damages); i++) {
        struct book_counts counts;
        db_exec(bed->db, "SAVEPOINT damage");
        db_exec(bed->db, damages[i]);
        assert_int_equal(warehouse_book_check(bed->db, keep_silent, NULL, &counts, &bed->failure),
                         0);
        if (!counts.wrong)
            fail_msg("not noticed: %s", damages[i]);
        db_exec(bed->db, "ROLLBACK TO damage; RELEASE damage");
    }
    assert_adds_up(bed);
}

/* ---- Reports ---- */

static unsigned next(struct bed *bed, uint64_t *first)
{
    unsigned count = 0;
    buf_clear(&bed->out);
    assert_int_equal(warehouse_reports_next(bed->db, REPORTS_AT_ONCE, &bed->out, first, &count), 0);
    return count;
}

static uint64_t first_waiting(struct bed *bed)
{
    return stmt_only_u64(db_stmt(bed->db, "SELECT min(id) FROM report WHERE state = 'waiting'"), 0);
}

static void report_that_is_dropped_leaves_no_gap(void **state)
{
    struct bed *bed = *state;
    uint64_t first;
    for (unsigned i = 0; i < 150; i++)
        assert_int_equal(warehouse_book_arrive(&bed->book, STR("mug"), 1 + i, STR("")), 0);
    assert_int_equal(next(bed, &first), REPORTS_AT_ONCE);
    assert_int_equal(first, 1);
    assert_int_equal(warehouse_reports_refused(&bed->book, 41, STR("no")), 0);
    assert_int_equal(next(bed, &first), 0); /* the others wait */
    assert_int_equal(warehouse_reports_drop(&bed->book, first_waiting(bed) + 1), ERR_STATE);
    assert_int_equal(warehouse_reports_drop(&bed->book, first_waiting(bed)), 0);
    assert_int_equal(next(bed, &first), REPORTS_AT_ONCE);
    assert_int_equal(first, 41);
    buf_byte(&bed->out, '\0');
    assert_non_null(strstr(bed->out.at, "{\"sequence\":41,\"kind\":\"arrived\",\"item\":\"mug\","
                                        "\"quantity\":42,"));
    assert_int_equal(warehouse_reports_taken(&bed->book, 140, 140), 0);
    assert_int_equal(warehouse_reports_taken(&bed->book, 140, 140), 0);
    assert_int_equal(next(bed, &first), 9);
    assert_int_equal(first, 141);
    /* The shop was restored: it lacks what it took last. */
    assert_int_equal(warehouse_reports_gap(&bed->book, 100), 0);
    assert_int_equal(next(bed, &first), 50);
    assert_int_equal(first, 100);
    /* This book was: it lacks what the shop has. */
    assert_int_equal(warehouse_reports_gap(&bed->book, 300), ERR_STATE);
    assert_int_equal(warehouse_reports_taken(&bed->book, 300, 149), ERR_STATE);
    assert_int_equal(warehouse_reports_renew(&bed->book), 0);
    assert_int_equal(next(bed, &first), 50);
    assert_int_equal(first, 1);
    assert_adds_up(bed);
}

static void refused_report_is_mended_as_json_only(void **state)
{
    struct bed *bed = *state;
    uint64_t first;
    assert_int_equal(warehouse_book_arrive(&bed->book, STR("mug"), 1, STR("")), 0);
    uint64_t id = first_waiting(bed);
    assert_int_equal(warehouse_reports_mend(&bed->book, id, STR("{}")), ERR_STATE);
    assert_int_equal(warehouse_reports_refused(&bed->book, 1, STR("no")), 0);
    assert_int_equal(warehouse_reports_mend(&bed->book, id, STR("{\"kind\"")), ERR_INVALID);
    assert_int_equal(warehouse_reports_mend(&bed->book, id, STR("[1]")), ERR_INVALID);
    assert_int_equal(warehouse_reports_mend(&bed->book, id, STR("{\"sequence\":9}")), ERR_INVALID);
    static const char *const no_reports[] = {"{}",
                                             "{ }",
                                             "null",
                                             "{\"kind\":\"x\"}",
                                             "{\"kind\":7,\"item\":\"mug\",\"quantity\":1}",
                                             "{\"kind\":\"arrived\",\"item\":\"mug\"}",
                                             "{\"item\":\"mug\",\"quantity\":1}"};
    for (unsigned i = 0; i < COUNT_OF(no_reports); i++)
        if (warehouse_reports_mend(&bed->book, id, str_of(no_reports[i])) != ERR_INVALID)
            fail_msg("a report: %s", no_reports[i]);
    assert_int_equal(next(bed, &first), 0); /* refused as it was */
    assert_int_equal(
        warehouse_reports_mend(&bed->book, id,
                               STR(" {\"kind\":\"counted\",\"item\":\"mug\",\"on_hand\":2} ")),
        0);
    assert_int_equal(next(bed, &first), 1);
    buf_byte(&bed->out, '\0');
    assert_non_null(strstr(
        bed->out.at, "[{\"sequence\":1,\"kind\":\"counted\",\"item\":\"mug\",\"on_hand\":2}]"));
}

static void fence_never_falls(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(welcome(bed, 1, 0, 5), WELCOME_TAKEN);
    assert_int_equal(welcome(bed, 1, 0, 5), WELCOME_TAKEN);
    assert_int_equal(welcome(bed, 1, 0, 4), WELCOME_TOO_OLD);
    assert_int_equal(welcome(bed, 2, 9, 9), WELCOME_OTHER_SHOP);
    assert_int_equal(welcome(bed, 1, 7, 1), WELCOME_TAKEN);
    assert_int_equal(welcome(bed, 1, 0, 99), WELCOME_TOO_OLD);
    struct stmt *refused = db_stmt(bed->db, "SELECT count(*) FROM refused");
    assert_int_equal(stmt_only_u64(refused, 0), 3);
}

static void book_of_a_newer_version_is_left_alone(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(warehouse_book_make(bed->db, &bed->failure), 0);
    assert_int_equal(warehouse_book_put_count(bed->db, "version", 99), 0);
    assert_int_equal(warehouse_book_make(bed->db, &bed->failure), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(units_add_up_after_any_acts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_takes_what_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goods_under_a_sku_are_those_of_the_item, set_up, tear_down),
        cmocka_unit_test_setup_teardown(check_notices_what_was_tampered_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(report_that_is_dropped_leaves_no_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_report_is_mended_as_json_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fence_never_falls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(book_of_a_newer_version_is_left_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rounds are summed up, and the report says and shows what was measured. */
#include "bench/repair.h"
#include "folder_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct repair_report report = {
    .points = {{.kind = REPAIR_WARM,
                .database_bytes = 1500000,
                .commands = 100000,
                .rounds = 3,
                .median_ms = 300,
                .worst_ms = 500},
               {.kind = REPAIR_HOT, .rounds = 5, .median_ms = 30, .worst_ms = 260},
               {.kind = REPAIR_COLD,
                .database_bytes = 2000000000,
                .rounds = 1,
                .median_ms = 30000,
                .worst_ms = 30000}},
    .count = 3,
};

static void aims_grow_with_the_log_and_with_the_database(void **state)
{
    (void)state;
    assert_float_equal(repair_aim_ms(&report.points[0]), 450, 1e-6);
    assert_float_equal(repair_aim_ms(&report.points[1]), 250, 1e-6);
    assert_float_equal(repair_aim_ms(&report.points[2]), 22000, 1e-6);
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    print(out);
    fclose(out);
    return text;
}

static void print_table(FILE *out)
{
    repair_print_head(out);
    for (unsigned i = 0; i < report.count; i++)
        repair_print_point(&report.points[i], out);
}

static void print_json(FILE *out)
{
    repair_print_json(&report, out);
}

static void table_and_document_say_the_same(void **state)
{
    (void)state;
    char *table = printed(print_table), *json = printed(print_json);
    assert_non_null(strstr(table, "| warm | 1.5 MB | 100000 | 3 | 0.300 s | 0.500 s | 0.45 s |\n"));
    assert_non_null(strstr(json,
                           "{\"kind\":\"warm\",\"database_bytes\":1500000,\"commands\":100000,"
                           "\"rounds\":3,\"median_ms\":300.00,\"worst_ms\":500.00,"
                           "\"aim_ms\":450.00,\"refused\":0}"));
    free(table);
    free(json);
}

static void picture_has_the_kinds_in_order_and_marks_what_misses_its_aim(void **state)
{
    char dir[FOLDER_PATH], path[FOLDER_PATH + 16], text[16384];
    (void)state;
    folder_make(dir);
    snprintf(path, sizeof path, "%s/repair.svg", dir);
    assert_int_equal(repair_picture(&report, path, NULL), 0);
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    size_t len = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[len] = '\0';
    const char *hot = strstr(text, "<g class=\"hot\">");
    assert_non_null(hot);
    const char *warm = strstr(hot, "2 MB, 100,000 commands behind");
    assert_non_null(warm);
    const char *cold = strstr(warm, "2.00 GB");
    assert_non_null(cold);
    assert_non_null(strstr(cold, "\"number missed\""));
    assert_non_null(strstr(hot, "<text class=\"number\""));
    struct failure failure;
    assert_int_equal(repair_picture(&report, dir, &failure), ERR_IO);
    folder_remove(dir);
}

/* ---- Measuring ---- */

struct shop {
    unsigned prepared, killed;
};

static int prepare(void *context, const struct repair_point *point, uint64_t *lacks,
                   struct failure *failure)
{
    struct shop *shop = context;
    assert_int_equal(shop->prepared, shop->killed);
    assert_int_equal(point->commands, 500);
    *lacks = point->commands + shop->prepared++;
    return shop->prepared == 3 ? (fail)(failure, ERR_STATE, "it does not settle") : 0;
}

static int kill_primary(void *context, struct failure *failure)
{
    struct shop *shop = context;
    shop->killed++;
    return (fail)(failure, ERR_IO, "it cannot be killed");
}

static void what_fails_before_the_shop_sells_again_ends_the_measurement(void **state)
{
    struct shop shop = {0};
    struct failure failure;
    struct repair_shop seam = {
        .context = &shop, .item = "thing", .prepare = prepare, .kill = kill_primary};
    struct repair_point point = {.kind = REPAIR_WARM, .commands = 500, .rounds = 4};
    (void)state;
    assert_int_equal(repair_measure(&seam, &point, &failure), ERR_IO);
    assert_string_equal(failure.text, "it cannot be killed");
    assert_int_equal(shop.killed, 1);
    shop = (struct shop){2, 2};
    assert_int_equal(repair_measure(&seam, &point, &failure), ERR_STATE);
    assert_int_equal(shop.killed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aims_grow_with_the_log_and_with_the_database),
        cmocka_unit_test(table_and_document_say_the_same),
        cmocka_unit_test(picture_has_the_kinds_in_order_and_marks_what_misses_its_aim),
        cmocka_unit_test(what_fails_before_the_shop_sells_again_ends_the_measurement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

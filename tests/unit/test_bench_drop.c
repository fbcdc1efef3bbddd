/* What a buyer in a drop makes of an answer, and how the longest silence is found. */
#include "bench/drop.h"
#include "bench/drop_judge.h"
#include "bench/drop_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_answer_means_what_it_says(void **state)
{
    (void)state;
    static const struct {
        unsigned step;
        int status;
        const char *body;
        enum drop_verdict verdict;
    } rows[] = {
        {0, 201, "{\"id\":\"a\",\"status\":\"ready_for_complete\",\"messages\":[]}", DROP_GO_ON},
        {0, 201, "{\"status\":\"incomplete\",\"messages\":[{\"code\":\"out_of_stock\"}]}",
         DROP_SOLD_OUT},
        {0, 201, "{\"status\":\"incomplete\",\"messages\":[{\"code\":\"missing\"}]}", DROP_STRANGE},
        {0, 503, "", DROP_UNDECIDED},
        {0, 409, "{}", DROP_STRANGE},
        {0, 200, "{\"status\":\"ready_for_complete\"}", DROP_STRANGE},
        {1, 200, "{\"status\":\"completed\",\"messages\":[]}", DROP_SOLD},
        {1, 200,
         "{\"status\":\"incomplete\",\"messages\":[{\"code\":\"other\"},"
         "{\"code\":\"out_of_stock\"}]}",
         DROP_SOLD_OUT},
        {1, 200, "{\"status\":\"complete_in_progress\"}", DROP_UNDECIDED},
        {1, 200, "{\"status\":\"ready_for_complete\",\"messages\":[{\"code\":\"payment_failed\"}]}",
         DROP_OVER},
        {1, 409, "{\"code\":\"not_allowed\"}", DROP_UNDECIDED},
        {1, 502, "bad gateway", DROP_UNDECIDED},
        {1, 504, "", DROP_UNDECIDED},
        {1, 500, "{}", DROP_STRANGE},
        {1, 404, "{}", DROP_STRANGE},
        {1, 200, "no JSON", DROP_STRANGE},
        {1, 200, "", DROP_STRANGE},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(drop_judge(rows[i].step, rows[i].status, str_of(rows[i].body)),
                         rows[i].verdict);
}

static void the_longest_silence_lies_within_the_span(void **state)
{
    (void)state;
    uint64_t ends[] = {10, 20, 90, 100, 400};
    struct drop_report report = {.ends = ends, .end_count = 5};
    assert_int_equal(drop_longest_gap_ns(&report, 0, 400), 300);
    assert_int_equal(drop_longest_gap_ns(&report, 0, 100), 70);
    assert_int_equal(drop_longest_gap_ns(&report, 50, 100), 40);
    assert_int_equal(drop_longest_gap_ns(&report, 110, 150), 40);
    assert_int_equal(drop_longest_gap_ns(&report, 500, 600), 100);
}

static void good_is_what_was_promised_and_nothing_less(void **state)
{
    (void)state;
    struct drop_config config = {.units = 10, .buyers = 200};
    struct drop_report report = {.sold = 10, .sold_out = 190};
    struct drop_books books = {.orders = 10};
    assert_true(drop_report_good(&report, &config, &books));
    report.sold_out = 189;
    assert_false(drop_report_good(&report, &config, &books));
    report.unanswered = 1;
    assert_false(drop_report_good(&report, &config, &books));
    report = (struct drop_report){.sold = 10, .sold_out = 190};
    books.orders = 11;
    assert_false(drop_report_good(&report, &config, &books));
    books = (struct drop_books){.orders = 10, .outside = true, .charges = 10, .parcels = 9};
    assert_false(drop_report_good(&report, &config, &books));
    books.parcels = 10;
    assert_true(drop_report_good(&report, &config, &books));
    books.differences = 1;
    assert_false(drop_report_good(&report, &config, &books));
    config.units = 300; /* more than buyers */
    books.differences = 0;
    books.orders = books.charges = books.parcels = 200;
    report = (struct drop_report){.sold = 200};
    assert_true(drop_report_good(&report, &config, &books));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_means_what_it_says),
        cmocka_unit_test(the_longest_silence_lies_within_the_span),
        cmocka_unit_test(good_is_what_was_promised_and_nothing_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

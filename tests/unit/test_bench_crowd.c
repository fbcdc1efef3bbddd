#include "bench/crowd_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct crowd_items items = {.count = 3,
                                   .at = {{"mug~red", "mug"}, {"pan", "pan"}, {"tea", "tea"}}};

static struct crowd_lines lines_of(uint32_t mugs, uint32_t pans)
{
    struct crowd_lines lines = {0};
    crowd_lines_set(&lines, 0, mugs);
    crowd_lines_set(&lines, 1, pans);
    return lines;
}

/* A belief with a past: {1 mug}, then {1 mug, 2 pans}. */
static struct crowd_belief two_changes(void)
{
    struct crowd_belief belief = {0};
    struct crowd_lines one = lines_of(1, 0), two = lines_of(1, 2);
    crowd_belief_change(&belief, &one);
    crowd_belief_change(&belief, &two);
    return belief;
}

static void a_cart_as_acknowledged_is_fine(void **state)
{
    (void)state;
    struct crowd_belief belief = two_changes();
    struct crowd_lines seen = {0};
    crowd_lines_set(&seen, 1, 2); /* in another order */
    crowd_lines_set(&seen, 0, 1);
    assert_int_equal(crowd_belief_see(&belief, &seen), CROWD_AS_PROMISED);
}

static void each_breach_has_its_name_and_counts_once(void **state)
{
    (void)state;
    static const struct {
        uint32_t mugs, pans;
        enum crowd_finding finding;
    } rows[] = {
        {1, 0, CROWD_WENT_BACK}, {0, 0, CROWD_WENT_BACK}, {1, 1, CROWD_LOST},
        {0, 2, CROWD_LOST},      {1, 4, CROWD_DOUBLED},   {2, 2, CROWD_DOUBLED},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct crowd_belief belief = two_changes();
        struct crowd_lines seen = lines_of(rows[i].mugs, rows[i].pans);
        assert_int_equal(crowd_belief_see(&belief, &seen), rows[i].finding);
        assert_int_equal(crowd_belief_see(&belief, &seen), CROWD_AS_PROMISED);
    }
}

static void a_change_without_an_answer_may_have_been_made_or_not(void **state)
{
    (void)state;
    struct crowd_lines perhaps = lines_of(1, 3), before = lines_of(1, 2), other = lines_of(1, 6);
    struct crowd_belief belief = two_changes();
    crowd_belief_doubt(&belief, &perhaps);
    assert_int_equal(crowd_belief_see(&belief, &perhaps), CROWD_AS_PROMISED);
    assert_int_equal(crowd_belief_see(&belief, &before), CROWD_WENT_BACK);
    belief = two_changes();
    crowd_belief_doubt(&belief, &perhaps);
    assert_int_equal(crowd_belief_see(&belief, &before), CROWD_AS_PROMISED);
    belief = two_changes();
    crowd_belief_doubt(&belief, &perhaps);
    assert_int_equal(crowd_belief_see(&belief, &other), CROWD_DOUBLED);
}

static void the_page_of_a_cart_is_read_as_a_browser_shows_it(void **state)
{
    (void)state;
    struct crowd_lines seen;
    const char *page =
        "<h1>Your cart</h1><form><input type=\"hidden\" name=\"token\" value=\"t\">"
        "<input type=\"hidden\" name=\"item\" value=\"mug~red\">"
        "<input id=\"quantity-1\" name=\"quantity\" type=\"number\" min=\"0\" value=\"2\"></form>"
        "<input type=\"hidden\" name=\"item\" value=\"gone\">"
        "<input name=\"quantity\" value=\"5\">";
    assert_true(crowd_lines_of_page(str_of(page), &items, &seen));
    assert_int_equal(seen.count, 2);
    assert_int_equal(crowd_lines_get(&seen, 0), 2);
    assert_int_equal(crowd_lines_get(&seen, CROWD_ITEMS), 5);
    assert_true(crowd_lines_of_page(STR("<h1>Your cart</h1> nothing in it"), &items, &seen));
    assert_int_equal(seen.count, 0);
    assert_false(crowd_lines_of_page(STR("<h1>Out of order</h1>"), &items, &seen));
}

static void a_cart_of_the_api_is_read(void **state)
{
    (void)state;
    struct crowd_lines seen;
    assert_true(crowd_lines_of_json(
        STR("{\"line_items\":[{\"item\":{\"id\":\"pan\"},\"quantity\":3}]}"), &items, &seen));
    assert_int_equal(crowd_lines_get(&seen, 1), 3);
    assert_false(crowd_lines_of_json(STR("{\"error\":{}}"), &items, &seen));
    assert_false(crowd_lines_of_json(STR("{\"line_items\":[{}]}"), &items, &seen));
}

/* ---- A shopper ---- */

struct asked {
    struct buf path, headers, body;
    struct crowd_request request;
};

static void open_asked(struct asked *asked)
{
    buf_init(&asked->path, 1 << 12);
    buf_init(&asked->headers, 1 << 12);
    buf_init(&asked->body, 1 << 12);
    asked->request = (struct crowd_request){"GET", &asked->path, &asked->headers, &asked->body};
}

static void close_asked(struct asked *asked)
{
    buf_close(&asked->path);
    buf_close(&asked->headers);
    buf_close(&asked->body);
}

/* Clicks until it is ACT. */
static void click_until(struct crowd_shopper *shopper, enum crowd_act act, struct asked *asked)
{
    for (unsigned i = 0; i < 10000; i++) {
        buf_clear(&asked->path);
        buf_clear(&asked->headers);
        buf_clear(&asked->body);
        crowd_shopper_click(shopper, &items, &asked->request);
        if (shopper->act == act)
            return;
    }
    fail_msg("it never clicks that");
}

static void hear(struct crowd_shopper *shopper, const char *name, const char *value)
{
    struct http_header header = {.name = str_of(name), .value = str_of(value)};
    struct http_response response = {.headers = &header, .header_count = 1};
    crowd_shopper_head(shopper, &response);
}

static void a_form_leads_to_the_cart_which_must_show_the_change(void **state)
{
    (void)state;
    struct crowd_shopper shopper;
    struct asked asked;
    struct crowd_lines seen;
    enum crowd_finding finding;
    open_asked(&asked);
    crowd_shopper_begin(&shopper, 0, 7);
    click_until(&shopper, CROWD_ADD, &asked);
    assert_true(str_eq(buf_text(&asked.path), STR("/cart/add")));
    assert_true(str_find(buf_text(&asked.headers), STR("sec-fetch-site: same-origin")) >= 0);
    struct crowd_lines wanted = shopper.wanted;
    hear(&shopper, "Set-Cookie", "cart=abc; Path=/; HttpOnly");
    hear(&shopper, "location", "http://shop.example:8080/cart");
    assert_int_equal(crowd_shopper_answer(&shopper, &items, 303, STR(""), &finding, &seen),
                     CROWD_GO_ON);
    assert_int_equal(finding, CROWD_UNSEEN);
    assert_true(crowd_lines_equal(&shopper.belief.now, &wanted));
    buf_clear(&asked.path);
    buf_clear(&asked.headers);
    crowd_shopper_follow(&shopper, &asked.request);
    assert_true(str_eq(buf_text(&asked.path), STR("/cart")));
    assert_true(str_find(buf_text(&asked.headers), STR("cookie: cart=abc\r\n")) >= 0);
    assert_int_equal(
        crowd_shopper_answer(&shopper, &items, 200, STR("<h1>Your cart</h1>"), &finding, &seen),
        CROWD_DONE);
    assert_int_equal(finding, CROWD_WENT_BACK); /* it is empty, as before */
    close_asked(&asked);
}

static void what_is_not_an_answer_for_shoppers_is_a_failure(void **state)
{
    (void)state;
    static const int bad[] = {404, 409, 500, 502, 503, 504};
    struct asked asked;
    struct crowd_lines seen;
    enum crowd_finding finding;
    open_asked(&asked);
    for (unsigned number = 0; number < 4; number += 3)
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct crowd_shopper shopper;
            crowd_shopper_begin(&shopper, number, 7);
            click_until(&shopper, CROWD_ADD, &asked);
            assert_int_equal(
                crowd_shopper_answer(&shopper, &items, bad[i], STR("{}"), &finding, &seen),
                CROWD_FAILED);
            assert_true(shopper.belief.doubt);
            assert_int_equal(shopper.belief.now.count, 0);
        }
    close_asked(&asked);
}

/* ---- The report ---- */

static void a_wait_counts_for_the_fault_it_met(void **state)
{
    (void)state;
    const uint64_t s = 1000000000, at = 100 * s;
    struct crowd_record records[] = {
        {at - 2 * s, 20000, 1, 0},  /* in the calm before */
        {at - s / 2, 700000, 1, 0}, /* on its way at the fault: it is the fault's */
        {at + s, 90000, 2, 0},
        {at + 5 * s / 2, 300000, 2, 0}, /* it is started again: on the way back */
        {at - 20 * s, 900000, 2, 0},    /* long before */
    };
    struct crowd_fault fault = {
        .server = 1, .primary = true, .at_ns = at, .back_ns = at + 3 * s, .whole_ns = at + 4 * s};
    struct crowd_report report = {
        .records = records, .record_count = 5, .faults = {.at = &fault, .count = 1}};
    struct crowd_plan plan = {.kind = CROWD_KILL, .down_ms = 2000, .calm_ms = 3000};
    struct crowd_waits waits;
    crowd_report_waits(&report, &plan, true, &waits);
    assert_int_equal(waits.rounds, 1);
    assert_true(waits.calm_worst == 20 && waits.worst == 700 && waits.back_worst == 300);
    assert_true(waits.added_worst == 680 && waits.added_median == 680);
    crowd_report_waits(&report, &plan, false, &waits);
    assert_int_equal(waits.rounds, 0);
}

static void the_machines_own_waits_are_told_beside(void **state)
{
    (void)state;
    const uint64_t s = 1000000000, at = 100 * s;
    struct echo_record echoes[] = {
        {at - 4 * s, s / 2}, /* over before the calm */
        {at - s, 4000000},   /* in the calm */
        {at - s / 100, 30000000},
        {at + 2 * s, 80000000}, /* the fault is over */
    };
    struct crowd_fault fault = {
        .server = 1, .primary = true, .at_ns = at, .back_ns = at + 3 * s, .whole_ns = at + 4 * s};
    struct crowd_report report = {.faults = {.at = &fault, .count = 1},
                                  .echo = {.records = echoes, .count = 4}};
    struct crowd_plan plan = {.kind = CROWD_KILL, .down_ms = 2000, .calm_ms = 3000};
    struct crowd_waits waits;
    crowd_report_waits(&report, &plan, true, &waits);
    assert_true(waits.echo_worst == 30);
}

static void an_echo_is_heard_and_ends(void **state)
{
    (void)state;
    struct echo echo;
    struct failure failure;
    assert_int_equal(echo_start(&echo, &failure), 0);
    echo_stop(&echo);
    assert_true(echo.count >= 1 && echo.latency.count == echo.count);
    const struct echo_record *first = echo.records;
    assert_int_equal(echo_worst_ns(&echo, first->at_ns, first->at_ns + 1), first->took_ns);
    assert_int_equal(echo_worst_ns(&echo, 0, first->at_ns), 0);
    echo_stop(&echo);
    echo_close(&echo);
}

static void variation_is_deviation_by_mean(void **state)
{
    (void)state;
    assert_true(crowd_report_variation((double[]){5, 5, 5}, 3) == 0);
    double found = crowd_report_variation((double[]){2, 4}, 2);
    assert_true(found > 0.333 && found < 0.334);
    assert_true(crowd_report_variation((double[]){0, 0, 0}, 3) == 0);
}

static void nothing_asked_is_no_success(void **state)
{
    (void)state;
    struct crowd_report report = {0};
    assert_false(crowd_report_good(&report));
    report.requests = report.read = 10;
    assert_true(crowd_report_good(&report));
    report.findings[CROWD_DOUBLED] = 1;
    assert_false(crowd_report_good(&report));
    report.findings[CROWD_DOUBLED] = 0;
    report.failed = 1;
    assert_false(crowd_report_good(&report));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cart_as_acknowledged_is_fine),
        cmocka_unit_test(each_breach_has_its_name_and_counts_once),
        cmocka_unit_test(a_change_without_an_answer_may_have_been_made_or_not),
        cmocka_unit_test(the_page_of_a_cart_is_read_as_a_browser_shows_it),
        cmocka_unit_test(a_cart_of_the_api_is_read),
        cmocka_unit_test(a_form_leads_to_the_cart_which_must_show_the_change),
        cmocka_unit_test(what_is_not_an_answer_for_shoppers_is_a_failure),
        cmocka_unit_test(a_wait_counts_for_the_fault_it_met),
        cmocka_unit_test(the_machines_own_waits_are_told_beside),
        cmocka_unit_test(an_echo_is_heard_and_ends),
        cmocka_unit_test(variation_is_deviation_by_mean),
        cmocka_unit_test(nothing_asked_is_no_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

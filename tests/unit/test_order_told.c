/* What platforms and shoppers are told of an order, in JSON and in plain text. */
#include "web/order_mail.h"
#include "web/ucp_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <yyjson.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct fixture {
    struct arena arena;
    struct line lines[2];
    struct order_quantity first, second;
    struct order_event events[8];
    struct allotment allotments[3];
    struct order order;
    struct order_mails *mails;
};

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    arena_init(&f->arena, 4 << 20);
    f->lines[0] = (struct line){.line_id = 1,
                                .quantity = 5,
                                .item_key = STR("mug"),
                                .title = STR("Mug"),
                                .unit_price = 1000,
                                .subtotal = 5000,
                                .total = 5000,
                                .needs_shipping = true,
                                .picture_url = STR("/pictures/mug.jpg")};
    f->lines[1] = (struct line){.line_id = 2,
                                .quantity = 1,
                                .item_key = STR("song"),
                                .title = STR("Song"),
                                .unit_price = 100,
                                .subtotal = 100,
                                .total = 100};
    f->order = (struct order){.number = 1001,
                              .currency = STR("EUR"),
                              .needs_shipping = true,
                              .events = f->events,
                              .event_count = 1,
                              .placed_ms = 1795361400000};
    f->order.basket.lines = f->lines;
    f->order.basket.line_count = 2;
    f->order.basket.buyer.first_name = STR("Ada");
    f->order.basket.totals[0] = (struct total){.type = TOTAL_SUBTOTAL, .amount = 5100};
    f->order.basket.totals[1] = (struct total){.type = TOTAL_TOTAL, .amount = 5100};
    f->order.basket.total_count = 2;
    f->order.id.bytes[0] = 0xab;
    f->order.destination.country = STR("DE");
    f->order.rate.title = STR("Parcel");
    f->events[0] =
        (struct order_event){.number = 1, .type = ORDER_EVENT_PLACED, .time_ms = 1795361400000};
    f->first = (struct order_quantity){1, 2};
    f->second = (struct order_quantity){1, 1};
    assert_int_equal(order_mails_new("https://shop.example", &f->mails, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    order_mails_free(f->mails);
    arena_close(&f->arena);
    test_free(f);
    return 0;
}

/* One more event, about LINE (may be NULL). */
static struct order_event *happens(struct fixture *f, enum order_event_type type,
                                   struct order_quantity *line)
{
    struct order_event *event = &f->events[f->order.event_count++];
    *event = (struct order_event){.number = f->order.event_count,
                                  .type = type,
                                  .time_ms = 1795361400000,
                                  .lines = line,
                                  .line_count = line != NULL};
    event->id.bytes[15] = (unsigned char)f->order.event_count;
    return event;
}

/* The order in JSON as of its last event; to be freed. */
static yyjson_doc *told(struct fixture *f)
{
    struct str text = ucp_order_text(&f->arena, STR("https://shop.example"), &f->order,
                                     &f->events[f->order.event_count - 1]);
    assert_non_null(text.at);
    yyjson_doc *doc = yyjson_read(text.at, text.len, 0);
    assert_non_null(doc);
    return doc;
}

static const char *text_at(yyjson_doc *doc, const char *pointer)
{
    return yyjson_get_str(yyjson_doc_ptr_get(doc, pointer));
}

static int64_t number_at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);
    assert_true(yyjson_is_int(value));
    return yyjson_get_sint(value);
}

static void an_order_is_told_whole(void **state)
{
    yyjson_doc *doc = told(*state);
    assert_string_equal(text_at(doc, "/id"), "ab000000000000000000000000000000");
    assert_string_equal(text_at(doc, "/checkout_id"), text_at(doc, "/id"));
    assert_string_equal(text_at(doc, "/label"), "#1001");
    assert_string_equal(text_at(doc, "/permalink_url"),
                        "https://shop.example/order/ab000000000000000000000000000000");
    assert_string_equal(text_at(doc, "/line_items/0/item/image_url"),
                        "https://shop.example/pictures/mug.jpg");
    assert_string_equal(text_at(doc, "/line_items/0/status"), "processing");
    assert_int_equal(number_at(doc, "/line_items/0/quantity/total"), 5);
    assert_string_equal(text_at(doc, "/created_time"), "2026-11-22T15:30:00.000Z");
    assert_int_equal(yyjson_arr_size(yyjson_doc_ptr_get(doc, "/fulfillment/expectations")), 1);
    assert_int_equal(
        yyjson_arr_size(yyjson_doc_ptr_get(doc, "/fulfillment/expectations/0/line_items")), 1);
    assert_int_equal(yyjson_arr_size(yyjson_doc_ptr_get(doc, "/adjustments")), 0);
    yyjson_doc_free(doc);
}

static void what_came_back_counts_neither_as_sold_nor_as_sent(void **state)
{
    struct fixture *f = *state;
    f->lines[0].fulfilled = 3;
    f->lines[0].canceled = 2;
    f->lines[0].returned = 1;
    happens(f, ORDER_EVENT_RETURNED, &f->second)->amount = 1000;
    yyjson_doc *doc = told(f);
    assert_int_equal(number_at(doc, "/line_items/0/quantity/original"), 5);
    assert_int_equal(number_at(doc, "/line_items/0/quantity/total"), 2);
    assert_int_equal(number_at(doc, "/line_items/0/quantity/fulfilled"), 2);
    assert_string_equal(text_at(doc, "/line_items/0/status"), "fulfilled");
    assert_string_equal(text_at(doc, "/adjustments/0/type"), "return");
    assert_int_equal(number_at(doc, "/adjustments/0/line_items/0/quantity"), -1);
    assert_null(yyjson_doc_ptr_get(doc, "/adjustments/0/totals")); /* the refund tells it */
    yyjson_doc_free(doc);
    f->lines[0].returned = 3;
    doc = told(f);
    assert_string_equal(text_at(doc, "/line_items/0/status"), "removed");
    yyjson_doc_free(doc);
}

static void a_refund_is_one_entry_that_ends(void **state)
{
    struct fixture *f = *state;
    struct order_event *begun = happens(f, ORDER_EVENT_REFUND_BEGUN, NULL);
    begun->amount = 700;
    yyjson_doc *doc = told(f);
    assert_string_equal(text_at(doc, "/adjustments/0/status"), "pending");
    assert_int_equal(number_at(doc, "/adjustments/0/totals/0/amount"), -700);
    yyjson_doc_free(doc);
    struct order_event *end = happens(f, ORDER_EVENT_REFUNDED, NULL);
    end->of = begun->number;
    doc = told(f);
    assert_int_equal(yyjson_arr_size(yyjson_doc_ptr_get(doc, "/adjustments")), 1);
    assert_string_equal(text_at(doc, "/adjustments/0/status"), "completed");
    yyjson_doc_free(doc);
    happens(f, ORDER_EVENT_REFUND_FAILED, NULL)->of = begun->number; /* it came back */
    doc = told(f);
    assert_string_equal(text_at(doc, "/adjustments/0/status"), "failed");
    yyjson_doc_free(doc);
    end->type = ORDER_EVENT_CREDITED; /* it never was made */
    end->of = 0;
    doc = told(f);
    assert_string_equal(text_at(doc, "/adjustments/0/status"), "failed");
    yyjson_doc_free(doc);
}

static void a_cancellation_that_is_asked_is_pending_until_it_is_answered(void **state)
{
    struct fixture *f = *state;
    struct order_event *asked = happens(f, ORDER_EVENT_CANCEL_ASKED, &f->first);
    yyjson_doc *doc = told(f);
    assert_string_equal(text_at(doc, "/adjustments/0/type"), "cancellation");
    assert_string_equal(text_at(doc, "/adjustments/0/status"), "pending");
    yyjson_doc_free(doc);
    happens(f, ORDER_EVENT_CANCELED, &f->second)->of = asked->number;
    happens(f, ORDER_EVENT_CANCEL_REFUSED, &f->second)->of = asked->number;
    doc = told(f);
    assert_int_equal(yyjson_arr_size(yyjson_doc_ptr_get(doc, "/adjustments")), 2);
    assert_string_equal(text_at(doc, "/adjustments/0/status"), "completed");
    assert_string_equal(text_at(doc, "/adjustments/1/status"), "failed");
    yyjson_doc_free(doc);
}

static void each_warehouse_is_an_expectation_of_its_own(void **state)
{
    struct fixture *f = *state;
    f->allotments[0] =
        (struct allotment){.warehouse = STR("a"), .line_id = 1, .quantity = 2, .canceled = 2};
    f->allotments[1] =
        (struct allotment){.warehouse = STR("b"), .line_id = 1, .quantity = 3, .canceled = 1};
    f->order.allotments = f->allotments;
    f->order.allotment_count = 2;
    yyjson_doc *doc = told(f);
    assert_int_equal(yyjson_arr_size(yyjson_doc_ptr_get(doc, "/fulfillment/expectations")), 1);
    assert_string_equal(text_at(doc, "/fulfillment/expectations/0/id"), "exp_2");
    assert_int_equal(number_at(doc, "/fulfillment/expectations/0/line_items/0/quantity"), 2);
    yyjson_doc_free(doc);
}

/* ---- Mail ---- */

static struct mail_words mailed(struct fixture *f)
{
    struct shop_settings settings = {.name = STR("Kiln"), .currency = STR("EUR")};
    struct mail_words words;
    assert_int_equal(order_mails_render(f->mails, &f->arena, &settings, &f->order,
                                        &f->events[f->order.event_count - 1], &words),
                     0);
    return words;
}

static void has(struct str text, const char *part)
{
    if (str_find(text, str_of(part)) < 0)
        fail_msg("no \"%s\" in:\n%.*s", part, STR_FMT(text));
}

static void the_first_mail_has_the_whole_order(void **state)
{
    struct fixture *f = *state;
    f->order.destination = (struct address){.first_name = STR("Ada"),
                                            .last_name = STR("Byron"),
                                            .street = STR("1 Main\r\nSt"),
                                            .postal_code = STR("10115"),
                                            .locality = STR("Berlin"),
                                            .country = STR("DE")};
    f->lines[0].title = STR("A & B <i>\"mug\"</i>\nBcc: x");
    struct mail_words words = mailed(f);
    assert_true(str_eq(words.subject, STR("Your order 1001 at Kiln")));
    has(words.body, "Hello Ada,\n\n");
    has(words.body, "5 x A & B <i>\"mug\"</i> Bcc: x: €50.00\n1 x Song: €1.00\n");
    has(words.body, "Total: €51.00\n");
    has(words.body, "Ada Byron\n1 Main  St\n10115 Berlin\nDE\n");
    has(words.body, "\nhttps://shop.example/order/ab000000000000000000000000000000\n");
}

static void each_event_that_shoppers_are_told_of_has_a_mail_but_for_arrivals(void **state)
{
    struct fixture *f = *state;
    for (int type = 0; type < ORDER_EVENT_COUNT; type++) {
        f->order.event_count = 1;
        f->events[0].type = type;
        f->events[0].lines = &f->first;
        f->events[0].line_count = 1;
        f->events[0].amount = 100;
        struct mail_words words = mailed(f);
        bool tells = order_event_is_told(type) && type != ORDER_EVENT_DELIVERED;
        assert_int_equal(words.subject.len > 0, tells);
        assert_true(str_find_byte(words.subject, '\n') < 0);
        assert_true(str_find(words.body, STR("{{")) < 0);
        assert_true(str_find(words.body, STR("\n\n\n")) < 0);
    }
}

static void a_parcel_s_mail_says_whether_that_was_all(void **state)
{
    struct fixture *f = *state;
    struct order_event *event = happens(f, ORDER_EVENT_SHIPPED, &f->first);
    event->parcel = (struct parcel){.carrier = STR("Post"),
                                    .tracking = STR("T7"),
                                    .tracking_url = STR("https://post.example/T7")};
    f->order.status = ORDER_PARTLY_SHIPPED;
    has(mailed(f).body,
        "the rest follows:\n\n2 x Mug\n\nPost, parcel T7\nhttps://post.example/T7\n");
    f->order.status = ORDER_SHIPPED;
    has(mailed(f).body, "your order is on its way to you:\n\n2 x Mug\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_told_whole),
        TEST(what_came_back_counts_neither_as_sold_nor_as_sent),
        TEST(a_refund_is_one_entry_that_ends),
        TEST(a_cancellation_that_is_asked_is_pending_until_it_is_answered),
        TEST(each_warehouse_is_an_expectation_of_its_own),
        TEST(the_first_mail_has_the_whole_order),
        TEST(each_event_that_shoppers_are_told_of_has_a_mail_but_for_arrivals),
        TEST(a_parcel_s_mail_says_whether_that_was_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

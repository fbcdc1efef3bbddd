#include "bench/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include <cmocka.h>

struct written {
    struct buf path, headers, body;
    const char *method;
};

static const char *const items[] = {"mug", "cup", "jug"};

static struct written ask(const struct script *script, const void *context, struct visitor *visitor)
{
    struct written w = {0};
    struct script_request request = {"GET", &w.path, &w.headers, &w.body};
    buf_init(&w.path, 1 << 16);
    buf_init(&w.headers, 1 << 16);
    buf_init(&w.body, 1 << 16);
    script->request(context, visitor, &request);
    w.method = request.method;
    buf_byte(&w.path, 0);
    buf_byte(&w.headers, 0);
    assert_false(w.path.failed || w.headers.failed || w.body.failed);
    return w;
}

static void drop(struct written *w)
{
    buf_close(&w->path);
    buf_close(&w->headers);
    buf_close(&w->body);
}

static yyjson_doc *parse(const struct written *w)
{
    yyjson_doc *doc = yyjson_read(w->body.at, w->body.len, 0);
    assert_non_null(doc);
    return doc;
}

static const char *item_of(yyjson_doc *doc, size_t line)
{
    yyjson_val *lines = yyjson_obj_get(yyjson_doc_get_root(doc), "line_items");
    yyjson_val *item = yyjson_obj_get(yyjson_arr_get(lines, line), "item");
    const char *id = yyjson_get_str(yyjson_obj_get(item, "id"));
    assert_non_null(id);
    return id;
}

static void a_get_is_what_was_asked_for(void **state)
{
    (void)state;
    struct http_script http = {"/x?y", "a: b\r\n"};
    struct visitor visitor = {0};
    struct written w = ask(&script_http, &http, &visitor);
    assert_string_equal(w.method, "GET");
    assert_string_equal(w.path.at, "/x?y");
    assert_string_equal(w.headers.at, "a: b\r\n");
    assert_int_equal(w.body.len, 0);
    drop(&w);
}

static void a_status_is_done_failed_or_refused(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum script_verdict verdict;
    } cases[] = {{200, SCRIPT_DONE},   {204, SCRIPT_DONE},    {304, SCRIPT_DONE},
                 {400, SCRIPT_FAILED}, {404, SCRIPT_FAILED},  {429, SCRIPT_FAILED},
                 {500, SCRIPT_FAILED}, {503, SCRIPT_REFUSED}, {0, SCRIPT_FAILED}};
    struct visitor visitor = {0};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(script_http.answer(NULL, &visitor, cases[i].status, STR("")),
                         cases[i].verdict);
}

static void a_change_of_a_cart_has_a_key_unless_it_is_to_have_none(void **state)
{
    (void)state;
    struct shop_script shop = {.items = items, .item_count = 3, .lines = 1};
    struct visitor visitor = {0};
    random_seed(&visitor.random, 1);
    struct written w = ask(&script_cart, &shop, &visitor);
    assert_non_null(strstr(w.headers.at, "idempotency-key: "));
    drop(&w);
    shop.no_key = true;
    w = ask(&script_cart, &shop, &visitor);
    assert_null(strstr(w.headers.at, "idempotency-key"));
    assert_non_null(strstr(w.headers.at, "request-id: "));
    drop(&w);
}

static void a_cart_is_made_then_changed_then_made_again_when_it_is_gone(void **state)
{
    (void)state;
    struct shop_script shop = {.items = items, .item_count = 3, .hot = false, .lines = 5};
    struct visitor visitor = {0};
    random_seed(&visitor.random, 1);
    struct written w = ask(&script_cart, &shop, &visitor);
    yyjson_doc *doc = parse(&w);
    assert_string_equal(w.method, "POST");
    assert_string_equal(w.path.at, "/carts");
    assert_non_null(item_of(doc, 4));
    yyjson_doc_free(doc);
    drop(&w);
    assert_int_equal(script_cart.answer(&shop, &visitor, 201, STR("{\"id\":\"abc\"}")),
                     SCRIPT_DONE);
    w = ask(&script_cart, &shop, &visitor);
    doc = parse(&w);
    assert_string_equal(w.method, "PUT");
    assert_string_equal(w.path.at, "/carts/abc");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "id")), "abc");
    yyjson_doc_free(doc);
    drop(&w);
    assert_int_equal(script_cart.answer(&shop, &visitor, 503, STR("")), SCRIPT_REFUSED);
    assert_int_equal(script_cart.answer(&shop, &visitor, 404, STR("{}")), SCRIPT_FAILED);
    w = ask(&script_cart, &shop, &visitor);
    assert_string_equal(w.method, "POST");
    drop(&w);
}

static void an_answer_without_a_usable_id_failed(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "{",
                               "[]",
                               "{\"id\":7}",
                               "{\"ID\":\"x\"}",
                               "{\"id\":\"0123456789012345678901234567890123456789\"}"};
    struct shop_script shop = {.items = items, .item_count = 3, .hot = false, .lines = 1};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct visitor visitor = {0};
        assert_int_equal(script_cart.answer(&shop, &visitor, 201, str_of(bad[i])), SCRIPT_FAILED);
        assert_int_equal(script_buy.answer(&shop, &visitor, 201, str_of(bad[i])), SCRIPT_FAILED);
    }
}

static void a_purchase_is_two_requests_with_keys_of_their_own(void **state)
{
    (void)state;
    struct shop_script shop = {.items = items, .item_count = 3, .hot = false, .lines = 2};
    struct visitor visitor = {.number = 9};
    random_seed(&visitor.random, 1);
    struct written first = ask(&script_buy, &shop, &visitor);
    yyjson_doc *doc = parse(&first);
    assert_string_equal(first.method, "POST");
    assert_string_equal(first.path.at, "/checkout-sessions");
    assert_non_null(item_of(doc, 1));
    assert_true(yyjson_is_obj(yyjson_obj_get(yyjson_doc_get_root(doc), "fulfillment")));
    yyjson_doc_free(doc);
    assert_int_equal(script_buy.answer(&shop, &visitor, 201, STR("{\"id\":\"c1\"}")), SCRIPT_NEXT);
    visitor.step = 1;
    struct written second = ask(&script_buy, &shop, &visitor);
    doc = parse(&second);
    assert_string_equal(second.path.at, "/checkout-sessions/c1/complete");
    assert_true(yyjson_is_obj(yyjson_obj_get(yyjson_doc_get_root(doc), "payment")));
    yyjson_doc_free(doc);
    const char *key = strstr(first.headers.at, "idempotency-key: ");
    const char *other = strstr(second.headers.at, "idempotency-key: ");
    assert_non_null(key);
    assert_non_null(other);
    assert_string_not_equal(key, other);
    drop(&first);
    drop(&second);
}

static void only_what_is_completed_counts_as_sold(void **state)
{
    (void)state;
    struct visitor visitor = {.step = 1};
    static const struct {
        int status;
        const char *body;
        enum script_verdict verdict;
    } cases[] = {
        {200, "{\"status\":\"completed\"}", SCRIPT_DONE},
        {200, "{\"status\":\"ready_for_complete\"}", SCRIPT_FAILED},
        {200, "{\"status\":\"incomplete\"}", SCRIPT_FAILED},
        {204, "", SCRIPT_FAILED},
        {409, "", SCRIPT_FAILED},
        {503, "", SCRIPT_REFUSED},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(script_buy.answer(NULL, &visitor, cases[i].status, str_of(cases[i].body)),
                         cases[i].verdict);
    visitor.step = 0;
    assert_int_equal(script_buy.answer(NULL, &visitor, 503, STR("")), SCRIPT_REFUSED);
    assert_int_equal(script_buy.answer(NULL, &visitor, 200, STR("{\"id\":\"x\"}")), SCRIPT_FAILED);
}

static void the_hot_item_is_everybodys_and_else_all_are_taken(void **state)
{
    (void)state;
    struct shop_script hot = {items, 3, true, 1}, cold = {items, 3, false, 1};
    struct visitor visitor = {0};
    unsigned seen = 0;
    random_seed(&visitor.random, 1);
    for (int i = 0; i < 60; i++) {
        struct written w = ask(&script_cart, &hot, &visitor);
        yyjson_doc *doc = parse(&w);
        assert_string_equal(item_of(doc, 0), "mug");
        yyjson_doc_free(doc);
        drop(&w);
        w = ask(&script_cart, &cold, &visitor);
        doc = parse(&w);
        for (unsigned n = 0; n < 3; n++)
            if (strcmp(item_of(doc, 0), items[n]) == 0)
                seen |= 1u << n;
        yyjson_doc_free(doc);
        drop(&w);
    }
    assert_int_equal(seen, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_get_is_what_was_asked_for),
        cmocka_unit_test(a_status_is_done_failed_or_refused),
        cmocka_unit_test(a_change_of_a_cart_has_a_key_unless_it_is_to_have_none),
        cmocka_unit_test(a_cart_is_made_then_changed_then_made_again_when_it_is_gone),
        cmocka_unit_test(an_answer_without_a_usable_id_failed),
        cmocka_unit_test(a_purchase_is_two_requests_with_keys_of_their_own),
        cmocka_unit_test(only_what_is_completed_counts_as_sold),
        cmocka_unit_test(the_hot_item_is_everybodys_and_else_all_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

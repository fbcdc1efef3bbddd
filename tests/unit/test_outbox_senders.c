/* What the outbox's own senders write, and how they understand the answers: warehouses' orders and
 * cancels, and the bank's seam. */
#include "base/buf.h"
#include "outbox_fixture.h"
#include "outside/outbox_bank.h"
#include "outside/outbox_warehouse.h"
#include "outside/warehouse_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct fence fence = {.epoch = 3, .term = 5};

/* ---- A batch that keeps what it is told ---- */

struct told {
    struct outbox_send send;
    struct outbox_row row;
    unsigned times;
    enum outbox_sent sent;
    char text[300];
    uint32_t wait_ms;
    unsigned line_count;
    struct order_quantity lines[4];
};

static void keep(struct outbox_send *send, const struct outbox_said *said)
{
    struct told *told = CONTAINER_OF(send, struct told, send);
    told->times++;
    told->sent = said->sent;
    told->wait_ms = said->wait_ms;
    str_copy(told->text, sizeof told->text, said->text);
    told->line_count = said->line_count;
    for (unsigned i = 0; i < said->line_count && i < 4; i++)
        told->lines[i] = said->lines[i];
    told->send.next = NULL; /* it may be gone by now */
}

/* Effects 1, 2, … as the last byte. */
static struct outbox_send *batch(struct told *told, unsigned count, enum outbox_kind kind)
{
    for (unsigned i = 0; i < count; i++) {
        told[i] = (struct told){
            .row = {.seq = 1 + i, .kind = kind, .order_number = 1001 + i, .amount = 700}};
        told[i].row.effect.bytes[15] = (unsigned char)(1 + i);
        told[i].send = (struct outbox_send){.lane = "warehouse/main",
                                            .row = &told[i].row,
                                            .fence = &fence,
                                            .next = i + 1 < count ? &told[i + 1].send : NULL,
                                            .done = keep};
    }
    return &told[0].send;
}

static void tell(struct outbox_send *first, int status, const char *body)
{
    outbox_warehouse_tell(first, &(struct outbox_warehouse_answer){
                                     .status = status, .body = str_of(body), .retry_after_s = -1});
}

#define EFFECT(n) "0000000000000000000000000000000" #n

/* ---- To a warehouse ---- */

static void an_order_is_written_as_the_protocol_says(void **state)
{
    (void)state;
    struct line lines[] = {
        {.line_id = 1, .item_key = STR("rose-red"), .sku = STR("R1"), .title = STR("Rose \"Red\"")},
        {.line_id = 2, .item_key = STR("not-from-here")},
        {.line_id = 3, .item_key = STR("tulip"), .option_text = STR("Blue / Large")},
    };
    struct order_quantity quantities[] = {{1, 2}, {3, 1}};
    struct order order = {.number = 1001, .placed_ms = 1700000000123};
    struct outbox_row row = {.kind = OUTBOX_SHIP,
                             .order = {.bytes = {1, 0x93, 0xa1, 0xb2, 0xc3, 0xd4, 0x7e, 0x5f, 0x8a,
                                                 0x9b, 0xc, 0x1d, 0x2e, 0x3f, 0x4a, 0x5b}},
                             .effect = {.bytes = {[15] = 7}},
                             .log_index = 42,
                             .lines = quantities,
                             .line_count = 2};
    struct buf out;
    order.basket.lines = lines;
    order.basket.line_count = 3;
    order.basket.buyer = (struct buyer){.email = STR("a@b.example"), .first_name = STR("Ann")};
    order.destination = (struct address){.last_name = STR("Bee"), .country = STR("US")};
    order.rate.level = STR("standard");
    buf_init(&out, 1 << 16);
    outbox_warehouse_put(&out, &row, &order);
    buf_byte(&out, 0);
    assert_string_equal(
        out.at,
        "{\"effect\":\"" EFFECT(
            7) "\",\"order\":\"0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b\","
               "\"number\":1001,\"placed_ms\":1700000000123,\"log_index\":42,\"lines\":["
               "{\"line\":1,\"item\":\"rose-red\",\"sku\":\"R1\",\"title\":\"Rose \\\"Red\\\"\","
               "\"options\":\"\",\"quantity\":2},"
               "{\"line\":3,\"item\":\"tulip\",\"sku\":\"\",\"title\":\"\","
               "\"options\":\"Blue / Large\",\"quantity\":1}],"
               "\"destination\":{\"first_name\":\"Ann\",\"last_name\":\"Bee\",\"phone\":\"\","
               "\"street\":\"\",\"extended\":\"\",\"locality\":\"\",\"region\":\"\","
               "\"postal_code\":\"\",\"country\":\"US\"},\"service\":\"standard\","
               "\"email\":\"a@b.example\"}");
    buf_close(&out);
}

static void a_cancel_bears_the_reason_of_its_event(void **state)
{
    (void)state;
    struct order_event events[] = {{.number = 1}, {.number = 2, .text = STR("changed my mind")}};
    struct order order = {.events = events, .event_count = 2};
    struct order_quantity quantities[] = {{1, 2}};
    struct outbox_row row = {.kind = OUTBOX_CANCEL,
                             .effect = {.bytes = {[15] = 7}},
                             .event = 2,
                             .lines = quantities,
                             .line_count = 1};
    struct buf out;
    buf_init(&out, 1 << 16);
    outbox_warehouse_put(&out, &row, &order);
    buf_byte(&out, 0);
    assert_string_equal(
        out.at, "{\"effect\":\"" EFFECT(7) "\","
                                           "\"order\":\"00000000-0000-0000-0000-000000000000\","
                                           "\"lines\":[{\"line\":1,\"quantity\":2}],"
                                           "\"reason\":\"changed my mind\"}");
    buf_close(&out);
}

static void each_row_gets_its_own_result_in_whatever_order(void **state)
{
    (void)state;
    struct told told[4];
    tell(batch(told, 4, OUTBOX_SHIP), 200,
         "{\"results\":[{\"effect\":\"" EFFECT(3) "\",\"outcome\":\"refused\",\"text\":\"no\"},"
                                                  "{\"effect\":\"" EFFECT(
                                                      1) "\",\"outcome\":\"taken\"},"
                                                         "{\"effect\":\"" EFFECT(
                                                             4) "\",\"outcome\":\"perhaps\"}]}");
    assert_int_equal(told[0].sent, OUTBOX_SENT);
    assert_int_equal(told[1].sent, OUTBOX_SENT_LATER); /* nothing is said of it */
    assert_int_equal(told[2].sent, OUTBOX_SENT_NEVER);
    assert_string_equal(told[2].text, "no");
    assert_int_equal(told[3].sent, OUTBOX_SENT_LATER);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(told[i].times, 1);
}

static void the_lines_of_a_cancel_come_back(void **state)
{
    (void)state;
    struct told told[1];
    tell(batch(told, 1, OUTBOX_CANCEL), 200,
         "{\"results\":[{\"effect\":\"" EFFECT(
             1) "\",\"outcome\":\"answered\",\"lines\":["
                "{\"line\":1,\"canceled\":2},{\"line\":3,\"canceled\":0}]}]}");
    assert_int_equal(told[0].sent, OUTBOX_SENT);
    assert_int_equal(told[0].line_count, 2);
    assert_int_equal(told[0].lines[0].quantity, 2);
    assert_int_equal(told[0].lines[1].line_id, 3);
    assert_int_equal(told[0].lines[1].quantity, 0);
    tell(batch(told, 1, OUTBOX_CANCEL), 200,
         "{\"results\":[{\"effect\":\"" EFFECT(1) "\",\"outcome\":\"taken\"}]}");
    assert_int_equal(told[0].sent, OUTBOX_SENT_LATER); /* that is no answer to a cancel */
}

static void an_older_fence_is_told_apart_from_other_refusals(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum outbox_sent sent;
    } cases[] = {
        {409, "{\"error\":\"fence_too_old\",\"fence\":\"ab 4.1\"}", OUTBOX_SENT_OLD},
        {409, "{\"error\":\"something\"}", OUTBOX_SENT_AWAY},
        {400, "{\"error\":\"invalid\",\"text\":\"orders[0]\"}", OUTBOX_SENT_LATER},
        {401, "", OUTBOX_SENT_AWAY},
        {403, "{\"error\":\"other_shop\"}", OUTBOX_SENT_AWAY},
        {503, "<html>", OUTBOX_SENT_AWAY},
        {200, "<html>", OUTBOX_SENT_AWAY},
        {200, "{}", OUTBOX_SENT_AWAY},
    };
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct told told[2];
        tell(batch(told, 2, OUTBOX_SHIP), cases[i].status, cases[i].body);
        assert_int_equal(told[0].sent, cases[i].sent);
        assert_int_equal(told[1].sent, cases[i].sent);
        assert_int_equal(told[0].times + told[1].times, 2);
        assert_true(told[0].text[0] != 0);
    }
}

static void a_fence_by_itself_needs_no_body(void **state)
{
    (void)state;
    struct told told[1];
    struct outbox_send *send = batch(told, 1, OUTBOX_SHIP);
    send->row = NULL;
    tell(send, 204, "");
    assert_int_equal(told[0].sent, OUTBOX_SENT);
    send->row = NULL;
    tell(send, 400, "");
    assert_int_equal(told[0].sent, OUTBOX_SENT_AWAY);
}

static void without_an_answer_all_of_it_waits(void **state)
{
    (void)state;
    struct told told[2];
    outbox_warehouse_tell(
        batch(told, 2, OUTBOX_SHIP),
        &(struct outbox_warehouse_answer){.err = ERR_TIMEOUT, .why = STR("no answer in 10 s")});
    assert_int_equal(told[1].sent, OUTBOX_SENT_AWAY);
    assert_string_equal(told[1].text, "no answer in 10 s");
    struct outbox_warehouse_answer busy = {.status = 503, .retry_after_s = 7};
    outbox_warehouse_tell(batch(told, 2, OUTBOX_SHIP), &busy);
    assert_int_equal(told[1].wait_ms, 7000);
}

static void a_token_belongs_to_one_warehouse_of_one_cluster(void **state)
{
    (void)state;
    unsigned char secret[WAREHOUSE_SECRET] = {1}, other[WAREHOUSE_SECRET] = {2};
    char token[WAREHOUSE_TOKEN_TEXT];
    warehouse_token(secret, STR("main"), 0, token);
    assert_int_equal(strlen(token), 64);
    assert_true(warehouse_token_is(secret, STR("main"), 0, str_of(token)));
    assert_false(warehouse_token_is(other, STR("main"), 0, str_of(token)));
    assert_false(warehouse_token_is(secret, STR("main2"), 0, str_of(token)));
    assert_false(warehouse_token_is(secret, STR("main"), 0, STR("")));
    assert_false(warehouse_token_is(secret, STR("main"), 1, str_of(token)));
    warehouse_token(secret, STR("main"), 12, token);
    assert_true(warehouse_token_is(secret, STR("main"), 12, str_of(token)));
    assert_false(warehouse_token_is(secret, STR("main"), 1, str_of(token)));
}

/* ---- To the bank ---- */

struct asked {
    struct bank bank;
    enum bank_outcome outcome;
    char what;
    struct bank_call call;
    char reference[32], currency[8];
};

static void bank_asked(struct bank *bank, struct bank_call *call, char what)
{
    struct asked *asked = bank->context;
    asked->what = what;
    asked->call = *call;
    str_copy(asked->reference, sizeof asked->reference, call->reference);
    str_copy(asked->currency, sizeof asked->currency, call->currency);
    call->outcome = asked->outcome;
    call->answer_reference = STR("re_9");
    call->text = STR("why");
    call->done(call);
}

static void bank_capture(struct bank *bank, struct bank_call *call)
{
    bank_asked(bank, call, 'c');
}

static void bank_cancel(struct bank *bank, struct bank_call *call)
{
    bank_asked(bank, call, 'v');
}

static void bank_refund(struct bank *bank, struct bank_call *call)
{
    bank_asked(bank, call, 'r');
}

static void the_bank_is_asked_with_what_is_in_the_log(void **state)
{
    (void)state;
    static const struct {
        enum outbox_kind kind;
        char what;
        enum bank_outcome outcome;
        enum outbox_sent sent;
        const char *text;
    } cases[] = {
        {OUTBOX_CAPTURE, 'c', BANK_DONE, OUTBOX_SENT, "re_9"},
        {OUTBOX_PAYMENT_CANCEL, 'v', BANK_IMPOSSIBLE, OUTBOX_SENT_NEVER, "why"},
        {OUTBOX_REFUND, 'r', BANK_UNREACHABLE, OUTBOX_SENT_AWAY, "why"},
        {OUTBOX_REFUND, 'r', BANK_DEPOSED, OUTBOX_SENT_OLD, "why"},
    };
    struct ordering order;
    struct outbox_bank *sender;
    struct asked asked = {.bank = {.context = &asked,
                                   .capture = bank_capture,
                                   .cancel = bank_cancel,
                                   .refund = bank_refund}};
    order_open(&order);
    struct outbox_view view = fixture_view(&order);
    assert_int_equal(outbox_bank_new(&asked.bank, &view, NULL, &sender), 0);
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct told told[1];
        const struct outbox_sender *lane = outbox_bank_sender(sender);
        asked.outcome = cases[i].outcome;
        lane->begin(lane->context, batch(told, 1, cases[i].kind));
        assert_int_equal(asked.what, cases[i].what);
        assert_int_equal(told[0].times, 1);
        assert_int_equal(told[0].sent, cases[i].sent);
        assert_string_equal(told[0].text, cases[i].text);
        assert_true(id_eq(asked.call.effect, told[0].row.effect));
        assert_true(id_eq(asked.call.key, order_numbered(5)));
        assert_true(asked.call.fence == &fence);
        assert_int_equal(asked.call.amount, 700);
        assert_string_equal(asked.reference, "pi_1");
        assert_string_equal(asked.currency, "EUR");
    }
    outbox_bank_free(sender);
    order_close(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_written_as_the_protocol_says),
        cmocka_unit_test(a_cancel_bears_the_reason_of_its_event),
        cmocka_unit_test(each_row_gets_its_own_result_in_whatever_order),
        cmocka_unit_test(the_lines_of_a_cancel_come_back),
        cmocka_unit_test(an_older_fence_is_told_apart_from_other_refusals),
        cmocka_unit_test(a_fence_by_itself_needs_no_body),
        cmocka_unit_test(without_an_answer_all_of_it_waits),
        cmocka_unit_test(a_token_belongs_to_one_warehouse_of_one_cluster),
        cmocka_unit_test(the_bank_is_asked_with_what_is_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

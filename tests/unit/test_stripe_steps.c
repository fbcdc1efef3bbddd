/* What a Stripe-like bank's answers mean, one after the other. */
#include "base/err.h"
#include "outside/stripe_request.h"
#include "outside/stripe_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PI(status) "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"" status "\"}"
#define FAILED_PI                                     \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\"," \
    "\"status\":\"requires_payment_method\","         \
    "\"last_payment_error\":{\"message\":\"Your card has expired.\"}}"
#define ERROR(type, code, more) \
    "{\"error\":{\"type\":\"" type "\",\"code\":\"" code "\",\"message\":\"It says why.\"" more "}}"
#define UNEXPECTED(status)                                            \
    ERROR("invalid_request_error", "payment_intent_unexpected_state", \
          ",\"payment_intent\":" PI(status))
#define REFUND(status)       "{\"id\":\"re_1\",\"object\":\"refund\",\"status\":\"" status "\"}"
#define MARK                 "000000000000000000000000000000ab"
#define PAGE(more, elements) "{\"object\":\"list\",\"has_more\":" more ",\"data\":[" elements "]}"
#define OTHER                "{\"id\":\"pi_0\",\"metadata\":{\"attempt\":\"ff\"}}"
#define OURS                 "{\"id\":\"pi_1\",\"metadata\":{\"attempt\":\"" MARK "\"}}"
#define OUR_REFUND           "{\"id\":\"re_1\",\"status\":\"pending\",\"metadata\":{\"effect\":\"" MARK "\"}}"

#define OOPS ERROR("api_error", "", "")
#define KEPT(step)            \
    {                         \
        step, 500, OOPS, true \
    }
#define ALL_KEYS_KEPT                                                                   \
    KEPT(CREATE), KEPT(CREATE), KEPT(CREATE), KEPT(CREATE), KEPT(CREATE), KEPT(CREATE), \
        KEPT(CREATE), KEPT(CREATE)
#define NEWER "{\"id\":\"pi_2\",\"metadata\":{\"attempt\":\"" MARK "\"}}"

struct said {
    int asked; /* the step that this is the answer to */
    int status;
    const char *body;
    bool kept; /* Idempotent-Replayed */
};

struct row {
    const char *what;
    enum stripe_wish wish;
    bool aged;
    struct said said[20]; /* to the first without a status */
    enum bank_outcome outcome;
    const char *reference;
    const char *text; /* a part of it */
};

enum {
    CREATE = STRIPE_DO_CREATE,
    CONFIRM = STRIPE_DO_CONFIRM,
    READ = STRIPE_DO_READ,
    CANCEL = STRIPE_DO_CANCEL,
    CAPTURE = STRIPE_DO_CAPTURE,
    REFUND = STRIPE_DO_REFUND,
    FIND = STRIPE_DO_FIND
};

static const struct row rows[] = {
    /* authorise */
    {"paid",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, {CONFIRM, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"taken at once by the account",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, {CONFIRM, 200, PI("succeeded")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"declined",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 402, ERROR("card_error", "card_declined", "")}},
     BANK_REFUSED,
     "",
     "It says why"},
    {"no such card",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 400,
       ERROR("invalid_request_error", "resource_missing", ",\"param\":\"payment_method\"")}},
     BANK_REFUSED,
     "",
     "It says why"},
    {"the payment is gone",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 404, ERROR("invalid_request_error", "resource_missing", ",\"param\":\"intent\"")}},
     BANK_UNREACHABLE,
     "",
     "lost"},
    {"an amount that it does not take",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 400, ERROR("invalid_request_error", "amount_too_small", "")}},
     BANK_REFUSED,
     "",
     "It says why"},
    {"other parameters under the key",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 400, ERROR("idempotency_error", "", "")}},
     BANK_UNREACHABLE,
     "",
     "parameters"},
    {"called off by the primary",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 400, UNEXPECTED("canceled")},
      {READ, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     "called off"},
    {"another card was first, and good",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 400, ERROR("idempotency_error", "", "")},
      {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"another card was first, and declined",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 400, ERROR("idempotency_error", "", "")},
      {READ, 200, FAILED_PI}},
     BANK_REFUSED,
     "",
     "Your card has expired"},
    {"another card was first, and nobody knows",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 400, ERROR("idempotency_error", "", "")},
      {READ, 200, PI("requires_payment_method")}},
     BANK_UNREACHABLE,
     "",
     "requires_payment_method"},
    {"still at it",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, {CONFIRM, 200, PI("processing")}},
     BANK_UNREACHABLE,
     "",
     "processing"},
    {"our key is not its",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 401, ERROR("invalid_request_error", "", "")}},
     BANK_UNREACHABLE,
     "",
     "401"},
    {"somebody else answers",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 404, "<html>not found"}},
     BANK_UNREACHABLE,
     "",
     "404"},
    {"a redirect", STRIPE_AUTHORISE, false, {{CREATE, 302, ""}}, BANK_UNREACHABLE, "", "302"},
    {"names nothing",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, "{}"}},
     BANK_UNREACHABLE,
     "",
     "no payment"},
    /* settle */
    {"was paid",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"never begun, and ended",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {READ, 200, PI("requires_payment_method")},
      {CANCEL, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     "not ended in time"},
    {"declined, and ended with the reason",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {READ, 200, FAILED_PI},
      {CANCEL, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     "Your card has expired"},
    {"ended before",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, {READ, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     "called off"},
    {"refused from the begin",
     STRIPE_SETTLE,
     false,
     {{CREATE, 400, ERROR("invalid_request_error", "amount_too_large", "")}},
     BANK_REFUSED,
     "",
     "It says why"},
    {"begun with other settings of the shop",
     STRIPE_SETTLE,
     false,
     {{CREATE, 400, ERROR("idempotency_error", "", "")},
      {FIND, 200, PAGE("false", OURS)},
      {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"begun with other settings, and not there",
     STRIPE_SETTLE,
     false,
     {{CREATE, 400, ERROR("idempotency_error", "", "")}, {FIND, 200, PAGE("false", OTHER)}},
     BANK_UNREACHABLE,
     "",
     "does not list"},
    {"its home was quicker than the end",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {READ, 200, PI("requires_payment_method")},
      {CANCEL, 400, UNEXPECTED("succeeded")},
      {READ, 200, PI("succeeded")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"at work just now",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, {READ, 200, PI("processing")}},
     BANK_UNREACHABLE,
     "",
     "processing"},
    {"cannot be ended",
     STRIPE_SETTLE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {READ, 200, PI("requires_action")},
      {CANCEL, 400, UNEXPECTED("requires_action")},
      {READ, 200, PI("requires_action")},
      {CANCEL, 400, UNEXPECTED("requires_action")},
      {READ, 200, PI("requires_action")},
      {CANCEL, 400, UNEXPECTED("requires_action")}},
     BANK_UNREACHABLE,
     "",
     "changes all the time"},
    {"old, on the second page",
     STRIPE_SETTLE,
     true,
     {{FIND, 200, PAGE("true", OTHER)},
      {FIND, 200, PAGE("false", OTHER "," OURS)},
      {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"old, and not there",
     STRIPE_SETTLE,
     true,
     {{FIND, 200, PAGE("false", OTHER)},
      {CREATE, 200, PI("requires_payment_method")},
      {READ, 200, PI("requires_payment_method")},
      {CANCEL, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     ""},
    {"old, and no list",
     STRIPE_SETTLE,
     true,
     {{FIND, 400, ERROR("invalid_request_error", "", "")}},
     BANK_UNREACHABLE,
     "",
     "list"},
    /* capture */
    {"taken", STRIPE_CAPTURE, false, {{CAPTURE, 200, PI("succeeded")}}, BANK_DONE, "pi_7", ""},
    {"taken before",
     STRIPE_CAPTURE,
     false,
     {{CAPTURE, 400, UNEXPECTED("succeeded")}, {READ, 200, PI("succeeded")}},
     BANK_DONE,
     "pi_7",
     ""},
    {"lapsed",
     STRIPE_CAPTURE,
     false,
     {{CAPTURE, 400, UNEXPECTED("canceled")}, {READ, 200, PI("canceled")}},
     BANK_IMPOSSIBLE,
     "",
     "It says why"},
    {"cannot be taken",
     STRIPE_CAPTURE,
     false,
     {{CAPTURE, 402, ERROR("card_error", "", "")}, {READ, 200, PI("requires_capture")}},
     BANK_IMPOSSIBLE,
     "",
     "It says why"},
    {"unknown there",
     STRIPE_CAPTURE,
     false,
     {{CAPTURE, 404, ERROR("invalid_request_error", "resource_missing", "")},
      {READ, 404, ERROR("invalid_request_error", "resource_missing", "")}},
     BANK_IMPOSSIBLE,
     "",
     "It says why"},
    {"deposed",
     STRIPE_CAPTURE,
     false,
     {{CAPTURE, 409, ERROR("invalid_request_error", "fence_too_old", "")}},
     BANK_DEPOSED,
     "",
     "newer"},
    /* cancel */
    {"let go", STRIPE_CANCEL, false, {{CANCEL, 200, PI("canceled")}}, BANK_DONE, "pi_7", ""},
    {"let go before",
     STRIPE_CANCEL,
     false,
     {{CANCEL, 400, UNEXPECTED("canceled")}, {READ, 200, PI("canceled")}},
     BANK_DONE,
     "pi_7",
     ""},
    {"taken already",
     STRIPE_CANCEL,
     false,
     {{CANCEL, 400, UNEXPECTED("succeeded")}, {READ, 200, PI("succeeded")}},
     BANK_IMPOSSIBLE,
     "",
     "It says why"},
    /* refund */
    {"given back",
     STRIPE_REFUND,
     false,
     {{REFUND, 200, REFUND("succeeded")}},
     BANK_DONE,
     "re_1",
     ""},
    {"on its way back",
     STRIPE_REFUND,
     false,
     {{REFUND, 200, REFUND("pending")}},
     BANK_DONE,
     "re_1",
     ""},
    {"not given back",
     STRIPE_REFUND,
     false,
     {{REFUND, 200, REFUND("failed")}},
     BANK_IMPOSSIBLE,
     "",
     "failed"},
    {"more than there is",
     STRIPE_REFUND,
     false,
     {{REFUND, 400, ERROR("invalid_request_error", "", "")}},
     BANK_IMPOSSIBLE,
     "",
     "It says why"},
    {"old, and done",
     STRIPE_REFUND,
     true,
     {{FIND, 200, PAGE("false", OUR_REFUND)}},
     BANK_DONE,
     "re_1",
     ""},
    {"old, and not done",
     STRIPE_REFUND,
     true,
     {{FIND, 200, PAGE("false", "")}, {REFUND, 200, REFUND("succeeded")}},
     BANK_DONE,
     "re_1",
     ""},
    /* a 500 that is kept */
    {"a create's is passed over, and the next payment gets the card",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 500, OOPS},
      KEPT(CREATE),
      {CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"one that may not be kept makes no other payment",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 503, OOPS},
      {CREATE, 503, OOPS},
      {CREATE, 503, OOPS},
      {CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"under all keys", STRIPE_AUTHORISE, false, {ALL_KEYS_KEPT}, BANK_UNREACHABLE, "", "every key"},
    {"a confirmation's, and it was authorised",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 500, OOPS},
      KEPT(CONFIRM),
      {READ, 500, OOPS},
      {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"a confirmation's, and it was declined",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, KEPT(CONFIRM), {READ, 200, FAILED_PI}},
     BANK_REFUSED,
     "",
     "Your card has expired"},
    {"a confirmation's, and nothing was done",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")},
      {CONFIRM, 500, OOPS},
      {CONFIRM, 502, OOPS},
      {READ, 200, PI("requires_payment_method")},
      KEPT(CONFIRM),
      {READ, 200, PI("requires_confirmation")},
      {CONFIRM, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"a confirmation's, and the primary was there first",
     STRIPE_AUTHORISE,
     false,
     {{CREATE, 200, PI("requires_payment_method")}, KEPT(CONFIRM), {READ, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     "called off"},
    {"settled by the same keys",
     STRIPE_SETTLE,
     false,
     {KEPT(CREATE),
      KEPT(CREATE),
      {CREATE, 200, PI("requires_payment_method")},
      {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_1",
     ""},
    {"under all keys, so that all that there are go",
     STRIPE_SETTLE,
     false,
     {ALL_KEYS_KEPT,
      {FIND, 200, PAGE("true", NEWER)},
      {FIND, 200, PAGE("false", OURS)},
      {READ, 200, PI("requires_payment_method")},
      KEPT(CANCEL),
      {READ, 200, PI("requires_payment_method")},
      {CANCEL, 200, PI("canceled")},
      {READ, 200, PI("requires_payment_method")},
      {CANCEL, 200, PI("canceled")}},
     BANK_REFUSED,
     "",
     "called off"},
    {"old, of several one has the money",
     STRIPE_SETTLE,
     true,
     {{FIND, 200, PAGE("false", NEWER "," OTHER "," OURS)},
      {READ, 200, PI("requires_payment_method")},
      {CANCEL, 200, PI("canceled")},
      {READ, 200, PI("requires_capture")}},
     BANK_AUTHORISED,
     "pi_2",
     ""},
    {"a capture's, and it was taken",
     STRIPE_CAPTURE,
     false,
     {KEPT(CAPTURE), {READ, 200, PI("succeeded")}},
     BANK_DONE,
     "pi_7",
     ""},
    {"a capture's, and it was not",
     STRIPE_CAPTURE,
     false,
     {KEPT(CAPTURE), {READ, 200, PI("requires_capture")}, {CAPTURE, 200, PI("succeeded")}},
     BANK_DONE,
     "pi_7",
     ""},
    {"a capture's, and it has lapsed",
     STRIPE_CAPTURE,
     false,
     {KEPT(CAPTURE), {READ, 200, PI("canceled")}},
     BANK_IMPOSSIBLE,
     "",
     "500"},
    {"a cancellation's, and it was let go",
     STRIPE_CANCEL,
     false,
     {KEPT(CANCEL), {READ, 200, PI("canceled")}},
     BANK_DONE,
     "pi_7",
     ""},
    {"a cancellation's, and it was not",
     STRIPE_CANCEL,
     false,
     {KEPT(CANCEL), {READ, 200, PI("requires_capture")}, {CANCEL, 200, PI("canceled")}},
     BANK_DONE,
     "pi_7",
     ""},
    {"a refund's, and it was given",
     STRIPE_REFUND,
     false,
     {{REFUND, 500, OOPS}, KEPT(REFUND), {FIND, 200, PAGE("false", OUR_REFUND)}},
     BANK_DONE,
     "re_1",
     ""},
    {"a refund's, and it was not",
     STRIPE_REFUND,
     false,
     {KEPT(REFUND), {FIND, 200, PAGE("false", "")}, {REFUND, 200, REFUND("succeeded")}},
     BANK_DONE,
     "re_1",
     ""},
};

static struct id mark(void)
{
    struct id id;
    assert_int_equal(id_parse(STR(MARK), &id), 0);
    return id;
}

static void begin(struct stripe_steps *steps, enum stripe_wish wish, bool aged)
{
    bool named = wish != STRIPE_AUTHORISE && wish != STRIPE_SETTLE;
    stripe_begin(steps, wish, named ? STR("pi_7") : STR(""), mark(), aged);
}

static enum stripe_turn answer(struct stripe_steps *steps, int status, const char *body, int retry,
                               bool kept)
{
    return stripe_take(steps, &(struct stripe_answer){.status = status,
                                                      .should_retry = retry,
                                                      .replayed = kept,
                                                      .body = str_of(body),
                                                      .request_id = STR("req_1")});
}

static void each_answer_leads_to_its_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct stripe_steps steps;
        enum stripe_turn turn = STRIPE_NEXT;
        begin(&steps, row->wish, row->aged);
        for (unsigned n = 0; row->said[n].status != 0; n++) {
            if (turn == STRIPE_OVER || (int)steps.step != row->said[n].asked)
                fail_msg("%s: answer %u is not asked for", row->what, n);
            turn = answer(&steps, row->said[n].status, row->said[n].body, -1, row->said[n].kept);
        }
        if (turn != STRIPE_OVER || steps.outcome != row->outcome ||
            strcmp(steps.reference, row->reference) != 0 || strstr(steps.text, row->text) == NULL)
            fail_msg("%s: turn %d, outcome %d, reference \"%s\", text \"%s\"", row->what, (int)turn,
                     (int)steps.outcome, steps.reference, steps.text);
    }
}

/* At every step of every way. */
static void what_says_nothing_is_asked_again(void **state)
{
    (void)state;
    static const struct {
        int status, retry;
        const char *body;
        enum stripe_turn turn;
    } doubts[] = {
        {500, -1, ERROR("api_error", "", ""), STRIPE_AGAIN},
        {503, -1, "<html>", STRIPE_AGAIN},
        {424, -1, "", STRIPE_AGAIN},
        {409, -1, ERROR("invalid_request_error", "idempotency_key_in_use", ""), STRIPE_AGAIN},
        {409, -1, ERROR("invalid_request_error", "lock_timeout", ""), STRIPE_AGAIN},
        {429, -1, ERROR("invalid_request_error", "rate_limit", ""), STRIPE_AGAIN},
        {400, 1, ERROR("invalid_request_error", "", ""), STRIPE_AGAIN},
        {200, -1, "{\"id\":\"pi_1\",\"ob", STRIPE_AGAIN},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct stripe_steps steps;
        begin(&steps, row->wish, row->aged);
        for (unsigned n = 0; row->said[n].status != 0; n++) {
            for (unsigned d = 0; d < sizeof doubts / sizeof *doubts; d++) {
                struct stripe_steps before = steps;
                if (steps.failures > 0) /* a second 5xx is no doubt any more: the rows have it */
                    continue;
                assert_int_equal(
                    answer(&steps, doubts[d].status, doubts[d].body, doubts[d].retry, false),
                    doubts[d].turn);
                assert_int_equal(steps.outcome, BANK_UNREACHABLE);
                assert_int_equal(steps.step, before.step);
                steps = before;
            }
            answer(&steps, row->said[n].status, row->said[n].body, -1, row->said[n].kept);
        }
    }
}

/* Stripe-Should-Retry: false. What has been made under a key is found by that key alone. */
static void what_may_not_be_asked_again_is_read(void **state)
{
    (void)state;
    static const struct {
        enum stripe_wish wish;
        enum stripe_step step, next;
        enum stripe_turn turn;
    } rows_of_it[] = {
        {STRIPE_AUTHORISE, STRIPE_DO_CREATE, STRIPE_DO_CREATE, STRIPE_OVER},
        {STRIPE_AUTHORISE, STRIPE_DO_CONFIRM, STRIPE_DO_READ, STRIPE_NEXT},
        {STRIPE_AUTHORISE, STRIPE_DO_READ, STRIPE_DO_READ, STRIPE_OVER},
        {STRIPE_SETTLE, STRIPE_DO_CREATE, STRIPE_DO_CREATE, STRIPE_OVER},
        {STRIPE_SETTLE, STRIPE_DO_FIND, STRIPE_DO_FIND, STRIPE_OVER},
        {STRIPE_SETTLE, STRIPE_DO_CANCEL, STRIPE_DO_READ, STRIPE_NEXT},
        {STRIPE_CAPTURE, STRIPE_DO_CAPTURE, STRIPE_DO_READ, STRIPE_NEXT},
        {STRIPE_CANCEL, STRIPE_DO_CANCEL, STRIPE_DO_READ, STRIPE_NEXT},
        {STRIPE_REFUND, STRIPE_DO_REFUND, STRIPE_DO_FIND, STRIPE_NEXT},
    };
    for (unsigned i = 0; i < sizeof rows_of_it / sizeof *rows_of_it; i++) {
        struct stripe_steps steps;
        begin(&steps, rows_of_it[i].wish, false);
        steps.step = rows_of_it[i].step;
        assert_int_equal(answer(&steps, 500, OOPS, 0, false), rows_of_it[i].turn);
        assert_int_equal(steps.step, rows_of_it[i].next);
        if (rows_of_it[i].turn == STRIPE_OVER)
            assert_int_equal(steps.outcome, BANK_UNREACHABLE);
    }
}

/* Each has its own, and every server comes by the same ones. */
static void the_next_key_is_a_key_of_its_own(void **state)
{
    (void)state;
    static const char *const keys[] = {MARK ":create", MARK ":create:2", MARK ":create:3"};
    struct stripe_request request;
    struct bank_call call = {.key = mark(), .currency = STR("EUR")};
    stripe_request_init(&request);
    for (int wish = STRIPE_AUTHORISE; wish <= STRIPE_SETTLE; wish++) {
        struct stripe_steps steps;
        begin(&steps, (enum stripe_wish)wish, false);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(
                stripe_request_make(&request, &steps, &call, STR("https://b"), NULL, true), 0);
            assert_string_equal(request.key, keys[i]);
            assert_int_equal(answer(&steps, 500, OOPS, -1, true), STRIPE_NEXT);
        }
        answer(&steps, 200, PI("requires_payment_method"), -1, false);
        assert_int_equal(steps.key, 0);
    }
    stripe_request_close(&request);
}

static struct bank_call call_with(const char *token)
{
    struct bank_call call = {
        .token = str_of(token), .amount = 4200, .currency = STR("EUR"), .since_ms = 1795361400000};
    call.key.bytes[15] = 1;
    call.order.bytes[15] = 2;
    call.effect.bytes[15] = 3;
    return call;
}

#define ID(digit) "0000000000000000000000000000000" digit

static void requests_are_made_of_the_log_alone(void **state)
{
    (void)state;
    static const struct {
        enum stripe_wish wish;
        enum stripe_step step;
        const char *method, *url, *form, *key;
    } wanted[] = {
        {STRIPE_AUTHORISE, STRIPE_DO_CREATE, "POST", "https://b/v1/payment_intents",
         "amount=4200&currency=eur&capture_method=manual&payment_method_types%5B0%5D=card"
         "&metadata%5Bcheckout%5D=" ID("2") "&metadata%5Battempt%5D=" ID(
             "1") "&metadata%5Bshop%5D=" ID("9"),
         ID("1") ":create"},
        {STRIPE_AUTHORISE, STRIPE_DO_CONFIRM, "POST", "https://b/v1/payment_intents/pi_7/confirm",
         "payment_method=tok%20%26x%3D%C3%A9&error_on_requires_action=true", ID("1") ":confirm"},
        {STRIPE_SETTLE, STRIPE_DO_CANCEL, "POST", "https://b/v1/payment_intents/pi_7/cancel", "",
         ID("1") ":cancel"},
        {STRIPE_SETTLE, STRIPE_DO_READ, "GET", "https://b/v1/payment_intents/pi_7", "", ""},
        {STRIPE_SETTLE, STRIPE_DO_FIND, "GET",
         "https://b/v1/payment_intents?created%5Bgte%5D=1795347000&created%5Blte%5D=1795455000"
         "&limit=100",
         "", ""},
        {STRIPE_CANCEL, STRIPE_DO_CANCEL, "POST", "https://b/v1/payment_intents/pi_7/cancel", "",
         ID("3") ":cancel"},
        {STRIPE_CAPTURE, STRIPE_DO_CAPTURE, "POST", "https://b/v1/payment_intents/pi_7/capture",
         "amount_to_capture=4200", ID("3") ":capture"},
        {STRIPE_REFUND, STRIPE_DO_REFUND, "POST", "https://b/v1/refunds",
         "payment_intent=pi_7&amount=4200&metadata%5Bcheckout%5D=" ID(
             "2") "&metadata%5Beffect%5D=" ID("3"),
         ID("3") ":refund"},
        {STRIPE_REFUND, STRIPE_DO_FIND, "GET", "https://b/v1/refunds?payment_intent=pi_7&limit=100",
         "", ""},
    };
    struct bank_call call = call_with("tok &x=\xc3\xa9");
    struct id shop = {.bytes = {[15] = 9}};
    struct stripe_request request;
    stripe_request_init(&request);
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct stripe_steps steps;
        stripe_begin(&steps, wanted[i].wish, STR("pi_7"), mark(), false);
        steps.step = wanted[i].step;
        assert_int_equal(
            stripe_request_make(&request, &steps, &call, STR("https://b"), &shop, true), 0);
        assert_true(str_eq(request.method, str_of(wanted[i].method)));
        assert_true(str_eq(buf_text(&request.url), str_of(wanted[i].url)));
        assert_true(str_eq(buf_text(&request.form), str_of(wanted[i].form)));
        assert_string_equal(request.key, wanted[i].key);
    }
    stripe_request_close(&request);
}

static void test_tokens_are_known_to_a_bank_in_test_mode(void **state)
{
    (void)state;
    static const struct {
        const char *token, *sent;
    } tokens[] = {{"success_token", "pm_card_visa"},
                  {"fail_token", "pm_card_chargeDeclined"},
                  {"pm_card_amex", "pm_card_amex"}};
    struct stripe_request request;
    struct stripe_steps steps;
    stripe_request_init(&request);
    stripe_begin(&steps, STRIPE_AUTHORISE, STR("pi_7"), mark(), false);
    steps.step = STRIPE_DO_CONFIRM;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned live = 0; live < 2; live++) {
            char wanted[80];
            struct bank_call call = call_with(tokens[i].token);
            snprintf(wanted, sizeof wanted, "payment_method=%s&error_on_requires_action=true",
                     live ? tokens[i].token : tokens[i].sent);
            assert_int_equal(
                stripe_request_make(&request, &steps, &call, STR("https://b"), NULL, !live), 0);
            assert_true(str_eq(buf_text(&request.form), str_of(wanted)));
        }
    }
    stripe_request_close(&request);
}

static void a_strange_reference_does_not_get_into_a_path(void **state)
{
    (void)state;
    static const char *const references[] = {"", "../refunds", "pi_1/confirm", "pi_1?x", "pi 1"};
    struct stripe_request request;
    struct bank_call call = call_with("");
    stripe_request_init(&request);
    for (unsigned i = 0; i < sizeof references / sizeof *references; i++) {
        struct stripe_steps steps;
        stripe_begin(&steps, STRIPE_CAPTURE, str_of(references[i]), mark(), false);
        assert_int_equal(stripe_request_make(&request, &steps, &call, STR("https://b"), NULL, true),
                         ERR_INVALID);
    }
    stripe_request_close(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_leads_to_its_end),
        cmocka_unit_test(what_says_nothing_is_asked_again),
        cmocka_unit_test(what_may_not_be_asked_again_is_read),
        cmocka_unit_test(the_next_key_is_a_key_of_its_own),
        cmocka_unit_test(requests_are_made_of_the_log_alone),
        cmocka_unit_test(test_tokens_are_known_to_a_bank_in_test_mode),
        cmocka_unit_test(a_strange_reference_does_not_get_into_a_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The bank by Stripe's API, against a server of the test's own that says what a script tells it:
 * TLS with a pinned key, HTTP/2, answers that are lost, late or refused. */
#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "engine/engine.h"
#include "net/openssl.h"
#include "net/tls.h"
#include "outside/bank_stripe.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PI(status) "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"" status "\"}"
#define DECLINE                                                       \
    "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\"," \
    "\"message\":\"Your card was declined.\"}}"
#define API_ERROR "{\"error\":{\"type\":\"api_error\",\"message\":\"Oh\"}}"
#define TOO_OLD   "{\"error\":{\"code\":\"fence_too_old\",\"message\":\"Old\"}}"

enum { ASKED_MAX = 64, HELD_MAX = 16 };

/* What it answers to one request; status 0: the connection is closed, -1: it waits for ever. */
struct line {
    const char *path; /* how it ends */
    int status;
    const char *body;
    const char *retry; /* Stripe-Should-Retry */
};

struct scene {
    struct app app;
    struct engine *engine;
    struct bank *bank;
    char dir[64], url[64], pin[80];
    pthread_mutex_t mutex;
    const struct line *script; /* to one without a path; NULL: pays all */
    unsigned at;
    unsigned wrong;                 /* requests that were not the script's */
    char asked[ASKED_MAX][500];     /* "POST /path key fence form" */
    atomic_uint requests, versions; /* of them by HTTP/2 */
    atomic_bool shop_known;
    struct exchange *held[HELD_MAX]; /* answered when the scene closes */
    unsigned held_count;
};

static enum app_verdict pay_all(struct exchange *x)
{
    bool confirm = str_ends(x->path, STR("/confirm"));
    exchange_reply(x, 200, STR("application/json"),
                   confirm ? STR(PI("requires_capture")) : STR(PI("requires_payment_method")));
    return APP_DONE;
}

static void note(struct scene *scene, struct exchange *x)
{
    unsigned at = atomic_fetch_add(&scene->requests, 1);
    if (x->version == 20)
        atomic_fetch_add(&scene->versions, 1);
    if (at < ASKED_MAX)
        snprintf(scene->asked[at], sizeof scene->asked[at], "%.*s %.*s %.*s|%.*s|%.*s",
                 STR_FMT(x->method_name), STR_FMT(x->path),
                 STR_FMT(x->known[HTTP_FIELD_IDEMPOTENCY_KEY]),
                 STR_FMT(exchange_header(x, STR("stoa-fence"))), STR_FMT(x->body));
}

static enum app_verdict handle(struct app *app, struct exchange *x)
{
    struct scene *scene = CONTAINER_OF(app, struct scene, app);
    pthread_mutex_lock(&scene->mutex);
    note(scene, x);
    const struct line *line = scene->script;
    bool right = line != NULL && line->path != NULL && str_ends(x->path, str_of(line->path)) &&
                 str_eq(x->known[HTTP_FIELD_AUTHORIZATION], STR("Bearer sk_test_x"));
    if (right)
        scene->script++;
    else
        scene->wrong += line != NULL;
    pthread_mutex_unlock(&scene->mutex);
    if (line == NULL)
        return pay_all(x);
    if (!right) {
        exchange_reply(x, 418, STR("text/plain"), STR("not in the script"));
        return APP_DONE;
    }
    if (line->status < 0) {
        pthread_mutex_lock(&scene->mutex);
        CHECK(scene->held_count < HELD_MAX);
        scene->held[scene->held_count++] = x;
        pthread_mutex_unlock(&scene->mutex);
        return APP_LATER;
    }
    if (line->status == 0) {
        exchange_drop(x);
        return APP_DONE;
    }
    if (line->retry != NULL)
        exchange_add_header(x, STR("Stripe-Should-Retry"), str_of(line->retry));
    exchange_reply(x, line->status, STR("application/json"), str_of(line->body));
    return APP_DONE;
}

/* "sha256//" and the key's digest, as RFC 7469 has it. */
static void pin_of(const char *path, char pin[80])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(certificate);
    unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    assert_true(len > 0);
    SHA256(der, (size_t)len, digest);
    OPENSSL_free(der);
    X509_free(certificate);
    memcpy(pin, "sha256//", 8);
    EVP_EncodeBlock((unsigned char *)pin + 8, digest, sizeof digest);
}

static int shop_is(void *context, struct id *shop)
{
    struct scene *scene = context;
    *shop = (struct id){.bytes = {[15] = 9}};
    return atomic_load(&scene->shop_known) ? 0 : ERR_NOTFOUND;
}

/* What is answered on a busy machine is answered by then; what is not, is in no test's way. */
enum { PATIENCE_MS = 60000, TRY_MS = 20000 };

static void start_bank(struct scene *scene, const char *pin, uint32_t patience_ms, uint32_t try_ms)
{
    struct failure failure;
    struct bank_stripe_config config = {.url = scene->url,
                                        .secret = STR("sk_test_x"),
                                        .pin = pin,
                                        .shop = shop_is,
                                        .context = scene,
                                        .patience_ms = patience_ms,
                                        .try_ms = try_ms};
    assert_int_equal(bank_stripe_new(&config, &scene->bank, &failure), 0);
}

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct engine_config config = {.listen = {{.address = "127.0.0.1:0", .tls = true}},
                                   .listen_count = 1,
                                   .loops = 1,
                                   .stop_grace_ms = 50};
    struct failure failure = {0};
    assert_non_null(scene);
    pthread_mutex_init(&scene->mutex, NULL);
    atomic_store(&scene->shop_known, true);
    scene->app = (struct app){.name = "scripted bank", .handle = handle};
    str_copy(scene->dir, sizeof scene->dir, STR("/tmp/test_bank_stripe.XXXXXX"));
    assert_non_null(mkdtemp(scene->dir));
    str_copy(config.state_dir, sizeof config.state_dir, str_of(scene->dir));
    char path[TLS_PATH];
    assert_int_equal(tls_self_signed(scene->dir, path, &failure), 0);
    pin_of(path, scene->pin);
    if (engine_event.start(&config, &scene->app, &scene->engine, &failure) != 0)
        fail_msg("%s", failure.text);
    snprintf(scene->url, sizeof scene->url, "https://127.0.0.1:%u/",
             (unsigned)engine_event.port(scene->engine, 0));
    start_bank(scene, scene->pin, PATIENCE_MS, TRY_MS);
    *state = scene;
    return 0;
}

static void let_go(struct exchange *x)
{
    exchange_drop(x);
    exchange_finish(x);
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    char command[96];
    scene->bank->free(scene->bank);
    pthread_mutex_lock(&scene->mutex);
    for (unsigned i = 0; i < scene->held_count; i++)
        exchange_continue(scene->held[i], let_go);
    pthread_mutex_unlock(&scene->mutex);
    engine_event.stop(scene->engine);
    snprintf(command, sizeof command, "rm -r %s", scene->dir);
    assert_int_equal(system(command), 0);
    pthread_mutex_destroy(&scene->mutex);
    free(scene);
    return 0;
}

/* ---- Calls ---- */

struct waiting {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned answers, authorised;
};

struct asked {
    struct bank_call call;
    struct waiting *waiting;
    char reference[80], text[400];
};

static void waiting_init(struct waiting *waiting)
{
    *waiting = (struct waiting){0};
    pthread_mutex_init(&waiting->mutex, NULL);
    cond_init(&waiting->changed);
}

static void take_answer(struct bank_call *call)
{
    struct asked *asked = CONTAINER_OF(call, struct asked, call);
    struct waiting *waiting = asked->waiting;
    str_copy(asked->reference, sizeof asked->reference, call->answer_reference);
    str_copy(asked->text, sizeof asked->text, call->text);
    pthread_mutex_lock(&waiting->mutex);
    waiting->answers++;
    waiting->authorised += call->outcome == BANK_AUTHORISED;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->mutex);
}

static void wait_for(struct waiting *waiting, unsigned count)
{
    uint64_t until = clock_mono_ns() + 60 * SEC_NS;
    bool in_time = true;
    pthread_mutex_lock(&waiting->mutex);
    while (in_time && waiting->answers < count)
        in_time = cond_wait_until(&waiting->changed, &waiting->mutex, until);
    pthread_mutex_unlock(&waiting->mutex);
    assert_int_equal(waiting->answers, count);
}

static void fill(struct asked *asked, struct waiting *waiting)
{
    *asked = (struct asked){.call = {.key = {.bytes = {[15] = 1}},
                                     .order = {.bytes = {[15] = 2}},
                                     .effect = {.bytes = {[15] = 3}},
                                     .reference = STR("pi_1"),
                                     .token = STR("success_token"),
                                     .amount = 4200,
                                     .currency = STR("EUR"),
                                     .done = take_answer},
                            .waiting = waiting};
}

/* Asks by the script, all of which must have been asked for; gives the outcome. */
static enum bank_outcome ask(struct scene *scene, const struct line *script,
                             void (*act)(struct bank *bank, struct bank_call *call),
                             struct asked *asked)
{
    struct waiting waiting;
    struct fence fence = {.shop = {.bytes = {[0] = 0xab}}, .epoch = 2, .term = 7};
    waiting_init(&waiting);
    fill(asked, &waiting);
    if (act != scene->bank->authorise && act != scene->bank->settle)
        asked->call.fence = &fence;
    scene->script = script;
    atomic_store(&scene->requests, 0);
    act(scene->bank, &asked->call);
    wait_for(&waiting, 1);
    assert_int_equal(scene->wrong, 0);
    assert_null(scene->script->path);
    return asked->call.outcome;
}

static void a_card_pays_over_http2_with_a_pinned_key(void **state)
{
    struct scene *scene = *state;
    struct asked asked;
    static const struct line script[] = {
        {"/v1/payment_intents", 200, PI("requires_payment_method"), NULL},
        {"/v1/payment_intents/pi_1/confirm", 200, PI("requires_capture"), NULL},
        {0}};
    assert_int_equal(ask(scene, script, scene->bank->authorise, &asked), BANK_AUTHORISED);
    assert_string_equal(asked.reference, "pi_1");
    assert_int_equal(scene->versions, 2);
    assert_string_equal(scene->asked[1],
                        "POST /v1/payment_intents/pi_1/confirm 00000000000000000000000000000001:"
                        "confirm||payment_method=pm_card_visa&error_on_requires_action=true");
    assert_non_null(strstr(scene->asked[0], "metadata%5Bshop%5D=00000000000000000000000000000009"));
}

/* One that waits for less, where no answer is to come. */
static void change_bank(struct scene *scene, uint32_t patience_ms, uint32_t try_ms)
{
    scene->bank->free(scene->bank);
    start_bank(scene, scene->pin, patience_ms, try_ms);
}

static void another_key_than_the_pinned_one_is_not_trusted(void **state)
{
    struct scene *scene = *state;
    struct waiting waiting;
    struct asked asked;
    scene->pin[10] = scene->pin[10] == 'a' ? 'b' : 'a';
    change_bank(scene, PATIENCE_MS, TRY_MS);
    waiting_init(&waiting);
    fill(&asked, &waiting);
    uint64_t before = clock_mono_ns();
    scene->bank->authorise(scene->bank, &asked.call);
    wait_for(&waiting, 1);
    assert_int_equal(asked.call.outcome, BANK_UNREACHABLE);
    assert_int_equal(scene->requests, 0);
    assert_true(clock_mono_ns() - before < 30 * SEC_NS); /* it is not tried again */
}

static void a_decline_is_told(void **state)
{
    struct scene *scene = *state;
    struct asked asked;
    static const struct line script[] = {
        {"/v1/payment_intents", 200, PI("requires_payment_method"), NULL},
        {"/confirm", 402, DECLINE, NULL},
        {0}};
    assert_int_equal(ask(scene, script, scene->bank->authorise, &asked), BANK_REFUSED);
    assert_string_equal(asked.text, "Your card was declined");
}

/* Under the same key, and with the same bytes although the token was wiped. */
static void lost_late_and_failed_answers_are_asked_for_again(void **state)
{
    struct scene *scene = *state;
    struct asked asked;
    static const struct line script[] = {
        {"/v1/payment_intents", 0, NULL, NULL},
        {"/v1/payment_intents", 200, PI("requires_payment_method"), NULL},
        {"/confirm", -1, NULL, NULL},
        {"/confirm", 200, PI("requires_capture"), NULL},
        {0}};
    change_bank(scene, PATIENCE_MS, 2000);
    assert_int_equal(ask(scene, script, scene->bank->authorise, &asked), BANK_AUTHORISED);
    assert_int_equal(scene->requests, 4);
    assert_string_equal(scene->asked[0], scene->asked[1]);
    assert_string_equal(scene->asked[2], scene->asked[3]);
    static const struct line failing[] = {
        {"/v1/payment_intents", 500, API_ERROR, NULL},
        {"/v1/payment_intents", 200, PI("requires_payment_method"), NULL},
        {"/confirm", 400, API_ERROR, "true"},
        {"/confirm", 402, DECLINE, NULL},
        {0}};
    assert_int_equal(ask(scene, failing, scene->bank->authorise, &asked), BANK_REFUSED);
}

static void patience_has_an_end(void **state)
{
    struct scene *scene = *state;
    struct asked asked;
    static const struct line script[] = {{"/v1/payment_intents", -1, NULL, NULL},
                                         {"/v1/payment_intents", -1, NULL, NULL},
                                         {"/v1/payment_intents", 500, API_ERROR, NULL},
                                         {0}};
    /* The tries begin after 0, 0.8 and at most 2.1 s; the next would after 3.7 or more. */
    change_bank(scene, 3600, 300);
    assert_int_equal(ask(scene, script, scene->bank->authorise, &asked), BANK_UNREACHABLE);
    static const struct line forbidden[] = {{"/v1/payment_intents", 500, API_ERROR, "false"}, {0}};
    assert_int_equal(ask(scene, forbidden, scene->bank->authorise, &asked), BANK_UNREACHABLE);
    assert_non_null(strstr(asked.text, "500"));
}

static void what_was_never_begun_is_ended(void **state)
{
    struct scene *scene = *state;
    struct asked asked;
    static const struct line script[] = {
        {"/v1/payment_intents", 200, PI("requires_payment_method"), NULL},
        {"/v1/payment_intents/pi_1", 200, PI("requires_payment_method"), NULL},
        {"/v1/payment_intents/pi_1/cancel", 200, PI("canceled"), NULL},
        {0}};
    assert_int_equal(ask(scene, script, scene->bank->settle, &asked), BANK_REFUSED);
}

static void effects_bear_their_fence(void **state)
{
    struct scene *scene = *state;
    struct asked asked;
    static const struct line capture[] = {
        {"/v1/payment_intents/pi_1/capture", 200, PI("succeeded"), NULL}, {0}};
    assert_int_equal(ask(scene, capture, scene->bank->capture, &asked), BANK_DONE);
    assert_string_equal(scene->asked[0],
                        "POST /v1/payment_intents/pi_1/capture 00000000000000000000000000000003:"
                        "capture|ab000000000000000000000000000000 2.7|amount_to_capture=4200");
    static const struct line old[] = {{"/v1/refunds", 409, TOO_OLD, NULL}, {0}};
    assert_int_equal(ask(scene, old, scene->bank->refund, &asked), BANK_DEPOSED);
    static const struct line cancel[] = {{"/pi_1/cancel", 200, PI("canceled"), NULL}, {0}};
    assert_int_equal(ask(scene, cancel, scene->bank->cancel, &asked), BANK_DONE);
}

static void who_the_shop_is_may_be_learned_later(void **state)
{
    struct scene *scene = *state;
    struct waiting waiting;
    struct asked asked;
    waiting_init(&waiting);
    fill(&asked, &waiting);
    atomic_store(&scene->shop_known, false);
    scene->bank->authorise(scene->bank, &asked.call);
    assert_int_equal(scene->requests, 0);
    atomic_store(&scene->shop_known, true);
    wait_for(&waiting, 1);
    assert_int_equal(asked.call.outcome, BANK_AUTHORISED);
}

static void many_pay_at_once(void **state)
{
    struct scene *scene = *state;
    enum { MANY = 2000 };
    struct waiting waiting;
    struct asked *asked = calloc(MANY, sizeof *asked);
    assert_non_null(asked);
    waiting_init(&waiting);
    scene->bank->free(scene->bank);
    struct failure failure;
    /* So long a try that none is made again on a machine that stands still. */
    struct bank_stripe_config config = {.url = scene->url,
                                        .secret = STR("sk_test_x"),
                                        .pin = scene->pin,
                                        .patience_ms = 120000,
                                        .try_ms = 60000};
    assert_int_equal(bank_stripe_new(&config, &scene->bank, &failure), 0);
    uint64_t before = clock_mono_ns();
    for (unsigned i = 0; i < MANY; i++) {
        fill(&asked[i], &waiting);
        scene->bank->authorise(scene->bank, &asked[i].call);
    }
    wait_for(&waiting, MANY);
    print_message("%u payments in %.0f ms\n", MANY, (double)(clock_mono_ns() - before) / 1e6);
    assert_int_equal(waiting.authorised, MANY);
    assert_int_equal(scene->requests, 2 * MANY);
    free(asked);
}

static void ending_answers_all_that_waits(void **state)
{
    struct scene *scene = *state;
    static const struct line script[] = {{"/v1/payment_intents", -1, NULL, NULL},
                                         {"/v1/payment_intents", 500, API_ERROR, NULL},
                                         {0}};
    struct waiting waiting;
    struct asked asked[2];
    scene->script = script;
    waiting_init(&waiting);
    for (unsigned i = 0; i < 2; i++) {
        fill(&asked[i], &waiting);
        scene->bank->authorise(scene->bank, &asked[i].call);
    }
    uint64_t before = clock_mono_ns();
    scene->bank->free(scene->bank);
    assert_int_equal(waiting.answers, 2);
    assert_true(clock_mono_ns() - before < TRY_MS * MS_NS);
    assert_int_equal(asked[0].call.outcome, BANK_UNREACHABLE);
    assert_int_equal(asked[1].call.outcome, BANK_UNREACHABLE);
    start_bank(scene, scene->pin, PATIENCE_MS, TRY_MS);
}

static void a_wrong_address_or_key_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *url, *secret;
    } wrong[] = {{"", "sk"},        {"api.stripe.com", "sk"}, {"ftp://x", "sk"},
                 {"https://x", ""}, {"https://x", "s k"},     {"https://x", "sk\n"}};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct failure failure = {0};
        struct bank *bank = NULL;
        struct bank_stripe_config config = {.url = wrong[i].url, .secret = str_of(wrong[i].secret)};
        assert_int_equal(bank_stripe_new(&config, &bank, &failure), ERR_INVALID);
        assert_non_null(strstr(failure.text, "the bank's"));
        assert_null(bank);
    }
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_card_pays_over_http2_with_a_pinned_key),
        SCENE_TEST(another_key_than_the_pinned_one_is_not_trusted),
        SCENE_TEST(a_decline_is_told),
        SCENE_TEST(lost_late_and_failed_answers_are_asked_for_again),
        SCENE_TEST(patience_has_an_end),
        SCENE_TEST(what_was_never_begun_is_ended),
        SCENE_TEST(effects_bear_their_fence),
        SCENE_TEST(who_the_shop_is_may_be_learned_later),
        SCENE_TEST(many_pay_at_once),
        SCENE_TEST(ending_answers_all_that_waits),
        cmocka_unit_test(a_wrong_address_or_key_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

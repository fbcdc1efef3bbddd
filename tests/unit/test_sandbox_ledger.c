/* The sandbox bank's book: what calls write into it, what time does, keys and fences. */
#include "base/check.h"
#include "folder_fixture.h"
#include "outside/sandbox_calls.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <yyjson.h>

#include <cmocka.h>

enum { DAY_MS = 24 * 3600 * 1000 };

struct bed {
    char folder[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct db *db;
    struct arena arena;
    struct buf out, scratch;
    struct sandbox_account account;
    struct sandbox_hook_terms hooks;
    struct sandbox_form form;
    struct sandbox_work work;
};

static int set_up(void **state)
{
    struct failure failure = {0};
    struct bed *bed = calloc(1, sizeof *bed);
    folder_make(bed->folder);
    snprintf(bed->file, sizeof bed->file, "%s/bank.db", bed->folder);
    if (db_open(bed->file, DB_WRITER, &bed->db, &failure) || ledger_make(bed->db, &failure) ||
        ledger_account(bed->db, &bed->account))
        fail_msg("%s %s", failure.text, db_failure(bed->db)->text);
    arena_init(&bed->arena, 1 << 20);
    buf_init(&bed->out, 1 << 20);
    buf_init(&bed->scratch, 1 << 20);
    bed->work = (struct sandbox_work){.db = bed->db,
                                      .arena = &bed->arena,
                                      .out = &bed->out,
                                      .scratch = &bed->scratch,
                                      .account = &bed->account,
                                      .hooks = &bed->hooks,
                                      .form = &bed->form,
                                      .now_ms = 1795361400000,
                                      .lapse_ms = 60000,
                                      .request = STR("req_1"),
                                      .key = STR("K")};
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    db_close(bed->db);
    buf_close(&bed->out);
    buf_close(&bed->scratch);
    arena_close(&bed->arena);
    folder_remove(bed->folder);
    free(bed);
    return 0;
}

static int call(struct bed *bed, sandbox_call *run, const char *id, const char *form)
{
    struct sandbox_error error;
    bed->work.id = str_of(id);
    if (sandbox_form_read(&bed->form, &bed->arena, str_of(form), UINT64_MAX >> 1, 0, &error))
        fail_msg("%s: %s", form, error.message);
    buf_clear(&bed->out);
    int status = run(&bed->work);
    if (db_failure(bed->db)->err)
        fail_msg("%s", db_failure(bed->db)->text);
    return status;
}

/* A text in what was answered last, at the path "error/code". */
static void expect(struct bed *bed, const char *path, const char *value)
{
    char pointer[80];
    yyjson_doc *doc = yyjson_read(bed->out.at, bed->out.len, 0);
    assert_non_null(doc);
    snprintf(pointer, sizeof pointer, "/%s", path);
    const char *found = yyjson_get_str(yyjson_doc_ptr_get(doc, pointer));
    if (value)
        assert_string_equal(found ? found : "(none)", value);
    else
        assert_null(found);
    yyjson_doc_free(doc);
}

static void text_at(struct bed *bed, const char *name, char out[static PAYMENT_ID])
{
    yyjson_doc *doc = yyjson_read(bed->out.at, bed->out.len, 0);
    str_copy(out, PAYMENT_ID,
             str_of(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), name))));
    yyjson_doc_free(doc);
}

static uint64_t count(struct bed *bed, const char *sql)
{
    struct stmt *stmt = stmt_new(bed->db, sql);
    uint64_t found = stmt_only_u64(stmt, UINT64_MAX);
    stmt_free(stmt);
    return found;
}

#define MANUAL "amount=2000&currency=eur&capture_method=manual"

static void authorise(struct bed *bed, char id[static PAYMENT_ID])
{
    assert_int_equal(call(bed, call_payment_create, "",
                          MANUAL "&confirm=true&payment_method=pm_card_visa&metadata[a]=1"),
                     200);
    expect(bed, "status", "requires_capture");
    text_at(bed, "id", id);
}

static void calls_keep_what_they_did_and_say_so_in_events(void **state)
{
    struct bed *bed = *state;
    char id[PAYMENT_ID];
    authorise(bed, id);
    assert_int_equal(call(bed, call_payment_capture, id, "amount_to_capture=1500"), 200);
    expect(bed, "status", "succeeded");
    char form[80];
    snprintf(form, sizeof form, "payment_intent=%s&amount=400&metadata[effect]=e", id);
    assert_int_equal(call(bed, call_refund_create, "", form), 200);
    expect(bed, "metadata/effect", "e");
    assert_int_equal(count(bed, "SELECT count(*) FROM payment WHERE received = 1500"
                                " AND json_extract(metadata, '$.a') = '1'"),
                     1);
    assert_int_equal(count(bed, "SELECT count(*) FROM charge WHERE captured = 1500"
                                " AND refunded = 400 AND is_captured"),
                     1);
    assert_int_equal(count(bed, "SELECT count(*) FROM event WHERE request = 'req_1' AND key = 'K'"),
                     7);
    assert_int_equal(count(bed, "SELECT count(*) FROM hook"), 0); /* nobody to send them to */
}

static void answers_without_an_effect_leave_nothing(void **state)
{
    struct bed *bed = *state;
    char id[PAYMENT_ID], form[80];
    assert_int_equal(call(bed, call_payment_create, "", MANUAL), 200);
    text_at(bed, "id", id);
    assert_int_equal(call(bed, call_payment_capture, id, ""), 400);
    expect(bed, "error/code", "payment_intent_unexpected_state");
    expect(bed, "error/payment_intent/id", id);
    assert_int_equal(call(bed, call_payment_confirm, id, "payment_method=pm_none"), 400);
    expect(bed, "error/param", "payment_method");
    assert_int_equal(call(bed, call_payment_confirm, "pi_x", ""), 404);
    snprintf(form, sizeof form, "payment_intent=%s", id);
    assert_int_equal(call(bed, call_refund_create, "", form), 400);
    expect(bed, "error/code", NULL);
    assert_int_equal(call(bed, call_refund_create, "", "charge=ch_x"), 400);
    expect(bed, "error/code", "resource_missing");
    assert_int_equal(count(bed, "SELECT count(*) FROM event"), 1);
    assert_int_equal(count(bed, "SELECT count(*) FROM charge"), 0);
}

static void only_wanted_events_get_a_webhook(void **state)
{
    struct bed *bed = *state;
    char id[PAYMENT_ID];
    bed->hooks = (struct sandbox_hook_terms){
        .any = true, .types = {"payment_intent.canceled"}, .type_count = 1};
    bed->work.hook_delay_ms = 500;
    authorise(bed, id);
    assert_int_equal(count(bed, "SELECT count(*) FROM hook"), 0);
    assert_int_equal(call(bed, call_payment_cancel, id, ""), 200);
    assert_int_equal(count(bed, "SELECT count(*) FROM hook JOIN event ON event = number"
                                " WHERE type = 'payment_intent.canceled' AND tries = 0"
                                " AND next_ms = 1795361400500"),
                     1);
}

static void authorisations_lapse_when_their_time_has_come(void **state)
{
    struct bed *bed = *state;
    char first[PAYMENT_ID], second[PAYMENT_ID];
    authorise(bed, first);
    bed->work.now_ms += 30000;
    authorise(bed, second);
    bed->work.now_ms += 29999;
    assert_int_equal(sandbox_tick(&bed->work), 0);
    bed->work.now_ms += 1;
    assert_int_equal(sandbox_tick(&bed->work), 1);
    assert_int_equal(sandbox_tick(&bed->work), 0);
    assert_int_equal(call(bed, call_payment_get, first, ""), 200);
    expect(bed, "status", "canceled");
    expect(bed, "cancellation_reason", "expired");
    assert_int_equal(call(bed, call_payment_get, second, ""), 200);
    expect(bed, "status", "requires_capture");
    assert_int_equal(count(bed, "SELECT count(*) FROM event WHERE type = 'charge.expired'"), 1);
}

/* ---- Keys ---- */

static void a_key_lives_for_a_day(void **state)
{
    struct bed *bed = *state;
    struct sandbox_saved saved = {STR("/v1/x"), STR("digest"), 402, STR("{}\n")}, found;
    int64_t now_ms = bed->work.now_ms;
    assert_int_equal(ledger_saved(bed->db, STR("k"), now_ms, &bed->arena, &found), ERR_NOTFOUND);
    assert_int_equal(ledger_save_answer(bed->db, STR("k"), now_ms, &saved), 0);
    assert_int_equal(ledger_saved(bed->db, STR("k"), now_ms + DAY_MS - 1, &bed->arena, &found), 0);
    assert_int_equal(found.status, 402);
    assert_true(str_eq(found.path, saved.path) && str_eq(found.digest, saved.digest) &&
                str_eq(found.body, saved.body));
    assert_int_equal(ledger_saved(bed->db, STR("k"), now_ms + DAY_MS, &bed->arena, &found),
                     ERR_NOTFOUND);
    /* Not removed yet, and used again. */
    saved.status = 200;
    assert_int_equal(ledger_save_answer(bed->db, STR("k"), now_ms + DAY_MS, &saved), 0);
    assert_int_equal(ledger_saved(bed->db, STR("k"), now_ms + DAY_MS, &bed->arena, &found), 0);
    assert_int_equal(found.status, 200);
}

static void old_keys_are_removed_in_pieces(void **state)
{
    struct bed *bed = *state;
    struct sandbox_saved saved = {STR("/v1/x"), STR("digest"), 200, STR("{}")};
    int64_t now_ms = bed->work.now_ms;
    assert_int_equal(db_begin(bed->db), 0);
    for (int i = 0; i < 1200; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(ledger_save_answer(bed->db, str_of(key), now_ms + (i >= 900), &saved), 0);
    }
    assert_int_equal(db_commit(bed->db), 0);
    assert_int_equal(ledger_prune(bed->db, now_ms + DAY_MS), 0);
    assert_int_equal(count(bed, "SELECT count(*) FROM idempotency"), 1200);
    assert_int_equal(ledger_prune(bed->db, now_ms + DAY_MS + 1), 0);
    assert_int_equal(count(bed, "SELECT count(*) FROM idempotency"), 700);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ledger_prune(bed->db, now_ms + DAY_MS + 1), 0);
    assert_int_equal(count(bed, "SELECT count(*) FROM idempotency"), 300);
}

/* ---- Fences ---- */

static void the_highest_fence_of_a_shop_counts(void **state)
{
    struct bed *bed = *state;
    struct fence fence = {.shop = {{1}}, .epoch = 2, .term = 5}, highest;
    struct fence other = {.shop = {{2}}, .epoch = 1, .term = 1};
    assert_int_equal(ledger_fence(bed->db, &fence, STR("p"), STR("w"), 1, &highest), 0);
    assert_int_equal(ledger_fence(bed->db, &fence, STR("p"), STR("w"), 2, &highest), 0);
    assert_int_equal(ledger_fence(bed->db, &other, STR("p"), STR("w"), 3, &highest), 0);
    struct fence older = {.shop = {{1}}, .epoch = 1, .term = 99};
    assert_int_equal(ledger_fence(bed->db, &older, STR("here"), STR("what"), 4, &highest),
                     ERR_DENIED);
    assert_int_equal(highest.epoch, 2);
    assert_int_equal(highest.term, 5);
    fence.term = 6;
    assert_int_equal(ledger_fence(bed->db, &fence, STR("p"), STR("w"), 5, &highest), 0);
    fence.term = 5;
    assert_int_equal(ledger_fence(bed->db, &fence, STR("p"), STR("w"), 6, &highest), ERR_DENIED);
    assert_int_equal(count(bed, "SELECT count(*) FROM refused"), 2);
    assert_int_equal(count(bed, "SELECT count(*) FROM refused WHERE time_ms = 4 AND peer = 'here'"
                                " AND what = 'what' AND fence LIKE '01% 1.99'"
                                " AND highest LIKE '01% 2.5'"),
                     1);
}

static void a_newer_ledger_is_not_opened(void **state)
{
    struct bed *bed = *state;
    struct failure failure = {0};
    assert_int_equal(db_exec(bed->db, "PRAGMA user_version = 2"), 0);
    assert_int_equal(ledger_make(bed->db, &failure), ERR_UNSUPPORTED);
    assert_non_null(strstr(failure.text, "newer version"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(calls_keep_what_they_did_and_say_so_in_events),
        TEST(answers_without_an_effect_leave_nothing),
        TEST(only_wanted_events_get_a_webhook),
        TEST(authorisations_lapse_when_their_time_has_come),
        TEST(a_key_lives_for_a_day),
        TEST(old_keys_are_removed_in_pieces),
        TEST(the_highest_fence_of_a_shop_counts),
        TEST(a_newer_ledger_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "outside/warehouse_reporter.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "outside/transfer.h"
#include "outside/warehouse_act.h"
#include "outside/warehouse_json.h"
#include "outside/warehouse_reports.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WAIT_LEAST_MS = 200,
    WAIT_MOST_MS = 5000, /* one small request each so often does no harm to a shop that is back */
    REST_MS = 30000,     /* when people have to decide first */
    ANSWER_MAX = 16384,
    GRACE_MS = 500,
};

struct warehouse_reporter {
    const struct warehouse_config *config;
    struct writer *writer;
    struct transfers *transfers;
    struct transfer_trust trust;
    struct db *db; /* the thread's reader */
    pthread_t thread;
    char bearer[300];
    unsigned shop; /* the address that is tried next */
    unsigned most; /* reports in the next request */
    uint64_t wait_ms;

    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t changed;
    bool stopping, woken, over;
    struct buf answer;
    struct reporter_state state;
};

/* ---- One request ---- */

static void request_done(struct transfer *transfer)
{
    struct warehouse_reporter *reporter = transfer->context;
    pthread_mutex_lock(&reporter->mutex);
    buf_clear(&reporter->answer);
    buf_str(&reporter->answer, transfer->answer);
    reporter->over = true;
    pthread_cond_broadcast(&reporter->changed);
    pthread_mutex_unlock(&reporter->mutex);
}

/* The transfers end before they are freed, so nothing is started any more once it is stopping. */
static int send_request(struct warehouse_reporter *reporter, struct transfer *transfer)
{
    pthread_mutex_lock(&reporter->mutex);
    reporter->over = false;
    int err = reporter->stopping ? ERR_CLOSED : transfer_start(reporter->transfers, transfer);
    while (!err && !reporter->over)
        pthread_cond_wait(&reporter->changed, &reporter->mutex);
    pthread_mutex_unlock(&reporter->mutex);
    if (err)
        fail(&transfer->failure, err, "%s", err_sentence(err));
    return err ? err : transfer->err;
}

/* Keeps for people how it goes. TROUBLE empty: well. */
static void note(struct warehouse_reporter *reporter, const char *trouble)
{
    struct reporter_state *state = &reporter->state;
    pthread_mutex_lock(&reporter->mutex);
    bool news = strcmp(state->trouble, trouble) != 0;
    state->tried_ms = clock_wall_ms();
    state->well = trouble[0] == '\0';
    if (state->well)
        state->well_ms = state->tried_ms;
    str_copy(state->trouble, sizeof state->trouble, str_of(trouble));
    pthread_mutex_unlock(&reporter->mutex);
    if (news)
        log_line(reporter->config->log, trouble[0] ? LOG_WARN : LOG_INFO, "warehouse",
                 trouble[0] ? "reports wait: %s" : "reports reach the shop again%s", trouble);
}

/* ---- What the shop answers ---- */

struct verdict {
    struct warehouse_change change;
    enum { VERDICT_TAKEN, VERDICT_GAP, VERDICT_REFUSED, VERDICT_MALFORMED, VERDICT_LATER } kind;
    uint64_t sequence, first, last;
    char text[240];
};

static int note_verdict(struct book *book, void *argument)
{
    const struct verdict *verdict = argument;
    return verdict->kind == VERDICT_TAKEN
               ? warehouse_reports_taken(book, verdict->sequence, verdict->last)
           : verdict->kind == VERDICT_GAP
               ? warehouse_reports_gap(book, verdict->sequence)
               : warehouse_reports_refused(book, verdict->sequence, str_of(verdict->text));
}

static void read_verdict(int status, struct str body, struct verdict *verdict)
{
    struct arena arena;
    struct warehouse_json in;
    arena_init(&arena, 64 * ANSWER_MAX);
    warehouse_json_read(&in, &arena, body);
    struct str error = warehouse_json_text(&in, in.root, "", "error", 200);
    struct str text = warehouse_json_text(&in, in.root, "", "text", ANSWER_MAX);
    int64_t sequence = warehouse_json_int(&in, in.root, "", "sequence", 0, INT64_MAX, 0);
    int64_t expected = warehouse_json_int(&in, in.root, "", "expected", 0, INT64_MAX, 0);
    bool reads = !in.wrong.at;
    if (status == 200 && reads && yyjson_obj_get(in.root, "sequence"))
        verdict->kind = VERDICT_TAKEN;
    else if (status == 409 && reads && str_eq(error, STR("gap")) && expected > 0)
        verdict->kind = VERDICT_GAP;
    else if (status >= 400 && status < 500 && reads && sequence > 0 &&
             str_eq(error, STR("refused")))
        verdict->kind = VERDICT_REFUSED;
    else if (status == 400 && reads && str_eq(error, STR("malformed")))
        verdict->kind = VERDICT_MALFORMED;
    else
        verdict->kind = VERDICT_LATER;
    verdict->sequence = (uint64_t)(verdict->kind == VERDICT_GAP ? expected : sequence);
    if (verdict->kind == VERDICT_LATER)
        snprintf(verdict->text, sizeof verdict->text, "the shop answers %d%s%.*s%s", status,
                 text.len    ? ": "
                 : error.len ? ": "
                             : "",
                 STR_FMT(str_clip_utf8(text.len ? text : error, 160)),
                 status == 401 || status == 403 ? " (is the token this warehouse's?)" : "");
    else
        str_copy(verdict->text, sizeof verdict->text, str_clip_utf8(text, 239));
    arena_close(&arena);
}

/* One of them is no report, and the shop cannot say which: each goes by itself until it is found,
 * and that one is refused. False: it is not found yet. */
static bool find_malformed(struct warehouse_reporter *reporter, struct verdict *verdict)
{
    bool found = verdict->first == verdict->last;
    reporter->most = found ? REPORTS_AT_ONCE : 1;
    verdict->kind = VERDICT_REFUSED;
    verdict->sequence = verdict->first;
    return found;
}

/* ---- The thread ---- */

enum turn { TURN_ON, TURN_LATER, TURN_REST };

static enum turn take_verdict(struct warehouse_reporter *reporter, struct verdict *verdict)
{
    verdict->change = (struct warehouse_change){.run = note_verdict, .argument = verdict};
    if (verdict->kind == VERDICT_TAKEN)
        crash_here(reporter->config->crash, CRASH_warehouse_reported);
    int err = warehouse_change_do(reporter->writer, &verdict->change);
    if (err) {
        note(reporter, verdict->change.failure.text);
        return err == ERR_STATE ? TURN_REST : TURN_LATER;
    }
    if (verdict->kind == VERDICT_REFUSED) {
        char text[300];
        snprintf(text, sizeof text, "the shop refuses report %" PRIu64 ": %s", verdict->sequence,
                 verdict->text);
        note(reporter, text);
        return TURN_REST;
    }
    note(reporter, "");
    return TURN_ON;
}

static void fill_request(struct warehouse_reporter *reporter, struct str body,
                         const char url[static 600], struct transfer *transfer)
{
    *transfer = (struct transfer){
        .method = STR("POST"),
        .url = str_of(url),
        .headers = {{STR("Authorization"), str_of(reporter->bearer)},
                    {STR("Content-Type"), STR("application/json")}},
        .header_count = 2,
        .body = body,
        .trust = &reporter->trust,
        .answer_max = ANSWER_MAX,
        .done = request_done,
        .context = reporter,
    };
}

static enum turn tell(struct warehouse_reporter *reporter, struct str body, uint64_t first,
                      uint64_t last)
{
    const struct warehouse_config *config = reporter->config;
    char url[600];
    struct transfer transfer;
    struct verdict verdict = {.first = first, .last = last};
    snprintf(url, sizeof url, "%s/api/warehouse/%s/reports",
             config->shops[reporter->shop % config->shop_count], config->id);
    fill_request(reporter, body, url, &transfer);
    int err = send_request(reporter, &transfer);
    if (err) {
        reporter->shop++;
        if (err != ERR_CLOSED)
            note(reporter, transfer.failure.text);
        return TURN_LATER;
    }
    read_verdict(transfer.status, buf_text(&reporter->answer), &verdict);
    if (verdict.kind == VERDICT_MALFORMED && !find_malformed(reporter, &verdict))
        return TURN_ON;
    if (verdict.kind != VERDICT_LATER)
        return take_verdict(reporter, &verdict);
    reporter->shop++;
    note(reporter, verdict.text);
    return TURN_LATER;
}

static enum turn take_turn(struct warehouse_reporter *reporter)
{
    struct buf body;
    uint64_t first = 0;
    unsigned count = 0;
    buf_init(&body, 2 * REPORTS_BYTES_MAX);
    db_forget_failure(reporter->db);
    int err = db_begin(reporter->db);
    err = err ? err : warehouse_reports_next(reporter->db, reporter->most, &body, &first, &count);
    db_rollback(reporter->db);
    enum turn turn = TURN_REST;
    if (err) {
        note(reporter,
             db_failure(reporter->db)->err ? db_failure(reporter->db)->text : err_sentence(err));
        turn = TURN_LATER;
    } else if (count) {
        turn = tell(reporter, buf_text(&body), first, first + count - 1);
    }
    buf_close(&body);
    return turn;
}

/* False: it is stopping. What wakes it does not shorten a wait for a shop that is away. */
static bool rest(struct warehouse_reporter *reporter, uint64_t ms, bool wakeable)
{
    uint64_t until_ns = clock_mono_ns() + ms * MS_NS;
    pthread_mutex_lock(&reporter->mutex);
    bool in_time = true;
    while (in_time && !reporter->stopping && !(wakeable && reporter->woken))
        in_time = cond_wait_until(&reporter->changed, &reporter->mutex, until_ns);
    reporter->woken = false;
    bool goes_on = !reporter->stopping;
    pthread_mutex_unlock(&reporter->mutex);
    return goes_on;
}

static void *run_reporter(void *context)
{
    struct warehouse_reporter *reporter = context;
    bool goes_on = true;
    while (goes_on) {
        switch (take_turn(reporter)) {
        case TURN_ON:
            reporter->wait_ms = WAIT_LEAST_MS;
            goes_on = rest(reporter, 0, true);
            break;
        case TURN_LATER:
            goes_on = rest(reporter, reporter->wait_ms, false);
            reporter->wait_ms *= 2;
            if (reporter->wait_ms > WAIT_MOST_MS)
                reporter->wait_ms = WAIT_MOST_MS;
            break;
        case TURN_REST:
            reporter->wait_ms = WAIT_LEAST_MS;
            goes_on = rest(reporter, REST_MS, true);
            break;
        }
    }
    return NULL;
}

/* ---- From outside ---- */

int warehouse_reporter_start(const struct warehouse_config *config, struct writer *writer,
                             struct warehouse_reporter **out, struct failure *failure)
{
    struct transfers_config transfers = {.connections = 1, .at_once = 1, .waiting_max = 1};
    *out = NULL;
    if (!config->shop_count)
        return 0;
    struct warehouse_reporter *reporter = calloc(1, sizeof *reporter);
    if (!reporter)
        return fail(failure, ERR_NOMEM, "no memory to report to the shop");
    reporter->config = config;
    reporter->writer = writer;
    reporter->most = REPORTS_AT_ONCE;
    reporter->wait_ms = WAIT_LEAST_MS;
    reporter->state.well = true;
    reporter->trust =
        (struct transfer_trust){.authority_file = config->authority, .pin = config->pin};
    snprintf(reporter->bearer, sizeof reporter->bearer, "Bearer %s", config->token);
    buf_init(&reporter->answer, ANSWER_MAX);
    pthread_mutex_init(&reporter->mutex, NULL);
    cond_init(&reporter->changed);
    int err = db_open(config->file, DB_READER, &reporter->db, failure);
    if (!err && (err = transfers_new(&transfers, &reporter->transfers)))
        fail(failure, err, "libcurl cannot be used: %s", err_sentence(err));
    if (!err && thread_start(&reporter->thread, "reporter", run_reporter, reporter))
        err = fail(failure, ERR_NOMEM, "no thread to report to the shop");
    if (!err) {
        *out = reporter;
        return 0;
    }
    transfers_free(reporter->transfers, 0);
    db_close(reporter->db);
    free(reporter);
    return err;
}

void warehouse_reporter_stop(struct warehouse_reporter *reporter)
{
    if (!reporter)
        return;
    pthread_mutex_lock(&reporter->mutex);
    reporter->stopping = true;
    pthread_cond_broadcast(&reporter->changed);
    pthread_mutex_unlock(&reporter->mutex);
    transfers_free(reporter->transfers, GRACE_MS);
    pthread_join(reporter->thread, NULL);
    db_close(reporter->db);
    buf_close(&reporter->answer);
    pthread_cond_destroy(&reporter->changed);
    pthread_mutex_destroy(&reporter->mutex);
    free(reporter);
}

void warehouse_reporter_wake(struct warehouse_reporter *reporter)
{
    if (!reporter)
        return;
    pthread_mutex_lock(&reporter->mutex);
    reporter->woken = true;
    pthread_cond_broadcast(&reporter->changed);
    pthread_mutex_unlock(&reporter->mutex);
}

void warehouse_reporter_look(struct warehouse_reporter *reporter, struct reporter_state *state)
{
    *state = (struct reporter_state){.well = true};
    if (!reporter)
        return;
    pthread_mutex_lock(&reporter->mutex);
    *state = reporter->state;
    pthread_mutex_unlock(&reporter->mutex);
}

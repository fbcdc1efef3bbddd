#include "outside/outbox.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/hash.h"
#include "base/thread.h"
#include "outside/identity.h"
#include "outside/outbox_answers.h"

#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ROUND_BYTES = 64 * 1024 * 1024, /* arena of one reading: rows with all their lines */
    READINGS_PER_ROUND = 10,        /* of a lane, so that each gets its turn */
    CATCH_UP_MS = 5000,
    INTERVAL_MS = 1000,
    TERM_LOOK_MS = 50, /* while it does not send */
    ADDRESS_TEXT = 1024,
};

struct outbox {
    struct outbox_config config;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows, up to the blank line */
    pthread_cond_t changed;
    bool stopping, woken, told; /* told: the command that was submitted has its answer */
    struct lane_row *inbox, **inbox_last;
    unsigned on_their_way; /* rows */
    struct outbox_report report;

    /* The thread's own: */
    struct arena arena;
    struct random random;
    struct lane_waits waits;
    struct outbox_answers answers;
    struct fence fence;   /* its term: the one in which this server sends; 0: it does not */
    uint64_t failed_term; /* that could not be begun, as was said in the log */
    bool doubted;         /* a receiver has seen a newer primary */
    uint64_t refused_fences;
    uint64_t look_ns; /* when the next look at everything is due */
    struct outbox_lane lanes[OUTBOX_LANES_MAX];
    unsigned lane_count;
    struct list orphans; /* rows of an earlier term that are on their way */
};

/* ---- What comes from other threads ---- */

/* It goes into the log, and to people. */
static void copy_text(char out[static LANE_TEXT], struct str text)
{
    bool utf8 = str_is_utf8(text);
    str_copy(out, LANE_TEXT, str_clip_utf8(text, LANE_TEXT - 1));
    for (char *at = out; *at != 0; at++)
        if ((unsigned char)*at < ' ' || (!utf8 && (unsigned char)*at >= 0x80))
            *at = '?';
}

/* Any thread. */
static void sent_done(struct outbox_send *send, const struct outbox_said *said)
{
    struct lane_row *row = CONTAINER_OF(send, struct lane_row, send);
    struct outbox *outbox = row->outbox;
    row->sent = said->sent;
    row->wait_ms = said->wait_ms;
    copy_text(row->text, said->text);
    row->answer_count =
        said->line_count < row->row.line_count ? said->line_count : row->row.line_count;
    if (row->answer_count > 0)
        memcpy(row->answer_lines, said->lines, row->answer_count * sizeof row->lines[0]);
    pthread_mutex_lock(&outbox->mutex);
    row->next_in_box = NULL;
    *outbox->inbox_last = row;
    outbox->inbox_last = &row->next_in_box;
    outbox->on_their_way--;
    pthread_cond_broadcast(&outbox->changed);
    pthread_mutex_unlock(&outbox->mutex);
}

static void count_begun(void *context, unsigned rows)
{
    struct outbox *outbox = context;
    pthread_mutex_lock(&outbox->mutex);
    outbox->on_their_way += rows;
    pthread_mutex_unlock(&outbox->mutex);
}

/* On replica's threads. */
static void command_told(void *context)
{
    struct outbox *outbox = context;
    pthread_mutex_lock(&outbox->mutex);
    outbox->told = true;
    pthread_cond_broadcast(&outbox->changed);
    pthread_mutex_unlock(&outbox->mutex);
}

void outbox_wake(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    pthread_mutex_lock(&outbox->mutex);
    outbox->woken = true;
    pthread_cond_broadcast(&outbox->changed);
    pthread_mutex_unlock(&outbox->mutex);
}

/* ---- Terms ---- */

static bool still_leads(void *context)
{
    struct outbox *outbox = context;
    return order_leading_term(outbox->config.order) == outbox->fence.term;
}

static void end_term(struct outbox *outbox)
{
    for (unsigned i = 0; i < outbox->lane_count; i++)
        lane_forget(&outbox->lanes[i], &outbox->orphans);
    answers_forget(&outbox->answers);
    outbox->fence.term = 0;
    outbox->doubted = false;
}

/* A server that has just become primary first gets all that was acknowledged: rows that another
 * has sent and answered are gone then. */
static int catch_up(struct outbox *outbox)
{
    struct ordering *order = outbox->config.order;
    uint64_t index;
    int err = order_submit_wait(order, STR_NONE, NULL, &index);
    return err != 0 ? err : order_await_wait(order, index, CATCH_UP_MS);
}

static int read_identity(struct outbox *outbox, struct fence *fence)
{
    const struct outbox_view *view = &outbox->config.view;
    struct failure failure;
    int err = view->identity(view->context, &fence->shop, &fence->epoch);
    if (err != ERR_NOTFOUND)
        return err;
    err = identity_put(outbox->config.order, &failure);
    return err != 0 ? err : view->identity(view->context, &fence->shop, &fence->epoch);
}

static void begin_term(struct outbox *outbox, uint64_t term)
{
    struct fence fence = {.term = term};
    char text[FENCE_TEXT_SIZE];
    int err = catch_up(outbox);
    err = err != 0 ? err : read_identity(outbox, &fence);
    if (order_leading_term(outbox->config.order) != term)
        return;
    if (err != 0) {
        if (outbox->failed_term != term)
            log_line(outbox->config.log, LOG_WARN, "outbox",
                     "nothing is sent yet in term %llu: %s; tried again each second",
                     (unsigned long long)term, err_sentence(err));
        outbox->failed_term = term;
        return;
    }
    fence_write(&fence, text);
    log_line(outbox->config.log, LOG_INFO, "outbox", "this server sends, with fence %s", text);
    outbox->fence = fence;
    outbox->look_ns = 0;
}

/* It was refused as too old. Either this server is no primary any more, then the barrier does not
 * come through; or it is, and then the receiver knows a newer shop of this id: a copy that was
 * restored somewhere. That receiver waits, the others get what is theirs. */
static void look_at_doubt(struct outbox *outbox)
{
    uint64_t term = outbox->fence.term;
    if (catch_up(outbox) != 0 || order_leading_term(outbox->config.order) != term)
        end_term(outbox);
    outbox->doubted = false;
}

static void look_at_term(struct outbox *outbox)
{
    uint64_t term = order_leading_term(outbox->config.order);
    if (outbox->fence.term != 0 && outbox->fence.term != term)
        end_term(outbox);
    if (outbox->fence.term != 0 && outbox->doubted)
        look_at_doubt(outbox);
    else if (term != 0 && outbox->fence.term == 0 &&
             (term != outbox->failed_term || clock_mono_ns() >= outbox->look_ns))
        begin_term(outbox, term);
}

/* ---- Lanes ---- */

static const struct outbox_sender *sender_of(const struct outbox *outbox, struct str lane)
{
    const struct outbox_config *config = &outbox->config;
    return str_eq(lane, STR("bank"))             ? config->bank
           : str_eq(lane, STR("webhook"))        ? config->webhook
           : str_eq(lane, STR("mail"))           ? config->mail
           : str_starts(lane, STR("warehouse/")) ? config->warehouse
                                                 : NULL;
}

static struct outbox_lane *lane_of(struct outbox *outbox, struct str name)
{
    for (unsigned i = 0; i < outbox->lane_count; i++)
        if (str_eq(str_of(outbox->lanes[i].name), name))
            return &outbox->lanes[i];
    if (outbox->lane_count >= OUTBOX_LANES_MAX || name.len >= OUTBOX_LANE_NAME ||
        lane_open(&outbox->lanes[outbox->lane_count], name, sender_of(outbox, name)) != 0)
        return NULL;
    return &outbox->lanes[outbox->lane_count++];
}

/* Where WAREHOUSE takes what it gets, and by which token. */
static uint64_t address_of(const struct warehouse *warehouse)
{
    char text[ADDRESS_TEXT];
    int len = snprintf(text, sizeof text, "%.*s %.*s %" PRIu32, STR_FMT(warehouse->url),
                       STR_FMT(warehouse->pin), warehouse->token);
    size_t used = len < (int)sizeof text ? (size_t)len : sizeof text - 1;
    return hash_fast((struct hash_key){1, 2}, str_make(text, used)) | 1;
}

/* The operator has put it elsewhere, or given it another token: that may be what it waited for. */
static void note_address(struct outbox_lane *lane, uint64_t address)
{
    if (lane->address != 0 && lane->address != address)
        lane_try_now(lane);
    lane->address = address;
}

/* Its warehouse is gone for good, and what was to be told to it is out of the table. */
static void silence(struct outbox *outbox, struct outbox_lane *lane)
{
    lane_forget(lane, &outbox->orphans);
    lane->sender = NULL;
    lane->error[0] = 0;
}

/* A lane for each warehouse, with rows or not: it shall know the fence. */
static int find_warehouses(struct outbox *outbox)
{
    const struct outbox_view *view = &outbox->config.view;
    struct warehouse *list;
    unsigned count = 0;
    arena_reset(&outbox->arena);
    int err = view->warehouses(view->context, &outbox->arena, &list, &count);
    for (unsigned i = 0; err == 0 && i < count; i++) {
        char name[OUTBOX_LANE_NAME] = "warehouse/";
        str_copy(name + strlen(name), sizeof name - strlen(name), list[i].id);
        struct outbox_lane *lane = list[i].url.len > 0 ? lane_of(outbox, str_of(name)) : NULL;
        if (lane != NULL && list[i].gone)
            silence(outbox, lane);
        else if (lane != NULL)
            note_address(lane, address_of(&list[i]));
    }
    return err;
}

static void report_lane(const struct outbox_lane *lane, uint64_t now_ns,
                        struct outbox_lane_report *report)
{
    report->sent = lane->sent;
    report->failed = lane->failed;
    report->refused = lane->refused;
    report->wait_ms = lane_wait_ms(lane, now_ns);
    for (unsigned i = 0; i < lane->receiver_count; i++)
        report->on_their_way += lane->receivers[i].on_their_way;
    str_copy(report->error, sizeof report->error, str_of(lane->error));
}

/* What is in the table, also on a server that does not send. */
static int make_report(struct outbox *outbox, uint64_t now_ns)
{
    const struct outbox_view *view = &outbox->config.view;
    struct outbox_lane_count *counts;
    unsigned count = 0;
    arena_reset(&outbox->arena);
    int err = view->lanes(view->context, &outbox->arena, &counts, &count);
    for (unsigned i = 0; err == 0 && i < count; i++)
        lane_of(outbox, counts[i].lane);
    if (err != 0)
        return err;
    struct outbox_report *report = ARENA_NEW(&outbox->arena, struct outbox_report);
    if (report == NULL)
        return ERR_NOMEM;
    report->sending = outbox->fence.term != 0;
    report->term = outbox->fence.term;
    report->refused_fences = outbox->refused_fences;
    for (unsigned i = 0; i < outbox->lane_count; i++) {
        struct outbox_lane_report *lane = &report->lanes[report->lane_count++];
        str_copy(lane->lane, sizeof lane->lane, str_of(outbox->lanes[i].name));
        report_lane(&outbox->lanes[i], now_ns, lane);
        for (unsigned c = 0; c < count; c++) {
            if (!str_eq(counts[c].lane, str_of(lane->lane)))
                continue;
            lane->rows = counts[c].rows;
            lane->oldest_ms = counts[c].oldest_ms;
        }
    }
    pthread_mutex_lock(&outbox->mutex);
    outbox->report = *report;
    pthread_mutex_unlock(&outbox->mutex);
    return 0;
}

/* Up to a few pages; false: there is more. */
static bool read_lane(struct outbox *outbox, struct outbox_lane *lane)
{
    const struct outbox_view *view = &outbox->config.view;
    struct lane_reading reading;
    for (unsigned i = 0; lane_wants(lane, &reading); i++) {
        struct outbox_row *rows;
        unsigned count = 0;
        if (i == READINGS_PER_ROUND)
            return false;
        arena_reset(&outbox->arena);
        int err = view->rows(view->context, &outbox->arena, str_of(lane->name), reading.after,
                             reading.limit, &rows, &count);
        err = err != 0 ? err : lane_take_in(lane, &reading, rows, count);
        if (err != 0) {
            str_copy(lane->error, sizeof lane->error, str_of(err_sentence(err)));
            return true; /* again with the next look */
        }
    }
    return true;
}

static void send_due(struct outbox *outbox, uint64_t *due_ns)
{
    struct lane_sending sending = {.fence = &outbox->fence,
                                   .now_ns = clock_mono_ns(),
                                   .crash = outbox->config.crash,
                                   .done = sent_done,
                                   .begun = count_begun,
                                   .may = still_leads,
                                   .context = outbox};
    for (unsigned i = 0; i < outbox->lane_count; i++) {
        if (!read_lane(outbox, &outbox->lanes[i]))
            *due_ns = 0;
        lane_send(&outbox->lanes[i], &sending, due_ns);
    }
}

/* ---- Outcomes ---- */

static void refused_as_old(struct outbox *outbox, const struct lane_row *row)
{
    char fence[FENCE_TEXT_SIZE];
    outbox->refused_fences++;
    outbox->doubted = true;
    fence_write(&row->fence, fence);
    log_line(outbox->config.log, LOG_WARN, "outbox",
             "%s: refused, as it has seen a newer primary than fence %s: %s",
             row->lane == NULL ? "what was sent in an earlier term" : row->lane->name, fence,
             row->text);
}

static void take_outcome(struct outbox *outbox, struct lane_row *row)
{
    bool never = row->sent == OUTBOX_SENT_NEVER && !row->announcement;
    if (row->sent == OUTBOX_SENT_OLD)
        refused_as_old(outbox, row);
    if (row->lane == NULL) { /* of a term that is over: who leads now asks again */
        list_remove(&row->link);
        free(row);
        return;
    }
    if (never)
        log_line(outbox->config.log, LOG_WARN, "outbox", "%s: order %llu, %s is refused: %s",
                 row->lane->name, (unsigned long long)row->row.order_number,
                 outbox_kind_name(row->row.kind), row->text);
    if (!lane_outcome(row->lane, row, clock_mono_ns(), &outbox->waits, &outbox->random))
        return;
    crash_here(outbox->config.crash, CRASH_outbox_answered);
    answers_add(&outbox->answers, row);
}

static void take_inbox(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->mutex);
    struct lane_row *row = outbox->inbox;
    outbox->inbox = NULL;
    outbox->inbox_last = &outbox->inbox;
    bool told = outbox->told;
    outbox->told = false;
    pthread_mutex_unlock(&outbox->mutex);
    if (told)
        answers_take(&outbox->answers, clock_mono_ns());
    while (row != NULL) {
        struct lane_row *next = row->next_in_box;
        take_outcome(outbox, row);
        row = next;
    }
}

/* ---- The thread ---- */

/* Until something comes, DUE_NS at the latest; whether there may be new rows. */
static bool rest(struct outbox *outbox, uint64_t due_ns)
{
    bool in_time = true;
    pthread_mutex_lock(&outbox->mutex);
    while (in_time && !outbox->stopping && !outbox->woken && !outbox->told && outbox->inbox == NULL)
        in_time = cond_wait_until(&outbox->changed, &outbox->mutex, due_ns);
    bool woken = outbox->woken;
    outbox->woken = false;
    pthread_mutex_unlock(&outbox->mutex);
    return woken;
}

static bool is_stopping(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->mutex);
    bool stopping = outbox->stopping;
    pthread_mutex_unlock(&outbox->mutex);
    return stopping;
}

static void look_for_rows(struct outbox *outbox)
{
    for (unsigned i = 0; i < outbox->lane_count; i++)
        lane_look_again(&outbox->lanes[i]);
}

/* Once an interval: lanes that are new, and how all stands. */
static void look_at_all(struct outbox *outbox, uint64_t now_ns)
{
    int err = outbox->fence.term != 0 ? find_warehouses(outbox) : 0;
    err = err != 0 ? err : make_report(outbox, now_ns);
    if (err != 0)
        log_line(outbox->config.log, LOG_WARN, "outbox", "cannot look at the table: %s",
                 err_sentence(err));
    look_for_rows(outbox);
    outbox->look_ns = now_ns + outbox->config.interval_ms * MS_NS;
}

static void *run_outbox(void *context)
{
    struct outbox *outbox = context;
    while (!is_stopping(outbox)) {
        take_inbox(outbox);
        look_at_term(outbox);
        uint64_t now_ns = clock_mono_ns();
        if (now_ns >= outbox->look_ns)
            look_at_all(outbox, now_ns);
        uint64_t due_ns = outbox->look_ns;
        if (outbox->fence.term != 0) {
            send_due(outbox, &due_ns);
            answers_submit(&outbox->answers, now_ns, &due_ns);
        } else if (due_ns > now_ns + TERM_LOOK_MS * MS_NS) {
            due_ns = now_ns + TERM_LOOK_MS * MS_NS;
        }
        if (rest(outbox, due_ns))
            look_for_rows(outbox);
    }
    return NULL;
}

/* ---- Begin and end ---- */

static void free_all(struct outbox *outbox)
{
    answers_close(&outbox->answers);
    for (unsigned i = 0; i < outbox->lane_count; i++)
        lane_close(&outbox->lanes[i]);
    arena_close(&outbox->arena);
    pthread_cond_destroy(&outbox->changed);
    pthread_mutex_destroy(&outbox->mutex);
    free(outbox);
}

static struct outbox *outbox_new(const struct outbox_config *config)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    uint64_t seed;
    if (outbox == NULL)
        return NULL;
    outbox->config = *config;
    if (outbox->config.interval_ms == 0)
        outbox->config.interval_ms = INTERVAL_MS;
    outbox->waits.least_ms =
        config->wait_least_ms > 0 ? config->wait_least_ms : OUTBOX_WAIT_LEAST_MS;
    outbox->waits.most_ms = config->wait_most_ms > 0 ? config->wait_most_ms : OUTBOX_WAIT_MOST_MS;
    outbox->answers.order = config->order;
    outbox->answers.log = config->log;
    outbox->answers.crash = config->crash;
    outbox->answers.told = command_told;
    outbox->answers.context = outbox;
    answers_open(&outbox->answers);
    outbox->inbox_last = &outbox->inbox;
    list_init(&outbox->orphans);
    arena_init(&outbox->arena, ROUND_BYTES);
    random_secret(&seed, sizeof seed);
    random_seed(&outbox->random, seed);
    pthread_mutex_init(&outbox->mutex, NULL);
    cond_init(&outbox->changed);
    lane_of(outbox, STR("bank"));
    lane_of(outbox, STR("webhook"));
    lane_of(outbox, STR("mail"));
    return outbox;
}

int outbox_start(const struct outbox_config *config, struct outbox **out, struct failure *failure)
{
    struct outbox *outbox = outbox_new(config);
    if (outbox == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for the outbox");
    int rc = thread_start(&outbox->thread, "stoa-outbox", run_outbox, outbox);
    if (rc != 0) {
        free_all(outbox);
        return fail(failure, ERR_NOMEM, "the outbox's thread cannot be started: %s", strerror(rc));
    }
    *out = outbox;
    return 0;
}

void outbox_stop(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    pthread_mutex_lock(&outbox->mutex);
    outbox->stopping = true;
    pthread_cond_broadcast(&outbox->changed);
    pthread_mutex_unlock(&outbox->mutex);
    pthread_join(outbox->thread, NULL);
}

/* The senders answer all that is on its way, and the order the command, at the latest when they
 * end. */
void outbox_free(struct outbox *outbox)
{
    if (outbox == NULL)
        return;
    pthread_mutex_lock(&outbox->mutex);
    while (outbox->on_their_way > 0 || (outbox->answers.submitted && !outbox->told))
        pthread_cond_wait(&outbox->changed, &outbox->mutex);
    pthread_mutex_unlock(&outbox->mutex);
    end_term(outbox);
    outbox->answers.submitted = false;
    LIST_EACH(&outbox->orphans, node)
    {
        free(CONTAINER_OF(node, struct lane_row, link));
    }
    free_all(outbox);
}

void outbox_report(struct outbox *outbox, struct outbox_report *report)
{
    *report = (struct outbox_report){0};
    if (outbox == NULL)
        return;
    pthread_mutex_lock(&outbox->mutex);
    *report = outbox->report;
    pthread_mutex_unlock(&outbox->mutex);
}

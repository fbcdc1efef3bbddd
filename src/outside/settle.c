#include "outside/settle.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "outside/overdue.h"
#include "shop/command.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    ROUND_BYTES = 16 * 1024 * 1024, /* arena of one round */
    RESULT_BYTES = 1024 * 1024,
    EXPIRES_PER_ROUND = 20,
    CATCH_UP_MS = 5000,
};

struct settle {
    struct settle_config config;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool stopping, woken;
    struct overdue *overdue;

    /* The thread's own: */
    struct arena arena;
    struct buf command, record;
    bool was_primary;           /* in the round before */
    struct overdue_place place; /* the last overdue hold that was looked at; 0: from the first on */
};

static bool is_stopping(struct settle *settle)
{
    pthread_mutex_lock(&settle->mutex);
    bool stopping = settle->stopping;
    pthread_mutex_unlock(&settle->mutex);
    return stopping;
}

/* Submits COMMAND and waits. ERR_* of the log or of the shop; *NUMBER from the result. */
static int run_command(struct settle *settle, const struct command *command, uint64_t *number)
{
    struct result result = {0};
    buf_clear(&settle->command);
    buf_clear(&settle->record);
    command_encode(&settle->command, command);
    if (settle->command.failed)
        return ERR_NOMEM;
    int err =
        order_submit_wait(settle->config.order, buf_text(&settle->command), &settle->record, NULL);
    if (err == 0)
        err = settle->record.failed
                  ? ERR_NOMEM
                  : result_decode(&settle->arena, buf_text(&settle->record), &result);
    if (err == 0 && number != NULL)
        *number = result.kind == RESULT_NUMBER ? result.number : 0;
    return err != 0 ? err : result.err;
}

/* ---- Overdue holds ---- */

/* What has begun on the primary is not carried on by a server that is none any more: the new one
 * looks after it. */
static bool goes_on(struct settle *settle)
{
    return !is_stopping(settle) && order_is_primary(settle->config.order, NULL);
}

/* Hands those after `place` that are still being paid over, as far as there is room; none of it
 * waits here. */
static void settle_overdue(struct settle *settle, int64_t now_ms)
{
    const struct settle_view *view = &settle->config.view;
    struct overdue_place *places;
    struct str currency = STR_NONE;
    unsigned count;
    if (view->currency(view->context, &settle->arena, &currency) != 0 ||
        view->overdue(view->context, &settle->arena, now_ms, &settle->place, &places, &count) != 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        struct checkout checkout;
        if (overdue_room(settle->overdue) == 0)
            return;
        settle->place = places[i];
        if (view->checkout(view->context, &settle->arena, places[i].checkout, &checkout) == 0 &&
            checkout.status == CHECKOUT_PAYING)
            overdue_take(settle->overdue, &checkout, currency);
    }
    if (count < OVERDUE_PAGE)
        settle->place = (struct overdue_place){0};
}

/* ---- Housekeeping ---- */

static void expire(struct settle *settle)
{
    struct command command = {.type = COMMAND_EXPIRE, .limit = settle->config.expire_limit};
    uint64_t removed = command.limit;
    for (unsigned i = 0; i < EXPIRES_PER_ROUND && removed >= command.limit; i++)
        if (!goes_on(settle) || run_command(settle, &command, &removed) != 0)
            return;
}

/* Until it is done or UNTIL_NS, when the rest of the work gets its turn. True: there is
 * more to do. */
static bool step_import(struct settle *settle, struct id id, uint64_t until_ns)
{
    struct command command = {.type = COMMAND_IMPORT_STEP,
                              .import = {.id = id, .limit = settle->config.import_step}};
    uint64_t moved = 1;
    while (moved > 0) {
        if (!goes_on(settle))
            return false;
        if (clock_mono_ns() > until_ns)
            return true;
        int err = run_command(settle, &command, &moved);
        if (err == ERR_NOTFOUND) /* another server's settle has finished it */
            return false;
        if (err != 0) {
            char text[ID_TEXT];
            log_line(settle->config.log, LOG_WARN, "settle", "import %s: %s", id_text(id, text),
                     err_name(err));
            return false;
        }
    }
    return false;
}

/* A server that has just become primary first gets what its predecessor has done: what is looked
 * at would be older otherwise. */
static bool has_caught_up(struct settle *settle)
{
    struct ordering *order = settle->config.order;
    uint64_t index;
    settle->was_primary =
        settle->was_primary || (order_submit_wait(order, STR_NONE, NULL, &index) == 0 &&
                                order_await_wait(order, index, CATCH_UP_MS) == 0);
    return settle->was_primary;
}

/* True: there is more to do at once. */
static bool look_after(struct settle *settle)
{
    const struct settle_config *config = &settle->config;
    struct due due = {0};
    int64_t log_time, now = clock_wall_ms();
    if (!order_is_primary(config->order, NULL)) {
        settle->was_primary = false;
        return false;
    }
    if (!has_caught_up(settle) || !order_is_primary(config->order, &log_time))
        return false;
    if (log_time > now)
        now = log_time; /* what the next entry's stamp will be */
    int err = config->view.due(config->view.context, &settle->arena, now, &due);
    if (err != 0) {
        log_line(config->log, LOG_WARN, "settle", "cannot look what is due: %s", err_sentence(err));
        return false;
    }
    if (due.overdue_count > 0)
        settle_overdue(settle, now);
    if (due.expirable > 0)
        expire(settle);
    bool more = false;
    uint64_t until = clock_mono_ns() + config->interval_ms * MS_NS;
    for (unsigned i = 0; i < due.import_count; i++)
        more |= step_import(settle, due.imports[i], until);
    return more;
}

/* ---- The thread ---- */

static void rest(struct settle *settle)
{
    uint64_t until_ns = clock_mono_ns() + settle->config.interval_ms * MS_NS;
    bool in_time = true;
    pthread_mutex_lock(&settle->mutex);
    while (in_time && !settle->stopping && !settle->woken)
        in_time = cond_wait_until(&settle->changed, &settle->mutex, until_ns);
    settle->woken = false;
    pthread_mutex_unlock(&settle->mutex);
}

static void *run_settle(void *context)
{
    struct settle *settle = context;
    while (!is_stopping(settle)) {
        bool more = look_after(settle);
        arena_reset(&settle->arena);
        if (!more)
            rest(settle);
    }
    return NULL;
}

static void settle_free(struct settle *settle)
{
    overdue_free(settle->overdue);
    arena_close(&settle->arena);
    buf_close(&settle->command);
    buf_close(&settle->record);
    pthread_cond_destroy(&settle->changed);
    pthread_mutex_destroy(&settle->mutex);
    free(settle);
}

static void look_again(void *context)
{
    settle_wake(context);
}

static int start_overdue(struct settle *settle)
{
    struct overdue_config config = {.order = settle->config.order,
                                    .bank = settle->config.bank,
                                    .crash = settle->config.crash,
                                    .log = settle->config.log,
                                    .idle = look_again,
                                    .context = settle};
    return overdue_new(&config, &settle->overdue);
}

int settle_start(const struct settle_config *config, struct settle **out, struct failure *failure)
{
    struct settle *settle = calloc(1, sizeof *settle);
    if (settle == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for settling");
    settle->config = *config;
    if (settle->config.interval_ms == 0)
        settle->config.interval_ms = 1000;
    if (settle->config.expire_limit == 0)
        settle->config.expire_limit = 200;
    if (settle->config.import_step == 0)
        settle->config.import_step = 100;
    arena_init(&settle->arena, ROUND_BYTES);
    buf_init(&settle->command, ORDER_COMMAND_MAX);
    buf_init(&settle->record, RESULT_BYTES);
    pthread_mutex_init(&settle->mutex, NULL);
    cond_init(&settle->changed);
    if (start_overdue(settle) != 0) {
        settle_free(settle);
        return fail(failure, ERR_NOMEM, "out of memory for overdue holds");
    }
    int rc = thread_start(&settle->thread, "stoa-settle", run_settle, settle);
    if (rc != 0) {
        settle_free(settle);
        return fail(failure, ERR_NOMEM, "the settling thread cannot be started: %s", strerror(rc));
    }
    *out = settle;
    return 0;
}

void settle_wake(struct settle *settle)
{
    pthread_mutex_lock(&settle->mutex);
    settle->woken = true;
    pthread_cond_broadcast(&settle->changed);
    pthread_mutex_unlock(&settle->mutex);
}

void settle_stop(struct settle *settle)
{
    pthread_mutex_lock(&settle->mutex);
    settle->stopping = true;
    pthread_cond_broadcast(&settle->changed);
    pthread_mutex_unlock(&settle->mutex);
    pthread_join(settle->thread, NULL);
    settle_free(settle);
}

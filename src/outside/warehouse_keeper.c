#include "outside/warehouse_keeper.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "outside/warehouse_act.h"

#include <stdio.h>
#include <stdlib.h>

enum { AT_ONCE = 100, LOOK_MS = 1000, FAILED_MS = 1000 };

struct warehouse_keeper {
    const struct warehouse_config *config;
    struct writer *writer;
    struct warehouse_reporter *reporter;
    struct db *db; /* the thread's reader */
    pthread_t thread;

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    bool stopping, woken;
};

/* What is due now, of one kind; done in one transaction. */
struct due {
    struct warehouse_change change;
    bool deliver;
    struct id ids[AT_ONCE]; /* orders to ship, or parcels to deliver */
    unsigned count;
    int64_t next_ms; /* when the first that is not due yet will be; INT64_MAX: there is none */
};

/* Orders are shipped whole; the parcel's id is new, as there can be no repeat: what was shipped is
 * not open any more. */
static int do_due(struct book *book, void *argument)
{
    const struct due *due = argument;
    const struct book_carriage carriage = {STR("Stoa Demo Post"), STR(""), STR("")};
    int err = 0;
    for (unsigned i = 0; !err && i < due->count; i++) {
        struct id parcel = id_new(book->now_ms);
        if (due->deliver) {
            err = warehouse_book_deliver(book, due->ids[i]);
            continue;
        }
        err = warehouse_book_pack(book, due->ids[i], parcel, NULL, 0);
        if (err == ERR_STATE || err == ERR_NOTFOUND)
            err = 0; /* canceled or packed by people meanwhile */
        else if (!err)
            err = warehouse_book_ship(book, parcel, &carriage);
    }
    return err;
}

/* Rows of STMT: id and the moment from which it counts, oldest first. */
static int find_due(struct stmt *stmt, int64_t now_ms, uint64_t age_ms, struct due *due)
{
    int err = 0;
    due->count = 0;
    due->next_ms = INT64_MAX;
    while (due->count < AT_ONCE && stmt_more(stmt, &err)) {
        int64_t at_ms = stmt_i64(stmt, 1) + (int64_t)age_ms;
        if (at_ms > now_ms) {
            due->next_ms = at_ms;
            break;
        }
        due->ids[due->count++] = stmt_id(stmt, 0);
    }
    if (due->count == AT_ONCE)
        due->next_ms = now_ms;
    stmt_done(stmt);
    return err;
}

/* Does what is due of one kind; returns when to look again. */
static int64_t do_kind(struct warehouse_keeper *keeper, bool deliver, uint64_t age_ms)
{
    struct due *due = calloc(1, sizeof *due);
    int64_t now_ms = clock_wall_ms(), again_ms = now_ms + FAILED_MS;
    if (!due || age_ms == UINT64_MAX) {
        free(due);
        return age_ms == UINT64_MAX ? INT64_MAX : again_ms;
    }
    due->deliver = deliver;
    db_forget_failure(keeper->db);
    struct stmt *stmt = deliver
                            ? db_stmt(keeper->db, "SELECT parcel, shipped_ms FROM parcel WHERE"
                                                  " state = 'shipped' ORDER BY shipped_ms LIMIT ?")
                            : db_stmt(keeper->db, "SELECT order_id, taken_ms FROM orders WHERE"
                                                  " state = 'open' ORDER BY id LIMIT ?");
    stmt_bind_i64(stmt, 1, AT_ONCE);
    due->change = (struct warehouse_change){.run = do_due, .argument = due};
    int err = find_due(stmt, now_ms, age_ms, due);
    if (!err && due->count) {
        err = warehouse_change_do(keeper->writer, &due->change);
        warehouse_reporter_wake(keeper->reporter);
    }
    if (err)
        log_line(keeper->config->log, LOG_ERROR, "warehouse", "not shipped by itself: %s",
                 due->change.failure.err ? due->change.failure.text : db_failure(keeper->db)->text);
    else
        again_ms = due->next_ms;
    free(due);
    return again_ms;
}

/* False: it is stopping. */
static bool rest(struct warehouse_keeper *keeper, int64_t until_ms)
{
    int64_t ms = until_ms == INT64_MAX ? LOOK_MS : until_ms - clock_wall_ms();
    if (ms > LOOK_MS) /* the wall clock may jump, and parcels are shipped by people as well */
        ms = LOOK_MS;
    uint64_t until_ns = clock_mono_ns() + (uint64_t)(ms > 0 ? ms : 0) * MS_NS;
    pthread_mutex_lock(&keeper->mutex);
    bool in_time = ms > 0;
    while (in_time && !keeper->stopping && !keeper->woken)
        in_time = cond_wait_until(&keeper->changed, &keeper->mutex, until_ns);
    keeper->woken = false;
    bool goes_on = !keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return goes_on;
}

static void *run_keeper(void *context)
{
    struct warehouse_keeper *keeper = context;
    bool goes_on = true;
    while (goes_on) {
        int64_t ship = do_kind(keeper, false, keeper->config->auto_ship_ms);
        int64_t deliver = do_kind(keeper, true, keeper->config->auto_deliver_ms);
        goes_on = rest(keeper, ship < deliver ? ship : deliver);
    }
    return NULL;
}

int warehouse_keeper_start(const struct warehouse_config *config, struct writer *writer,
                           struct warehouse_reporter *reporter, struct warehouse_keeper **out,
                           struct failure *failure)
{
    *out = NULL;
    if (config->auto_ship_ms == UINT64_MAX && config->auto_deliver_ms == UINT64_MAX)
        return 0;
    struct warehouse_keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return fail(failure, ERR_NOMEM, "no memory to ship by itself");
    keeper->config = config;
    keeper->writer = writer;
    keeper->reporter = reporter;
    pthread_mutex_init(&keeper->mutex, NULL);
    cond_init(&keeper->changed);
    int err = db_open(config->file, DB_READER, &keeper->db, failure);
    if (!err && thread_start(&keeper->thread, "keeper", run_keeper, keeper))
        err = fail(failure, ERR_NOMEM, "no thread to ship by itself");
    if (!err) {
        *out = keeper;
        return 0;
    }
    db_close(keeper->db);
    free(keeper);
    return err;
}

void warehouse_keeper_stop(struct warehouse_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->stopping = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    db_close(keeper->db);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}

void warehouse_keeper_wake(struct warehouse_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->woken = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->mutex);
}

#include "replica/order.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "replica/ordering.h"

#include <stddef.h>
#include <time.h>

enum {
    STALE_MS = 60000, /* what is older is not news but a log that is read again */
    ROOM_MS = 20,
};

void ordering_init(struct ordering *order, uint64_t waiting_max, uint64_t waiting_bytes_max,
                   uint64_t wait_ms, void (*wake)(void *context), void *wake_context)
{
    memset(order, 0, sizeof *order);
    order->waiting_max = waiting_max;
    order->admission.wait_ms = wait_ms;
    order->waiting_limit = admission_limit(&order->admission);
    order->waiting_bytes_max = waiting_bytes_max;
    order->wake = wake;
    order->wake_context = wake_context;
    pthread_mutex_init(&order->mutex, NULL);
    cond_init(&order->room);
    awaits_init(&order->awaits);
}

void ordering_destroy(struct ordering *order)
{
    awaits_close(&order->awaits);
    awaits_destroy(&order->awaits);
    pthread_cond_destroy(&order->room);
    pthread_mutex_destroy(&order->mutex);
}

void ordering_open(struct ordering *order)
{
    atomic_store(&order->open, true);
}

void ordering_close(struct ordering *order)
{
    atomic_store(&order->open, false);
    while (atomic_load(&order->inside) > 0)
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000}, NULL);
    awaits_close(&order->awaits);
}

static bool reserve(struct ordering *order, size_t bytes, bool patient)
{
    uint64_t limit = patient ? UINT64_MAX : atomic_load(&order->waiting_limit);
    uint64_t waiting = atomic_fetch_add(&order->waiting, 1);
    if (waiting < order->waiting_max && waiting < limit) {
        if (atomic_fetch_add(&order->waiting_bytes, bytes) + bytes <= order->waiting_bytes_max)
            return true;
        atomic_fetch_sub(&order->waiting_bytes, bytes);
    }
    atomic_fetch_sub(&order->waiting, 1);
    return false;
}

static void push(struct ordering *order, struct submission *submission)
{
    struct submission *newest = atomic_load_explicit(&order->newest, memory_order_relaxed);
    do
        submission->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&order->newest, &newest, submission,
                                                  memory_order_release, memory_order_relaxed));
    /* The submission may be answered and gone by now; only NEWEST may be looked at. */
    if (newest == NULL)
        order->wake(order->wake_context);
}

int order_submit(struct ordering *order, struct submission *submission)
{
    if (submission->command.len > ORDER_COMMAND_MAX)
        return ERR_FULL;
    int err = 0;
    atomic_fetch_add(&order->inside, 1);
    if (!atomic_load(&order->open)) {
        err = ERR_CLOSED;
    } else if (!reserve(order, submission->command.len, submission->patient)) {
        atomic_fetch_add_explicit(&order->refused, 1, memory_order_relaxed);
        err = ERR_BUSY;
    } else {
        submission->submitted_ns = clock_mono_ns();
        push(order, submission);
    }
    atomic_fetch_sub(&order->inside, 1);
    return err;
}

int ordering_admit(struct ordering *order, struct submission *submission)
{
    if (!atomic_load(&order->open))
        return ERR_CLOSED;
    if (!reserve(order, submission->command.len, submission->patient)) {
        atomic_fetch_add_explicit(&order->refused, 1, memory_order_relaxed);
        return ERR_BUSY;
    }
    submission->submitted_ns = clock_mono_ns();
    return 0;
}

struct submission *ordering_take(struct ordering *order)
{
    struct submission *newest =
        atomic_exchange_explicit(&order->newest, NULL, memory_order_acquire);
    struct submission *oldest = NULL;
    while (newest != NULL) {
        struct submission *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void ordering_answered(struct ordering *order, uint64_t count, uint64_t applied, uint64_t bytes)
{
    atomic_fetch_sub(&order->waiting_bytes, bytes);
    uint64_t left = atomic_fetch_sub(&order->waiting, count) - count;
    pthread_mutex_lock(&order->mutex);
    if (applied > 0)
        admission_answered(&order->admission, clock_mono_ns(), applied, left);
    atomic_store(&order->waiting_limit, admission_limit(&order->admission));
    if (atomic_load(&order->watchers) > 0)
        pthread_cond_broadcast(&order->room);
    pthread_mutex_unlock(&order->mutex);
}

void ordering_end(struct ordering *order, struct submission *first, int err)
{
    uint64_t count = 0, bytes = 0;
    while (first != NULL) {
        struct submission *next = first->next; /* FIRST is the submitter's again once done */
        count++;
        bytes += first->command.len;
        first->done(first, first->sent ? ERR_TIMEOUT : err, 0, STR_NONE);
        first = next;
    }
    if (count > 0)
        ordering_answered(order, count, 0, bytes);
}

void ordering_applied(struct ordering *order, uint64_t index, int64_t time_ms)
{
    int64_t age_ms = clock_wall_ms() - time_ms;
    atomic_store(&order->applied_time_ms, time_ms);
    awaits_applied(&order->awaits, index);
    if (age_ms < STALE_MS) /* else it is catching up with its own log */
        latency_record(&order->staleness, age_ms > 0 ? (uint64_t)age_ms * MS_NS : 0);
}

bool ordering_wait_empty(struct ordering *order, unsigned timeout_ms)
{
    uint64_t until_ns = clock_mono_ns() + timeout_ms * MS_NS;
    bool in_time = true;
    pthread_mutex_lock(&order->mutex);
    atomic_fetch_add(&order->watchers, 1);
    while (in_time && atomic_load(&order->waiting) > 0)
        in_time = cond_wait_until(&order->room, &order->mutex, until_ns);
    atomic_fetch_sub(&order->watchers, 1);
    pthread_mutex_unlock(&order->mutex);
    return atomic_load(&order->waiting) == 0;
}

/* Until something was answered, or ROOM_MS: whoever left between the refusal and the
 * registration as watcher is not waited for. */
static void wait_for_room(struct ordering *order)
{
    uint64_t until_ns = clock_mono_ns() + ROOM_MS * MS_NS;
    pthread_mutex_lock(&order->mutex);
    atomic_fetch_add(&order->watchers, 1);
    if (atomic_load(&order->waiting) > 0)
        cond_wait_until(&order->room, &order->mutex, until_ns);
    atomic_fetch_sub(&order->watchers, 1);
    pthread_mutex_unlock(&order->mutex);
}

/* ---- For threads that may wait ---- */

struct calling {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool done;
    int err;
};

static void call_begin(struct calling *calling)
{
    pthread_mutex_init(&calling->mutex, NULL);
    pthread_cond_init(&calling->answered, NULL);
    calling->done = false;
}

/* The last that is done with it: the caller's stack goes after that. */
static void call_answer(struct calling *calling, int err)
{
    pthread_mutex_lock(&calling->mutex);
    calling->err = err;
    calling->done = true;
    pthread_cond_signal(&calling->answered);
    pthread_mutex_unlock(&calling->mutex);
}

static int call_wait(struct calling *calling)
{
    pthread_mutex_lock(&calling->mutex);
    while (!calling->done)
        pthread_cond_wait(&calling->answered, &calling->mutex);
    pthread_mutex_unlock(&calling->mutex);
    return calling->err;
}

static void call_end(struct calling *calling)
{
    pthread_cond_destroy(&calling->answered);
    pthread_mutex_destroy(&calling->mutex);
}

struct waiting_caller {
    struct submission submission;
    struct calling calling;
    uint64_t index;
    struct buf *result;
};

static void wake_caller(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct waiting_caller *caller = CONTAINER_OF(submission, struct waiting_caller, submission);
    if (err == 0 && caller->result != NULL)
        buf_str(caller->result, result);
    caller->index = index;
    call_answer(&caller->calling, err);
}

int order_submit_wait(struct ordering *order, struct str command, struct buf *result,
                      uint64_t *index)
{
    struct waiting_caller caller = {.result = result};
    int err;
    do {
        caller.submission =
            (struct submission){.command = command, .done = wake_caller, .patient = true};
        call_begin(&caller.calling);
        err = order_submit(order, &caller.submission);
        if (err == 0)
            err = call_wait(&caller.calling);
        call_end(&caller.calling);
        if (err == ERR_BUSY) /* here, or at the primary */
            wait_for_room(order);
    } while (err == ERR_BUSY);
    if (index != NULL)
        *index = caller.index;
    return err;
}

struct awaiting_caller {
    struct awaiting awaiting;
    struct calling calling;
};

static void wake_awaiting(struct awaiting *awaiting, int err)
{
    call_answer(&CONTAINER_OF(awaiting, struct awaiting_caller, awaiting)->calling, err);
}

int order_await_wait(struct ordering *order, uint64_t index, unsigned timeout_ms)
{
    struct awaiting_caller caller = {
        .awaiting = {.index = index,
                     .deadline_ns = clock_mono_ns() + timeout_ms * MS_NS,
                     .done = wake_awaiting},
    };
    call_begin(&caller.calling);
    int err = order_await(order, &caller.awaiting) ? 0 : call_wait(&caller.calling);
    call_end(&caller.calling);
    return err;
}

/* ---- What is known ---- */

void ordering_set_hurry(struct ordering *order, void (*hurry)(void *context), void *context)
{
    pthread_mutex_lock(&order->mutex);
    order->hurry = hurry;
    order->hurry_context = context;
    pthread_mutex_unlock(&order->mutex);
}

bool order_await(struct ordering *order, struct awaiting *awaiting)
{
    if (awaits_add(&order->awaits, awaiting))
        return true;
    pthread_mutex_lock(&order->mutex);
    if (order->hurry != NULL)
        order->hurry(order->hurry_context);
    pthread_mutex_unlock(&order->mutex);
    return false;
}

uint64_t order_applied(struct ordering *order)
{
    return atomic_load(&order->awaits.applied);
}

bool order_is_aside(struct ordering *order)
{
    return atomic_load_explicit(&order->aside, memory_order_relaxed);
}

bool order_is_in_touch(struct ordering *order)
{
    return atomic_load(&order->ready) && !order_is_aside(order);
}

bool order_is_primary(struct ordering *order, int64_t *log_time_ms)
{
    if (log_time_ms != NULL)
        *log_time_ms = atomic_load(&order->applied_time_ms);
    return order_leading_term(order) != 0;
}

uint64_t order_leading_term(struct ordering *order)
{
    return leading_term(&order->leading, clock_boot_ns());
}

void order_report(struct ordering *order, struct order_status_report *report)
{
    *report = (struct order_status_report){
        .primary = order_leading_term(order) != 0,
        .primary_id = atomic_load(&order->primary_id),
        .ready = atomic_load(&order->ready),
        .lag_entries = atomic_load(&order->lag_entries),
        .lag_ms = atomic_load(&order->lag_ms),
        .term = atomic_load(&order->term),
        .last_index = atomic_load(&order->last_index),
        .applied_index = order_applied(order),
        .applied_time_ms = atomic_load(&order->applied_time_ms),
        .waiting = atomic_load(&order->waiting),
        .waiting_limit = atomic_load(&order->waiting_limit),
        .refused = atomic_load(&order->refused),
        .entries = atomic_load(&order->entries),
        .commands = atomic_load(&order->commands),
        .bytes = atomic_load(&order->bytes),
        .primaries = atomic_load(&order->primaries),
        .forwarded = atomic_load(&order->forwarded),
        .resent = atomic_load(&order->resent),
        .sent_bytes = atomic_load(&order->sent_bytes),
        .loop_max_ns = atomic_load(&order->loop_max_ns),
        .loop_cpu_max_ns = atomic_load(&order->loop_cpu_max_ns),
    };
    latency_quantiles(&order->append, &report->append_ns_p50, &report->append_ns_p99);
    latency_quantiles(&order->staleness, &report->staleness_ns_p50, &report->staleness_ns_p99);
}

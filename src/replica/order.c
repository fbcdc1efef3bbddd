#include "replica/order.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "replica/ordering.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

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
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&order->room, &attributes);
    pthread_condattr_destroy(&attributes);
}

void ordering_destroy(struct ordering *order)
{
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
    if (applied > 0)
        admission_answered(&order->admission, clock_mono_ns(), applied, left);
    atomic_store(&order->waiting_limit, admission_limit(&order->admission));
    if (atomic_load(&order->watchers) == 0)
        return;
    pthread_mutex_lock(&order->mutex);
    pthread_cond_broadcast(&order->room);
    pthread_mutex_unlock(&order->mutex);
}

static struct timespec in_ms(unsigned ms)
{
    uint64_t at = clock_mono_ns() + ms * MS_NS;
    return (struct timespec){.tv_sec = (time_t)(at / SEC_NS), .tv_nsec = (long)(at % SEC_NS)};
}

bool ordering_wait_empty(struct ordering *order, unsigned timeout_ms)
{
    struct timespec deadline = in_ms(timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&order->mutex);
    atomic_fetch_add(&order->watchers, 1);
    while (in_time && atomic_load(&order->waiting) > 0)
        in_time = pthread_cond_timedwait(&order->room, &order->mutex, &deadline) != ETIMEDOUT;
    atomic_fetch_sub(&order->watchers, 1);
    pthread_mutex_unlock(&order->mutex);
    return atomic_load(&order->waiting) == 0;
}

/* Until something was answered, or 20 ms: whoever left between the refusal and the
 * registration as watcher is not waited for. */
static void wait_for_room(struct ordering *order)
{
    struct timespec deadline = in_ms(20);
    pthread_mutex_lock(&order->mutex);
    atomic_fetch_add(&order->watchers, 1);
    if (atomic_load(&order->waiting) > 0)
        pthread_cond_timedwait(&order->room, &order->mutex, &deadline);
    atomic_fetch_sub(&order->watchers, 1);
    pthread_mutex_unlock(&order->mutex);
}

struct waiting_caller {
    struct submission submission;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool done;
    int err;
    uint64_t index;
    struct buf *result;
};

static void wake_caller(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct waiting_caller *caller = CONTAINER_OF(submission, struct waiting_caller, submission);
    pthread_mutex_lock(&caller->mutex);
    if (err == 0 && caller->result != NULL)
        buf_str(caller->result, result);
    caller->err = err;
    caller->index = index;
    caller->done = true;
    pthread_cond_signal(&caller->answered);
    pthread_mutex_unlock(&caller->mutex);
}

int order_submit_wait(struct ordering *order, struct str command, struct buf *result,
                      uint64_t *index)
{
    struct waiting_caller caller = {
        .submission = {.command = command, .done = wake_caller, .patient = true},
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .answered = PTHREAD_COND_INITIALIZER,
        .result = result,
    };
    int err;
    while ((err = order_submit(order, &caller.submission)) == ERR_BUSY)
        wait_for_room(order);
    if (err != 0)
        return err;
    pthread_mutex_lock(&caller.mutex);
    while (!caller.done)
        pthread_cond_wait(&caller.answered, &caller.mutex);
    pthread_mutex_unlock(&caller.mutex);
    pthread_cond_destroy(&caller.answered);
    pthread_mutex_destroy(&caller.mutex);
    if (index != NULL)
        *index = caller.index;
    return caller.err;
}

bool order_is_primary(struct ordering *order, int64_t *log_time_ms)
{
    *log_time_ms = atomic_load(&order->applied_time_ms);
    return atomic_load(&order->primary);
}

void order_report(struct ordering *order, struct order_status_report *report)
{
    *report = (struct order_status_report){
        .primary = atomic_load(&order->primary),
        .term = atomic_load(&order->term),
        .last_index = atomic_load(&order->last_index),
        .applied_index = atomic_load(&order->applied_index),
        .applied_time_ms = atomic_load(&order->applied_time_ms),
        .waiting = atomic_load(&order->waiting),
        .waiting_limit = atomic_load(&order->waiting_limit),
        .refused = atomic_load(&order->refused),
        .entries = atomic_load(&order->entries),
        .commands = atomic_load(&order->commands),
        .bytes = atomic_load(&order->bytes),
        .loop_max_ns = atomic_exchange(&order->loop_max_ns, 0),
        .loop_cpu_max_ns = atomic_exchange(&order->loop_cpu_max_ns, 0),
    };
    latency_quantiles(&order->append, &report->append_ns_p50, &report->append_ns_p99);
}

#include "replica/applier.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "replica/batch.h"
#include "replica/pace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* One transaction takes at most about this much. Bigger ones gain little (SQLite: 143k
     * changes/s at 500 per transaction, 207k at 2000) and let the first one wait longer. */
    RUN_COMMANDS = 4096,
    RUN_ENTRIES = 512,
    RUN_BYTES = 4 * 1024 * 1024,
    RESULTS_MAX = 256 * 1024 * 1024, /* of one transaction; an entry's commands make far less */
    RESULTS_KEPT = 1024 * 1024,      /* above it the memory is given back after a run */
    REPLAY_BYTES = 32 * 1024 * 1024, /* copied and not applied yet, during the replay */
    REST_MS = 2000,                  /* nothing to do for so long: the machine may rest */
};

/* Where the result of one submission is in the results' buffer. */
struct span {
    size_t at, len;
};

/* What applier_call wants. */
struct errand {
    void (*call)(void *context, struct machine *machine);
    void *context;
    uint64_t after; /* when this entry is applied */
    bool done;
    struct errand *next;
};

struct applier {
    struct applier_config config;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work, room, errand_done;
    struct applier_entry *first, **last; /* the queue */
    uint64_t wanted; /* in the queue: marks, and entries whose submissions wait */
    uint64_t newest; /* the last entry pushed */
    struct errand *errands;
    struct pace pace;
    bool stopping;
    bool started;
    bool durable_asked;
    uint64_t durable_index;
    atomic_uint_fast64_t backlog;
    atomic_uint_fast64_t applied;
    atomic_int_fast64_t applied_time;

    /* The applier's thread alone: */
    uint64_t began_ns; /* the last transaction */
    struct buf results;
    struct span *spans;
    size_t span_count, span_cap;
    const struct applier_tap *tap;
    struct buf tapped; /* an entry of our own, put together again for the tap */
};

struct applier_entry *applier_entry_new(struct str bytes)
{
    struct applier_entry *entry = malloc(sizeof *entry + bytes.len);
    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof *entry);
    entry->len = bytes.len;
    if (bytes.len > 0)
        memcpy(entry->bytes, bytes.at, bytes.len);
    return entry;
}

static bool is_wanted(const struct applier_entry *entry)
{
    return entry->mark || entry->first != NULL;
}

void applier_push(struct applier *applier, struct applier_entry **entry, bool wait)
{
    struct applier_entry *pushed = *entry;
    bool wanted = is_wanted(pushed);
    *entry = NULL;
    pushed->next = NULL;
    pthread_mutex_lock(&applier->mutex);
    while (wait && atomic_load(&applier->backlog) > REPLAY_BYTES)
        pthread_cond_wait(&applier->room, &applier->mutex);
    uint64_t backlog = atomic_fetch_add(&applier->backlog, pushed->len) + pushed->len;
    bool wake = applier->first == NULL || wanted || backlog >= pace_bytes(&applier->pace);
    applier->wanted += wanted;
    if (pushed->index > applier->newest)
        applier->newest = pushed->index;
    *applier->last = pushed;
    applier->last = &pushed->next;
    pthread_mutex_unlock(&applier->mutex);
    if (wake)
        pthread_cond_signal(&applier->work);
}

uint64_t applier_backlog(const struct applier *applier)
{
    return atomic_load(&applier->backlog);
}

void applier_set_pace(struct applier *applier, uint32_t every_ms)
{
    pthread_mutex_lock(&applier->mutex);
    pace_set(&applier->pace, every_ms, clock_mono_ns());
    pthread_mutex_unlock(&applier->mutex);
    pthread_cond_signal(&applier->work);
}

uint64_t applier_applied(const struct applier *applier)
{
    return atomic_load(&applier->applied);
}

int64_t applier_applied_time(const struct applier *applier)
{
    return atomic_load(&applier->applied_time);
}

void applier_ask_durable(struct applier *applier, uint64_t index)
{
    pthread_mutex_lock(&applier->mutex);
    CHECK(!applier->durable_asked);
    applier->durable_asked = true;
    applier->durable_index = index;
    pthread_mutex_unlock(&applier->mutex);
    pthread_cond_signal(&applier->work);
}

static void machine_failed(struct applier *applier, const char *doing, uint64_t index,
                           const struct failure *failure)
{
    char reason[640];
    snprintf(reason, sizeof reason, "the database cannot go on (%s entry %llu: %s)", doing,
             (unsigned long long)index,
             failure->text[0] != 0 ? failure->text : err_sentence(failure->err));
    applier->config.fatal(applier->config.context, reason);
}

static void keep_span(struct applier *applier, size_t from)
{
    if (applier->span_count == applier->span_cap) {
        size_t cap = applier->span_cap == 0 ? 1024 : applier->span_cap * 2;
        struct span *spans = realloc(applier->spans, cap * sizeof *spans);
        if (spans == NULL)
            applier->config.fatal(applier->config.context, "out of memory for results");
        applier->spans = spans;
        applier->span_cap = cap;
    }
    applier->spans[applier->span_count++] = (struct span){from, applier->results.len - from};
}

static void apply_command(struct applier *applier, const struct applier_entry *entry,
                          struct str command)
{
    struct machine *machine = &applier->config.machine;
    struct failure failure = {0};
    if (command.len == 0)
        return; /* a barrier: only its place counts */
    int err = machine->apply(machine->context, entry->index, entry->time_ms, command,
                             entry->first != NULL ? &applier->results : NULL, &failure);
    if (err == 0 && applier->results.failed)
        err = failure.err = ERR_NOMEM;
    if (err != 0)
        machine_failed(applier, "applying", entry->index, &failure);
}

/* An entry of this server: its submissions still hold the commands. */
static void apply_own(struct applier *applier, const struct applier_entry *entry)
{
    for (struct submission *s = entry->first; s != NULL; s = s->next) {
        size_t from = applier->results.len;
        apply_command(applier, entry, s->command);
        keep_span(applier, from);
    }
}

/* A copied entry: nobody here wants its results. */
static void apply_copy(struct applier *applier, struct applier_entry *entry)
{
    struct batch batch;
    int err = batch_open(&batch, str_make(entry->bytes, entry->len));
    if (err != 0) {
        char reason[200];
        snprintf(reason, sizeof reason, "entry %llu of the log cannot be read: %s%s",
                 (unsigned long long)entry->index, err_sentence(err),
                 err == ERR_UNSUPPORTED ? " (written by a newer version of this program?)" : "");
        applier->config.fatal(applier->config.context, reason);
    }
    struct str command;
    while (batch_next(&batch, &command))
        apply_command(applier, entry, command);
}

/* ---- Whom everything is told to (replica/tail.h) ---- */

void applier_set_tap(struct applier *applier, const struct applier_tap *tap)
{
    applier->tap = tap;
}

/* The batch as it is in the log, but for who proposed it, which applying does not look at. */
static struct str put_together(struct applier *applier, const struct applier_entry *entry)
{
    size_t sum = 0;
    uint32_t count = 0;
    for (const struct submission *s = entry->first; s != NULL; s = s->next) {
        sum += s->command.len;
        count++;
    }
    size_t size = batch_size(count, sum);
    struct batch_writer writer;
    buf_clear(&applier->tapped);
    char *room = buf_room(&applier->tapped, size);
    if (room == NULL)
        applier->config.fatal(applier->config.context, "out of memory for a copy's entries");
    batch_begin(&writer, room, size, count, entry->time_ms, 0);
    for (const struct submission *s = entry->first; s != NULL; s = s->next)
        batch_put(&writer, s->command);
    batch_end(&writer);
    return str_make(room, size);
}

static void tell_tap(struct applier *applier, const struct applier_entry *entry)
{
    applier->tap->add(applier->tap->context, entry->index,
                      entry->first != NULL ? put_together(applier, entry)
                                           : str_make(entry->bytes, entry->len));
}

/* ---- Applying ---- */

/* An entry may come twice: from the log, and from the server that sent a copy. */
static bool to_be_applied(const struct applier_entry *entry, uint64_t applied)
{
    return !entry->mark && entry->index > applied;
}

static void begin_run(struct applier *applier, uint64_t index)
{
    struct machine *machine = &applier->config.machine;
    struct failure failure = {0};
    applier->began_ns = clock_mono_ns();
    if (machine->begin(machine->context, &failure) != 0)
        machine_failed(applier, "beginning with", index, &failure);
}

/* One transaction over all of RUN that is new. */
static void apply_run(struct applier *applier, struct applier_entry *run)
{
    struct machine *machine = &applier->config.machine;
    struct failure failure = {0};
    const struct applier_entry *newest = NULL;
    uint64_t applied = atomic_load(&applier->applied);
    int64_t time_ms = atomic_load(&applier->applied_time);
    for (struct applier_entry *entry = run; entry != NULL; entry = entry->next) {
        if (!to_be_applied(entry, applied))
            continue;
        /* Stamps as they are in the log may go back, when the primary changes; those that come
         * behind a copy are such. */
        if (entry->time_ms < time_ms)
            entry->time_ms = time_ms;
        time_ms = entry->time_ms;
        if (newest == NULL)
            begin_run(applier, entry->index);
        if (entry->first != NULL)
            apply_own(applier, entry);
        else
            apply_copy(applier, entry);
        if (applier->tap != NULL)
            tell_tap(applier, entry);
        newest = entry;
        applied = entry->index;
    }
    if (newest == NULL)
        return;
    if (machine->commit(machine->context, newest->index, newest->time_ms, &failure) != 0)
        machine_failed(applier, "committing", newest->index, &failure);
    if (applier->tap != NULL)
        applier->tap->flush(applier->tap->context);
    atomic_store(&applier->applied_time, newest->time_ms);
    atomic_store(&applier->applied, newest->index);
    ordering_applied(applier->config.order, newest->index, newest->time_ms);
}

/* Tells the submissions of RUN, in order, and frees the entries. */
static void answer_run(struct applier *applier, struct applier_entry *run)
{
    uint64_t answered = 0, bytes = 0;
    size_t span = 0;
    while (run != NULL) {
        struct applier_entry *entry = run;
        run = entry->next;
        if (entry->mark)
            applier->config.marked(applier->config.context);
        struct submission *s = entry->first;
        while (s != NULL) {
            struct submission *next = s->next; /* S is the submitter's again once done */
            struct str result = STR_NONE;
            CHECK(span < applier->span_count);
            struct span at = applier->spans[span++];
            if (at.len > 0)
                result = str_make(applier->results.at + at.at, at.len);
            s->done(s, 0, entry->index, result);
            s = next;
        }
        answered += entry->count;
        bytes += entry->command_bytes;
        free(entry);
    }
    CHECK(span == applier->span_count);
    if (answered > 0)
        ordering_answered(applier->config.order, answered, answered, bytes);
}

/* Cuts a run off the queue. The lock is held. */
static struct applier_entry *take_run(struct applier *applier)
{
    struct applier_entry *run = applier->first, *entry = run;
    uint64_t commands = 0, bytes = 0, copied = 0;
    for (unsigned entries = 0; entry != NULL; entries++) {
        applier->wanted -= is_wanted(entry);
        commands += entry->count;
        bytes += entry->command_bytes + entry->len;
        copied += entry->len;
        if (entry->next == NULL || entries >= RUN_ENTRIES || commands >= RUN_COMMANDS ||
            bytes >= RUN_BYTES)
            break;
        entry = entry->next;
    }
    if (entry != NULL) {
        applier->first = entry->next;
        entry->next = NULL;
        if (applier->first == NULL)
            applier->last = &applier->first;
    }
    if (copied > 0) {
        atomic_fetch_sub(&applier->backlog, copied);
        pthread_cond_signal(&applier->room);
    }
    return run;
}

static void forget_results(struct applier *applier)
{
    applier->span_count = 0;
    if (applier->results.cap > RESULTS_KEPT)
        buf_close(&applier->results);
    buf_clear(&applier->results);
}

static void make_durable(struct applier *applier)
{
    struct machine *machine = &applier->config.machine;
    struct failure failure = {0};
    uint64_t index = 0;
    if (machine->make_durable(machine->context, &index, &failure) != 0)
        machine_failed(applier, "making durable", atomic_load(&applier->applied), &failure);
    pthread_mutex_lock(&applier->mutex);
    CHECK(index >= applier->durable_index); /* it was applied, and all applied is durable now */
    applier->durable_asked = false;
    pthread_mutex_unlock(&applier->mutex);
    applier->config.durable(applier->config.context, index);
}

static bool durable_due(const struct applier *applier)
{
    return applier->durable_asked && applier->durable_index <= atomic_load(&applier->applied);
}

void applier_call(struct applier *applier, void (*call)(void *context, struct machine *machine),
                  void *context)
{
    struct errand errand = {.call = call, .context = context};
    pthread_mutex_lock(&applier->mutex);
    if (applier->pace.every_ms > 0)
        errand.after = applier->newest;
    errand.next = applier->errands;
    applier->errands = &errand;
    pthread_cond_signal(&applier->work);
    while (!errand.done)
        pthread_cond_wait(&applier->errand_done, &applier->mutex);
    pthread_mutex_unlock(&applier->mutex);
}

int applier_frozen_read(struct applier *applier, uint64_t offset, void *out, size_t len,
                        struct failure *failure)
{
    struct machine *machine = &applier->config.machine;
    return machine->frozen_read(machine->context, offset, out, len, failure);
}

static bool errand_due(const struct applier *applier)
{
    return applier->errands != NULL && applier->errands->after <= atomic_load(&applier->applied);
}

/* The lock is held before and after. */
static void run_errands(struct applier *applier)
{
    while (errand_due(applier)) {
        struct errand *errand = applier->errands;
        applier->errands = errand->next;
        pthread_mutex_unlock(&applier->mutex);
        errand->call(errand->context, &applier->config.machine);
        pthread_mutex_lock(&applier->mutex);
        errand->done = true;
        pthread_cond_broadcast(&applier->errand_done);
    }
}

/* Waits for something to do, at most until REST_MS after the last work: then the machine
 * rests, once. The lock is held. */
static void wait_for_work(struct applier *applier, bool *worked)
{
    struct machine *machine = &applier->config.machine;
    uint64_t rest_ns = clock_mono_ns() + REST_MS * MS_NS;
    while (applier->first == NULL && !applier->stopping && applier->errands == NULL &&
           !durable_due(applier)) {
        if (!*worked || machine->rest == NULL) {
            pthread_cond_wait(&applier->work, &applier->mutex);
        } else if (!cond_wait_until(&applier->work, &applier->mutex, rest_ns)) {
            *worked = false;
            pthread_mutex_unlock(&applier->mutex);
            machine->rest(machine->context);
            pthread_mutex_lock(&applier->mutex);
        }
    }
}

/* Somebody waits for what is queued, or for the applier. The lock is held. */
static bool is_urgent(const struct applier *applier)
{
    return applier->wanted > 0 || applier->errands != NULL || applier->stopping ||
           applier->durable_asked || atomic_load(&applier->config.order->awaits.count) > 0 ||
           (applier->tap != NULL && applier->pace.every_ms > 0);
}

/* Leaves what is queued for more to come. The lock is held. */
static void gather(struct applier *applier)
{
    applier->pace.began_ns = applier->began_ns;
    for (;;) {
        struct pace_queue queue = {.any = applier->first != NULL,
                                   .urgent = is_urgent(applier),
                                   .bytes = atomic_load(&applier->backlog),
                                   .newest = applier->newest,
                                   .applied = atomic_load(&applier->applied)};
        uint64_t until_ns = pace_until(&applier->pace, &queue, clock_mono_ns());
        if (until_ns == 0)
            return;
        cond_wait_until(&applier->work, &applier->mutex, until_ns);
    }
}

/* Any thread: somebody waits for what may have been put off. */
static void hurry(void *context)
{
    struct applier *applier = context;
    pthread_mutex_lock(&applier->mutex);
    pthread_cond_signal(&applier->work);
    pthread_mutex_unlock(&applier->mutex);
}

static void *run_applier(void *argument)
{
    struct applier *applier = argument;
    struct machine *machine = &applier->config.machine;
    atomic_store(&applier->applied_time, machine->applied_time(machine->context));
    atomic_store(&applier->applied, machine->applied(machine->context));
    pthread_mutex_lock(&applier->mutex);
    applier->started = true;
    bool worked = true;
    pthread_cond_signal(&applier->room);
    for (;;) {
        wait_for_work(applier, &worked);
        gather(applier);
        run_errands(applier);
        bool durable = durable_due(applier);
        struct applier_entry *run = take_run(applier);
        if (run == NULL && !durable && applier->stopping)
            break; /* all is answered */
        pthread_mutex_unlock(&applier->mutex);
        if (run != NULL) {
            apply_run(applier, run);
            answer_run(applier, run);
            forget_results(applier);
        }
        if (durable)
            make_durable(applier);
        worked = true;
        pthread_mutex_lock(&applier->mutex);
    }
    pthread_mutex_unlock(&applier->mutex);
    return NULL;
}

int applier_start(const struct applier_config *config, struct applier **out,
                  struct failure *failure)
{
    struct applier *applier = calloc(1, sizeof *applier);
    if (applier == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for the applier");
    applier->config = *config;
    applier->last = &applier->first;
    buf_init(&applier->results, RESULTS_MAX);
    buf_init(&applier->tapped, RESULTS_MAX);
    pthread_mutex_init(&applier->mutex, NULL);
    cond_init(&applier->work);
    pthread_cond_init(&applier->room, NULL);
    pthread_cond_init(&applier->errand_done, NULL);
    int rc = thread_start(&applier->thread, "stoa-applier", run_applier, applier);
    if (rc != 0) {
        free(applier);
        return fail(failure, ERR_NOMEM, "the applier's thread cannot be started: %s", strerror(rc));
    }
    pthread_mutex_lock(&applier->mutex);
    while (!applier->started)
        pthread_cond_wait(&applier->room, &applier->mutex);
    pthread_mutex_unlock(&applier->mutex);
    ordering_set_hurry(config->order, hurry, applier);
    *out = applier;
    return 0;
}

void applier_stop(struct applier *applier)
{
    ordering_set_hurry(applier->config.order, NULL, NULL);
    pthread_mutex_lock(&applier->mutex);
    applier->stopping = true;
    pthread_cond_signal(&applier->work);
    pthread_mutex_unlock(&applier->mutex);
    pthread_join(applier->thread, NULL);
    pthread_cond_destroy(&applier->errand_done);
    pthread_cond_destroy(&applier->room);
    pthread_cond_destroy(&applier->work);
    pthread_mutex_destroy(&applier->mutex);
    buf_close(&applier->results);
    buf_close(&applier->tapped);
    free(applier->spans);
    free(applier);
}

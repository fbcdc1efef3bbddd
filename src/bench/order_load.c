#include "bench/order_load.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "bench/order_commands.h"
#include "shop/command.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER_BYTES = 256 << 10,
    LOOK_NS = 500000,    /* between two looks at the copy's age */
    RETRY_NS = 10000000, /* after a refusal for load */
};

/* ---- Products ---- */

static int submit_and_check(struct ordering *order, const struct buf *record, const char *what,
                            struct failure *failure)
{
    struct buf answer;
    struct str text = STR("");
    buf_init(&answer, ANSWER_BYTES);
    int err = order_submit_wait(order, buf_text(record), &answer, NULL);
    err = err ? err : result_err(buf_text(&answer), &text);
    if (err)
        fail(failure, err, "%s: %.*s", what, STR_FMT(text.len ? text : str_of(err_sentence(err))));
    buf_close(&answer);
    return err;
}

int order_load_items(struct ordering *order, unsigned count, struct failure *failure)
{
    struct buf record;
    int err = 0;
    buf_init(&record, ORDER_COMMAND_BYTES);
    for (unsigned i = 0; !err && i < count; i++) {
        buf_clear(&record);
        order_put_product(&record, i);
        err = submit_and_check(order, &record, "the bench's products could not be made", failure);
    }
    buf_close(&record);
    return err;
}

/* ---- Visitors ---- */

struct visitor_state {
    struct runner *runner;
    struct submission submission;
    struct visitor_state *next; /* in `answered` */
    struct buf command;
    uint64_t begun_ns, answered_ns;
    unsigned number, sequence;
    bool second;
    int err;
};

struct runner {
    const struct order_load *load;
    bool making; /* checkouts, untimed */
    struct visitor_state *visitors;
    _Atomic(struct visitor_state *) answered; /* a stack, as the order's own way in */
    int wake;
    struct random random;
    unsigned flying;
    uint64_t end_ns, count_from_ns;
    struct order_load_result *result;
    int err; /* the first answer that was an error, and its sentence */
    char sentence[200];
    pthread_mutex_t mutex; /* of the two */
};

static int outcome(struct runner *runner, int err, struct str record)
{
    struct str text = STR("");
    err = err ? err : result_err(record, &text);
    if (err) {
        pthread_mutex_lock(&runner->mutex);
        if (!runner->sentence[0])
            snprintf(runner->sentence, sizeof runner->sentence, "%.*s",
                     STR_FMT(text.len ? text : str_of(err_sentence(err))));
        pthread_mutex_unlock(&runner->mutex);
    }
    return err;
}

/* One of replica's threads. */
static void done(struct submission *submission, int err, uint64_t index, struct str record)
{
    struct visitor_state *visitor = CONTAINER_OF(submission, struct visitor_state, submission);
    struct runner *runner = visitor->runner;
    (void)index;
    visitor->answered_ns = clock_mono_ns();
    visitor->err = outcome(runner, err, record);
    struct visitor_state *top = atomic_load(&runner->answered);
    do
        visitor->next = top;
    while (!atomic_compare_exchange_weak(&runner->answered, &top, visitor));
    uint64_t one = 1;
    if (!top && write(runner->wake, &one, sizeof one) < 0)
        CHECK(errno == EAGAIN);
}

static unsigned pick(struct runner *runner)
{
    return (unsigned)random_below(&runner->random, runner->load->items);
}

/* False: nothing is left for it to do. */
static bool write_command(struct runner *runner, struct visitor_state *visitor)
{
    const struct order_load *load = runner->load;
    buf_clear(&visitor->command);
    if (!runner->making && load->work == ORDER_WORK_CART) {
        order_put_cart(
            &visitor->command,
            order_command_id(load->server, visitor->number, 0, ORDER_ID_CART, load->seed),
            pick(runner));
        return true;
    }
    if (visitor->sequence >= load->ready)
        return false;
    struct id id = order_command_id(load->server, visitor->number, visitor->sequence,
                                    ORDER_ID_CHECKOUT, load->seed);
    if (runner->making)
        order_put_checkout(&visitor->command, id, pick(runner));
    else
        order_put_half(&visitor->command, id, visitor->second);
    return true;
}

static void submit(struct runner *runner, struct visitor_state *visitor)
{
    uint64_t now = clock_mono_ns();
    if ((runner->end_ns && now >= runner->end_ns) || !write_command(runner, visitor)) {
        if (!runner->making && (!runner->end_ns || now < runner->end_ns)) {
            runner->result->ran_out = true;
            runner->end_ns = now;
        }
        return;
    }
    if (!visitor->second)
        visitor->begun_ns = now;
    visitor->submission.command = buf_text(&visitor->command);
    visitor->submission.patient = runner->making;
    int err;
    while ((err = order_submit(runner->load->order, &visitor->submission)) == ERR_BUSY) {
        runner->result->refused++;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
    }
    if (!err)
        runner->flying++;
    else if (!runner->err)
        runner->err = err;
}

static void count(struct runner *runner, struct visitor_state *visitor, bool whole)
{
    struct order_load_result *result = runner->result;
    bool counts = !runner->making && visitor->answered_ns >= runner->count_from_ns &&
                  visitor->answered_ns <= runner->end_ns;
    if (visitor->err) {
        result->failed++;
        pthread_mutex_lock(&runner->mutex);
        runner->err = runner->err ? runner->err : visitor->err;
        pthread_mutex_unlock(&runner->mutex);
    } else if (counts) {
        result->commands++;
        result->operations += whole;
        if (whole)
            histogram_add(&result->latency, visitor->answered_ns - visitor->begun_ns);
    }
}

/* The answer to a visitor's command: counts it and goes on. */
static void go_on(struct runner *runner, struct visitor_state *visitor)
{
    bool halves = !runner->making && runner->load->work == ORDER_WORK_BUY;
    bool whole = !halves || visitor->second;
    count(runner, visitor, whole);
    runner->flying--;
    visitor->second = halves && !visitor->second && !visitor->err;
    if (!visitor->second)
        visitor->sequence++;
    submit(runner, visitor);
}

static void take_answers(struct runner *runner)
{
    uint64_t ignored;
    while (read(runner->wake, &ignored, sizeof ignored) < 0 && errno == EINTR)
        ;
    struct visitor_state *top = atomic_exchange(&runner->answered, NULL), *first = NULL;
    while (top) { /* oldest first */
        struct visitor_state *next = top->next;
        top->next = first;
        first = top;
        top = next;
    }
    while (first) {
        struct visitor_state *next = first->next;
        go_on(runner, first);
        first = next;
    }
}

static int open_runner(struct runner *runner, struct failure *failure)
{
    const struct order_load *load = runner->load;
    pthread_mutex_init(&runner->mutex, NULL);
    random_seed(&runner->random, load->seed + load->server);
    runner->wake = eventfd(0, EFD_CLOEXEC);
    runner->visitors = calloc(load->visitors, sizeof *runner->visitors);
    if (runner->wake < 0 || !runner->visitors)
        return fail(failure, ERR_NOMEM, "no memory for the generator");
    for (unsigned i = 0; i < load->visitors; i++) {
        struct visitor_state *visitor = &runner->visitors[i];
        visitor->runner = runner;
        visitor->number = i;
        visitor->submission.done = done;
        buf_init(&visitor->command, ORDER_COMMAND_BYTES);
    }
    return 0;
}

static void close_runner(struct runner *runner)
{
    for (unsigned i = 0; runner->visitors && i < runner->load->visitors; i++)
        buf_close(&runner->visitors[i].command);
    free(runner->visitors);
    if (runner->wake >= 0)
        close(runner->wake);
    pthread_mutex_destroy(&runner->mutex);
}

/* Every visitor goes until time is up or it has nothing left to do. */
static void drive(struct runner *runner)
{
    for (unsigned i = 0; i < runner->load->visitors; i++)
        submit(runner, &runner->visitors[i]);
    while (runner->flying)
        take_answers(runner);
}

static int verdict(struct runner *runner, const char *what, struct failure *failure)
{
    if (!runner->err)
        return 0;
    return fail(failure, runner->err, "%s: %llu commands failed, the first: %s", what,
                (unsigned long long)runner->result->failed,
                runner->sentence[0] ? runner->sentence : err_sentence(runner->err));
}

int order_load_ready(const struct order_load *load, struct failure *failure)
{
    struct order_load_result *result = calloc(1, sizeof *result);
    struct runner runner = {.load = load, .making = true, .wake = -1, .result = result};
    int err = result ? open_runner(&runner, failure)
                     : fail(failure, ERR_NOMEM, "no memory for the generator");
    if (!err)
        drive(&runner);
    err = err ? err : verdict(&runner, "the checkouts could not be made", failure);
    if (result)
        close_runner(&runner);
    free(result);
    return err;
}

/* ---- The copy's age ---- */

struct looker {
    const struct order_load *load;
    struct histogram *age;
    atomic_bool over;
    atomic_uint_fast64_t from_ns;
};

static void note_moment(struct order_moments *moments, uint64_t index, uint64_t now)
{
    uint64_t number = atomic_load(&moments->count);
    if (number && atomic_load(&moments->ring[(number - 1) % ORDER_MOMENTS].index) == index)
        return;
    atomic_store(&moments->ring[number % ORDER_MOMENTS].index, index);
    atomic_store(&moments->ring[number % ORDER_MOMENTS].at_ns, now);
    atomic_store(&moments->count, number + 1);
}

/* When the primary was first seen to have applied more than INDEX: how long ago. NEXT: the moment
 * that was not past last time. */
static uint64_t age_of(struct order_moments *moments, uint64_t index, uint64_t *next, uint64_t now)
{
    uint64_t count = atomic_load(&moments->count);
    while (*next < count && atomic_load(&moments->ring[*next % ORDER_MOMENTS].index) <= index)
        ++*next;
    if (*next >= count)
        return 0;
    uint64_t at = atomic_load(&moments->ring[*next % ORDER_MOMENTS].at_ns);
    return now > at ? now - at : 0;
}

static void *look(void *argument)
{
    struct looker *looker = argument;
    const struct order_load *load = looker->load;
    uint64_t next = atomic_load(&load->moments->count);
    while (!atomic_load(&looker->over)) {
        uint64_t index = order_applied(load->order), now = clock_mono_ns();
        if (order_is_primary(load->order, NULL))
            note_moment(load->moments, index, now);
        else if (now >= atomic_load(&looker->from_ns))
            histogram_add(looker->age, age_of(load->moments, index, &next, now));
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    }
    return NULL;
}

int order_load_run(const struct order_load *load, struct order_load_result *result,
                   struct failure *failure)
{
    pthread_t thread;
    *result = (struct order_load_result){0};
    histogram_clear(&result->latency);
    histogram_clear(&result->age);
    struct runner runner = {.load = load, .wake = -1, .result = result};
    struct looker looker = {.load = load, .age = &result->age};
    uint64_t now = clock_mono_ns();
    runner.count_from_ns = now + (uint64_t)(load->warm_up_seconds * 1e9);
    runner.end_ns = runner.count_from_ns + (uint64_t)(load->seconds * 1e9);
    atomic_store(&looker.from_ns, runner.count_from_ns);
    int err = open_runner(&runner, failure);
    if (!err && pthread_create(&thread, NULL, look, &looker))
        err = fail_errno(failure, ERR_NOMEM, "cannot start a thread");
    if (!err) {
        drive(&runner);
        atomic_store(&looker.over, true);
        pthread_join(thread, NULL);
        err = verdict(&runner, "the load broke off", failure);
        result->seconds = runner.end_ns > runner.count_from_ns
                              ? (double)(runner.end_ns - runner.count_from_ns) / 1e9
                              : 0;
    }
    close_runner(&runner);
    return err;
}

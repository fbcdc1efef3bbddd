#include "web/submit_many.h"

#include "base/check.h"
#include "web/call.h"
#include "web/gate.h"

#include <stdatomic.h>
#include <stdlib.h>

/* One command of many. Its record is copied out of the exchange's arena, which the applier's thread
 * must not touch. */
struct one {
    struct submission submission;
    struct submit_many *many;
    int err;
    uint64_t index;
    char *record;
    size_t record_len;
    struct outcome outcome;
};

struct submit_many {
    struct exchange *x;
    void (*step)(struct exchange *x);
    _Atomic unsigned left; /* without an outcome; one more until submit_many_end */
    unsigned most, count;
    int stopped; /* why no more go */
    struct one *list;
};

static void free_records(void *argument)
{
    struct submit_many *many = argument;
    for (unsigned i = 0; i < many->count; i++)
        free(many->list[i].record);
}

struct submit_many *submit_many_begin(struct exchange *x, unsigned most,
                                      void (*step)(struct exchange *x))
{
    struct submit_many *many = ARENA_NEW(&x->arena, struct submit_many);
    if (!many)
        return NULL;
    many->x = x;
    many->step = step;
    many->most = most;
    many->list = ARENA_ARRAY(&x->arena, struct one, most);
    atomic_store(&many->left, 1);
    return many->list && !exchange_at_end(x, free_records, many) ? many : NULL;
}

/* Any thread. */
static void one_less(struct submit_many *many)
{
    struct exchange *x = many->x;
    void (*step)(struct exchange * x) = many->step;
    if (atomic_fetch_sub(&many->left, 1) == 1)
        exchange_continue(x, step);
}

/* Any thread. */
static void applied(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct one *one = CONTAINER_OF(submission, struct one, submission);
    one->err = err;
    one->index = index;
    if (!err) {
        one->record = malloc(result.len + 1);
        one->record_len = result.len;
        if (one->record)
            memcpy(one->record, result.at, result.len);
        else
            one->err = ERR_NOMEM;
    }
    one_less(one->many);
}

static int submit(struct one *one, const struct command *command)
{
    struct exchange *x = one->many->x;
    struct buf record;
    buf_init(&record, ORDER_COMMAND_MAX);
    command_encode(&record, command);
    int err = record.failed ? ERR_FULL : 0;
    if (!err) {
        one->submission.command = arena_str(&x->arena, buf_text(&record));
        err = one->submission.command.at ? 0 : ERR_NOMEM;
    }
    buf_close(&record);
    one->submission.done = applied;
    return err ? err : order_submit(call_web(x)->settings.order, &one->submission);
}

void submit_many_add(struct submit_many *many, const struct command *command)
{
    struct one *one = &many->list[many->count++];
    CHECK(many->count <= many->most && !command_once(command->type));
    one->many = many;
    atomic_fetch_add(&many->left, 1);
    atomic_fetch_add_explicit(&call_web(many->x)->commands, 1, memory_order_relaxed);
    if (!many->stopped)
        many->stopped = submit(one, command);
    if (!many->stopped)
        return;
    one->err = many->stopped;
    one_less(many); /* never the last: submit_many_end is to come */
}

enum app_verdict submit_many_end(struct submit_many *many)
{
    one_less(many);
    return APP_LATER;
}

const struct outcome *submit_many_outcome(struct submit_many *many, unsigned at)
{
    CHECK(at < many->count);
    struct one *one = &many->list[at];
    struct outcome *outcome = &one->outcome;
    outcome->err = one->err;
    outcome->index = one->index;
    if (!outcome->err)
        outcome->err = result_decode(&many->x->arena, str_make(one->record, one->record_len),
                                     &outcome->result);
    if (outcome->err)
        atomic_fetch_add_explicit(&call_web(many->x)->commands_failed, 1, memory_order_relaxed);
    gate_saw(many->x, outcome->index);
    return outcome;
}

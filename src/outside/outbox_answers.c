#include "outside/outbox_answers.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum { AGAIN_LEAST_MS = 10, AGAIN_MOST_MS = 1000, LINES_MAX = 8192 };

void answers_open(struct outbox_answers *answers)
{
    list_init(&answers->rows);
    answers->most = OUTBOX_ANSWERS_MAX;
    buf_init(&answers->command, ORDER_COMMAND_MAX);
}

static void drop_first(struct outbox_answers *answers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct lane_row *row = CONTAINER_OF(answers->rows.next, struct lane_row, link);
        list_remove(&row->link);
        free(row);
    }
    answers->count -= count;
}

void answers_forget(struct outbox_answers *answers)
{
    drop_first(answers, answers->count);
    answers->most = OUTBOX_ANSWERS_MAX;
    answers->due_ns = 0;
    answers->tries = answers->in_command = 0; /* what is on its way was of these */
}

void answers_close(struct outbox_answers *answers)
{
    CHECK(!answers->submitted);
    answers_forget(answers);
    buf_close(&answers->command);
}

void answers_add(struct outbox_answers *answers, struct lane_row *row)
{
    list_append(&answers->rows, &row->link);
    answers->count++;
}

static struct outbox_answer answer_of(const struct lane_row *row)
{
    return (struct outbox_answer){
        .seq = row->row.seq,
        .outcome = row->sent == OUTBOX_SENT ? OUTBOX_DELIVERED : OUTBOX_REFUSED,
        .lines = row->answer_lines,
        .line_count = row->answer_count,
        .text = str_of(row->text),
    };
}

/* As many as fit into one command; how many. */
static unsigned encode(struct outbox_answers *answers)
{
    struct outbox_answer list[OUTBOX_ANSWERS_MAX];
    struct command command = {.type = COMMAND_OUTBOX_DONE, .outbox = {.answers = list}};
    unsigned lines = 0;
    LIST_EACH(&answers->rows, node)
    {
        struct lane_row *row = CONTAINER_OF(node, struct lane_row, link);
        lines += row->answer_count;
        if (command.outbox.count == answers->most ||
            (command.outbox.count > 0 && lines > LINES_MAX))
            break;
        list[command.outbox.count++] = answer_of(row);
    }
    buf_clear(&answers->command);
    command_encode(&answers->command, &command);
    return answers->command.failed ? 0 : command.outbox.count;
}

/* On replica's threads. */
static void command_done(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct outbox_answers *answers = CONTAINER_OF(submission, struct outbox_answers, submission);
    struct str text = STR_NONE;
    (void)index;
    answers->err = err;
    answers->refused = err == 0 && result_err(result, &text) != 0;
    str_copy(answers->text, sizeof answers->text, text);
    answers->told(answers->context);
}

static void wait_a_while(struct outbox_answers *answers, uint64_t now_ns)
{
    uint64_t wait_ms = AGAIN_LEAST_MS << (answers->tries < 7 ? answers->tries : 7);
    answers->tries++;
    answers->due_ns = now_ns + (wait_ms < AGAIN_MOST_MS ? wait_ms : AGAIN_MOST_MS) * MS_NS;
}

void answers_submit(struct outbox_answers *answers, uint64_t now_ns, uint64_t *due_ns)
{
    if (answers->count == 0 || answers->submitted)
        return;
    if (answers->due_ns <= now_ns) {
        answers->in_command = encode(answers);
        answers->submission = (struct submission){
            .command = buf_text(&answers->command), .done = command_done, .patient = true};
        answers->submitted = answers->in_command > 0;
        if (answers->submitted && order_submit(answers->order, &answers->submission) == 0)
            return;
        answers->submitted = false;
        wait_a_while(answers, now_ns);
    }
    if (answers->due_ns < *due_ns)
        *due_ns = answers->due_ns;
}

/* Refused by the shop, which does not happen: one by one, so that only the bad one stays behind.
 * It is sent again by the next term, which its receiver knows already. */
static void refused(struct outbox_answers *answers, uint64_t now_ns)
{
    const struct lane_row *first = CONTAINER_OF(answers->rows.next, struct lane_row, link);
    if (answers->in_command > 1) {
        answers->most = 1;
        return;
    }
    log_line(answers->log, LOG_ERROR, "outbox",
             "row %llu of order %llu was answered, and the shop does not take the answer: %s",
             (unsigned long long)first->row.seq, (unsigned long long)first->row.order_number,
             answers->text);
    drop_first(answers, 1);
    wait_a_while(answers, now_ns);
}

void answers_take(struct outbox_answers *answers, uint64_t now_ns)
{
    answers->submitted = false;
    if (answers->in_command == 0)
        return;
    if (answers->refused) {
        refused(answers, now_ns);
    } else if (answers->err != 0) { /* not known, or not now: it may be done twice */
        wait_a_while(answers, now_ns);
    } else {
        crash_here(answers->crash, CRASH_outbox_done);
        drop_first(answers, answers->in_command);
        answers->tries = 0;
    }
}

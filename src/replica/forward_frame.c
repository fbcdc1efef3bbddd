#include "replica/forward_frame.h"

#include "base/err.h"
#include "replica/order.h"

enum { FLAG_PATIENT = 1, FLAG_AGAIN = 2 };

void forward_put_begin(struct buf *out, uint64_t term, uint64_t first)
{
    wire_put_u64(out, term);
    wire_put_u64(out, first);
}

void forward_put_command(struct buf *out, const struct forward_command *command)
{
    wire_put_u64(out, (command->patient ? FLAG_PATIENT : 0u) | (command->again ? FLAG_AGAIN : 0u));
    wire_put_str(out, command->bytes);
}

void forward_put_answer(struct buf *out, const struct forward_answer *answer)
{
    wire_put_u64(out, answer->number);
    wire_put_u64(out, answer->verdict);
    wire_put_u64(out, answer->index);
    wire_put_str(out, answer->result);
}

bool forward_next_command(struct wire *in, struct forward_command *command)
{
    if (in->bad || wire_left(in) == 0)
        return false;
    uint64_t flags = wire_u64_max(in, FLAG_PATIENT | FLAG_AGAIN);
    *command = (struct forward_command){
        .patient = flags & FLAG_PATIENT,
        .again = flags & FLAG_AGAIN,
        .bytes = wire_str(in),
    };
    if (command->bytes.len > ORDER_COMMAND_MAX)
        in->bad = true;
    return !in->bad;
}

int forward_open_commands(struct str payload, struct wire *in, uint64_t *term, uint64_t *first,
                          size_t *count, size_t *bytes)
{
    struct forward_command command;
    *in = wire_of(payload);
    *term = wire_u64(in);
    *first = wire_u64(in);
    *count = *bytes = 0;
    struct wire all = *in;
    while (forward_next_command(&all, &command)) {
        (*count)++;
        *bytes += command.bytes.len;
    }
    bool valid =
        !all.bad && *count > 0 && *count <= FORWARD_COMMANDS_MAX && *first <= UINT64_MAX - *count;
    return valid ? 0 : ERR_INVALID;
}

bool forward_next_answer(struct wire *in, struct forward_answer *answer)
{
    if (in->bad || wire_left(in) == 0)
        return false;
    answer->number = wire_u64(in);
    answer->verdict = (enum answer_verdict)wire_u64_max(in, ANSWER_CLOSED);
    answer->index = wire_u64(in);
    answer->result = wire_str(in);
    return !in->bad;
}

int forward_open_answers(struct str payload, struct wire *in)
{
    struct forward_answer answer;
    struct wire all = *in = wire_of(payload);
    while (forward_next_answer(&all, &answer)) {
    }
    return all.bad || payload.len == 0 ? ERR_INVALID : 0;
}

/* Forward frame: what servers write into FRAME_COMMANDS and FRAME_ANSWERS. Pure.
 *
 *   FRAME_COMMANDS   term, number of the first, then commands until the end of the payload:
 *                    flags (1: patient, 2: again), command (a byte string)
 *   FRAME_ANSWERS    answers until the end: number, verdict, index, result (a byte string)
 *
 * All integers are varints (base/wire.h). The commands of a frame are numbered one after the
 * other. The term is that in which the sender takes the receiver for the primary: the receiver
 * takes them only as the primary of that term. So what was given up in a term, and sent again in a
 * later one, cannot turn up once more after that.
 */
#ifndef STOA_REPLICA_FORWARD_FRAME_H
#define STOA_REPLICA_FORWARD_FRAME_H

#include "base/wire.h"

enum answer_verdict {
    ANSWER_APPLIED = 0,
    ANSWER_BUSY,        /* refused: did not and will not happen */
    ANSWER_NOT_PRIMARY, /* did not happen here, or its fate is unknown: ask the new primary */
    ANSWER_CLOSED,      /* did not happen here: stopping */
};

enum {
    FORWARD_COMMANDS_MAX = 16384,    /* in one frame */
    FORWARD_RESULT_MAX = 1024 * 1024 /* bytes of one result */
};

struct forward_command {
    bool patient; /* see order.h */
    bool again;   /* it may have happened before: it must not be refused, if that can be helped */
    struct str bytes;
};

struct forward_answer {
    uint64_t number;
    enum answer_verdict verdict;
    uint64_t index;
    struct str result;
};

void forward_put_begin(struct buf *out, uint64_t term, uint64_t first);
void forward_put_command(struct buf *out, const struct forward_command *command);
void forward_put_answer(struct buf *out, const struct forward_answer *answer);

/* Opens a payload of commands, having looked through the whole of it: *COUNT commands with *BYTES
 * together. ERR_INVALID: it is none, or has more than there may be. Then forward_next_command
 * until it is false. What is read is lent from the payload. */
int forward_open_commands(struct str payload, struct wire *in, uint64_t *term, uint64_t *first,
                          size_t *count, size_t *bytes);
bool forward_next_command(struct wire *in, struct forward_command *command);

/* The same for answers. */
int forward_open_answers(struct str payload, struct wire *in);
bool forward_next_answer(struct wire *in, struct forward_answer *answer);

#endif

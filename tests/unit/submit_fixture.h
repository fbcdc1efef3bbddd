/* What waits for a submission, where order_submit is a test's own and answers before it returns. */
#ifndef STOA_TESTS_SUBMIT_FIXTURE_H
#define STOA_TESTS_SUBMIT_FIXTURE_H

#include "base/check.h"
#include "replica/order.h"

struct submit_wait {
    struct submission submission;
    int err;
    struct buf *result; /* NULL: nobody wants it */
};

static inline void submit_waited(struct submission *submission, int err, uint64_t index,
                                 struct str result)
{
    struct submit_wait *wait = CONTAINER_OF(submission, struct submit_wait, submission);
    (void)index;
    wait->err = err;
    if (wait->result != NULL)
        buf_str(wait->result, result);
}

static inline int order_submit_at_once(struct ordering *order, struct str command,
                                       struct buf *result)
{
    struct submit_wait wait = {.submission = {.command = command, .done = submit_waited},
                               .result = result};
    int err = order_submit(order, &wait.submission);
    return err != 0 ? err : wait.err;
}

#endif

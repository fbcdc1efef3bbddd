/* Any bytes come as commands of another server, and as answers of the primary: what is taken for
 * one can be written again and is read as the same; nobody is answered twice, nothing is lost. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/forward.h"
#include "replica/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OWN = 8 };

struct own {
    struct submission submission;
    unsigned answers;
};

static void nothing(void *context)
{
    (void)context;
}

static void count_answer(struct submission *submission, int err, uint64_t index, struct str result)
{
    (void)err, (void)index, (void)result;
    CONTAINER_OF(submission, struct own, submission)->answers++;
}

static int take(void *context, uint64_t server, uint64_t link, uint8_t kind, struct str payload)
{
    (void)context, (void)server, (void)link, (void)kind;
    CHECK(payload.len > 0);
    return 0;
}

static void never(void *context, uint64_t server, uint64_t link)
{
    (void)context, (void)server, (void)link;
    CHECK(false);
}

static void write_again(struct str input)
{
    struct wire in;
    struct buf out;
    uint64_t term, first;
    size_t count, bytes, sum = 0;
    struct forward_command command;
    struct forward_answer answer;
    buf_init(&out, 16 << 20);
    if (forward_open_commands(input, &in, &term, &first, &count, &bytes) == 0) {
        forward_put_begin(&out, term, first);
        for (; forward_next_command(&in, &command); count--, sum += command.bytes.len)
            forward_put_command(&out, &command);
        CHECK(count == 0 && sum == bytes && !out.failed);
        CHECK(forward_open_commands(buf_text(&out), &in, &term, &first, &count, &bytes) == 0);
        CHECK(bytes == sum);
    }
    buf_clear(&out);
    if (forward_open_answers(input, &in) == 0) {
        while (forward_next_answer(&in, &answer))
            forward_put_answer(&out, &answer);
        CHECK(!out.failed && forward_open_answers(buf_text(&out), &in) == 0);
    }
    buf_close(&out);
}

static void come_as_commands(struct ordering *order, struct str input)
{
    struct guests *guests;
    struct submission *submitted;
    CHECK(
        guests_new(
            &(struct guests_config){.order = order, .wake = nothing, .answer = take, .cut = never},
            &guests) == 0);
    for (uint64_t term = 0; term < 2; term++) {
        int err = guests_commands(guests, 2, 3, input, term, &submitted);
        CHECK(err == 0 || submitted == NULL);
        ordering_end(order, submitted, ERR_NOPRIMARY);
        CHECK(!guests_answers(guests));
    }
    guests_free(guests);
}

static void come_as_answers(struct ordering *order, struct str input)
{
    struct forward *forward;
    struct own own[OWN] = {{.answers = 0}};
    CHECK(forward_new(&(struct forward_config){.order = order, .send = take}, &forward) == 0);
    for (unsigned i = 0; i < OWN; i++) {
        own[i].submission = (struct submission){.command = STR("buy"), .done = count_answer};
        CHECK(order_submit(order, &own[i].submission) == 0);
    }
    uint64_t now_ns = clock_mono_ns();
    for (unsigned again = 0; again < 2; again++) { /* in the second term all are sent again */
        forward_primary(forward, again, 2, 3, false);
        forward_pump(forward, now_ns);
        forward_answers(forward, 2, 3, input);
    }
    forward_refuse(forward, ERR_CLOSED);
    for (unsigned i = 0; i < OWN; i++)
        CHECK(own[i].answers == 1);
    forward_free(forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ordering order;
    struct str input = str_make(data, size);
    ordering_init(&order, 1024, 1 << 20, 1000, nothing, NULL);
    ordering_open(&order);
    write_again(input);
    come_as_commands(&order, input);
    come_as_answers(&order, input);
    CHECK(atomic_load(&order.waiting) == 0 && atomic_load(&order.waiting_bytes) == 0);
    ordering_close(&order);
    ordering_destroy(&order);
    return 0;
}

#include "replica/guest.h"

#include "base/check.h"
#include "replica/hello.h"

#include <stdlib.h>

struct chunk { /* one frame of answers */
    struct chunk *next;
    struct buf bytes;
};

struct visitor { /* a link on which commands came */
    struct visitor *next;
    uint64_t server, link;
    bool left;
    bool cut;             /* it is to be */
    uint64_t outstanding; /* frames of commands with unanswered ones */
    size_t bytes;         /* of answers */
    struct chunk *first, *newest;
};

struct guest {
    struct submission submission;
    struct party *party;
    uint64_t number;
};

struct party { /* the commands of one frame, whose bytes are behind them */
    struct guests *guests;
    struct visitor *visitor;
    size_t left; /* unanswered */
    struct guest guests_of[];
};

struct guests {
    struct guests_config config;
    pthread_mutex_t mutex; /* held for a moment; guards all below it */
    struct visitor *visitors;
    bool woken;
};

int guests_new(const struct guests_config *config, struct guests **out)
{
    struct guests *guests = calloc(1, sizeof *guests);
    if (guests == NULL)
        return ERR_NOMEM;
    guests->config = *config;
    pthread_mutex_init(&guests->mutex, NULL);
    *out = guests;
    return 0;
}

/* ---- Answers ---- */

static void free_chunks(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *next = chunk->next;
        buf_close(&chunk->bytes);
        free(chunk);
        chunk = next;
    }
}

/* The lock is held. */
static void drop_answers(struct visitor *visitor)
{
    free_chunks(visitor->first);
    visitor->first = visitor->newest = NULL;
    visitor->bytes = 0;
}

static struct chunk *room_for_answers(struct visitor *visitor)
{
    struct chunk *newest = visitor->newest;
    if (newest != NULL && newest->bytes.len < GUEST_ANSWERS_FRAME)
        return newest;
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk == NULL)
        return NULL;
    buf_init(&chunk->bytes, GUEST_ANSWERS_FRAME + FORWARD_RESULT_MAX + 64);
    if (newest == NULL)
        visitor->first = chunk;
    else
        newest->next = chunk;
    visitor->newest = chunk;
    return chunk;
}

/* The lock is held. A link that cannot get an answer is of no use any more: cut, its server
 * asks again on another. */
static void put_answer(struct visitor *visitor, const struct forward_answer *answer)
{
    if (visitor->left || visitor->cut)
        return;
    struct chunk *chunk = room_for_answers(visitor);
    size_t before = chunk == NULL ? 0 : chunk->bytes.len;
    if (chunk != NULL)
        forward_put_answer(&chunk->bytes, answer);
    if (chunk == NULL || chunk->bytes.failed || visitor->bytes > GUEST_ANSWERS_MAX) {
        drop_answers(visitor);
        visitor->cut = true;
        return;
    }
    visitor->bytes += chunk->bytes.len - before;
}

static enum answer_verdict verdict_of(int err)
{
    switch (err) {
    case 0:
        return ANSWER_APPLIED;
    case ERR_BUSY:
        return ANSWER_BUSY;
    case ERR_CLOSED:
        return ANSWER_CLOSED;
    default:
        return ANSWER_NOT_PRIMARY;
    }
}

static void guest_done(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct guest *guest = CONTAINER_OF(submission, struct guest, submission);
    struct party *party = guest->party;
    struct guests *guests = party->guests;
    struct forward_answer answer = {
        .number = guest->number, .verdict = verdict_of(err), .index = index, .result = result};
    if (result.len > FORWARD_RESULT_MAX) /* no machine gives one: unreadable, but not for ever */
        answer.result = STR_NONE;
    pthread_mutex_lock(&guests->mutex);
    put_answer(party->visitor, &answer);
    bool last = --party->left == 0;
    if (last)
        party->visitor->outstanding--;
    bool wake = !guests->woken;
    guests->woken = true;
    pthread_mutex_unlock(&guests->mutex);
    if (last)
        free(party);
    if (wake)
        guests->config.wake(guests->config.context);
}

bool guest_owns(const struct submission *submission)
{
    return submission->done == guest_done;
}

/* ---- Commands ---- */

/* The lock is held. NULL: of a link that a newer one has replaced, or no memory. */
static struct visitor *find_visitor(struct guests *guests, uint64_t server, uint64_t link)
{
    for (struct visitor *visitor = guests->visitors; visitor != NULL; visitor = visitor->next) {
        if (visitor->server != server)
            continue;
        if (visitor->link == link)
            return visitor->left ? NULL : visitor;
        if (visitor->link > link)
            return NULL;
        visitor->left = true;
        drop_answers(visitor);
    }
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (visitor == NULL)
        return NULL;
    visitor->server = server;
    visitor->link = link;
    visitor->next = guests->visitors;
    guests->visitors = visitor;
    return visitor;
}

static void answer_all(struct guests *guests, struct visitor *visitor, uint64_t first, size_t count,
                       enum answer_verdict verdict)
{
    pthread_mutex_lock(&guests->mutex);
    for (size_t i = 0; i < count; i++)
        put_answer(visitor, &(struct forward_answer){.number = first + i, .verdict = verdict});
    pthread_mutex_unlock(&guests->mutex);
}

/* Copies the commands of IN; those that are admitted become a chain. */
static struct submission *seat(struct guests *guests, struct party *party, size_t count,
                               struct wire *in, uint64_t first)
{
    struct submission *chain = NULL, **last = &chain;
    char *room = (char *)&party->guests_of[count];
    struct forward_command command;
    size_t seated = 0;
    for (uint64_t number = first; forward_next_command(in, &command); number++) {
        struct guest *guest = &party->guests_of[seated];
        *guest = (struct guest){
            .submission = {.command = {room, command.bytes.len},
                           .done = guest_done,
                           .patient = command.patient || command.again,
                           .sent = command.again},
            .party = party,
            .number = number,
        };
        int err = ordering_admit(guests->config.order, &guest->submission);
        if (err != 0) {
            answer_all(guests, party->visitor, number, 1, verdict_of(err));
            continue;
        }
        if (command.bytes.len > 0)
            memcpy(room, command.bytes.at, command.bytes.len);
        room += command.bytes.len;
        seated++;
        *last = &guest->submission;
        last = &guest->submission.next;
    }
    party->left = seated;
    return chain;
}

int guests_commands(struct guests *guests, uint64_t server, uint64_t link, struct str payload,
                    uint64_t primary_term, struct submission **submitted)
{
    struct wire in;
    uint64_t term, first;
    size_t count, bytes;
    *submitted = NULL;
    if (forward_open_commands(payload, &in, &term, &first, &count, &bytes) != 0)
        return ERR_INVALID;
    pthread_mutex_lock(&guests->mutex);
    struct visitor *visitor = find_visitor(guests, server, link);
    pthread_mutex_unlock(&guests->mutex);
    if (visitor == NULL)
        return 0;
    if (primary_term == 0 || term != primary_term) {
        answer_all(guests, visitor, first, count, ANSWER_NOT_PRIMARY);
        return 0;
    }
    struct party *party = malloc(sizeof *party + count * sizeof party->guests_of[0] + bytes);
    if (party == NULL) {
        answer_all(guests, visitor, first, count, ANSWER_BUSY);
        return 0;
    }
    party->guests = guests;
    party->visitor = visitor;
    *submitted = seat(guests, party, count, &in, first);
    if (*submitted == NULL) {
        free(party);
        return 0;
    }
    pthread_mutex_lock(&guests->mutex);
    visitor->outstanding++;
    pthread_mutex_unlock(&guests->mutex);
    return 0;
}

/* ---- Sending ---- */

/* Sends what VISITOR's answers are. True: some are left. */
static bool send_answers(struct guests *guests, struct visitor *visitor)
{
    const struct guests_config *config = &guests->config;
    pthread_mutex_lock(&guests->mutex);
    struct chunk *chunk = visitor->first;
    visitor->first = visitor->newest = NULL;
    pthread_mutex_unlock(&guests->mutex);
    int err = 0;
    size_t sent = 0;
    while (chunk != NULL) {
        err = config->answer(config->context, visitor->server, visitor->link, FRAME_ANSWERS,
                             buf_text(&chunk->bytes));
        if (err == ERR_FULL)
            break;
        struct chunk *next = chunk->next;
        sent += chunk->bytes.len;
        buf_close(&chunk->bytes);
        free(chunk);
        chunk = next;
    }
    pthread_mutex_lock(&guests->mutex);
    visitor->bytes -= sent < visitor->bytes ? sent : visitor->bytes;
    if (chunk != NULL) { /* in front of what has come meanwhile */
        struct chunk *newest = chunk;
        while (newest->next != NULL)
            newest = newest->next;
        newest->next = visitor->first;
        if (visitor->newest == NULL)
            visitor->newest = newest;
        visitor->first = chunk;
    }
    if (err == ERR_CLOSED)
        visitor->left = true;
    pthread_mutex_unlock(&guests->mutex);
    return chunk != NULL;
}

static void forget(struct guests *guests, struct visitor **at)
{
    struct visitor *visitor = *at;
    pthread_mutex_lock(&guests->mutex);
    *at = visitor->next;
    drop_answers(visitor);
    pthread_mutex_unlock(&guests->mutex);
    free(visitor);
}

bool guests_answers(struct guests *guests)
{
    pthread_mutex_lock(&guests->mutex);
    guests->woken = false;
    pthread_mutex_unlock(&guests->mutex);
    bool left_over = false;
    struct visitor **at = &guests->visitors;
    while (*at != NULL) {
        struct visitor *visitor = *at;
        if (send_answers(guests, visitor))
            left_over = true;
        pthread_mutex_lock(&guests->mutex);
        bool gone = visitor->left && visitor->outstanding == 0, cut = visitor->cut;
        if (cut)
            visitor->left = true;
        visitor->cut = false;
        pthread_mutex_unlock(&guests->mutex);
        if (cut)
            guests->config.cut(guests->config.context, visitor->server, visitor->link);
        if (gone)
            forget(guests, at);
        else
            at = &visitor->next;
    }
    return left_over;
}

void guests_left(struct guests *guests, uint64_t server, uint64_t link)
{
    pthread_mutex_lock(&guests->mutex);
    for (struct visitor *visitor = guests->visitors; visitor != NULL; visitor = visitor->next)
        if (visitor->server == server && visitor->link == link) {
            visitor->left = true;
            drop_answers(visitor);
        }
    pthread_mutex_unlock(&guests->mutex);
}

void guests_free(struct guests *guests)
{
    if (guests == NULL)
        return;
    while (guests->visitors != NULL) {
        CHECK(guests->visitors->outstanding == 0);
        forget(guests, &guests->visitors);
    }
    pthread_mutex_destroy(&guests->mutex);
    free(guests);
}

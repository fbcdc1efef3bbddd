#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/random.h"
#include "net/openssl.h" /* first, see there */
#include "replica/copy.h"
#include "replica/copy_wire.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ANSWER_MS = 10000,     /* for one frame to be sent */
    ASK_MS = 5000,         /* until the first frame is there */
    LOOK_MS = 500,         /* between two looks at whether we are to stop */
    QUIET_MS = 600 * 1000, /* R opens its copy, which may take long; a dead one is noticed by TCP */
    ENTRIES_BYTES = 512 * 1024,
    TAIL_WAIT_MAX_MS = 1000,
    SAY_NS_EVERY = 5,
};

/* The copy that is being sent. Of the thread whose turn it is. */
struct sending {
    uint64_t id, other;
    struct machine_frozen frozen;
    struct tail *tail;
    EVP_MD_CTX *sha;
    uint64_t hashed; /* bytes of the file, from its begin */
    bool taken;      /* R has all of the file, which is held still no longer */
    uint64_t said_ns;
};

struct copy_sender {
    struct copy_sender_config config;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct sending *current;
    bool served;   /* by a thread: on a connection, or waiting for R to come again */
    bool newcomer; /* R has come again on another thread, which waits until it is not served */
    uint64_t sent; /* of the file */
};

enum outcome {
    DONE,     /* R needs nothing more */
    BROKEN,   /* the connection: R may come again */
    RETURNED, /* R has come again, on another thread */
    GIVEN_UP, /* we cannot go on */
};

/* ---- The slot ---- */

int copy_sender_new(const struct copy_sender_config *config, struct copy_sender **out,
                    struct failure *failure)
{
    struct copy_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for copies");
    sender->config = *config;
    if (sender->config.kept_ms == 0)
        sender->config.kept_ms = COPY_KEPT_MS;
    pthread_mutex_init(&sender->mutex, NULL);
    cond_init(&sender->changed);
    *out = sender;
    return 0;
}

void copy_sender_free(struct copy_sender *sender)
{
    if (sender == NULL)
        return;
    CHECK(sender->current == NULL);
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->mutex);
    free(sender);
}

void copy_sender_look(struct copy_sender *sender, struct copy_progress *progress)
{
    pthread_mutex_lock(&sender->mutex);
    const struct sending *current = sender->current;
    *progress = (struct copy_progress){0};
    if (current != NULL)
        *progress = (struct copy_progress){current->other, sender->sent, current->frozen.size};
    pthread_mutex_unlock(&sender->mutex);
}

/* Waits on the lock, which is held, at most until UNTIL_NS or LOOK_MS from now. */
static void wait_a_little(struct copy_sender *sender, uint64_t until_ns)
{
    uint64_t at = clock_mono_ns() + LOOK_MS * MS_NS;
    cond_wait_until(&sender->changed, &sender->mutex, at < until_ns ? at : until_ns);
}

static bool has_returned(struct copy_sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    bool newcomer = sender->newcomer;
    pthread_mutex_unlock(&sender->mutex);
    return newcomer;
}

/* The current copy ends. */
static void drop(struct copy_sender *sender)
{
    struct sending *sending = sender->current;
    copies_end(sender->config.copies);
    pthread_mutex_lock(&sender->mutex);
    sender->current = NULL;
    sender->served = false;
    sender->sent = 0;
    pthread_cond_broadcast(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
    EVP_MD_CTX_free(sending->sha);
    free(sending);
}

/* Makes OTHER's copy this thread's; waits for the one that still serves its broken connection. 0
 * and *SENDING (NULL: there is none), or ERR_BUSY: the copy is another server's. */
static int claim(struct copy_sender *sender, uint64_t other, struct sending **sending)
{
    uint64_t patient_ns = clock_mono_ns() + 2 * ANSWER_MS * MS_NS;
    pthread_mutex_lock(&sender->mutex);
    bool mine = sender->current == NULL || (sender->current->other == other && !sender->newcomer);
    if (mine && sender->current != NULL) {
        sender->newcomer = true;
        pthread_cond_broadcast(&sender->changed);
        while (sender->served && clock_mono_ns() < patient_ns)
            wait_a_little(sender, patient_ns);
        sender->newcomer = false;
        mine = !sender->served;
        sender->served = sender->served || sender->current != NULL;
    }
    *sending = sender->current;
    pthread_mutex_unlock(&sender->mutex);
    return mine ? 0 : ERR_BUSY;
}

static struct sending *begin_new(struct copy_sender *sender, uint64_t other,
                                 struct failure *failure)
{
    struct sending *sending = calloc(1, sizeof *sending);
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    int err = 0;
    if (sending == NULL || sha == NULL || EVP_DigestInit_ex(sha, EVP_sha256(), NULL) != 1)
        err = fail(failure, ERR_NOMEM, "out of memory for a copy");
    if (err == 0)
        err = copies_begin(sender->config.copies, &sending->frozen, &sending->tail, failure);
    if (err != 0) {
        EVP_MD_CTX_free(sha);
        free(sending);
        return NULL;
    }
    sending->sha = sha;
    sending->other = other;
    do
        random_secret(&sending->id, sizeof sending->id);
    while (sending->id == 0);
    pthread_mutex_lock(&sender->mutex);
    sender->current = sending;
    sender->served = true;
    pthread_mutex_unlock(&sender->mutex);
    return sending;
}

/* ---- The file ---- */

static void say_progress(struct copy_sender *sender, struct sending *sending, uint64_t sent)
{
    uint64_t now = clock_mono_ns();
    pthread_mutex_lock(&sender->mutex);
    sender->sent = sent;
    pthread_mutex_unlock(&sender->mutex);
    if (sending->said_ns == 0)
        sending->said_ns = now;
    if (now - sending->said_ns < SAY_NS_EVERY * SEC_NS)
        return;
    sending->said_ns = now;
    log_line(sender->config.log, LOG_INFO, "copy", "sending server %llu: %llu of %llu MB",
             (unsigned long long)sending->other, (unsigned long long)(sent / 1000000),
             (unsigned long long)(sending->frozen.size / 1000000));
}

static enum outcome give_up(struct copy_sender *sender, struct channel *channel,
                            const struct failure *failure)
{
    log_line(sender->config.log, LOG_WARN, "copy", "%s; the copy is broken off", failure->text);
    channel_send(channel, COPY_END, str_of(failure->text), clock_mono_ns() + SEC_NS);
    return GIVEN_UP;
}

static enum outcome send_file(struct copy_sender *sender, struct sending *sending,
                              struct channel *channel, uint64_t offset)
{
    struct failure failure = {0};
    struct {
        unsigned char offset[COPY_OFFSET_SIZE];
        unsigned char bytes[COPY_PIECE];
    } *piece = malloc(sizeof *piece);
    enum outcome outcome = DONE;
    if (piece == NULL)
        return BROKEN;
    while (outcome == DONE && offset < sending->frozen.size) {
        uint64_t left = sending->frozen.size - offset;
        size_t len = left < COPY_PIECE ? (size_t)left : COPY_PIECE;
        if (copies_read(sender->config.copies, offset, piece->bytes, len, &failure) != 0) {
            outcome = give_up(sender, channel, &failure);
            break;
        }
        if (offset + len > sending->hashed) { /* else it was sent before, on a broken connection */
            size_t old = (size_t)(sending->hashed - offset);
            EVP_DigestUpdate(sending->sha, piece->bytes + old, len - old);
            sending->hashed = offset + len;
        }
        copy_offset_put(piece->offset, offset);
        if (channel_send(channel, COPY_PIECE_AT, str_make((char *)piece, COPY_OFFSET_SIZE + len),
                         clock_mono_ns() + ANSWER_MS * MS_NS) != 0)
            outcome = BROKEN;
        offset += len;
        say_progress(sender, sending, offset);
        if (has_returned(sender))
            outcome = RETURNED;
    }
    free(piece);
    return outcome;
}

static int send_digest(struct sending *sending, struct channel *channel)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *end = EVP_MD_CTX_new(); /* a broken connection may need it once more */
    int err = ERR_NOMEM;
    CHECK(sending->hashed == sending->frozen.size);
    if (end != NULL && EVP_MD_CTX_copy_ex(end, sending->sha) == 1 &&
        EVP_DigestFinal_ex(end, digest, NULL) == 1)
        err = channel_send(channel, COPY_DIGEST, str_make((char *)digest, COPY_DIGEST_SIZE),
                           clock_mono_ns() + ANSWER_MS * MS_NS);
    EVP_MD_CTX_free(end);
    return err;
}

/* ---- The tail ---- */

static enum outcome send_entries(struct copy_sender *sender, struct sending *sending,
                                 struct channel *channel, struct str question)
{
    struct failure failure = {0};
    struct buf entries;
    enum outcome outcome = DONE;
    if (question.len != 3 * COPY_OFFSET_SIZE)
        return BROKEN;
    uint64_t taken = copy_offset_get(question.at);
    uint64_t after = copy_offset_get(question.at + COPY_OFFSET_SIZE);
    uint64_t wait_ms = copy_offset_get(question.at + 2 * COPY_OFFSET_SIZE);
    wait_ms = wait_ms > TAIL_WAIT_MAX_MS ? TAIL_WAIT_MAX_MS : wait_ms;
    buf_init(&entries, 2 * ENTRIES_BYTES + TAIL_RECORD_MAX);
    int err = copies_check_room(sender->config.copies, &failure);
    if (err == 0)
        err = tail_read(sending->tail, taken, after, ENTRIES_BYTES,
                        clock_mono_ns() + wait_ms * MS_NS, &entries, &failure);
    if (err != 0)
        outcome = give_up(sender, channel, &failure);
    else if (channel_send(channel, COPY_ENTRIES, buf_text(&entries),
                          clock_mono_ns() + ANSWER_MS * MS_NS) != 0)
        outcome = BROKEN;
    buf_close(&entries);
    return outcome;
}

static enum outcome answer(struct copy_sender *sender, struct sending *sending,
                           struct channel *channel, const struct frame *frame)
{
    switch (frame->kind) {
    case COPY_TAKEN:
        sending->taken = true;
        copies_thaw(sender->config.copies);
        log_line(sender->config.log, LOG_INFO, "copy",
                 "server %llu has the whole copy, as of entry %llu",
                 (unsigned long long)sending->other, (unsigned long long)sending->frozen.index);
        return DONE;
    case COPY_TAIL:
        return send_entries(sender, sending, channel, frame->payload);
    default:
        return BROKEN;
    }
}

/* Answers R until it says that it needs nothing more. */
static enum outcome serve_tail(struct copy_sender *sender, struct sending *sending,
                               struct channel *channel)
{
    uint64_t quiet_ns = clock_mono_ns() + QUIET_MS * MS_NS;
    struct failure failure = {0};
    while (clock_mono_ns() < quiet_ns) {
        struct frame frame;
        int err = channel_receive(channel, &frame, clock_mono_ns() + LOOK_MS * MS_NS);
        if (has_returned(sender))
            return RETURNED;
        if (copies_stopping(sender->config.copies))
            return GIVEN_UP;
        if (copies_check_room(sender->config.copies, &failure) != 0)
            return give_up(sender, channel, &failure);
        if (err == ERR_TIMEOUT)
            continue;
        if (err != 0)
            return BROKEN;
        if (frame.kind == COPY_END)
            return DONE;
        enum outcome outcome = answer(sender, sending, channel, &frame);
        if (outcome != DONE)
            return outcome;
        quiet_ns = clock_mono_ns() + QUIET_MS * MS_NS;
    }
    return GIVEN_UP;
}

/* ---- One connection ---- */

static enum outcome serve(struct copy_sender *sender, struct sending *sending,
                          struct channel *channel, uint64_t offset)
{
    struct copy_begin begin = {.copy = sending->id,
                               .offset = offset,
                               .size = sending->frozen.size,
                               .index = sending->frozen.index,
                               .time_ms = sending->frozen.time_ms};
    struct buf room;
    buf_init(&room, 256);
    copy_begin_put(&room, &begin);
    int err =
        channel_send(channel, COPY_BEGIN, buf_text(&room), clock_mono_ns() + ANSWER_MS * MS_NS);
    buf_close(&room);
    enum outcome outcome = err == 0 ? DONE : BROKEN;
    if (outcome == DONE)
        outcome = send_file(sender, sending, channel, offset);
    if (outcome == DONE && send_digest(sending, channel) != 0)
        outcome = BROKEN;
    return outcome == DONE ? serve_tail(sender, sending, channel) : outcome;
}

/* The connection broke: the copy is left to the newcomer as soon as R comes again; else GIVEN_UP.
 * Also when R was seen to have come: its patience may have ended since, and a copy that is nobody's
 * would hold the file still for ever. */
static enum outcome leave_to_newcomer(struct copy_sender *sender)
{
    uint64_t until_ns = clock_mono_ns() + sender->config.kept_ms * MS_NS;
    pthread_mutex_lock(&sender->mutex);
    while (!sender->newcomer && clock_mono_ns() < until_ns &&
           !copies_stopping(sender->config.copies))
        wait_a_little(sender, until_ns);
    bool left = sender->newcomer;
    sender->served = !left;
    pthread_cond_broadcast(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
    return left ? RETURNED : GIVEN_UP;
}

static void refuse(struct channel *channel, enum copy_refusal code, const char *sentence)
{
    struct buf room;
    buf_init(&room, 1024);
    copy_refused_put(&room, code, sentence);
    channel_send(channel, COPY_REFUSED, buf_text(&room), clock_mono_ns() + SEC_NS);
    buf_close(&room);
}

/* Whether a new copy may begin; refused if not. */
static bool may_begin(struct copy_sender *sender, struct channel *channel,
                      const struct copy_ask *ask)
{
    const struct copy_sender_config *config = &sender->config;
    if (ask->copy != 0)
        refuse(channel, COPY_UNKNOWN, "that copy is no longer kept");
    else if (config->primary != NULL && config->primary(config->context) && !ask->primary_too)
        refuse(channel, COPY_PRIMARY, "this server is primary: the others first");
    else if ((config->whole != NULL && !config->whole(config->context)) ||
             (config->applied != NULL && config->applied(config->context) < ask->least))
        refuse(channel, COPY_BEHIND, "this server's own copy is behind");
    else
        return true;
    return false;
}

/* Whether R, which has what it asks for, can go on with this copy. It may have lost what it had
 * said to have (a power cut), or have put it in its place and been killed before it noted that. */
static bool can_go_on(const struct sending *sending, const struct copy_ask *ask)
{
    uint64_t least = sending->taken ? sending->frozen.size : 0;
    return ask->copy == sending->id && ask->offset >= least && ask->offset <= sending->hashed;
}

/* The copy that is to be served, this thread's now; NULL: refused. */
static struct sending *find(struct copy_sender *sender, const struct server_place *other,
                            struct channel *channel, const struct copy_ask *ask)
{
    struct failure failure = {0};
    struct sending *sending = NULL;
    if (claim(sender, other->id, &sending) != 0) {
        refuse(channel, COPY_BUSY, "another server is being sent a copy");
        return NULL;
    }
    if (sending != NULL && !can_go_on(sending, ask)) {
        drop(sender);
        sending = NULL;
    }
    if (sending != NULL || !may_begin(sender, channel, ask))
        return sending;
    sending = begin_new(sender, other->id, &failure);
    if (sending == NULL) {
        log_line(sender->config.log, LOG_WARN, "copy", "no copy for server %llu: %s",
                 (unsigned long long)other->id, failure.text);
        refuse(channel, COPY_BUSY, failure.text);
        return NULL;
    }
    log_line(sender->config.log, LOG_INFO, "copy",
             "server %llu gets a copy of %llu MB as of entry %llu", (unsigned long long)other->id,
             (unsigned long long)(sending->frozen.size / 1000000),
             (unsigned long long)sending->frozen.index);
    return sending;
}

void copy_send(struct copy_sender *sender, const struct server_place *other,
               struct channel *channel)
{
    struct frame frame;
    struct copy_ask ask = {0};
    if (channel_receive(channel, &frame, clock_mono_ns() + ASK_MS * MS_NS) != 0 ||
        frame.kind != COPY_ASK || copy_ask_get(&ask, frame.payload) != 0)
        return;
    struct sending *sending = find(sender, other, channel, &ask);
    if (sending == NULL)
        return;
    enum outcome outcome = serve(sender, sending, channel, ask.copy == 0 ? 0 : ask.offset);
    if (outcome == BROKEN || outcome == RETURNED)
        outcome = leave_to_newcomer(sender);
    if (outcome != RETURNED)
        drop(sender);
    if (outcome == GIVEN_UP)
        log_line(sender->config.log, LOG_INFO, "copy", "server %llu's copy is no longer kept",
                 (unsigned long long)other->id);
}

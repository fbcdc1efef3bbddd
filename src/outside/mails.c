#include "outside/mails.h"

#include "base/clock.h"
#include "base/thread.h"
#include "outside/mail_text.h"
#include "outside/telling.h"

#include <pthread.h>
#include <stdlib.h>

/* One mail on its way. */
struct mail_sending {
    struct mail_sending *next;
    struct outbox_send *send;
    struct arena arena;
    struct order order;
    struct id id;
    int64_t time_ms;
    struct buf message;
};

struct mails {
    struct mails_config config;
    struct outbox_sender sender;
    struct reader *reader; /* the outbox's thread's */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct mail_sending *first, **last;
    bool stopping, stopped;
};

/* ---- Ending ---- */

static void end(struct mail_sending *sending, enum outbox_sent sent, const char *why,
                uint32_t wait_ms)
{
    struct outbox_said said = {.sent = sent, .text = str_of(why), .wait_ms = wait_ms};
    sending->send->done(sending->send, &said);
    arena_close(&sending->arena);
    buf_close(&sending->message);
    free(sending);
}

static void end_never(const struct mails *mails, struct mail_sending *sending, const char *why)
{
    const struct outbox_row *row = sending->send->row;
    log_line(mails->config.log, LOG_WARN, "mail", "order %llu, event %u: no mail is sent: %s",
             (unsigned long long)row->order_number, row->event, why);
    end(sending, OUTBOX_SENT_NEVER, why, 0);
}

static void end_later(const struct mails *mails, struct mail_sending *sending, const char *why)
{
    struct failure whole;
    struct outbox_said said = telling_failed(sending->send->row, clock_wall_ms(), 0, why, &whole);
    if (said.sent == OUTBOX_SENT_NEVER)
        end_never(mails, sending, whole.text);
    else
        end(sending, said.sent, why, said.wait_ms);
}

/* ---- Sending ---- */

static void put(struct mails *mails, struct mail_sending *sending)
{
    struct failure failure = {0};
    enum mail_fate fate = mail_box_put(
        mails->config.box, str_of(mails->config.from), sending->order.basket.buyer.email,
        buf_text(&sending->message), sending->id, sending->time_ms, &failure);
    switch (fate) {
    case MAIL_TAKEN:
        end(sending, OUTBOX_SENT, "", 0);
        break;
    case MAIL_REFUSED:
        end_never(mails, sending, failure.text);
        break;
    case MAIL_LATER:
        end_later(mails, sending, failure.text);
        break;
    case MAIL_AWAY:
        if (sending->send->alone) /* a server that hangs up on this one alone; it ends some day */
            end_later(mails, sending, failure.text);
        else
            end(sending, OUTBOX_SENT_AWAY, failure.text, 0);
        break;
    }
}

static struct mail_sending *take_next(struct mails *mails)
{
    pthread_mutex_lock(&mails->mutex);
    while (!mails->first && !mails->stopping)
        pthread_cond_wait(&mails->changed, &mails->mutex);
    struct mail_sending *sending = mails->first;
    if (sending) {
        mails->first = sending->next;
        if (!mails->first)
            mails->last = &mails->first;
    }
    bool stopping = mails->stopping;
    pthread_mutex_unlock(&mails->mutex);
    if (!sending || !stopping)
        return sending;
    end(sending, OUTBOX_SENT_AWAY, "this server stops", 0);
    return take_next(mails);
}

static void *run(void *context)
{
    struct mails *mails = context;
    for (struct mail_sending *sending; (sending = take_next(mails)) != NULL;)
        put(mails, sending);
    return NULL;
}

/* ---- Beginning, on the outbox's thread ---- */

static int compose(const struct mails *mails, struct mail_sending *sending,
                   const struct shop_settings *settings, const struct mail_words *words,
                   struct failure *failure)
{
    struct mail mail = {
        .from = str_of(mails->config.from),
        .from_name = settings->name,
        .to = sending->order.basket.buyer.email,
        .subject = words->subject,
        .body = words->body,
        .id = sending->id,
        .time_ms = sending->time_ms,
    };
    buf_init(&sending->message, MAIL_BYTES_MAX);
    int err = mail_compose(&mail, &sending->message);
    if (err == ERR_INVALID)
        return fail(failure, err, "\"%.*s\" is no address that can be written to",
                    STR_FMT(str_sub(mail.to, 0, MAIL_ADDRESS_MAX)));
    return err ? fail(failure, err, "the mail is too long") : 0;
}

/* ERR_STATE: there is nothing to tell. ERR_INVALID: nobody to tell it to. */
static int prepare(struct mails *mails, struct mail_sending *sending, struct failure *failure)
{
    const struct outbox_row *row = sending->send->row;
    struct mail_words words = {{NULL, 0}, {NULL, 0}};
    struct shop_settings settings;
    int err =
        reader_order_at(mails->reader, &sending->arena, row->order, row->event, &sending->order);
    err = err ? err : reader_settings(mails->reader, &sending->arena, &settings);
    if (err)
        return fail(failure, ERR_IO, "the order cannot be read: %s", err_sentence(err));
    const struct order_event *event = telling_event(&sending->order, row->event);
    if (!event)
        return fail(failure, ERR_IO, "the order has no event %u", row->event);
    sending->id = event->id;
    sending->time_ms = event->time_ms;
    err = mails->config.render(mails->config.render_context, &sending->arena, &settings,
                               &sending->order, event, &words);
    if (err)
        return fail(failure, ERR_IO, "the mail cannot be written: %s", err_sentence(err));
    return words.subject.len ? compose(mails, sending, &settings, &words, failure) : ERR_STATE;
}

static void queue(struct mails *mails, struct mail_sending *sending)
{
    pthread_mutex_lock(&mails->mutex);
    *mails->last = sending;
    mails->last = &sending->next;
    pthread_cond_signal(&mails->changed);
    pthread_mutex_unlock(&mails->mutex);
}

static void begin_one(void *context, struct outbox_send *send)
{
    struct mails *mails = context;
    struct failure failure = {0};
    struct mail_sending *sending = calloc(1, sizeof *sending);
    if (!sending) {
        struct outbox_said said = {.sent = OUTBOX_SENT_LATER, .text = STR("out of memory")};
        send->done(send, &said);
        return;
    }
    sending->send = send;
    arena_init(&sending->arena, MAIL_MEMORY);
    int err = prepare(mails, sending, &failure);
    if (!err)
        queue(mails, sending);
    else if (err == ERR_STATE)
        end(sending, OUTBOX_SENT, "", 0);
    else if (err == ERR_INVALID)
        end_never(mails, sending, failure.text);
    else
        end_later(mails, sending, failure.text);
}

static void begin(void *context, struct outbox_send *first)
{
    const struct mails *mails = context;
    telling_begin(first, mails->config.ready, begin_one, context);
}

/* ---- Life ---- */

int mails_start(const struct mails_config *config, struct mails **mails, struct failure *failure)
{
    struct mails *made = calloc(1, sizeof *made);
    *mails = NULL;
    if (!made)
        return fail(failure, ERR_NOMEM, "out of memory");
    made->config = *config;
    made->last = &made->first;
    made->sender = (struct outbox_sender){
        .name = "mail", .context = made, .begin = begin, .at_once = MAILS_AT_ONCE};
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->changed, NULL);
    int err = reader_open(config->database, &made->reader, failure);
    if (!err && thread_start(&made->thread, "mail", run, made)) {
        err = fail(failure, ERR_NOMEM, "no thread for mail");
        reader_close(made->reader);
    }
    if (err)
        free(made);
    else
        *mails = made;
    return err;
}

void mails_stop(struct mails *mails)
{
    if (!mails || mails->stopped)
        return;
    pthread_mutex_lock(&mails->mutex);
    mails->stopping = true;
    pthread_cond_signal(&mails->changed);
    pthread_mutex_unlock(&mails->mutex);
    mail_box_stop(mails->config.box);
    pthread_join(mails->thread, NULL);
    mails->stopped = true;
}

void mails_free(struct mails *mails)
{
    if (!mails)
        return;
    mails_stop(mails);
    reader_close(mails->reader);
    pthread_cond_destroy(&mails->changed);
    pthread_mutex_destroy(&mails->mutex);
    free(mails);
}

const struct outbox_sender *mails_sender(struct mails *mails)
{
    return &mails->sender;
}

#include "outside/webhook.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "outside/telling.h"

#include <stdlib.h>

/* How long a platform that is busy may have itself left alone. */
enum { BUSY_MOST_MS = 3600 * 1000 };

struct webhooks {
    struct webhooks_config config;
    struct outbox_sender sender;
    struct transfer_trust trust;
    struct reader *reader; /* the outbox's thread's */
    struct arena looking;  /* for `receiver`; the same thread's */
    struct hash_key seed;
};

/* One event on its way to one platform. */
struct sending {
    struct webhooks *webhooks;
    struct outbox_send *send;
    struct arena arena; /* all that is below */
    struct order order;
    const struct order_event *event;
    struct str body;
    struct es256_key *key;
    struct str key_name;
    struct profile_question question;
    struct http_header headers[WEBHOOK_HEADERS];
    struct transfer transfer;
};

/* ---- Ending ---- */

static void end(struct sending *sending, const struct outbox_said *said)
{
    sending->send->done(sending->send, said);
    es256_free(sending->key);
    arena_close(&sending->arena);
    free(sending);
}

static void end_never(struct sending *sending, const char *why)
{
    const struct outbox_row *row = sending->send->row;
    log_line(sending->webhooks->config.log, LOG_WARN, "webhook",
             "order %llu, event %u: the platform is not told: %s",
             (unsigned long long)row->order_number, row->event, why);
    struct outbox_said said = {.sent = OUTBOX_SENT_NEVER, .text = str_of(why)};
    end(sending, &said);
}

/* By the schedule, and not before LEAST_MS, which it has asked for. BUSY: all that is for it waits
 * so long, unless it takes others and this one alone does not get through. */
static void end_later(struct sending *sending, bool busy, int64_t least_ms, const char *why)
{
    struct failure whole;
    struct outbox_said said =
        telling_failed(sending->send->row, clock_wall_ms(), least_ms, why, &whole);
    if (said.sent == OUTBOX_SENT_NEVER) {
        end_never(sending, whole.text);
        return;
    }
    if (busy && least_ms > 0 && !sending->send->alone) {
        said.sent = OUTBOX_SENT_AWAY;
        said.wait_ms = (uint32_t)(least_ms < BUSY_MOST_MS ? least_ms : BUSY_MOST_MS);
    }
    end(sending, &said);
}

/* ---- Sending ---- */

static bool is_busy(int status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static void take_answer(struct transfer *transfer)
{
    struct sending *sending = transfer->context;
    struct failure why = transfer->failure;
    struct outbox_said taken = {.sent = OUTBOX_SENT};
    int status = transfer->status;
    if (!transfer->err && status >= 200 && status < 300) {
        end(sending, &taken);
        return;
    }
    if (!transfer->err)
        fail(&why, ERR_STATE, "%.200s is answered with status %d", sending->question.webhook_url,
             status);
    int64_t least_ms = transfer->retry_after_s > 0 ? transfer->retry_after_s * 1000 : 0;
    if (!transfer->err && status == 410)
        end_never(sending, why.text);
    else
        end_later(sending, !transfer->err && is_busy(status), least_ms, why.text);
}

static int sign(struct sending *sending, struct failure *failure)
{
    const struct webhooks *webhooks = sending->webhooks;
    struct webhook_request request = {
        .url = str_of(sending->question.webhook_url),
        .body = sending->body,
        .event = sending->event->id,
        .happened_ms = sending->event->time_ms,
        .agent = arena_printf(&sending->arena, "%s/.well-known/ucp", webhooks->config.base_url),
    };
    return request.agent.at
               ? webhook_sign(&request, sending->key, sending->key_name, clock_wall_ms() / 1000,
                              &sending->arena, sending->headers, failure)
               : ERR_NOMEM;
}

static void post(struct sending *sending)
{
    struct failure failure = {0};
    struct transfer *transfer = &sending->transfer;
    int err = sign(sending, &failure);
    *transfer = (struct transfer){
        .method = STR("POST"),
        .url = str_of(sending->question.webhook_url),
        .header_count = WEBHOOK_HEADERS,
        .body = sending->body,
        .trust = &sending->webhooks->trust,
        .total_ms = WEBHOOK_TOTAL_MS,
        .answer_max = WEBHOOK_ANSWER_MAX,
        .done = take_answer,
        .context = sending,
    };
    for (unsigned i = 0; i < WEBHOOK_HEADERS; i++)
        transfer->headers[i] =
            (struct transfer_header){sending->headers[i].name, sending->headers[i].value};
    if (!err && (err = transfer_start(sending->webhooks->config.transfers, transfer)) != 0)
        fail(&failure, err, "it cannot be sent now: %s", err_sentence(err));
    if (err)
        end_later(sending, false, 0, failure.text);
}

static void take_profile(struct profile_question *question)
{
    struct sending *sending =
        (struct sending *)((char *)question - offsetof(struct sending, question));
    if (!question->err)
        post(sending);
    else if (question->err == ERR_NOTFOUND || question->err == ERR_UNSUPPORTED)
        end_never(sending, question->failure.text);
    else
        end_later(sending, false, question->wait_ms, question->failure.text);
}

/* ---- Beginning ---- */

static int find_key(struct sending *sending, struct failure *failure)
{
    struct signing_keys keys;
    struct str text;
    int err =
        reader_registry(sending->webhooks->reader, &sending->arena, STR(SIGNING_KEYS_ENTRY), &text);
    if (err)
        return fail(failure, err, "the shop has no key to sign by yet");
    err = signing_keys_parse(text, &keys, failure);
    if (err)
        return err;
    const struct signing_key *key = signing_keys_current(&keys, clock_wall_ms());
    if (!key)
        return fail(failure, ERR_NOTFOUND, "the shop has no key to sign by yet");
    sending->key_name = key->name;
    return signing_key_open(key, sending->webhooks->config.secret, &sending->key, failure);
}

static int prepare(struct sending *sending, struct failure *failure)
{
    const struct webhooks *webhooks = sending->webhooks;
    const struct outbox_row *row = sending->send->row;
    int err =
        reader_order_at(webhooks->reader, &sending->arena, row->order, row->event, &sending->order);
    if (err)
        return fail(failure, err, "the order cannot be read: %s", err_sentence(err));
    sending->event = telling_event(&sending->order, row->event);
    if (!sending->event)
        return fail(failure, ERR_DAMAGED, "the order has no such event");
    sending->body = webhooks->config.render(&sending->arena, str_of(webhooks->config.base_url),
                                            &sending->order, sending->event);
    if (!sending->body.at)
        return fail(failure, ERR_NOMEM, "the order's text is too long");
    return find_key(sending, failure);
}

static void begin_one(void *context, struct outbox_send *send)
{
    struct webhooks *webhooks = context;
    struct sending *sending = calloc(1, sizeof *sending);
    struct failure failure = {0};
    if (!sending) {
        struct outbox_said said = {.sent = OUTBOX_SENT_LATER, .text = STR("out of memory")};
        send->done(send, &said);
        return;
    }
    sending->webhooks = webhooks;
    sending->send = send;
    arena_init(&sending->arena, WEBHOOK_MEMORY);
    int err = prepare(sending, &failure);
    if (err) {
        end_later(sending, false, 0, failure.text);
        return;
    }
    sending->question.url = sending->order.platform;
    sending->question.done = take_profile;
    profile_ask(webhooks->config.profiles, &sending->question);
}

static void begin(void *context, struct outbox_send *first)
{
    const struct webhooks *webhooks = context;
    telling_begin(first, webhooks->config.ready, begin_one, context);
}

/* A platform is its profile's address. */
static uint64_t receiver(void *context, const struct outbox_row *row)
{
    struct webhooks *webhooks = context;
    struct order order;
    arena_reset(&webhooks->looking);
    if (reader_order(webhooks->reader, &webhooks->looking, row->order, &order))
        return 0;
    return hash_fast(webhooks->seed, order.platform);
}

int webhooks_new(const struct webhooks_config *config, struct webhooks **webhooks,
                 struct failure *failure)
{
    struct webhooks *made = calloc(1, sizeof *made);
    *webhooks = made;
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for webhooks");
    made->config = *config;
    made->trust = (struct transfer_trust){.authority_file = config->authority_file,
                                          .public_only = !config->allow_private};
    made->sender = (struct outbox_sender){
        .name = "webhook", .context = made, .begin = begin, .receiver = receiver};
    random_secret(&made->seed, sizeof made->seed);
    arena_init(&made->looking, WEBHOOK_MEMORY);
    int err = reader_open(config->database, &made->reader, failure);
    if (err) {
        free(made);
        *webhooks = NULL;
    }
    return err;
}

void webhooks_free(struct webhooks *webhooks)
{
    if (!webhooks)
        return;
    reader_close(webhooks->reader);
    arena_close(&webhooks->looking);
    free(webhooks);
}

const struct outbox_sender *webhooks_sender(struct webhooks *webhooks)
{
    return &webhooks->sender;
}

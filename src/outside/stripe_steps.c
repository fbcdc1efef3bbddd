#include "outside/stripe_steps.h"

#include <stdio.h>
#include <yyjson.h>

/* What an answer says, whatever was asked. */
enum meaning {
    GOOD,     /* 2xx */
    DECLINED, /* 402 */
    WRONG,    /* another 4xx: it is not done by this request */
    DOUBTFUL, /* nothing is known */
    HOPELESS, /* the same, and to ask again at once is of no use */
    DEPOSED,  /* the bank knows a newer primary */
    STUCK,    /* 5xx, and to ask again under this key is of no use */
};

/* The answer's object or error. */
struct reading {
    yyjson_doc *doc;
    yyjson_val *root, *error;
    yyjson_val *payment; /* the answer itself, or embedded in its error; NULL: none */
};

static struct str text_of(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_obj_get(object, key);
    return str_make(yyjson_get_str(value), yyjson_get_len(value));
}

static bool is(struct str text, const char *word)
{
    return str_eq(text, str_of(word));
}

static void reading_open(struct reading *reading, struct str body)
{
    *reading = (struct reading){.doc = yyjson_read(body.at ? body.at : "", body.len, 0)};
    reading->root = yyjson_doc_get_root(reading->doc);
    reading->error = yyjson_obj_get(reading->root, "error");
    reading->payment =
        reading->error != NULL ? yyjson_obj_get(reading->error, "payment_intent") : reading->root;
    if (!is(text_of(reading->payment, "object"), "payment_intent"))
        reading->payment = NULL;
}

/* Of what has a key. A payment that may have been made is found by no key but its own, so CREATE
 * goes on to the next one only when that is known to be kept. */
static bool is_stuck(const struct stripe_steps *steps, const struct stripe_answer *answer)
{
    if (answer->status < 500 || steps->step == STRIPE_DO_READ || steps->step == STRIPE_DO_FIND)
        return false;
    if (answer->replayed)
        return true;
    return steps->step != STRIPE_DO_CREATE && (steps->failures > 0 || answer->should_retry == 0);
}

static enum meaning meaning_of(const struct stripe_steps *steps, const struct stripe_answer *answer,
                               const struct reading *reading)
{
    int status = answer->status;
    if (is_stuck(steps, answer))
        return STUCK;
    if (status >= 200 && status < 300)
        return reading->root != NULL ? GOOD : DOUBTFUL; /* cut off, or not the bank at all */
    if (status == 409 && is(text_of(reading->error, "code"), "fence_too_old"))
        return DEPOSED;
    if (status == 401 || status == 403 || status < 400)
        return HOPELESS;
    bool again = status == 409 || status == 424 || status == 429 || status >= 500;
    if (answer->should_retry == 1 || (again && answer->should_retry != 0))
        return DOUBTFUL;
    if (again)
        return HOPELESS;
    if (reading->error == NULL)
        return HOPELESS; /* somebody else answers in the bank's place */
    return status == 402 ? DECLINED : WRONG;
}

/* ---- Ends ---- */

static enum stripe_turn over(struct stripe_steps *steps, enum bank_outcome outcome,
                             const char *text)
{
    steps->outcome = outcome;
    snprintf(steps->text, sizeof steps->text, "%s", text);
    snprintf(steps->reference, sizeof steps->reference, "%s",
             outcome == BANK_AUTHORISED || outcome == BANK_DONE ? steps->payment : "");
    return STRIPE_OVER;
}

void stripe_give_up(struct stripe_steps *steps, const char *why)
{
    over(steps, BANK_UNREACHABLE, why);
}

static enum stripe_turn next(struct stripe_steps *steps, enum stripe_step step)
{
    steps->step = step;
    steps->failures = 0;
    if (step == STRIPE_DO_READ && ++steps->reads > STRIPE_READS_MAX)
        return over(steps, BANK_UNREACHABLE, "the payment's state changes all the time");
    return STRIPE_NEXT;
}

/* STEP under its next key. */
static enum stripe_turn next_key(struct stripe_steps *steps, enum stripe_step step)
{
    if (++steps->key >= STRIPE_KEYS_MAX)
        return over(steps, BANK_UNREACHABLE, "the bank fails at it under every key");
    steps->reads = 0;
    steps->stuck = steps->kept = false;
    return next(steps, step);
}

static enum stripe_turn find_all(struct stripe_steps *steps)
{
    steps->pages = steps->found_count = 0;
    steps->after[0] = '\0';
    return next(steps, STRIPE_DO_FIND);
}

/* The bank's sentence without its full stop, as it becomes a part of ours. */
static void keep_sentence(char out[STRIPE_TEXT_SIZE], struct str sentence, const char *fallback)
{
    sentence = sentence.len > 0 ? str_clip_utf8(sentence, STRIPE_TEXT_SIZE - 1) : str_of(fallback);
    if (str_ends(sentence, STR(".")))
        sentence.len--;
    str_copy(out, STRIPE_TEXT_SIZE, sentence);
    for (char *at = out; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
}

static void note_error(struct stripe_steps *steps, const struct reading *reading)
{
    keep_sentence(steps->said, text_of(reading->error, "message"), "the bank refused it");
}

/* For the operator: with what the bank's support asks for. */
static enum stripe_turn over_unknown(struct stripe_steps *steps, const struct stripe_answer *answer,
                                     const struct reading *reading)
{
    char sentence[STRIPE_TEXT_SIZE], text[STRIPE_TEXT_SIZE];
    keep_sentence(sentence, text_of(reading->error, "message"), "no message");
    struct str request = str_sub(answer->request_id, 0, 80);
    snprintf(text, sizeof text, "the bank answered %d (%.180s)%s%.*s", answer->status, sentence,
             request.len > 0 ? ", its request " : "", STR_FMT(request));
    return over(steps, BANK_UNREACHABLE, text);
}

/* ---- Steps ---- */

static enum stripe_turn after_create(struct stripe_steps *steps, const struct reading *reading,
                                     enum meaning meaning)
{
    if (meaning != GOOD) {
        if (is(text_of(reading->error, "type"), "idempotency_error")) {
            steps->exists = true; /* made when the shop's settings were others */
            if (steps->wish == STRIPE_SETTLE)
                return find_all(steps);
            return over(steps, BANK_UNREACHABLE,
                        "the bank knows the payment's key with other parameters");
        }
        note_error(steps, reading);
        return over(steps, BANK_REFUSED, steps->said);
    }
    struct str id = text_of(reading->payment, "id");
    if (id.len == 0 || id.len >= STRIPE_ID_SIZE)
        return over(steps, BANK_UNREACHABLE, "the bank's answer names no payment");
    str_copy(steps->payment, sizeof steps->payment, id);
    steps->key = 0; /* of the next step */
    return next(steps, steps->wish == STRIPE_AUTHORISE ? STRIPE_DO_CONFIRM : STRIPE_DO_READ);
}

static bool has_money(struct str status)
{
    return is(status, "requires_capture") || is(status, "succeeded");
}

static enum stripe_turn over_in_state(struct stripe_steps *steps, struct str status)
{
    char text[STRIPE_TEXT_SIZE];
    snprintf(text, sizeof text, "the payment is in the state \"%.*s\"", (int)(status.len % 64),
             status.len > 0 ? status.at : "");
    return over(steps, BANK_UNREACHABLE, text);
}

static enum stripe_turn after_confirm(struct stripe_steps *steps, const struct reading *reading,
                                      enum meaning meaning)
{
    struct str status = text_of(reading->payment, "status");
    if (meaning == GOOD)
        return has_money(status) ? over(steps, BANK_AUTHORISED, "") : over_in_state(steps, status);
    note_error(steps, reading);
    if (meaning == DECLINED)
        return over(steps, BANK_REFUSED, steps->said);
    struct str code = text_of(reading->error, "code");
    if (is(code, "payment_intent_unexpected_state") ||
        is(text_of(reading->error, "type"), "idempotency_error"))
        return next(steps, STRIPE_DO_READ);
    if (is(code, "resource_missing") && is(text_of(reading->error, "param"), "intent"))
        return over(steps, BANK_UNREACHABLE, "the bank has lost the payment that it had made");
    return over(steps, BANK_REFUSED, steps->said);
}

/* Nothing has been done with it. */
static bool is_untouched(struct str status)
{
    return is(status, "requires_payment_method") || is(status, "requires_confirmation");
}

static enum stripe_turn read_authorise(struct stripe_steps *steps, const struct reading *reading,
                                       struct str status)
{
    yyjson_val *failure = yyjson_obj_get(reading->payment, "last_payment_error");
    if (has_money(status))
        return over(steps, BANK_AUTHORISED, "");
    if (is(status, "canceled"))
        return over(steps, BANK_REFUSED, "the payment was called off");
    if (is(status, "requires_payment_method") && yyjson_is_obj(failure)) {
        keep_sentence(steps->said, text_of(failure, "message"), "the card was declined");
        return over(steps, BANK_REFUSED, steps->said);
    }
    if (steps->stuck && is_untouched(status))
        return next_key(steps, STRIPE_DO_CONFIRM);
    return over_in_state(steps, status);
}

/* This payment is barred: none of the attempt is left, or the next one is looked at. Once the
 * attempt is claimed, the keys make no more of them that get a card. */
static enum stripe_turn settle_next(struct stripe_steps *steps)
{
    if (steps->found_count == 0)
        return over(steps, BANK_REFUSED, steps->said);
    steps->found_count--;
    memcpy(steps->payment, steps->found[steps->found_count], sizeof steps->payment);
    steps->reads = 0;
    return next(steps, STRIPE_DO_READ);
}

static enum stripe_turn read_settle(struct stripe_steps *steps, const struct reading *reading,
                                    struct str status)
{
    if (has_money(status))
        return over(steps, BANK_AUTHORISED, "");
    yyjson_val *failure = yyjson_obj_get(reading->payment, "last_payment_error");
    if (steps->said[0] == '\0' || yyjson_is_obj(failure))
        keep_sentence(steps->said, text_of(failure, "message"),
                      "the payment was not ended in time, and was called off");
    if (is(status, "canceled"))
        return settle_next(steps);
    if (status.len == 0 || is(status, "processing"))
        return over_in_state(steps, status);
    /* Under its key there is the refusal of before, or another payment's. */
    steps->keyless = steps->listed || steps->reads > 1;
    return next(steps, STRIPE_DO_CANCEL);
}

static enum stripe_turn after_read(struct stripe_steps *steps, const struct reading *reading,
                                   enum meaning meaning)
{
    struct str status = text_of(reading->payment, "status");
    if (meaning != GOOD) {
        note_error(steps, reading);
        return over(steps,
                    steps->wish == STRIPE_AUTHORISE || steps->wish == STRIPE_SETTLE
                        ? BANK_UNREACHABLE
                        : BANK_IMPOSSIBLE,
                    steps->said);
    }
    switch (steps->wish) {
    case STRIPE_AUTHORISE:
        return read_authorise(steps, reading, status);
    case STRIPE_SETTLE:
        return read_settle(steps, reading, status);
    case STRIPE_CAPTURE:
        if (is(status, "succeeded"))
            return over(steps, BANK_DONE, "");
        if (steps->stuck && is(status, "requires_capture"))
            return next_key(steps, STRIPE_DO_CAPTURE);
        break;
    case STRIPE_CANCEL:
        if (is(status, "canceled"))
            return over(steps, BANK_DONE, "");
        if (steps->stuck && !is(status, "succeeded") && !is(status, "processing")) {
            steps->keyless = true;
            return next(steps, STRIPE_DO_CANCEL);
        }
        break;
    case STRIPE_REFUND:
        break;
    }
    return is(status, "processing") ? over_in_state(steps, status)
                                    : over(steps, BANK_IMPOSSIBLE, steps->said);
}

static enum stripe_turn after_cancel(struct stripe_steps *steps, const struct reading *reading,
                                     enum meaning meaning)
{
    bool canceled = is(text_of(reading->payment, "status"), "canceled");
    if (meaning == GOOD && canceled)
        return steps->wish == STRIPE_SETTLE ? settle_next(steps) : over(steps, BANK_DONE, "");
    if (steps->wish != STRIPE_SETTLE)
        note_error(steps, reading);
    return next(steps, STRIPE_DO_READ);
}

static enum stripe_turn after_capture(struct stripe_steps *steps, const struct reading *reading,
                                      enum meaning meaning)
{
    if (meaning == GOOD && is(text_of(reading->payment, "status"), "succeeded"))
        return over(steps, BANK_DONE, "");
    note_error(steps, reading);
    return next(steps, STRIPE_DO_READ);
}

static enum stripe_turn take_refund(struct stripe_steps *steps, yyjson_val *refund)
{
    struct str status = text_of(refund, "status"), id = text_of(refund, "id");
    if (is(status, "failed") || is(status, "canceled")) {
        keep_sentence(steps->said, text_of(refund, "failure_reason"), "the refund has failed");
        return over(steps, BANK_IMPOSSIBLE, steps->said);
    }
    if (id.len == 0 || id.len >= STRIPE_ID_SIZE)
        return over(steps, BANK_UNREACHABLE, "the bank's answer names no refund");
    over(steps, BANK_DONE, "");
    str_copy(steps->reference, sizeof steps->reference, id);
    return STRIPE_OVER;
}

static enum stripe_turn after_refund(struct stripe_steps *steps, const struct reading *reading,
                                     enum meaning meaning)
{
    if (meaning == GOOD)
        return take_refund(steps, reading->root);
    note_error(steps, reading);
    return over(steps, BANK_IMPOSSIBLE, steps->said);
}

static enum stripe_turn take_found(struct stripe_steps *steps, yyjson_val *found)
{
    if (steps->wish == STRIPE_REFUND)
        return take_refund(steps, found);
    if (steps->found_count == STRIPE_FOUND_MAX)
        return over(steps, BANK_UNREACHABLE, "the bank lists more payments than one attempt makes");
    str_copy(steps->found[steps->found_count++], STRIPE_ID_SIZE, text_of(found, "id"));
    return STRIPE_NEXT;
}

/* The list is read to its end. */
static enum stripe_turn found_all(struct stripe_steps *steps)
{
    bool refund = steps->wish == STRIPE_REFUND;
    if (steps->found_count > 0) {
        steps->listed = true;
        return settle_next(steps);
    }
    if (steps->exists)
        return over(steps, BANK_UNREACHABLE, "the bank has the payment, but does not list it");
    if (refund && steps->kept)
        return next_key(steps, STRIPE_DO_REFUND);
    return next(steps, refund ? STRIPE_DO_REFUND : STRIPE_DO_CREATE);
}

/* The list's page: those that bear our mark, then the next page. */
static enum stripe_turn after_find(struct stripe_steps *steps, const struct reading *reading,
                                   enum meaning meaning)
{
    bool refund = steps->wish == STRIPE_REFUND;
    yyjson_val *data = yyjson_obj_get(reading->root, "data"), *element = NULL;
    if (meaning != GOOD || !yyjson_is_arr(data))
        return over(steps, BANK_UNREACHABLE, "the bank does not list what there was");
    struct str last = STR_NONE;
    size_t index, count;
    yyjson_arr_foreach(data, index, count, element)
    {
        struct str mark =
            text_of(yyjson_obj_get(element, "metadata"), refund ? "effect" : "attempt");
        last = text_of(element, "id");
        if (is(mark, steps->mark) && take_found(steps, element) == STRIPE_OVER)
            return STRIPE_OVER;
    }
    if (!yyjson_get_bool(yyjson_obj_get(reading->root, "has_more")) || last.len == 0)
        return found_all(steps);
    if (++steps->pages >= STRIPE_PAGES_MAX)
        return over(steps, BANK_UNREACHABLE, "the bank's list is too long to be searched");
    str_copy(steps->after, sizeof steps->after, last);
    return STRIPE_NEXT;
}

/* ---- Stuck ---- */

/* What became of it is to be read. */
static enum stripe_turn take_stuck(struct stripe_steps *steps, const struct stripe_answer *answer)
{
    snprintf(steps->text, sizeof steps->text, "the bank answered %d", answer->status);
    steps->stuck = true;
    steps->kept = answer->replayed;
    switch (steps->step) {
    case STRIPE_DO_CREATE:
        if (steps->key + 1 < STRIPE_KEYS_MAX || steps->wish != STRIPE_SETTLE)
            return next_key(steps, STRIPE_DO_CREATE);
        steps->exists = true;
        return find_all(steps);
    case STRIPE_DO_REFUND:
        return find_all(steps);
    default:
        if (steps->wish != STRIPE_SETTLE)
            str_copy(steps->said, sizeof steps->said, str_of(steps->text));
        return next(steps, STRIPE_DO_READ);
    }
}

/* ---- From outside ---- */

void stripe_begin(struct stripe_steps *steps, enum stripe_wish wish, struct str reference,
                  struct id mark, bool aged)
{
    static const enum stripe_step first[] = {
        [STRIPE_AUTHORISE] = STRIPE_DO_CREATE, [STRIPE_SETTLE] = STRIPE_DO_CREATE,
        [STRIPE_CAPTURE] = STRIPE_DO_CAPTURE,  [STRIPE_CANCEL] = STRIPE_DO_CANCEL,
        [STRIPE_REFUND] = STRIPE_DO_REFUND,
    };
    bool listed = wish == STRIPE_SETTLE || wish == STRIPE_REFUND;
    *steps =
        (struct stripe_steps){.wish = wish, .step = aged && listed ? STRIPE_DO_FIND : first[wish]};
    str_copy(steps->payment, sizeof steps->payment, reference);
    id_text(mark, steps->mark);
}

static enum stripe_turn take(struct stripe_steps *steps, const struct reading *reading,
                             enum meaning meaning)
{
    switch (steps->step) {
    case STRIPE_DO_CREATE:
        return after_create(steps, reading, meaning);
    case STRIPE_DO_CONFIRM:
        return after_confirm(steps, reading, meaning);
    case STRIPE_DO_READ:
        return after_read(steps, reading, meaning);
    case STRIPE_DO_CANCEL:
        return after_cancel(steps, reading, meaning);
    case STRIPE_DO_CAPTURE:
        return after_capture(steps, reading, meaning);
    case STRIPE_DO_REFUND:
        return after_refund(steps, reading, meaning);
    case STRIPE_DO_FIND:
        return after_find(steps, reading, meaning);
    }
    return STRIPE_OVER;
}

enum stripe_turn stripe_take(struct stripe_steps *steps, const struct stripe_answer *answer)
{
    struct reading reading;
    enum stripe_turn turn;
    reading_open(&reading, answer->body);
    switch (meaning_of(steps, answer, &reading)) {
    case STUCK:
        turn = take_stuck(steps, answer);
        break;
    case DOUBTFUL:
        over_unknown(steps, answer, &reading); /* in case that it is not asked again */
        steps->failures += answer->status >= 500;
        turn = STRIPE_AGAIN;
        break;
    case HOPELESS:
        turn = over_unknown(steps, answer, &reading);
        break;
    case DEPOSED:
        turn = over(steps, BANK_DEPOSED, "the bank has seen a newer primary");
        break;
    case GOOD:
        turn = take(steps, &reading, GOOD);
        break;
    case DECLINED:
        turn = take(steps, &reading, DECLINED);
        break;
    case WRONG:
    default:
        turn = take(steps, &reading, WRONG);
        break;
    }
    yyjson_doc_free(reading.doc);
    return turn;
}

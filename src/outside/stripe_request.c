#include "outside/stripe_request.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>

enum {
    URL_MAX = 1024,
    FORM_MAX = 64 * 1024,
    PAGE = 100,
    /* What may lie between the time that is known and the payment's creation: clocks, the time
     * for which goods are held, a bank that was away. */
    BEFORE_S = 4 * 3600,
    AFTER_S = 26 * 3600,
};

void stripe_request_init(struct stripe_request *request)
{
    *request = (struct stripe_request){0};
    buf_init(&request->url, URL_MAX);
    buf_init(&request->form, FORM_MAX);
}

void stripe_request_clear(struct stripe_request *request)
{
    if (request->form.at != NULL)
        explicit_bzero(request->form.at, request->form.cap);
    buf_clear(&request->form);
    buf_clear(&request->url);
    request->key[0] = '\0';
}

void stripe_request_close(struct stripe_request *request)
{
    stripe_request_clear(request);
    buf_close(&request->form);
    buf_close(&request->url);
}

/* ---- Writing ---- */

/* application/x-www-form-urlencoded, as https://url.spec.whatwg.org/ has it, but a blank as %20. */
static void put_encoded(struct buf *buf, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
        if (plain) {
            buf_byte(buf, (char)byte);
        } else {
            char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
            buf_put(buf, escape, sizeof escape);
        }
    }
}

/* NAME is a literal: letters and brackets. */
static void put(struct buf *buf, const char *name, struct str value)
{
    if (buf->len > 0 && buf->at[buf->len - 1] != '?')
        buf_byte(buf, '&');
    put_encoded(buf, str_of(name));
    buf_byte(buf, '=');
    put_encoded(buf, value);
}

static void put_number(struct buf *buf, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    put(buf, name, str_of(text));
}

static void put_id(struct buf *buf, const char *name, struct id id)
{
    char text[ID_TEXT];
    put(buf, name, str_of(id_text(id, text)));
}

/* NUMBER: 0 for the first key of its kind. */
static void set_key(struct stripe_request *request, struct id id, const char *what, unsigned number)
{
    char text[ID_TEXT], more[12] = "";
    if (number > 0)
        snprintf(more, sizeof more, ":%u", number + 1);
    snprintf(request->key, sizeof request->key, "%s:%s%s", id_text(id, text), what, more);
}

/* ---- Steps ---- */

/* Nothing but what is in the log, in one order: whoever repeats it sends the same bytes. */
static void make_create(struct stripe_request *request, const struct stripe_steps *steps,
                        const struct bank_call *call, const struct id *shop)
{
    char currency[8];
    str_copy(currency, sizeof currency, call->currency);
    for (char *at = currency; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    put_number(&request->form, "amount", call->amount);
    put(&request->form, "currency", str_of(currency));
    put(&request->form, "capture_method", STR("manual"));
    put(&request->form, "payment_method_types[0]", STR("card"));
    put_id(&request->form, "metadata[checkout]", call->order);
    put_id(&request->form, "metadata[attempt]", call->key);
    if (shop != NULL)
        put_id(&request->form, "metadata[shop]", *shop);
    set_key(request, call->key, "create", steps->key);
}

/* The tokens of the shop's test cards (web/page_pay.c, UCP's samples) at a bank in test mode. */
static struct str token_of(const struct bank_call *call, bool test)
{
    if (test && str_eq(call->token, STR("success_token")))
        return STR("pm_card_visa");
    if (test && str_eq(call->token, STR("fail_token")))
        return STR("pm_card_chargeDeclined");
    return call->token;
}

static void make_confirm(struct stripe_request *request, const struct stripe_steps *steps,
                         const struct bank_call *call, bool test)
{
    buf_room(&request->form, 3 * call->token.len + 128); /* it will not move */
    put(&request->form, "payment_method", token_of(call, test));
    put(&request->form, "error_on_requires_action", STR("true"));
    set_key(request, call->key, "confirm", steps->key);
}

static void make_find(struct stripe_request *request, const struct stripe_steps *steps,
                      const struct bank_call *call)
{
    request->method = STR("GET");
    buf_byte(&request->url, '?');
    if (steps->wish == STRIPE_REFUND) {
        put(&request->url, "payment_intent", str_of(steps->payment));
    } else if (call->since_ms != 0) {
        put_number(&request->url, "created[gte]", call->since_ms / 1000 - BEFORE_S);
        put_number(&request->url, "created[lte]", call->since_ms / 1000 + AFTER_S);
    }
    put_number(&request->url, "limit", PAGE);
    if (steps->after[0] != '\0')
        put(&request->url, "starting_after", str_of(steps->after));
}

static void make_refund(struct stripe_request *request, const struct stripe_steps *steps,
                        const struct bank_call *call)
{
    put(&request->form, "payment_intent", str_of(steps->payment));
    put_number(&request->form, "amount", call->amount);
    put_id(&request->form, "metadata[checkout]", call->order); /* for who tells that it failed */
    put_id(&request->form, "metadata[effect]", call->effect);
    set_key(request, call->effect, "refund", steps->key);
}

static void make_form(struct stripe_request *request, const struct stripe_steps *steps,
                      const struct bank_call *call, const struct id *shop, bool test)
{
    switch (steps->step) {
    case STRIPE_DO_CREATE:
        make_create(request, steps, call, shop);
        break;
    case STRIPE_DO_CONFIRM:
        make_confirm(request, steps, call, test);
        break;
    case STRIPE_DO_READ:
        request->method = STR("GET");
        break;
    case STRIPE_DO_CANCEL:
        if (!steps->keyless)
            set_key(request, steps->wish == STRIPE_SETTLE ? call->key : call->effect, "cancel", 0);
        break;
    case STRIPE_DO_CAPTURE:
        put_number(&request->form, "amount_to_capture", call->amount);
        set_key(request, call->effect, "capture", steps->key);
        break;
    case STRIPE_DO_REFUND:
        make_refund(request, steps, call);
        break;
    case STRIPE_DO_FIND:
        make_find(request, steps, call);
        break;
    }
}

/* It becomes a part of the path. */
static bool is_plain(const char *payment)
{
    return payment[0] != '\0' &&
           payment[strspn(payment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_")] == '\0';
}

int stripe_request_make(struct stripe_request *request, const struct stripe_steps *steps,
                        const struct bank_call *call, struct str base, const struct id *shop,
                        bool test)
{
    static const struct {
        bool named; /* the payment is in the path */
        const char *rest;
    } paths[] = {
        [STRIPE_DO_CREATE] = {false, ""},
        [STRIPE_DO_CONFIRM] = {true, "/confirm"},
        [STRIPE_DO_READ] = {true, ""},
        [STRIPE_DO_CANCEL] = {true, "/cancel"},
        [STRIPE_DO_CAPTURE] = {true, "/capture"},
        [STRIPE_DO_REFUND] = {false, ""},
        [STRIPE_DO_FIND] = {false, ""},
    };
    bool refunds = steps->step == STRIPE_DO_REFUND ||
                   (steps->step == STRIPE_DO_FIND && steps->wish == STRIPE_REFUND);
    bool named = paths[steps->step].named;
    if ((named || refunds) && !is_plain(steps->payment))
        return ERR_INVALID;
    stripe_request_clear(request);
    request->method = STR("POST");
    buf_str(&request->url, base);
    buf_puts(&request->url, refunds ? "/v1/refunds" : "/v1/payment_intents");
    if (named)
        buf_printf(&request->url, "/%s%s", steps->payment, paths[steps->step].rest);
    make_form(request, steps, call, shop, test);
    return request->url.failed || request->form.failed ? ERR_NOMEM : 0;
}

#include "outside/sandbox_json.h"

#include "base/check.h"

/* ---- Values ---- */

void sandbox_put_text(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789abcdef";
    size_t plain = 0;
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        buf_put(out, text.at + plain, i - plain);
        if (c >= ' ')
            buf_put(out, (char[]){'\\', (char)c}, 2);
        else
            buf_put(out, escaped, sizeof escaped);
        plain = i + 1;
    }
    if (text.len)
        buf_put(out, text.at + plain, text.len - plain);
    buf_byte(out, '"');
}

/* ,"KEY": and what follows. The literal begins with a comma or a brace. */
#define PUT(out, literal) buf_put(out, literal, sizeof(literal) - 1)

static void put_or_null(struct buf *out, struct str text)
{
    if (text.len)
        sandbox_put_text(out, text);
    else
        PUT(out, "null");
}

static void put_bool(struct buf *out, bool value)
{
    if (value)
        PUT(out, "true");
    else
        PUT(out, "false");
}

static void put_id(struct buf *out, const struct sandbox_account *account, const char *prefix,
                   uint64_t number)
{
    char id[PAYMENT_ID];
    if (number == 0) {
        PUT(out, "null");
        return;
    }
    buf_byte(out, '"');
    buf_puts(out, sandbox_id(account, prefix, number, id));
    buf_byte(out, '"');
}

static void put_time(struct buf *out, int64_t seconds)
{
    if (seconds)
        buf_i64(out, seconds);
    else
        PUT(out, "null");
}

/* ---- Errors ---- */

static void put_doc_url(struct buf *out, const char *code)
{
    PUT(out, ",\"doc_url\":\"https://stripe.com/docs/error-codes/");
    for (; *code; code++)
        buf_byte(out, *code == '_' ? '-' : *code);
    buf_byte(out, '"');
}

static void put_payment_method(struct buf *out, struct str method)
{
    const struct sandbox_card *card = sandbox_card_find(method);
    PUT(out, "{\"id\":");
    sandbox_put_text(out, method);
    PUT(out, ",\"object\":\"payment_method\",\"card\":{\"brand\":");
    sandbox_put_text(out, str_of(card ? card->brand : "unknown"));
    PUT(out, ",\"last4\":");
    sandbox_put_text(out, str_of(card ? card->last4 : "0000"));
    PUT(out, "},\"type\":\"card\"}");
}

/* What a decline looks like, in an answer (with the whole PAYMENT) and as its last_payment_error.
 */
static void put_decline(struct buf *out, const struct sandbox_account *account,
                        const struct payment *of, const struct payment *payment)
{
    const struct sandbox_decline_words *words = sandbox_decline_words(of->decline);
    PUT(out, "{");
    if (of->charge) {
        PUT(out, "\"charge\":");
        put_id(out, account, "ch", of->charge);
        PUT(out, ",");
    }
    PUT(out, "\"code\":");
    sandbox_put_text(out, str_of(words->code));
    PUT(out, ",\"decline_code\":");
    sandbox_put_text(out, str_of(words->decline_code));
    put_doc_url(out, words->code);
    PUT(out, ",\"message\":");
    sandbox_put_text(out, str_of(words->message));
    if (payment) {
        PUT(out, ",\"payment_intent\":");
        sandbox_put_payment(out, account, payment, NULL);
    }
    PUT(out, ",\"payment_method\":");
    put_payment_method(out, of->declined_method);
    PUT(out, ",\"type\":\"card_error\"}");
}

void sandbox_put_error(struct buf *out, const struct sandbox_account *account,
                       const struct sandbox_error *error, const struct payment *payment)
{
    PUT(out, "{\"error\":");
    if (error->status == 402 && payment) {
        put_decline(out, account, payment, payment);
        PUT(out, "}\n");
        return;
    }
    PUT(out, "{\"type\":");
    sandbox_put_text(out, str_of(error->type));
    if (error->code) {
        PUT(out, ",\"code\":");
        sandbox_put_text(out, str_of(error->code));
        put_doc_url(out, error->code);
    }
    if (error->decline_code) {
        PUT(out, ",\"decline_code\":");
        sandbox_put_text(out, str_of(error->decline_code));
    }
    PUT(out, ",\"message\":");
    sandbox_put_text(out, str_of(error->message));
    if (error->param[0]) {
        PUT(out, ",\"param\":");
        sandbox_put_text(out, str_of(error->param));
    }
    if (payment) {
        PUT(out, ",\"payment_intent\":");
        sandbox_put_payment(out, account, payment, NULL);
    }
    PUT(out, "}}\n");
}

/* ---- PaymentIntents ---- */

/* A payment that failed has another text in last_payment_error than null as long as no other
 * attempt was made. */
static void put_last_error(struct buf *out, const struct sandbox_account *account,
                           const struct payment *payment)
{
    if (payment->decline == DECLINE_NONE)
        PUT(out, "null");
    else
        put_decline(out, account, payment, NULL);
}

static void put_secret(struct buf *out, const struct sandbox_account *account,
                       const struct payment *payment)
{
    char id[PAYMENT_ID];
    buf_byte(out, '"');
    buf_puts(out, sandbox_id(account, "pi", payment->number, id));
    PUT(out, "_secret_");
    buf_puts(out, payment->secret);
    buf_byte(out, '"');
}

static void put_amounts(struct buf *out, const struct payment *payment)
{
    PUT(out, ",\"object\":\"payment_intent\",\"amount\":");
    buf_i64(out, payment->amount);
    PUT(out, ",\"amount_capturable\":");
    buf_i64(out, payment->status == PAYMENT_REQUIRES_CAPTURE ? payment->amount : 0);
    PUT(out, ",\"amount_details\":{\"tip\":{}},\"amount_received\":");
    buf_i64(out, payment->received);
    PUT(out, ",\"application\":null,\"application_fee_amount\":null"
             ",\"automatic_payment_methods\":null,\"canceled_at\":");
    put_time(out, payment->canceled_at);
    PUT(out, ",\"cancellation_reason\":");
    put_or_null(out, str_of(payment->cancel_reason));
}

static void put_ways(struct buf *out, const struct sandbox_account *account,
                     const struct payment *payment, const struct charge *expanded)
{
    PUT(out, ",\"last_payment_error\":");
    put_last_error(out, account, payment);
    PUT(out, ",\"latest_charge\":");
    if (expanded)
        sandbox_put_charge(out, account, expanded);
    else
        put_id(out, account, "ch", payment->charge);
    PUT(out, ",\"livemode\":false,\"metadata\":");
    buf_str(out, payment->metadata);
    if (payment->status == PAYMENT_REQUIRES_ACTION)
        PUT(out, ",\"next_action\":{\"type\":\"use_stripe_sdk\",\"use_stripe_sdk\":{}}");
    else
        PUT(out, ",\"next_action\":null");
    PUT(out, ",\"on_behalf_of\":null,\"payment_method\":");
    put_or_null(out, payment->method);
    PUT(out, ",\"payment_method_options\":{},\"payment_method_types\":[\"card\"]"
             ",\"processing\":null,\"receipt_email\":");
    put_or_null(out, payment->receipt_email);
    PUT(out, ",\"review\":null,\"setup_future_usage\":null,\"shipping\":");
    if (payment->shipping.len)
        buf_str(out, payment->shipping);
    else
        PUT(out, "null");
}

void sandbox_put_payment(struct buf *out, const struct sandbox_account *account,
                         const struct payment *payment, const struct charge *expanded)
{
    PUT(out, "{\"id\":");
    put_id(out, account, "pi", payment->number);
    put_amounts(out, payment);
    PUT(out, ",\"capture_method\":");
    sandbox_put_text(out, str_of(payment_capture_names[payment->capture_method]));
    PUT(out, ",\"client_secret\":");
    put_secret(out, account, payment);
    PUT(out, ",\"confirmation_method\":");
    sandbox_put_text(out, payment->manual_confirmation ? STR("manual") : STR("automatic"));
    PUT(out, ",\"created\":");
    buf_i64(out, payment->created);
    PUT(out, ",\"currency\":");
    sandbox_put_text(out, str_of(payment->currency));
    PUT(out, ",\"customer\":");
    put_or_null(out, payment->customer);
    PUT(out, ",\"description\":");
    put_or_null(out, payment->description);
    put_ways(out, account, payment, expanded);
    PUT(out, ",\"source\":null,\"statement_descriptor\":null,\"statement_descriptor_suffix\":");
    put_or_null(out, payment->suffix);
    PUT(out, ",\"status\":");
    sandbox_put_text(out, str_of(payment_status_names[payment->status]));
    PUT(out, ",\"transfer_data\":null,\"transfer_group\":null}");
}

/* ---- Charges ---- */

static void put_outcome(struct buf *out, const struct charge *charge)
{
    if (charge->decline == DECLINE_NONE) {
        PUT(out, ",\"failure_code\":null,\"failure_message\":null,\"outcome\":"
                 "{\"network_status\":\"approved_by_network\",\"reason\":null"
                 ",\"seller_message\":\"Payment complete.\",\"type\":\"authorized\"}");
        return;
    }
    const struct sandbox_decline_words *words = sandbox_decline_words(charge->decline);
    PUT(out, ",\"failure_code\":");
    sandbox_put_text(out, str_of(words->code));
    PUT(out, ",\"failure_message\":");
    sandbox_put_text(out, str_of(words->message));
    PUT(out, ",\"outcome\":{\"network_status\":\"declined_by_network\",\"reason\":");
    sandbox_put_text(out, str_of(words->decline_code));
    PUT(out, ",\"seller_message\":\"The bank returned this decline code.\""
             ",\"type\":\"issuer_declined\"}");
}

static void put_card(struct buf *out, const struct charge *charge)
{
    const struct sandbox_card *card = sandbox_card_find(charge->method);
    PUT(out, ",\"payment_method\":");
    put_or_null(out, charge->method);
    PUT(out, ",\"payment_method_details\":{\"card\":{\"brand\":");
    sandbox_put_text(out, str_of(card ? card->brand : "unknown"));
    PUT(out, ",\"capture_before\":");
    if (charge->decline || charge->is_captured)
        PUT(out, "null");
    else
        buf_i64(out, charge->capture_before);
    PUT(out, ",\"exp_month\":12,\"exp_year\":2034,\"funding\":");
    sandbox_put_text(out, str_of(card ? card->funding : "unknown"));
    PUT(out, ",\"last4\":");
    sandbox_put_text(out, str_of(card ? card->last4 : "0000"));
    PUT(out, "},\"type\":\"card\"}");
}

void sandbox_put_charge(struct buf *out, const struct sandbox_account *account,
                        const struct charge *charge)
{
    /* What was authorised and not captured counts as given back. */
    int64_t refunded = charge->refunded;
    if (charge->is_captured)
        refunded += charge->amount - charge->captured;
    PUT(out, "{\"id\":");
    put_id(out, account, "ch", charge->number);
    PUT(out, ",\"object\":\"charge\",\"amount\":");
    buf_i64(out, charge->amount);
    PUT(out, ",\"amount_captured\":");
    buf_i64(out, charge->captured);
    PUT(out, ",\"amount_refunded\":");
    buf_i64(out, refunded);
    PUT(out, ",\"captured\":");
    put_bool(out, charge->is_captured);
    PUT(out, ",\"created\":");
    buf_i64(out, charge->created);
    PUT(out, ",\"currency\":");
    sandbox_put_text(out, str_of(charge->currency));
    put_outcome(out, charge);
    PUT(out, ",\"livemode\":false,\"paid\":");
    put_bool(out, charge->decline == DECLINE_NONE);
    PUT(out, ",\"payment_intent\":");
    put_id(out, account, "pi", charge->payment);
    put_card(out, charge);
    PUT(out, ",\"refunded\":");
    put_bool(out, refunded == charge->amount && charge->decline == DECLINE_NONE);
    PUT(out, ",\"status\":");
    sandbox_put_text(out, charge->decline ? STR("failed") : STR("succeeded"));
    PUT(out, "}");
}

/* ---- Refunds ---- */

void sandbox_put_refund(struct buf *out, const struct sandbox_account *account,
                        const struct refund *refund)
{
    PUT(out, "{\"id\":");
    put_id(out, account, "re", refund->number);
    PUT(out, ",\"object\":\"refund\",\"amount\":");
    buf_i64(out, refund->amount);
    PUT(out, ",\"balance_transaction\":");
    put_id(out, account, "txn", refund->reversal ? 0 : refund->number);
    PUT(out, ",\"charge\":");
    put_id(out, account, "ch", refund->charge);
    PUT(out, ",\"created\":");
    buf_i64(out, refund->created);
    PUT(out, ",\"currency\":");
    sandbox_put_text(out, str_of(refund->currency));
    PUT(out, ",\"destination_details\":{\"card\":{\"type\":");
    sandbox_put_text(out, refund->reversal ? STR("reversal") : STR("refund"));
    PUT(out, "},\"type\":\"card\"}");
    if (refund->status == REFUND_FAILED)
        PUT(out, ",\"failure_reason\":\"expired_or_canceled_card\"");
    PUT(out, ",\"metadata\":");
    buf_str(out, refund->metadata);
    PUT(out, ",\"payment_intent\":");
    put_id(out, account, "pi", refund->payment);
    PUT(out, ",\"reason\":");
    put_or_null(out, str_of(refund->reason));
    PUT(out, ",\"receipt_number\":null,\"source_transfer_reversal\":null,\"status\":");
    sandbox_put_text(out, str_of(refund_status_names[refund->status]));
    PUT(out, ",\"transfer_reversal\":null}");
}

/* ---- What was sent along ---- */

void sandbox_put_metadata(struct buf *out, const struct sandbox_form *form)
{
    bool first = true;
    buf_byte(out, '{');
    for (unsigned i = 0; i < form->item_count; i++) {
        const struct sandbox_item *item = &form->items[i];
        if (item->param != SANDBOX_PARAM_METADATA)
            continue;
        if (!first)
            buf_byte(out, ',');
        first = false;
        sandbox_put_text(out, item->key);
        buf_byte(out, ':');
        sandbox_put_text(out, item->value);
    }
    buf_byte(out, '}');
}

void sandbox_put_shipping(struct buf *out, const struct sandbox_form *form)
{
    enum { FIRST = SANDBOX_PARAM_SHIPPING_CITY, ADDRESS = 6 };
    static const char *const names[ADDRESS] = {"city",  "country",     "line1",
                                               "line2", "postal_code", "state"};
    _Static_assert(SANDBOX_PARAM_SHIPPING_STATE == FIRST + ADDRESS - 1, "in this order");
    bool any = sandbox_form_has(form, SANDBOX_PARAM_SHIPPING_NAME) ||
               sandbox_form_has(form, SANDBOX_PARAM_SHIPPING_PHONE);
    for (int i = 0; i < ADDRESS; i++)
        any = any || form->text[FIRST + i].at;
    if (!any)
        return;
    PUT(out, "{\"address\":{");
    for (int i = 0; i < ADDRESS; i++) {
        buf_puts(out, i ? ",\"" : "\"");
        buf_puts(out, names[i]);
        PUT(out, "\":");
        put_or_null(out, form->text[FIRST + i]);
    }
    PUT(out, "},\"carrier\":null,\"name\":");
    put_or_null(out, form->text[SANDBOX_PARAM_SHIPPING_NAME]);
    PUT(out, ",\"phone\":");
    put_or_null(out, form->text[SANDBOX_PARAM_SHIPPING_PHONE]);
    PUT(out, ",\"tracking_number\":null}");
}

/* ---- Events ---- */

void sandbox_put_event(struct buf *out, const struct sandbox_account *account,
                       const struct sandbox_event *event)
{
    PUT(out, "{\"id\":");
    put_id(out, account, "evt", event->number);
    PUT(out, ",\"object\":\"event\",\"api_version\":\"" SANDBOX_API_VERSION "\",\"created\":");
    buf_i64(out, event->created);
    PUT(out, ",\"data\":{\"object\":");
    buf_str(out, event->object);
    if (event->previous.len) {
        PUT(out, ",\"previous_attributes\":");
        buf_str(out, event->previous);
    }
    PUT(out, "},\"livemode\":false,\"pending_webhooks\":");
    buf_u64(out, event->pending);
    PUT(out, ",\"request\":{\"id\":");
    put_or_null(out, event->request);
    PUT(out, ",\"idempotency_key\":");
    put_or_null(out, event->key);
    PUT(out, "},\"type\":");
    sandbox_put_text(out, event->type);
    PUT(out, "}");
}

#include "web/bank_events.h"

#include "base/clock.h"
#include "outside/stripe_signature.h"
#include "web/call.h"

enum app_verdict bank_events(struct exchange *x)
{
    const struct web_bank *bank = &call_web(x)->settings.bank;
    if (bank->secret.len == 0) {
        exchange_reply(
            x, 404, STR("text/plain"),
            STR("This shop listens to no bank (stoa serve --bank-webhook-secret-file).\n"));
        return APP_DONE;
    }
    int err = stripe_signature_check(exchange_header(x, STR("stripe-signature")), x->body,
                                     bank->secret, clock_wall_ms() / 1000);
    if (err) {
        exchange_reply(x, 400, STR("text/plain"),
                       err == ERR_TIMEOUT ? STR("The signature is too old.\n")
                                          : STR("The signature is not the bank's.\n"));
        return APP_DONE;
    }
    bank->told(bank->context);
    exchange_reply(x, 200, STR("text/plain"), STR("Thank you.\n"));
    return APP_DONE;
}

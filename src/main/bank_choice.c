#include "main/bank_choice.h"

#include "main/crash_points.h"
#include "main/secret_file.h"
#include "outside/bank_stripe.h"
#include "outside/identity.h"
#include "shop/read.h"

#include <string.h>

/* Who the shop is, as soon as that is in the log. On the bank's thread, until it is known. */
static int find_shop(void *context, struct id *shop)
{
    const struct bank_choice *choice = context;
    struct reader *reader;
    uint64_t epoch;
    int err = reader_open(choice->database, &reader, NULL);
    if (err)
        return err;
    err = identity_read(reader, shop, &epoch);
    reader_close(reader);
    return err;
}

static int open_stripe(struct bank_choice *choice, const struct settings *settings,
                       const struct log *log, struct failure *failure)
{
    char secret[SECRET_FILE_SIZE];
    struct bank_stripe_config config = {
        .url = settings->bank,
        .pin = settings->bank_pin[0] ? settings->bank_pin : NULL,
        .authority = settings->bank_authority[0] ? settings->bank_authority : NULL,
        .shop = find_shop,
        .context = choice,
        .crash = choice->crash,
        .log = log,
    };
    if (!settings->bank_key_file[0])
        return fail(failure, ERR_INVALID,
                    "a bank needs its key: give bank-key-file, a file with sk_test_… or sk_live_…");
    int err =
        secret_file_read("bank-key-file", settings->bank_key_file, secret, sizeof secret, failure);
    if (err)
        return err;
    config.secret = str_of(secret);
    err = bank_stripe_new(&config, &choice->bank, failure);
    explicit_bzero(secret, sizeof secret);
    return err;
}

int bank_choice_open(struct bank_choice *choice, const struct settings *settings,
                     const char *database, const struct log *log, struct failure *failure)
{
    *choice = (struct bank_choice){.database = database};
    int err = crash_points_read(&choice->crash, &settings->crash_at, failure);
    if (!err && settings->bank_webhook_secret_file[0])
        err = secret_file_read("bank-webhook-secret-file", settings->bank_webhook_secret_file,
                               choice->event_secret, sizeof choice->event_secret, failure);
    if (err)
        return err;
    if (settings->bank[0])
        return open_stripe(choice, settings, log, failure);
    if (bank_sandbox_new(&choice->bank))
        return fail(failure, ERR_NOMEM, "no memory for the bank's sandbox");
    return 0;
}

struct str bank_choice_event_secret(const struct bank_choice *choice)
{
    return str_of(choice->event_secret);
}

void bank_choice_close(struct bank_choice *choice)
{
    if (choice->bank)
        choice->bank->free(choice->bank);
    crash_plan_free(choice->crash);
    explicit_bzero(choice->event_secret, sizeof choice->event_secret);
    *choice = (struct bank_choice){0};
}

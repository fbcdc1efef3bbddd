#include "base/check.h"
#include "base/random.h"
#include "main/crash_points.h"
#include "main/foreground.h"
#include "main/listening.h"
#include "main/program.h"
#include "main/secret_file.h"
#include "main/service.h"
#include "main/service_door.h"
#include "outside/sandbox.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECRET_BYTES = 24, ANSWER_MS = 2 * 60 * 1000 };

struct bank_settings {
    char dir[OPTION_TEXT_SIZE], listen[OPTION_TEXT_SIZE], key_file[OPTION_TEXT_SIZE];
    bool plain, hooks_out_of_order;
    char certificate[OPTION_TEXT_SIZE], certificate_key[OPTION_TEXT_SIZE];
    char webhook[OPTION_TEXT_SIZE], webhook_secret_file[OPTION_TEXT_SIZE];
    char webhook_pin[OPTION_TEXT_SIZE], webhook_authority[OPTION_TEXT_SIZE];
    struct option_list webhook_events, crash_at;
    struct sandbox_faults faults;
    uint64_t seed, loops, stop_grace_ms;
    char log_level[OPTION_TEXT_SIZE];
};

#define AT(field)    offsetof(struct bank_settings, field)
#define FAULT(field) offsetof(struct bank_settings, faults.field)

/* clang-format off */
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "bank", 0, 0, NULL, "DIR",
     "where the ledger (bank.db), the keys and the certificate are kept"},
    {"listen", OPTION_TEXT, AT(listen), "127.0.0.1:9200", 0, 0, NULL, "ADDR:PORT",
     "where to take requests (HTTPS)"},
    {"plain", OPTION_SWITCH, AT(plain), NULL, 0, 0, NULL, NULL,
     "HTTP without TLS, on a loopback address only"},
    {"certificate", OPTION_TEXT, AT(certificate), NULL, 0, 0, NULL, "FILE",
     "certificate chain (PEM); without it a self-signed one is made, kept in DIR"},
    {"certificate-key", OPTION_TEXT, AT(certificate_key), NULL, 0, 0, NULL, "FILE",
     "private key (PEM) of the certificate"},
    {"key-file", OPTION_TEXT, AT(key_file), NULL, 0, 0, NULL, "FILE",
     "has the secret key that clients must show; DIR/key has it then [made at the first start]"},
    {"webhook", OPTION_TEXT, AT(webhook), NULL, 0, 0, NULL, "URL",
     "where events are sent [nowhere]"},
    {"webhook-secret-file", OPTION_TEXT, AT(webhook_secret_file), NULL, 0, 0, NULL, "FILE",
     "has what they are signed with; DIR/webhook.secret has it then [made at the first start]"},
    {"webhook-pin", OPTION_TEXT, AT(webhook_pin), NULL, 0, 0, NULL, "PIN",
     "sha256//... of the receiver's certificate's key, where no authority signed it"},
    {"webhook-authority", OPTION_TEXT, AT(webhook_authority), NULL, 0, 0, NULL, "FILE",
     "whose certificates (PEM) are believed of the receiver [the system's authorities]"},
    {"webhook-event", OPTION_LIST, AT(webhook_events), NULL, 0, SANDBOX_HOOK_TYPES, NULL, "TYPE",
     "send events of this type, as payment_intent.succeeded [all types]"},

    /* Faults, which POST /sandbox/faults changes later. */
    {"latency", OPTION_DURATION, FAULT(latency_ms), "0ms", 0, 110000, NULL, "TIME",
     "every request takes so much longer"},
    {"refuse", OPTION_SHARE, FAULT(refuse), "0%", 0, 1000, NULL, "SHARE",
     "confirmations that are declined, whatever the card"},
    {"fail-refunds", OPTION_SHARE, FAULT(fail_refunds), "0%", 0, 1000, NULL, "SHARE",
     "refunds that look done, and fail a second later"},
    {"down", OPTION_SHARE, FAULT(down), "0%", 0, 1000, NULL, "SHARE",
     "requests answered 500 or 503 before anything is done"},
    {"lost", OPTION_SHARE, FAULT(lost), "0%", 0, 1000, NULL, "SHARE",
     "requests that are done, and their connection closed without an answer"},
    {"hang", OPTION_SHARE, FAULT(hang), "0%", 0, 1000, NULL, "SHARE",
     "requests that are done, and their answer held until the client gives up"},
    {"error-after", OPTION_SHARE, FAULT(error_after), "0%", 0, 1000, NULL, "SHARE",
     "requests that are done, and answered 500; kept under the idempotency key"},
    {"conflict", OPTION_SHARE, FAULT(conflict), "0%", 0, 1000, NULL, "SHARE",
     "requests answered 409 before anything is done"},
    {"rate-limit", OPTION_SHARE, FAULT(rate_limit), "0%", 0, 1000, NULL, "SHARE",
     "requests answered 429 before anything is done"},
    {"duplicate-hooks", OPTION_SHARE, FAULT(duplicate_hooks), "0%", 0, 1000, NULL, "SHARE",
     "webhooks that are sent twice"},
    {"hook-delay", OPTION_DURATION, FAULT(hook_delay_ms), "0ms", 0, 3600000, NULL, "TIME",
     "how long a webhook waits before it is sent first"},
    {"hooks-out-of-order", OPTION_SWITCH, AT(hooks_out_of_order), NULL, 0, 0, NULL, NULL,
     "send webhooks in another order than they happened in"},
    {"lapse", OPTION_DURATION, FAULT(lapse_ms), "7d", 1, 0, NULL, "TIME",
     "how long an authorisation lasts"},
    {"seed", OPTION_COUNT, AT(seed), "1", 0, 0, NULL, "N",
     "of the faults: the same gives the same"},
    {"crash-at", OPTION_LIST, AT(crash_at), NULL, 0, 0, NULL, "POINT[:N|:P%]",
     "for tests: kill this process at a named point (docs/buying.md)"},

    {"loops", OPTION_COUNT, AT(loops), "1", 1, 64, NULL, "N", "event loops"},
    {"stop-grace", OPTION_DURATION, AT(stop_grace_ms), "1s", 0, 3600000, NULL, "TIME",
     "at a stop: how long requests in flight may take"},
    {"log-level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "what is logged on standard error"},
};
/* clang-format on */
static const struct option_table table = {rows, COUNT_OF(rows), NULL};

/* Everything of one bank, in the order in which it hangs together. */
struct bank_process {
    struct bank_settings settings;
    struct service service;
    struct log log;
    struct sandbox_config config;
    char file[FILE_PATH], key[SECRET_FILE_SIZE], hook_secret[SECRET_FILE_SIZE];
    struct sandbox *sandbox;
    struct engine *engine;
    char url[SERVICE_URL], pin[TLS_PIN];
};

/* ---- Settings ---- */

static int check_settings(struct bank_process *process, struct failure *failure)
{
    const struct bank_settings *s = &process->settings;
    if (s->plain && !listening_is_loopback(s->listen))
        return fail(failure, ERR_INVALID,
                    "--plain is for addresses of this machine alone, as 127.0.0.1:9200: the secret "
                    "key would go over the network for all to read");
    if (s->webhook[0] && strncmp(s->webhook, "https://", 8) != 0 &&
        strncmp(s->webhook, "http://", 7) != 0)
        return fail(failure, ERR_INVALID, "--webhook \"%s\" is no URL: write https://HOST/PATH",
                    s->webhook);
    return crash_points_read(&process->config.crash, &s->crash_at, failure);
}

/* A secret in DIR/NAME: the one of FILE, which OPTION has named; or that was made before; or is
 * made now, of PREFIX and hexadecimal digits. */
struct bank_secret {
    const char *name, *prefix, *option, *file;
};

static int read_secret(struct bank_process *process, const struct bank_secret *secret,
                       char out[static SECRET_FILE_SIZE], struct failure *failure)
{
    char path[FILE_PATH], text[SECRET_FILE_SIZE + 1];
    unsigned char bytes[SECRET_BYTES];
    size_t at = strlen(secret->prefix);
    int err = file_join(path, process->service.dir, secret->name, failure);
    if (err)
        return err;
    if (secret->file[0]) {
        err = secret_file_read(secret->option, secret->file, out, SECRET_FILE_SIZE, failure);
        if (err)
            return err;
    } else {
        err = secret_file_read("--dir", path, out, SECRET_FILE_SIZE, failure);
        if (err != ERR_NOTFOUND)
            return err;
        random_secret(bytes, sizeof bytes);
        memcpy(out, secret->prefix, at);
        hex_encode(bytes, sizeof bytes, out + at);
    }
    int size = snprintf(text, sizeof text, "%s\n", out);
    return file_write(path, str_make(text, (size_t)size), failure);
}

static int fill_config(struct bank_process *process, struct failure *failure)
{
    const struct bank_settings *s = &process->settings;
    struct sandbox_config *config = &process->config;
    const struct bank_secret key = {"key", "sk_test_", "--key-file", s->key_file};
    const struct bank_secret hook = {"webhook.secret", "whsec_", "--webhook-secret-file",
                                     s->webhook_secret_file};
    int err = file_join(process->file, s->dir, "bank.db", failure);
    err = err ? err : read_secret(process, &key, process->key, failure);
    err = err ? err : read_secret(process, &hook, process->hook_secret, failure);
    config->file = process->file;
    config->key = process->key;
    config->faults = s->faults;
    config->faults.hooks_out_of_order = s->hooks_out_of_order;
    config->seed = s->seed;
    config->hook_url = s->webhook[0] ? s->webhook : NULL;
    config->hook_secret = process->hook_secret;
    config->hook_trust = (struct transfer_trust){
        .authority_file = s->webhook_authority[0] ? s->webhook_authority : NULL,
        .pin = s->webhook_pin[0] ? s->webhook_pin : NULL,
    };
    config->hook_terms.any = config->hook_url != NULL;
    for (unsigned i = 0; i < s->webhook_events.count; i++)
        config->hook_terms.types[config->hook_terms.type_count++] = s->webhook_events.items[i];
    config->log = &process->log;
    return err;
}

/* ---- Opening ---- */

static int open_door(struct bank_process *process, struct failure *failure)
{
    const struct bank_settings *s = &process->settings;
    struct service_door door = {
        .dir = s->dir,
        .plain = s->plain,
        .certificate = s->certificate,
        .key = s->certificate_key,
        .loops = (unsigned)s->loops,
        .helpers = 1,
        .stop_grace_ms = s->stop_grace_ms,
        .answer_ms = ANSWER_MS, /* latency and answers that hang: no longer */
        .log = &process->log,
    };
    int err = service_door_pin(&door, process->pin, failure);
    return err ? err
               : service_door_open(&door, s->listen, "--listen", sandbox_app(process->sandbox),
                                   &process->engine, process->url, failure);
}

static void close_bank(struct bank_process *process)
{
    foreground_stop(&engine_event, process->engine);
    sandbox_close(process->sandbox);
    service_close(&process->service);
}

static int open_bank(struct bank_process *process, struct failure *failure)
{
    int err = service_open(process->settings.dir, &process->service, failure);
    err = err ? err : fill_config(process, failure);
    err = err ? err : sandbox_open(&process->config, &process->sandbox, failure);
    err = err ? err : open_door(process, failure);
    err = err ? err : service_announce(&process->service, process->url, process->pin, failure);
    if (err)
        close_bank(process);
    return err;
}

static int run_process(const struct program_command *self, struct bank_process *process)
{
    struct failure failure = {0};
    struct foreground *foreground;
    if (foreground_begin(&foreground, &failure) || open_bank(process, &failure))
        return command_failed(self, failure.text);
    foreground_ready(foreground);
    if (process->pin[0])
        printf("stoa: pin %s\n", process->pin);
    printf("stoa: bank ready at %s\n", process->url);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&process->log, LOG_INFO, "main", "stopping");
    close_bank(process);
    return EXIT_DONE;
}

static int run_bank(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    unsigned operands;
    struct bank_process *process = calloc(1, sizeof *process);
    if (!process)
        return command_failed(self, err_sentence(ERR_NOMEM));
    process->service.lock = -1;
    option_defaults(&table, &process->settings);
    int err = option_parse(&table, &process->settings, count, words, NULL, 0, &operands, &failure);
    err = err ? err : check_settings(process, &failure);
    process->log = (struct log){STDERR_FILENO, log_level_of(process->settings.log_level)};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = err ? command_usage_error(self, failure.text) : run_process(self, process);
    crash_plan_free(process->config.crash);
    free(process);
    return status;
}

const struct program_command command_bank = {
    "bank",
    "[options]",
    "run a sandbox bank: a payment provider for trying out, with faults to be switched on",
    "Speaks the part of Stripe's PaymentIntents API that a shop uses, and keeps a ledger of its "
    "own\n"
    "(docs/bank.md). Prints \"stoa: bank ready at URL\" on standard output when it takes "
    "requests.\n"
    "DIR/key is the secret key, DIR/pin what to pin of its certificate, DIR/webhook.secret what\n"
    "webhooks are signed with. SIGINT or SIGTERM stops it.\n"
    "  stoa bank --dir bank --listen 127.0.0.1:9200\n"
    "  stoa bank --dir bank --lost 10% --webhook https://shop.example/webhooks/bank",
    &table,
    run_bank,
    NULL,
};

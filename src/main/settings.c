#include "main/settings.h"

#include "base/check.h"
#include "base/crash.h"
#include "main/config.h"
#include "main/post.h"
#include "main/waker.h"
#include "web/web.h"

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
static const struct option_row rows[] = {
    {"config", OPTION_TEXT, AT(config), NULL, 0, 0, NULL, "FILE",
     "configuration file with these same settings; flags win over it"},
    {"listen", OPTION_LIST, AT(listen), "127.0.0.1:8080", 0, 0, NULL, "ADDR:PORT",
     "where to serve HTTP"},
    {"listen-tls", OPTION_LIST, AT(listen_tls), NULL, 0, 0, NULL, "ADDR:PORT",
     "where to serve HTTPS"},
    {"certificate", OPTION_TEXT, AT(certificate), NULL, 0, 0, NULL, "FILE",
     "certificate chain (PEM) for HTTPS; without it a self-signed one is made"},
    {"key", OPTION_TEXT, AT(key), NULL, 0, 0, NULL, "FILE", "private key (PEM) of the certificate"},
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR", "where the shop's data is kept"},
    {"shared", OPTION_SWITCH, AT(shared), NULL, 0, 0, NULL, NULL,
     "several processes have the directory: who gets its lock writes, the others read and stand by"},
    {"shared-kill-after", OPTION_DURATION, AT(shared_kill_ms), "5s", 0, 3600000, NULL, "TIME",
     "with --shared: the process that writes is killed when it has not answered for so long (0s: "
     "never)"},
    {"catalogue", OPTION_TEXT, AT(catalogue), NULL, 0, 0, NULL, "FILE",
     "products for a shop that has none yet: a CSV file, or demo"},
    {"media", OPTION_TEXT, AT(media), NULL, 0, 0, NULL, "DIR",
     "files served under /media/ [DIR/media]"},
    {"url", OPTION_TEXT, AT(url), NULL, 0, 0, NULL, "URL",
     "the shop's address as its shoppers see it [the first --listen]"},
    {"cookie-domain", OPTION_TEXT, AT(cookie_domain), NULL, 0, 0, NULL, "DOMAIN",
     "shoppers keep their carts on all hosts of this domain, as when they are sent to the servers "
     "themselves [on one host]"},
    {"trust", OPTION_NETWORKS, AT(trust), NULL, 0, WEB_TRUSTED_MAX, NULL, "NETWORK",
     "proxies whose X-Forwarded-Proto is believed, besides load managers of this cluster"},
    {"server-header", OPTION_SWITCH, AT(server_header), NULL, 0, 0, NULL, NULL,
     "answers name this server in the header Stoa-Server"},
    {"engine", OPTION_CHOICE, AT(engine), "event", 0, 0, "loop thread fork pool event amped seda",
     "NAME", "how requests are run"},
    {"helpers", OPTION_COUNT, AT(helpers), "2", 1, 256, NULL, "N",
     "threads for work that blocks: searches, imports"},
    {"helper-queue", OPTION_COUNT, AT(helper_queue), "1024", 1, 1000000, NULL, "N",
     "most requests that wait for such a thread; above it 503"},
    {"workers", OPTION_COUNT, AT(workers), "0", 0, 10000, NULL, "N",
     "threads of the engine pool (0: found while it runs), of a stage of seda at most (0: 20); "
     "threads at work at once of thread (0: 256), processes of fork (0: 1000); threads of amped "
     "that read files (0: 8)"},
    {"admission", OPTION_DURATION, AT(admission_ms), "0ms", 0, 60000, NULL, "TIME",
     "event and seda: so many requests are let in that nine of ten are answered within this; the "
     "others get 503 at once (0: all are let in)"},
    {"io-uring", OPTION_SWITCH, AT(io_uring), NULL, 0, 0, NULL, NULL,
     "event: connections without TLS are served by io_uring, where the kernel (6.1 or later) and "
     "who guards it let us; else by epoll"},
    {"cache", OPTION_SIZE, AT(cache_bytes), "8M", 64 << 10, 1ull << 40, NULL, "SIZE",
     "memory for ready-made answers"},
    {"stop-grace", OPTION_DURATION, AT(stop_grace_ms), "10s", 0, 3600000, NULL, "TIME",
     "at a stop: how long requests in flight may take"},
    LISTENING_ROWS(AT(limits)),
    {"body-bytes", OPTION_SIZE, AT(body_bytes), "1M", 1 << 10, 1 << 30, NULL, "SIZE",
     "longest request body, but for uploads"},
    {"upload-bytes", OPTION_SIZE, AT(upload_bytes), "8G", 1 << 10, 1ull << 50, NULL, "SIZE",
     "longest upload by the operator"},
    {"answer-timeout", OPTION_DURATION, AT(answer_ms), "60s", 100, 3600000, NULL, "TIME",
     "how long the shop itself may take"},
    {"wait-max", OPTION_DURATION, AT(wait_ms), "1s", 10, 60000, NULL, "TIME",
     "how long a change may have to wait for its turn; if it would be longer, 503"},
    {"peer-listen", OPTION_TEXT, AT(peer_listen), NULL, 0, 0, NULL, "ADDR:PORT",
     "in a cluster: where the other servers connect [as at its init or join]"},
    {"peer-address", OPTION_TEXT, AT(peer_address), NULL, 0, 0, NULL, "HOST:PORT",
     "in a cluster: how they reach it, where that is not --peer-listen"},
    {"election-timeout", OPTION_DURATION, AT(election_ms), "300ms", 50, 60000, NULL, "TIME",
     "in a cluster: a primary that was silent for so long is replaced"},
    {"heartbeat", OPTION_DURATION, AT(heartbeat_ms), "30ms", 5, 10000, NULL, "TIME",
     "in a cluster: how often a primary says that it is there"},
    {"voters", OPTION_CHOICE, AT(voters), "auto", 0, 0, "auto 3 5", "N",
     "in a cluster: how many servers decide (auto: 3, with five or more servers 5)"},
    {"replace-after", OPTION_DURATION, AT(replace_ms), "60s", 1000, 86400000, NULL, "TIME",
     "in a cluster: a standby takes the place of a server that is down for so long"},
    {"wake", OPTION_LIST, AT(wake), NULL, 0, CLUSTER_SERVERS_MAX, NULL, "ID=COMMAND",
     "in a cluster: how to start server ID when it is cold and needed: a shell command that ends by "
     "itself, such as 4=ssh cold1 systemctl start stoa"},
    {"wake-after", OPTION_DURATION, AT(wake_after_ms), "10s", 100, 86400000, NULL, "TIME",
     "in a cluster: so long a server is missing, or there is no primary, before a cold one is "
     "woken"},
    {"copy-rate", OPTION_SIZE, AT(copy_rate), "64M", 64 << 10, 1ull << 40, NULL, "SIZE",
     "in a cluster: bytes a second at which a copy is sent to a server that needs one"},
    {"bank", OPTION_TEXT, AT(bank), NULL, 0, 0, NULL, "URL",
     "where shoppers pay: https://api.stripe.com, or a `stoa bank` [a sandbox within this server]"},
    {"bank-key-file", OPTION_TEXT, AT(bank_key_file), NULL, 0, 0, NULL, "FILE",
     "the bank's secret key, sk_test_… or sk_live_…, in the first line"},
    {"bank-pin", OPTION_TEXT, AT(bank_pin), NULL, 0, 0, NULL, "PIN",
     "the bank's public key as sha256//BASE64, whoever signed its certificate"},
    {"bank-authority", OPTION_TEXT, AT(bank_authority), NULL, 0, 0, NULL, "FILE",
     "who signed the bank's certificate (PEM) [the system's authorities]"},
    {"bank-webhook-secret-file", OPTION_TEXT, AT(bank_webhook_secret_file), NULL, 0, 0, NULL,
     "FILE", "what the bank signs its events with, whsec_…, in the first line"},
    {"log-entries", OPTION_COUNT, AT(log_entries), "65536", 16, 1000000, NULL, "N",
     "most entries of the log that are kept for a start; a server that lacks more than a quarter "
     "of them is sent a copy"},
    {"mail", OPTION_TEXT, AT(mail), NULL, 0, 0, NULL, "ADDRESS",
     "where mail to shoppers goes: smtp://user@host:587, smtps://user@host or maildir:DIR; the "
     "shop's setting mail says whether there is any"},
    {"mail-from", OPTION_TEXT, AT(mail_from), NULL, 0, 0, NULL, "ADDRESS",
     "whom mail to shoppers comes from"},
    {"mail-password-file", OPTION_TEXT, AT(mail_password_file), NULL, 0, 0, NULL, "FILE",
     "the mail server's password, in the first line"},
    {"mail-authority", OPTION_TEXT, AT(mail_authority), NULL, 0, 0, NULL, "FILE",
     "who signed the mail server's certificate (PEM) [the system's authorities]"},
    {"profile-private", OPTION_SWITCH, AT(profile_private), NULL, 0, 0, NULL, NULL,
     "fetch platforms' profiles, and send webhooks, to private addresses too"},
    {"profile-authority", OPTION_TEXT, AT(profile_authority), NULL, 0, 0, NULL, "FILE",
     "who signed platforms' certificates (PEM) [the system's authorities]"},
    {"log-level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "least important lines to be logged"},
    {"crash-at", OPTION_LIST, AT(crash_at), NULL, 0, CRASH_POINT_COUNT, NULL, "POINT",
     "for tests: the process kills itself at a named point of a purchase (docs/buying.md), as "
     "POINT, POINT:N or POINT:P%"},
};
/* clang-format on */

const struct option_table settings_table = {rows, COUNT_OF(rows), "serve"};

/* Goes into a header as it is. */
static bool is_domain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
           strlen(text);
}

/* What the engine would pass over in silence. */
static int check_engine(const struct settings *settings, struct failure *failure)
{
    const char *engine = settings->engine;
    if (settings->shared && strcmp(engine, "fork") == 0)
        return fail(failure, ERR_INVALID,
                    "shared and the engine fork do not go together: choose another engine");
    if (settings->admission_ms > 0 && strcmp(engine, "event") != 0 && strcmp(engine, "seda") != 0)
        return fail(failure, ERR_INVALID,
                    "admission is of the engines event and seda, and %s lets everybody in: choose "
                    "one of those, or leave admission out",
                    engine);
    if (settings->io_uring && strcmp(engine, "event") != 0)
        return fail(failure, ERR_INVALID,
                    "io-uring is of the engine event, and %s serves without: choose that, or leave "
                    "io-uring out",
                    engine);
    return 0;
}

int settings_check_pages(struct settings *settings, struct failure *failure)
{
    if (!settings->dir[0])
        return fail(failure, ERR_INVALID, "dir is empty: give the shop's data directory");
    if (settings->url[0] && !str_starts(str_of(settings->url), STR("http://")) &&
        !str_starts(str_of(settings->url), STR("https://")))
        return fail(failure, ERR_INVALID, "url is \"%s\", but must begin with http:// or https://",
                    settings->url);
    if (!is_domain(settings->cookie_domain))
        return fail(failure, ERR_INVALID,
                    "cookie-domain is \"%s\", but has letters, digits, '.' and '-', like "
                    "shop.example",
                    settings->cookie_domain);
    if (!settings->media[0] && snprintf(settings->media, sizeof settings->media, "%s/media",
                                        settings->dir) >= (int)sizeof settings->media)
        return fail(failure, ERR_INVALID, "dir is too long a path");
    return 0;
}

int settings_read(struct settings *settings, int count, char **words, struct failure *failure)
{
    int err = config_read(&settings_table, settings, count, words, failure);
    if (err)
        return err;
    if (settings->listen.count + settings->listen_tls.count == 0)
        return fail(failure, ERR_INVALID,
                    "there is no address to serve at: give listen or listen-tls");
    if (settings->shared && settings->listen.count == 0)
        return fail(failure, ERR_INVALID,
                    "with shared there must be an address for plain HTTP: the other processes of "
                    "the directory reach the one that writes there; give listen");
    if (check_engine(settings, failure))
        return ERR_INVALID;
    if (settings_check_pages(settings, failure))
        return ERR_INVALID;
    if (settings->election_ms < 4 * settings->heartbeat_ms)
        return fail(failure, ERR_INVALID,
                    "election-timeout is %llums, but must be at least four heartbeats of %llums",
                    (unsigned long long)settings->election_ms,
                    (unsigned long long)settings->heartbeat_ms);
    if (!settings->certificate[0] != !settings->key[0])
        return fail(failure, ERR_INVALID, "certificate and key must be given together");
    if (waker_check(&settings->wake, failure))
        return ERR_INVALID;
    if (post_check(settings, failure))
        return ERR_INVALID;
    return 0;
}

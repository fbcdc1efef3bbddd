#include "main/balance_settings.h"

#include "balance/balance.h"
#include "base/check.h"
#include "main/config.h"

#define AT(field) offsetof(struct balance_settings, field)

/* clang-format off */
static const struct option_row rows[] = {
    {"config", OPTION_TEXT, AT(config), NULL, 0, 0, NULL, "FILE",
     "configuration file with these same settings; flags win over it"},

    /* Where shoppers come in. */
    {"listen", OPTION_LIST, AT(listen), "127.0.0.1:8080", 0, 0, NULL, "ADDR:PORT",
     "where to take HTTP"},
    {"listen-tls", OPTION_LIST, AT(listen_tls), NULL, 0, 0, NULL, "ADDR:PORT",
     "where to take HTTPS"},
    {"listen-proxy", OPTION_LIST, AT(listen_proxy), NULL, 0, 0, NULL, "ADDR:PORT",
     "where to take HTTP from balancers in --trust that send the PROXY protocol's header first"},
    {"certificate", OPTION_TEXT, AT(certificate), NULL, 0, 0, NULL, "FILE",
     "certificate chain (PEM) for HTTPS; without it a self-signed one is made, kept in --dir"},
    {"key", OPTION_TEXT, AT(key), NULL, 0, 0, NULL, "FILE", "private key (PEM) of the certificate"},
    {"url", OPTION_TEXT, AT(url), NULL, 0, 0, NULL, "URL",
     "this load manager's address as shoppers see it [the first --listen]"},
    {"status", OPTION_TEXT, AT(status), NULL, 0, 0, NULL, "ADDR:PORT",
     "where to serve the status page, /balance.json for `stoa top` and /metrics; keep it private "
     "[nowhere]"},

    /* Where requests go. */
    {"server", OPTION_LIST, AT(servers), NULL, 0, 0, NULL, "URL",
     "a server of a cluster; the others are learnt from it, as they come and go"},
    {"dir", OPTION_TEXT, AT(dir), NULL, 0, 0, NULL, "DIR",
     "a server's or a demo's directory on this machine: its operator's token is used, and without "
     "--server its servers are"},
    {"token", OPTION_TEXT, AT(token), NULL, 0, 0, NULL, "TOKEN",
     "the cluster's operator's token; everybody on this machine can see it here: better in a file"},
    {"token-file", OPTION_TEXT, AT(token_file), NULL, 0, 0, NULL, "FILE",
     "a file with it: a server has it in its directory as operator.token"},
    {"upstream", OPTION_LIST, AT(upstreams), NULL, 0, 0, NULL, "URL[,weight=N]",
     "in place of a cluster: any HTTP server; one with weight 200 gets twice the usual 100"},
    {"authority", OPTION_TEXT, AT(authority), NULL, 0, 0, NULL, "FILE",
     "whose certificates (PEM) are believed of servers with https URLs [the system's authorities]"},
    {"insecure", OPTION_SWITCH, AT(insecure), NULL, 0, 0, NULL, NULL,
     "believe any certificate of such servers"},
    {"policy", OPTION_TEXT, AT(policy), NULL, 0, 0, NULL, "NAME",
     "how a server is chosen (see below) [the first of them]"},
    {"mode", OPTION_CHOICE, AT(mode), "proxy", 0, 0, "proxy direct", "MODE",
     "direct: after the first contact shoppers are sent to their server's own address"},
    {"aways", OPTION_COUNT, AT(aways), "2", 1, 3, NULL, "N",
     "how many servers a shopper has besides home, to go to when home is gone"},

    /* What it says of itself and of clients. */
    {"server-header", OPTION_SWITCH, AT(server_header), NULL, 0, 0, NULL, NULL,
     "answers name the server that made them in the header Stoa-Server"},
    {"via", OPTION_SWITCH, AT(via), "yes", 0, 0, NULL, NULL, "add a Via header (--via=no: none)"},
    {"proxy-protocol-out", OPTION_SWITCH, AT(proxy_out), NULL, 0, 0, NULL, NULL,
     "send the PROXY protocol's header (version 2) to the servers"},
    {"trust", OPTION_NETWORKS, AT(trust), NULL, 0, BALANCE_TRUSTED_MAX, NULL, "NETWORK",
     "whose Forwarded and X-Forwarded-* headers, and PROXY headers, are believed: 10.0.0.0/8, ::1 "
     "[nobody's; PROXY headers of this machine]"},

    /* How much, and how long. */
    {"limit", OPTION_COUNT, AT(limit), "256", 1, 1000000, NULL, "N",
     "most requests at once to a server"},
    {"queue", OPTION_COUNT, AT(queue), "1024", 1, 1000000, NULL, "N",
     "most requests that wait for a server, per loop; above it 503"},
    {"queue-per-client", OPTION_COUNT, AT(queue_per_client), "64", 1, 1000000, NULL, "N",
     "of them that one client may have waiting in any case; more while as much is left free"},
    {"queue-timeout", OPTION_DURATION, AT(queue_ms), "2s", 1, 3600000, NULL, "TIME",
     "how long a request may wait there; then 503"},
    {"connect-timeout", OPTION_DURATION, AT(connect_ms), "1s", 10, 60000, NULL, "TIME",
     "how long a connection to a server may take"},
    {"answer-timeout", OPTION_DURATION, AT(answer_ms), "30s", 10, 3600000, NULL, "TIME",
     "how long a server may take to begin its answer; then 504"},
    {"answer-pause", OPTION_DURATION, AT(answer_idle_ms), "30s", 10, 3600000, NULL, "TIME",
     "how long an answer may pause"},
    {"retries", OPTION_SHARE, AT(retries), "20%", 1, 1000, NULL, "SHARE",
     "most requests that are sent a second time, to another server (and ten a second always)"},
    {"hedge", OPTION_SHARE, AT(hedge), "5%", 0, 1000, NULL, "SHARE",
     "most reads that are also sent to a second server when the first is slow; off: none"},
    {"replay-bytes", OPTION_SIZE, AT(replay_bytes), "64K", 1, 64 << 20, NULL, "SIZE",
     "how much of a request's body is kept for sending it again"},
    {"backup-connections", OPTION_COUNT, AT(backup_connections), "2", 1, 1000, NULL, "N",
     "idle connections that are kept open to each server, per loop, for the moment another dies"},
    {"idle-connections", OPTION_COUNT, AT(idle_connections), "128", 1, 100000, NULL, "N",
     "most idle connections to a server, per loop"},

    /* Health. */
    {"check-every", OPTION_DURATION, AT(check_ms), "100ms", 10, 3600000, NULL, "TIME",
     "time between two checks of a server"},
    {"check-path", OPTION_TEXT, AT(check_path), NULL, 0, 0, NULL, "PATH",
     "what upstreams are asked for; they shall answer 2xx or 3xx [a connection is enough]"},
    {"silent-after", OPTION_DURATION, AT(silent_ms), "300ms", 20, 60000, NULL, "TIME",
     "a server of which nothing at all is heard for so long, while it should answer, is left"},
    {"failures", OPTION_COUNT, AT(failures), "5", 1, 1000, NULL, "N",
     "failed requests in a row after which a server is out"},
    {"checks-lost", OPTION_COUNT, AT(checks_lost), "2", 1, 1000, NULL, "N",
     "lost checks in a row after which a server is out"},
    {"checks-fine", OPTION_COUNT, AT(checks_fine), "2", 1, 1000, NULL, "N",
     "good checks in a row after which it is back"},
    {"eject", OPTION_DURATION, AT(eject_ms), "1s", 10, 3600000, NULL, "TIME",
     "how long it is out the first time; twice as long each further time"},
    {"eject-max", OPTION_DURATION, AT(eject_max_ms), "30s", 10, 86400000, NULL, "TIME",
     "how long at most"},
    {"forgive", OPTION_DURATION, AT(forgive_ms), "10s", 10, 86400000, NULL, "TIME",
     "a good time after which the next one is half as long again"},
    {"out-max", OPTION_SHARE, AT(out_max), "50%", 1, 1000, NULL, "SHARE",
     "most servers that are out at once for what requests said of them"},
    {"panic", OPTION_SHARE, AT(panic), "30%", 1, 1000, NULL, "SHARE",
     "with fewer usable servers than this all are used"},
    {"slow-start", OPTION_DURATION, AT(slow_start_ms), "5s", 1, 3600000, NULL, "TIME",
     "how long until a new server gets its full share"},
    {"slow-start-least", OPTION_SHARE, AT(slow_start_min), "10%", 1, 1000, NULL, "SHARE",
     "with how much of it it begins"},

    /* The process. */
    {"stop-grace", OPTION_DURATION, AT(stop_grace_ms), "10s", 0, 3600000, NULL, "TIME",
     "at a stop: how long requests in flight may take"},
    LISTENING_ROWS(AT(limits)),
    {"log-level", OPTION_CHOICE, AT(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "least important lines to be logged"},
};
/* clang-format on */

const struct option_table balance_settings_table = {rows, COUNT_OF(rows), "balance"};

int balance_settings_check(const struct balance_settings *s, struct failure *failure)
{
    if (s->listen.count + s->listen_tls.count + s->listen_proxy.count == 0)
        return fail(failure, ERR_INVALID,
                    "there is no address to take requests at: give listen or listen-tls");
    if (!s->certificate[0] != !s->key[0])
        return fail(failure, ERR_INVALID, "certificate and key must be given together");
    if (s->token[0] && s->token_file[0])
        return fail(failure, ERR_INVALID, "give either token or token-file, not both");
    if (s->servers.count && s->upstreams.count)
        return fail(failure, ERR_INVALID,
                    "give either server (of a cluster) or upstream (any HTTP server), not both");
    if (s->servers.count + s->upstreams.count == 0 && !s->dir[0])
        return fail(failure, ERR_INVALID,
                    "there is no server to send requests to: give --server URL for a cluster's, "
                    "--dir DIR for those of a directory here, or --upstream URL for any others");
    if (s->eject_max_ms < s->eject_ms)
        return fail(failure, ERR_INVALID, "eject-max is %llums, but must be at least eject, %llums",
                    (unsigned long long)s->eject_max_ms, (unsigned long long)s->eject_ms);
    if (s->check_path[0] && s->check_path[0] != '/')
        return fail(failure, ERR_INVALID, "check-path is \"%s\", but must begin with a /",
                    s->check_path);
    return 0;
}

int balance_settings_read(struct balance_settings *settings, int count, char **words,
                          struct failure *failure)
{
    int err = config_read(&balance_settings_table, settings, count, words, failure);
    return err ? err : balance_settings_check(settings, failure);
}

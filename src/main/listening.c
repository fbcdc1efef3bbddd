#include "main/listening.h"

#include "base/check.h"
#include "net/network.h"

#include <stdio.h>
#include <string.h>

static const char *const options[] = {
    [LISTENING_HTTP] = "--listen",
    [LISTENING_TLS] = "--listen-tls",
    [LISTENING_PROXY] = "--listen-proxy",
};

void listening_limit(struct engine_config *config, const struct listening_limits *limits)
{
    config->loops = (unsigned)limits->loops;
    config->connections_max = (unsigned)limits->connections_max;
    config->limits.head_bytes = (uint32_t)limits->head_bytes;
    config->limits.header_count = (uint32_t)limits->header_count;
    config->limits.head_ms = (uint32_t)limits->head_ms;
    config->limits.idle_ms = (uint32_t)limits->idle_ms;
    config->limits.body_idle_ms = (uint32_t)limits->body_idle_ms;
    config->limits.send_idle_ms = (uint32_t)limits->send_idle_ms;
}

int listening_add(struct engine_config *config, const struct option_list *list,
                  enum listening_kind kind, struct failure *failure)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct engine_listen *listen = &config->listen[config->listen_count];
        if (config->listen_count == ENGINE_LISTEN_MAX)
            return fail(failure, ERR_INVALID, "more than %d addresses to listen on",
                        ENGINE_LISTEN_MAX);
        if (strlen(list->items[i]) >= sizeof listen->address)
            return fail(failure, ERR_INVALID, "listen address \"%s\" is too long", list->items[i]);
        strcpy(listen->address, list->items[i]);
        listen->option = options[kind];
        listen->tls = kind == LISTENING_TLS;
        listen->proxy = kind == LISTENING_PROXY;
        config->listen_count++;
    }
    return 0;
}

bool listening_is_everywhere(const char *address)
{
    struct str text = str_of(address);
    return str_starts(text, STR(":")) || str_starts(text, STR("0.0.0.0:")) ||
           str_starts(text, STR("[::]:"));
}

bool listening_is_loopback(const char *address)
{
    struct network own[2];
    struct str host;
    uint16_t port;
    if (endpoint_split(str_of(address), &host, &port, NULL))
        return false;
    if (str_eq_nocase(host, STR("localhost")))
        return true;
    CHECK(network_parse(STR("127.0.0.0/8"), &own[0], NULL) == 0 &&
          network_parse(STR("::1"), &own[1], NULL) == 0);
    return network_has_text(own, COUNT_OF(own), host);
}

void listening_url(const char *address, bool tls, uint16_t port, const char *every_host, char *out,
                   size_t size)
{
    const char *colon = strrchr(address, ':');
    int host = colon ? (int)(colon - address) : (int)strlen(address);
    const char *scheme = tls ? "https" : "http";
    char own[8] = "";
    if (port)
        snprintf(own, sizeof own, ":%u", port);
    const char *end = port ? own : colon ? colon : "";
    if (listening_is_everywhere(address))
        snprintf(out, size, "%s://%s%s", scheme, every_host, end);
    else
        snprintf(out, size, "%s://%.*s%s", scheme, host, address, end);
}

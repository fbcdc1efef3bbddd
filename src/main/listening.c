#include "main/listening.h"

#include <stdio.h>
#include <string.h>

static const char *const options[] = {
    [LISTENING_HTTP] = "--listen",
    [LISTENING_TLS] = "--listen-tls",
    [LISTENING_PROXY] = "--listen-proxy",
};

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

void listening_url(const struct engine_listen *listen, uint16_t port, const char *every_host,
                   char *out, size_t size)
{
    const char *colon = strrchr(listen->address, ':');
    size_t host = colon ? (size_t)(colon - listen->address) : strlen(listen->address);
    const char *scheme = listen->tls ? "https" : "http";
    bool every = host == 0 || strncmp(listen->address, "0.0.0.0:", 8) == 0 ||
                 strncmp(listen->address, "[::]:", 5) == 0;
    if (every)
        snprintf(out, size, "%s://%s:%u", scheme, every_host, port);
    else
        snprintf(out, size, "%s://%.*s:%u", scheme, (int)host, listen->address, port);
}

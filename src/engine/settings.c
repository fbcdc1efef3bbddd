#include "engine/settings.h"

#include "base/check.h"
#include "net/socket.h"
#include "net/tls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* For the database, its log, clients of bank and warehouse, and the loops' own. */
    OTHER_FILES = 256,
};

unsigned engine_loops(unsigned loops)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (loops > 0)
        return loops;
    return cores > 0 ? (unsigned)cores : 1;
}

void engine_settings_fill(struct engine_config *config)
{
    unsigned files = socket_limit_raise();
    config->loops = engine_loops(config->loops);
    if (config->helpers == 0)
        config->helpers = 2;
    if (config->helper_queue == 0)
        config->helper_queue = 1024;
    if (config->stop_grace_ms == 0)
        config->stop_grace_ms = 10000;
    unsigned others = OTHER_FILES + config->app_files;
    unsigned most = files > 2 * others ? files - others : files / 2;
    if (config->connections_max == 0 || config->connections_max > most)
        config->connections_max = most;
}

static int open_one(struct engine_sockets *sockets, unsigned index, const char *text, bool beside,
                    struct failure *failure)
{
    struct endpoint address;
    int err = endpoint_resolve(str_of(text), true, &address, failure);
    if (!err && !beside)
        err = socket_listen_check(&address, text, failure);
    for (unsigned i = 0; !err && i < sockets->sharers; i++)
        err = socket_listen(&address, text, beside || sockets->sharers > 1,
                            &sockets->fds[index * sockets->sharers + i], failure);
    if (!err)
        sockets->ports[index] = endpoint_port(&address);
    return err;
}

int engine_sockets_open(struct engine_sockets *sockets, const struct engine_config *config,
                        unsigned sharers, struct failure *failure)
{
    *sockets = (struct engine_sockets){.listens = config->listen_count, .sharers = sharers};
    if (config->listen_count == 0 || config->listen_count > ENGINE_LISTEN_MAX)
        return fail(failure, ERR_INVALID, "there must be 1 to %d addresses to listen on",
                    ENGINE_LISTEN_MAX);
    size_t count = (size_t)sockets->listens * sharers;
    sockets->fds = malloc(count * sizeof *sockets->fds);
    if (!sockets->fds)
        return fail(failure, ERR_NOMEM, "no memory for the listening sockets");
    for (size_t i = 0; i < count; i++)
        sockets->fds[i] = -1;
    int err = ERR_OK;
    struct failure why = {0};
    const struct engine_listen *failed = config->listen;
    for (unsigned i = 0; !err && i < sockets->listens; i++) {
        failed = &config->listen[i];
        err = open_one(sockets, i, failed->address, config->listens_beside, &why);
    }
    if (!err)
        return 0;
    engine_sockets_close(sockets);
    return failed->option ? fail(failure, err, "%s: %s", failed->option, why.text)
                          : fail(failure, err, "%s", why.text);
}

int engine_sockets_share(struct engine_sockets *sockets, const struct engine_config *config,
                         unsigned sharers, const int *fds, const uint16_t *ports,
                         struct failure *failure)
{
    size_t count = (size_t)config->listen_count * sharers;
    *sockets = (struct engine_sockets){.listens = config->listen_count, .sharers = sharers};
    sockets->fds = malloc(count * sizeof *sockets->fds);
    if (!sockets->fds)
        return fail(failure, ERR_NOMEM, "no memory for the listening sockets");
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        sockets->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        good = good && sockets->fds[i] >= 0;
    }
    memcpy(sockets->ports, ports, sockets->listens * sizeof *ports);
    if (good)
        return 0;
    fail_errno(failure, ERR_FULL, "cannot take over the listening sockets");
    engine_sockets_close(sockets);
    return ERR_FULL;
}

int engine_sockets_take(struct engine_sockets *sockets, unsigned index, unsigned sharer)
{
    int *place = &sockets->fds[index * sockets->sharers + sharer];
    int fd = *place;
    *place = -1;
    return fd;
}

void engine_sockets_close(struct engine_sockets *sockets)
{
    for (size_t i = 0; sockets->fds && i < (size_t)sockets->listens * sockets->sharers; i++)
        if (sockets->fds[i] >= 0)
            close(sockets->fds[i]);
    free(sockets->fds);
    sockets->fds = NULL;
}

int engine_trusted(const struct engine_config *config,
                   struct network networks[static ENGINE_TRUSTED_MAX], struct failure *failure)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    bool none = config->trusted_count == 0;
    unsigned count = none ? COUNT_OF(loopback) : config->trusted_count;
    if (count > ENGINE_TRUSTED_MAX) {
        fail(failure, ERR_INVALID, "there may be %d trusted networks at most", ENGINE_TRUSTED_MAX);
        return -1;
    }
    for (unsigned i = 0; i < count; i++)
        if (network_parse(str_of(none ? loopback[i] : config->trusted[i]), &networks[i], failure))
            return -1;
    return (int)count;
}

int engine_tls(const struct engine_config *config, struct tls_context **context,
               struct failure *failure)
{
    bool wanted = false;
    *context = NULL;
    for (unsigned i = 0; i < config->listen_count; i++)
        wanted |= config->listen[i].tls;
    if (!wanted)
        return ERR_OK;
    const char *certificate = config->certificate, *key = config->key;
    char self_signed[TLS_PATH];
    if (!certificate[0] != !key[0])
        return fail(failure, ERR_INVALID,
                    "TLS needs both a certificate and a key; the %s is not set",
                    certificate[0] ? "key" : "certificate");
    if (!certificate[0]) {
        int err =
            tls_self_signed(config->state_dir[0] ? config->state_dir : ".", self_signed, failure);
        if (err)
            return err;
        certificate = key = self_signed;
        log_line(config->log, LOG_WARN, "engine",
                 "TLS with a self-signed certificate (%s): for trying out only", self_signed);
    }
    struct failure why = {0};
    *context = tls_context_new(certificate, key, &why);
    return *context ? ERR_OK : fail(failure, why.err ? why.err : ERR_INVALID, "%s", why.text);
}

#include "main/signing.h"

#include "base/clock.h"
#include "main/register.h"
#include "outside/signing_keys.h"

#include <time.h>

enum { TRIES = 25, PAUSE_MS = 200 };

static int make_key(struct server *server, struct failure *failure)
{
    struct signing_keys none = {0};
    struct buf text;
    buf_init(&text, 2 * SIGNING_KEYS_TEXT);
    int err = signing_keys_add(&none, server->dir.secret, clock_wall_ms(), false, &text, failure);
    struct registration what = {
        .key = SIGNING_KEYS_ENTRY, .value = buf_text(&text), .condition = REGISTRY_ABSENT};
    err = err ? err : register_put(replica_order(server->replica), &what, failure);
    buf_close(&text);
    return err == ERR_CONFLICT ? 0 : err; /* another server was quicker */
}

static int make_unless_there(struct server *server, struct failure *failure)
{
    char value[SIGNING_KEYS_TEXT + 1];
    int err = register_get(replica_order(server->replica), server->dir.database, SIGNING_KEYS_ENTRY,
                           false, value, sizeof value, failure);
    return err == ERR_NOTFOUND ? make_key(server, failure) : err;
}

void signing_begin(struct server *server)
{
    struct failure failure = {0};
    int err = make_unless_there(server, &failure);
    for (int i = 0; i < TRIES && (err == ERR_NOPRIMARY || err == ERR_TIMEOUT || err == ERR_BUSY ||
                                  err == ERR_UNKNOWN_FATE);
         i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * (long)MS_NS}, NULL);
        err = make_unless_there(server, &failure);
    }
    if (err)
        log_line(&server->log, LOG_WARN, "main",
                 "there is no key to sign webhooks with yet, and they wait: %s", failure.text);
}

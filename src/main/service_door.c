#include "main/service_door.h"

#include "main/listening.h"

int service_door_pin(const struct service_door *door, char pin[static TLS_PIN],
                     struct failure *failure)
{
    char made[TLS_PATH];
    pin[0] = '\0';
    if (door->plain)
        return 0;
    int err = door->certificate[0] ? 0 : tls_self_signed(door->dir, made, failure);
    return err ? err : tls_pin(door->certificate[0] ? door->certificate : made, pin, failure);
}

int service_door_open(const struct service_door *door, const char *address, const char *option,
                      struct app *app, struct engine **engine, char url[static SERVICE_URL],
                      struct failure *failure)
{
    struct engine_config config = {
        .listen_count = 1,
        .loops = door->loops,
        .helpers = door->helpers,
        .stop_grace_ms = door->stop_grace_ms,
        .limits.answer_ms = door->answer_ms,
        .log = door->log,
    };
    struct engine_listen *listen = &config.listen[0];
    str_copy(listen->address, sizeof listen->address, str_of(address));
    listen->option = option;
    listen->tls = !door->plain;
    str_copy(config.certificate, sizeof config.certificate, str_of(door->certificate));
    str_copy(config.key, sizeof config.key, str_of(door->key));
    str_copy(config.state_dir, sizeof config.state_dir, str_of(door->dir));
    int err = engine_event.start(&config, app, engine, failure);
    if (!err)
        listening_url(address, !door->plain, engine_event.port(*engine, 0), "localhost", url,
                      SERVICE_URL);
    return err;
}

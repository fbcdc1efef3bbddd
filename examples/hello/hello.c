/* The smallest app: answers every request with a greeting. Copy it to begin your own.
 *
 *   hello [ENGINE [ADDRESS]]     default event 127.0.0.1:8080; ends at SIGINT or SIGTERM
 */
#include "engine/engine.h"

#include <signal.h>
#include <stdio.h>

static enum app_verdict greet(struct app *app, struct exchange *x)
{
    (void)app;
    struct str name = exchange_query(x, STR("name"));
    struct str text =
        arena_printf(&x->arena, "Hello, %.*s!\n", STR_FMT(name.at ? name : STR("world")));
    exchange_reply(x, 200, STR("text/plain; charset=utf-8"), text);
    return APP_DONE;
}

int main(int argc, char **argv)
{
    struct log log = {.fd = 2, .least = LOG_INFO};
    struct app app = {.name = "hello", .handle = greet};
    struct engine_config config = {.listen_count = 1, .log = &log};
    const struct engine_kind *kind = engine_find(argc > 1 ? argv[1] : "event");
    struct engine *engine;
    struct failure failure;
    sigset_t signals;
    int signal_number;

    str_copy(config.listen[0].address, sizeof config.listen[0].address,
             str_of(argc > 2 ? argv[2] : "127.0.0.1:8080"));
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* they are waited for below */
    if (!kind || kind->start(&config, &app, &engine, &failure) != ERR_OK) {
        fprintf(stderr, "hello: %s\n", kind ? failure.text : "there is no engine of that name");
        return 1;
    }
    printf("hello: ready at port %u\n", kind->port(engine, 0));
    fflush(stdout);
    sigwait(&signals, &signal_number);
    kind->stop(engine);
    return 0;
}

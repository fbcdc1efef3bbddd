#include "main/foreground.h"
#include "main/opening.h"
#include "main/program.h"
#include "main/server.h"
#include "main/signing.h"

#include <stdlib.h>

static int serve(const struct program_command *self, const struct settings *settings,
                 struct foreground *foreground)
{
    struct server server;
    struct failure failure = {0};
    int err = server_open(&server, settings, &failure);
    if (err)
        return command_failed(self, failure.text);
    /* In a cluster it listens at once, and says by /healthz why it does not sell yet: what it waits
     * for may take long, and the others want to know where it is. */
    bool early = server.member != NULL;
    err = early ? server_listen(&server, &failure) : 0;
    err = err ? err : opening_wait(&server, &failure);
    err = err || early ? err : server_listen(&server, &failure);
    if (err) {
        server_close(&server);
        return command_failed(self, failure.text);
    }
    signing_begin(&server);
    foreground_ready(foreground);
    printf("stoa: shop ready at %s\n", server.url);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&server.log, LOG_INFO, "main", "stopping");
    server_close(&server);
    return EXIT_DONE;
}

static int run_serve(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct foreground *foreground;
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int status;
    if (settings_read(settings, count, words, &failure))
        status = command_usage_error(self, failure.text);
    else if (foreground_begin(&foreground, &failure))
        status = command_failed(self, failure.text);
    else
        status = serve(self, settings, foreground);
    free(settings);
    return status;
}

const struct program_command command_serve = {
    "serve",
    "[options]",
    "run a shop server in the foreground",
    "Prints \"stoa: shop ready at URL\" on standard output when a purchase would go through;\n"
    "everything else goes to standard error. SIGINT or SIGTERM stops it: what is in flight is\n"
    "finished (see --stop-grace), what is new is refused.",
    &settings_table,
    run_serve,
};

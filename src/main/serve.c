#include "main/foreground.h"
#include "main/opening.h"
#include "main/program.h"
#include "main/server.h"
#include "main/shared.h"
#include "main/signing.h"

#include <stdlib.h>
#include <string.h>

static int serve(const struct program_command *self, const struct settings *settings,
                 struct forked *forked, struct foreground *foreground)
{
    struct server server;
    struct failure failure = {0};
    if (opening_begin(&server, settings, -1, NULL, forked, &failure))
        return command_failed(self, failure.text);
    signing_begin(&server);
    foreground_ready(foreground);
    printf("stoa: shop ready at %s\n", server.url);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&server.log, LOG_INFO, "main", "stopping");
    server_close(&server);
    return EXIT_DONE;
}

/* Before there are threads. */
static int make_zygote(const struct settings *settings, struct forked **forked,
                       struct failure *failure)
{
    return strcmp(settings->engine, "fork") == 0 ? forked_new(settings, forked, failure) : 0;
}

static int run_serve(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct foreground *foreground;
    struct forked *forked = NULL;
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int status;
    if (settings_read(settings, count, words, &failure))
        status = command_usage_error(self, failure.text);
    else if (make_zygote(settings, &forked, &failure))
        status = command_failed(self, failure.text);
    else if (foreground_begin(&foreground, &failure))
        status = command_failed(self, failure.text);
    else
        status = settings->shared ? shared_serve(self, settings, foreground)
                                  : serve(self, settings, forked, foreground);
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

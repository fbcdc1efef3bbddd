#include "tier/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/engines_app.h"
#include "main/config.h"
#include "main/foreground.h"
#include "main/program.h"
#include "main/shared_pages.h"
#include "main/shared_writer.h"
#include "scale/fleet_step.h"
#include "tier/front.h"
#include "web/web.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20, WORD_MS = 5000 };

struct worker_settings {
    struct settings shop; /* of it: dir (the queue's, too), pages, cache, log level */
    char config[OPTION_TEXT_SIZE];
    uint64_t helpers, in_flight, number, bench_steps, stop_grace_ms;
};

#define AT(field)   offsetof(struct worker_settings, field)
#define SHOP(field) (offsetof(struct worker_settings, shop) + offsetof(struct settings, field))

/* clang-format off */
static const struct option_row rows[] = {
    {"config", OPTION_TEXT, AT(config), NULL, 0, 0, NULL, "FILE",
     "configuration file with these same settings; flags win over it"},
    {"queue", OPTION_TEXT, SHOP(dir), "data", 0, 0, NULL, "DIR",
     "the data directory of the shop, whose queue a front on this machine has made"},
    {"helpers", OPTION_COUNT, AT(helpers), "2", 1, 256, NULL, "N",
     "threads for work that blocks: searches, pages that are made anew"},
    {"in-flight", OPTION_COUNT, AT(in_flight), "64", 1, 4096, NULL, "N",
     "most requests that are open at once: those that wait for the server, too"},
    {"number", OPTION_COUNT, AT(number), "0", 0, FLEET_SLOTS, NULL, "N",
     "what the fleet calls this worker; given by a master that starts it"},
    {"cache", OPTION_SIZE, SHOP(cache_bytes), "8M", 64 << 10, 1ull << 40, NULL, "SIZE",
     "memory for ready-made answers"},
    {"stop-grace", OPTION_DURATION, AT(stop_grace_ms), "10s", 0, 3600000, NULL, "TIME",
     "at a stop: how long requests in flight may take; what is left then others do"},

    {"bench", OPTION_COUNT, AT(bench_steps), "0", 0, 0, NULL, "STEPS",
     "in place of the shop: the pages of `stoa bench engines`, which take so many steps in a "
     "millisecond of computing. Needs no server"},

    /* As the server's. */
    {"url", OPTION_TEXT, SHOP(url), NULL, 0, 0, NULL, "URL",
     "the shop's address as its shoppers see it [as each request says]"},
    {"cookie-domain", OPTION_TEXT, SHOP(cookie_domain), NULL, 0, 0, NULL, "DOMAIN",
     "as the server's"},
    {"media", OPTION_TEXT, SHOP(media), NULL, 0, 0, NULL, "DIR",
     "files served under /media/ [DIR/media]"},
    {"trust", OPTION_NETWORKS, SHOP(trust), NULL, 0, WEB_TRUSTED_MAX, NULL, "NETWORK",
     "proxies whose X-Forwarded-Proto is believed"},
    {"server-header", OPTION_SWITCH, SHOP(server_header), NULL, 0, 0, NULL, NULL,
     "answers name this server in the header Stoa-Server"},
    {"log-level", OPTION_CHOICE, SHOP(log_level), "info", 0, 0, "debug info warn error", "LEVEL",
     "least important lines to be logged"},
};
/* clang-format on */

static const struct option_table table = {rows, COUNT_OF(rows), "stoa worker"};

/* Everything of one worker, in the order in which it hangs together. */
struct worker_process {
    struct worker_settings settings;
    struct log log;
    struct shared_writer *writer;
    struct shared_pages *pages;
    struct engines_app bench; /* in place of the pages */
    struct queue *queue;
    struct worker *worker;
};

static void no_look(void *context)
{
    (void)context;
}

/* Tries again while there is no server or no queue yet: which of them is started first does not
 * matter. */
static int wait_for(struct worker_process *process, const char *what,
                    int (*try)(struct worker_process *, struct failure *), struct failure *failure)
{
    uint64_t word_ns = clock_mono_ns();
    int err;
    while ((err = try(process, failure)) == ERR_NOTFOUND) {
        if (clock_mono_ns() >= word_ns) {
            log_line(&process->log, LOG_INFO, "worker", "waiting for %s of %s", what,
                     process->settings.shop.dir);
            word_ns = clock_mono_ns() + WORD_MS * MS_NS;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * (long)MS_NS}, NULL);
    }
    return err;
}

static int try_reader(struct worker_process *process, struct failure *failure)
{
    struct shared_pages_config config = {
        .settings = &process->settings.shop,
        .log = &process->log,
        .writer = process->writer,
    };
    return shared_pages_open(&config, &process->pages, failure);
}

static int try_queue(struct worker_process *process, struct failure *failure)
{
    return queue_open(process->settings.shop.dir, NULL, &process->queue, failure);
}

static struct app *app_of(struct worker_process *process)
{
    return process->pages ? shared_pages_app(process->pages) : &process->bench.app;
}

/* The fleet's members do not die with the master that has started them, and without any front there
 * is nobody to end them. */
static void end_self(void)
{
    kill(getpid(), SIGTERM);
}

static int start_worker(struct worker_process *process, struct failure *failure)
{
    const struct worker_settings *settings = &process->settings;
    struct worker_config config = {
        .queue = process->queue,
        .app = app_of(process),
        .helpers = (unsigned)settings->helpers,
        .in_flight = (unsigned)settings->in_flight,
        .number = (unsigned)settings->number,
        .deserted = settings->number > 0 ? end_self : NULL,
        .stop_grace_ms = settings->stop_grace_ms,
        .log = &process->log,
    };
    return worker_start(&config, &process->worker, failure);
}

static void close_process(struct worker_process *process)
{
    if (process->worker && !worker_stop(process->worker))
        _exit(EXIT_DONE); /* somebody is still at work: what they use cannot be closed */
    if (process->pages)
        shared_pages_stop(process->pages);
    shared_pages_close(process->pages);
    queue_close(process->queue);
    shared_writer_free(process->writer);
    if (process->bench.page)
        engines_app_close(&process->bench);
}

static int open_shop(struct worker_process *process, struct failure *failure)
{
    struct shared_writer_config writer = {
        .dir = process->settings.shop.dir,
        .log = &process->log,
        .look = no_look,
    };
    int err = shared_writer_new(&writer, &process->writer, failure);
    err = err ? err : wait_for(process, "a server", try_reader, failure);
    return err ? err : shared_writer_watch(process->writer, failure);
}

static int open_process(struct worker_process *process, struct failure *failure)
{
    uint64_t steps = process->settings.bench_steps;
    int err =
        steps ? engines_app_init(&process->bench, "", steps, failure) : open_shop(process, failure);
    err = err ? err : wait_for(process, "a master front", try_queue, failure);
    err = err ? err : start_worker(process, failure);
    if (err)
        close_process(process);
    return err;
}

static int run_process(const struct program_command *self, struct worker_process *process)
{
    struct failure failure = {0};
    struct foreground *foreground;
    process->log = (struct log){STDERR_FILENO, log_level_of(process->settings.shop.log_level)};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (foreground_begin(&foreground, &failure) || open_process(process, &failure))
        return command_failed(self, failure.text);
    foreground_ready(foreground);
    printf("stoa: worker ready at the queue of %s\n", process->settings.shop.dir);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&process->log, LOG_INFO, "main", "stopping");
    close_process(process);
    return EXIT_DONE;
}

/* Longer uploads are the server's own: fronts take none (FRONT_BODY_MAX). */
static int read_settings(struct worker_settings *settings, int count, char **words,
                         struct failure *failure)
{
    int err = config_read(&table, settings, count, words, failure);
    settings->shop.upload_bytes = FRONT_BODY_MAX;
    return err ? err : settings_check_pages(&settings->shop, failure);
}

static int run_worker(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct worker_process *process = calloc(1, sizeof *process);
    if (!process)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int status = read_settings(&process->settings, count, words, &failure)
                     ? command_usage_error(self, failure.text)
                     : run_process(self, process);
    free(process);
    return status;
}

const struct program_command command_worker = {
    "worker",
    "--queue DIR [options]",
    "work on what fronts have queued",
    "A worker pulls requests out of the central queue that fronts (stoa front) fill, and answers\n"
    "them with the shop's pages, read from the database of the server on this machine (stoa serve\n"
    "--shared), and from a cache of its own. What changes something goes to that server. Start as\n"
    "many as there is work for, and kill any: their requests are given to the others.\n"
    "Prints \"stoa: worker ready at the queue of DIR\" on standard output; everything else goes "
    "to\n"
    "standard error. SIGINT or SIGTERM stops it: what it has begun is finished.",
    &table,
    run_worker,
    NULL,
};

#include "tier/worker.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/engines_app.h"
#include "main/config.h"
#include "main/far_pages.h"
#include "main/foreground.h"
#include "main/program.h"
#include "main/shared_pages.h"
#include "main/shared_writer.h"
#include "main/tier_far.h"
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
enum { AHEAD = 64, LATE_MS = 250 };            /* when nothing is said */
enum { FAR_SLOTS = 256, FAR_PIPE = 32 << 10 }; /* its queue, when the master is elsewhere */

struct worker_settings {
    struct settings
        shop; /* of it: dir (the queue's, too, if that is here), pages, cache, log level */
    char config[OPTION_TEXT_SIZE], queue[OPTION_TEXT_SIZE], token_file[OPTION_TEXT_SIZE];
    uint64_t ahead;
    struct option_list servers; /* none: the shop is on this machine */
    char server_token_file[OPTION_TEXT_SIZE], server_authority[OPTION_TEXT_SIZE];
    uint64_t late_ms;
    uint64_t helpers, in_flight, number, bench_steps, stop_grace_ms;
};

#define AT(field)   offsetof(struct worker_settings, field)
#define SHOP(field) (offsetof(struct worker_settings, shop) + offsetof(struct settings, field))

/* clang-format off */
static const struct option_row rows[] = {
    {"config", OPTION_TEXT, AT(config), NULL, 0, 0, NULL, "FILE",
     "configuration file with these same settings; flags win over it"},
    {"queue", OPTION_TEXT, AT(queue), "data", 0, 0, NULL, "DIR",
     "the data directory of the shop, whose queue a front on this machine has made; with "
     "--token-file HOST:PORT, where fronts of another machine have their --link, or several with commas"},
    {"token-file", OPTION_TEXT, AT(token_file), NULL, 0, 0, NULL, "FILE",
     "file with what `stoa token --tiers` has printed on the master's machine"},
    {"dir", OPTION_TEXT, SHOP(dir), NULL, 0, 0, NULL, "DIR",
     "with --token-file: the data directory of the shop's server on this machine"},
    {"ahead", OPTION_COUNT, AT(ahead), NULL, 1, FAR_SLOTS / 2, NULL, "N",
     "with --token-file: most requests that wait here, so that the way between the machines costs "
     "no time; how many do follows from how long it is and how fast this worker [64]"},
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

    {"server", OPTION_LIST, AT(servers), NULL, 0, 0, NULL, "URL",
     "the shop is not on this machine: a server of it (http://HOST:PORT; several with commas)"},
    {"server-token-file", OPTION_TEXT, AT(server_token_file), NULL, 0, 0, NULL, "FILE",
     "with --server: file with the operator's token, which a server has as operator.token"},
    {"server-authority", OPTION_TEXT, AT(server_authority), NULL, 0, 0, NULL, "FILE",
     "with --server: certificates (PEM) of who certifies the servers [as this system trusts]"},
    {"late", OPTION_DURATION, AT(late_ms), NULL, 100, 10000, NULL, "TIME",
     "with --server: how old what is known of its changes may be; beyond, all goes to a server "
     "[250ms]"},

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
    struct far_pages *elsewhere; /* in place of these: the shop is on other machines */
    struct engines_app bench;    /* in place of the pages */
    struct tier_far *far;        /* NULL: the master is on this machine */
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
    return process->pages       ? shared_pages_app(process->pages)
           : process->elsewhere ? far_pages_app(process->elsewhere)
                                : &process->bench.app;
}

static void count_cache(void *context, uint64_t counts[static QUEUE_COUNTS])
{
    struct worker_process *process = context;
    if (process->pages)
        shared_pages_count(process->pages, counts);
    else if (process->elsewhere)
        far_pages_count(process->elsewhere, counts);
}

/* The fleet's members do not die with the master that has started them, and without any front there
 * is nobody to end them. */
static void end_self(void)
{
    kill(getpid(), SIGTERM);
}

/* As a master does it to a worker of its own machine: whoever has started it sees it die. */
static void kill_self(void)
{
    kill(getpid(), SIGKILL);
}

static int open_far(struct worker_process *process, struct failure *failure)
{
    const struct worker_settings *settings = &process->settings;
    struct tier_far_config config = {
        .addresses = settings->queue,
        .token_file = settings->token_file,
        .queue = {.slots = FAR_SLOTS, .pipe_bytes = FAR_PIPE},
        .works = true,
        .number = (unsigned)settings->number,
        .appetite = {.work = (uint32_t)(1 + settings->helpers),
                     .ahead = (uint32_t)settings->ahead,
                     .most = FAR_SLOTS / 2},
        .deserted = settings->number > 0 ? end_self : NULL,
        .hangs = kill_self,
        .log = &process->log,
    };
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        config.queue.weight[i] = 1; /* the central queue has decided whose turn it is */
    int err = tier_far_open(&config, &process->far, failure);
    if (!err)
        process->queue = tier_far_queue(process->far);
    return err;
}

static int open_queue(struct worker_process *process, struct failure *failure)
{
    return process->settings.token_file[0]
               ? open_far(process, failure)
               : wait_for(process, "a master front", try_queue, failure);
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
        .deserted = settings->number > 0 && !process->far ? end_self : NULL,
        .count = count_cache,
        .context = process,
        .stop_grace_ms = settings->stop_grace_ms,
        .log = &process->log,
    };
    return worker_start(&config, &process->worker, failure);
}

static void close_process(struct worker_process *process)
{
    if (process->far && process->worker)
        tier_far_drain(process->far, process->settings.stop_grace_ms);
    if (process->worker && !worker_stop(process->worker))
        _exit(EXIT_DONE); /* somebody is still at work: what they use cannot be closed */
    if (process->pages)
        shared_pages_stop(process->pages);
    shared_pages_close(process->pages);
    if (process->elsewhere)
        far_pages_stop(process->elsewhere);
    far_pages_close(process->elsewhere);
    if (process->far)
        tier_far_close(process->far);
    else
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

static int open_elsewhere(struct worker_process *process, struct failure *failure)
{
    const struct worker_settings *settings = &process->settings;
    struct far_pages_config config = {
        .servers = &settings->servers,
        .token_file = settings->server_token_file,
        .authority = settings->server_authority,
        .cache_bytes = settings->shop.cache_bytes,
        .late_ms = settings->late_ms,
        .log = &process->log,
    };
    return far_pages_open(&config, &process->elsewhere, failure);
}

static int open_app(struct worker_process *process, struct failure *failure)
{
    uint64_t steps = process->settings.bench_steps;
    if (steps)
        return engines_app_init(&process->bench, "", steps, failure);
    return process->settings.servers.count ? open_elsewhere(process, failure)
                                           : open_shop(process, failure);
}

static int open_process(struct worker_process *process, struct failure *failure)
{
    int err = open_app(process, failure);
    err = err ? err : open_queue(process, failure);
    err = err ? err : start_worker(process, failure);
    if (!err && process->far)
        err = tier_far_link(process->far, failure);
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
    printf("stoa: worker ready at the queue of %s\n", process->settings.queue);
    fflush(stdout);
    foreground_wait(foreground);
    log_line(&process->log, LOG_INFO, "main", "stopping");
    close_process(process);
    return EXIT_DONE;
}

/* Which of the two --queue is. */
static int settle_places(struct worker_settings *settings, struct failure *failure)
{
    bool has_pages_there = settings->bench_steps || settings->servers.count;
    int err = tier_far_check("--queue", settings->queue, settings->token_file, failure);
    if (err)
        return err;
    if (settings->shop.dir[0] && has_pages_there)
        return fail(failure, ERR_INVALID,
                    "--dir is for workers that read the database of a server on their machine: "
                    "leave it out with --server and with --bench");
    if (settings->token_file[0] && has_pages_there)
        str_copy(settings->shop.dir, sizeof settings->shop.dir, STR("none")); /* nor used */
    if (!settings->token_file[0] && settings->ahead)
        return fail(failure, ERR_INVALID,
                    "--ahead belongs to --token-file: only the queue of another machine is far");
    settings->ahead = settings->ahead ? settings->ahead : AHEAD;
    if (settings->token_file[0])
        return 0;
    if (settings->shop.dir[0])
        return fail(
            failure, ERR_INVALID,
            "--dir belongs to --token-file; without it --queue DIR is the shop's directory");
    str_copy(settings->shop.dir, sizeof settings->shop.dir, str_of(settings->queue));
    return 0;
}

/* Pages of servers elsewhere are made there, with the settings that these have. */
static int check_servers(struct worker_settings *settings, struct failure *failure)
{
    const struct settings *shop = &settings->shop;
    bool elsewhere = settings->servers.count > 0;
    if (elsewhere && settings->bench_steps)
        return fail(failure, ERR_INVALID, "either --server or --bench: pages are of one of both");
    if (elsewhere &&
        (shop->url[0] || shop->cookie_domain[0] || shop->media[0] || shop->trust.count))
        return fail(failure, ERR_INVALID,
                    "url, cookie-domain, media and trust are settings of the servers that "
                    "--server names: leave them out here");
    if (!elsewhere &&
        (settings->server_token_file[0] || settings->server_authority[0] || settings->late_ms))
        return fail(failure, ERR_INVALID,
                    "--server-token-file, --server-authority and --late belong to --server");
    settings->late_ms = settings->late_ms ? settings->late_ms : LATE_MS;
    return elsewhere ? far_pages_check(&settings->servers, settings->server_authority, failure) : 0;
}

/* Longer uploads are the server's own: fronts take none (FRONT_BODY_MAX). */
static int read_settings(struct worker_settings *settings, int count, char **words,
                         struct failure *failure)
{
    int err = config_read(&table, settings, count, words, failure);
    settings->shop.upload_bytes = FRONT_BODY_MAX;
    err = err ? err : settle_places(settings, failure);
    err = err ? err : check_servers(settings, failure);
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
    "--queue DIR | --queue HOST:PORT --token-file FILE [options]",
    "work on what fronts have queued",
    "A worker pulls requests out of the central queue that fronts (stoa front) fill, and answers\n"
    "them with the shop's pages, read from the database of the server on this machine (stoa serve\n"
    "--shared), and from a cache of its own. What changes something goes to that server. With\n"
    "--server the shop is on other machines: pages come from its servers and from a cache, which\n"
    "is right as long as the worker hears of their changes, and not used when it does not. Start "
    "as\n"
    "many as there is work for, and kill any: their requests are given to the others.\n"
    "Prints \"stoa: worker ready at the queue of DIR\" on standard output; everything else goes "
    "to\n"
    "standard error. SIGINT or SIGTERM stops it: what it has begun is finished.",
    &table,
    run_worker,
    NULL,
};

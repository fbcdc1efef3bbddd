#include "tier/front.h"

#include "balance/route.h"
#include "base/clock.h"
#include "main/file.h"
#include "main/foreground.h"
#include "main/front_door.h"
#include "main/front_settings.h"
#include "main/listening.h"
#include "main/program.h"
#include "main/scaling.h"
#include "main/tier_door.h"
#include "main/tier_far.h"
#include "net/socket.h"
#include "tier/steward.h"
#include "web/importance.h"
#include "web/once.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { URL = 320, WORDS = 64 };

/* The command lines of what is started, ended by NULL. */
struct front_words {
    const char *worker[WORDS + 1], *front[WORDS + 1];
    unsigned workers, fronts;
};

/* Everything of one front, in the order in which it hangs together. */
struct front_process {
    struct front_settings settings;
    struct log log, quiet; /* quiet: warnings alone */
    struct tier_far *far;  /* NULL: the master is on this machine */
    const char *dir;       /* whose queue it is, here */
    struct queue *queue;
    struct front *front;
    struct engine *engine;
    struct steward *steward;
    struct front_words words;
    struct scaling *scaling; /* NULL: the tiers stay as they are */
    struct front_door *door; /* NULL: none */
    struct tier_door *link;  /* as this */
};

/* ---- The words for the others ---- */

/* Of this front's own flags, those that a follower does not have: its place, and its number. */
static bool is_own_place(const char *word, bool *has_value)
{
    static const char *const places[] = {"--master", "--dir", "--follow", "--number"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        size_t len = strlen(places[i]);
        if (strncmp(word, places[i], len) == 0 && (word[len] == 0 || word[len] == '=')) {
            *has_value = word[len] == 0 && i > 0;
            return true;
        }
    }
    return false;
}

static int too_many(struct failure *failure)
{
    return fail(failure, ERR_FULL, "more than %d words for those that are started", WORDS - 8);
}

/* A follower gets the same flags, so that it can be master as well; and the same file, which may
 * say of its reader that it is the master. */
static int make_front_words(struct front_process *process, int count, char **words,
                            struct failure *failure)
{
    struct front_words *made = &process->words;
    const char *const begin[] = {
        "stoa",        "front",    "--follow", front_settings_dir(&process->settings),
        "--master=no", "--number", "{index}"};
    for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++)
        made->front[made->fronts++] = begin[i];
    for (int i = 0; i < count; i++) {
        bool has_value = false;
        if (is_own_place(words[i], &has_value)) {
            i += has_value;
            continue;
        }
        if (made->fronts == WORDS)
            return too_many(failure);
        made->front[made->fronts++] = words[i];
    }
    return 0;
}

static int make_worker_words(struct front_process *process, struct failure *failure)
{
    struct front_words *made = &process->words;
    const struct option_list *more = &process->settings.worker_options;
    const char *const begin[] = {
        "stoa", "worker", "--queue", front_settings_dir(&process->settings), "--number", "{index}"};
    for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++)
        made->worker[made->workers++] = begin[i];
    for (unsigned i = 0; i < more->count; i++) {
        if (made->workers == WORDS)
            return too_many(failure);
        made->worker[made->workers++] = more->items[i];
    }
    return 0;
}

/* ---- Opening ---- */

/* Who makes a queue decides its sizes, for as long as anybody is at it. */
static void compare_queue(const struct front_process *process, const struct queue_config *wanted)
{
    struct queue_stats stats = {0};
    queue_look(process->queue, clock_mono_ns(), &stats);
    bool same = stats.slots == wanted->slots &&
                queue_up(process->queue, 0).size == wanted->pipe_bytes &&
                memcmp(stats.weight, wanted->weight, sizeof stats.weight) == 0;
    if (!same)
        log_line(&process->log, LOG_WARN, "front",
                 "the queue is there already, with %u places: --queue, --pipe and --share of this "
                 "front count when all of its fronts and workers have ended once",
                 stats.slots);
}

static int open_queue(struct front_process *process, struct failure *failure)
{
    const struct front_settings *settings = &process->settings;
    struct queue_config config;
    front_settings_queue(settings, &config);
    /* The server may be on its way still; it takes the directory as it is. */
    int err = settings->master ? file_make_dir(settings->dir, 0700, NULL, failure) : 0;
    err = err ? err
              : queue_open(front_settings_dir(settings), settings->master ? &config : NULL,
                           &process->queue, failure);
    if (err == ERR_NOTFOUND && !settings->master)
        return fail(failure, err, "no front is master of a queue for %s: start one with --master",
                    front_settings_dir(settings));
    if (!err && settings->master)
        compare_queue(process, &config);
    return err;
}

/* Fronts of one queue share their addresses. With others the kernel would share them as well, and
 * each would get requests of the other's: so the first front looks whether somebody is there. */
static int check_place(const char *option, const char *text, struct failure *failure)
{
    struct endpoint address;
    struct failure why = {0};
    int err = endpoint_resolve(str_of(text), true, &address, &why);
    err = err ? err : socket_listen_check(&address, text, &why);
    return err ? fail(failure, err, "%s: %s", option, why.text) : 0;
}

static int check_places(struct front_process *process, struct failure *failure)
{
    const struct front_settings *settings = &process->settings;
    struct queue_stats stats = {0};
    int err = 0;
    queue_sweep(process->queue);
    queue_look(process->queue, clock_mono_ns(), &stats);
    if (stats.fronts > 0 || process->far)
        return 0;
    for (unsigned i = 0; !err && i < settings->listen.count; i++)
        err = check_place("--listen", settings->listen.items[i], failure);
    for (unsigned i = 0; !err && i < settings->listen_tls.count; i++)
        err = check_place("--listen-tls", settings->listen_tls.items[i], failure);
    if (!err && settings->status[0])
        err = check_place("--status", settings->status, failure);
    if (!err && settings->link[0])
        err = check_place("--link", settings->link, failure);
    return err;
}

/* Of the clients; the status door's are not among them. */
static uint64_t count_connections(void *context)
{
    const struct front_process *process = context;
    struct engine_stats stats;
    engine_event.stats(process->engine, &stats);
    return stats.open;
}

static int open_far(struct front_process *process, struct failure *failure)
{
    struct tier_far_config config = {
        .addresses = process->settings.follow,
        .token_file = process->settings.token_file,
        .number = (unsigned)process->settings.number,
        .log = &process->log,
    };
    front_settings_queue(&process->settings, &config.queue);
    int err = tier_far_open(&config, &process->far, failure);
    if (!err) {
        process->queue = tier_far_queue(process->far);
        process->dir = tier_far_dir(process->far);
    }
    return err;
}

static int make_front(struct front_process *process, struct failure *failure)
{
    struct front_config config = {
        .queue = process->queue,
        .classify = importance_of,
        .operation_header = ONCE_HEADER,
        .repeats = route_repeats,
        .connections = count_connections,
        .context = process,
        .number = (unsigned)process->settings.number,
        .log = &process->log,
    };
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        config.wait_ns[i] = process->settings.wait_ms * MS_NS;
    return front_new(&config, &process->front, failure);
}

static int start_engine(struct front_process *process, struct failure *failure)
{
    const struct front_settings *settings = &process->settings;
    struct engine_config config = {
        .listens_beside = true,
        .helpers = 1,
        /* A bell of each seat, and a connection of each that is far. */
        .app_files = QUEUE_SEATS + (settings->link[0] ? BRIDGE_LINKS_MAX : 0),
        .stop_grace_ms = settings->stop_grace_ms,
        .log = &process->log,
    };
    listening_limit(&config, &settings->limits);
    str_copy(config.certificate, sizeof config.certificate, str_of(settings->certificate));
    str_copy(config.key, sizeof config.key, str_of(settings->key));
    str_copy(config.state_dir, sizeof config.state_dir, str_of(process->dir));
    int err = listening_add(&config, &settings->listen, LISTENING_HTTP, failure);
    err = err ? err : listening_add(&config, &settings->listen_tls, LISTENING_TLS, failure);
    return err ? err
               : engine_event.start(&config, front_app(process->front), &process->engine, failure);
}

static int start_steward(struct front_process *process, struct failure *failure)
{
    struct steward_config config = {
        .queue = process->queue,
        /* The queue of a far front is its own: that it is that one's master means nothing. */
        .log = process->far ? &process->quiet : &process->log,
        .silent_ns = process->settings.silent_ms * MS_NS,
    };
    return steward_new(&config, &process->steward, failure);
}

static int start_scaling(struct front_process *process, struct failure *failure)
{
    const struct front_settings *settings = &process->settings;
    struct scaling_config config = {
        .queue = process->queue,
        .steward = process->steward,
        .log = &process->log,
        .rule = front_settings_rule(settings),
        .settings = settings->scale,
        .poll_ms = settings->poll_ms,
        .grace_ms = settings->stop_grace_ms,
        .record = settings->record,
        .record_samples = settings->record_samples,
        .fleet = &settings->fleet,
        .worker_words = process->words.worker,
        .front_words = process->words.front,
        .number = (unsigned)settings->number,
    };
    return config.rule ? scaling_new(&config, &process->scaling, failure) : 0;
}

static int open_door(struct front_process *process, struct failure *failure)
{
    struct front_door_config config = {
        .address = process->settings.status,
        .dir = process->dir,
        .queue = process->queue,
        .log = &process->log,
    };
    return config.address[0] ? front_door_open(&config, &process->door, failure) : 0;
}

static int open_link(struct front_process *process, struct failure *failure)
{
    struct tier_door_config config = {
        .address = process->settings.link,
        .dir = process->dir,
        .queue = process->queue,
        .log = &process->log,
    };
    return config.address[0] ? tier_door_open(&config, &process->link, failure) : 0;
}

/* What is in flight is finished while the workers are still there. What does not end in time ends
 * with the process (foreground_stop), after its members have. */
static void close_process(struct front_process *process)
{
    bool stopped = !process->engine || engine_event.stop(process->engine);
    tier_door_drain_fronts(process->link, process->settings.stop_grace_ms);
    scaling_free(process->scaling);
    tier_door_drain(process->link, process->settings.stop_grace_ms);
    if (!stopped)
        _exit(EXIT_DONE);
    front_door_close(process->door);
    steward_free(process->steward);
    front_free(process->front);
    tier_door_close(process->link);
    if (process->far)
        tier_far_close(process->far);
    else
        queue_close(process->queue);
}

static int open_process(struct front_process *process, struct failure *failure)
{
    process->dir = front_settings_dir(&process->settings);
    int err =
        process->settings.token_file[0] ? open_far(process, failure) : open_queue(process, failure);
    err = err ? err : check_places(process, failure);
    err = err ? err : make_front(process, failure);
    if (!err && process->far)
        err = tier_far_link(process->far, failure);
    err = err ? err : open_link(process, failure);
    err = err ? err : start_engine(process, failure);
    err = err ? err : open_door(process, failure);
    err = err ? err : start_steward(process, failure);
    err = err ? err : start_scaling(process, failure);
    if (err)
        close_process(process);
    return err;
}

static void say_ready(const struct front_process *process)
{
    const struct front_settings *settings = &process->settings;
    bool tls = settings->listen.count == 0;
    char url[URL];
    listening_url((tls ? &settings->listen_tls : &settings->listen)->items[0], tls,
                  engine_event.port(process->engine, 0), "127.0.0.1", url, sizeof url);
    printf("stoa: front ready at %s\n", url);
    fflush(stdout);
}

static int run_process(const struct program_command *self, struct front_process *process)
{
    struct failure failure = {0};
    struct foreground *foreground;
    process->log = (struct log){STDERR_FILENO, log_level_of(process->settings.log_level)};
    process->quiet = process->log;
    if (process->quiet.least < LOG_WARN)
        process->quiet.least = LOG_WARN;
    if (foreground_begin(&foreground, &failure) || open_process(process, &failure))
        return command_failed(self, failure.text);
    foreground_ready(foreground);
    say_ready(process);
    foreground_wait_once(foreground);
    log_line(&process->log, LOG_INFO, "main", "stopping");
    close_process(process);
    return EXIT_DONE;
}

static int run_front(const struct program_command *self, int count, char **words)
{
    struct failure failure = {0};
    struct front_process *process = calloc(1, sizeof *process);
    if (!process)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int err = front_settings_read(&process->settings, count, words, &failure);
    err = err ? err : make_front_words(process, count, words, &failure);
    err = err ? err : make_worker_words(process, &failure);
    int status = err ? command_usage_error(self, failure.text) : run_process(self, process);
    free(process);
    return status;
}

const struct program_command command_front = {
    "front",
    "--master | --follow DIR | --follow HOST:PORT --token-file FILE [options]",
    "take requests and queue them for workers",
    "A front holds the connections of clients and works on nothing: it puts their requests into\n"
    "the central queue, out of which workers (stoa worker) pull them, and hands on the answers.\n"
    "Prints \"stoa: front ready at URL\" on standard output when it takes requests; everything\n"
    "else goes to standard error. SIGINT or SIGTERM stops it: what is in flight is finished.\n"
    "  stoa serve --dir shop --shared --listen 127.0.0.1:8090\n"
    "  stoa front --master --dir shop --listen :8080\n"
    "  stoa front --follow shop --listen :8080\n"
    "  stoa worker --queue shop",
    &front_settings_table,
    run_front,
    NULL,
};

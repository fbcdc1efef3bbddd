#include "main/shared.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "main/file.h"
#include "main/opening.h"
#include "main/shared_front.h"
#include "main/shared_lock.h"
#include "main/shared_readers.h"
#include "main/signing.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_LOOK_MS = 20, OPENING_WORD_MS = 5000 };

/* OPENING and READING of shared.h: with FRONT NULL, and set. FAILED ends the process. */
enum stage { READING, TAKING_OVER, WRITING, FAILED };

struct shared {
    const struct settings *settings;
    struct log log;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    enum stage stage;
    struct failure failure;
    struct shared_writer *writer;
    struct shared_front *front; /* the taker's alone from TAKING_OVER on */
    char url[SHARED_URL];       /* of the reader */
    int held;                   /* our place among the readers */
    int lock;
    struct server server; /* from WRITING on */
};

static void set_stage(struct shared *shared, enum stage stage)
{
    pthread_mutex_lock(&shared->mutex);
    shared->stage = stage;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->mutex);
}

/* ---- Reading ---- */

static int open_front(struct shared *shared, const struct engine *heir_of,
                      struct shared_front **front, struct failure *failure)
{
    struct shared_front_config config = {
        .settings = shared->settings,
        .log = &shared->log,
        .writer = shared->writer,
        .heir_of = heir_of,
    };
    return shared_front_open(&config, front, failure);
}

/* Begins to read, unless the lock came meanwhile. ERR_NOTFOUND: nobody writes yet. */
static int try_to_read(struct shared *shared, struct failure *failure)
{
    int err = 0;
    pthread_mutex_lock(&shared->mutex);
    if (shared->stage == READING) {
        err = open_front(shared, NULL, &shared->front, failure);
        if (!err)
            str_copy(shared->url, sizeof shared->url, str_of(shared_front_url(shared->front)));
        err =
            err ? err
                : shared_readers_enter(shared->settings->dir, shared->url, &shared->held, failure);
        err = err ? err : shared_writer_watch(shared->writer, failure);
    }
    pthread_mutex_unlock(&shared->mutex);
    return err;
}

/* Until this process reads, or has the lock. */
static int begin_to_read(struct shared *shared, struct failure *failure)
{
    uint64_t word_ns = clock_mono_ns() + OPENING_WORD_MS * MS_NS;
    int err;
    while ((err = try_to_read(shared, failure)) == ERR_NOTFOUND) {
        if (clock_mono_ns() >= word_ns) {
            log_line(&shared->log, LOG_INFO, "shared",
                     "not ready yet: the process that has the lock of %s does not serve",
                     shared->settings->dir);
            word_ns += OPENING_WORD_MS * MS_NS;
        }
        nanosleep(&(struct timespec){.tv_nsec = OPENING_LOOK_MS * (long)MS_NS}, NULL);
    }
    return err;
}

/* In place of the front there is a new one over the database that is there now; the old one, or
 * NULL. */
static struct shared_front *renew_front(struct shared *shared)
{
    struct shared_front *fresh = NULL, *old = NULL;
    struct failure failure = {0};
    pthread_mutex_lock(&shared->mutex);
    if (shared->stage == READING && shared->front && !shared_front_is_current(shared->front)) {
        int err = open_front(shared, shared_front_engine(shared->front), &fresh, &failure);
        if (!err) {
            old = shared->front;
            shared->front = fresh;
        } else if (err != ERR_NOTFOUND) {
            log_line(&shared->log, LOG_WARN, "shared", "%s", failure.text);
        }
    }
    pthread_mutex_unlock(&shared->mutex);
    return old;
}

/* The writer may have fetched another copy of the database: this process still has the old one
 * open. A takeover does not wait until that one's last request is answered. */
static void look_at_database(void *context)
{
    struct shared *shared = context;
    struct shared_front *old = renew_front(shared);
    if (!old)
        return;
    log_line(&shared->log, LOG_INFO, "shared",
             "the database is another one now: it was opened again");
    shared_front_close(old, true);
}

/* ---- Taking over ---- */

/* The reader's part ends: the server has its addresses. */
static void leave_front(struct shared *shared)
{
    shared_readers_leave(shared->settings->dir, &shared->held);
    shared_front_close(shared->front, true);
    shared_writer_free(shared->writer);
    shared->front = NULL;
    shared->writer = NULL;
}

/* Whoever waits for this process to be ready finds out by itself. */
static void give_up(struct shared *shared)
{
    set_stage(shared, FAILED);
    if (shared->front)
        kill(getpid(), SIGTERM);
}

static void take_over(struct shared *shared)
{
    const struct engine *before = shared->front ? shared_front_engine(shared->front) : NULL;
    uint64_t begun = clock_mono_ns();
    if (before)
        log_line(&shared->log, LOG_INFO, "shared",
                 "the lock of %s is free: this process takes over", shared->settings->dir);
    int err = opening_begin(&shared->server, shared->settings, shared->lock, before, NULL,
                            &shared->failure);
    if (err) {
        give_up(shared);
        return;
    }
    set_stage(shared, WRITING);
    log_line(&shared->log, LOG_INFO, "shared", "this process writes now (after %llu ms)",
             (unsigned long long)((clock_mono_ns() - begun) / MS_NS));
    leave_front(shared); /* first: what it has to pass on waits for that */
    signing_begin(&shared->server);
}

static void *stand_by(void *argument)
{
    struct shared *shared = argument;
    int err =
        shared_lock_wait(shared->settings->dir, &shared->stopping, &shared->lock, &shared->failure);
    pthread_mutex_lock(&shared->mutex);
    bool stopping = atomic_load(&shared->stopping);
    if (!stopping && !err)
        shared->stage = TAKING_OVER;
    pthread_mutex_unlock(&shared->mutex);
    if (!stopping && !err)
        take_over(shared);
    else if (!stopping)
        give_up(shared);
    else if (!err)
        close(shared->lock);
    return NULL;
}

/* ---- Begin and end ---- */

static int begin(struct shared *shared, struct failure *failure)
{
    const char *dir = shared->settings->dir;
    struct shared_writer_config config = {
        .dir = dir,
        .log = &shared->log,
        .kill_ms = shared->settings->shared_kill_ms,
        .look = look_at_database,
        .context = shared,
    };
    shared_lock_prepare();
    int err = file_make_dir(dir, 0700, NULL, failure);
    err = err ? err : shared_writer_new(&config, &shared->writer, failure);
    if (!err && thread_start(&shared->thread, "stoa-shared", stand_by, shared))
        err = fail(failure, ERR_NOMEM, "cannot start a thread");
    return err ? err : begin_to_read(shared, failure);
}

/* What this process is when it is ready. */
static enum stage wait_ready(struct shared *shared)
{
    pthread_mutex_lock(&shared->mutex);
    while (shared->stage == TAKING_OVER && !shared->front)
        pthread_cond_wait(&shared->changed, &shared->mutex);
    enum stage stage = shared->stage;
    pthread_mutex_unlock(&shared->mutex);
    return stage;
}

/* What is being opened cannot be broken off, and may be at any moment: nothing was promised. */
static enum stage wait_opened(struct shared *shared)
{
    uint64_t until_ns = clock_mono_ns() + shared->settings->stop_grace_ms * MS_NS;
    pthread_mutex_lock(&shared->mutex);
    atomic_store(&shared->stopping, true);
    bool in_time = true;
    while (shared->stage == TAKING_OVER && in_time)
        in_time = cond_wait_until(&shared->changed, &shared->mutex, until_ns);
    enum stage stage = shared->stage;
    pthread_mutex_unlock(&shared->mutex);
    if (stage == TAKING_OVER)
        _exit(EXIT_DONE);
    return stage;
}

static void end(struct shared *shared)
{
    enum stage stage = wait_opened(shared);
    log_line(&shared->log, LOG_INFO, "main", "stopping");
    if (stage == READING)
        shared_lock_rouse(shared->thread);
    else
        pthread_join(shared->thread, NULL);
    if (stage == WRITING) {
        server_close(&shared->server);
        return;
    }
    pthread_mutex_lock(&shared->mutex); /* somebody looks at its database */
    struct shared_front *front = shared->front;
    shared->front = NULL;
    pthread_mutex_unlock(&shared->mutex);
    shared_readers_leave(shared->settings->dir, &shared->held);
    shared_front_close(front, false);
    shared_writer_free(shared->writer);
}

int shared_serve(const struct program_command *self, const struct settings *settings,
                 struct foreground *foreground)
{
    struct failure failure = {0};
    struct shared *shared = calloc(1, sizeof *shared);
    if (!shared)
        return command_failed(self, err_sentence(ERR_NOMEM));
    shared->settings = settings;
    shared->log = (struct log){STDERR_FILENO, log_level_of(settings->log_level)};
    shared->held = shared->lock = -1;
    pthread_mutex_init(&shared->mutex, NULL);
    cond_init(&shared->changed);
    if (begin(shared, &failure)) /* its thread may wait: the process ends, and it with it */
        return command_failed(self, failure.text);
    enum stage stage = wait_ready(shared);
    if (stage == FAILED)
        return command_failed(self, shared->failure.text);
    foreground_ready(foreground);
    printf("stoa: shop ready at %s\n", stage == WRITING ? shared->server.url : shared->url);
    fflush(stdout);
    foreground_wait(foreground);
    end(shared);
    int status = shared->stage == FAILED ? command_failed(self, shared->failure.text) : EXIT_DONE;
    free(shared);
    return status;
}

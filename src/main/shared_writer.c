#include "main/shared_writer.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "main/datadir.h"
#include "main/shared_lock.h"
#include "main/shared_pulse.h"
#include "web/fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_MS = 250,
    ANSWER_MS = 1000,
    ANSWER_MAX = 4096,
    ARENA_MAX = 64 << 10,
    FRESH_MS = 3, /* many ask at once */
};

struct shared_writer {
    struct shared_writer_config config;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool stopping;
    char url[256];
    uint64_t pid; /* 0: nobody is known */
    uint64_t looked_ns;
    uint64_t silent_ns; /* since when it does not answer; 0: it does */

    /* The thread's own: */
    struct shared_pulse pulse;
    struct fetch_line *line;
};

/* ---- Where it is ---- */

/* With the mutex. */
static void look_anew(struct shared_writer *writer)
{
    char token[DATADIR_TOKEN];
    uint64_t now = clock_mono_ns();
    if (writer->looked_ns && now - writer->looked_ns < FRESH_MS * MS_NS)
        return;
    writer->looked_ns = now;
    uint64_t pid = datadir_pid(writer->config.dir);
    if (!pid ||
        datadir_find_server(writer->config.dir, writer->url, sizeof writer->url, token, NULL))
        pid = 0;
    if (pid != writer->pid)
        writer->silent_ns = 0;
    writer->pid = pid;
}

bool shared_writer_find(void *context, bool anew, char *url, size_t size)
{
    struct shared_writer *writer = context;
    pthread_mutex_lock(&writer->mutex);
    if (anew || !writer->pid)
        look_anew(writer);
    bool found = writer->pid != 0;
    if (found)
        str_copy(url, size, str_of(writer->url));
    pthread_mutex_unlock(&writer->mutex);
    return found;
}

bool shared_writer_is_here(struct shared_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool is_here = writer->pid == (uint64_t)getpid();
    pthread_mutex_unlock(&writer->mutex);
    return is_here;
}

uint64_t shared_writer_pid(struct shared_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    look_anew(writer);
    uint64_t pid = writer->pid;
    pthread_mutex_unlock(&writer->mutex);
    return pid;
}

bool shared_writer_answers(struct shared_writer *writer, struct buf *reason)
{
    pthread_mutex_lock(&writer->mutex);
    look_anew(writer);
    uint64_t pid = writer->pid, silent_ns = writer->silent_ns;
    pthread_mutex_unlock(&writer->mutex);
    if (!pid)
        buf_puts(reason, "no process writes this shop's database now: the next one is taking over");
    else if (silent_ns)
        buf_printf(reason, "process %llu, which writes this shop's database, does not answer",
                   (unsigned long long)pid);
    return pid && !silent_ns;
}

/* ---- Whether it answers ---- */

static enum shared_sign ask(struct shared_writer *writer, const char *server)
{
    struct arena arena;
    char url[300];
    snprintf(url, sizeof url, "%s/livez", server);
    struct fetch fetch = {
        .method = STR("GET"),
        .url = url,
        .body_file = -1,
        .connect_ms = ANSWER_MS,
        .total_ms = ANSWER_MS,
        .answer_file = -1,
        .answer_max = ANSWER_MAX,
    };
    arena_init(&arena, ARENA_MAX);
    int err = fetch_run(writer->line, &fetch, &arena, NULL);
    arena_close(&arena);
    return !err ? SHARED_SIGN_ANSWER : err == ERR_TIMEOUT ? SHARED_SIGN_SILENCE : SHARED_SIGN_NONE;
}

static void end_writer(const struct shared_writer *writer, uint64_t pid)
{
    struct failure failure = {0};
    const struct log *log = writer->config.log;
    log_line(log, LOG_WARN, "shared",
             "process %llu, which writes %s, has not answered for %llu ms: it is killed",
             (unsigned long long)pid, writer->config.dir,
             (unsigned long long)writer->config.kill_ms);
    if (shared_lock_kill(writer->config.dir, pid, &failure))
        log_line(log, LOG_WARN, "shared", "%s", failure.text);
}

static void look_at_writer(struct shared_writer *writer)
{
    char url[256];
    uint64_t pid = shared_writer_pid(writer), begun = clock_mono_ns();
    enum shared_sign sign = SHARED_SIGN_NONE;
    if (pid && pid != (uint64_t)getpid() && shared_writer_find(writer, false, url, sizeof url))
        sign = ask(writer, url);
    bool dead = shared_pulse_look(&writer->pulse, pid, sign, begun, clock_mono_ns(),
                                  writer->config.kill_ms);
    pthread_mutex_lock(&writer->mutex);
    if (pid == writer->pid)
        writer->silent_ns = sign != SHARED_SIGN_SILENCE ? 0
                            : writer->silent_ns         ? writer->silent_ns
                                                        : begun;
    pthread_mutex_unlock(&writer->mutex);
    if (dead)
        end_writer(writer, pid);
}

static void *watch(void *argument)
{
    struct shared_writer *writer = argument;
    pthread_mutex_lock(&writer->mutex);
    while (!writer->stopping) {
        pthread_mutex_unlock(&writer->mutex);
        look_at_writer(writer);
        writer->config.look(writer->config.context);
        uint64_t until_ns = clock_mono_ns() + LOOK_MS * MS_NS;
        pthread_mutex_lock(&writer->mutex);
        if (!writer->stopping)
            cond_wait_until(&writer->changed, &writer->mutex, until_ns);
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* ---- Begin and end ---- */

int shared_writer_new(const struct shared_writer_config *config, struct shared_writer **out,
                      struct failure *failure)
{
    struct shared_writer *writer = calloc(1, sizeof *writer);
    *out = writer;
    if (!writer)
        return fail(failure, ERR_NOMEM, "out of memory");
    writer->config = *config;
    pthread_mutex_init(&writer->mutex, NULL);
    cond_init(&writer->changed);
    return 0;
}

int shared_writer_watch(struct shared_writer *writer, struct failure *failure)
{
    writer->line = fetch_line_new();
    writer->started =
        writer->line && thread_start(&writer->thread, "stoa-watch", watch, writer) == 0;
    return writer->started ? 0 : fail(failure, ERR_NOMEM, "cannot start a thread");
}

void shared_writer_free(struct shared_writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->mutex);
    if (writer->started)
        pthread_join(writer->thread, NULL);
    fetch_line_free(writer->line);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

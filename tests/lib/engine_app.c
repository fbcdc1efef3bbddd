/* An app that uses every way of answering, for the scenarios that try out an engine.
 *
 *   engine_app [--listen ADDRESS | --tls ADDRESS | --proxy ADDRESS | --proxytls ADDRESS]...
 *              [--engine NAME] [--io_uring 1] [--workers N] [--admission MS]
 *              [--trust NETWORK]... [--loops N] [--helpers N] [--queue N]
 *              [--connections N] [--grace MS] [--state DIR] [--file PATH] [--LIMIT N]...
 *
 * where LIMIT is the name of a field of struct http_limits. Prints "ready PORT..." once
 * it serves; ends at SIGINT or SIGTERM. `engine_app --engines` says which there are.
 *
 *   /page            a ready-made page of 1 KiB
 *   /hello           a few bytes
 *   /peer            the client's address, and both addresses of the connection
 *   /echo            answers with the body it was sent
 *   /upload          counts the body's bytes as they come in; /pause does so with pauses
 *   /later?ms=N      another thread answers after N ms
 *   /work?ms=N       blocks a helper for N ms
 *   /offload?ms=N    the same, by exchange_offload, and answers in a second step
 *   /hold            blocks a helper until somebody asks for /release; /holding: how many do
 *   /crash           aborts
 *   /file            the bytes of --file
 *   /disk?at=N       4 KiB of them from N, read by a helper
 *   /stream?bytes=N  N bytes from a source, of known length with &known=1
 *   /drip?count=N    N lines from a source that waits 10 ms for each
 *   /stats           the engine's counters as JSON, always let in
 */
#include "base/check.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "net/socket.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- A thread that does things later ---- */

struct alarm {
    struct alarm *next;
    uint64_t due_ns;
    struct exchange *x;
    void (*ring)(struct exchange *x);
};

struct bell {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct alarm *first; /* in order of due_ns */
    bool started, stopping;
};

/* What the processes of an engine that has several have together. */
struct shared {
    atomic_uint holding;
    atomic_bool released;
};

struct test_app {
    struct app app;
    struct bell bell;
    struct shared *shared;
    struct http_page *page;
    const char *file;
    const struct engine_kind *kind;
    struct engine *engine;
};

static void *bell_main(void *argument)
{
    struct bell *bell = argument;
    pthread_mutex_lock(&bell->lock);
    while (!bell->stopping || bell->first) {
        struct alarm *alarm = bell->first;
        if (!alarm) {
            pthread_cond_wait(&bell->changed, &bell->lock);
        } else if (alarm->due_ns > clock_mono_ns()) {
            struct timespec due = {(time_t)(alarm->due_ns / SEC_NS),
                                   (long)(alarm->due_ns % SEC_NS)};
            pthread_cond_timedwait(&bell->changed, &bell->lock, &due);
        } else {
            bell->first = alarm->next;
            pthread_mutex_unlock(&bell->lock);
            alarm->ring(alarm->x);
            free(alarm);
            pthread_mutex_lock(&bell->lock);
        }
    }
    pthread_mutex_unlock(&bell->lock);
    return NULL;
}

static void bell_init(struct bell *bell)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&bell->lock, NULL);
    pthread_cond_init(&bell->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Under the lock. Not before it is needed: the engine may have to be started by a process of one
 * thread, and run its app in others. */
static void bell_start(struct bell *bell)
{
    if (!bell->started)
        CHECK(pthread_create(&bell->thread, NULL, bell_main, bell) == 0);
    bell->started = true;
}

static void bell_stop(struct bell *bell)
{
    pthread_mutex_lock(&bell->lock);
    bell->stopping = true;
    bool started = bell->started;
    pthread_cond_signal(&bell->changed);
    pthread_mutex_unlock(&bell->lock);
    if (started)
        pthread_join(bell->thread, NULL);
}

static void bell_set(struct bell *bell, struct exchange *x, uint64_t ms,
                     void (*ring)(struct exchange *x))
{
    struct alarm *alarm = malloc(sizeof *alarm);
    CHECK(alarm);
    *alarm = (struct alarm){.due_ns = clock_mono_ns() + ms * MS_NS, .x = x, .ring = ring};
    pthread_mutex_lock(&bell->lock);
    bell_start(bell);
    struct alarm **place = &bell->first;
    while (*place && (*place)->due_ns <= alarm->due_ns)
        place = &(*place)->next;
    alarm->next = *place;
    *place = alarm;
    pthread_cond_signal(&bell->changed);
    pthread_mutex_unlock(&bell->lock);
}

/* ---- Answers ---- */

/* What an exchange needs to remember: x->state. */
struct job {
    struct test_app *app;
    uint64_t bytes, left, pieces;
    bool ready; /* a drip: the pause is over */
};

static struct job *job_of(struct test_app *app, struct exchange *x)
{
    if (!x->state) {
        struct job *job = ARENA_NEW(&x->arena, struct job);
        CHECK(job);
        job->app = app;
        x->state = job;
    }
    return x->state;
}

static uint64_t number(struct exchange *x, struct str name, uint64_t otherwise)
{
    uint64_t value;
    return str_to_u64(exchange_query(x, name), &value) == ERR_OK ? value : otherwise;
}

static void say(struct exchange *x, int status, struct str text)
{
    exchange_reply(x, status, STR("text/plain"), text);
}

static void say_peer(struct exchange *x)
{
    struct endpoint client, here;
    char texts[2][ADDRESS_TEXT] = {"?", "?"};
    if (exchange_addresses(x, &client, &here)) {
        endpoint_text(&client, true, texts[0], sizeof texts[0]);
        endpoint_text(&here, true, texts[1], sizeof texts[1]);
    }
    say(x, 200,
        arena_printf(&x->arena, "%.*s %.*s %s %s\n", STR_FMT(x->scheme), STR_FMT(x->peer), texts[0],
                     texts[1]));
}

static void finish_late(struct exchange *x)
{
    say(x, 200, STR("later\n"));
    exchange_finish(x);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&left, NULL); /* no wait: a job that takes its time */
}

static void offloaded(struct exchange *x)
{
    struct job *job = x->state;
    CHECK(x->thread_state);
    sleep_ms(job->left);
}

static void after_offload(struct exchange *x)
{
    CHECK(x->thread_state);
    say(x, 200, STR("offloaded\n"));
    exchange_finish(x);
}

static enum source_verdict stream_read(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct job *job = x->state;
    *len = room < job->left ? room : (size_t)job->left;
    memset(out, 's', *len);
    job->left -= *len;
    return job->left ? SOURCE_MORE : SOURCE_END;
}

static enum source_verdict drip_read(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct job *job = x->state;
    *len = 0;
    if (!job->ready) {
        job->ready = true;
        bell_set(&job->app->bell, x, 10, exchange_wake);
        return SOURCE_WAIT;
    }
    CHECK(room >= 5);
    job->ready = false;
    memcpy(out, "drip\n", 5);
    *len = 5;
    return --job->left ? SOURCE_MORE : SOURCE_END;
}

static enum sink_verdict count_bytes(struct exchange *x, struct str bytes)
{
    struct job *job = x->state;
    job->bytes += bytes.len;
    return SINK_MORE;
}

static enum sink_verdict count_with_pauses(struct exchange *x, struct str bytes)
{
    struct job *job = x->state;
    job->bytes += bytes.len;
    if (++job->pieces % 4 != 0)
        return SINK_MORE;
    bell_set(&job->app->bell, x, 1, exchange_take_more);
    return SINK_PAUSE;
}

static void say_stats(struct test_app *app, struct exchange *x)
{
    struct engine_stats s;
    app->kind->stats(app->engine, &s);
    say(x, 200,
        arena_printf(
            &x->arena,
            "{\"accepted\": %lu, \"open\": %lu, \"requests\": %lu, \"refused\": %lu, "
            "\"bytes_in\": %lu, \"bytes_out\": %lu, \"helper_waiting\": %lu, "
            "\"timeouts\": %lu, \"bad_requests\": %lu, \"processes\": %lu, \"crashed\": %lu, "
            "\"disk_reads\": %lu, \"disk_waiting\": %lu, "
            "\"on_time\": %lu, \"late\": %lu, \"p90_us\": %lu, \"rate\": %.0f, "
            "\"workers\": %lu, \"queued\": %lu}\n",
            s.accepted, s.open, s.requests, s.refused, s.bytes_in, s.bytes_out, s.helper_waiting,
            s.timeouts, s.bad_requests, s.processes, s.crashed, s.disk_reads, s.disk_waiting,
            s.admission.on_time, s.admission.late, s.admission.p90_ns / 1000, s.admission.rate,
            s.workers, s.queued));
}

static void send_file(struct test_app *app, struct exchange *x)
{
    struct stat status;
    int fd = app->file ? open(app->file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &status) < 0)
        say(x, 404, STR("no file\n"));
    else
        exchange_reply_file(x, 200, STR("application/octet-stream"), fd, 0,
                            (uint64_t)status.st_size);
}

static void read_disk(struct test_app *app, struct exchange *x)
{
    enum { PIECE = 4096 };
    char *bytes = arena_alloc(&x->arena, PIECE);
    int fd = app->file ? open(app->file, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = -1;
    if (bytes && fd >= 0)
        n = pread(fd, bytes, PIECE, (off_t)number(x, STR("at"), 0));
    if (fd >= 0)
        close(fd);
    if (n < 0)
        say(x, 404, STR("no file\n"));
    else
        say(x, 200, str_make(bytes, (size_t)n));
}

/* At most 30 s: a test that fails is to end. */
static void hold(struct shared *shared)
{
    atomic_fetch_add(&shared->holding, 1);
    for (int i = 0; i < 6000 && !atomic_load(&shared->released); i++)
        sleep_ms(5);
    atomic_fetch_sub(&shared->holding, 1);
}

static struct body_sink counting = {count_bytes}, pausing = {count_with_pauses};
static struct body_source streaming = {stream_read}, dripping = {drip_read};

static void on_accept(struct app *base, struct exchange *x)
{
    struct test_app *app = CONTAINER_OF(base, struct test_app, app);
    CHECK(x->thread_state);
    if (str_eq(x->path, STR("/upload")) || str_eq(x->path, STR("/pause"))) {
        job_of(app, x);
        x->sink = str_eq(x->path, STR("/pause")) ? &pausing : &counting;
        x->body_limit = UINT64_MAX;
    }
    if (str_eq(x->path, STR("/refused")))
        say(x, 403, STR("refused\n"));
}

static enum app_verdict on_handle(struct app *base, struct exchange *x)
{
    struct test_app *app = CONTAINER_OF(base, struct test_app, app);
    CHECK(x->thread_state);
    if (str_eq(x->path, STR("/page"))) {
        exchange_page(x, app->page);
    } else if (str_eq(x->path, STR("/hello"))) {
        say(x, 200, STR("hello\n"));
    } else if (str_eq(x->path, STR("/peer"))) {
        say_peer(x);
    } else if (str_eq(x->path, STR("/echo"))) {
        say(x, 200, x->body);
    } else if (str_eq(x->path, STR("/upload")) || str_eq(x->path, STR("/pause"))) {
        say(x, 200, arena_printf(&x->arena, "%lu\n", job_of(app, x)->bytes));
    } else if (str_eq(x->path, STR("/later"))) {
        bell_set(&app->bell, x, number(x, STR("ms"), 10), finish_late);
        return APP_LATER;
    } else if (str_eq(x->path, STR("/work")) || str_eq(x->path, STR("/hold")) ||
               str_eq(x->path, STR("/disk"))) {
        return APP_WORK;
    } else if (str_eq(x->path, STR("/release"))) {
        atomic_store(&app->shared->released, true);
        say(x, 200, STR("released\n"));
    } else if (str_eq(x->path, STR("/holding"))) {
        say(x, 200, arena_printf(&x->arena, "%u\n", atomic_load(&app->shared->holding)));
    } else if (str_eq(x->path, STR("/crash"))) {
        abort();
    } else if (str_eq(x->path, STR("/offload"))) {
        job_of(app, x)->left = number(x, STR("ms"), 10);
        exchange_offload(x, offloaded, after_offload);
        return APP_LATER;
    } else if (str_eq(x->path, STR("/file"))) {
        send_file(app, x);
    } else if (str_eq(x->path, STR("/stream"))) {
        uint64_t bytes = job_of(app, x)->left = number(x, STR("bytes"), 100000);
        bool known = number(x, STR("known"), 0) != 0;
        exchange_reply_source(x, 200, STR("text/plain"), &streaming, known ? bytes : UINT64_MAX);
    } else if (str_eq(x->path, STR("/drip"))) {
        job_of(app, x)->left = number(x, STR("count"), 3);
        exchange_reply_source(x, 200, STR("text/plain"), &dripping, UINT64_MAX);
    } else if (str_eq(x->path, STR("/stats"))) {
        say_stats(app, x);
    } else {
        say(x, 404, STR("no such page\n"));
    }
    return APP_DONE;
}

static enum app_verdict on_work(struct app *base, struct exchange *x)
{
    struct test_app *app = CONTAINER_OF(base, struct test_app, app);
    CHECK(x->thread_state);
    if (str_eq(x->path, STR("/disk"))) {
        read_disk(app, x);
    } else if (str_eq(x->path, STR("/hold"))) {
        hold(app->shared);
        say(x, 200, STR("held\n"));
    } else {
        sleep_ms(number(x, STR("ms"), 10));
        say(x, 200, STR("worked\n"));
    }
    return APP_DONE;
}

static bool on_urgent(struct app *app, const struct exchange *x)
{
    (void)app;
    return str_eq(x->path, STR("/stats"));
}

static void *on_thread_start(struct app *app, struct loop *loop)
{
    (void)loop;
    return app;
}

static void on_thread_stop(struct app *app, void *thread_state)
{
    CHECK(thread_state == app);
}

/* ---- Options ---- */

#define LIMITS(X)       \
    X(head_bytes)       \
    X(target_bytes)     \
    X(header_count)     \
    X(body_bytes)       \
    X(pipeline)         \
    X(streams)          \
    X(requests)         \
    X(head_ms)          \
    X(idle_ms)          \
    X(body_idle_ms)     \
    X(body_bytes_per_s) \
    X(send_idle_ms)     \
    X(send_bytes_per_s) \
    X(answer_ms)        \
    X(output_bytes)

static bool set_limit(struct http_limits *limits, const char *name, uint64_t value)
{
#define X(field)                                          \
    if (strcmp(name, #field) == 0) {                      \
        limits->field = (__typeof__(limits->field))value; \
        return true;                                      \
    }
    LIMITS(X)
#undef X
    return false;
}

static bool set_option(struct engine_config *config, struct test_app *app, const char *name,
                       const char *value)
{
    uint64_t count = strtoull(value, NULL, 10);
    if (strcmp(name, "listen") == 0 || strcmp(name, "tls") == 0 || strncmp(name, "proxy", 5) == 0) {
        struct engine_listen *listen = &config->listen[config->listen_count++];
        str_copy(listen->address, sizeof listen->address, str_of(value));
        listen->tls = strcmp(name, "tls") == 0 || strcmp(name, "proxytls") == 0;
        listen->proxy = name[0] == 'p';
    } else if (strcmp(name, "trust") == 0) {
        str_copy(config->trusted[config->trusted_count++], sizeof config->trusted[0],
                 str_of(value));
    } else if (strcmp(name, "engine") == 0) {
        app->kind = engine_find(value);
        return app->kind != NULL;
    } else if (strcmp(name, "io_uring") == 0) {
        config->io_uring = count > 0;
    } else if (strcmp(name, "workers") == 0) {
        config->workers = (unsigned)count;
    } else if (strcmp(name, "admission") == 0) {
        config->admission_ms = (uint32_t)count;
    } else if (strcmp(name, "loops") == 0) {
        config->loops = (unsigned)count;
    } else if (strcmp(name, "helpers") == 0) {
        config->helpers = (unsigned)count;
    } else if (strcmp(name, "queue") == 0) {
        config->helper_queue = (unsigned)count;
    } else if (strcmp(name, "connections") == 0) {
        config->connections_max = (unsigned)count;
    } else if (strcmp(name, "grace") == 0) {
        config->stop_grace_ms = count;
    } else if (strcmp(name, "state") == 0) {
        str_copy(config->state_dir, sizeof config->state_dir, str_of(value));
    } else if (strcmp(name, "file") == 0) {
        app->file = value;
    } else {
        return set_limit(&config->limits, name, count);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct log log = {.fd = 2, .least = LOG_INFO};
    struct test_app app = {.app = {.name = "test",
                                   .is_urgent = on_urgent,
                                   .accept = on_accept,
                                   .handle = on_handle,
                                   .work = on_work,
                                   .thread_start = on_thread_start,
                                   .thread_stop = on_thread_stop},
                           .kind = &engine_event};
    struct engine_config config = {.log = &log};
    struct failure failure;
    char kilobyte[1024];
    sigset_t signals;
    int signal_number;

    if (argc == 2 && strcmp(argv[1], "--engines") == 0) {
        for (unsigned i = 0; engine_kinds[i]; i++)
            puts(engine_kinds[i]->name);
        return 0;
    }
    for (int i = 1; i < argc; i += 2)
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc ||
            !set_option(&config, &app, argv[i] + 2, argv[i + 1])) {
            fprintf(stderr, "engine_app: what is %s?\n", argv[i]);
            return 2;
        }
    memset(kilobyte, 'k', sizeof kilobyte);
    app.page = http_page_new(200, STR("application/json"), STR(""),
                             str_make(kilobyte, sizeof kilobyte), false);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    app.shared =
        mmap(NULL, sizeof *app.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(app.shared != MAP_FAILED);
    bell_init(&app.bell);
    if (app.kind->start(&config, &app.app, &app.engine, &failure) != ERR_OK) {
        fprintf(stderr, "engine_app: %s\n", failure.text);
        bell_stop(&app.bell);
        http_page_drop(app.page);
        return 1;
    }
    printf("ready");
    for (unsigned i = 0; i < config.listen_count; i++)
        printf(" %u", app.kind->port(app.engine, i));
    printf("\n");
    fflush(stdout);
    sigwait(&signals, &signal_number);
    if (!app.kind->stop(app.engine)) {
        fprintf(stderr, "engine_app: somebody is still at work\n");
        _exit(0);
    }
    bell_stop(&app.bell);
    http_page_drop(app.page);
    return 0;
}

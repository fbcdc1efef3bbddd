#include "base/check.h"
#include "base/clock.h"
#include "engine/loop.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* From when on a silent connection is drained as soon as a stop begins (stopping.c). */
#define SILENT_NS (1 * SEC_NS + 100 * MS_NS)

/* An app that holds each exchange until it is told to answer. */
struct stand {
    struct app app;
    struct engine *engine;
    _Atomic(struct exchange *) held;
    atomic_uint begun, running, most, threads;
};

static void *start_thread(struct app *app, struct loop *loop)
{
    struct stand *stand = CONTAINER_OF(app, struct stand, app);
    assert_non_null(loop);
    atomic_fetch_add(&stand->threads, 1);
    return stand;
}

static enum app_verdict hold(struct app *app, struct exchange *x)
{
    struct stand *stand = CONTAINER_OF(app, struct stand, app);
    unsigned running = atomic_fetch_add(&stand->running, 1) + 1;
    if (running > atomic_load(&stand->most))
        atomic_store(&stand->most, running);
    atomic_store(&stand->held, x);
    atomic_fetch_add(&stand->begun, 1);
    return APP_LATER;
}

static void stand_open(struct stand *stand)
{
    const struct engine_config config = {.listen_count = 1, .listen[0].address = "127.0.0.1:0"};
    struct failure failure = {0};
    *stand = (struct stand){.app = {.name = "stand", .handle = hold, .thread_start = start_thread}};
    assert_int_equal(engine_loop.start(&config, &stand->app, &stand->engine, &failure), 0);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static int ask(const struct stand *stand)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = connect_to(engine_loop.port(stand->engine, 0));
    assert_true(fd >= 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    return fd;
}

static void await(atomic_uint *count, unsigned least)
{
    while (atomic_load(count) < least)
        sched_yield();
}

static void await_open(const struct stand *stand, unsigned count)
{
    struct engine_stats stats;
    do
        engine_loop.stats(stand->engine, &stats);
    while (stats.open < count);
}

static void answer(struct stand *stand)
{
    struct exchange *x = atomic_load(&stand->held);
    atomic_fetch_sub(&stand->running, 1);
    exchange_reply(x, 200, STR("text/plain"), STR("late\n"));
    exchange_finish(x);
}

/* To the end of what the server sends. */
static void is_told_of_the_end(int fd)
{
    char text[2048];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof text - 1 && (n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = 0;
    close(fd);
    assert_non_null(strstr(text, "HTTP/1.1 200 "));
    assert_non_null(strstr(text, "Connection: close\r\n"));
    assert_non_null(strstr(text, "late\n"));
}

static void *stop(void *argument)
{
    struct stand *stand = argument;
    engine_loop.stop(stand->engine);
    return NULL;
}

static void at_a_stop_too_one_request_runs_at_a_time(void **state)
{
    (void)state;
    struct stand stand;
    pthread_t stopper;
    stand_open(&stand);
    uint16_t port = engine_loop.port(stand.engine, 0);
    int first = ask(&stand);
    await(&stand.begun, 1);
    int second = ask(&stand), more;
    await_open(&stand, 2);
    uint64_t silent_ns = clock_mono_ns() + SILENT_NS;
    while (clock_mono_ns() < silent_ns)
        poll(NULL, 0, 10);
    assert_int_equal(pthread_create(&stopper, NULL, stop, &stand), 0);
    while ((more = connect_to(port)) >= 0) /* until the stop has begun */
        close(more);
    answer(&stand);
    await(&stand.begun, 2);
    answer(&stand);
    is_told_of_the_end(first);
    is_told_of_the_end(second);
    pthread_join(stopper, NULL);
    assert_int_equal(stand.most, 1);
}

static void one_thread_runs_the_app(void **state)
{
    (void)state;
    struct stand stand;
    stand_open(&stand);
    assert_int_equal(stand.threads, 1);
    engine_loop.stop(stand.engine);
    assert_int_equal(stand.threads, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_runs_the_app),
        cmocka_unit_test(at_a_stop_too_one_request_runs_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/check.h"
#include "base/thread.h"
#include "engine/thread.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* There are to be no more clients' threads; and how often one was wanted nevertheless. */
static atomic_bool no_more;
static atomic_uint wanted;

/* In place of thread.h's (--wrap), which the engine begins its clients' threads with. */
int __real_thread_start_as(pthread_t *thread, const pthread_attr_t *attributes, const char *name,
                           void *(*run)(void *), void *context);
int __wrap_thread_start_as(pthread_t *thread, const pthread_attr_t *attributes, const char *name,
                           void *(*run)(void *), void *context);
int __wrap_thread_start_as(pthread_t *thread, const pthread_attr_t *attributes, const char *name,
                           void *(*run)(void *), void *context)
{
    if (!atomic_load(&no_more))
        return __real_thread_start_as(thread, attributes, name, run, context);
    atomic_fetch_add(&wanted, 1);
    return EAGAIN;
}

static enum app_verdict greet(struct app *app, struct exchange *x)
{
    (void)app;
    exchange_reply(x, 200, STR("text/plain"), STR("hello"));
    return APP_DONE;
}

static int connect_to(struct engine *engine)
{
    struct endpoint address;
    int fd;
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), false, &address, NULL), 0);
    endpoint_set_port(&address, engine_thread.port(engine, 0));
    assert_int_equal(socket_connect(&address, &fd, NULL), 0);
    return fd;
}

static bool becomes(int fd, short event)
{
    struct pollfd waited = {fd, event, 0};
    return poll(&waited, 1, 20000) == 1;
}

static void ask(int fd)
{
    struct str text = STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(becomes(fd, POLLOUT));
    assert_int_equal(send(fd, text.at, text.len, MSG_NOSIGNAL), text.len);
}

static void who_can_have_no_thread_yet_waits_for_one(void **state)
{
    (void)state;
    struct app app = {.name = "test", .handle = greet};
    struct engine_config config = {.listen_count = 1, .listen[0].address = "127.0.0.1:0"};
    struct engine *engine;
    struct engine_stats stats;
    struct failure failure;
    char answer[512];
    int clients[3];
    assert_int_equal(engine_thread.start(&config, &app, &engine, &failure), 0);
    atomic_store(&no_more, true);
    for (unsigned i = 0; i < COUNT_OF(clients); i++)
        ask(clients[i] = connect_to(engine));
    while (atomic_load(&wanted) < 3)
        sched_yield();
    atomic_store(&no_more, false);
    for (unsigned i = 0; i < COUNT_OF(clients); i++) {
        assert_true(becomes(clients[i], POLLIN));
        ssize_t n = recv(clients[i], answer, sizeof answer, 0);
        assert_true(n > 0 && str_ends(str_make(answer, (size_t)n), STR("hello")));
        close(clients[i]);
    }
    engine_thread.stats(engine, &stats);
    assert_int_equal(stats.refused, 0);
    engine_thread.stop(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_can_have_no_thread_yet_waits_for_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

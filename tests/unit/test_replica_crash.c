/* kill -9 at random moments, of the first start too: what was answered is there, once.
 *
 * STOA_KILLS says how often (20 when it is not set; ./test long sets 100), STOA_TEST_DIR
 * on which file system.
 */
#include "base/random.h"
#include "replica_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum { NUMBERS_MAX = 8 * 1024 * 1024, CLIENTS = 8 };

/* Shared with the children. */
struct ledger {
    atomic_uint next;
    atomic_uint answered_in_round;
    unsigned char answered[NUMBERS_MAX];
};

struct client {
    struct one_server *server;
    struct ledger *ledger;
};

static void *order_numbers(void *context)
{
    struct client *client = context;
    for (;;) {
        unsigned number = atomic_fetch_add(&client->ledger->next, 1);
        CHECK(number < NUMBERS_MAX);
        server_add(client->server, number);
        client->ledger->answered[number] = 1;
        atomic_fetch_add(&client->ledger->answered_in_round, 1);
    }
    return NULL;
}

static void run_until_killed(struct one_server *server, struct ledger *ledger)
{
    struct client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    struct replica_config config = server_config(server);
    config.snapshot_threshold = 64; /* so that kills hit snapshots and cuts of the log too */
    struct failure failure = {0};
    if (server_start_with(server, &config, &failure) != 0) {
        fprintf(stderr, "start: %s\n", failure.text);
        abort();
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){server, ledger};
        CHECK(pthread_create(&threads[i], NULL, order_numbers, &clients[i]) == 0);
    }
    pthread_join(threads[0], NULL);
}

static void sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / SEC_NS), .tv_nsec = (long)(ns % SEC_NS)};
    nanosleep(&left, NULL); /* no wait: the pace of looking, and the moment of the kill */
}

/* A child runs for a random while, is killed, and must not have died by itself. */
static void one_round(struct one_server *server, struct ledger *ledger, struct random *random,
                      bool in_the_start)
{
    atomic_store(&ledger->answered_in_round, 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_until_killed(server, ledger);
    if (!in_the_start) {
        uint64_t deadline = clock_mono_ns() + 30 * SEC_NS;
        while (atomic_load(&ledger->answered_in_round) < 1 && clock_mono_ns() < deadline)
            sleep_ns(MS_NS);
    }
    sleep_ns(random_below(random, 120 * MS_NS));
    kill(pid, SIGKILL);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_ledger(struct one_server *server, const struct ledger *ledger, unsigned *answered)
{
    unsigned count = atomic_load(&ledger->next);
    unsigned char *times = calloc(count, 1);
    for (size_t i = 0; i < server->machine.count; i++) {
        assert_true(server->machine.numbers[i] < count);
        assert_int_equal(times[server->machine.numbers[i]]++, 0);
    }
    *answered = 0;
    for (unsigned i = 0; i < count; i++) {
        *answered += ledger->answered[i];
        if (ledger->answered[i] && times[i] != 1)
            fail_msg("%u was answered and is not there", i);
    }
    free(times);
}

static void what_was_answered_survives_kills_at_any_moment(void **state)
{
    (void)state;
    const char *kills_text = getenv("STOA_KILLS"), *seed_text = getenv("STOA_SEED");
    unsigned kills = kills_text != NULL ? (unsigned)atoi(kills_text) : 20, answered = 0;
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
    print_message("STOA_SEED=%llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    struct ledger *ledger =
        mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ledger != MAP_FAILED);
    struct one_server server;
    server_dir(&server);
    for (unsigned i = 0; i < kills; i++)
        one_round(&server, ledger, &random, random_below(&random, 4) == 0);
    server_start(&server);
    check_ledger(&server, ledger, &answered);
    assert_true(answered >= kills / 2);
    print_message("%u kills, %u answered, %zu there\n", kills, answered, server.machine.count);
    server_stop(&server);
    server_remove(&server);
    munmap(ledger, sizeof *ledger);
}

static int add_one(struct one_server *server)
{
    server_start(server);
    uint64_t position = server_add(server, 1);
    server_stop(server);
    return position == 0 ? 0 : 1;
}

/* This process stays without threads, so that each child begins clean. */
static int in_a_child(int (*work)(struct one_server *), struct one_server *server)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(work(server));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The very first start, killed at every point of it in turn. */
static void a_first_start_can_be_killed_at_any_point(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        struct one_server server;
        server_dir(&server);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            server_start(&server);
            pause();
        }
        sleep_ns(i * MS_NS + MS_NS / 2);
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(in_a_child(add_one, &server), 0);
        server_remove(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_start_can_be_killed_at_any_point),
        cmocka_unit_test(what_was_answered_survives_kills_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

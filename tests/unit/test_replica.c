/* One server's replica as its users see it: real libraft, real files, a list as machine. */
#include "base/random.h"
#include "replica_fixture.h" /* before cmocka.h, which has a fail() of its own */

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

static void commands_get_results_in_order(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    for (uint64_t i = 0; i < 50; i++)
        assert_int_equal(server_add(&server, i * 3), i);
    struct order_status_report report;
    do /* what was answered is counted off after the answer */
        order_report(server.order, &report);
    while (report.waiting > 0);
    assert_true(report.primary);
    assert_int_equal(report.commands, 50);
    assert_int_equal(report.applied_index, report.last_index);
    assert_true(report.append_ns_p50 > 0 && report.append_ns_p99 >= report.append_ns_p50);
    server_stop(&server);
    server_remove(&server);
}

static void what_was_answered_is_there_after_a_restart(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    for (uint64_t round = 0; round < 5; round++) {
        server_start(&server);
        assert_int_equal(server.machine.count, round * 20);
        for (uint64_t i = 0; i < 20; i++)
            assert_int_equal(server_add(&server, round * 20 + i), round * 20 + i);
        server_stop(&server);
    }
    server_remove(&server);
}

static void a_database_that_lags_is_caught_up_from_the_log(void **state)
{
    (void)state;
    struct one_server server;
    char file[256], older[256];
    server_dir(&server);
    server_file(&server, "list.db", file);
    server_file(&server, "older.db", older);
    server_start(&server);
    for (uint64_t i = 0; i < 10; i++)
        server_add(&server, i);
    char copy[600];
    snprintf(copy, sizeof copy, "cp %s %s", file, older);
    assert_int_equal(system(copy), 0);
    for (uint64_t i = 10; i < 30; i++)
        server_add(&server, i);
    server_stop(&server);
    assert_int_equal(rename(older, file), 0);
    server_start(&server);
    assert_int_equal(server.machine.count, 30);
    for (uint64_t i = 0; i < 30; i++)
        assert_int_equal(server.machine.numbers[i], i);
    server_stop(&server);
    server_remove(&server);
}

static void a_database_ahead_of_its_log_is_refused(void **state)
{
    (void)state;
    struct one_server server;
    char file[256];
    server_dir(&server);
    server_start(&server);
    server_add(&server, 1);
    server_stop(&server);
    server_file(&server, "list.db", file);
    int fd = open(file, O_WRONLY | O_APPEND);
    struct block block = {BLOCK_MAGIC, 5000, 1, 0};
    assert_int_equal(write(fd, &block, sizeof block), sizeof block);
    close(fd);
    struct failure failure = {0};
    struct replica_config config = server_config(&server);
    assert_int_equal(server_start_with(&server, &config, &failure), ERR_DAMAGED);
    assert_non_null(strstr(failure.text, "5000"));
    server_remove(&server);
}

static void a_missing_record_of_votes_is_refused(void **state)
{
    (void)state;
    struct one_server server;
    char file[256];
    server_dir(&server);
    server_start(&server);
    server_add(&server, 1);
    server_stop(&server);
    server_file(&server, "vote", file);
    unlink(file);
    struct failure failure = {0};
    struct replica_config config = server_config(&server);
    assert_int_equal(server_start_with(&server, &config, &failure), ERR_DAMAGED);
    server_remove(&server);
}

static void a_first_start_that_was_cut_short_begins_anew(void **state)
{
    (void)state;
    struct one_server server;
    char file[256];
    server_dir(&server);
    server_start(&server);
    server_stop(&server);
    server_file(&server, "vote", file);
    unlink(file);
    server_file(&server, "raft/0000000000000001-0000000000000001", file);
    assert_int_equal(truncate(file, 100), 0); /* half written */
    server_start(&server);
    assert_int_equal(server_add(&server, 7), 0);
    server_stop(&server);
    server_remove(&server);
}

static void a_damaged_log_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    for (uint64_t i = 0; i < 10; i++)
        server_add(&server, i);
    server_stop(&server);
    char folder[256], file[600] = "";
    server_file(&server, "raft", folder);
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        if (strncmp(entry->d_name, "0000000000000002-", 17) == 0)
            snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
    closedir(dir);
    assert_true(file[0] != 0);
    int fd = open(file, O_RDWR);
    assert_int_equal(pwrite(fd, "\xff\xff", 2, 60), 2);
    close(fd);
    struct failure failure = {0};
    struct replica_config config = server_config(&server);
    assert_int_not_equal(server_start_with(&server, &config, &failure), 0);
    assert_true(strlen(failure.text) > 0);
    assert_int_equal(access(file, F_OK), 0);
    server_remove(&server);
}

/* Dies with its log's segments open; the test cuts one of them short afterwards. */
static void add_and_be_killed(struct one_server *server)
{
    server_start(server);
    for (uint64_t i = 0; i < 50; i++)
        server_add(server, i);
    kill(getpid(), SIGKILL);
}

static void a_log_cut_short_within_an_open_segment_is_refused_with_words(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        add_and_be_killed(&server);
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    char file[256];
    server_file(&server, "raft/open-1", file);
    assert_int_equal(truncate(file, 1001), 0);
    struct failure failure = {0};
    struct replica_config config = server_config(&server);
    assert_int_equal(server_start_with(&server, &config, &failure), ERR_DAMAGED);
    assert_non_null(strstr(failure.text, "the log has lost its end"));
    server_remove(&server);
}

static void two_servers_cannot_share_a_directory(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    struct list_machine other;
    char file[256];
    server_file(&server, "other.db", file);
    list_open(&other, file);
    struct machine machine = list_machine_of(&other);
    struct replica_config config = server_config(&server);
    struct replica *second;
    struct failure failure = {0};
    assert_int_equal(replica_start(&config, &machine, &second, &failure), ERR_BUSY);
    list_close(&other);
    server_stop(&server);
    server_remove(&server);
}

static void a_log_of_another_server_is_refused(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    server_add(&server, 1);
    server_stop(&server);
    struct replica_config config = server_config(&server);
    config.id = 2;
    struct failure failure = {0};
    assert_int_equal(server_start_with(&server, &config, &failure), ERR_STATE);
    assert_non_null(strstr(failure.text, "server 2"));
    server_start(&server); /* and it is still good for the right one */
    server_stop(&server);
    server_remove(&server);
}

/* ---- Many submissions at once ---- */

struct open_load {
    struct ordering *order;
    struct one_submission *submissions;
    atomic_uint answered, wrong;
    _Atomic uint64_t last_index;
};

struct one_submission {
    struct submission submission;
    struct open_load *load;
    uint64_t number;
    atomic_uint times;
};

static void count_answer(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct one_submission *one = CONTAINER_OF(submission, struct one_submission, submission);
    struct open_load *load = one->load;
    if (err != 0 || result.len != 8 || index < load->last_index ||
        atomic_fetch_add(&one->times, 1) != 0)
        atomic_fetch_add(&load->wrong, 1);
    load->last_index = index;
    atomic_fetch_add(&load->answered, 1);
}

static void wait_for(atomic_uint *counter, unsigned wanted)
{
    uint64_t deadline = clock_mono_ns() + 60 * SEC_NS;
    while (atomic_load(counter) < wanted) {
        assert_true(clock_mono_ns() < deadline);
        usleep(200); /* no wait: the pace of looking */
    }
}

enum { SUBMITTERS = 4, EACH = 5000 };

static void *submit_many(void *context)
{
    struct one_submission *mine = context;
    for (unsigned i = 0; i < EACH; i++) {
        mine[i].submission.command = str_make(&mine[i].number, 8);
        mine[i].submission.done = count_answer;
        while (order_submit(mine[i].load->order, &mine[i].submission) == ERR_BUSY)
            usleep(100); /* no wait: the pace of trying */
    }
    return NULL;
}

static void submissions_of_many_threads_are_answered_once_each(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    struct replica_config config = server_config(&server);
    config.waiting_max = 3000;
    struct failure failure;
    assert_int_equal(server_start_with(&server, &config, &failure), 0);
    struct open_load load = {.order = server.order};
    load.submissions = calloc(SUBMITTERS * EACH, sizeof *load.submissions);
    pthread_t threads[SUBMITTERS];
    for (unsigned i = 0; i < SUBMITTERS * EACH; i++) {
        load.submissions[i].load = &load;
        load.submissions[i].number = i;
    }
    for (unsigned i = 0; i < SUBMITTERS; i++)
        pthread_create(&threads[i], NULL, submit_many, load.submissions + i * EACH);
    for (unsigned i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    wait_for(&load.answered, SUBMITTERS * EACH);
    assert_int_equal(load.wrong, 0);
    struct order_status_report report;
    order_report(server.order, &report);
    assert_true(report.entries < report.commands / 4); /* they were put together */
    server_stop(&server);

    assert_int_equal(server.machine.committed, SUBMITTERS * EACH);
    server_start(&server);
    char *seen = calloc(SUBMITTERS * EACH, 1);
    for (size_t i = 0; i < server.machine.count; i++)
        assert_int_equal(seen[server.machine.numbers[i]]++, 0);
    free(seen);
    server_stop(&server);
    free(load.submissions);
    server_remove(&server);
}

static void too_much_waiting_is_refused_and_waiters_get_room(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    struct replica_config config = server_config(&server);
    config.waiting_max = 1 << 20;
    config.waiting_bytes_max = 300 * 1024;
    struct failure failure;
    assert_int_equal(server_start_with(&server, &config, &failure), 0);
    char *big = calloc(1, ORDER_COMMAND_MAX + 1);
    struct submission submission = {.command = {big, ORDER_COMMAND_MAX + 1}};
    assert_int_equal(order_submit(server.order, &submission), ERR_FULL);

    struct open_load load = {.order = server.order};
    struct one_submission two[2] = {{.load = &load}, {.load = &load}};
    unsigned refused = 0;
    for (unsigned i = 0; i < 2; i++) {
        two[i].submission =
            (struct submission){.command = {big, ORDER_COMMAND_MAX}, .done = count_answer};
        if (order_submit(server.order, &two[i].submission) == ERR_BUSY)
            refused++;
    }
    assert_int_equal(refused, 1);
    assert_int_equal(order_submit_wait(server.order, str_make(big, ORDER_COMMAND_MAX), NULL, NULL),
                     0);
    wait_for(&load.answered, 1);
    free(big);
    server_stop(&server);
    server_remove(&server);
}

static unsigned durables_of(struct one_server *server)
{
    return __atomic_load_n(&server->machine.durables, __ATOMIC_ACQUIRE);
}

/* A burst's log is not kept in memory until the next burst. */
static void a_log_that_stands_still_is_cut_off(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    char *big = calloc(1, ORDER_COMMAND_MAX);
    for (unsigned bytes = 0; bytes < 3 * 1024 * 1024; bytes += ORDER_COMMAND_MAX)
        assert_int_equal(
            order_submit_wait(server.order, str_make(big, ORDER_COMMAND_MAX), NULL, NULL), 0);
    assert_int_equal(durables_of(&server), 0);
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    while (durables_of(&server) == 0 && clock_mono_ns() < deadline)
        usleep(1000); /* no wait: the pace of looking */
    assert_int_equal(durables_of(&server), 1);
    server_add(&server, 7);
    free(big);
    server_stop(&server);
    server_start(&server);
    assert_int_equal(server.machine.numbers[server.machine.count - 1], 7);
    server_stop(&server);
    server_remove(&server);
}

static void stopping_answers_what_is_on_its_way_and_refuses_the_rest(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    struct open_load load = {.order = server.order};
    struct one_submission *all = calloc(2000, sizeof *all);
    for (unsigned i = 0; i < 2000; i++) {
        all[i] = (struct one_submission){.load = &load, .number = i};
        all[i].submission =
            (struct submission){.command = str_make(&all[i].number, 8), .done = count_answer};
        assert_int_equal(order_submit(server.order, &all[i].submission), 0);
    }
    server_stop(&server);
    assert_int_equal(load.answered, 2000);
    assert_int_equal(load.wrong, 0);
    free(all);
    server_remove(&server);
}

/* ---- Failed writes ---- */

/* Runs CHILD(server) in a process of its own; its exit status, and what fatal said. */
static int in_a_child(void (*child)(struct one_server *), struct one_server *server, char *said,
                      size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        server->fatal_pipe = ends[1];
        child(server);
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, size - 1);
    said[n > 0 ? n : 0] = 0;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void never_answered(struct submission *submission, int err, uint64_t index,
                           struct str result)
{
    (void)submission;
    (void)index;
    (void)result;
    _exit(err == 0 ? 9 : 8); /* nothing may be answered once the log has failed */
}

/* The kernel refuses writes beyond 64 KiB into any file: the log's next big one fails. */
static void write_beyond_the_limit(struct one_server *server)
{
    server_start(server);
    server_add(server, 1);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {65536, 65536};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    char *big = calloc(1, 200 * 1024);
    struct submission submission = {.command = {big, 200 * 1024}, .done = never_answered};
    CHECK(order_submit(server->order, &submission) == 0);
    sleep(20); /* no wait: the failure ends this process long before */
}

static void a_failed_write_of_the_log_is_fatal_at_once(void **state)
{
    (void)state;
    struct one_server server;
    char said[800];
    server_dir(&server);
    uint64_t before = clock_mono_ns();
    assert_int_equal(in_a_child(write_beyond_the_limit, &server, said, sizeof said), 3);
    assert_true(clock_mono_ns() - before < 4 * SEC_NS); /* before libraft would try again */
    assert_non_null(strstr(said, "log cannot be written"));
    server_start(&server); /* and what was acknowledged is there */
    assert_true(server.machine.count >= 1);
    assert_int_equal(server.machine.numbers[0], 1);
    server_stop(&server);
    server_remove(&server);
}

static void fail_the_machine(struct one_server *server)
{
    server_start(server);
    server_add(server, 1);
    server->machine.fail_commit = true;
    uint64_t number = 2;
    struct submission submission = {.command = {(char *)&number, 8}, .done = never_answered};
    CHECK(order_submit(server->order, &submission) == 0);
    sleep(20); /* no wait: the failure ends this process long before */
}

static void a_machine_that_fails_is_fatal_and_answers_nothing(void **state)
{
    (void)state;
    struct one_server server;
    char said[800];
    server_dir(&server);
    assert_int_equal(in_a_child(fail_the_machine, &server, said, sizeof said), 3);
    assert_non_null(strstr(said, "no space left"));
    server_start(&server); /* the log has it, so it happens now: its fate was unknown */
    assert_int_equal(server.machine.count, 2);
    server_stop(&server);
    server_remove(&server);
}

/* ---- Growth ---- */

static uint64_t bytes_of(const char *folder)
{
    uint64_t sum = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        struct stat info;
        if (fstatat(dirfd(dir), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
            sum += (uint64_t)info.st_blocks * 512;
    }
    closedir(dir);
    return sum;
}

static void submit_in_waves(struct one_server *server, unsigned total, unsigned wave)
{
    struct open_load load = {.order = server->order};
    struct one_submission *all = calloc(wave, sizeof *all);
    char *long_one = calloc(1, 1000);
    for (unsigned sent = 0; sent < total; sent += wave) {
        atomic_store(&load.answered, 0);
        for (unsigned i = 0; i < wave; i++) {
            all[i] = (struct one_submission){.load = &load};
            all[i].submission = (struct submission){
                .command = {long_one, 1000}, .done = count_answer, .patient = true};
            assert_int_equal(order_submit(server->order, &all[i].submission), 0);
        }
        wait_for(&load.answered, wave);
    }
    assert_int_equal(load.wrong, 0);
    free(long_one);
    free(all);
}

static void snapshots_keep_the_directory_small_under_200k_commands(void **state)
{
    (void)state;
    struct one_server server;
    char folder[256];
    server_dir(&server);
    server_file(&server, "raft", folder);
    server_start(&server);
    submit_in_waves(&server, 200000, 1000); /* 200 MB of commands */
    assert_true(server.machine.durables >= 2);
    assert_true(bytes_of(folder) < 120u * 1024 * 1024);
    server_stop(&server);
    uint64_t before = clock_mono_ns();
    server_start(&server);
    uint64_t took = clock_mono_ns() - before;
    print_message("log %llu MB, restart took %llu ms\n",
                  (unsigned long long)(bytes_of(folder) >> 20), (unsigned long long)(took / MS_NS));
    assert_int_equal(server.machine.count, 200000);
    assert_true(took < 30 * SEC_NS);
    server_stop(&server);
    server_remove(&server);
}

/* The second is asked for when the first is on disk. */
static void wait_for_two_snapshots(const struct one_server *server)
{
    uint64_t until = clock_mono_ns() + 20 * SEC_NS;
    while (__atomic_load_n(&server->machine.durables, __ATOMIC_ACQUIRE) < 2) {
        assert_true(clock_mono_ns() < until);
        usleep(1000); /* no wait: the pace of looking */
    }
}

static void snapshots_by_count_cut_the_log_and_restart_from_them(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    struct failure failure;
    for (uint64_t round = 0; round < 4; round++) {
        struct replica_config config = server_config(&server);
        config.snapshot_threshold = 50;
        assert_int_equal(server_start_with(&server, &config, &failure), 0);
        for (uint64_t i = 0; i < 300; i++)
            assert_int_equal(server_add(&server, i), round * 300 + i);
        wait_for_two_snapshots(&server);
        server_stop(&server);
    }
    server_remove(&server);
}

static void a_database_older_than_the_snapshot_is_refused(void **state)
{
    (void)state;
    struct one_server server;
    char file[256];
    server_dir(&server);
    struct replica_config config = server_config(&server);
    config.snapshot_threshold = 50;
    struct failure failure = {0};
    assert_int_equal(server_start_with(&server, &config, &failure), 0);
    for (uint64_t i = 0; i < 300; i++)
        server_add(&server, i);
    wait_for_two_snapshots(&server);
    server_stop(&server);
    server_file(&server, "list.db", file);
    assert_int_equal(truncate(file, 0), 0);
    assert_int_equal(server_start_with(&server, &config, &failure), ERR_DAMAGED);
    assert_non_null(strstr(failure.text, "older than its log"));
    server_remove(&server);
}

static void time_never_goes_back_over_a_restart(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    server_add(&server, 1);
    struct order_status_report before, after;
    order_report(server.order, &before);
    assert_true(before.applied_time_ms > 0);
    server_stop(&server);
    server_start(&server);
    order_report(server.order, &after);
    assert_int_equal(after.applied_time_ms, before.applied_time_ms);
    server_add(&server, 2); /* list_apply checks the order of the stamps */
    server_stop(&server);
    server_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_get_results_in_order),
        cmocka_unit_test(what_was_answered_is_there_after_a_restart),
        cmocka_unit_test(a_database_that_lags_is_caught_up_from_the_log),
        cmocka_unit_test(a_database_ahead_of_its_log_is_refused),
        cmocka_unit_test(a_missing_record_of_votes_is_refused),
        cmocka_unit_test(a_first_start_that_was_cut_short_begins_anew),
        cmocka_unit_test(a_damaged_log_is_refused_and_left_alone),
        cmocka_unit_test(a_log_cut_short_within_an_open_segment_is_refused_with_words),
        cmocka_unit_test(two_servers_cannot_share_a_directory),
        cmocka_unit_test(a_log_of_another_server_is_refused),
        cmocka_unit_test(submissions_of_many_threads_are_answered_once_each),
        cmocka_unit_test(too_much_waiting_is_refused_and_waiters_get_room),
        cmocka_unit_test(a_log_that_stands_still_is_cut_off),
        cmocka_unit_test(stopping_answers_what_is_on_its_way_and_refuses_the_rest),
        cmocka_unit_test(a_failed_write_of_the_log_is_fatal_at_once),
        cmocka_unit_test(a_machine_that_fails_is_fatal_and_answers_nothing),
        cmocka_unit_test(snapshots_keep_the_directory_small_under_200k_commands),
        cmocka_unit_test(snapshots_by_count_cut_the_log_and_restart_from_them),
        cmocka_unit_test(a_database_older_than_the_snapshot_is_refused),
        cmocka_unit_test(time_never_goes_back_over_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

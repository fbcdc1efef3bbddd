/* Group commit: many jobs in a transaction, each of them whole or not at all. */
#include "base/check.h"
#include "folder_fixture.h"
#include "outside/writer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 500 };

struct bed {
    char folder[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct writer *writer;
};

static int make_tables(struct db *db, struct failure *failure)
{
    (void)failure;
    return db_exec(db, "CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY)");
}

static int set_up(void **state)
{
    struct failure failure = {0};
    struct bed *bed = calloc(1, sizeof *bed);
    folder_make(bed->folder);
    snprintf(bed->file, sizeof bed->file, "%s/some.db", bed->folder);
    if (writer_open(bed->file, make_tables, 0, NULL, &bed->writer, &failure))
        fail_msg("%s", failure.text);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    writer_close(bed->writer);
    folder_remove(bed->folder);
    free(bed);
    return 0;
}

struct insert {
    struct writer_job job;
    int64_t id;
    int give; /* what `run` gives after it has inserted */
    int err;
    unsigned told;
};

static int insert(struct writer_job *job, struct db *db)
{
    const struct insert *insert = CONTAINER_OF(job, struct insert, job);
    struct stmt *stmt = db_stmt(db, "INSERT INTO thing VALUES (?)");
    stmt_bind_i64(stmt, 1, insert->id);
    int err = stmt_run(stmt);
    return err ? err : insert->give;
}

static void told(struct writer_job *job, int err)
{
    struct insert *insert = CONTAINER_OF(job, struct insert, job);
    insert->err = err;
    insert->told++;
}

static uint64_t count_things(const struct bed *bed, const char *sql)
{
    struct db *db;
    struct failure failure = {0};
    if (db_open(bed->file, DB_READER, &db, &failure))
        fail_msg("%s", failure.text);
    uint64_t count = stmt_only_u64(db_stmt(db, sql), UINT64_MAX);
    db_close(db);
    return count;
}

static void what_was_answered_is_in_the_file(void **state)
{
    struct bed *bed = *state;
    struct insert one = {.job = {.run = insert}, .id = 7};
    assert_int_equal(writer_run(bed->writer, &one.job), 0);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing WHERE id = 7"), 1);
}

static void a_job_that_fails_is_undone_alone(void **state)
{
    struct bed *bed = *state;
    struct insert jobs[3] = {{.id = 1}, {.id = 2, .give = ERR_STATE}, {.id = 3}};
    for (int i = 0; i < 3; i++) {
        jobs[i].job = (struct writer_job){.run = insert, .done = told};
        assert_int_equal(writer_submit(bed->writer, &jobs[i].job), 0);
    }
    struct insert last = {.job = {.run = insert}, .id = 4};
    assert_int_equal(writer_run(bed->writer, &last.job), 0);
    assert_int_equal(jobs[0].err, 0);
    assert_int_equal(jobs[1].err, ERR_STATE);
    assert_int_equal(jobs[2].err, 0);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing"), 3);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing WHERE id = 2"), 0);
}

static void a_constraint_fails_the_job_that_breaks_it(void **state)
{
    struct bed *bed = *state;
    struct insert first = {.job = {.run = insert}, .id = 1};
    struct insert same = {.job = {.run = insert}, .id = 1};
    struct insert other = {.job = {.run = insert}, .id = 2};
    assert_int_equal(writer_run(bed->writer, &first.job), 0);
    assert_int_equal(writer_run(bed->writer, &same.job), ERR_INTERNAL);
    assert_int_equal(writer_run(bed->writer, &other.job), 0);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing"), 2);
}

static void what_waits_is_written_before_it_closes(void **state)
{
    struct bed *bed = *state;
    struct insert *jobs = calloc(MANY, sizeof *jobs);
    for (int i = 0; i < MANY; i++) {
        jobs[i] = (struct insert){.job = {.run = insert, .done = told}, .id = i};
        assert_int_equal(writer_submit(bed->writer, &jobs[i].job), 0);
    }
    writer_close(bed->writer);
    bed->writer = NULL;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(jobs[i].told, 1);
        assert_int_equal(jobs[i].err, 0);
    }
    free(jobs);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing"), MANY);
}

/* ---- Several submitters, and more than may wait ---- */

struct hold {
    struct writer_job job;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool running, go_on;
};

static int hold(struct writer_job *job, struct db *db)
{
    struct hold *held = CONTAINER_OF(job, struct hold, job);
    (void)db;
    pthread_mutex_lock(&held->mutex);
    held->running = true;
    pthread_cond_signal(&held->changed);
    while (!held->go_on)
        pthread_cond_wait(&held->changed, &held->mutex);
    pthread_mutex_unlock(&held->mutex);
    return 0;
}

static void ignore(struct writer_job *job, int err)
{
    (void)job, (void)err;
}

static void too_many_that_wait_are_refused(void **state)
{
    struct bed *bed = *state;
    struct hold held = {.job = {.run = hold, .done = ignore},
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER};
    struct insert *jobs = calloc(WRITER_WAITING_MAX + 1, sizeof *jobs);
    assert_int_equal(writer_submit(bed->writer, &held.job), 0);
    pthread_mutex_lock(&held.mutex);
    while (!held.running)
        pthread_cond_wait(&held.changed, &held.mutex);
    pthread_mutex_unlock(&held.mutex);
    for (int i = 0; i <= WRITER_WAITING_MAX; i++) {
        jobs[i] = (struct insert){.job = {.run = insert, .done = told}, .id = i};
        assert_int_equal(writer_submit(bed->writer, &jobs[i].job),
                         i < WRITER_WAITING_MAX ? 0 : ERR_BUSY);
    }
    pthread_mutex_lock(&held.mutex);
    held.go_on = true;
    pthread_cond_signal(&held.changed);
    pthread_mutex_unlock(&held.mutex);
    writer_close(bed->writer);
    bed->writer = NULL;
    assert_int_equal(jobs[WRITER_WAITING_MAX].told, 0);
    free(jobs);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing"), WRITER_WAITING_MAX);
}

struct crowd {
    struct writer *writer;
    int64_t from;
};

static void *submit_some(void *context)
{
    const struct crowd *crowd = context;
    for (int i = 0; i < MANY / 10; i++) {
        struct insert one = {.job = {.run = insert}, .id = crowd->from + i};
        CHECK(writer_run(crowd->writer, &one.job) == 0);
    }
    return NULL;
}

static void any_thread_may_submit(void **state)
{
    struct bed *bed = *state;
    pthread_t threads[10];
    struct crowd crowds[10];
    for (int i = 0; i < 10; i++) {
        crowds[i] = (struct crowd){bed->writer, i * 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, submit_some, &crowds[i]), 0);
    }
    for (int i = 0; i < 10; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count_things(bed, "SELECT count(*) FROM thing"), MANY);
}

/* ---- What cannot be opened ---- */

static int make_nonsense(struct db *db, struct failure *failure)
{
    (void)failure;
    return db_exec(db, "CREATE NONSENSE");
}

static void what_cannot_be_opened_says_why(void **state)
{
    struct bed *bed = *state;
    struct writer *writer;
    struct failure failure = {0};
    assert_int_equal(writer_open("/nowhere/some.db", make_tables, 0, NULL, &writer, &failure),
                     ERR_IO);
    assert_non_null(strstr(failure.text, "/nowhere/some.db"));
    assert_null(writer);
    char file[sizeof bed->file + 2];
    snprintf(file, sizeof file, "%s.2", bed->file);
    failure = (struct failure){0};
    assert_int_not_equal(writer_open(file, make_nonsense, 0, NULL, &writer, &failure), 0);
    assert_non_null(strstr(failure.text, "NONSENSE"));
    assert_null(writer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_answered_is_in_the_file),
        TEST(a_job_that_fails_is_undone_alone),
        TEST(a_constraint_fails_the_job_that_breaks_it),
        TEST(what_waits_is_written_before_it_closes),
        TEST(too_many_that_wait_are_refused),
        TEST(any_thread_may_submit),
        TEST(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

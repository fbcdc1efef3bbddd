/* The memory that the central queue is in: how it comes and goes, and who leads. */
#include "base/random.h"
#include "queue_bed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { SLOTS = 16, OPENERS = 6, OPENED = 60 };

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void the_last_one_leaves_nothing(void **state)
{
    struct bed *bed = *state;
    char dir[FOLDER_PATH];
    folder_make(dir);
    struct queue *first = queue_at(dir, &queue_usual), *second = queue_at(dir, NULL);
    char path[QUEUE_PATH];
    strcpy(path, first->path);
    unsigned seat = queue_take_seat(first, QUEUE_FRONT);
    queue_leave(first, seat);
    queue_close(first);
    assert_true(is_there(path));
    queue_take_seat(second, QUEUE_FRONT);
    queue_close(second);
    assert_false(is_there(path));
    folder_remove(dir);
    (void)bed;
}

static void check_no_queue(const char *dir)
{
    struct failure failure;
    struct queue *queue;
    assert_int_equal(queue_open(dir, NULL, &queue, &failure), ERR_NOTFOUND);
    assert_null(queue);
}

static void who_looks_for_a_queue_makes_none(void **state)
{
    struct bed *bed = *state;
    char dir[FOLDER_PATH], path[QUEUE_PATH];
    folder_make(dir);
    check_no_queue(dir);
    struct queue *queue = queue_at(dir, &queue_usual);
    strcpy(path, queue->path);
    queue_close(queue);
    check_no_queue(dir);
    assert_false(is_there(path));
    folder_remove(dir);
    check_no_queue(dir);
    (void)bed;
}

static void what_is_there_is_used_as_it_is(void **state)
{
    struct bed *bed = *state;
    struct queue_config other = {64, 8192, {1, 1, 1, 1}};
    struct queue *queue = queue_at(bed->dir, &other);
    assert_int_equal(queue_slots(queue), SLOTS);
    queue_close(queue);
}

static void another_versions_queue_is_left_alone(void **state)
{
    struct bed *bed = *state;
    struct failure failure;
    struct queue *queue;
    bed->queue->area->version++;
    assert_int_equal(queue_open(bed->dir, &queue_usual, &queue, &failure), ERR_STATE);
    assert_non_null(strstr(failure.text, "another version"));
    bed->queue->area->version--;
    queue_close(queue_at(bed->dir, NULL));
    assert_true(is_there(bed->queue->path));
}

static void what_the_dead_left_is_begun_anew(void **state)
{
    struct bed *bed = *state;
    char dir[FOLDER_PATH], path[QUEUE_PATH];
    folder_make(dir);
    for (unsigned i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct queue *queue = queue_at(dir, &queue_usual);
            unsigned seat = queue_take_seat(queue, QUEUE_FRONT);
            queue_push_one(queue, queue_enter_usual(queue, seat, SHARE_PAGES));
            raise(SIGKILL);
        }
        assert_int_equal(waitpid(child, NULL, 0), child);
        if (i == 1)
            break;
        struct queue *queue = queue_at(dir, &queue_usual);
        strcpy(path, queue->path);
        assert_int_equal(queue_count_state(queue, QUEUE_FREE), SLOTS);
        assert_null(queue_find_fault(queue));
        queue_close(queue);
    }
    assert_true(is_there(path));
    check_no_queue(dir); /* who only looks for one puts away what is left */
    assert_false(is_there(path));
    folder_remove(dir);
    (void)bed;
}

static void without_its_place_in_memory_it_is_beside_the_data(void **state)
{
    struct bed *bed = *state;
    char dir[FOLDER_PATH], path[QUEUE_PATH], beside[FOLDER_PATH + 8];
    folder_make(dir);
    struct queue *queue = queue_at(dir, &queue_usual);
    strcpy(path, queue->path);
    queue_close(queue);
    snprintf(beside, sizeof beside, "%s/queue", dir);
    if (strcmp(path, beside) != 0) { /* somebody else has it: others may look into it */
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chmod(path, 0755), 0);
    }
    check_no_queue(dir);
    queue = queue_at(dir, &queue_usual);
    assert_string_equal(queue->path, beside);
    unsigned seat = queue_take_seat(queue, QUEUE_WORKER);
    struct queue *other = queue_at(dir, NULL);
    assert_string_equal(other->path, beside);
    queue_ring(other, seat);
    assert_true(queue_hears(queue, seat, 0));
    queue_close(other);
    queue_close(queue);
    assert_false(is_there(beside));
    rmdir(path);
    folder_remove(dir);
    (void)bed;
}

static void without_room_it_says_so_and_leaves_nothing(void **state)
{
    struct bed *bed = *state;
    char dir[FOLDER_PATH];
    int status;
    folder_make(dir);
    pid_t child = fork();
    if (child == 0) {
        struct failure failure = {0};
        struct queue *queue;
        struct rlimit small = {64 << 10, 64 << 10};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &small);
        int err = queue_open(dir, &queue_usual, &queue, &failure);
        _exit((err == ERR_IO || err == ERR_FULL) && !queue && failure.text[0] ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct queue *queue = queue_at(dir, &queue_usual);
    assert_int_equal(queue_count_state(queue, QUEUE_FREE), SLOTS);
    queue_close(queue);
    folder_remove(dir);
    (void)bed;
}

/* Comes and goes, and uses it in between. */
static void come_and_go(const char *dir, uint64_t seed)
{
    struct random random;
    random_seed(&random, seed);
    for (unsigned i = 0; i < OPENED; i++) {
        struct queue *queue = queue_at(dir, &queue_usual);
        unsigned seat = queue_take_seat(queue, QUEUE_FRONT);
        unsigned slot = queue_enter_usual(queue, seat, SHARE_PAGES);
        if (slot != QUEUE_NONE)
            queue_push_one(queue, slot);
        if (random_below(&random, 4) == 0)
            CHECK(queue_find_fault(queue) == NULL);
        if (random_below(&random, 2))
            queue_leave(queue, seat);
        queue_close(queue);
    }
    _exit(0);
}

static void many_may_come_and_go_at_once(void **state)
{
    struct bed *bed = *state;
    char dir[FOLDER_PATH], path[QUEUE_PATH];
    int status;
    folder_make(dir);
    struct queue *queue = queue_at(dir, &queue_usual);
    strcpy(path, queue->path);
    queue_close(queue);
    for (unsigned i = 0; i < OPENERS; i++)
        if (fork() == 0)
            come_and_go(dir, i);
    for (unsigned i = 0; i < OPENERS; i++) {
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_false(is_there(path));
    folder_remove(dir);
    (void)bed;
}

static void one_of_them_leads(void **state)
{
    struct bed *bed = *state;
    struct queue *other = queue_at(bed->dir, NULL);
    assert_true(queue_lead(bed->queue));
    assert_true(queue_lead(bed->queue));
    assert_false(queue_lead(other));
    queue_follow(bed->queue);
    assert_true(queue_lead(other));
    assert_false(queue_lead(bed->queue));
    queue_close(other); /* as at a death */
    assert_true(queue_lead(bed->queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUED(the_last_one_leaves_nothing),
        QUEUED(who_looks_for_a_queue_makes_none),
        QUEUED(what_is_there_is_used_as_it_is),
        QUEUED(another_versions_queue_is_left_alone),
        QUEUED(what_the_dead_left_is_begun_anew),
        QUEUED(without_its_place_in_memory_it_is_beside_the_data),
        QUEUED(without_room_it_says_so_and_leaves_nothing),
        QUEUED(many_may_come_and_go_at_once),
        QUEUED(one_of_them_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

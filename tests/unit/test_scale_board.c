/* What the master front tells all: whole or not at all, whoever dies while he writes. */
#include "folder_fixture.h"
#include "scale/board.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char folder[FOLDER_PATH];
    struct queue *queue;
    struct scale_board board, read;
};

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    struct queue_config config = {.slots = 8, .pipe_bytes = 4096, .weight = {1, 1, 1, 1}};
    struct failure failure;
    folder_make(place->folder);
    assert_int_equal(queue_open(place->folder, &config, &place->queue, &failure), 0);
    *state = place;
    return 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    queue_close(place->queue);
    folder_remove(place->folder);
    free(place);
    return 0;
}

/* Of which every part says NUMBER. */
static void fill(struct scale_board *board, unsigned number)
{
    memset(board, 0, sizeof *board);
    board->master.pid = number;
    board->workers_wanted = number;
    board->decisions = number;
    board->count = SCALE_EVENTS;
    for (unsigned i = 0; i < SCALE_EVENTS; i++)
        board->events[i].sample.queued = number;
}

static void is_whole(const struct scale_board *board)
{
    assert_int_equal(board->workers_wanted, board->master.pid);
    assert_int_equal(board->decisions, board->master.pid);
    for (unsigned i = 0; i < SCALE_EVENTS; i++)
        assert_int_equal(board->events[i].sample.queued, board->master.pid);
}

static void nobody_has_told_anything_yet(void **state)
{
    struct place *place = *state;
    fill(&place->read, 7);
    assert_false(scale_board_read(place->queue, &place->read));
    assert_int_equal(place->read.master.pid, 7);
}

static void what_one_process_tells_another_reads(void **state)
{
    struct place *place = *state;
    struct queue *other;
    struct failure failure;
    fill(&place->board, 42);
    strcpy(place->board.rule, "poll");
    scale_board_write(place->queue, &place->board);
    assert_int_equal(queue_open(place->folder, NULL, &other, &failure), 0);
    assert_true(scale_board_read(other, &place->read));
    assert_memory_equal(&place->read, &place->board, sizeof place->board);
    queue_close(other);
}

static void the_oldest_decision_makes_room_for_the_newest(void **state)
{
    struct place *place = *state;
    for (unsigned i = 1; i <= SCALE_EVENTS + 3; i++) {
        struct scale_event event = {.wall_ms = i};
        scale_board_add(&place->board, &event);
    }
    assert_int_equal(place->board.count, SCALE_EVENTS);
    assert_int_equal(place->board.decisions, SCALE_EVENTS + 3);
    assert_int_equal(place->board.events[0].wall_ms, 4);
    assert_int_equal(place->board.events[SCALE_EVENTS - 1].wall_ms, SCALE_EVENTS + 3);
}

static void what_makes_no_sense_is_not_believed(void **state)
{
    struct place *place = *state;
    place->board.count = SCALE_EVENTS + 1;
    scale_board_write(place->queue, &place->board);
    assert_false(scale_board_read(place->queue, &place->read));
    fill(&place->board, 1);
    memset(place->board.rule, 'x', sizeof place->board.rule);
    scale_board_write(place->queue, &place->board);
    assert_false(scale_board_read(place->queue, &place->read));
    fill(&place->board, 1);
    memset(place->board.events[3].decision.reason, 'x', SCALE_REASON);
    scale_board_write(place->queue, &place->board);
    assert_false(scale_board_read(place->queue, &place->read));
    queue_board_write(place->queue, "short", 5);
    assert_false(scale_board_read(place->queue, &place->read));
}

/* Writes without end. */
static pid_t start_writer(struct place *place)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    for (unsigned number = 1;; number = number % 1000000 + 1) {
        fill(&place->board, number);
        scale_board_write(place->queue, &place->board);
    }
}

static void end_writer(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void it_is_read_whole_while_it_is_written(void **state)
{
    struct place *place = *state;
    pid_t writer = start_writer(place);
    for (unsigned read = 0; read < 200;) {
        if (!scale_board_read(place->queue, &place->read))
            continue;
        is_whole(&place->read);
        read++;
    }
    end_writer(writer);
}

static void a_writer_that_is_killed_leaves_no_half_of_it(void **state)
{
    struct place *place = *state;
    for (unsigned i = 0; i < 100; i++) {
        pid_t writer = start_writer(place);
        while (!scale_board_read(place->queue, &place->read))
            sched_yield();
        end_writer(writer);
        if (scale_board_read(place->queue, &place->read))
            is_whole(&place->read);
        fill(&place->board, 5); /* by the next one */
        scale_board_write(place->queue, &place->board);
        assert_true(scale_board_read(place->queue, &place->read));
        assert_int_equal(place->read.master.pid, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_has_told_anything_yet, open_place, close_place),
        cmocka_unit_test_setup_teardown(what_one_process_tells_another_reads, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(the_oldest_decision_makes_room_for_the_newest, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_not_believed, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(it_is_read_whole_while_it_is_written, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(a_writer_that_is_killed_leaves_no_half_of_it, open_place,
                                        close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What was submitted becomes entries of the log, and is never lost or told wrongly when libraft
 * does not bring it through. libraft itself is played by the test. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/batch.h"
#include "replica/propose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- libraft, as far as propose.c calls it ---- */

enum { ENTRIES = 32 };

static struct {
    enum raft_state state;
    int status;
    raft_id transferee;
    uint64_t index;
    struct raft_apply *requests[ENTRIES]; /* in flight */
    raft_apply_cb done[ENTRIES];
    struct raft_buffer entries[ENTRIES];
    unsigned count;
} fake;

enum raft_state raft_state(struct raft *raft)
{
    (void)raft;
    return fake.state;
}

raft_id raft_transferee(const struct raft *raft)
{
    (void)raft;
    return fake.transferee;
}

const char *raft_errmsg(struct raft *raft)
{
    (void)raft;
    return "as the test wants it";
}

void *raft_malloc(size_t size)
{
    return malloc(size);
}

void raft_free(void *room)
{
    free(room);
}

int raft_apply(struct raft *raft, struct raft_apply *request, const struct raft_buffer buffers[],
               unsigned count, raft_apply_cb done)
{
    (void)raft;
    assert_int_equal(count, 1);
    assert_int_equal(buffers[0].len % 8, 0);
    if (fake.status != 0)
        return fake.status;
    assert_in_range(fake.count, 0, ENTRIES - 1);
    request->index = ++fake.index;
    fake.requests[fake.count] = request;
    fake.done[fake.count] = done;
    fake.entries[fake.count++] = buffers[0];
    return 0;
}

/* ---- A machine that does nothing ---- */

static uint64_t nothing_applied(void *context)
{
    (void)context;
    return 0;
}

static int64_t some_time(void *context)
{
    (void)context;
    return 1000;
}

struct scene {
    struct ordering order;
    struct applier *applier;
    struct proposer proposer;
    unsigned made, answered;
};

struct one {
    struct submission submission;
    struct scene *scene;
    char text[16];
    int err;
};

static void nothing(void *context)
{
    (void)context;
}

static void set_up(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    memset(&fake, 0, sizeof fake);
    fake.state = RAFT_LEADER;
    ordering_init(&scene->order, 65536, 64 << 20, 60000, nothing, NULL);
    ordering_open(&scene->order);
    struct applier_config config = {
        .machine = {.applied = nothing_applied, .applied_time = some_time}, .order = &scene->order};
    struct failure failure;
    assert_int_equal(applier_start(&config, &scene->applier, &failure), 0);
    propose_init(&scene->proposer, NULL, &scene->order, scene->applier, 77);
    scene->proposer.batch_bytes_max = 256 * 1024;
}

static void tear_down(struct scene *scene)
{
    assert_int_equal(scene->answered, scene->made);
    assert_int_equal(atomic_load(&scene->order.waiting), 0);
    assert_int_equal(scene->proposer.in_flight, 0);
    applier_stop(scene->applier);
    ordering_close(&scene->order);
    ordering_destroy(&scene->order);
}

static void done(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct one *one = CONTAINER_OF(submission, struct one, submission);
    (void)index, (void)result;
    assert_int_equal(one->err, -1);
    one->err = err;
    one->scene->answered++;
}

static void submit(struct scene *scene, struct one *ones, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        ones[i] = (struct one){.scene = scene, .err = -1, .submission = {.done = done}};
        snprintf(ones[i].text, sizeof ones[i].text, "c%u", scene->made++);
        ones[i].submission.command = str_of(ones[i].text);
        assert_int_equal(order_submit(&scene->order, &ones[i].submission), 0);
    }
    propose_add(&scene->proposer, ordering_take(&scene->order));
}

static struct str entry_at(unsigned i)
{
    return str_make(fake.entries[i].base, fake.entries[i].len);
}

static void expect_entry(unsigned i, const struct one *ones, unsigned count)
{
    struct batch batch;
    struct str command;
    assert_int_equal(batch_open(&batch, entry_at(i)), 0);
    assert_int_equal(batch.count, count);
    for (unsigned k = 0; k < count; k++) {
        assert_true(batch_next(&batch, &command));
        assert_true(str_eq(command, str_of(ones[k].text)));
    }
}

/* The oldest that is in flight. */
static void settle_oldest(int status)
{
    struct raft_apply *request = fake.requests[0];
    raft_apply_cb done_cb = fake.done[0];
    raft_free(fake.entries[0].base);
    fake.count--;
    memmove(fake.requests, fake.requests + 1, sizeof fake.requests - sizeof fake.requests[0]);
    memmove(fake.done, fake.done + 1, sizeof fake.done - sizeof fake.done[0]);
    memmove(fake.entries, fake.entries + 1, sizeof fake.entries - sizeof fake.entries[0]);
    done_cb(request, status, NULL);
}

/* As raft_fsm.c and the applier: the oldest is committed, applied and answered. */
static void commit_oldest(struct scene *scene, uint64_t index)
{
    struct applier_entry *entry = propose_match(&scene->proposer, index, entry_at(0));
    assert_non_null(entry);
    assert_int_equal(entry->index, index);
    uint64_t bytes = entry->command_bytes, count = entry->count;
    for (struct submission *s = entry->first, *next; s != NULL; s = next) {
        next = s->next;
        s->done(s, 0, index, STR_NONE);
    }
    free(entry);
    ordering_answered(&scene->order, count, count, bytes);
    settle_oldest(0);
}

static void one_goes_at_once_and_the_rest_gathers(void **state)
{
    (void)state;
    struct scene scene;
    struct one ones[20];
    set_up(&scene);
    for (unsigned i = 0; i < PROPOSE_IN_FLIGHT; i++) {
        submit(&scene, &ones[i], 1);
        assert_false(propose_pump(&scene.proposer));
        assert_int_equal(fake.count, i + 1);
        expect_entry(i, &ones[i], 1);
    }
    unsigned rest = 20 - PROPOSE_IN_FLIGHT;
    submit(&scene, &ones[PROPOSE_IN_FLIGHT], rest);
    propose_pump(&scene.proposer);
    assert_int_equal(fake.count, PROPOSE_IN_FLIGHT);
    commit_oldest(&scene, 1);
    propose_pump(&scene.proposer);
    assert_int_equal(fake.count, PROPOSE_IN_FLIGHT);
    expect_entry(PROPOSE_IN_FLIGHT - 1, &ones[PROPOSE_IN_FLIGHT], rest);
    for (uint64_t index = 2; fake.count > 0; index++)
        commit_oldest(&scene, index);
    tear_down(&scene);
}

static void nothing_is_proposed_while_somebody_else_is_or_becomes_primary(void **state)
{
    (void)state;
    struct scene scene;
    struct one ones[1];
    set_up(&scene);
    submit(&scene, ones, 1);
    fake.state = RAFT_FOLLOWER;
    assert_false(propose_pump(&scene.proposer));
    fake.state = RAFT_LEADER;
    fake.transferee = 3;
    assert_false(propose_pump(&scene.proposer));
    fake.transferee = 0;
    scene.proposer.held = true;
    assert_false(propose_pump(&scene.proposer));
    assert_int_equal(fake.count, 0);
    scene.proposer.held = false; /* the handover did not come about */
    assert_false(propose_pump(&scene.proposer));
    assert_int_equal(fake.count, 1);
    commit_oldest(&scene, 1);
    tear_down(&scene);
}

static void what_leadership_lost_left_open_comes_back_in_order(void **state)
{
    (void)state;
    struct scene scene;
    struct one ones[10];
    set_up(&scene);
    for (unsigned i = 0; i < PROPOSE_IN_FLIGHT; i++) {
        submit(&scene, &ones[i * 2], 2);
        propose_pump(&scene.proposer);
    }
    unsigned flying = PROPOSE_IN_FLIGHT * 2;
    submit(&scene, &ones[flying], 10 - flying);
    propose_pump(&scene.proposer);
    fake.state = RAFT_FOLLOWER;
    while (fake.count > 0)
        settle_oldest(RAFT_LEADERSHIPLOST);
    const struct submission *lost = propose_lost(&scene.proposer);
    for (unsigned i = 0; i < 10; i++) {
        assert_ptr_equal(lost, &ones[i].submission);
        assert_int_equal(lost->sent, i < flying); /* these may still be committed */
        lost = lost->next;
    }
    assert_null(lost);
    assert_null(propose_lost(&scene.proposer));
    ordering_end(&scene.order, &ones[0].submission, ERR_CLOSED);
    assert_int_equal(ones[0].err, ERR_TIMEOUT);
    assert_int_equal(ones[9].err, ERR_CLOSED);
    tear_down(&scene);
}

static void an_entry_of_another_primary_at_the_same_place_is_not_taken_for_ours(void **state)
{
    (void)state;
    struct scene scene;
    struct one ones[1];
    set_up(&scene);
    submit(&scene, ones, 1);
    propose_pump(&scene.proposer);
    uint64_t room[BATCH_HEADER / 8] = {0};
    struct batch_writer writer;
    batch_begin(&writer, room, sizeof room, 0, 5000, 4711);
    batch_end(&writer);
    assert_null(propose_match(&scene.proposer, 1, str_make(room, sizeof room)));
    assert_int_equal(scene.proposer.committed_time_ms, 5000);
    settle_oldest(RAFT_LEADERSHIPLOST);
    ordering_end(&scene.order, propose_lost(&scene.proposer), ERR_CLOSED);
    tear_down(&scene);
}

static void a_time_that_went_back_is_not_applied(void **state)
{
    (void)state;
    struct scene scene;
    set_up(&scene);
    const int64_t stamps[] = {5000, 3000, 6000};
    const int64_t applied[] = {5000, 5000, 6000};
    for (unsigned i = 0; i < COUNT_OF(stamps); i++) {
        uint64_t room[BATCH_HEADER / 8] = {0};
        struct batch_writer writer;
        batch_begin(&writer, room, sizeof room, 0, stamps[i], 4711);
        batch_end(&writer);
        assert_null(propose_match(&scene.proposer, i + 1, str_make(room, sizeof room)));
        assert_int_equal(scene.proposer.committed_time_ms, applied[i]);
    }
    tear_down(&scene);
}

static void what_is_late_ends_and_its_entry_is_applied_all_the_same(void **state)
{
    (void)state;
    struct scene scene;
    struct one ones[5];
    set_up(&scene);
    submit(&scene, &ones[0], 2);
    propose_pump(&scene.proposer);
    scene.proposer.held = true;
    submit(&scene, &ones[2], 2);
    uint64_t begun = clock_mono_ns() + 1;
    submit(&scene, &ones[4], 1);
    ones[4].submission.submitted_ns = begun + SEC_NS;
    propose_expire(&scene.proposer, begun);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(ones[i].err, i < 2 ? ERR_TIMEOUT : i < 4 ? ERR_NOPRIMARY : -1);
    /* It is committed after all: as an entry of somebody else. */
    assert_null(propose_match(&scene.proposer, 1, entry_at(0)));
    settle_oldest(0);
    scene.proposer.held = false;
    propose_pump(&scene.proposer);
    expect_entry(0, &ones[4], 1);
    commit_oldest(&scene, 2);
    tear_down(&scene);
}

static void without_room_on_the_disk_it_waits_and_goes_on(void **state)
{
    (void)state;
    struct scene scene;
    struct one ones[3];
    set_up(&scene);
    submit(&scene, ones, 3);
    fake.status = RAFT_NOSPACE;
    assert_true(propose_pump(&scene.proposer));
    assert_true(scene.proposer.no_room_since_ns != 0);
    assert_int_equal(scene.answered, 0);
    fake.status = 0;
    assert_false(propose_pump(&scene.proposer));
    assert_int_equal(scene.proposer.no_room_since_ns, 0);
    expect_entry(0, ones, 3);
    commit_oldest(&scene, 1);
    /* For long: who can be refused is; who may have happened is not told that it did not. */
    submit(&scene, ones, 2);
    ones[1].submission.sent = true;
    fake.status = RAFT_NOSPACE;
    assert_true(propose_pump(&scene.proposer));
    scene.proposer.no_room_since_ns = 1;
    propose_pump(&scene.proposer);
    assert_int_equal(ones[0].err, ERR_BUSY);
    assert_int_equal(ones[1].err, ERR_TIMEOUT);
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_goes_at_once_and_the_rest_gathers),
        cmocka_unit_test(nothing_is_proposed_while_somebody_else_is_or_becomes_primary),
        cmocka_unit_test(what_leadership_lost_left_open_comes_back_in_order),
        cmocka_unit_test(an_entry_of_another_primary_at_the_same_place_is_not_taken_for_ours),
        cmocka_unit_test(a_time_that_went_back_is_not_applied),
        cmocka_unit_test(what_is_late_ends_and_its_entry_is_applied_all_the_same),
        cmocka_unit_test(without_room_on_the_disk_it_waits_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

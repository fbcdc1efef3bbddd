/* The only voter takes a term of its own: when it is the only one, and what it does then. */
#include "base/check.h"
#include "replica/lone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct raft_configuration members(unsigned voters, unsigned standbys)
{
    struct raft_configuration made;
    raft_configuration_init(&made);
    for (unsigned i = 0; i < voters + standbys; i++) {
        char address[2] = {(char)('a' + i), 0};
        CHECK(raft_configuration_add(&made, i + 1, address,
                                     i < voters ? RAFT_VOTER : RAFT_STANDBY) == 0);
    }
    return made;
}

static void alone_is_who_has_the_only_vote(void **state)
{
    (void)state;
    struct raft_configuration one = members(1, 2), two = members(2, 1);
    assert_true(lone_is(&one, 1));
    assert_false(lone_is(&one, 2));
    assert_false(lone_is(&one, 9));
    assert_false(lone_is(&two, 1));
    raft_configuration_close(&one);
    raft_configuration_close(&two);
}

static struct raft_entry change_to(unsigned voters, unsigned standbys)
{
    struct raft_configuration made = members(voters, standbys);
    struct raft_entry entry = {.term = 1, .type = RAFT_CHANGE};
    CHECK(raft_configuration_encode(&made, &entry.buf) == 0);
    raft_configuration_close(&made);
    return entry;
}

static void the_last_configuration_on_disk_counts(void **state)
{
    (void)state;
    struct raft_entry log[3] = {
        change_to(1, 0), {.term = 1, .type = RAFT_BARRIER}, change_to(2, 0)};
    struct raft_snapshot snapshot = {.index = 7, .configuration = members(1, 1)};
    assert_false(lone_was(NULL, log, 0, 1));
    assert_true(lone_was(NULL, log, 1, 1));
    assert_true(lone_was(NULL, log, 2, 1));
    assert_false(lone_was(NULL, log, 3, 1));
    assert_true(lone_was(&snapshot, log, 0, 1));
    assert_true(lone_was(&snapshot, log, 1, 1));
    assert_true(lone_was(&snapshot, log + 1, 1, 1));
    assert_false(lone_was(&snapshot, log + 1, 2, 1));
    assert_false(lone_was(&snapshot, log, 0, 2));
    raft_free(log[0].buf.base);
    raft_free(log[2].buf.base);
    raft_configuration_close(&snapshot.configuration);
}

/* ---- Before libraft makes it leader ---- */

struct disk {
    struct raft_io io; /* first */
    raft_term term;
    raft_id voted_for;
    raft_time now;
};

static int keep_term(struct raft_io *io, raft_term term)
{
    ((struct disk *)io)->term = term;
    ((struct disk *)io)->voted_for = 0;
    return 0;
}

static int keep_vote(struct raft_io *io, raft_id candidate)
{
    ((struct disk *)io)->voted_for = candidate;
    return 0;
}

static raft_time now_of(struct raft_io *io)
{
    return ((struct disk *)io)->now;
}

static void follower(struct raft *raft, struct disk *disk, unsigned voters)
{
    memset(raft, 0, sizeof *raft);
    *disk = (struct disk){.io = {.set_term = keep_term, .set_vote = keep_vote, .time = now_of},
                          .term = 6,
                          .now = 500};
    raft->id = 1;
    raft->io = &disk->io;
    raft->state = RAFT_FOLLOWER;
    raft->current_term = 6;
    raft->configuration = members(voters, 1);
    raft->follower_state.randomized_election_timeout = 300;
    raft->election_timer_start = 201;
}

static void it_has_a_new_term_on_disk_before_its_patience_ends(void **state)
{
    (void)state;
    struct raft raft;
    struct disk disk;
    follower(&raft, &disk, 1);
    lone_before_tick(&raft);
    assert_int_equal(raft.current_term, 6);
    disk.now++;
    lone_before_tick(&raft);
    assert_int_equal(raft.current_term, 7);
    assert_int_equal(raft.voted_for, 1);
    assert_int_equal(disk.term, 7);
    assert_int_equal(disk.voted_for, 1);
    raft_configuration_close(&raft.configuration);
    follower(&raft, &disk, 2);
    disk.now++;
    lone_before_tick(&raft);
    assert_int_equal(raft.current_term, 6);
    raft_configuration_close(&raft.configuration);
}

static void one_that_is_told_to_lead_leads_in_a_new_term(void **state)
{
    (void)state;
    struct raft raft;
    struct disk disk;
    follower(&raft, &disk, 1);
    struct raft_message message = {.type = RAFT_TIMEOUT_NOW, .timeout_now = {.term = 5}};
    lone_before_message(&raft, &message); /* an old one */
    assert_int_equal(raft.current_term, 6);
    message.timeout_now.term = 6;
    lone_before_message(&raft, &message);
    assert_int_equal(raft.current_term, 7);
    assert_int_equal(message.timeout_now.term, 7);
    assert_int_equal(disk.term, 7);
    raft_configuration_close(&raft.configuration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_is_who_has_the_only_vote),
        cmocka_unit_test(the_last_configuration_on_disk_counts),
        cmocka_unit_test(it_has_a_new_term_on_disk_before_its_patience_ends),
        cmocka_unit_test(one_that_is_told_to_lead_leads_in_a_new_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

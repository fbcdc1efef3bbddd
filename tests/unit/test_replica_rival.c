/* Two who stand at the same time: who of them asks again soon. */
#include "base/check.h"
#include "replica/rival.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 10000, TIMEOUT = 400, LAST = 20, TERM = 5 };

static raft_time now_of(struct raft_io *io)
{
    (void)io;
    return NOW;
}

struct scene {
    struct raft_io io;
    struct raft raft;
    struct raft_message message;
};

/* Server 2, which stands in TERM since 30 ms, with a log up to LAST of TERM - 1; server 3 asks for
 * its vote with the same log. */
static void stage(struct scene *scene, bool pre_vote)
{
    memset(scene, 0, sizeof *scene);
    scene->io.time = now_of;
    scene->raft.io = &scene->io;
    scene->raft.id = 2;
    scene->raft.state = RAFT_CANDIDATE;
    scene->raft.current_term = TERM;
    scene->raft.election_timer_start = NOW - 30;
    scene->raft.candidate_state.randomized_election_timeout = TIMEOUT;
    scene->raft.candidate_state.in_pre_vote = pre_vote;
    scene->message.type = RAFT_REQUEST_VOTE;
    scene->message.server_id = 3;
    scene->message.request_vote = (struct raft_request_vote){.term = pre_vote ? TERM + 1 : TERM,
                                                             .last_log_index = LAST,
                                                             .last_log_term = TERM - 1,
                                                             .pre_vote = pre_vote};
}

/* In how many milliseconds server 2 asks again. */
static raft_time asks_again_in(struct scene *scene)
{
    rival_before_message(&scene->raft, LAST, TERM - 1, &scene->message);
    return scene->raft.election_timer_start +
           scene->raft.candidate_state.randomized_election_timeout - NOW;
}

static void who_has_the_longer_log_asks_again_soon(void **state)
{
    (void)state;
    struct scene scene;
    for (int pre_vote = 0; pre_vote < 2; pre_vote++) {
        stage(&scene, pre_vote);
        scene.message.request_vote.last_log_index = LAST - 1;
        assert_int_equal(asks_again_in(&scene), RIVAL_MS);
        stage(&scene, pre_vote);
        scene.message.request_vote.last_log_index = LAST + 9;
        scene.message.request_vote.last_log_term = TERM - 2;
        assert_int_equal(asks_again_in(&scene), RIVAL_MS);
        stage(&scene, pre_vote);
        scene.message.request_vote.last_log_index = LAST + 1;
        assert_int_equal(asks_again_in(&scene), TIMEOUT - 30);
    }
}

static void of_a_torn_vote_the_lower_id_does(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene, false);
    assert_int_equal(asks_again_in(&scene), RIVAL_MS);
    stage(&scene, false);
    scene.message.server_id = 1;
    assert_int_equal(asks_again_in(&scene), TIMEOUT - 30);
    stage(&scene, false);
    scene.message.request_vote.term = TERM + 1; /* it gets our vote */
    assert_int_equal(asks_again_in(&scene), TIMEOUT - 30);
    stage(&scene, true); /* the same */
    assert_int_equal(asks_again_in(&scene), TIMEOUT - 30);
}

static void who_does_not_stand_or_is_about_to_ask_changes_nothing(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene, false);
    scene.raft.state = RAFT_FOLLOWER;
    assert_int_equal(asks_again_in(&scene), TIMEOUT - 30);
    stage(&scene, false);
    scene.message.type = RAFT_APPEND_ENTRIES;
    assert_int_equal(asks_again_in(&scene), TIMEOUT - 30);
    stage(&scene, false);
    scene.raft.election_timer_start = NOW - TIMEOUT + 10;
    assert_int_equal(asks_again_in(&scene), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_the_longer_log_asks_again_soon),
        cmocka_unit_test(of_a_torn_vote_the_lower_id_does),
        cmocka_unit_test(who_does_not_stand_or_is_about_to_ask_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

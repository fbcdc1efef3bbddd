/* The fence as text and as an order; and in which term a server may say that it leads. */
#include "base/clock.h"
#include "base/err.h"
#include "replica/fence.h"
#include "replica/leading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- Fence ---- */

static void a_fence_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct fence fence = {.shop = id_new(1), .epoch = 1795361400, .term = UINT64_MAX}, read;
    char text[FENCE_TEXT_SIZE];
    fence_write(&fence, text);
    assert_int_equal(fence_parse(str_of(text), &read), 0);
    assert_true(id_eq(read.shop, fence.shop));
    assert_int_equal(fence_compare(&read, &fence), 0);
}

static void what_is_no_fence_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "0.1",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b 1",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b 1.",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b .1",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b 1.-1",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b 1.2.3",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5 1.2",
        "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b 1.2",
        "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b 1.18446744073709551616",
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct fence fence = {.term = 7};
        assert_int_equal(fence_parse(str_of(wrong[i]), &fence), ERR_INVALID);
        assert_int_equal(fence.term, 7);
    }
}

static void a_later_epoch_outranks_any_term(void **state)
{
    (void)state;
    struct fence old = {.epoch = 3, .term = 900}, restored = {.epoch = 4, .term = 1},
                 next = {.epoch = 3, .term = 901};
    assert_true(fence_compare(&old, &restored) < 0);
    assert_true(fence_compare(&restored, &next) > 0);
    assert_true(fence_compare(&old, &next) < 0);
}

/* ---- Leading ---- */

enum { OWN = 1, TERM = 5 };

static const uint64_t gap = 150 * MS_NS, beat = 30 * MS_NS;

struct scene {
    struct leading leading;
    struct raft_server servers[3];
    struct raft_configuration members;
    uint64_t now;
};

static void stage(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    for (unsigned i = 0; i < 3; i++)
        scene->servers[i] = (struct raft_server){.id = i + 1, .role = RAFT_VOTER};
    scene->members = (struct raft_configuration){.servers = scene->servers, .n = 3};
    scene->now = 100 * SEC_NS;
    leading_init(&scene->leading, gap, beat);
    leading_turn(&scene->leading, scene->now, TERM, OWN, &scene->members);
}

static uint64_t after(struct scene *scene, uint64_t ns, uint64_t term)
{
    scene->now += ns;
    leading_turn(&scene->leading, scene->now, term, OWN, &scene->members);
    return leading_term(&scene->leading, scene->now);
}

static void the_term_is_that_of_the_last_turn(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene);
    assert_int_equal(leading_term(&scene.leading, scene.now), TERM);
    assert_int_equal(after(&scene, beat, 0), 0);
    assert_int_equal(after(&scene, beat, TERM + 2), TERM + 2);
}

static void whoever_asks_before_the_loop_has_noticed_hears_of_the_gap(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene);
    assert_int_equal(leading_term(&scene.leading, scene.now + gap), TERM);
    assert_int_equal(leading_term(&scene.leading, scene.now + gap + 1), 0);
}

static void after_a_gap_a_majority_must_have_been_heard_from(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene);
    assert_int_equal(after(&scene, gap + 1, TERM), 0);
    leading_heard(&scene.leading, 2, scene.now); /* may have come while the process stood still */
    assert_int_equal(after(&scene, beat, TERM), 0);
    leading_heard(&scene.leading, 2, scene.now);
    assert_int_equal(after(&scene, 1, TERM), TERM);
}

static void the_word_of_one_without_a_vote_does_not_count(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene);
    scene.servers[2].role = RAFT_STANDBY;
    assert_int_equal(after(&scene, gap + 1, TERM), 0);
    assert_int_equal(after(&scene, beat, TERM), 0);
    leading_heard(&scene.leading, 3, scene.now);
    leading_heard(&scene.leading, 9, scene.now);
    assert_int_equal(after(&scene, 1, TERM), 0);
    leading_heard(&scene.leading, 2, scene.now);
    assert_int_equal(after(&scene, 1, TERM), TERM);
}

static void an_election_ends_the_doubt(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene);
    assert_int_equal(after(&scene, gap + 1, TERM), 0);
    assert_int_equal(after(&scene, beat, 0), 0);
    assert_int_equal(after(&scene, beat, TERM + 2), TERM + 2);
}

static void a_server_that_is_alone_asks_nobody(void **state)
{
    (void)state;
    struct scene scene;
    stage(&scene);
    leading_init(&scene.leading, 0, 0);
    assert_int_equal(after(&scene, beat, TERM), TERM);
    assert_int_equal(after(&scene, 1000 * gap, TERM), TERM);
    assert_int_equal(leading_term(&scene.leading, scene.now + 1000 * gap), TERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fence_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_fence_is_refused),
        cmocka_unit_test(a_later_epoch_outranks_any_term),
        cmocka_unit_test(the_term_is_that_of_the_last_turn),
        cmocka_unit_test(whoever_asks_before_the_loop_has_noticed_hears_of_the_gap),
        cmocka_unit_test(after_a_gap_a_majority_must_have_been_heard_from),
        cmocka_unit_test(the_word_of_one_without_a_vote_does_not_count),
        cmocka_unit_test(an_election_ends_the_doubt),
        cmocka_unit_test(a_server_that_is_alone_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

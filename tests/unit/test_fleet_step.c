/* What keeps a tier at its size: the moves one by one, then whatever may happen in any order. */
#include "base/clock.h"
#include "base/random.h"
#include "scale/fleet_step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct bed {
    struct fleet_step step;
    struct fleet_action actions[FLEET_SLOTS];
    unsigned count;
    uint64_t now_ns;
};

static void begin(struct bed *bed, unsigned most)
{
    struct fleet_rules rules = fleet_rules_usual(most);
    memset(bed, 0, sizeof *bed);
    bed->now_ns = 5 * SEC_NS;
    fleet_step_begin(&bed->step, &rules);
}

static void turn(struct bed *bed, uint64_t later_ms)
{
    bed->now_ns += later_ms * MS_NS;
    bed->count = fleet_step_turn(&bed->step, bed->now_ns, bed->actions);
}

/* The one thing that was to be done. */
static void assert_only(const struct bed *bed, enum fleet_deed deed, unsigned slot)
{
    assert_int_equal(bed->count, 1);
    assert_int_equal(bed->actions[0].deed, deed);
    assert_int_equal(bed->actions[0].slot, slot);
}

/* COUNT are wanted, started and ready, the first one being the oldest. */
static void run(struct bed *bed, unsigned most, unsigned count)
{
    begin(bed, most);
    fleet_step_want(&bed->step, count);
    turn(bed, 0);
    assert_int_equal(bed->count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(bed->actions[i].deed, FLEET_START);
        fleet_step_ready(&bed->step, bed->actions[i].slot, bed->now_ns);
    }
    turn(bed, 10);
    assert_int_equal(bed->count, 0);
}

static void ends(struct bed *bed, unsigned slot, enum fleet_end end)
{
    fleet_step_ended(&bed->step, slot, end, bed->now_ns);
}

static enum fleet_state state_of(const struct bed *bed, unsigned slot)
{
    return bed->step.members[slot].state;
}

static void as_many_run_as_are_wanted(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 8, 3);
    fleet_step_want(&bed.step, 5);
    turn(&bed, 10);
    assert_int_equal(bed.count, 2);
    assert_int_equal(fleet_step_sizes(&bed.step).starting, 2);
    assert_int_equal(fleet_step_sizes(&bed.step).ready, 3);
}

static void never_more_than_the_most(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed, 4);
    fleet_step_want(&bed.step, 100);
    turn(&bed, 0);
    assert_int_equal(bed.count, 4);
}

static void those_who_drain_hold_their_places_until_they_have_ended(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 4, 4);
    fleet_step_want(&bed.step, 2);
    turn(&bed, 10);
    assert_int_equal(bed.count, 2);
    fleet_step_want(&bed.step, 4);
    turn(&bed, 10);
    assert_int_equal(bed.count, 0);
    ends(&bed, 3, FLEET_ENDED_WELL);
    turn(&bed, 10);
    assert_only(&bed, FLEET_START, 3);
}

static void the_youngest_is_drained(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 4, 3);
    fleet_step_want(&bed.step, 2);
    turn(&bed, 10);
    assert_only(&bed, FLEET_DRAIN, 2);
}

static void who_asked_to_leave_goes_before_the_youngest(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 4, 3);
    fleet_step_leave(&bed.step, 0, bed.now_ns);
    turn(&bed, 10);
    assert_int_equal(bed.count, 0); /* nobody has said that there are too many */
    fleet_step_want(&bed.step, 2);
    turn(&bed, 10);
    assert_only(&bed, FLEET_DRAIN, 0);
}

static void who_asked_long_ago_has_something_to_do_again(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 4, 3);
    fleet_step_leave(&bed.step, 0, bed.now_ns);
    fleet_step_want(&bed.step, 2);
    turn(&bed, 5001);
    assert_only(&bed, FLEET_DRAIN, 2);
}

static void who_asked_and_has_ended_by_itself_has_not_crashed(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 4, 2);
    fleet_step_leave(&bed.step, 1, bed.now_ns);
    ends(&bed, 1, FLEET_ENDED_WELL);
    assert_int_equal(state_of(&bed, 1), FLEET_ABSENT);
    assert_int_equal(bed.step.crashes, 0);
}

static void pauses_double_up_to_ten_seconds(void **state)
{
    (void)state;
    struct bed bed;
    static const unsigned pauses[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    begin(&bed, 1);
    fleet_step_want(&bed.step, 1);
    turn(&bed, 0);
    for (unsigned i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        assert_only(&bed, FLEET_START, 0);
        ends(&bed, 0, FLEET_ENDED_BADLY);
        assert_int_equal(fleet_step_sizes(&bed.step).looping, i + 1 >= FLEET_LOOPING);
        turn(&bed, pauses[i] - 1);
        assert_int_equal(bed.count, 0);
        turn(&bed, 1);
    }
}

static void a_long_life_makes_up_for_crashes(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 1, 1);
    ends(&bed, 0, FLEET_ENDED_BADLY);
    turn(&bed, 200);
    fleet_step_ready(&bed.step, 0, bed.now_ns);
    turn(&bed, 10000);
    ends(&bed, 0, FLEET_ENDED_BADLY);
    turn(&bed, 200);
    assert_only(&bed, FLEET_START, 0);
}

static void what_is_wanted_less_for_a_moment_does_not_shorten_a_pause(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 1, 1);
    for (unsigned i = 0; i < 4; i++) {
        ends(&bed, 0, FLEET_ENDED_BADLY);
        turn(&bed, 200u << i);
        assert_only(&bed, FLEET_START, 0);
    }
    ends(&bed, 0, FLEET_ENDED_BADLY);
    fleet_step_want(&bed.step, 0);
    turn(&bed, 10);
    assert_int_equal(state_of(&bed, 0), FLEET_ABSENT);
    fleet_step_want(&bed.step, 1);
    turn(&bed, 3000);
    assert_int_equal(bed.count, 0);
    turn(&bed, 190);
    assert_only(&bed, FLEET_START, 0);
}

static void one_that_is_called_wrongly_is_tried_seldom(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 1, 1);
    ends(&bed, 0, FLEET_ENDED_HOPELESS);
    turn(&bed, 9999);
    assert_int_equal(bed.count, 0);
    turn(&bed, 1);
    assert_only(&bed, FLEET_START, 0);
}

static void one_that_does_not_get_ready_is_killed_and_tried_again(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed, 1);
    fleet_step_want(&bed.step, 1);
    turn(&bed, 0);
    turn(&bed, 10000);
    assert_only(&bed, FLEET_KILL, 0);
    assert_int_equal(bed.step.slow_starts, 1);
    turn(&bed, 1000);
    assert_int_equal(bed.count, 0);
    ends(&bed, 0, FLEET_ENDED_BADLY);
    assert_int_equal(state_of(&bed, 0), FLEET_CRASHED);
    turn(&bed, 200);
    assert_only(&bed, FLEET_START, 0);
}

static void one_that_drains_too_long_is_killed_and_again(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 1, 1);
    fleet_step_want(&bed.step, 0);
    turn(&bed, 0);
    assert_only(&bed, FLEET_DRAIN, 0);
    turn(&bed, 29999);
    assert_int_equal(bed.count, 0);
    turn(&bed, 1);
    assert_only(&bed, FLEET_KILL, 0);
    turn(&bed, 30000);
    assert_only(&bed, FLEET_KILL, 0);
    assert_int_equal(bed.step.kills, 1);
    ends(&bed, 0, FLEET_ENDED_BADLY);
    assert_int_equal(state_of(&bed, 0), FLEET_ABSENT);
}

static void who_waits_to_be_started_again_goes_before_who_runs(void **state)
{
    (void)state;
    struct bed bed;
    run(&bed, 4, 3);
    ends(&bed, 0, FLEET_ENDED_BADLY);
    fleet_step_want(&bed.step, 2);
    turn(&bed, 10);
    assert_int_equal(bed.count, 0);
    assert_int_equal(state_of(&bed, 0), FLEET_ABSENT);
    assert_int_equal(fleet_step_sizes(&bed.step).ready, 2);
}

static void adopted_ones_count_and_too_many_of_them_are_drained(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed, 2);
    assert_int_equal(fleet_step_adopt(&bed.step, 6, bed.now_ns), 6);
    assert_int_equal(fleet_step_adopt(&bed.step, 6, bed.now_ns), 0);
    assert_int_equal(fleet_step_adopt(&bed.step, 1, bed.now_ns), 1);
    fleet_step_want(&bed.step, 2);
    turn(&bed, 0);
    assert_only(&bed, FLEET_DRAIN, 1);
    ends(&bed, 6, FLEET_ENDED_BADLY);
    turn(&bed, 200);
    assert_int_equal(bed.count, 0); /* one is ready, one drains: it would be the third */
    ends(&bed, 1, FLEET_ENDED_WELL);
    turn(&bed, 0);
    assert_only(&bed, FLEET_START, 6);
}

static void the_place_of_the_master_itself_is_not_used(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed, 2);
    fleet_step_reserve(&bed.step, 0);
    fleet_step_want(&bed.step, 3);
    turn(&bed, 0);
    assert_int_equal(bed.count, 2);
    assert_int_equal(bed.actions[0].slot, 1);
    assert_int_equal(bed.actions[1].slot, 2);
    assert_int_equal(fleet_step_adopt(&bed.step, 0, bed.now_ns), 3);
    begin(&bed, FLEET_SLOTS);
    fleet_step_reserve(&bed.step, FLEET_SLOTS - 1);
    fleet_step_want(&bed.step, FLEET_SLOTS);
    turn(&bed, 0);
    assert_int_equal(bed.count, FLEET_SLOTS - 1);
}

static void what_comes_late_changes_nothing(void **state)
{
    (void)state;
    struct bed bed;
    begin(&bed, 2);
    fleet_step_ready(&bed.step, 1, bed.now_ns);
    fleet_step_leave(&bed.step, 1, bed.now_ns);
    ends(&bed, 1, FLEET_ENDED_BADLY);
    assert_int_equal(state_of(&bed, 1), FLEET_ABSENT);
    assert_int_equal(bed.step.crashes, 0);
}

/* ---- Whatever may happen ---- */

/* The processes that the deeds make, as a machine would have them. */
struct world {
    struct bed bed;
    struct random random;
    bool alive[FLEET_SLOTS], told[FLEET_SLOTS]; /* told to end */
    uint64_t ended_ns[FLEET_SLOTS], pause_ns[FLEET_SLOTS];
    unsigned most;
};

static void do_deed(struct world *world, struct fleet_action action)
{
    unsigned slot = action.slot;
    switch (action.deed) {
    case FLEET_START:
        assert_false(world->alive[slot]);
        assert_true(world->bed.now_ns - world->ended_ns[slot] >= world->pause_ns[slot]);
        world->alive[slot] = true;
        world->told[slot] = false;
        break;
    case FLEET_DRAIN:
        assert_true(world->alive[slot]);
        assert_false(world->told[slot]);
        world->told[slot] = true;
        break;
    case FLEET_KILL:
        assert_true(world->alive[slot]);
        world->told[slot] = true;
        break;
    }
}

static unsigned count_alive(const struct world *world)
{
    unsigned alive = 0;
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        alive += world->alive[i];
    return alive;
}

static void do_all(struct world *world)
{
    bool used[FLEET_SLOTS] = {false};
    for (unsigned i = 0; i < world->bed.count; i++) {
        assert_false(used[world->bed.actions[i].slot]);
        used[world->bed.actions[i].slot] = true;
        do_deed(world, world->bed.actions[i]);
    }
    assert_true(count_alive(world) <= world->most);
}

static void end_one(struct world *world, unsigned slot)
{
    struct bed *bed = &world->bed;
    enum fleet_end end = (enum fleet_end)random_below(&world->random, 3);
    unsigned before = bed->step.members[slot].failures;
    if (!world->alive[slot])
        return;
    world->alive[slot] = false;
    ends(bed, slot, end);
    const struct fleet_member *member = &bed->step.members[slot];
    world->ended_ns[slot] = bed->now_ns;
    world->pause_ns[slot] = 0;
    if (member->state != FLEET_CRASHED)
        return;
    uint64_t pause = member->due_ns - bed->now_ns;
    assert_true(pause >= 200 * MS_NS && pause <= 10 * SEC_NS);
    assert_true(member->failures == before + 1 || member->failures == 1);
    if (end != FLEET_ENDED_HOPELESS && member->failures <= 6)
        assert_true(pause >= (200 * MS_NS) << (member->failures - 1) || member->failures == 1);
    world->pause_ns[slot] = pause;
}

static void something_happens(struct world *world)
{
    struct bed *bed = &world->bed;
    unsigned slot = (unsigned)random_below(&world->random, world->most);
    switch (random_below(&world->random, 6)) {
    case 0:
        fleet_step_want(&bed->step, (unsigned)random_below(&world->random, world->most + 3));
        break;
    case 1:
        end_one(world, slot);
        break;
    case 2:
        fleet_step_leave(&bed->step, slot, bed->now_ns);
        break;
    default:
        if (world->alive[slot])
            fleet_step_ready(&bed->step, slot, bed->now_ns);
        break;
    }
}

/* Nothing more is wanted, and whoever is told ends. */
static void all_is_ended(struct world *world)
{
    fleet_step_want(&world->bed.step, 0);
    for (unsigned round = 0; round < 3; round++) {
        turn(&world->bed, 1);
        do_all(world);
        for (unsigned i = 0; i < FLEET_SLOTS; i++)
            if (world->told[i])
                end_one(world, i);
    }
    assert_int_equal(count_alive(world), 0);
    for (unsigned i = 0; i < FLEET_SLOTS; i++)
        assert_int_equal(state_of(&world->bed, i), FLEET_ABSENT);
    assert_true(fleet_step_due(&world->bed.step) == UINT64_MAX);
}

static void live(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    random_seed(&world->random, seed);
    world->most = 1 + (unsigned)random_below(&world->random, 12);
    begin(&world->bed, world->most);
    for (unsigned i = 0; i < 1000; i++) {
        something_happens(world);
        static const unsigned pace_ms[] = {1, 20, 300, 5000};
        unsigned pace = pace_ms[random_below(&world->random, 4)];
        turn(&world->bed, random_below(&world->random, pace + 1));
        do_all(world);
    }
    assert_true(world->bed.step.starts > 0);
    all_is_ended(world);
}

static void whatever_happens_the_rules_are_kept(void **state)
{
    (void)state;
    static struct world world;
    uint64_t kills = 0, slow = 0, crashes = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        live(&world, seed);
        kills += world.bed.step.kills;
        slow += world.bed.step.slow_starts;
        crashes += world.bed.step.crashes;
    }
    assert_true(kills > 0 && slow > 0 && crashes > 0); /* all of that was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_run_as_are_wanted),
        cmocka_unit_test(never_more_than_the_most),
        cmocka_unit_test(those_who_drain_hold_their_places_until_they_have_ended),
        cmocka_unit_test(the_youngest_is_drained),
        cmocka_unit_test(who_asked_to_leave_goes_before_the_youngest),
        cmocka_unit_test(who_asked_long_ago_has_something_to_do_again),
        cmocka_unit_test(who_asked_and_has_ended_by_itself_has_not_crashed),
        cmocka_unit_test(pauses_double_up_to_ten_seconds),
        cmocka_unit_test(a_long_life_makes_up_for_crashes),
        cmocka_unit_test(what_is_wanted_less_for_a_moment_does_not_shorten_a_pause),
        cmocka_unit_test(one_that_is_called_wrongly_is_tried_seldom),
        cmocka_unit_test(one_that_does_not_get_ready_is_killed_and_tried_again),
        cmocka_unit_test(one_that_drains_too_long_is_killed_and_again),
        cmocka_unit_test(who_waits_to_be_started_again_goes_before_who_runs),
        cmocka_unit_test(adopted_ones_count_and_too_many_of_them_are_drained),
        cmocka_unit_test(the_place_of_the_master_itself_is_not_used),
        cmocka_unit_test(what_comes_late_changes_nothing),
        cmocka_unit_test(whatever_happens_the_rules_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

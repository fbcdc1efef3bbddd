/* The applier over a machine that only counts: when it gathers, and for whom it does not. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/applier.h"
#include "replica/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 30, ENTRIES = 200, PATIENCE_MS = 10000 };

struct scene {
    struct ordering order;
    struct applier *applier;
    uint64_t applied, pushed;
    unsigned commits; /* the applier's thread; read when it has nothing to do */
};

static uint64_t applied(void *context)
{
    return ((struct scene *)context)->applied;
}

static int64_t applied_time(void *context)
{
    (void)context;
    return 1;
}

static int begin(void *context, struct failure *failure)
{
    (void)context, (void)failure;
    return 0;
}

static int commit(void *context, uint64_t index, int64_t time_ms, struct failure *failure)
{
    struct scene *scene = context;
    (void)time_ms, (void)failure;
    scene->applied = index;
    scene->commits++;
    return 0;
}

static int apply(void *context, uint64_t index, int64_t time_ms, struct str command,
                 struct buf *result, struct failure *failure)
{
    (void)context, (void)index, (void)time_ms, (void)command, (void)result, (void)failure;
    return 0;
}

static void nothing(void *context)
{
    (void)context;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct failure failure;
    assert_non_null(scene);
    ordering_init(&scene->order, 1024, 1 << 20, 1000, nothing, NULL);
    struct applier_config config = {.machine = {.context = scene,
                                                .applied = applied,
                                                .applied_time = applied_time,
                                                .begin = begin,
                                                .apply = apply,
                                                .commit = commit},
                                    .order = &scene->order,
                                    .marked = nothing};
    assert_int_equal(applier_start(&config, &scene->applier, &failure), 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    if (scene->applier != NULL)
        applier_stop(scene->applier);
    ordering_close(&scene->order);
    ordering_destroy(&scene->order);
    free(scene);
    return 0;
}

/* An entry of another server, with one command. */
static uint64_t push_copy(struct scene *scene)
{
    char room[256];
    struct batch_writer writer;
    size_t size = batch_size(1, 4);
    CHECK(size <= sizeof room);
    batch_begin(&writer, room, size, 1, 1, 0);
    batch_put(&writer, STR("abcd"));
    batch_end(&writer);
    struct applier_entry *entry = applier_entry_new(str_make(room, size));
    assert_non_null(entry);
    entry->index = ++scene->pushed;
    applier_push(scene->applier, &entry, false);
    return scene->pushed;
}

static void wait_applied(struct scene *scene, uint64_t index)
{
    uint64_t until = clock_mono_ns() + PATIENCE_MS * MS_NS;
    while (applier_applied(scene->applier) < index) {
        assert_true(clock_mono_ns() < until);
        usleep(100); /* no wait: the pace of looking */
    }
}

static void entries_that_nobody_waits_for_share_a_transaction(void **state)
{
    struct scene *scene = *state;
    uint64_t from = clock_mono_ns();
    for (int i = 0; i < ENTRIES; i++) {
        push_copy(scene);
        usleep(100); /* no wait: the pace of what comes */
    }
    wait_applied(scene, ENTRIES);
    applier_stop(scene->applier);
    scene->applier = NULL;
    /* The first at once, and then one in 10 ms, however long it took to push them. */
    assert_in_range(scene->commits, 1, 2 + (clock_mono_ns() - from) / (10 * MS_NS));
}

/* The shortest of many: the machine may be busy. */
static void who_waits_for_an_entry_does_not_wait_for_others(void **state)
{
    struct scene *scene = *state;
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        wait_applied(scene, push_copy(scene));
        uint64_t from = clock_mono_ns(), index = push_copy(scene);
        assert_int_equal(order_await_wait(&scene->order, index, PATIENCE_MS), 0);
        uint64_t took = clock_mono_ns() - from;
        shortest = took < shortest ? took : shortest;
    }
    assert_true(shortest < 5 * MS_NS);
}

static void a_stop_applies_what_was_put_off(void **state)
{
    struct scene *scene = *state;
    wait_applied(scene, push_copy(scene));
    uint64_t index = push_copy(scene);
    applier_stop(scene->applier);
    scene->applier = NULL;
    assert_int_equal(scene->applied, index);
}

enum { WARM_MS = 3600000 }; /* never, in a test */

static void a_warm_server_applies_when_somebody_waits(void **state)
{
    struct scene *scene = *state;
    wait_applied(scene, push_copy(scene));
    applier_set_pace(scene->applier, WARM_MS);
    for (int i = 0; i < ENTRIES; i++)
        push_copy(scene);
    assert_int_equal(applier_applied(scene->applier), 1);
    assert_int_equal(order_await_wait(&scene->order, 2, PATIENCE_MS), 0);
    wait_applied(scene, scene->pushed); /* all that was there */
    assert_in_range(scene->commits, 2, 3);
}

static void made_hot_it_applies_at_once(void **state)
{
    struct scene *scene = *state;
    applier_set_pace(scene->applier, WARM_MS);
    for (int i = 0; i < ENTRIES; i++)
        push_copy(scene);
    assert_int_equal(applier_applied(scene->applier), 0);
    applier_set_pace(scene->applier, 0);
    wait_applied(scene, scene->pushed);
}

static void note_applied(void *context, struct machine *machine)
{
    *(uint64_t *)context = machine->applied(machine->context);
}

static void who_calls_finds_all_applied(void **state)
{
    struct scene *scene = *state;
    uint64_t seen = 0;
    applier_set_pace(scene->applier, WARM_MS);
    for (int i = 0; i < 4 * ENTRIES; i++)
        push_copy(scene);
    applier_call(scene->applier, note_applied, &seen);
    assert_int_equal(seen, scene->pushed);
}

static void a_warm_servers_stop_applies_what_was_put_off(void **state)
{
    struct scene *scene = *state;
    applier_set_pace(scene->applier, WARM_MS);
    uint64_t index = push_copy(scene);
    applier_stop(scene->applier);
    scene->applier = NULL;
    assert_int_equal(scene->applied, index);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_that_nobody_waits_for_share_a_transaction),
        TEST(who_waits_for_an_entry_does_not_wait_for_others),
        TEST(a_stop_applies_what_was_put_off),
        TEST(a_warm_server_applies_when_somebody_waits),
        TEST(made_hot_it_applies_at_once),
        TEST(who_calls_finds_all_applied),
        TEST(a_warm_servers_stop_applies_what_was_put_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

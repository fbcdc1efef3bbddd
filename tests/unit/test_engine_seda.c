#include "base/check.h"
#include "engine/seda.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { STAGES = 4 }; /* those that run the app */

struct bed {
    struct app app;
    atomic_uint prepared, ended;
    unsigned most; /* thread_starts that do not fail */
};

static enum app_verdict never(struct app *app, struct exchange *x)
{
    (void)app;
    (void)x;
    return APP_DONE;
}

static void *start_thread(struct app *app, struct loop *loop)
{
    struct bed *bed = CONTAINER_OF(app, struct bed, app);
    (void)loop;
    if (atomic_load(&bed->prepared) == bed->most)
        return NULL;
    atomic_fetch_add(&bed->prepared, 1);
    return bed;
}

static void stop_thread(struct app *app, void *state)
{
    CHECK(state == CONTAINER_OF(app, struct bed, app));
    atomic_fetch_add(&CONTAINER_OF(app, struct bed, app)->ended, 1);
}

/* With one thread for each stage. */
static int start(struct bed *bed, unsigned most, struct engine **engine, struct failure *failure)
{
    struct engine_config config = {
        .listen_count = 1, .listen[0].address = "127.0.0.1:0", .workers = 1, .helpers = 1};
    *bed = (struct bed){.app = {.name = "test",
                                .handle = never,
                                .thread_start = start_thread,
                                .thread_stop = stop_thread},
                        .most = most};
    return engine_seda.start(&config, &bed->app, engine, failure);
}

static void it_does_not_start_with_a_stage_that_the_app_cannot_be_prepared_for(void **state)
{
    (void)state;
    for (unsigned most = 0; most < STAGES; most++) {
        struct bed bed;
        struct engine *engine = NULL;
        struct failure failure = {0};
        assert_int_not_equal(start(&bed, most, &engine, &failure), 0);
        assert_int_not_equal(failure.text[0], '\0');
        assert_null(engine);
        assert_int_equal(bed.prepared, most);
        assert_int_equal(bed.ended, most);
    }
}

static void each_stage_has_a_thread_from_the_start(void **state)
{
    (void)state;
    struct bed bed;
    struct engine *engine;
    struct failure failure = {0};
    assert_int_equal(start(&bed, STAGES, &engine, &failure), 0);
    assert_int_equal(bed.prepared, STAGES);
    engine_seda.stop(engine);
    assert_int_equal(bed.ended, STAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_not_start_with_a_stage_that_the_app_cannot_be_prepared_for),
        cmocka_unit_test(each_stage_has_a_thread_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

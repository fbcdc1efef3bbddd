/* S3-FIFO does what its paper says: held step by step against a model that is as plain as can be.
 */
#include "base/random.h"
#include "web/eviction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { NAMES = 60, GHOST_SETS = 64, ROOM = 40 * 512, STEPS = 300000 };

/* ---- The model: arrays that are searched from one end to the other ---- */

struct queue {
    unsigned names[NAMES], count;
};

struct model {
    struct queue fresh, kept;
    size_t bytes[NAMES];
    unsigned uses[NAMES];
    uint64_t gone, went[NAMES]; /* UINT64_MAX: no ghost */
};

static int place_of(const struct queue *queue, unsigned name)
{
    for (unsigned i = 0; i < queue->count; i++)
        if (queue->names[i] == name)
            return (int)i;
    return -1;
}

static void take_out(struct queue *queue, unsigned name)
{
    int at = place_of(queue, name);
    assert_true(at >= 0);
    queue->count--;
    for (unsigned i = (unsigned)at; i < queue->count; i++)
        queue->names[i] = queue->names[i + 1];
}

static void append(struct queue *queue, unsigned name)
{
    queue->names[queue->count++] = name;
}

static size_t bytes_of(const struct model *model, const struct queue *queue)
{
    size_t sum = 0;
    for (unsigned i = 0; i < queue->count; i++)
        sum += model->bytes[queue->names[i]];
    return sum;
}

static bool is_here(const struct model *model, unsigned name)
{
    return place_of(&model->fresh, name) >= 0 || place_of(&model->kept, name) >= 0;
}

static void become_ghost(struct model *model, unsigned name)
{
    model->went[name] = model->gone;
    model->gone += model->bytes[name];
}

static bool model_add(struct model *model, unsigned name, size_t bytes)
{
    bool ghost = model->went[name] != UINT64_MAX && model->gone - model->went[name] <= ROOM / 2;
    if (ghost)
        model->went[name] = UINT64_MAX;
    model->bytes[name] = bytes;
    model->uses[name] = 0;
    append(ghost ? &model->kept : &model->fresh, name);
    return ghost;
}

static int model_choose(struct model *model)
{
    while (model->fresh.count &&
           (bytes_of(model, &model->fresh) > ROOM / 20 || model->kept.count == 0)) {
        unsigned name = model->fresh.names[0];
        take_out(&model->fresh, name);
        if (model->uses[name] < 2) {
            become_ghost(model, name);
            return (int)name;
        }
        model->uses[name] = 0;
        append(&model->kept, name);
    }
    while (model->kept.count) {
        unsigned name = model->kept.names[0];
        take_out(&model->kept, name);
        if (model->uses[name] == 0)
            return (int)name;
        model->uses[name]--;
        append(&model->kept, name);
    }
    return -1;
}

static void model_remove(struct model *model, unsigned name, bool worth_keeping)
{
    bool kept = place_of(&model->kept, name) >= 0;
    take_out(kept ? &model->kept : &model->fresh, name);
    if (worth_keeping && (kept || model->uses[name] > 0))
        become_ghost(model, name);
}

/* ---- Both side by side ---- */

struct pair {
    struct model model;
    struct eviction eviction;
    struct eviction_ghost ghosts[GHOST_SETS * 4];
    struct eviction_entry entries[NAMES];
    unsigned ghost_hits, victims;
};

static void begin(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    for (unsigned i = 0; i < NAMES; i++)
        pair->model.went[i] = UINT64_MAX;
    eviction_init(&pair->eviction, ROOM, pair->ghosts, GHOST_SETS * 4);
}

/* Each name has a set of ghosts for itself: that they push each other out is not in the model. */
static uint64_t hash_of(unsigned name)
{
    return (uint64_t)(name + 1) << 32 | (uint64_t)name << 8;
}

static void put(struct pair *pair, unsigned name, size_t bytes)
{
    while (eviction_bytes(&pair->eviction) + bytes > ROOM) {
        struct eviction_entry *out = eviction_choose(&pair->eviction);
        assert_non_null(out);
        assert_int_equal(out - pair->entries, model_choose(&pair->model));
        pair->victims++;
    }
    pair->entries[name] = (struct eviction_entry){.hash = hash_of(name), .bytes = bytes};
    bool ghost = eviction_add(&pair->eviction, &pair->entries[name]);
    assert_int_equal(ghost, model_add(&pair->model, name, bytes));
    pair->ghost_hits += ghost;
    assert_true(eviction_bytes(&pair->eviction) <= ROOM);
}

static void step(struct pair *pair, struct random *random)
{
    /* Some names are asked for more often than others. */
    unsigned name = (unsigned)random_below(random, 1 + random_below(random, NAMES));
    bool here = is_here(&pair->model, name), worth = random_below(random, 2) == 0;
    if (here && random_below(random, 20) == 0) {
        eviction_remove(&pair->eviction, &pair->entries[name], worth);
        model_remove(&pair->model, name, worth);
    } else if (here) {
        eviction_use(&pair->entries[name]);
        if (pair->model.uses[name] < EVICTION_USES_MAX)
            pair->model.uses[name]++;
    } else {
        put(pair, name, 512 * (1 + random_below(random, 8)));
    }
    assert_int_equal(pair->eviction.entries, pair->model.fresh.count + pair->model.kept.count);
    assert_int_equal(pair->eviction.fresh_bytes, bytes_of(&pair->model, &pair->model.fresh));
    assert_int_equal(pair->eviction.kept_bytes, bytes_of(&pair->model, &pair->model.kept));
}

static void it_does_what_the_plain_model_does(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {1, 2, 3};
    for (unsigned i = 0; i < 3; i++) {
        struct pair pair;
        struct random random;
        begin(&pair);
        random_seed(&random, seeds[i]);
        for (unsigned k = 0; k < STEPS / 3; k++)
            step(&pair, &random);
        assert_true(pair.victims > 1000 && pair.ghost_hits > 100);
    }
}

static void what_was_asked_for_stays_while_a_crawler_goes_by(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair);
    for (unsigned name = 0; name < 10; name++) {
        put(&pair, name, 512);
        for (unsigned use = 0; use < 2; use++) {
            eviction_use(&pair.entries[name]);
            pair.model.uses[name]++;
        }
    }
    for (unsigned round = 0; round < 100; round++)
        for (unsigned name = 10; name < NAMES; name++)
            if (!is_here(&pair.model, name) && pair.model.went[name] == UINT64_MAX)
                put(&pair, name, 512);
    for (unsigned name = 0; name < 10; name++)
        assert_true(is_here(&pair.model, name));
}

static void what_comes_back_soon_is_kept_at_once(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair);
    for (unsigned name = 0; name < 41; name++)
        put(&pair, name, 512);
    assert_false(is_here(&pair.model, 0));
    put(&pair, 0, 512);
    assert_true(pair.entries[0].kept);
    assert_false(pair.entries[40].kept);
    assert_int_equal(pair.ghost_hits, 1);
}

static void without_ghosts_it_only_forgets(void **state)
{
    (void)state;
    struct eviction eviction;
    struct eviction_entry one = {.hash = 1, .bytes = 10};
    eviction_init(&eviction, 100, NULL, 0);
    assert_null(eviction_choose(&eviction));
    assert_false(eviction_add(&eviction, &one));
    assert_ptr_equal(eviction_choose(&eviction), &one);
    assert_false(eviction_add(&eviction, &one));
    eviction_remove(&eviction, &one, true);
    assert_int_equal(eviction_bytes(&eviction), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_what_the_plain_model_does),
        cmocka_unit_test(what_was_asked_for_stays_while_a_crawler_goes_by),
        cmocka_unit_test(what_comes_back_soon_is_kept_at_once),
        cmocka_unit_test(without_ghosts_it_only_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "balance/fair.h"
#include "base/check.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct request {
    struct fair_item item;
    uint64_t client;
};

static struct request *request_of(struct fair_item *item)
{
    return item ? CONTAINER_OF(item, struct request, item) : NULL;
}

static struct fair *new_fair(uint32_t total, uint32_t per_client, uint64_t wait_ns)
{
    const struct fair_limits limits = {total, per_client, wait_ns};
    struct fair *fair = fair_new(&limits, 1);
    assert_non_null(fair);
    return fair;
}

static bool waits(const struct fair_item *item)
{
    return item->client;
}

/* Taken in, and nobody went for it. */
static void add(struct fair *fair, struct request *request, uint64_t client)
{
    request->client = client;
    assert_null(fair_add(fair, &request->item, client, 1, 0));
    assert_true(waits(&request->item));
}

static uint64_t next_client(struct fair *fair)
{
    struct request *request = request_of(fair_next(fair));
    assert_non_null(request);
    assert_false(waits(&request->item));
    return request->client;
}

/* ---- Turns ---- */

static void one_request_is_served_within_one_turn_of_each_other_client(void **state)
{
    (void)state;
    struct fair *fair = new_fair(4000, 4000, 1);
    struct request *many = calloc(1001, sizeof *many), few[3] = {0};
    assert_non_null(many);
    for (int i = 0; i < 1000; i++)
        add(fair, &many[i], 7);
    add(fair, &few[0], 8);
    add(fair, &few[1], 9);
    add(fair, &few[2], 10);
    uint64_t seen = 0;
    for (int i = 0; i < 4; i++)
        seen |= 1ull << next_client(fair);
    assert_int_equal(seen, 0xf << 7);
    for (int i = 0; i < 999; i++)
        assert_int_equal(next_client(fair), 7);
    assert_null(fair_next(fair));
    free(many);
    fair_free(fair);
}

static void requests_of_one_client_stay_in_order(void **state)
{
    (void)state;
    struct fair *fair = new_fair(10, 10, 1);
    struct request requests[10] = {0};
    for (int i = 0; i < 10; i++)
        add(fair, &requests[i], (uint64_t)i % 2);
    struct fair_item *last[2] = {NULL, NULL};
    for (int i = 0; i < 10; i++) {
        struct fair_item *item = fair_next(fair);
        uint64_t client = request_of(item)->client;
        assert_true(last[client] < item);
        last[client] = item;
    }
    fair_free(fair);
}

static void what_costs_more_gets_fewer_turns(void **state)
{
    (void)state;
    struct fair *fair = new_fair(400, 400, 1);
    struct request requests[400] = {0};
    for (unsigned i = 0; i < 400; i++) {
        requests[i].client = i % 2;
        assert_null(fair_add(fair, &requests[i].item, i % 2, i % 2 ? 4 : 1, 0));
    }
    unsigned count[2] = {0, 0};
    for (int i = 0; i < 200; i++)
        count[next_client(fair)]++;
    assert_int_equal(count[0], 160);
    assert_int_equal(count[1], 40);
    fair_free(fair);
}

/* ---- Bounds ---- */

static void client_alone_gets_half_of_the_queue(void **state)
{
    (void)state;
    struct fair *fair = new_fair(100, 10, 1);
    struct request requests[100] = {0};
    unsigned taken = 0;
    for (int i = 0; i < 100; i++)
        taken += fair_add(fair, &requests[i].item, 1, 1, 0) == NULL;
    assert_int_equal(taken, 50);
    fair_free(fair);
}

static void each_client_gets_its_own_bound_in_any_case(void **state)
{
    (void)state;
    struct fair *fair = new_fair(100, 10, 1);
    struct request requests[10][20] = {0};
    for (uint64_t client = 0; client < 10; client++)
        for (int i = 0; i < 20; i++)
            fair_add(fair, &requests[client][i].item, client, 1, 0);
    assert_int_equal(fair_count(fair), 100);
    unsigned waiting[10] = {0};
    for (int client = 0; client < 10; client++)
        for (int i = 0; i < 20; i++)
            waiting[client] += waits(&requests[client][i].item);
    for (int client = 0; client < 10; client++)
        assert_in_range(waiting[client], 10, 12);
    fair_free(fair);
}

static void full_queue_sheds_the_newest_of_the_longest_for_a_modest_one(void **state)
{
    (void)state;
    struct fair *fair = new_fair(10, 10, 1);
    struct request greedy[10] = {0}, modest[10] = {0}, own = {0};
    for (int i = 0; i < 10; i++)
        add(fair, &greedy[i], 1);
    for (int i = 0; i < 4; i++) {
        struct fair_item *shed = fair_add(fair, &modest[i].item, 2, 1, 0);
        assert_ptr_equal(shed, &greedy[9 - i].item);
        assert_false(waits(shed));
        assert_true(waits(&modest[i].item));
    }
    /* Six and four: with one more neither would have fewer than the other. */
    assert_ptr_equal(fair_add(fair, &modest[4].item, 2, 1, 0), &greedy[5].item);
    assert_ptr_equal(fair_add(fair, &modest[5].item, 2, 1, 0), &modest[5].item);
    assert_ptr_equal(fair_add(fair, &own.item, 1, 1, 0), &own.item);
    assert_false(waits(&own.item));
    assert_int_equal(fair_count(fair), 10);
    fair_free(fair);
}

/* ---- Time ---- */

static void whoever_waits_too_long_leaves_oldest_first(void **state)
{
    (void)state;
    struct fair *fair = new_fair(10, 10, 100);
    struct request requests[3] = {0};
    assert_int_equal(fair_due(fair), UINT64_MAX);
    for (unsigned i = 0; i < 3; i++)
        assert_null(fair_add(fair, &requests[i].item, i, 1, 10 * i));
    assert_int_equal(fair_due(fair), 100);
    assert_null(fair_expired(fair, 99));
    assert_ptr_equal(fair_expired(fair, 100), &requests[0].item);
    assert_null(fair_expired(fair, 100));
    fair_remove(fair, &requests[1].item);
    fair_remove(fair, &requests[1].item);
    assert_int_equal(fair_due(fair), 120);
    assert_ptr_equal(fair_expired(fair, 500), &requests[2].item);
    assert_null(fair_expired(fair, 500));
    assert_null(fair_next(fair));
    fair_free(fair);
}

/* ---- Against a naive model ---- */

enum { MODEL = 64, CLIENTS = 8 };

/* All that waits, in the order in which it came. */
struct model {
    struct request *waiting[MODEL];
    unsigned count;
};

static unsigned model_of_client(const struct model *model, uint64_t client)
{
    unsigned n = 0;
    for (unsigned i = 0; i < model->count; i++)
        n += model->waiting[i]->client == client;
    return n;
}

static unsigned model_longest(const struct model *model)
{
    unsigned longest = 0;
    for (uint64_t client = 0; client < CLIENTS; client++)
        if (model_of_client(model, client) > longest)
            longest = model_of_client(model, client);
    return longest;
}

static void model_remove(struct model *model, const struct request *request)
{
    for (unsigned i = 0; i < model->count; i++) {
        if (model->waiting[i] != request)
            continue;
        for (model->count--; i < model->count; i++)
            model->waiting[i] = model->waiting[i + 1];
        return;
    }
    fail_msg("one that did not wait has left");
}

static struct request *model_newest(const struct model *model, uint64_t client)
{
    for (unsigned i = model->count; i-- > 0;)
        if (model->waiting[i]->client == client)
            return model->waiting[i];
    return NULL;
}

static struct request *model_oldest(const struct model *model, uint64_t client)
{
    for (unsigned i = 0; i < model->count; i++)
        if (model->waiting[i]->client == client)
            return model->waiting[i];
    return NULL;
}

static void model_add(struct model *model, struct fair *fair, struct request *request,
                      const struct fair_limits *limits, uint32_t cost, uint64_t now_ns)
{
    unsigned has = model_of_client(model, request->client), left = limits->total - model->count;
    unsigned longest = model_longest(model);
    struct fair_item *shed = fair_add(fair, &request->item, request->client, cost, now_ns);
    if ((has >= limits->per_client && has >= left) || (left == 0 && longest <= has + 1)) {
        assert_ptr_equal(shed, &request->item);
        assert_false(waits(&request->item));
        return;
    }
    if (left == 0) {
        struct request *victim = request_of(shed);
        assert_non_null(victim);
        assert_int_equal(model_of_client(model, victim->client), longest);
        assert_ptr_equal(model_newest(model, victim->client), victim);
        model_remove(model, victim);
    } else {
        assert_null(shed);
    }
    model->waiting[model->count++] = request;
}

static struct request *one_that_rests(struct request *requests, struct random *random)
{
    for (;;) {
        struct request *request = &requests[random_below(random, 2 * MODEL)];
        if (!waits(&request->item))
            return request;
    }
}

static void random_step(struct model *model, struct fair *fair, struct request *requests,
                        const struct fair_limits *limits, struct random *random, uint64_t now_ns)
{
    struct request *request;
    switch (random_below(random, 8)) {
    default:
        request = one_that_rests(requests, random);
        /* Some clients ask far more often. */
        request->client = random_below(random, 1 + random_below(random, CLIENTS));
        model_add(model, fair, request, limits, (uint32_t)random_below(random, 20), now_ns);
        break;
    case 0:
    case 1:
        request = request_of(fair_next(fair));
        assert_int_equal(request == NULL, model->count == 0);
        if (request) {
            assert_ptr_equal(request, model_oldest(model, request->client));
            model_remove(model, request);
        }
        break;
    case 2:
        request = &requests[random_below(random, 2 * MODEL)];
        if (waits(&request->item))
            model_remove(model, request);
        fair_remove(fair, &request->item);
        break;
    case 3:
        while ((request = request_of(fair_expired(fair, now_ns)))) {
            assert_ptr_equal(request, model->waiting[0]);
            assert_true(now_ns - request->item.since_ns >= limits->wait_ns);
            model_remove(model, request);
        }
        assert_true(model->count == 0 ||
                    now_ns - model->waiting[0]->item.since_ns < limits->wait_ns);
        break;
    }
}

static void it_does_what_a_naive_model_does_and_loses_nobody(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 4711);
    for (int round = 0; round < 200; round++) {
        const struct fair_limits limits = {1 + (uint32_t)random_below(&random, MODEL),
                                           (uint32_t)random_below(&random, MODEL),
                                           random_below(&random, 200)};
        struct fair *fair = fair_new(&limits, random_u64(&random));
        struct request requests[2 * MODEL] = {0};
        struct model model = {.count = 0};
        uint64_t now_ns = 0;
        assert_non_null(fair);
        for (int step = 0; step < 1000; step++) {
            now_ns += random_below(&random, 4);
            random_step(&model, fair, requests, &limits, &random, now_ns);
            assert_int_equal(fair_count(fair), model.count);
            for (unsigned i = 0; i < model.count; i++)
                assert_true(waits(&model.waiting[i]->item));
        }
        while (fair_next(fair))
            model.count--;
        assert_int_equal(model.count, 0);
        fair_free(fair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_is_served_within_one_turn_of_each_other_client),
        cmocka_unit_test(requests_of_one_client_stay_in_order),
        cmocka_unit_test(what_costs_more_gets_fewer_turns),
        cmocka_unit_test(client_alone_gets_half_of_the_queue),
        cmocka_unit_test(each_client_gets_its_own_bound_in_any_case),
        cmocka_unit_test(full_queue_sheds_the_newest_of_the_longest_for_a_modest_one),
        cmocka_unit_test(whoever_waits_too_long_leaves_oldest_first),
        cmocka_unit_test(it_does_what_a_naive_model_does_and_loses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

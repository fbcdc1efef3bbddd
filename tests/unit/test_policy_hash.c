/* IP hash and bounded load: Maglev's table. */
#include "balance/maglev.h"
#include "policy_fixture.h"

#include <string.h>

static void count_slots(const struct maglev *maglev, unsigned *counts)
{
    memset(counts, 0, POLICY_SERVERS_MAX * sizeof *counts);
    for (unsigned i = 0; i < MAGLEV_SLOTS; i++) {
        assert_true(maglev->places[i] < maglev->count);
        counts[maglev->places[i]]++;
    }
}

static void the_table_is_even(void **state)
{
    (void)state;
    unsigned counts[POLICY_SERVERS_MAX];
    static const unsigned sizes[] = {1, 2, 3, 7, 16, 64};
    for (unsigned s = 0; s < 6; s++) {
        struct choice c;
        choice_begin(&c, &policy_ip_hash, sizes[s]);
        count_slots(c.memory, counts);
        unsigned due = MAGLEV_SLOTS / sizes[s];
        for (unsigned i = 0; i < sizes[s]; i++)
            assert_in_range(counts[i], due, due + 1);
        choice_end(&c);
    }
}

static void the_table_is_even_by_weight(void **state)
{
    (void)state;
    static const unsigned weights[] = {50, 100, 200, 33};
    unsigned counts[POLICY_SERVERS_MAX];
    struct choice c;
    choice_begin(&c, &policy_ip_hash, 4);
    for (unsigned i = 0; i < 4; i++)
        c.servers[i].weight = weights[i];
    choice_changed(&c);
    count_slots(c.memory, counts);
    for (unsigned i = 0; i < 4; i++) {
        unsigned due = MAGLEV_SLOTS * weights[i] / 383;
        assert_in_range(counts[i], due - 5, due + 5);
    }
    choice_end(&c);
}

static void the_lightest_is_found_when_there_is_nobody_else(void **state)
{
    (void)state;
    unsigned counts[POLICY_SERVERS_MAX], picked[2] = {0};
    struct choice c;
    choice_begin(&c, &policy_ip_hash, 12);
    for (unsigned i = 0; i < 10; i++)
        c.servers[i].weight = 10000;
    c.servers[10].weight = c.servers[11].weight = 1;
    choice_changed(&c);
    count_slots(c.memory, counts);
    for (unsigned i = 0; i < 12; i++)
        assert_in_range(counts[i], i < 10 ? 6550 : 1, i < 10 ? 6557 : 1);
    for (unsigned i = 0; i < 10; i++)
        c.servers[i].usable = false;
    for (uint64_t key = 0; key < 400; key++) {
        int at = choice_pick(&c, key, 0);
        assert_in_range(at, 10, 11);
        picked[at - 10]++;
        assert_int_equal(choice_pick(&c, key, 1u << at), at == 10 ? 11 : 10);
    }
    assert_true(picked[0] > 100 && picked[1] > 100);
    choice_end(&c);
}

static void keys_are_spread_evenly(void **state)
{
    (void)state;
    unsigned counts[5] = {0};
    struct choice c;
    choice_begin(&c, &policy_ip_hash, 5);
    for (uint64_t key = 0; key < 100000; key++)
        counts[choice_pick(&c, key, 0)]++;
    for (unsigned i = 0; i < 5; i++)
        assert_in_range(counts[i], 19600, 20400); /* 2 % are three deviations of chance */
    choice_end(&c);
}

static void two_load_managers_place_alike(void **state)
{
    (void)state;
    struct choice one, other;
    choice_begin(&one, &policy_ip_hash, 5);
    choice_begin(&other, &policy_ip_hash, 5);
    /* The other has them listed in another order, has had one more before, and another chance. */
    for (unsigned i = 0; i < 5; i++)
        other.servers[i].id = one.servers[4 - i].id;
    other.servers[5] = (struct policy_server){77, POLICY_WEIGHT, 1000, 0, true, 0};
    other.view.count = 6;
    random_seed(&other.random, 99);
    choice_changed(&other);
    other.view.count = 5;
    choice_changed(&other);
    one.servers[2].share = other.servers[2].share = 300;
    one.servers[1].usable = other.servers[3].usable = false;
    choice_changed(&one);
    for (uint64_t key = 0; key < 20000; key++)
        assert_int_equal(choice_pick(&one, key, 0), 4 - choice_pick(&other, key, 0));
    choice_end(&one);
    choice_end(&other);
}

/* What a key has does not change with the program's version: written down once. */
static void keys_stay_where_they_are_from_version_to_version(void **state)
{
    (void)state;
    static const char expected[] = "2110120201222201211010222001222210101221";
    struct choice c;
    choice_begin(&c, &policy_ip_hash, 3);
    for (unsigned i = 0; expected[i]; i++)
        assert_int_equal(choice_pick(&c, i * 0x9e3779b97f4a7c15ull, 0), expected[i] - '0');
    choice_end(&c);
}

/* How many of 1,000 of the keys that need not move do move when the last of COUNT leaves. */
static unsigned moved_per_mille(unsigned count)
{
    struct choice before, after;
    unsigned stayed = 0, moved = 0;
    choice_begin(&before, &policy_ip_hash, count);
    choice_begin(&after, &policy_ip_hash, count - 1);
    for (uint64_t key = 0; key < 30000; key++) {
        int was = choice_pick(&before, key, 0), is = choice_pick(&after, key, 0);
        stayed += was == is;
        moved += was != is && was != (int)count - 1;
    }
    choice_end(&before);
    choice_end(&after);
    print_message("%u servers, one leaves: %.2f %% of the others' keys move\n", count,
                  100.0 * moved / (stayed + moved));
    return 1000 * moved / (stayed + moved);
}

static void few_keys_move_when_a_server_leaves(void **state)
{
    (void)state;
    assert_int_equal(moved_per_mille(2), 0);
    assert_in_range(moved_per_mille(3), 0, 20);
    assert_in_range(moved_per_mille(5), 0, 20);
    assert_in_range(moved_per_mille(16), 0, 20);
    assert_in_range(moved_per_mille(64), 0, 20);
}

static void none_but_its_own_keys_move_while_a_server_is_unusable(void **state)
{
    (void)state;
    int was[30000];
    unsigned heirs[5] = {0};
    struct choice c;
    choice_begin(&c, &policy_ip_hash, 5);
    for (uint64_t key = 0; key < 30000; key++)
        was[key] = choice_pick(&c, key, 0);
    c.servers[2].usable = false;
    choice_changed(&c);
    for (uint64_t key = 0; key < 30000; key++) {
        int is = choice_pick(&c, key, 0);
        if (was[key] == 2)
            heirs[is]++;
        else
            assert_int_equal(is, was[key]);
    }
    for (unsigned i = 0; i < 5; i++)
        assert_in_range(heirs[i], i == 2 ? 0 : 1300, i == 2 ? 0 : 1700);
    c.servers[2].usable = true;
    choice_changed(&c);
    for (uint64_t key = 0; key < 30000; key++)
        assert_int_equal(choice_pick(&c, key, 0), was[key]);
    choice_end(&c);
}

static void a_warming_server_takes_its_share_of_its_own_keys(void **state)
{
    (void)state;
    unsigned of_its_own = 0, taken = 0;
    struct choice usual, warming;
    choice_begin(&usual, &policy_ip_hash, 4);
    choice_begin(&warming, &policy_ip_hash, 4);
    warming.servers[1].share = 300;
    for (uint64_t key = 0; key < 40000; key++) {
        int was = choice_pick(&usual, key, 0), is = choice_pick(&warming, key, 0);
        if (was != 1)
            assert_int_equal(is, was);
        of_its_own += was == 1;
        taken += is == 1;
    }
    assert_in_range(taken * 1000 / of_its_own, 270, 330);
    choice_end(&usual);
    choice_end(&warming);
}

/* Whatever the keys are: here half of all requests have the same one. */
static void nobody_goes_above_the_bound(void **state)
{
    (void)state;
    struct choice c;
    unsigned total = 0;
    choice_begin(&c, &policy_bounded_load, 7);
    c.servers[3].weight = 3 * POLICY_WEIGHT;
    choice_changed(&c);
    for (unsigned i = 0; i < 20000; i++) {
        bool ends = random_below(&c.random, 100) < 48;
        unsigned from = (unsigned)random_below(&c.random, 7);
        if (ends && c.servers[from].in_flight) {
            c.servers[from].in_flight--;
            total--;
            continue;
        }
        int at = choice_send(&c, i % 2 ? 5 : random_u64(&c.random));
        total++;
        double mean = (double)total * c.servers[at].weight / (9 * POLICY_WEIGHT);
        unsigned bound = (unsigned)(1.25 * mean) + (1.25 * mean > (unsigned)(1.25 * mean));
        assert_true(c.servers[at].in_flight <= bound);
    }
    assert_true(total > 100);
    choice_end(&c);
}

static void below_the_bound_the_hash_decides(void **state)
{
    (void)state;
    struct choice bounded, plain;
    choice_begin(&bounded, &policy_bounded_load, 5);
    choice_begin(&plain, &policy_ip_hash, 5);
    for (uint64_t key = 0; key < 5000; key++)
        assert_int_equal(choice_pick(&bounded, key, 0), choice_pick(&plain, key, 0));
    /* With this many everywhere, one more or less is within the quarter. */
    for (unsigned i = 0; i < 5; i++)
        bounded.servers[i].in_flight = 20 + i;
    for (uint64_t key = 0; key < 5000; key++)
        assert_int_equal(choice_pick(&bounded, key, 0), choice_pick(&plain, key, 0));
    choice_end(&bounded);
    choice_end(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_even),
        cmocka_unit_test(the_table_is_even_by_weight),
        cmocka_unit_test(the_lightest_is_found_when_there_is_nobody_else),
        cmocka_unit_test(keys_are_spread_evenly),
        cmocka_unit_test(two_load_managers_place_alike),
        cmocka_unit_test(keys_stay_where_they_are_from_version_to_version),
        cmocka_unit_test(few_keys_move_when_a_server_leaves),
        cmocka_unit_test(none_but_its_own_keys_move_while_a_server_is_unusable),
        cmocka_unit_test(a_warming_server_takes_its_share_of_its_own_keys),
        cmocka_unit_test(nobody_goes_above_the_bound),
        cmocka_unit_test(below_the_bound_the_hash_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the scaler is made of: the settings' table, the largest wish of late, the line through the
 * arrivals, the histogram of waits, how many fronts go with how many workers. */
#include "base/clock.h"
#include "base/random.h"
#include "scale/fronts.h"
#include "scale/peak.h"
#include "scale/rule.h"
#include "scale/settings.h"
#include "scale/trend.h"
#include "scale/waits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* ---- Settings ---- */

static void defaults_are_allowed(void **state)
{
    (void)state;
    struct scale_settings settings;
    struct failure failure = {0};
    scale_settings_defaults(&settings);
    assert_int_equal(scale_settings_check(&settings, &failure), 0);
    assert_int_equal(settings.workers_min, 1);
    assert_int_equal(settings.fronts_ratio, 250); /* thousandths */
    assert_int_equal(settings.calm_ms, 60000);
}

static void settings_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    struct scale_settings settings;
    struct failure failure = {0};
    scale_settings_defaults(&settings);
    settings.workers_min = 9;
    assert_int_equal(scale_settings_check(&settings, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "workers-min is 9, but workers-max is 8"));
    scale_settings_defaults(&settings);
    settings.workers_max = 257;
    assert_int_equal(scale_settings_check(&settings, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "from 1 to 256"));
    scale_settings_defaults(&settings);
    settings.busy_low = 600;
    assert_int_equal(scale_settings_check(&settings, &failure), ERR_INVALID);
}

/* ---- Numbers ---- */

static void whatever_is_counted_is_a_number_of_workers(void **state)
{
    (void)state;
    assert_int_equal(scale_whole(-3), 0);
    assert_int_equal(scale_whole(NAN), 0);
    assert_int_equal(scale_whole(0.2), 1);
    assert_int_equal(scale_whole(3), 3);
    assert_int_equal(scale_whole(3 + 1e-12), 3);
    assert_int_equal(scale_whole(3.001), 4);
    assert_int_equal(scale_whole(INFINITY), SCALE_TIER_MAX);
}

static void staff_follows_the_square_root(void **state)
{
    (void)state;
    assert_true(fabs(scale_staff(16, 1000) - 20) < 1e-9);
    assert_true(fabs(scale_staff(16, 2000) - 24) < 1e-9);
    assert_true(fabs(scale_staff(16, 0) - 16) < 1e-9);
    assert_true(scale_staff(0, 1000) == 0);
    assert_true(scale_staff(NAN, 1000) == 0);
}

/* ---- Peak ---- */

static void a_peak_is_remembered_for_its_window(void **state)
{
    (void)state;
    struct peak peak = {0};
    uint64_t window_ns = 1600 * MS_NS;
    assert_int_equal(peak_add(&peak, 7, 0, window_ns), 7);
    for (int i = 0; i < 16; i++)
        assert_int_equal(peak_add(&peak, 2, 100 * MS_NS, window_ns), 7);
    assert_int_equal(peak_add(&peak, 2, 100 * MS_NS, window_ns), 2);
}

static void a_peak_is_what_a_list_of_all_would_say(void **state)
{
    (void)state;
    enum { ALL = 3000, WINDOW_MS = 1600 };
    struct random random;
    struct peak peak = {0};
    static unsigned values[ALL];
    static uint64_t at_ms[ALL];
    uint64_t now_ms = 0;
    random_seed(&random, 1);
    for (unsigned i = 0; i < ALL; i++) {
        uint64_t passed = random_below(&random, 50) ? random_below(&random, 90) : 2000;
        now_ms += i ? passed : 0;
        at_ms[i] = now_ms;
        values[i] = (unsigned)random_below(&random, 1000);
        unsigned found = peak_add(&peak, values[i], i ? passed * MS_NS : 0, WINDOW_MS * MS_NS);
        unsigned least = 0, most = 0; /* of the window; of a sixteenth more */
        for (unsigned k = 0; k <= i; k++) {
            uint64_t age = now_ms - at_ms[k];
            if (age < WINDOW_MS && values[k] > least)
                least = values[k];
            if (age <= WINDOW_MS + WINDOW_MS / PEAK_PARTS && values[k] > most)
                most = values[k];
        }
        assert_in_range(found, least, most);
    }
}

/* ---- Trend ---- */

static void a_line_is_seen_as_it_is(void **state)
{
    (void)state;
    struct trend trend = {0};
    for (int i = 0; i < 100; i++)
        trend_add(&trend, 10 + 3 * (i * 0.1 + 0.05), 0.1, 2);
    assert_true(fabs(trend_level(&trend) - 40) < 1e-6);
    assert_true(fabs(trend_ahead(&trend, 2) - 46) < 1e-6);
}

static void a_line_foretells_neither_less_than_none_nor_more_than_double(void **state)
{
    (void)state;
    struct trend falling = {0}, rising = {0};
    for (int i = 0; i < 20; i++) {
        trend_add(&falling, 100 - 5 * i, 0.1, 2);
        trend_add(&rising, 5 * i, 0.1, 2);
    }
    assert_true(trend_ahead(&falling, 100) == 0);
    assert_true(fabs(trend_ahead(&rising, 100) - 2 * trend_level(&rising)) < 1e-9);
}

static void a_line_begins_anew(void **state)
{
    (void)state;
    struct trend trend = {0};
    for (int i = 0; i < 20; i++)
        trend_add(&trend, 100 - 5 * i, 0.1, 2);
    trend_restart(&trend, 300, 0.3);
    assert_true(fabs(trend_ahead(&trend, 1) - 300) < 1e-9);
    trend_add(&trend, 1, 0, 2); /* no time has passed: nothing was measured */
    assert_true(fabs(trend_level(&trend) - 300) < 1e-9);
}

/* ---- Waits ---- */

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void a_quantile_is_at_most_a_sixteenth_too_large(void **state)
{
    (void)state;
    enum { ALL = 1000 };
    static struct scale_waits waits;
    static uint64_t all[ALL];
    struct random random;
    random_seed(&random, 2);
    for (int i = 0; i < ALL; i++) {
        all[i] = random_u64(&random) >> (20 + random_below(&random, 44));
        scale_waits_add(&waits, all[i]);
    }
    qsort(all, ALL, sizeof *all, compare);
    for (int percent = 1; percent <= 100; percent++) {
        uint64_t exact = all[ALL * percent / 100 - 1];
        assert_in_range(scale_waits_quantile(&waits, percent / 100.0), exact,
                        exact + exact / 16 + 1);
    }
}

static void waits_have_bounds(void **state)
{
    (void)state;
    struct scale_waits waits = {0};
    assert_int_equal(scale_waits_quantile(&waits, 0.99), 0);
    scale_waits_add(&waits, UINT64_MAX);
    assert_true(scale_waits_quantile(&waits, 0.5) > 39ull * 3600 * SEC_NS);
    scale_waits_add(&waits, 0);
    assert_int_equal(scale_waits_quantile(&waits, 0.5), 0);
}

/* ---- Fronts ---- */

static struct scale_settings of_fronts(uint64_t ratio, uint64_t band)
{
    struct scale_settings settings;
    scale_settings_defaults(&settings);
    settings.fronts_ratio = ratio;
    settings.fronts_band = band;
    settings.fronts_max = 100;
    return settings;
}

static unsigned fronts_for(const struct scale_settings *settings, unsigned fronts, unsigned workers,
                           double busy, double connections)
{
    struct scale_fronts_load load = {busy, connections};
    return scale_fronts(settings, fronts, workers, load);
}

static void without_a_band_fronts_are_the_ratio_rounded_up(void **state)
{
    (void)state;
    struct scale_settings settings = of_fronts(250, 0);
    for (unsigned workers = 1; workers <= 100; workers++)
        for (unsigned fronts = 1; fronts <= 30; fronts++)
            assert_int_equal(fronts_for(&settings, fronts, workers, 0, 0), (workers + 3) / 4);
}

static void a_band_keeps_fronts_in_both_directions(void **state)
{
    (void)state;
    struct scale_settings settings = of_fronts(250, 250);
    assert_int_equal(fronts_for(&settings, 1, 5, 0, 0), 1); /* 1.25: no more than 1 + 0.25 */
    assert_int_equal(fronts_for(&settings, 1, 6, 0, 0), 2);
    assert_int_equal(fronts_for(&settings, 2, 4, 0, 0), 2); /* 1.0: more than 2 − 1 − 0.25 */
    assert_int_equal(fronts_for(&settings, 2, 3, 0, 0), 1);
    for (unsigned workers = 1; workers < 99; workers++)
        for (unsigned fronts = 1; fronts < 25; fronts++) {
            unsigned next = fronts_for(&settings, fronts, workers, 0, 0);
            assert_int_equal(fronts_for(&settings, next, workers, 0, 0), next);
            assert_int_equal(fronts_for(&settings, next, workers + 1, 0, 0) - next <= 1, 1);
        }
}

static void fronts_own_work_overrules_the_ratio(void **state)
{
    (void)state;
    struct scale_settings settings = of_fronts(250, 250);
    assert_int_equal(fronts_for(&settings, 1, 4, 2.0, 0), 3); /* of 0.7 each */
    assert_int_equal(fronts_for(&settings, 3, 4, 1.5, 0), 3); /* 1.5 / 0.525: still 3 */
    assert_int_equal(fronts_for(&settings, 3, 4, 1.0, 0), 2);
    assert_int_equal(fronts_for(&settings, 1, 4, 1e9, 0), 100);
    settings.fronts_min = 2;
    assert_int_equal(fronts_for(&settings, 2, 1, 0, 0), 2);
}

static void fronts_connections_overrule_the_ratio_too(void **state)
{
    (void)state;
    struct scale_settings settings = of_fronts(250, 250);
    settings.fronts_connections = 1000;
    assert_int_equal(fronts_for(&settings, 1, 4, 0, 1000), 1);
    assert_int_equal(fronts_for(&settings, 1, 4, 0, 2500), 3);
    assert_int_equal(fronts_for(&settings, 3, 4, 0, 1600), 3); /* 1600 / 750: still 3 */
    assert_int_equal(fronts_for(&settings, 3, 4, 0, 1400), 2);
    assert_int_equal(fronts_for(&settings, 1, 4, 2.0, 1200), 3); /* whichever asks for more */
    assert_int_equal(fronts_for(&settings, 1, 4, 0.5, 1200), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_allowed),
        cmocka_unit_test(settings_that_contradict_each_other_are_refused),
        cmocka_unit_test(whatever_is_counted_is_a_number_of_workers),
        cmocka_unit_test(staff_follows_the_square_root),
        cmocka_unit_test(a_peak_is_remembered_for_its_window),
        cmocka_unit_test(a_peak_is_what_a_list_of_all_would_say),
        cmocka_unit_test(a_line_is_seen_as_it_is),
        cmocka_unit_test(a_line_foretells_neither_less_than_none_nor_more_than_double),
        cmocka_unit_test(a_line_begins_anew),
        cmocka_unit_test(a_quantile_is_at_most_a_sixteenth_too_large),
        cmocka_unit_test(waits_have_bounds),
        cmocka_unit_test(without_a_band_fronts_are_the_ratio_rounded_up),
        cmocka_unit_test(a_band_keeps_fronts_in_both_directions),
        cmocka_unit_test(fronts_own_work_overrules_the_ratio),
        cmocka_unit_test(fronts_connections_overrule_the_ratio_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

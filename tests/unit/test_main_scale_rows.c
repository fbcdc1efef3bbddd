/* The scaler's settings as flags are those of its own table. */
#include "base/check.h"
#include "main/scale_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct values {
    uint64_t other;
    struct scale_settings settings;
};

#define SCALE_BASE offsetof(struct values, settings)
static const struct option_row rows[] = {SCALE_SETTINGS(SCALE_ROW)};
static const struct option_table table = {rows, COUNT_OF(rows), NULL};

static void each_setting_is_a_flag_with_the_same_default_and_range(void **state)
{
    (void)state;
    struct values values;
    struct scale_settings standard;
    option_defaults(&table, &values);
    scale_settings_defaults(&standard);
    assert_memory_equal(&values.settings, &standard, sizeof standard);
    assert_int_equal(table.count, scale_setting_count);
    for (unsigned i = 0; i < scale_setting_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "scale-%s", scale_setting_rows[i].name);
        const struct option_row *row = option_find(&table, str_of(name));
        assert_non_null(row);
        assert_int_equal(row->offset, SCALE_BASE + scale_setting_rows[i].offset);
        assert_int_equal(row->min, scale_setting_rows[i].least);
        assert_int_equal(row->max, scale_setting_rows[i].most);
    }
}

static void flags_are_typed_with_their_units(void **state)
{
    (void)state;
    struct values values;
    option_defaults(&table, &values);
    assert_int_equal(option_set(&table, &values, STR("scale-calm"), STR("2m"), NULL), 0);
    assert_int_equal(values.settings.calm_ms, 120000);
    assert_int_equal(option_set(&table, &values, STR("scale-fronts-ratio"), STR("50%"), NULL), 0);
    assert_int_equal(values.settings.fronts_ratio, 500);
    assert_int_not_equal(option_set(&table, &values, STR("scale-workers-max"), STR("257"), NULL),
                         0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_setting_is_a_flag_with_the_same_default_and_range),
        cmocka_unit_test(flags_are_typed_with_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

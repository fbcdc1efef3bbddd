/* docs/balance.md says what the program says. */
#include "balance/events.h"
#include "balance/policy.h"
#include "main/balance_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int read_reference(void **state)
{
    char path[512];
    const char *root = getenv("STOA_ROOT");
    snprintf(path, sizeof path, "%s/docs/balance.md", root ? root : ".");
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    char *text = calloc(1, 1 << 20);
    size_t len = text ? fread(text, 1, (1 << 20) - 1, file) : 0;
    fclose(file);
    *state = text;
    return len ? 0 : -1;
}

static int free_reference(void **state)
{
    free(*state);
    return 0;
}

static void has(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("docs/balance.md does not have: %s", line);
}

static void every_setting_is_there_with_its_default(void **state)
{
    const struct option_table *table = &balance_settings_table;
    char line[1024];
    assert_true(table->count > 40);
    for (unsigned i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        snprintf(line, sizeof line, "| `--%s%s%s` | %s | %s |", row->name, row->value ? " " : "",
                 row->value ? row->value : "", row->standard ? row->standard : "", row->help);
        has(*state, line);
    }
}

static void every_policy_is_there_the_default_first(void **state)
{
    char line[128];
    snprintf(line, sizeof line, "| --- | --- | --- |\n| `%s` |", policies[0]->name);
    has(*state, line);
    for (unsigned i = 0; policies[i]; i++) {
        snprintf(line, sizeof line, "\n| `%s` | ", policies[i]->name);
        has(*state, line);
    }
}

static void every_kind_of_event_is_there(void **state)
{
    const char *list = strstr(*state, "**Events**");
    assert_non_null(list);
    for (unsigned i = 0; i < EVENT_KINDS; i++)
        has(list, event_kind_name((enum event_kind)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_there_with_its_default),
        cmocka_unit_test(every_policy_is_there_the_default_first),
        cmocka_unit_test(every_kind_of_event_is_there),
    };
    return cmocka_run_group_tests(tests, read_reference, free_reference);
}

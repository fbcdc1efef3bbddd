#include "base/check.h"
#include "main/option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct values {
    char text[OPTION_TEXT_SIZE], word[OPTION_TEXT_SIZE];
    struct option_list list, places, networks;
    uint64_t count, size, time, free, share;
    bool yes;
};

#define AT(field) offsetof(struct values, field)
static const struct option_row rows[] = {
    {"text", OPTION_TEXT, AT(text), NULL, 0, 0, NULL, "FILE", "a text"},
    {"word", OPTION_CHOICE, AT(word), "red", 0, 0, "red green", "COLOUR", "a colour"},
    {"list", OPTION_LIST, AT(list), "one", 0, 0, NULL, "ITEM", "several"},
    {"places", OPTION_LIST, AT(places), NULL, 0, 0, NULL, "PLACE", "several, none at first"},
    {"long-count", OPTION_COUNT, AT(count), "10", 5, 20000, NULL, "N", "a number"},
    {"size", OPTION_SIZE, AT(size), "64K", 1 << 10, 1ull << 30, NULL, "SIZE", "bytes"},
    {"time", OPTION_DURATION, AT(time), "10s", 100, 0, NULL, "TIME", "a while"},
    {"free", OPTION_COUNT, AT(free), NULL, 0, 0, NULL, "N", "any number"},
    {"share", OPTION_SHARE, AT(share), "2.5%", 0, 1000, NULL, "SHARE", "a part"},
    {"yes", OPTION_SWITCH, AT(yes), NULL, 0, 0, NULL, NULL, "a switch"},
    {"networks", OPTION_NETWORKS, AT(networks), NULL, 0, 2, NULL, "NETWORK", "who is believed"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

struct parsed {
    struct values values;
    const char *operands[2];
    unsigned operand_count;
    struct failure failure;
    int err;
};

/* Parses the words of LINE, between spaces. */
static struct parsed parse(const char *line)
{
    struct parsed p;
    static char *words[32]; /* kept: operands point into them */
    int count = 0;
    memset(&p, 'x', sizeof p);
    p.failure.text[0] = 0;
    char *copy = strdup(line), *rest = NULL; /* leaked on purpose, for the operands' sake */
    for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    option_defaults(&table, &p.values);
    p.err =
        option_parse(&table, &p.values, count, words, p.operands, 2, &p.operand_count, &p.failure);
    for (unsigned i = 0; !p.err && i < p.operand_count; i++)
        p.operands[i] = line + (p.operands[i] - copy);
    free(copy);
    return p;
}

static void assert_refused(const char *line, const char *message)
{
    struct parsed p = parse(line);
    assert_int_equal(p.err, ERR_INVALID);
    assert_string_equal(p.failure.text, message);
}

static void defaults_are_set_whatever_was_there_before(void **state)
{
    (void)state;
    struct values v = parse("").values;
    assert_string_equal(v.text, "");
    assert_string_equal(v.word, "red");
    assert_int_equal(v.list.count, 1);
    assert_string_equal(v.list.items[0], "one");
    assert_int_equal(v.places.count, 0);
    assert_int_equal(v.count, 10);
    assert_int_equal(v.size, 65536);
    assert_int_equal(v.time, 10000);
    assert_int_equal(v.free, 0);
    assert_false(v.yes);
}

static void values_come_as_next_word_or_behind_an_equals_sign(void **state)
{
    (void)state;
    struct parsed p = parse("a --text x=y --long-count=7 --yes b --time 5m --word green");
    assert_int_equal(p.err, 0);
    assert_string_equal(p.values.text, "x=y");
    assert_int_equal(p.values.count, 7);
    assert_int_equal(p.values.time, 300000);
    assert_string_equal(p.values.word, "green");
    assert_true(p.values.yes);
    assert_int_equal(p.operand_count, 2);
    assert_int_equal(p.operands[0][0], 'a');
    assert_int_equal(p.operands[1][0], 'b');
    assert_int_equal(parse("--long_count 8").values.count, 8);
    assert_false(parse("--yes=off").values.yes);
    assert_true(parse("--yes --yes=true").values.yes);
}

static void two_dashes_end_the_flags_and_one_is_an_operand(void **state)
{
    (void)state;
    struct parsed p = parse("- -- --yes");
    assert_int_equal(p.err, 0);
    assert_int_equal(p.operand_count, 2);
    assert_memory_equal(p.operands[1], "--yes", 5);
    assert_false(p.values.yes);
}

static void the_last_of_a_repeated_flag_wins_and_lists_take_each(void **state)
{
    (void)state;
    assert_int_equal(parse("--size 2K --size 3K").values.size, 3072);
    struct values v = parse("--list a --list b --places c").values;
    assert_int_equal(v.list.count, 2); /* the default is gone */
    assert_string_equal(v.list.items[0], "a");
    assert_string_equal(v.list.items[1], "b");
    assert_int_equal(v.places.count, 1);
}

static void an_empty_value_empties(void **state)
{
    (void)state;
    assert_string_equal(parse("--text x --text=").values.text, "");
    assert_int_equal(parse("--list=").values.list.count, 0);
    assert_int_equal(parse("--list a --list= --list b").values.list.count, 1);
    assert_refused("--long-count=", "long-count is \"\", but must be a number such as 100 or 10k");
    assert_refused("--word=", "word is \"\", but must be one of: red green");
    assert_refused("--yes=", "yes is \"\", but must be yes or no");
}

static void numbers_have_units_and_limits(void **state)
{
    (void)state;
    assert_int_equal(parse("--long-count 10k").values.count, 10000);
    assert_int_equal(parse("--size 1G").values.size, 1 << 30);
    assert_int_equal(parse("--time 100ms").values.time, 100);
    assert_int_equal(parse("--time 30d").values.time, 2592000000);
    assert_true(parse("--free 18446744073709551615").values.free == UINT64_MAX);
    assert_refused("--long-count -5",
                   "long-count is \"-5\", but must be a number such as 100 or 10k");
    assert_refused("--free 18446744073709551616",
                   "free is \"18446744073709551616\", but must be a number such as 100 or 10k");
    assert_refused("--free 18446744073709552k",
                   "free is \"18446744073709552k\", but must be a number such as 100 or 10k");
    assert_refused("--long-count 4", "long-count is 4, but must be from 5 to 20k");
    assert_refused("--long-count 20001", "long-count is 20001, but must be from 5 to 20k");
    assert_refused("--size 2G", "size is 2G, but must be from 1K to 1G");
    assert_refused("--time 99ms", "time is 99ms, but must be at least 100ms");
    assert_refused("--time 10",
                   "time is \"10\", but must be a duration with its unit, such as 500ms, 10s, 5m, "
                   "6h or 30d");
    assert_refused("--size 1T", "size is \"1T\", but must be a size such as 512K, 64M or 1G");
}

static void wrong_use_is_told_in_a_sentence(void **state)
{
    (void)state;
    assert_refused("--colour red", "there is no option --colour");
    assert_refused("--=x", "there is no option --");
    assert_refused("-y", "there is no option -y (options begin with --)");
    assert_refused("--text", "--text needs a value: --text FILE");
    assert_refused("--text --yes", "--text needs a value: --text FILE"); /* nothing is swallowed */
    assert_refused("--word blue", "word is \"blue\", but must be one of: red green");
    assert_refused("--yes=maybe", "yes is \"maybe\", but must be yes or no");
    assert_refused("a b c", "\"c\" is one argument too many");
    assert_string_equal(parse("--text=--yes").values.text, "--yes");
}

static void texts_and_lists_are_bounded(void **state)
{
    (void)state;
    char line[400] = "--text ";
    memset(line + 7, 'x', OPTION_TEXT_SIZE - 1);
    assert_int_equal(strlen(parse(line).values.text), OPTION_TEXT_SIZE - 1);
    line[7 + OPTION_TEXT_SIZE - 1] = 'x';
    assert_refused(line, "text is longer than 255 characters");
    struct values v = {0};
    struct failure failure;
    for (int i = 0; i < OPTION_LIST_MAX; i++)
        assert_int_equal(option_set(&table, &v, STR("list"), STR("x"), NULL), 0);
    assert_int_equal(option_set(&table, &v, STR("list"), STR("x"), &failure), ERR_INVALID);
    assert_string_equal(failure.text, "list is given more than 64 times");
    assert_int_equal(v.list.count, OPTION_LIST_MAX);
}

static void networks_are_judged_each_and_counted(void **state)
{
    (void)state;
    struct values v = parse("--networks 10.0.0.0/8 --networks ::1").values;
    assert_int_equal(v.networks.count, 2);
    assert_string_equal(v.networks.items[0], "10.0.0.0/8");
    assert_int_equal(parse("--networks ::1 --networks=").values.networks.count, 0);
    assert_refused("--networks foo", "networks \"foo\" is not a network (use 10.0.0.0/8, "
                                     "2001:db8::/32, or an address)");
    assert_refused("--networks 10.0.0.0/33",
                   "networks \"10.0.0.0/33\": the number after / is not 0 to 32");
    assert_refused("--networks ::1 --networks ::2 --networks ::3",
                   "networks is given more than 2 times");
    /* Who keeps 63 characters of it would believe everybody. */
    assert_refused("--networks 10.0.0.0/0000000000000000000000000000000000000000000000000000000008",
                   "networks is longer than 63 characters");
}

static void what_lists_hold_can_become_a_default(void **state)
{
    (void)state;
    struct values v = parse("--list a --list b --networks ::1 --places c").values;
    option_as_defaults(&table, &v);
    assert_int_equal(v.list.count, 2);
    assert_int_equal(option_set(&table, &v, STR("list"), STR("x"), NULL), 0);
    assert_int_equal(option_set(&table, &v, STR("networks"), STR("::2"), NULL), 0);
    assert_int_equal(v.list.count, 1);
    assert_string_equal(v.list.items[0], "x");
    assert_int_equal(v.networks.count, 1);
    assert_string_equal(v.networks.items[0], "::2");
    assert_int_equal(v.places.count, 1);
}

static void a_share_is_in_percent_with_a_digit_after_the_point(void **state)
{
    (void)state;
    assert_int_equal(parse("").values.share, 25);
    assert_int_equal(parse("--share 20%").values.share, 200);
    assert_int_equal(parse("--share 0.1%").values.share, 1);
    assert_int_equal(parse("--share 100%").values.share, 1000);
    assert_int_equal(parse("--share off").values.share, 0);
    assert_refused("--share 20", "share is \"20\", but must be a share such as 20% or 2.5%");
    assert_refused("--share 2.55%", "share is \"2.55%\", but must be a share such as 20% or 2.5%");
    assert_refused("--share %", "share is \"%\", but must be a share such as 20% or 2.5%");
    assert_refused("--share 1.%", "share is \"1.%\", but must be a share such as 20% or 2.5%");
    assert_refused("--share 100.1%", "share is 100.1%, but must be from 0% to 100%");
}

static void a_setting_is_set_by_name(void **state)
{
    (void)state;
    struct values v = {0};
    struct failure failure;
    assert_int_equal(option_set(&table, &v, STR("long_count"), STR("6"), &failure), 0);
    assert_int_equal(v.count, 6);
    assert_int_equal(option_set(&table, &v, STR("long"), STR("6"), &failure), ERR_INVALID);
    assert_string_equal(failure.text, "there is no setting \"long\"");
    assert_null(option_find(&table, STR("")));
    assert_ptr_equal(option_find(&table, STR("size")), &rows[5]);
}

static void help_has_a_line_for_each_with_limits_and_default(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    option_help(&table, out);
    fclose(out);
    unsigned lines = 0;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, COUNT_OF(rows));
    assert_non_null(strstr(text, "--long-count N"));
    assert_non_null(strstr(text, "a number; 5 to 20k [10]"));
    assert_non_null(strstr(text, "bytes; 1K to 1G [64K]"));
    assert_non_null(strstr(text, "a while; at least 100ms [10s]"));
    assert_non_null(strstr(text, "a colour; one of: red green [red]"));
    assert_non_null(strstr(text, "several; may be repeated [one]"));
    assert_non_null(strstr(text, "who is believed; may be repeated, up to 2 times\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_set_whatever_was_there_before),
        cmocka_unit_test(values_come_as_next_word_or_behind_an_equals_sign),
        cmocka_unit_test(two_dashes_end_the_flags_and_one_is_an_operand),
        cmocka_unit_test(the_last_of_a_repeated_flag_wins_and_lists_take_each),
        cmocka_unit_test(an_empty_value_empties),
        cmocka_unit_test(numbers_have_units_and_limits),
        cmocka_unit_test(wrong_use_is_told_in_a_sentence),
        cmocka_unit_test(texts_and_lists_are_bounded),
        cmocka_unit_test(networks_are_judged_each_and_counted),
        cmocka_unit_test(what_lists_hold_can_become_a_default),
        cmocka_unit_test(a_share_is_in_percent_with_a_digit_after_the_point),
        cmocka_unit_test(a_setting_is_set_by_name),
        cmocka_unit_test(help_has_a_line_for_each_with_limits_and_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

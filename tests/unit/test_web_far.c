/* What is kept elsewhere counts as long as it is known to be right, and never as younger than it
 * is. */
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/exchange.h"
#include "web/far_follow.h"
#include "web/far_tags.h"
#include "web/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Tags ---- */

static void check_tags(const struct cache_tags *tags, const char *text)
{
    struct cache_tags read;
    struct buf out;
    uint64_t ring;
    buf_init(&out, FAR_TAGS_MAX);
    assert_true(far_tags_write(&out, 0x1f, tags, 5 * SEC_NS));
    assert_string_equal(text, str_copy((char[FAR_TAGS_MAX]){0}, FAR_TAGS_MAX, buf_text(&out)));
    assert_int_equal(0, far_tags_read(buf_text(&out), 5 * SEC_NS, &ring, &read));
    assert_int_equal(0x1f, ring);
    assert_int_equal(tags->index, read.index);
    assert_int_equal(tags->round, read.round);
    assert_int_equal(tags->until_ns, read.until_ns);
    assert_int_equal(tags->catalogue, read.catalogue);
    assert_int_equal(tags->product_count, read.product_count);
    for (unsigned i = 0; i < tags->product_count; i++)
        assert_int_equal(tags->products[i], read.products[i]);
    buf_close(&out);
}

static void tags_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct cache_tags product = {.index = 7}, full = {.index = 1};
    cache_tag_product(&product, 3);
    check_tags(&product, "ring=000000000000001f; index=7; products=3");
    cache_tag_product(&product, UINT64_MAX);
    product.catalogue = true;
    product.round = 2;
    product.until_ns = 6 * SEC_NS;
    check_tags(&product, "ring=000000000000001f; index=7; round=2; left=1000; catalogue; "
                         "products=3,18446744073709551615");
    check_tags(&(struct cache_tags){.index = UINT64_MAX, .round = 1},
               "ring=000000000000001f; index=18446744073709551615; round=1");
    struct buf out;
    buf_init(&out, FAR_TAGS_MAX);
    for (unsigned i = 0; i < CACHE_PRODUCTS_MAX; i++)
        cache_tag_product(&full, UINT64_MAX - i);
    full.until_ns = UINT64_MAX;
    full.round = full.index = UINT64_MAX;
    assert_true(far_tags_write(&out, UINT64_MAX, &full, 0));
    cache_tag_product(&full, 1);
    assert_false(far_tags_write(&out, 1, &full, 0));
    buf_close(&out);
}

static void what_has_no_time_left_is_not_told(void **state)
{
    (void)state;
    struct cache_tags over = {.index = 7, .until_ns = 5 * SEC_NS};
    struct buf out;
    buf_init(&out, FAR_TAGS_MAX);
    assert_false(far_tags_write(&out, 1, &over, 5 * SEC_NS));
    buf_close(&out);
}

static void what_is_not_understood_is_not_kept(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "index=7",
        "ring=000000000000001f",
        "ring=1f; index=7",
        "ring=000000000000001f; index=x",
        "ring=000000000000001f; index=7; country=fr",
        "ring=000000000000001f; index=7; products=",
        "ring=000000000000001f; index=7; products=1,,2",
        "ring=000000000000001f; index=7; left=99999999999",
        "ring=000000000000001f; index=7; catalogue=1",
    };
    struct cache_tags tags;
    uint64_t ring;
    for (unsigned i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(ERR_INVALID, far_tags_read(str_of(wrong[i]), 0, &ring, &tags));
}

static void what_a_token_claims_is_its_index(void **state)
{
    (void)state;
    assert_int_equal(12, token_claims(STR("1-12-0123456789abcdef0123456789abcdef")));
    assert_int_equal(0, token_claims(STR("2-12-0123456789abcdef0123456789abcdef")));
    assert_int_equal(0, token_claims(STR("1-x-0123456789abcdef0123456789abcdef")));
    assert_int_equal(0, token_claims(STR("1-12")));
    assert_int_equal(0, token_claims(STR_NONE));
}

static void the_key_is_of_the_token(void **state)
{
    (void)state;
    char one[FAR_KEY], same[FAR_KEY], other[FAR_KEY];
    assert_string_equal(far_key("secret", one), far_key("secret", same));
    assert_string_not_equal(one, far_key("Secret", other));
    assert_int_equal(FAR_KEY - 1, strlen(one));
}

/* ---- Following ---- */

struct world {
    struct cache *cache;
    struct cache_changes *changes;
    struct far_follow follow;
};

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->changes = calloc(1, cache_changes_size());
    world->cache = cache_new_over(1 << 20, world->changes);
    far_follow_init(&world->follow, world->cache, world->changes);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;
    cache_free(world->cache);
    free(world->changes);
    free(world);
    return 0;
}

enum { LATER_NS = 1000000 };

static int hear(struct world *world, const char *line)
{
    return far_follow_line(&world->follow, str_of(line), LATER_NS, 1);
}

static void keep_of(struct world *world, uint64_t round, uint64_t index, uint64_t product)
{
    struct cache_tags tags = {.index = index, .round = round};
    struct http_page *page = http_page_new(200, STR("text/plain"), STR(""), STR("mug"), false);
    cache_tag_product(&tags, product);
    cache_put(world->cache, STR("/mug"), page, &tags);
    http_page_drop(page);
}

static void keep(struct world *world, uint64_t index, uint64_t product)
{
    keep_of(world, cache_round(world->cache), index, product);
}

static bool is_kept(struct world *world)
{
    struct http_page *page = cache_get(world->cache, STR("/mug"));
    http_page_drop(page);
    return page != NULL;
}

static void a_beat_is_as_old_as_its_way_may_have_been_long(void **state)
{
    struct world *world = *state;
    struct far_follow *follow = &world->follow;
    assert_int_equal(UINT64_MAX, far_follow_age_ns(follow, 1000));
    far_follow_ask(follow, 1000);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(UINT64_MAX, far_follow_age_ns(follow, 1000));
    assert_int_equal(0, hear(world, "beat 5 1 900000"));
    assert_int_equal(0, far_follow_age_ns(follow, 1000));
    assert_int_equal(70, far_follow_age_ns(follow, 1070)); /* however late it came */
    assert_int_equal(0, hear(world, "beat 5 1 900050"));
    assert_int_equal(20, far_follow_age_ns(follow, 1070));
    /* Heard at 5000, but made long before: this process, or the network, had stopped. */
    assert_int_equal(0, hear(world, "beat 5 1 900100"));
    assert_int_equal(3900, far_follow_age_ns(follow, 5000));
}

static void nothing_was_made_after_it_was_heard(void **state)
{
    struct world *world = *state;
    struct far_follow *follow = &world->follow;
    far_follow_ask(follow, 1000);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 50"));
    assert_int_equal(0, hear(world, "beat 5 1 18446744073709551615")); /* a clock that jumps */
    assert_int_equal(7, far_follow_age_ns(follow, LATER_NS + 7));
}

static void a_change_outdates_what_was_made_before_it(void **state)
{
    struct world *world = *state;
    far_follow_ask(&world->follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    keep(world, 5, 3);
    assert_true(is_kept(world));
    assert_int_equal(0, hear(world, "change 6 product 4 cup"));
    assert_true(is_kept(world));
    assert_int_equal(0, hear(world, "change 7 product 3 mug"));
    assert_false(is_kept(world));
    keep(world, 7, 3);
    assert_int_equal(0, hear(world, "beat 7 1 2"));
    assert_true(is_kept(world));
    assert_int_equal(7, world->follow.told);
}

static void it_goes_on_where_it_was_with_the_same_server_only(void **state)
{
    struct world *world = *state;
    far_follow_ask(&world->follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    keep(world, 5, 3);
    far_follow_ask(&world->follow, 2);
    assert_int_equal(0, hear(world, "from 000000000000001f 5"));
    assert_true(is_kept(world));
    far_follow_ask(&world->follow, 3);
    assert_int_equal(ERR_INVALID, hear(world, "from 000000000000002f 5"));
    far_follow_ask(&world->follow, 4);
    assert_int_equal(ERR_INVALID, hear(world, "from 000000000000001f 6"));
    far_follow_ask(&world->follow, 5);
    assert_int_equal(ERR_INVALID, hear(world, "beat 5 1 1"));
}

static void of_another_server_or_history_nothing_is_left(void **state)
{
    struct world *world = *state;
    struct far_follow *follow = &world->follow;
    far_follow_ask(follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 50"));
    assert_int_equal(0, hear(world, "beat 50 1 1"));
    keep(world, 60, 3);
    assert_true(far_follow_takes(follow, 0x1f, 1));
    assert_true(far_follow_takes(follow, 0x1f, 0));
    far_follow_ask(follow, 2);
    assert_int_equal(0, hear(world, "all 000000000000002f 5")); /* a restored one: fewer entries */
    assert_int_equal(UINT64_MAX, far_follow_age_ns(follow, 2));
    assert_false(is_kept(world));
    assert_false(far_follow_takes(follow, 0x1f, 1));
    assert_false(far_follow_takes(follow, 0x2f, 1)); /* its round is not known yet */
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    assert_true(far_follow_takes(follow, 0x2f, 1));
    keep(world, 5, 3);
    assert_true(is_kept(world));
}

static void what_was_asked_for_before_a_change_is_not_kept_after_it(void **state)
{
    struct world *world = *state;
    far_follow_ask(&world->follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    assert_int_equal(0, hear(world, "change 7 product 3 mug"));
    keep(world, 6, 3);
    assert_false(is_kept(world));
    keep(world, 7, 3);
    assert_true(is_kept(world));
    assert_int_equal(0, hear(world, "change 8 settings"));
    assert_false(is_kept(world));
}

static void what_was_asked_for_before_all_was_forgotten_is_not_kept_after_it(void **state)
{
    struct world *world = *state;
    far_follow_ask(&world->follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    uint64_t round = cache_round(world->cache);
    far_follow_ask(&world->follow, 2);
    assert_int_equal(0, hear(world, "all 000000000000001f 9"));
    assert_int_equal(0, hear(world, "beat 9 1 2"));
    keep_of(world, round, 9, 3);
    assert_false(is_kept(world));
}

static void after_the_end_of_an_answer_nothing_is_known_until_the_next_beat(void **state)
{
    struct world *world = *state;
    struct far_follow *follow = &world->follow;
    far_follow_ask(follow, 10);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    assert_int_equal(2, far_follow_age_ns(follow, 12));
    far_follow_end(follow);
    assert_int_equal(UINT64_MAX, far_follow_age_ns(follow, 12));
    far_follow_ask(follow, 20);
    assert_int_equal(0, hear(world, "from 000000000000001f 5"));
    assert_int_equal(UINT64_MAX, far_follow_age_ns(follow, 21));
    assert_int_equal(0, hear(world, "beat 5 1 2"));
    assert_int_equal(1, far_follow_age_ns(follow, 21));
}

static void another_round_outdates_all(void **state)
{
    struct world *world = *state;
    far_follow_ask(&world->follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 1"));
    keep(world, 5, 3);
    assert_int_equal(0, hear(world, "beat 5 2 2"));
    assert_false(is_kept(world));
    assert_false(far_follow_takes(&world->follow, 0x1f, 1));
    assert_true(far_follow_takes(&world->follow, 0x1f, 2));
}

static void what_goes_back_in_time_is_not_believed(void **state)
{
    struct world *world = *state;
    far_follow_ask(&world->follow, 1);
    assert_int_equal(0, hear(world, "all 000000000000001f 5"));
    assert_int_equal(ERR_INVALID, hear(world, "all 000000000000001f 5"));
    assert_int_equal(0, hear(world, "beat 5 1 10"));
    assert_int_equal(ERR_INVALID, hear(world, "beat 4 1 11"));
    assert_int_equal(ERR_INVALID, hear(world, "beat 5 1 9"));
}

int main(void)
{
#define FOLLOWING(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_read_as_they_were_written),
        cmocka_unit_test(what_has_no_time_left_is_not_told),
        cmocka_unit_test(what_is_not_understood_is_not_kept),
        cmocka_unit_test(what_a_token_claims_is_its_index),
        cmocka_unit_test(the_key_is_of_the_token),
        FOLLOWING(a_beat_is_as_old_as_its_way_may_have_been_long),
        FOLLOWING(nothing_was_made_after_it_was_heard),
        FOLLOWING(a_change_outdates_what_was_made_before_it),
        FOLLOWING(it_goes_on_where_it_was_with_the_same_server_only),
        FOLLOWING(of_another_server_or_history_nothing_is_left),
        FOLLOWING(what_was_asked_for_before_a_change_is_not_kept_after_it),
        FOLLOWING(what_was_asked_for_before_all_was_forgotten_is_not_kept_after_it),
        FOLLOWING(after_the_end_of_an_answer_nothing_is_known_until_the_next_beat),
        FOLLOWING(another_round_outdates_all),
        FOLLOWING(what_goes_back_in_time_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

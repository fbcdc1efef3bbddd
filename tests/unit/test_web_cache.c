/* The response cache never gives out what a change has outdated, in whatever order render, change
 * and put happen; and it stays within its bytes. */
#include "base/clock.h"
#include "base/random.h"
#include "http/exchange.h"
#include "web/cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

static struct http_page *page_of(const char *text)
{
    struct http_page *page =
        http_page_new(200, STR("text/plain"), STR("no-cache"), str_of(text), false);
    assert_non_null(page);
    return page;
}

static bool put(struct cache *cache, const char *key, const struct cache_tags *tags)
{
    struct http_page *page = page_of(key);
    bool kept = cache_put(cache, str_of(key), page, tags);
    http_page_drop(page);
    return kept;
}

static bool has(struct cache *cache, const char *key)
{
    struct http_page *page = cache_get(cache, str_of(key));
    http_page_drop(page);
    return page != NULL;
}

static void change_product(struct cache *cache, uint64_t id, uint64_t index)
{
    cache_changed(cache, CHANGE_PRODUCT, id, STR(""), index);
}

static struct cache_tags tags_of(uint64_t index, uint64_t product)
{
    struct cache_tags tags = {.index = index};
    cache_tag_product(&tags, product);
    return tags;
}

static void a_kept_page_is_found_until_its_product_changes(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags tags = tags_of(5, 1);
    assert_true(put(cache, "/a", &tags));
    assert_true(has(cache, "/a"));
    change_product(cache, 2, 6);
    assert_true(has(cache, "/a"));
    change_product(cache, 1, 7);
    assert_false(has(cache, "/a"));
    cache_free(cache);
}

static void a_page_rendered_before_a_change_and_put_after_it_is_refused(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags rendered_before = tags_of(7, 1);
    change_product(cache, 1, 8);
    assert_false(put(cache, "/a", &rendered_before));
    assert_false(has(cache, "/a"));
    struct cache_tags rendered_after = tags_of(8, 1);
    assert_true(put(cache, "/a", &rendered_after));
    assert_true(has(cache, "/a"));
    cache_free(cache);
}

static void an_older_render_does_not_replace_a_newer_one(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags newer = tags_of(9, 1), older = tags_of(8, 1);
    assert_true(put(cache, "/a", &newer));
    assert_false(put(cache, "/a", &older));
    change_product(cache, 1, 9);
    assert_true(has(cache, "/a"));
    cache_free(cache);
}

static void settings_outdate_everything_and_the_catalogue_outdates_lists(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags product = tags_of(5, 1), list = tags_of(5, 2), asset = {.index = UINT64_MAX};
    list.catalogue = true;
    assert_true(put(cache, "/product", &product));
    assert_true(put(cache, "/list", &list));
    assert_true(put(cache, "/asset", &asset));
    cache_changed(cache, CHANGE_CATALOGUE, 0, STR(""), 6);
    assert_true(has(cache, "/product"));
    assert_false(has(cache, "/list"));
    cache_changed(cache, CHANGE_SETTINGS, 0, STR(""), 7);
    assert_false(has(cache, "/product"));
    assert_true(has(cache, "/asset"));
    cache_free(cache);
}

static void a_ranking_is_given_out_no_longer_than_its_time(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags over = {.index = 5, .until_ns = 1}, fresh = {.index = 5};
    fresh.until_ns = clock_mono_ns() + 3600 * SEC_NS;
    assert_false(put(cache, "/over", &over));
    assert_true(put(cache, "/fresh", &fresh));
    assert_true(has(cache, "/fresh"));
    cache_free(cache);
}

static void a_page_of_more_products_than_are_tagged_is_not_kept(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags tags = {.index = 5};
    for (uint64_t i = 0; i < CACHE_PRODUCTS_MAX; i++)
        cache_tag_product(&tags, i + 1);
    assert_true(put(cache, "/fits", &tags));
    cache_tag_product(&tags, 1000);
    assert_false(put(cache, "/more", &tags));
    cache_free(cache);
}

static void it_stays_within_its_bytes_and_keeps_what_is_used(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags tags = {.index = 5};
    char key[32];
    assert_true(put(cache, "/hot", &tags));
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "/cold/%u", i);
        put(cache, key, &tags);
        assert_true(has(cache, "/hot"));
    }
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    assert_true(stats.evicted > 0);
    assert_true(stats.bytes <= ROOM);
    assert_true(stats.entries > 100);
    cache_free(cache);
}

/* Whatever is put, asked for and outdated, with names and sizes of all kinds. */
static void its_bytes_are_never_above_the_bound(void **state)
{
    (void)state;
    static const size_t rooms[] = {1 << 16, 3 << 18, 5 << 20};
    static const char text[20000];
    struct random random;
    random_seed(&random, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct cache *cache = cache_new(rooms[i]);
        struct cache_stats stats;
        for (uint64_t step = 1; step <= 6000; step++) {
            char key[64];
            uint64_t product = random_below(&random, 2000);
            snprintf(key, sizeof key, "/%0*u", 1 + (int)(product % 50), (unsigned)product);
            struct cache_tags tags = tags_of(step, product);
            struct str body = str_make(text, random_below(&random, sizeof text));
            struct http_page *page = http_page_new(200, STR("text/html"), STR(""), body, false);
            if (!has(cache, key))
                cache_put(cache, str_of(key), page, &tags);
            http_page_drop(page);
            if (step % 50 == 0)
                change_product(cache, random_below(&random, 2000), step);
            if (step % 5 == 0) {
                cache_read_stats(cache, &stats);
                assert_int_equal(stats.limit, rooms[i]);
                assert_true(stats.bytes <= stats.limit);
            }
        }
        assert_true(stats.evicted > 0 && stats.outdated > 0 && stats.entries > 0);
        cache_free(cache);
    }
}

static void put_many(struct cache *cache, const char *form, unsigned count, uint64_t index)
{
    struct cache_tags tags = {.index = index};
    char key[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof key, form, i);
        assert_true(put(cache, key, &tags));
    }
}

static unsigned count_of(struct cache *cache, const char *form, unsigned count)
{
    unsigned found = 0;
    char key[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof key, form, i);
        found += has(cache, key);
    }
    return found;
}

/* Though it had been asked for, and so would have stayed longest. It is looked for in a few places
 * at a time; by chance there may be none of it there. */
enum { BY_CHANCE = 5 };

static void check_outdated_goes_first(struct cache *cache, bool tells)
{
    struct cache_stats stats;
    if (tells)
        cache_told(cache, 5);
    put_many(cache, "/old/%u", 3000, 5); /* all buckets have been looked through many times */
    for (unsigned use = 0; use < 4; use++)
        count_of(cache, "/old/%u", 3000);
    cache_read_stats(cache, &stats);
    uint64_t evicted = stats.evicted;
    unsigned room = (unsigned)stats.entries;
    assert_true(evicted > 0);
    cache_changed(cache, CHANGE_SETTINGS, 0, STR(""), 6);
    if (tells)
        cache_told(cache, 6);
    put_many(cache, "/new/%u", room * 3 / 4, 6);
    cache_read_stats(cache, &stats);
    assert_true(stats.evicted - evicted <= BY_CHANCE);
    assert_true(stats.outdated >= room / 2);
    assert_true(count_of(cache, "/new/%u", room * 3 / 4) >= room * 3 / 4 - BY_CHANCE);
    cache_free(cache);
}

static void what_is_outdated_goes_before_what_is_right(void **state)
{
    (void)state;
    check_outdated_goes_first(cache_new(ROOM), true);
    check_outdated_goes_first(cache_new(ROOM), false); /* as programs before 0.6 do */
}

static void what_is_made_anew_everywhere_is_looked_for_too(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_stats stats;
    struct cache_tags tags = tags_of(5, 1);
    char key[32];
    tags.round = cache_round(cache);
    cache_told(cache, 5);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "/old/%u", i);
        put(cache, key, &tags);
    }
    cache_read_stats(cache, &stats);
    unsigned room = (unsigned)stats.entries;
    cache_renew(cache);
    put_many(cache, "/new/%u", room * 3 / 4, 5);
    cache_read_stats(cache, &stats);
    assert_true(stats.outdated >= room / 2);
    cache_free(cache);
}

static void what_was_used_and_outdated_is_kept_at_once_when_it_comes_again(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags before = tags_of(5, 1), after = tags_of(6, 1);
    struct cache_stats stats;
    put(cache, "/a", &before);
    assert_true(has(cache, "/a"));
    change_product(cache, 1, 6);
    assert_false(has(cache, "/a"));
    put(cache, "/a", &after);
    cache_read_stats(cache, &stats);
    assert_int_equal(stats.ghosts, 1);
    assert_int_equal(stats.outdated, 1);
    assert_int_equal(stats.hits, 1);
    assert_int_equal(stats.misses, 1);
    cache_free(cache);
}

static void the_ages_of_every_64th_hit_are_noted(void **state)
{
    (void)state;
    struct cache *cache = cache_new(1 << 16); /* one stripe */
    struct cache_tags tags = {.index = 5};
    struct cache_stats stats;
    uint64_t noted = 0;
    put(cache, "/a", &tags);
    for (unsigned i = 0; i < 129; i++)
        assert_true(has(cache, "/a"));
    cache_read_stats(cache, &stats);
    for (unsigned i = 0; i <= CACHE_AGES; i++)
        noted += stats.ages[i];
    assert_int_equal(noted, 3);
    cache_free(cache);
}

static void without_room_nothing_is_kept(void **state)
{
    (void)state;
    struct cache *cache = cache_new(0);
    struct cache_tags tags = {.index = 5};
    assert_false(put(cache, "/a", &tags));
    assert_false(has(cache, "/a"));
    cache_free(cache);
}

static uint64_t index_of(struct cache *cache, const char *key)
{
    struct cache_tags tags = {0};
    http_page_drop(cache_get_tagged(cache, str_of(key), &tags));
    return tags.index;
}

static void what_is_right_after_all_that_is_told_counts_as_made_then(void **state)
{
    (void)state;
    struct cache *cache = cache_new(ROOM);
    struct cache_tags mug = tags_of(3, 1), file = {.index = UINT64_MAX};
    cache_told(cache, 3);
    assert_true(put(cache, "/mug", &mug));
    assert_true(put(cache, "/file", &file));
    assert_int_equal(3, index_of(cache, "/mug"));
    change_product(cache, 2, 9);
    assert_int_equal(3, index_of(cache, "/mug")); /* entry 9 may change more */
    cache_told(cache, 9);
    assert_int_equal(9, index_of(cache, "/mug"));
    assert_int_equal(UINT64_MAX, index_of(cache, "/file"));
    change_product(cache, 1, 10);
    cache_told(cache, 10);
    assert_int_equal(0, index_of(cache, "/mug"));
    cache_free(cache);
}

/* ---- The promise under threads: once a change is told, no older page comes out ---- */

enum { CHANGES = 20000 };

struct race {
    struct cache *cache;
    _Atomic uint64_t told; /* index of the last change whose telling has returned */
    _Atomic bool over;
};

/* As a handler does: looks, and on a miss renders the state as of `told` and keeps it. The page's
 * text is the index that it was rendered from. */
static void *render_loop(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->over)) {
        uint64_t told = atomic_load(&race->told);
        struct http_page *page = cache_get(race->cache, STR("/a"));
        if (!page) {
            struct cache_tags tags = tags_of(told, 1);
            char text[32];
            snprintf(text, sizeof text, "%llu", (unsigned long long)told);
            page = page_of(text);
            cache_put(race->cache, STR("/a"), page, &tags);
        }
        http_page_drop(page);
    }
    return NULL;
}

static void no_thread_is_given_a_page_older_than_a_told_change(void **state)
{
    (void)state;
    struct race race = {.cache = cache_new(ROOM)};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, render_loop, &race), 0);
    struct cache_tags probe;
    for (uint64_t index = 1; index <= CHANGES; index++) {
        change_product(race.cache, 1, index);
        /* Whatever is in the cache now was made from an older state. */
        assert_false(has(race.cache, "/a"));
        atomic_store(&race.told, index);
        probe = tags_of(index - 1, 1);
        assert_false(put(race.cache, "/a", &probe));
    }
    atomic_store(&race.over, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cache_free(race.cache);
}

/* The same with more pages than there is room for, so that they go and come all the time. */
enum { MANY = 200, LARGE = 6000 };

static void *render_many(void *argument)
{
    static const char text[LARGE];
    struct race *race = argument;
    struct random random;
    char key[32];
    random_seed(&random, 1);
    while (!atomic_load(&race->over)) {
        uint64_t told = atomic_load(&race->told), product = random_below(&random, MANY);
        snprintf(key, sizeof key, "/%u", (unsigned)product);
        if (!has(race->cache, key)) {
            struct cache_tags tags = tags_of(told, product);
            struct http_page *page = http_page_new(200, STR("text/html"), STR("no-cache"),
                                                   str_make(text, sizeof text), false);
            cache_put(race->cache, str_of(key), page, &tags);
            http_page_drop(page);
        }
    }
    return NULL;
}

static void nor_while_pages_go_and_come(void **state)
{
    (void)state;
    struct race race = {.cache = cache_new(ROOM / 2)};
    struct cache_stats stats = {0};
    struct random random;
    pthread_t threads[2];
    char key[32];
    random_seed(&random, 2);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, render_many, &race), 0);
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    for (uint64_t index = 1; index <= CHANGES / 4 || stats.evicted == 0; index++) {
        uint64_t product = random_below(&random, MANY);
        snprintf(key, sizeof key, "/%u", (unsigned)product);
        change_product(race.cache, product, index);
        assert_false(has(race.cache, key));
        atomic_store(&race.told, index);
        if (index % 16 == 0)
            cache_read_stats(race.cache, &stats);
        assert_true(stats.bytes <= stats.limit);
        assert_true(clock_mono_ns() < deadline);
    }
    atomic_store(&race.over, true);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    cache_free(race.cache);
}

/* Two processes, as each has entries of its own. */
static void who_reads_besides_sees_what_the_writer_tells(void **state)
{
    (void)state;
    struct cache_changes *changes = calloc(1, cache_changes_size());
    assert_non_null(changes);
    struct cache *writer = cache_new_over(ROOM, changes), *reader = cache_new_over(ROOM, changes);
    struct cache_tags tags = tags_of(5, 1);
    assert_true(put(reader, "/a", &tags));
    assert_false(has(writer, "/a"));
    change_product(writer, 1, 6);
    assert_false(has(reader, "/a"));
    assert_false(put(reader, "/a", &tags));
    cache_changed(writer, CHANGE_SETTINGS, 0, STR(""), 9);
    assert_int_equal(cache_settings_index(reader), 9);
    cache_free(writer);
    cache_free(reader);
    free(changes);
}

static void what_was_committed_and_never_told_is_outdated_by_the_next_writer(void **state)
{
    (void)state;
    struct cache_changes *changes = calloc(1, cache_changes_size());
    assert_non_null(changes);
    struct cache *reader = cache_new_over(ROOM, changes);
    struct cache_tags before = tags_of(5, 1), after = tags_of(6, 1);
    assert_true(put(reader, "/a", &before));
    cache_changes_begin(changes, 6); /* 6 is in the database */
    assert_false(has(reader, "/a"));
    assert_true(put(reader, "/a", &after));
    cache_free(reader);
    free(changes);
}

/* A backup was brought back: the entries count anew. */
static void a_database_that_is_behind_what_was_told_is_cached_again(void **state)
{
    (void)state;
    struct cache_changes *changes = calloc(1, cache_changes_size());
    assert_non_null(changes);
    struct cache *old = cache_new_over(ROOM, changes);
    change_product(old, 1, 100);
    cache_changed(old, CHANGE_CATALOGUE, 0, STR(""), 100);
    cache_free(old);
    cache_changes_begin(changes, 7);
    struct cache *fresh = cache_new_over(ROOM, changes);
    struct cache_tags tags = tags_of(7, 1);
    tags.catalogue = true;
    assert_true(put(fresh, "/a", &tags));
    assert_true(has(fresh, "/a"));
    cache_free(fresh);
    free(changes);
}

/* ---- How far behind it may be ---- */

static void from_a_commit_until_it_is_told_it_may_be_behind(void **state)
{
    (void)state;
    struct cache_changes *changes = calloc(1, cache_changes_size());
    assert_non_null(changes);
    assert_int_equal(cache_changes_behind_ns(changes, 1000), 0);
    cache_changes_committing(changes, 1000);
    assert_int_equal(cache_changes_behind_ns(changes, 1700), 700);
    cache_changes_told(changes, 8, 1900);
    assert_int_equal(cache_changes_behind_ns(changes, 5000), 0);
    cache_changes_committing(changes, 6000);
    cache_changes_told(changes, 9, 6100);
    struct cache *reader = cache_new_over(ROOM, changes);
    struct cache_stats stats;
    cache_read_stats(reader, &stats);
    assert_int_equal(stats.told, 9);
    assert_int_equal(stats.behind_ns, 0);
    assert_int_equal(stats.behind_max_ns, 900);
    cache_free(reader);
    free(changes);
}

static void who_died_between_a_commit_and_telling_leaves_readers_behind_until_the_next(void **state)
{
    (void)state;
    struct cache_changes *changes = calloc(1, cache_changes_size());
    assert_non_null(changes);
    uint64_t now = clock_mono_ns();
    cache_changes_committing(changes, now - 5 * SEC_NS);
    assert_int_equal(cache_changes_behind_ns(changes, now), 5 * SEC_NS);
    cache_changes_begin(changes, 7);
    assert_int_equal(cache_changes_behind_ns(changes, now + SEC_NS), 0);
    struct cache *reader = cache_new_over(ROOM, changes);
    struct cache_stats stats;
    cache_read_stats(reader, &stats);
    assert_int_equal(stats.told, 7);
    assert_true(stats.behind_max_ns >= 5 * SEC_NS);
    cache_free(reader);
    free(changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_page_is_found_until_its_product_changes),
        cmocka_unit_test(a_page_rendered_before_a_change_and_put_after_it_is_refused),
        cmocka_unit_test(an_older_render_does_not_replace_a_newer_one),
        cmocka_unit_test(settings_outdate_everything_and_the_catalogue_outdates_lists),
        cmocka_unit_test(a_ranking_is_given_out_no_longer_than_its_time),
        cmocka_unit_test(a_page_of_more_products_than_are_tagged_is_not_kept),
        cmocka_unit_test(it_stays_within_its_bytes_and_keeps_what_is_used),
        cmocka_unit_test(its_bytes_are_never_above_the_bound),
        cmocka_unit_test(what_is_outdated_goes_before_what_is_right),
        cmocka_unit_test(what_is_made_anew_everywhere_is_looked_for_too),
        cmocka_unit_test(what_was_used_and_outdated_is_kept_at_once_when_it_comes_again),
        cmocka_unit_test(what_is_right_after_all_that_is_told_counts_as_made_then),
        cmocka_unit_test(the_ages_of_every_64th_hit_are_noted),
        cmocka_unit_test(from_a_commit_until_it_is_told_it_may_be_behind),
        cmocka_unit_test(
            who_died_between_a_commit_and_telling_leaves_readers_behind_until_the_next),
        cmocka_unit_test(without_room_nothing_is_kept),
        cmocka_unit_test(who_reads_besides_sees_what_the_writer_tells),
        cmocka_unit_test(what_was_committed_and_never_told_is_outdated_by_the_next_writer),
        cmocka_unit_test(a_database_that_is_behind_what_was_told_is_cached_again),
        cmocka_unit_test(no_thread_is_given_a_page_older_than_a_told_change),
        cmocka_unit_test(nor_while_pages_go_and_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

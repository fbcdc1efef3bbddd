/* Where the servers are, and what they tell each other of it. */
#include "base/err.h"
#include "replica/news.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct server_place place_of(uint64_t id, int64_t since_ms, const char *address)
{
    struct server_place place = {.id = id, .since_ms = since_ms, .pid = 4711};
    snprintf(place.address, sizeof place.address, "%s", address);
    return place;
}

static void note(struct book *book, uint64_t id, int64_t since_ms, const char *address,
                 bool expected)
{
    struct server_place place = place_of(id, since_ms, address);
    assert_int_equal(book_note(book, &place), expected);
}

static void the_later_place_is_believed(void **state)
{
    struct book book;
    struct server_place place, places[BOOK_PLACES];
    (void)state;
    book_open(&book, NULL);
    note(&book, 3, 100, "c:1", true);
    note(&book, 1, 100, "a:1", true);
    note(&book, 3, 100, "c:2", false);
    note(&book, 3, 101, "c:3", true);
    note(&book, 3, 99, "c:4", false);
    note(&book, 4, 1, "two words", false); /* would not survive the file */
    assert_true(book_find(&book, 3, &place));
    assert_string_equal(place.address, "c:3");
    assert_int_equal(book_places(&book, places), 2);
    assert_int_equal(places[0].id, 1);
    book_close(&book);
}

static void who_was_removed_does_not_come_back(void **state)
{
    struct book book;
    struct server_place place;
    (void)state;
    book_open(&book, NULL);
    note(&book, 3, 100, "c:1", true);
    assert_true(book_remove(&book, 3));
    assert_false(book_remove(&book, 3));
    assert_true(book_removed(&book, 3));
    assert_false(book_find(&book, 3, &place));
    note(&book, 3, 500, "c:1", false);
    book_close(&book);
}

static void it_is_the_same_after_a_restart(void **state)
{
    char file[64] = "/tmp/stoa-book-XXXXXX";
    struct book book;
    struct buf text;
    struct server_place place;
    (void)state;
    close(mkstemp(file));
    book_open(&book, file);
    place = place_of(2, 1763000000123, "[::1]:7000");
    snprintf(place.url, sizeof place.url, "https://shop.example");
    assert_true(book_note(&book, &place));
    note(&book, 5, 7, "five:5", true);
    book_remove(&book, 9);
    buf_init(&text, 65536);
    book_text(&book, &text);
    assert_int_equal(book_write(file, buf_text(&text)), 0);
    book_close(&book);

    FILE *more = fopen(file, "a");
    fputs("server x 1 2 nonsense\nserver 6\nwhat is this\n\n", more);
    fclose(more);
    book_open(&book, file);
    assert_true(book_find(&book, 2, &place));
    assert_int_equal(place.since_ms, 1763000000123);
    assert_int_equal(place.pid, 4711);
    assert_string_equal(place.address, "[::1]:7000");
    assert_string_equal(place.url, "https://shop.example");
    assert_true(book_find(&book, 5, &place));
    assert_string_equal(place.url, "");
    assert_false(book_find(&book, 6, &place));
    assert_true(book_removed(&book, 9));
    book_close(&book);
    buf_close(&text);
    unlink(file);
}

static void news_arrive_as_they_were_sent(void **state)
{
    static struct news_book sent, got;
    struct news in = {
        .term = 4,
        .leader = 2,
        .last_index = 900,
        .last_term = 3,
        .commit_index = 899,
        .applied_index = 898,
        .applied_time_ms = -5,
        .lag_entries = 1,
        .lag_ms = 17,
        .copy_to = 9,
        .copy_sent = 5,
        .copy_size = 10,
        .preferred = 1,
        .ready = true,
        .standing = true,
        .leaving = false,
        .matches = {{2, 890}, {3, 900}},
        .match_count = 2,
        .readiness = {.count = 2,
                      .servers = {{2, READINESS_WARM, 30000}, {5, READINESS_COLD, 60000}},
                      .failback = FAILBACK_NEVER}};
    struct news out;
    struct buf bytes;
    (void)state;
    sent.place_count = 1;
    sent.places[0] = place_of(3, 88, "c:3");
    sent.removed_count = 2;
    sent.removed[1] = 77;
    buf_init(&bytes, 65536);
    news_encode(&bytes, &in, &sent);
    assert_int_equal(news_decode(buf_text(&bytes), &out, &got), 0);
    assert_int_equal(out.applied_time_ms, -5);
    assert_int_equal(out.copy_size, 10);
    assert_int_equal(out.last_term, 3);
    assert_int_equal(out.match_count, 2);
    assert_int_equal(out.matches[1].server, 3);
    assert_int_equal(out.matches[1].index, 900);
    assert_true(out.ready && !out.leaving);
    assert_true(readiness_same(&out.readiness, &in.readiness));
    assert_string_equal(got.places[0].address, "c:3");
    assert_int_equal(got.removed[1], 77);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_not_equal(news_decode(str_make(bytes.at, len), &out, &got), 0);
    buf_clear(&bytes);
    news_encode(&bytes, &in, NULL);
    assert_int_equal(news_decode(buf_text(&bytes), &out, &got), 0);
    assert_int_equal(got.place_count, 0);
    /* All hot: as an older server reads it. */
    in.readiness = (struct readiness_table){0};
    buf_clear(&bytes);
    news_encode(&bytes, &in, NULL);
    assert_int_equal(bytes.at[0], 1);
    assert_int_equal(news_decode(buf_text(&bytes), &out, &got), 0);
    assert_int_equal(out.readiness.count, 0);
    buf_close(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_later_place_is_believed),
        cmocka_unit_test(who_was_removed_does_not_come_back),
        cmocka_unit_test(it_is_the_same_after_a_restart),
        cmocka_unit_test(news_arrive_as_they_were_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "balance/events.h"
#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct events *begin(void)
{
    struct events *events;
    struct failure failure;
    assert_int_equal(events_new(NULL, &events, &failure), 0);
    return events;
}

static void a_follower_gets_each_event_once_and_in_order(void **state)
{
    (void)state;
    struct events *events = begin();
    struct event got[8];
    uint64_t missed = 7;
    assert_int_equal(events_read(events, 0, got, 8, &missed), 0);
    assert_int_equal(missed, 0);
    events_add(events, EVENT_OUT, 2, "server 2", "refused %d connections", 3);
    events_add(events, EVENT_NOTE, 0, NULL, "begun");
    assert_int_equal(events_read(events, 0, got, 8, &missed), 2);
    assert_int_equal(got[0].number, 1);
    assert_string_equal(got[0].text, "refused 3 connections");
    assert_string_equal(got[0].name, "server 2");
    assert_string_equal(got[1].name, "");
    assert_int_equal(events_read(events, 1, got, 1, &missed), 1);
    assert_int_equal(got[0].number, 2);
    assert_int_equal(events_read(events, 2, got, 8, &missed), 0);
    assert_int_equal(events_last(events), 2);
    events_free(events);
}

static void a_follower_who_slept_is_told_how_many_it_missed(void **state)
{
    (void)state;
    struct events *events = begin();
    struct event *got = calloc(EVENTS_KEPT, sizeof *got);
    uint64_t missed;
    /* Of many kinds, so that none is left out. */
    static const enum event_kind kinds[] = {EVENT_JOINED, EVENT_GONE, EVENT_UP,
                                            EVENT_OUT,    EVENT_BACK, EVENT_DRAINING};
    for (unsigned i = 0; i < EVENTS_KEPT + 10; i++)
        events_add(events, kinds[i % COUNT_OF(kinds)], i, "x", "%u", i);
    assert_int_equal(events_read(events, 4, got, EVENTS_KEPT, &missed), EVENTS_KEPT);
    assert_int_equal(missed, 6);
    assert_int_equal(got[0].number, 11);
    assert_string_equal(got[0].text, "10");
    assert_int_equal(got[EVENTS_KEPT - 1].number, EVENTS_KEPT + 10);
    free(got);
    events_free(events);
}

static void a_flood_of_one_kind_leaves_the_others_alone(void **state)
{
    (void)state;
    struct events *events = begin();
    struct event *got = calloc(EVENTS_KEPT, sizeof *got);
    events_add(events, EVENT_OUT, 1, "server 1", "dead");
    for (unsigned i = 0; i < 100000; i++)
        events_add(events, EVENT_SHEDDING, 0, NULL, "full");
    events_add(events, EVENT_BACK, 1, "server 1", "alive");
    unsigned count = events_read(events, 0, got, EVENTS_KEPT, NULL);
    assert_in_range(count, 3, 10);
    assert_int_equal(got[0].kind, EVENT_OUT);
    assert_int_equal(got[count - 1].kind, EVENT_BACK);
    free(got);
    events_free(events);
}

static void the_next_one_says_how_many_were_left_out(void **state)
{
    (void)state;
    struct events *events = begin();
    struct event got;
    char text[EVENT_TEXT];
    uint64_t until = clock_mono_ns() + 20 * SEC_NS, last = 0;
    unsigned left_out = 0;
    /* Two of this kind are let through each second, after as many as may come at once. */
    while (left_out == 0 || events_last(events) == last) {
        assert_true(clock_mono_ns() < until);
        last = events_last(events);
        events_add(events, EVENT_JOINED, 0, NULL, "new");
        left_out += events_last(events) == last;
    }
    assert_int_equal(events_read(events, last, &got, 1, NULL), 1);
    snprintf(text, sizeof text, "new (and %u more like this)", left_out);
    assert_string_equal(got.text, text);
    events_free(events);
}

static void an_event_is_a_json_object(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct event event = {.number = 5, .wall_ms = 1000, .kind = EVENT_OUT, .backend = 2};
    strcpy(event.name, "server \"2\"");
    strcpy(event.text, "gone\n");
    event_write_json(&out, &event);
    assert_true(
        str_eq(buf_text(&out),
               STR("{\"number\":5,\"time\":\"1970-01-01T00:00:01.000Z\",\"kind\":\"out\","
                   "\"server\":2,\"name\":\"server \\\"2\\\"\",\"text\":\"gone\\u000a\"}")));
    buf_close(&out);
}

static void long_sentences_are_clipped(void **state)
{
    (void)state;
    struct events *events = begin();
    struct event got;
    char text[1000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    events_add(events, EVENT_NOTE, 0, text, "%s", text);
    assert_int_equal(events_read(events, 0, &got, 1, NULL), 1);
    assert_int_equal(strlen(got.text), EVENT_TEXT - 1);
    assert_int_equal(strlen(got.name), EVENT_NAME - 1);
    events_add(NULL, EVENT_NOTE, 0, NULL, "nobody listens");
    events_free(events);
}

static void *add_many(void *argument)
{
    for (unsigned i = 0; i < 64; i++)
        events_add(argument, EVENT_JOINED, i, "x", "%u", i);
    return NULL;
}

static void any_thread_adds(void **state)
{
    (void)state;
    struct events *events = begin();
    struct event *got = calloc(EVENTS_KEPT, sizeof *got);
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, events), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    unsigned count = events_read(events, 0, got, EVENTS_KEPT, NULL);
    assert_int_equal(count, 128);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(got[i].number, i + 1);
    free(got);
    events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_follower_gets_each_event_once_and_in_order),
        cmocka_unit_test(a_follower_who_slept_is_told_how_many_it_missed),
        cmocka_unit_test(a_flood_of_one_kind_leaves_the_others_alone),
        cmocka_unit_test(the_next_one_says_how_many_were_left_out),
        cmocka_unit_test(an_event_is_a_json_object),
        cmocka_unit_test(long_sentences_are_clipped),
        cmocka_unit_test(any_thread_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

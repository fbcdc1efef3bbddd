#include "main/top_tiers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define QUEUE                                                                                    \
    "\"queue\":{\"slots\":64,\"length\":40,\"held\":50,\"wait_p50_ms\":8.5,\"wait_p90_ms\":12,"  \
    "\"wait_p99_ms\":31.5,\"oldest_wait_ms\":80,\"arrived_per_s\":1500,\"answered_per_s\":1200," \
    "\"dropped_per_s\":10,\"refused_per_s\":0,\"given_back\":3,\"died\":1,\"classes\":[{"        \
    "\"class\":\"buys\",\"share\":4,\"waiting\":40,\"held\":50,\"arrived_per_s\":1500,"          \
    "\"answered_per_s\":1200,\"work_ms\":5,\"done\":240,\"dropped\":20,\"refused\":10}]}"
#define MEMBERS                                                                                    \
    "\"fronts\":[{\"pid\":100,\"number\":0,\"state\":\"ready\",\"busy\":0.02,\"open\":30,"         \
    "\"requests\":1234,\"requests_per_s\":617,\"connections\":42,\"master\":true}],\"workers\":[{" \
    "\"pid\":200,"                                                                                 \
    "\"number\":1,\"state\":"                                                                      \
    "\"draining\",\"busy\":0.75,\"open\":6,\"handled\":150,\"requests_per_s\":75,\"cache\":{"      \
    "\"hit_ratio\":0.934,\"bytes\":8283750,\"limit_bytes\":8388608,\"evicted\":12,\"lag_"          \
    "entries\":3}}]"
#define SIZES                                                                          \
    "\"sizes\":{\"workers\":{\"ready\":1,\"busy\":0.75,\"starting\":1,\"draining\":1," \
    "\"crashed\":2,\"silent\":0},\"fronts\":{\"ready\":1,\"busy\":0.02}}"
#define EVENT(second)                                                                    \
    "{\"time\":\"2026-11-23T17:35:" second ".000Z\",\"workers\":[1,3],\"fronts\":[2,2]," \
    "\"reason\":\"the queue was too long\"}"
#define SCALE(live)                                                                            \
    "\"scale\":{\"rule\":\"poll\",\"live\":" live ",\"workers_wanted\":3,\"fronts_wanted\":2," \
    "\"decisions\":7,\"events\":[" EVENT("11") "," EVENT("12") "," EVENT("13") "," EVENT(      \
        "14") "," EVENT("15") "]}"
#define WHOLE(master, scale) "{\"master\":" master "," QUEUE "," SIZES "," MEMBERS "," scale "}"

static void check(const char *json, unsigned columns, unsigned rows, const char *const *expected,
                  const char *const *absent)
{
    struct buf out;
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    assert_true(doc || !json[0]);
    struct top_tiers_picture picture = {
        .tiers = yyjson_doc_get_root(doc),
        .door = "http://127.0.0.1:9092",
        .trouble = doc ? NULL : "connection refused",
        .time = "12:00:00",
        .columns = columns,
        .rows = rows,
    };
    buf_init(&out, 1 << 16);
    top_tiers_screen(&picture, &out);
    for (; *expected; expected++)
        if (str_find(buf_text(&out), str_of(*expected)) < 0)
            fail_msg("\"%s\" is not in\n%.*s", *expected, (int)out.len, out.at);
    for (; absent && *absent; absent++)
        if (str_find(buf_text(&out), str_of(*absent)) >= 0)
            fail_msg("\"%s\" is in\n%.*s", *absent, (int)out.len, out.at);
    unsigned lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.at[i] == '\n';
    assert_true(lines <= rows);
    buf_close(&out);
    yyjson_doc_free(doc);
}

static void queue_tiers_and_decisions_are_shown(void **state)
{
    (void)state;
    check(WHOLE("100", SCALE("true")), 132, 40,
          (const char *const[]){"http://127.0.0.1:9092  rule poll  master 100", "12:00:00\n",
                                "waiting 40  held 50  of 64  ", "p99 31.5", "came/s 1.50k",
                                "dropped/s 10 ", "workers  ready 1 of 3  busy 75%", "crashed 2",
                                "\nbuys          4      40      10   1.50k      1.20k    5.00",
                                "\nfront             100 ready       2%    30    1.23k    617  "
                                "master  connections 42  \n",
                                "\nworker 1          200 draining   75%     6      150     75  "
                                "found in cache 93%  7.9 of 8.0 MiB  evicted 12  behind 3  \n",
                                "decisions  so far 7", "17:35:11 workers 1 to 3  the queue was",
                                NULL},
          (const char *const[]){"fronts 2 to 2", "no master", NULL});
}

static void without_a_master_it_says_so(void **state)
{
    (void)state;
    check(WHOLE("0", "\"scale\":null"), 132, 40,
          (const char *const[]){"not scaled  no master", "workers  ready 1  busy", NULL},
          (const char *const[]){"decisions", NULL});
}

static void where_there_is_little_room_the_newest_decisions_stay(void **state)
{
    (void)state;
    check(WHOLE("100", SCALE("true")), 60, 14, (const char *const[]){"17:35:15", NULL},
          (const char *const[]){"17:35:11", NULL});
    check(WHOLE("100", SCALE("true")), 40, 8, (const char *const[]){"queue", NULL}, NULL);
}

static void who_does_not_answer_is_said_so(void **state)
{
    (void)state;
    check("", 80, 24, (const char *const[]){"connection refused; asking again", NULL},
          (const char *const[]){"waiting", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queue_tiers_and_decisions_are_shown),
        cmocka_unit_test(without_a_master_it_says_so),
        cmocka_unit_test(where_there_is_little_room_the_newest_decisions_stay),
        cmocka_unit_test(who_does_not_answer_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

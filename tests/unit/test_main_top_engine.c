#include "main/top_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COMMON(requests)                                                \
    "# TYPE stoa_requests_total counter\nstoa_requests_total " requests \
    "\nstoa_requests_refused_total 40\nstoa_connections_open 60\n"
#define ADMISSION(late)                                                                        \
    "stoa_admission_target_seconds 0.15\nstoa_admission_p90_seconds 0.2\nstoa_admission_rate " \
    "812.5\nstoa_admission_on_time_total 300\nstoa_admission_late_total " late "\n"
#define STAGES                                                                       \
    "stoa_stage_queue{stage=\"parse\"} 17\nstoa_stage_threads{stage=\"accept\"} 1\n" \
    "stoa_stage_threads{stage=\"parse\"} 3\nstoa_stage_batch{stage=\"parse\"} 12\n"

#define WORKERS     "stoa_workers 12\nstoa_workers_waited_for 3\n"
#define PROCESSES   "stoa_processes 34\nstoa_processes_crashed_total 2\n"
#define DISK(reads) "stoa_disk_reads_total " reads "\nstoa_disk_waiting 5\n"
#define NONE                                                        \
    "stoa_workers 0\nstoa_workers_waited_for 0\nstoa_processes 0\n" \
    "stoa_processes_crashed_total 0\nstoa_disk_reads_total 0\nstoa_disk_waiting 0\n"

static struct top_engine_picture picture_of(const char *metrics)
{
    return (struct top_engine_picture){
        .metrics = str_of(metrics),
        .door = "http://shop:8080",
        .time = "12:00:00",
        .columns = 100,
        .rows = 24,
    };
}

static void check(const struct top_engine_picture *picture, const char *const *expected,
                  const char *const *absent)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    top_engine_screen(picture, &out);
    for (; *expected; expected++)
        if (str_find(buf_text(&out), str_of(*expected)) < 0)
            fail_msg("\"%s\" is not in\n%.*s", *expected, (int)out.len, out.at);
    for (; absent && *absent; absent++)
        if (str_find(buf_text(&out), str_of(*absent)) >= 0)
            fail_msg("\"%s\" is in\n%.*s", *absent, (int)out.len, out.at);
    buf_close(&out);
}

static void every_engine_has_its_totals(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500"));
    check(&picture,
          (const char *const[]){"http://shop:8080", "12:00:00", "requests/s 0 ", "connections 60",
                                NULL},
          (const char *const[]){"admission", "stage", NULL});
}

static void rates_are_of_the_time_between_two_looks(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500"));
    picture.before = STR(COMMON("500"));
    picture.between_ns = 2000000000;
    check(&picture, (const char *const[]){"requests/s 500 ", "refused/s 0 ", NULL}, NULL);
}

static void a_server_that_was_started_anew_has_no_rate_yet(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("5"));
    picture.before = STR(COMMON("500"));
    picture.between_ns = 2000000000;
    check(&picture, (const char *const[]){"requests/s 0 ", NULL}, NULL);
}

static void workers_are_shown_and_how_many_wait_for_one(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500") NONE);
    check(&picture, (const char *const[]){"waiting for a helper 0", NULL},
          (const char *const[]){"workers", "processes", "disk", NULL});
    picture = picture_of(COMMON("1500") WORKERS);
    check(&picture, (const char *const[]){"\nworkers 12  connections that wait for one 3", NULL},
          (const char *const[]){"processes", "disk", NULL});
}

static void processes_are_shown_and_how_many_crashed(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500") PROCESSES);
    check(&picture, (const char *const[]){"\nprocesses 34  crashed 2", NULL},
          (const char *const[]){"workers", "disk", NULL});
}

static void reads_from_disk_are_shown_once_there_are_some(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500") DISK("60"));
    picture.before = STR(COMMON("500") DISK("20"));
    picture.between_ns = 2000000000;
    check(&picture, (const char *const[]){"\ndisk reads/s 20  waiting for the disk 5", NULL},
          (const char *const[]){"workers", "processes", NULL});
}

static void admission_says_how_many_are_let_in_and_how_late_they_are(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500") ADMISSION("100"));
    check(&picture,
          (const char *const[]){"let in 812/s", "nine of ten within, ms 200 of 150", "late 0.0%",
                                NULL},
          (const char *const[]){"stage", NULL});
}

static void each_stage_has_a_line(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of(COMMON("1500") STAGES);
    check(&picture,
          (const char *const[]){"stage    waiting threads batch  done/s\n",
                                "parse         17       3    12       0\n", "\naccept ",
                                "\nhandle ", "\nwork ", "\nwrite ", NULL},
          (const char *const[]){"admission", NULL});
}

static void who_does_not_answer_is_said_so(void **state)
{
    (void)state;
    struct top_engine_picture picture = picture_of("");
    picture.trouble = "connection refused";
    check(&picture, (const char *const[]){"connection refused; asking again", NULL},
          (const char *const[]){"requests/s", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_engine_has_its_totals),
        cmocka_unit_test(rates_are_of_the_time_between_two_looks),
        cmocka_unit_test(a_server_that_was_started_anew_has_no_rate_yet),
        cmocka_unit_test(workers_are_shown_and_how_many_wait_for_one),
        cmocka_unit_test(processes_are_shown_and_how_many_crashed),
        cmocka_unit_test(reads_from_disk_are_shown_once_there_are_some),
        cmocka_unit_test(admission_says_how_many_are_let_in_and_how_late_they_are),
        cmocka_unit_test(each_stage_has_a_line),
        cmocka_unit_test(who_does_not_answer_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

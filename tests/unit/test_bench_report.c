#include "bench/report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include <cmocka.h>

static struct bench_report *measured(void)
{
    struct bench_report *r = calloc(1, sizeof *r);
    histogram_clear(&r->latency);
    r->name = "http";
    r->target = "http://127.0.0.1:1/";
    r->operation = "GET /";
    r->connections = 4;
    r->threads = 1;
    r->seconds = 2;
    for (uint64_t i = 1; i <= 1000; i++)
        histogram_add(&r->latency, i * 1000000);
    r->operations = 1000;
    r->requests = 2000;
    return r;
}

static char *text_of(const struct bench_report *r,
                     void (*write)(const struct bench_report *, FILE *))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    write(r, out);
    fclose(out);
    return text;
}

static double number(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    assert_true(yyjson_is_num(value));
    return yyjson_get_num(value);
}

static void json_is_one_strict_document_with_all_figures(void **state)
{
    (void)state;
    struct bench_report *r = measured();
    r->failed = 3;
    r->refused = UINT64_MAX;
    r->fsyncs_per_s = 812.5;
    char *text = text_of(r, report_json);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc), *latency = yyjson_obj_get(root, "latency_ms");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "bench")), "http");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "loop")), "closed");
    assert_true(number(root, "operations_per_s") == 500);
    assert_true(number(root, "requests_per_s") == 1000);
    assert_true(number(root, "failed") == 3);
    assert_true(yyjson_get_uint(yyjson_obj_get(root, "refused")) == UINT64_MAX);
    assert_true(fabs(number(latency, "p50") - 500) < 5);
    assert_true(fabs(number(latency, "p99") - 990) < 9);
    assert_true(fabs(number(latency, "mean") - 500.5) < 0.01);
    assert_true(number(latency, "max") == 1000);
    assert_true(number(root, "fsyncs_per_s") == 812.5);
    assert_true(yyjson_is_false(yyjson_obj_get(root, "generator_is_limit")));
    yyjson_doc_free(doc);
    free(text);
    free(r);
}

static void json_stays_whole_with_nothing_measured_and_strange_names(void **state)
{
    (void)state;
    struct bench_report *r = calloc(1, sizeof *r);
    histogram_clear(&r->latency);
    r->name = "http";
    r->target = "http://h/\"\\\n\x01\xff";
    r->operation = "GET \xe2\x82\xac";
    char *text = text_of(r, report_json);
    yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "target")), "http://h/\"\\\n\x01?");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "operation")), "GET \xe2\x82\xac");
    assert_true(number(root, "operations_per_s") == 0);
    yyjson_doc_free(doc);
    free(text);
    free(r);
}

static void people_read_rates_quantiles_and_what_to_mind(void **state)
{
    (void)state;
    struct bench_report *r = measured();
    char *text = text_of(r, report_text);
    assert_non_null(strstr(text, "1000 operations = 500/s"));
    assert_non_null(strstr(text, "closed loop"));
    assert_non_null(strstr(text, "p99.99 1000.000"));
    assert_null(strstr(text, "note:"));
    free(text);
    r->open_loop = true;
    r->missed = 7;
    r->unanswered = 4;
    r->unanswered_ns = 1500000000;
    r->generator_busy = 0.6;
    r->generator_waited = 0.35;
    text = text_of(r, report_text);
    assert_non_null(strstr(text, "note: 7 operations were due and not begun"));
    assert_non_null(strstr(text, "note: 4 operations had no answer when time was up, the oldest "
                                 "after 1500 ms"));
    assert_non_null(strstr(text, "computed 60 % of the time and waited for a core 35 %"));
    free(text);
    free(r);
}

static void the_generator_is_the_limit_when_it_never_rests_or_is_late(void **state)
{
    (void)state;
    struct bench_report *r = measured();
    r->generator_busy = 0.5;
    assert_false(report_generator_is_limit(r));
    r->generator_busy = 0.95;
    assert_true(report_generator_is_limit(r));
    r->generator_busy = 0.5;
    r->generator_waited = 0.45; /* runnable all the time, without a core half of it */
    assert_true(report_generator_is_limit(r));
    r->generator_waited = 0;
    r->late_ns_p99 = 300000000; /* p99 is 990 ms */
    assert_false(report_generator_is_limit(r));
    r->open_loop = true;
    assert_true(report_generator_is_limit(r));
    r->late_ns_p99 = 200000000;
    assert_false(report_generator_is_limit(r));
    free(r);
}

static char *read_back(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
    fclose(in);
    unlink(path);
    return text;
}

static void temporary(char path[32])
{
    strcpy(path, "/tmp/stoa-report-XXXXXX");
    close(mkstemp(path));
}

static void the_cdf_rises_to_one(void **state)
{
    (void)state;
    struct bench_report *r = measured();
    char path[32];
    temporary(path);
    assert_int_equal(report_cdf_csv(r, path, NULL), 0);
    char *text = read_back(path), *line = strchr(text, '\n') + 1;
    assert_memory_equal(text, "milliseconds,share\n", 19);
    double before_ms = 0, before = 0, value, share = 0;
    while (sscanf(line, "%lf,%lf", &value, &share) == 2) {
        assert_true(value > before_ms && share > before);
        before_ms = value;
        before = share;
        line = strchr(line, '\n') + 1;
    }
    assert_true(before == 1 && before_ms == 1000);
    assert_int_equal(*line, 0);
    free(text);
    free(r);
}

/* Each tag is closed in order, each attribute quoted; no entity is used. */
static void assert_well_formed(const char *text)
{
    const char *open[16];
    size_t lengths[16];
    unsigned depth = 0, elements = 0;
    assert_null(strchr(text, '&'));
    for (const char *at = strchr(text, '<'); at; at = strchr(at, '<')) {
        const char *end = strchr(++at, '>');
        assert_non_null(end);
        bool closing = *at == '/', alone = end[-1] == '/';
        unsigned quotes = 0;
        for (const char *c = at; c < end; c++) {
            quotes += *c == '"';
            assert_true(*c != '<');
        }
        assert_int_equal(quotes % 2, 0);
        size_t name = strcspn(at + closing, " />\n");
        if (closing) {
            assert_true(depth > 0);
            depth--;
            assert_int_equal(name, lengths[depth]);
            assert_memory_equal(at + 1, open[depth], name);
        } else if (!alone) {
            assert_true(depth < 16);
            open[depth] = at;
            lengths[depth++] = name;
        }
        elements++;
        at = end;
    }
    assert_int_equal(depth, 0);
    assert_true(elements > 10);
}

static void the_picture_is_well_formed_and_its_numbers_finite(void **state)
{
    (void)state;
    static const uint64_t values[][2] = {{1, 1000000000}, {0, 0}, {5, 5}, {1, UINT64_MAX >> 8}};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        struct bench_report *r = measured();
        char path[32];
        temporary(path);
        histogram_clear(&r->latency);
        histogram_add(&r->latency, values[i][0]);
        histogram_add(&r->latency, values[i][1]);
        assert_int_equal(report_cdf_svg(r, path, NULL), 0);
        char *text = read_back(path);
        assert_well_formed(text);
        assert_null(strstr(text, "nan"));
        assert_null(strstr(text, "inf"));
        free(text);
        free(r);
    }
}

static void files_that_cannot_be_written_are_told(void **state)
{
    (void)state;
    struct bench_report *r = measured();
    struct failure failure;
    assert_int_equal(report_cdf_csv(r, "/nonexistent/x", &failure), ERR_IO);
    assert_string_equal(failure.text, "cannot write /nonexistent/x: No such file or directory");
    assert_int_equal(report_cdf_csv(r, "/dev/full", &failure), ERR_IO);
    assert_int_equal(report_cdf_svg(r, "/dev/full", &failure), ERR_IO);
    histogram_clear(&r->latency);
    assert_int_equal(report_cdf_svg(r, "/dev/null", &failure), ERR_STATE);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_one_strict_document_with_all_figures),
        cmocka_unit_test(json_stays_whole_with_nothing_measured_and_strange_names),
        cmocka_unit_test(people_read_rates_quantiles_and_what_to_mind),
        cmocka_unit_test(the_generator_is_the_limit_when_it_never_rests_or_is_late),
        cmocka_unit_test(the_cdf_rises_to_one),
        cmocka_unit_test(the_picture_is_well_formed_and_its_numbers_finite),
        cmocka_unit_test(files_that_cannot_be_written_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

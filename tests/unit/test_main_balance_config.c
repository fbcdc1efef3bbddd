#include "balance/hedge.h"
#include "main/balance_config.h"
#include "main/file.h"
#include "main/listening.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX = 32 };

struct bed {
    char root[32];
    struct balance_settings settings;
    struct balance_config config;
    struct engine_config engine;
    struct failure failure;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->root, "/tmp/stoa-balance-XXXXXX");
    *state = bed;
    return mkdtemp(bed->root) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", bed->root);
    int status = system(command);
    free(bed);
    return status;
}

/* The words of LINE, between spaces, as `stoa balance` takes them. */
static int make(struct bed *bed, const char *line)
{
    char *words[WORDS_MAX], *rest = NULL, *copy = strdup(line);
    int count = 0;
    for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        words[count++] = w;
    bed->failure = (struct failure){0};
    int err = balance_settings_read(&bed->settings, count, words, &bed->failure);
    err = err ? err : balance_config_ports(&bed->settings, &bed->failure);
    err = err ? err : balance_config_engine(&bed->settings, NULL, &bed->engine, &bed->failure);
    err = err ? err : balance_config_make(&bed->settings, NULL, &bed->config, &bed->failure);
    free(copy);
    return err;
}

static void assert_made(struct bed *bed, const char *line)
{
    if (make(bed, line))
        fail_msg("%s: %s", line, bed->failure.text);
}

static void assert_refused(struct bed *bed, const char *line, const char *part)
{
    if (!make(bed, line))
        fail_msg("%s was taken", line);
    if (!strstr(bed->failure.text, part))
        fail_msg("%s: \"%s\" is not in \"%s\"", line, part, bed->failure.text);
}

static void what_is_not_given_has_the_defaults_of_the_help(void **state)
{
    struct bed *bed = *state;
    assert_made(bed, "--upstream http://127.0.0.1:9001");
    const struct balance_config *c = &bed->config;
    assert_ptr_equal(c->policy, policies[0]);
    assert_int_equal(c->mode, BALANCE_PROXY);
    assert_int_equal(c->aways, 2);
    assert_int_equal(c->limit, 256);
    assert_int_equal(c->queue_ns, 2000000000);
    assert_int_equal(c->retry_share, 200);
    assert_int_equal(c->hedge_share, 50);
    assert_int_equal(c->silent_ns, 300000000);
    assert_int_equal(c->max_out, 500);
    assert_int_equal(c->panic, 300);
    assert_int_equal(c->health.slow_start_min, 100);
    assert_true(c->via);
    assert_false(c->server_header);
    assert_string_equal(c->url, "http://127.0.0.1:8080");
    assert_string_equal(c->status_url, "");
    assert_int_equal(bed->engine.listen_count, 1);
}

static void urls_are_written_in_one_way(void **state)
{
    struct bed *bed = *state;
    assert_made(bed, "--upstream http://10.0.0.1 --upstream https://shop.example/ "
                     "--upstream http://[::1]:9001,weight=200 --upstream http://[::1]");
    const struct balance_seed *seeds = bed->config.upstreams;
    assert_int_equal(bed->config.upstream_count, 4);
    assert_string_equal(seeds[0].url, "http://10.0.0.1:80");
    assert_string_equal(seeds[1].url, "https://shop.example:443");
    assert_string_equal(seeds[2].url, "http://[::1]:9001");
    assert_string_equal(seeds[3].url, "http://[::1]:80");
    assert_int_equal(seeds[0].weight, POLICY_WEIGHT);
    assert_int_equal(seeds[2].weight, 200);
}

static void what_is_no_url_is_refused_with_what_to_write(void **state)
{
    struct bed *bed = *state;
    assert_refused(bed, "--upstream 127.0.0.1:9001", "is no URL: write http://HOST:PORT");
    assert_refused(bed, "--upstream http://a --listen 80", "listen cannot be read: \"80\" has no");
    assert_refused(bed, "--upstream http://a --status x:y", "status cannot be read: \"x:y\": the");
    assert_refused(bed, "--upstream ftp://127.0.0.1", "is no URL");
    assert_refused(bed, "--upstream http://", "write http://HOST:PORT");
    assert_refused(bed, "--upstream http://:80", "names no host and port");
    assert_refused(bed, "--upstream http://a:0", "names no host and port");
    assert_refused(bed, "--upstream http://a:http", "write http://HOST:PORT");
    assert_refused(bed, "--upstream http://a:99999", "write http://HOST:PORT");
    assert_refused(bed, "--upstream https://a/b", "more than a host and a port: write https://");
    assert_refused(bed, "--upstream http://u@a", "more than a host and a port");
    assert_refused(bed, "--upstream http://a,weight=10001", "with N from 1 to 10000");
    assert_refused(bed, "--upstream http://a,wait=1", "only weight=N may stand there");
    assert_refused(bed, "--upstream http://a --upstream http://a:80/", "is given twice");
    char line[300] = "--upstream http://";
    memset(line + strlen(line), 'a', 200);
    assert_refused(bed, line, "is longer than");
}

static void the_token_comes_from_a_word_a_file_or_a_directory(void **state)
{
    struct bed *bed = *state;
    char path[FILE_PATH], line[FILE_PATH + 64];
    assert_int_equal(file_join(path, bed->root, "operator.token", NULL), 0);
    assert_int_equal(file_write(path, STR("  0123abcd\n"), NULL), 0);
    assert_made(bed, "--server http://127.0.0.1:1 --token secret");
    assert_string_equal(bed->config.token, "secret");
    snprintf(line, sizeof line, "--server http://127.0.0.1:1 --token-file %s", path);
    assert_made(bed, line);
    assert_string_equal(bed->config.token, "0123abcd");
    snprintf(line, sizeof line, "--server http://127.0.0.1:1 --dir %s", bed->root);
    assert_made(bed, line);
    assert_string_equal(bed->config.token, "0123abcd");
    assert_int_equal(bed->config.server_count, 1);
    assert_refused(bed, "--server http://127.0.0.1:1", "want the operator's token");
    char long_line[300] = "--server http://127.0.0.1:1 --token ";
    memset(long_line + strlen(long_line), 'a', 127);
    assert_made(bed, long_line);
    assert_int_equal(strlen(bed->config.token), 127);
    long_line[strlen(long_line)] = 'a';
    assert_refused(bed, long_line, "token is longer than 127 characters");
    assert_int_equal(balance_config_check(&bed->settings, &bed->failure), ERR_INVALID);
    assert_int_equal(file_write(path, STR("two\nlines\n"), NULL), 0);
    assert_refused(bed, line, "holds no token");
    assert_refused(bed, "--server http://127.0.0.1:1 --token-file /",
                   "cannot read the operator's token in /: Is a directory; a server has it as");
}

static void off_and_the_least_are_told_apart_from_not_given(void **state)
{
    struct bed *bed = *state;
    assert_made(bed, "--upstream http://a --hedge off --retries 0.1% --via=no");
    assert_int_equal(bed->config.hedge_share, 0);
    struct hedges hedges = {0};
    hedges_init(&hedges, bed->config.hedge_share, 1);
    assert_true(hedges.off);
    hedges_init(&hedges, 1, 1);
    assert_false(hedges.off);
    assert_int_equal(bed->config.retry_share, 1);
    assert_false(bed->config.via);
    assert_refused(bed, "--upstream http://a --retries off", "must be from 0.1% to 100%");
}

static void port_0_becomes_one_that_all_can_be_told(void **state)
{
    struct bed *bed = *state;
    assert_made(bed, "--upstream http://a --listen 127.0.0.1:0 --status 127.0.0.1:0");
    assert_true(str_starts(str_of(bed->config.url), STR("http://127.0.0.1:")));
    assert_false(str_ends(str_of(bed->config.url), STR(":0")));
    assert_false(str_ends(str_of(bed->config.status_url), STR(":0")));
    assert_string_equal(bed->config.url + 7, bed->engine.listen[0].address);
}

static void doors_are_of_three_kinds(void **state)
{
    struct bed *bed = *state;
    assert_made(bed, "--upstream http://a --listen :80 --listen-tls :443 --listen-proxy :81 "
                     "--certificate c --key k --trust 10.0.0.0/8 --trust ::1");
    assert_int_equal(bed->engine.listen_count, 3);
    assert_true(!bed->engine.listen[0].tls && !bed->engine.listen[0].proxy);
    assert_true(bed->engine.listen[1].tls && !bed->engine.listen[1].proxy);
    assert_true(!bed->engine.listen[2].tls && bed->engine.listen[2].proxy);
    assert_int_equal(bed->engine.trusted_count, 2);
    assert_int_equal(bed->config.trusted_count, 2);
    assert_string_equal(bed->config.trusted[0], "10.0.0.0/8");
    assert_refused(bed, "--upstream http://a --trust 10.0.0.0/33", "trust \"10.0.0.0/33\": the");
}

static void flags_take_the_place_of_a_files_lists(void **state)
{
    struct bed *bed = *state;
    char path[FILE_PATH], line[FILE_PATH + 64];
    assert_int_equal(file_join(path, bed->root, "balance.conf", NULL), 0);
    assert_int_equal(file_write(path,
                                STR("upstream = {\"http://a\", \"http://b\"}\n"
                                    "trust = {\"10.0.0.0/8\"}\nlimit = 9\n"),
                                NULL),
                     0);
    snprintf(line, sizeof line, "--config %s", path);
    assert_made(bed, line);
    assert_int_equal(bed->config.upstream_count, 2);
    snprintf(line, sizeof line, "--trust 192.0.2.1 --config %s --upstream http://c", path);
    assert_made(bed, line);
    assert_int_equal(bed->config.upstream_count, 1);
    assert_string_equal(bed->config.upstreams[0].url, "http://c:80");
    assert_int_equal(bed->config.trusted_count, 1);
    assert_string_equal(bed->config.trusted[0], "192.0.2.1");
    assert_int_equal(bed->config.limit, 9);
}

static void limits_of_connections_reach_the_engine(void **state)
{
    struct bed *bed = *state;
    assert_made(bed, "--upstream http://a --loops 3 --connections-max 4k --head-bytes 32K "
                     "--header-count 50 --head-timeout 1s --idle-timeout 2s --body-timeout 3s "
                     "--send-timeout 4s");
    const struct engine_config *engine = &bed->engine;
    assert_int_equal(engine->loops, 3);
    assert_int_equal(engine->connections_max, 4000);
    assert_int_equal(engine->limits.head_bytes, 32 << 10);
    assert_int_equal(engine->limits.header_count, 50);
    assert_int_equal(engine->limits.head_ms, 1000);
    assert_int_equal(engine->limits.idle_ms, 2000);
    assert_int_equal(engine->limits.body_idle_ms, 3000);
    assert_int_equal(engine->limits.send_idle_ms, 4000);
    assert_true(engine->limits.answer_ms > 30000);
}

static void assert_url(const char *address, bool tls, uint16_t port, const char *url)
{
    char out[OPTION_TEXT_SIZE];
    listening_url(address, tls, port, "10.0.0.7", out, sizeof out);
    assert_string_equal(out, url);
}

static void who_listens_everywhere_is_reached_by_another_name(void **state)
{
    static const char *const everywhere[] = {":80", "0.0.0.0:80", "[::]:80"};
    static const char *const somewhere[] = {"127.0.0.1:80", "[::1]:80", "10.0.0.0:80", "shop:80",
                                            "0.0.0.0.example:80"};
    (void)state;
    for (unsigned i = 0; i < sizeof everywhere / sizeof *everywhere; i++) {
        assert_true(listening_is_everywhere(everywhere[i]));
        assert_url(everywhere[i], false, 0, "http://10.0.0.7:80");
        assert_url(everywhere[i], true, 443, "https://10.0.0.7:443");
    }
    for (unsigned i = 0; i < sizeof somewhere / sizeof *somewhere; i++)
        assert_false(listening_is_everywhere(somewhere[i]));
    assert_url("[::1]:0", false, 65535, "http://[::1]:65535");
    assert_url("shop:80", false, 0, "http://shop:80");
}

static void an_unknown_policy_is_answered_with_the_nearest(void **state)
{
    struct bed *bed = *state;
    for (unsigned i = 0; policies[i]; i++) {
        char line[100];
        snprintf(line, sizeof line, "--upstream http://a --policy %s", policies[i]->name);
        assert_made(bed, line);
        assert_ptr_equal(bed->config.policy, policies[i]);
    }
    assert_refused(bed, "--upstream http://a --policy roundrobin", "did you mean round-robin?");
    assert_refused(bed, "--upstream http://a --policy two-choice", "did you mean two-choices?");
    assert_refused(bed, "--upstream http://a --policy random", "there are: ");
}

static void direct_mode_wants_an_address_to_come_back_to(void **state)
{
    struct bed *bed = *state;
    assert_refused(bed, "--upstream http://a --mode direct --listen :80", "give --url");
    assert_made(bed, "--upstream http://a --mode direct --listen :80 --url https://shop.example");
    assert_int_equal(bed->config.mode, BALANCE_DIRECT);
    assert_string_equal(bed->config.url, "https://shop.example");
}

#define CONFIGURING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIGURING(what_is_not_given_has_the_defaults_of_the_help),
        CONFIGURING(urls_are_written_in_one_way),
        CONFIGURING(what_is_no_url_is_refused_with_what_to_write),
        CONFIGURING(the_token_comes_from_a_word_a_file_or_a_directory),
        CONFIGURING(off_and_the_least_are_told_apart_from_not_given),
        CONFIGURING(port_0_becomes_one_that_all_can_be_told),
        CONFIGURING(doors_are_of_three_kinds),
        CONFIGURING(flags_take_the_place_of_a_files_lists),
        CONFIGURING(limits_of_connections_reach_the_engine),
        CONFIGURING(who_listens_everywhere_is_reached_by_another_name),
        CONFIGURING(an_unknown_policy_is_answered_with_the_nearest),
        CONFIGURING(direct_mode_wants_an_address_to_come_back_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

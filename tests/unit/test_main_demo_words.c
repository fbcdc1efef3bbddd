#include "main/demo_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TYPED_MAX = 64 };

struct bed {
    struct demo_words words;
    struct demo_plan plan;
    struct demo_line line;
    struct failure failure;
    char *copy;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->plan.dir, "/shop");
    bed->plan.count = 2;
    bed->plan.manager_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        struct demo_server *server = &bed->plan.servers[i];
        server->id = i + 1;
        snprintf(server->dir, sizeof server->dir, "/shop/server-%u", i + 1);
        snprintf(server->listen, sizeof server->listen, "127.0.0.1:808%u", i + 1);
        snprintf(server->peer_listen, sizeof server->peer_listen, "127.0.0.1:700%u", i + 1);
        snprintf(bed->plan.managers[i].listen, OPTION_TEXT_SIZE, "127.0.0.1:80%u0", 8 + i);
        snprintf(bed->plan.managers[i].status, OPTION_TEXT_SIZE, "127.0.0.1:90%u0", 8 + i);
    }
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    free(bed->copy);
    free(bed);
    return 0;
}

/* The words of LINE, between spaces, as the user types them. */
static int part(struct bed *bed, const char *line)
{
    char *typed[TYPED_MAX], *rest = NULL;
    int count = 0;
    free(bed->copy);
    bed->copy = strdup(line);
    for (char *w = strtok_r(bed->copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        typed[count++] = w;
    bed->failure = (struct failure){0};
    return demo_words_part(&bed->words, count, typed, &bed->failure);
}

/* A command line as one text, each word with a space on both sides. */
static const char *told(const struct demo_line *line)
{
    static char text[DEMO_LINE_BYTES + DEMO_LINE_MAX];
    size_t at = (size_t)snprintf(text, sizeof text, " ");
    for (unsigned i = 0; i < line->count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s ", line->words[i]);
    assert_null(line->words[line->count]);
    return text;
}

static const char *server(struct bed *bed, unsigned at)
{
    assert_int_equal(demo_words_server(&bed->words, &bed->plan, at, &bed->line, NULL), 0);
    return told(&bed->line);
}

static const char *manager(struct bed *bed, unsigned at)
{
    assert_int_equal(demo_words_manager(&bed->words, &bed->plan, at, &bed->line, NULL), 0);
    return told(&bed->line);
}

static void has(const char *line, const char *words)
{
    if (!strstr(line, words))
        fail_msg("\"%s\" is not in\n%s", words, line);
}

static void lacks(const char *line, const char *words)
{
    if (strstr(line, words))
        fail_msg("\"%s\" is in\n%s", words, line);
}

static void each_option_goes_to_whom_it_concerns(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(part(bed, "--servers 2 --policy round-robin --cache 4M --hedge=off "
                               "--load-managers=2 --catalogue demo --no-restart"),
                     0);
    assert_int_equal(bed->words.options.servers, 2);
    assert_int_equal(bed->words.managers, 2);
    assert_true(bed->words.options.no_restart);
    has(server(bed, 0), " --cache 4M --catalogue demo ");
    lacks(server(bed, 0), "round-robin");
    lacks(server(bed, 0), "servers");
    has(manager(bed, 0), " --policy round-robin --hedge=off ");
    lacks(manager(bed, 0), "cache");
    lacks(manager(bed, 0), "catalogue");
}

static void shoppers_come_in_at_the_load_manager(void **state)
{
    struct bed *bed = *state;
    bed->plan.managers[0].given = true;
    assert_int_equal(part(bed, "--listen 127.0.0.1:8080 --listen 127.0.0.2:80 --listen-tls :443 "
                               "--certificate c --key k --url https://shop.example"),
                     0);
    const char *first = manager(bed, 0);
    has(first, " --listen 127.0.0.1:8080 ");
    has(first, " --listen 127.0.0.2:80 ");
    has(first, " --listen-tls :443 ");
    has(first, " --certificate c --key k ");
    has(first, " --url https://shop.example ");
    has(first, " --server http://127.0.0.1:8081 --server http://127.0.0.1:8082 ");
    has(first, " --dir /shop ");
    has(first, " --status 127.0.0.1:9080 ");
    const char *second = manager(bed, 1);
    has(second, " --listen 127.0.0.1:8090 ");
    lacks(second, ":443");
    lacks(second, "127.0.0.2");
    for (unsigned i = 0; i < 2; i++) {
        const char *line = server(bed, i);
        has(line,
            i ? " --listen= --listen 127.0.0.1:8082 " : " --listen= --listen 127.0.0.1:8081 ");
        has(strstr(line, " --listen-tls :443 "), " --listen-tls= ");
    }
}

static void without_a_load_manager_they_come_in_at_the_first_server(void **state)
{
    struct bed *bed = *state;
    bed->plan.manager_count = 0;
    bed->plan.servers[0].given = true;
    assert_int_equal(part(bed, "--no-load-manager --listen 127.0.0.1:8080 --listen-tls :443"), 0);
    assert_int_equal(bed->words.managers, 0);
    lacks(server(bed, 0), " --listen-tls= ");
    lacks(server(bed, 0), " --listen= ");
    has(server(bed, 1), " --listen-tls= ");
    has(server(bed, 1), " --listen= --listen 127.0.0.1:8082 ");
}

static void servers_at_every_address_are_reached_on_this_machine(void **state)
{
    struct bed *bed = *state;
    strcpy(bed->plan.servers[0].listen, "0.0.0.0:8081");
    strcpy(bed->plan.servers[1].listen, ":8082");
    assert_int_equal(part(bed, "--listen 0.0.0.0:8080"), 0);
    has(manager(bed, 0), " --server http://127.0.0.1:8081 --server http://127.0.0.1:8082 ");
}

static void what_would_mean_nothing_is_refused(void **state)
{
    struct bed *bed = *state;
    static const char *const wrong[][2] = {
        {"--no-load-manager --direct", "without a load manager --direct means nothing"},
        {"--no-load-manager --hedge off", "without a load manager --hedge means nothing"},
        {"--upstream http://127.0.0.1:1", "has the demo's servers"},
        {"--server=http://127.0.0.1:1", "has the demo's servers"},
        {"--policy dice", "there is no policy"},
        {"--direct --listen :8080", "give --url"},
        {"--load-managers 5", "from 1 to 4"},
        {"--nonsense", "no option --nonsense"},
        {"--hedge", "--hedge needs a value"},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (!part(bed, wrong[i][0]))
            fail_msg("%s was taken", wrong[i][0]);
        has(bed->failure.text, wrong[i][1]);
    }
    assert_int_equal(part(bed, "--direct --listen :8080 --url http://shop.example"), 0);
    has(manager(bed, 0), " --mode direct ");
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(part(bed, "--loops 2"), 0);
    static char longest[DEMO_LINE_BYTES];
    memset(longest, 'x', sizeof longest - 1);
    bed->words.serve[bed->words.serve_count++] = longest;
    assert_int_equal(demo_words_server(&bed->words, &bed->plan, 0, &bed->line, &bed->failure),
                     ERR_FULL);
}

#define TYPING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TYPING(each_option_goes_to_whom_it_concerns),
        TYPING(shoppers_come_in_at_the_load_manager),
        TYPING(without_a_load_manager_they_come_in_at_the_first_server),
        TYPING(servers_at_every_address_are_reached_on_this_machine),
        TYPING(what_would_mean_nothing_is_refused),
        TYPING(a_line_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

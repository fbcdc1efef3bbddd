#include "main/balance_config.h"
#include "main/demo_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    has(first, " --certificate=c ");
    has(first, " --key=k ");
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

static void what_servers_and_load_managers_both_take_is_for_both(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(part(bed, "--head-bytes 64K --trust 10.0.0.0/8 --trust ::1 --log-level=warn "
                               "--idle-timeout 2s --answer-timeout 5s --loops=3 --helpers 4"),
                     0);
    has(server(bed, 0), " --head-bytes 64K --trust 10.0.0.0/8 --trust ::1 --log-level=warn ");
    for (unsigned i = 0; i < 2; i++) {
        const char *line = manager(bed, i);
        has(line, " --head-bytes=65536 ");
        has(line, " --trust= --trust=10.0.0.0/8 --trust=::1 ");
        has(line, " --log-level=warn ");
        has(line, " --idle-timeout=2000ms ");
        has(line, " --loops=3 ");
        lacks(line, "answer-timeout"); /* a server's own patience, and a load manager's with it */
        lacks(line, "helpers");
        lacks(line, "body-timeout"); /* as it is anyway */
    }
    assert_int_equal(part(bed, "--cache 4M"), 0);
    has(manager(bed, 0), " --server-header ");
    lacks(manager(bed, 0), "--server-header=");
    assert_int_equal(part(bed, "--server-header=no"), 0);
    has(manager(bed, 0), " --server-header=no ");
}

static void a_load_manager_is_told_what_the_servers_file_says(void **state)
{
    struct bed *bed = *state;
    char file[] = "/tmp/stoa-words-XXXXXX", typed[128];
    static const char text[] = "head-bytes = 64K\ncache = 4M\ntrust = {\"10.0.0.0/8\"}\n";
    int fd = mkstemp(file);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    close(fd);
    snprintf(typed, sizeof typed, "--config %s --trust 192.0.2.1", file);
    int err = part(bed, typed);
    unlink(file);
    assert_int_equal(err, 0);
    has(manager(bed, 0), " --head-bytes=65536 ");
    has(manager(bed, 0), " --trust= --trust=192.0.2.1 ");
    lacks(manager(bed, 0), "10.0.0.0");
    lacks(manager(bed, 0), "--config");
}

/* The URL that load manager AT says it has, once it has read its line. */
static const char *url_of(struct bed *bed, unsigned at)
{
    static char url[OPTION_TEXT_SIZE];
    struct balance_settings *settings = calloc(1, sizeof *settings);
    manager(bed, at);
    if (balance_settings_read(settings, (int)bed->line.count - 2, bed->line.words + 2,
                              &bed->failure) ||
        balance_config_check(settings, &bed->failure))
        fail_msg("%s", bed->failure.text);
    strcpy(url, settings->url);
    free(settings);
    return url;
}

static void each_load_manager_says_its_own_url(void **state)
{
    struct bed *bed = *state;
    strcpy(bed->plan.managers[0].listen, ":8080");
    strcpy(bed->plan.managers[1].listen, ":8090");
    static const char *const urls[][2] = {
        {"--url http://shop.example:8080", "http://shop.example:8090"},
        {"--url http://shop.example/", "http://shop.example:8090"},
        {"--url http://[2001:db8::1]:80", "http://[2001:db8::1]:8090"},
        /* TLS ends before it, or at the first load manager */
        {"--url https://shop.example", "https://shop.example:8090"},
        {"--listen-tls :443 --url https://shop.example", "http://shop.example:8090"},
    };
    for (unsigned i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char typed[200];
        snprintf(typed, sizeof typed, "--direct --listen :8080 --load-managers 2 %s", urls[i][0]);
        if (part(bed, typed))
            fail_msg("%s: %s", typed, bed->failure.text);
        has(strstr(urls[i][0], "--url "), url_of(bed, 0));
        assert_string_equal(url_of(bed, 1), urls[i][1]);
    }
}

static void what_would_mean_nothing_is_refused(void **state)
{
    struct bed *bed = *state;
    static const char *const wrong[][2] = {
        {"--no-load-manager --direct", "without a load manager --direct means nothing"},
        {"--no-load-manager --hedge off", "without a load manager --hedge means nothing"},
        {"--no-load-manager --status 127.0.0.1:9080",
         "without a load manager --status means nothing"},
        {"--upstream http://127.0.0.1:1", "has the demo's servers"},
        {"--server=http://127.0.0.1:1", "has the demo's servers"},
        {"--policy dice", "there is no policy"},
        {"--direct --listen :8080", "give --url"},
        {"--load-managers 5", "from 1 to 4"},
        {"--nonsense", "no option --nonsense"},
        {"--hedge", "--hedge needs a value"},
        {"--eject 1m", "eject-max is 30000ms"},
        {"--check-path livez", "must begin with a /"},
        {"--token x --token-file y", "not both"},
        {"--url http://shop.example/path", "more than a host and a port"},
        {"--mode direct --listen :8080", "give --url"},
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

static const char *service(struct bed *bed, unsigned at)
{
    assert_int_equal(demo_words_service(&bed->words, &bed->plan, at, &bed->line, NULL), 0);
    return told(&bed->line);
}

/* As the plan has them when they are wanted. */
static void plan_services(struct bed *bed)
{
    static const char *const dirs[] = {"/shop/bank", "/shop/warehouse"};
    for (unsigned i = 0; i < DEMO_SERVICES; i++) {
        struct demo_service *one = &bed->plan.services[i];
        one->wanted = bed->words.services[i];
        strcpy(one->dir, dirs[i]);
        snprintf(one->listen, sizeof one->listen, "127.0.0.1:9%u", i);
        snprintf(one->url, sizeof one->url, "https://127.0.0.1:9%u", i);
        strcpy(one->pin, "sha256//PIN");
    }
}

static void servers_pay_at_the_bank_beside_them(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(part(bed, "--listen 127.0.0.1:8080 --auto-ship 2s"), 0);
    plan_services(bed);
    has(server(bed, 1), " --bank https://127.0.0.1:90 --bank-key-file /shop/bank/key --bank-pin "
                        "sha256//PIN --bank-webhook-secret-file /shop/bank/webhook.secret ");
    has(server(bed, 1), " --mail maildir:/shop/mail --mail-from orders@shop.example ");
    lacks(server(bed, 1), "auto-ship");
    has(service(bed, DEMO_BANK), " bank --dir /shop/bank --listen 127.0.0.1:90 ");
    has(service(bed, DEMO_BANK), " --webhook http://127.0.0.1:8080/api/bank/events ");
    has(service(bed, DEMO_WAREHOUSE), " warehouse --dir /shop/warehouse --listen 127.0.0.1:91 ");
    has(service(bed, DEMO_WAREHOUSE),
        " --id main --shop http://127.0.0.1:8080 --shop http://127.0.0.1:8081 --shop "
        "http://127.0.0.1:8082 --token-file /shop/warehouse.token ");
    has(service(bed, DEMO_WAREHOUSE), " --auto-ship 2000ms ");
}

static void what_the_user_has_of_his_own_is_used(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(part(bed, "--bank https://api.stripe.com --bank-key-file k --mail maildir:m "
                               "--mail-from me@here.example --no-warehouse"),
                     0);
    plan_services(bed);
    assert_false(bed->words.services[DEMO_BANK] || bed->words.services[DEMO_WAREHOUSE]);
    has(server(bed, 0), " --bank https://api.stripe.com ");
    lacks(server(bed, 0), "/shop/bank");
    lacks(server(bed, 0), "/shop/mail");
    assert_int_equal(part(bed, "--no-bank"), 0);
    plan_services(bed);
    lacks(server(bed, 0), " --bank");
    assert_true(bed->words.services[DEMO_WAREHOUSE]);
    assert_int_not_equal(part(bed, "--no-warehouse --auto-ship 1s"), 0);
    has(bed->failure.text, "without a warehouse --auto-ship");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TYPING(each_option_goes_to_whom_it_concerns),
        TYPING(shoppers_come_in_at_the_load_manager),
        TYPING(without_a_load_manager_they_come_in_at_the_first_server),
        TYPING(servers_at_every_address_are_reached_on_this_machine),
        TYPING(what_servers_and_load_managers_both_take_is_for_both),
        TYPING(a_load_manager_is_told_what_the_servers_file_says),
        TYPING(each_load_manager_says_its_own_url),
        TYPING(servers_pay_at_the_bank_beside_them),
        TYPING(what_the_user_has_of_his_own_is_used),
        TYPING(what_would_mean_nothing_is_refused),
        TYPING(a_line_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

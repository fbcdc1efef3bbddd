/* Requests to the world outside: to small servers of the test's own on loopback addresses. */
#include "base/cond.h"
#include "outside/address.h"
#include "outside/transfer.h"
#include "small_server_fixture.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct place {
    struct small_server server;
    struct transfers *transfers;
    char url[128];
};

static int open_place(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    small_open(&place->server, 7001);
    assert_int_equal(transfers_new(NULL, &place->transfers), 0);
    snprintf(place->url, sizeof place->url, "%s/v1/things", place->server.url);
    *state = place;
    return 0;
}

static int close_place(void **state)
{
    struct place *place = *state;
    transfers_free(place->transfers, 0);
    small_close(&place->server);
    free(place);
    return 0;
}

static struct transfer request(const struct place *place, const char *method)
{
    return (struct transfer){
        .method = str_of(method), .url = str_of(place->url), .connect_ms = 30000, .total_ms = 30000};
}

static void gives_status_headers_and_body(void **state)
{
    struct place *place = *state;
    struct buf answer;
    buf_init(&answer, 4096);
    small_say(&place->server, 402, "Idempotent-Replayed: true\r\nRetry-After: 7\r\n",
              "{\"error\":1}");
    struct transfer transfer = request(place, "POST");
    transfer.headers[0] = (struct transfer_header){STR("Idempotency-Key"), STR("k:create")};
    transfer.headers[1] = (struct transfer_header){STR("X-Empty"), STR("")};
    transfer.header_count = 2;
    transfer.body = STR("amount=2000&currency=eur");
    assert_int_equal(transfer_wait(place->transfers, &transfer, &answer), 0);
    assert_int_equal(transfer.status, 402);
    assert_true(str_eq(transfer.answer, STR("{\"error\":1}")));
    assert_true(transfer.replayed);
    assert_int_equal(transfer.retry_after_s, 7);
    char asked[SMALL_TEXT];
    small_asked(&place->server, asked);
    assert_non_null(strstr(asked, "POST /v1/things HTTP/1.1\r\n"));
    assert_non_null(strstr(asked, "Idempotency-Key: k:create\r\n"));
    assert_non_null(strstr(asked, "X-Empty:\r\n"));
    assert_non_null(strstr(asked, "\r\n\r\namount=2000&currency=eur"));
    assert_null(strstr(asked, "Expect"));
    assert_null(strstr(asked, "urlencoded")); /* no type that the caller did not give */
    buf_close(&answer);
}

static void sends_each_method_with_and_without_a_body(void **state)
{
    struct place *place = *state;
    static const char *const methods[] = {"GET", "DELETE", "POST", "PUT"};
    for (unsigned i = 0; i < 4; i++) {
        char asked[SMALL_TEXT], line[64];
        struct transfer transfer = request(place, methods[i]);
        if (i == 3)
            transfer.body = STR("text");
        assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), 0);
        assert_int_equal(transfer.status, 200);
        small_asked(&place->server, asked);
        snprintf(line, sizeof line, "%s /v1/things HTTP/1.1\r\n", methods[i]);
        assert_ptr_equal(strstr(asked, line), asked);
    }
    assert_int_equal(atomic_load(&place->server.connections), 1); /* which was kept */
}

struct counted {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned ended, good;
};

static struct counted *counted_new(void)
{
    struct counted *counted = calloc(1, sizeof *counted);
    assert_non_null(counted);
    pthread_mutex_init(&counted->mutex, NULL);
    cond_init(&counted->changed);
    return counted;
}

static void count_end(struct transfer *transfer)
{
    struct counted *counted = transfer->context;
    pthread_mutex_lock(&counted->mutex);
    counted->good += transfer->err == 0 && transfer->status == 200;
    counted->ended++;
    pthread_cond_signal(&counted->changed);
    pthread_mutex_unlock(&counted->mutex);
}

static void wait_for(struct counted *counted, unsigned count)
{
    uint64_t until = clock_mono_ns() + 60 * SEC_NS;
    bool in_time = true;
    pthread_mutex_lock(&counted->mutex);
    while (in_time && counted->ended < count)
        in_time = cond_wait_until(&counted->changed, &counted->mutex, until);
    pthread_mutex_unlock(&counted->mutex);
    assert_int_equal(counted->ended, count);
}

static void carries_many_over_few_connections(void **state)
{
    struct place *place = *state;
    enum { MANY = 1000 };
    struct counted *counted = counted_new();
    struct transfer *all = calloc(MANY, sizeof *all);
    assert_non_null(all);
    for (unsigned i = 0; i < MANY; i++) {
        all[i] = request(place, "GET");
        all[i].total_ms = 60000;
        all[i].done = count_end;
        all[i].context = counted;
        assert_int_equal(transfer_start(place->transfers, &all[i]), 0);
    }
    wait_for(counted, MANY);
    assert_int_equal(counted->good, MANY);
    assert_in_range(atomic_load(&place->server.connections), 1, 16);
    free(all);
    free(counted);
}

static void says_unreached_only_when_nothing_was_sent(void **state)
{
    struct place *place = *state;
    struct transfer transfer = request(place, "POST");
    transfer.body = STR("x");
    small_stop(&place->server);
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_UNREACHED);
    assert_non_null(strstr(transfer.failure.text, "/v1/things: "));
    small_start(&place->server);

    small_say_raw(&place->server, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut off");
    small_close_after(&place->server, true);
    transfer = request(place, "POST");
    transfer.body = STR("x");
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_IO);
    small_close_after(&place->server, false);

    small_hang(&place->server, true);
    transfer = request(place, "POST");
    transfer.body = STR("x");
    transfer.total_ms = 2000; /* in which it is sent, on a busy machine too */
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_TIMEOUT);
}

/* Listens, and takes nobody: the second connection stays unanswered by the kernel's queue. */
static void a_connection_that_is_not_taken_is_unreached(void **state)
{
    struct place *place = *state;
    struct transfer transfer = request(place, "POST");
    transfer.url = STR("https://127.0.0.1:1/"); /* nobody listens below 1024 in a test */
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_UNREACHED);
    transfer = request(place, "POST");
    char url[96];
    snprintf(url, sizeof url, "https://%s/", place->server.host); /* speaks no TLS */
    transfer.url = str_of(url);
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_UNREACHED);
}

static void bounds_the_answer(void **state)
{
    struct place *place = *state;
    struct transfer transfer = request(place, "GET");
    small_say(&place->server, 200, "", "0123456789");
    transfer.answer_max = 9;
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_FULL);
    transfer = request(place, "GET");
    transfer.answer_max = 10;
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), 0);
}

static void does_not_follow_a_redirect(void **state)
{
    struct place *place = *state;
    struct transfer transfer = request(place, "GET");
    small_say(&place->server, 302, "Location: http://127.0.0.1:1/\r\n", "");
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), 0);
    assert_int_equal(transfer.status, 302);
}

static void wipes_a_secret_body(void **state)
{
    struct place *place = *state;
    char secret[] = "token=secret";
    struct transfer transfer = request(place, "POST");
    transfer.body = str_of(secret);
    transfer.wipe_body = true;
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), 0);
    for (unsigned i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
}

static void refuses_private_addresses_of_strangers_and_plain_http_elsewhere(void **state)
{
    struct place *place = *state;
    const struct transfer_trust stranger = {.public_only = true};
    struct transfer transfer = request(place, "GET");
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), 0); /* leaves a connection */
    transfer = request(place, "GET");
    transfer.trust = &stranger;
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_TRUST);
    assert_int_equal(atomic_load(&place->server.requests), 1);
    transfer = request(place, "GET");
    transfer.url = STR("http://192.0.2.1/");
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_TRUST);
}

static void refuses_what_is_no_request(void **state)
{
    struct place *place = *state;
    struct transfer transfer = request(place, "GET");
    transfer.url = STR("file:///etc/passwd");
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_INVALID);
    transfer = request(place, "GET");
    transfer.headers[0] = (struct transfer_header){STR("X-A"), STR("a\r\nX-B: b")};
    transfer.header_count = 1;
    assert_int_equal(transfer_wait(place->transfers, &transfer, NULL), ERR_INVALID);
    assert_int_equal(atomic_load(&place->server.requests), 0);
}

static void stopping_ends_all_of_them(void **state)
{
    struct place *place = *state;
    enum { SOME = 400 }; /* more than run at once */
    struct counted *counted = counted_new();
    struct transfer *all = calloc(SOME, sizeof *all);
    assert_non_null(all);
    small_hang(&place->server, true);
    for (unsigned i = 0; i < SOME; i++) {
        all[i] = request(place, "GET");
        all[i].total_ms = 60000;
        all[i].done = count_end;
        all[i].context = counted;
        assert_int_equal(transfer_start(place->transfers, &all[i]), 0);
    }
    transfers_free(place->transfers, 50);
    assert_int_equal(counted->ended, SOME);
    for (unsigned i = 0; i < SOME; i++)
        assert_int_equal(all[i].err, ERR_CLOSED);
    free(all);
    free(counted);
    assert_int_equal(transfers_new(NULL, &place->transfers), 0);
}

/* ---- A name server that does not answer ---- */

static pthread_mutex_t resolver_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resolver_changed = PTHREAD_COND_INITIALIZER;
static bool resolver_answers;
static unsigned resolver_asked;

/* In place of the C library's, for libcurl too: of *.silent.example nothing is heard for long. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name != NULL && strstr(name, "silent.example") != NULL) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60;
        pthread_mutex_lock(&resolver_mutex);
        resolver_asked++;
        pthread_cond_broadcast(&resolver_changed);
        while (!resolver_answers &&
               pthread_cond_timedwait(&resolver_changed, &resolver_mutex, &until) == 0)
            continue;
        resolver_asked--;
        pthread_cond_broadcast(&resolver_changed);
        pthread_mutex_unlock(&resolver_mutex);
        return EAI_AGAIN;
    }
    union {
        void *object;
        resolve *function;
    } real = {.object = dlsym(RTLD_NEXT, "getaddrinfo")};
    return real.function(name, service, hints, found);
}

/* All who ask have been answered. */
static void resolver_answer(void)
{
    pthread_mutex_lock(&resolver_mutex);
    resolver_answers = true;
    pthread_cond_broadcast(&resolver_changed);
    while (resolver_asked > 0)
        pthread_cond_wait(&resolver_changed, &resolver_mutex);
    resolver_answers = false;
    pthread_mutex_unlock(&resolver_mutex);
}

static void a_silent_name_server_holds_up_nobody_else(void **state)
{
    struct place *place = *state;
    uint64_t began = clock_mono_ns();
    struct transfer silent = {.method = STR("GET"),
                              .url = STR("http://a.silent.example/"),
                              .connect_ms = 200,
                              .total_ms = 200};
    assert_int_equal(transfer_wait(place->transfers, &silent, NULL), ERR_UNREACHED);
    struct transfer other = request(place, "GET");
    assert_int_equal(transfer_wait(place->transfers, &other, NULL), 0);
    assert_true(clock_mono_ns() - began < 30 * SEC_NS);
    resolver_answer();
}

static void a_silent_name_server_holds_up_no_stop(void **state)
{
    struct place *place = *state;
    struct counted *counted = counted_new();
    struct transfer silent = {.method = STR("GET"),
                              .url = STR("http://b.silent.example/"),
                              .connect_ms = 120000,
                              .total_ms = 120000,
                              .done = count_end,
                              .context = counted};
    assert_int_equal(transfer_start(place->transfers, &silent), 0);
    pthread_mutex_lock(&resolver_mutex);
    while (resolver_asked == 0)
        pthread_cond_wait(&resolver_changed, &resolver_mutex);
    pthread_mutex_unlock(&resolver_mutex);
    uint64_t began = clock_mono_ns();
    struct transfers *transfers = place->transfers;
    place->transfers = NULL;
    transfers_free(transfers, 100);
    assert_true(clock_mono_ns() - began < 30 * SEC_NS);
    wait_for(counted, 1);
    assert_int_equal(silent.err, ERR_CLOSED);
    resolver_answer();
    free(counted);
}

static bool is_public(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return address_is_public((const void *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return address_is_public((const void *)&six);
}

static void knows_public_addresses(void **state)
{
    (void)state;
    static const char *const public[] = {
        "1.1.1.1",         "172.15.255.255", "172.32.0.0",           "192.167.1.1", "11.0.0.1",
        "223.255.255.255", "2606:4700::1",   "::ffff:93.184.216.34", "2001:200::1"};
    static const char *const own[] = {
        "0.0.0.0",     "10.1.2.3",    "127.0.0.1",   "169.254.169.254", "172.16.0.1",
        "192.168.1.1", "100.64.0.1",  "224.0.0.1",   "255.255.255.255", "192.0.2.1",
        "::",          "::1",         "fe80::1",     "fc00::1",         "fd12::1",
        "ff02::1",     "2001:db8::1", "2001::1",     "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "2002:a00::1", "::127.0.0.1", "198.19.255.1"};
    for (unsigned i = 0; i < sizeof public / sizeof *public; i++)
        assert_true(is_public(public[i]));
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
        assert_false(is_public(own[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_status_headers_and_body, open_place, close_place),
        cmocka_unit_test_setup_teardown(sends_each_method_with_and_without_a_body, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(carries_many_over_few_connections, open_place, close_place),
        cmocka_unit_test_setup_teardown(says_unreached_only_when_nothing_was_sent, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(a_connection_that_is_not_taken_is_unreached, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(bounds_the_answer, open_place, close_place),
        cmocka_unit_test_setup_teardown(does_not_follow_a_redirect, open_place, close_place),
        cmocka_unit_test_setup_teardown(wipes_a_secret_body, open_place, close_place),
        cmocka_unit_test_setup_teardown(
            refuses_private_addresses_of_strangers_and_plain_http_elsewhere, open_place,
            close_place),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_request, open_place, close_place),
        cmocka_unit_test_setup_teardown(stopping_ends_all_of_them, open_place, close_place),
        cmocka_unit_test_setup_teardown(a_silent_name_server_holds_up_nobody_else, open_place,
                                        close_place),
        cmocka_unit_test_setup_teardown(a_silent_name_server_holds_up_no_stop, open_place,
                                        close_place),
        cmocka_unit_test(knows_public_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

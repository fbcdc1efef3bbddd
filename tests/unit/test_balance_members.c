#include "balance/balance.h"
#include "balance/events.h"
#include "balance/members.h"
#include "base/check.h"
#include "small_server_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define PATIENCE_NS (20 * SEC_NS)
#define KEY         "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { SERVERS = 3 };

struct fixture {
    struct small_server servers[SERVERS];
    struct balance_config config;
    struct events *events;
    struct members *members;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    for (unsigned i = 0; i < SERVERS; i++)
        small_open(&f->servers[i], 9001 + i);
    f->config = (struct balance_config){
        .policy = &policy_round_robin,
        .token = "operator",
        .url = "http://shop.example",
        .check_ns = 20 * MS_NS,
        .silent_ns = 2 * SEC_NS,
        .max_out = 500,
        .panic = 300,
        .limit = 10,
    };
    assert_int_equal(events_new(NULL, &f->events, NULL), ERR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    members_free(f->members);
    events_free(f->events);
    for (unsigned i = 0; i < SERVERS; i++)
        small_close(&f->servers[i]);
    return 0;
}

static void start(struct fixture *f)
{
    struct failure failure;
    int err = members_new(&f->config, f->events, &f->members, &failure);
    if (err)
        print_error("%s\n", failure.text);
    assert_int_equal(err, ERR_OK);
}

/* What server AT, and every other, answers: who is in the cluster, as (id, place) pairs, those of
 * a negative id leaving. */
struct said {
    int id;
    unsigned at;
    const char *state;
};

static void say_as(struct fixture *f, unsigned at, unsigned own, unsigned index,
                   const struct said *all, unsigned count)
{
    char body[4096];
    size_t len = (size_t)snprintf(body, sizeof body,
                                  "{\"cluster\":\"c1\",\"own\":%u,\"term\":1,\"index\":%u,"
                                  "\"primary\":1,\"key\":\"" KEY "\",\"servers\":[",
                                  own, index);
    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(body + len, sizeof body - len,
                                "%s{\"id\":%d,\"url\":\"%s\",\"role\":\"%s\",\"state\":\"%s\"}",
                                i ? "," : "", all[i].id, f->servers[all[i].at].url,
                                i ? "secondary" : "primary", all[i].state);
    snprintf(body + len, sizeof body - len, "]}");
    small_say(&f->servers[at], 200, "", body);
}

static void say_cluster(struct fixture *f, unsigned at, unsigned index, const struct said *all,
                        unsigned count)
{
    say_as(f, at, 1, index, all, count);
}

static void all_say(struct fixture *f, unsigned index, const struct said *all, unsigned count)
{
    for (unsigned i = 0; i < SERVERS; i++)
        say_cluster(f, i, index, all, count);
}

/* The ids of the set as decimal digits: 123. */
static unsigned ids(struct fixture *f)
{
    struct backend_set *set = members_set(f->members);
    unsigned digits = 0;
    for (unsigned i = 0; i < set->count; i++)
        digits = digits * 10 + (unsigned)set->at[i]->id;
    backend_set_drop(set);
    return digits;
}

static void await_ids(struct fixture *f, unsigned wanted)
{
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (ids(f) != wanted && clock_mono_ns() < until)
        usleep(2000); /* no wait: the pace of looking */
    assert_int_equal(ids(f), wanted);
}

static enum health_state state_of(struct fixture *f, uint64_t id)
{
    struct backend_set *set = members_set(f->members);
    struct backend *backend = backend_set_find(set, id);
    enum health_state state = backend ? backend_state(backend) : HEALTH_OUT;
    backend_set_drop(set);
    return state;
}

static void await_state(struct fixture *f, uint64_t id, enum health_state wanted)
{
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (state_of(f, id) != wanted && clock_mono_ns() < until)
        usleep(2000); /* no wait: the pace of looking */
    assert_string_equal(health_name(state_of(f, id)), health_name(wanted));
}

/* Whether there was an event of KIND with TEXT in it. */
static bool happened(struct fixture *f, enum event_kind kind, const char *text)
{
    static struct event events[EVENTS_KEPT];
    unsigned count = events_read(f->events, 0, events, EVENTS_KEPT, NULL);
    for (unsigned i = 0; i < count; i++)
        if (events[i].kind == kind && strstr(events[i].text, text))
            return true;
    return false;
}

static void await_event(struct fixture *f, enum event_kind kind, const char *text)
{
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (!happened(f, kind, text) && clock_mono_ns() < until)
        usleep(2000); /* no wait: the pace of looking */
    assert_true(happened(f, kind, text));
}

/* ---- Fixed upstreams ---- */

static void seeds_are(struct fixture *f, struct balance_seed *list, unsigned *count)
{
    for (unsigned i = 0; i < SERVERS; i++)
        str_copy(list[i].url, sizeof list[i].url, str_of(f->servers[i].url));
    *count = SERVERS;
}

static void fixed_upstreams_are_known_at_once(void **state)
{
    struct fixture *f = *state;
    seeds_are(f, f->config.upstreams, &f->config.upstream_count);
    f->config.upstreams[1].weight = 300;
    start(f);
    struct backend_set *set = members_set(f->members);
    assert_int_equal(set->count, 3);
    assert_false(set->keyed);
    assert_int_equal(set->at[0]->weight, POLICY_WEIGHT);
    assert_int_equal(set->at[1]->weight, 300);
    assert_string_equal(set->at[2]->url, f->servers[2].url);
    assert_string_equal(set->at[2]->name, f->servers[2].host);
    assert_false(set->at[2]->shop);
    assert_int_equal(set->at[2]->limit, 10);
    backend_set_drop(set);
}

static void upstream_whose_address_is_wrong_is_named(void **state)
{
    struct fixture *f = *state;
    struct failure failure;
    str_copy(f->config.upstreams[0].url, BACKEND_URL, STR("http://a/path"));
    f->config.upstream_count = 1;
    assert_int_equal(members_new(&f->config, f->events, &f->members, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "http://a/path"));
}

struct listener {
    struct member_news news;
    unsigned told;
};

static void on_news(struct member_news *news)
{
    CONTAINER_OF(news, struct listener, news)->told++;
}

static void loops_are_told_of_a_change_until_they_listen_no_more(void **state)
{
    struct fixture *f = *state;
    struct listener listener = {.news.changed = on_news};
    struct loop *loop = loop_new(NULL);
    seeds_are(f, f->config.upstreams, &f->config.upstream_count);
    start(f);
    assert_int_equal(members_listen(f->members, loop, &listener.news), ERR_OK);
    small_stop(&f->servers[1]);
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (listener.told == 0 && clock_mono_ns() < until)
        loop_turn(loop, 10);
    assert_true(listener.told > 0);
    await_state(f, 2, HEALTH_OUT);
    loop_turn(loop, 0);
    members_unlisten(f->members, &listener.news);
    unsigned told = listener.told;
    small_start(&f->servers[1]);
    await_state(f, 2, HEALTH_WARMING);
    loop_turn(loop, 0);
    assert_int_equal(listener.told, told);
    loop_free(loop);
    await_event(f, EVENT_OUT, "refused");
    await_event(f, EVENT_BACK, "back");
}

static void operator_can_have_a_server_drained_and_returned(void **state)
{
    struct fixture *f = *state;
    seeds_are(f, f->config.upstreams, &f->config.upstream_count);
    start(f);
    assert_int_equal(members_drain(f->members, 3, true), ERR_OK);
    assert_int_equal(state_of(f, 3), HEALTH_DRAINING);
    assert_int_equal(members_drain(f->members, 4, true), ERR_NOTFOUND);
    assert_int_equal(members_drain(f->members, 3, false), ERR_OK);
    assert_int_equal(state_of(f, 3), HEALTH_UP);
    struct backend_set *set = members_set(f->members);
    bool panic;
    backend_sign(set->at[0], SIGN_DRAIN, clock_mono_ns());
    assert_int_equal(backend_set_usable(set, 500, 300, &panic), 0x6);
    assert_false(panic);
    backend_set_drop(set);
}

/* After an outage all warm up: a tenth of everything would be too little for everybody. */
static void servers_that_all_warm_up_take_all_there_is(void **state)
{
    (void)state;
    uint32_t shares[BACKENDS_MAX];
    struct backend_set *set = backend_set_new(1);
    for (unsigned i = 0; i < 3; i++) {
        struct backend_plan plan = {
            .id = i + 1, .name = "a", .url = "http://a:1", .weight = POLICY_WEIGHT, .fresh = i < 2};
        set->at[set->count++] = backend_new(&plan, SEC_NS);
    }
    backend_set_shares(set, 0x7, shares);
    assert_in_range(shares[0], 50, 200);
    assert_int_equal(shares[1], shares[0]);
    assert_int_equal(shares[2], 1000);
    backend_set_shares(set, 0x3, shares); /* the third one is out */
    assert_int_equal(shares[0], 1000);
    assert_int_equal(shares[1], 1000);
    atomic_store(&set->at[0]->share, 400);
    atomic_store(&set->at[1]->share, 100);
    backend_set_shares(set, 0x3, shares);
    assert_int_equal(shares[0], 1000);
    assert_int_equal(shares[1], 250);
    backend_set_drop(set);
}

/* ---- A cluster ---- */

static void seed_alone(struct fixture *f)
{
    str_copy(f->config.servers[0].url, BACKEND_URL, str_of(f->servers[0].url));
    f->config.server_count = 1;
}

static void members_are_learnt_from_a_seed_and_all_are_told(void **state)
{
    struct fixture *f = *state;
    const struct said all[] = {{1, 0, "up"}, {2, 1, "up"}, {3, 2, "down"}};
    char asked[SMALL_TEXT];
    all_say(f, 1, all, 3);
    seed_alone(f);
    start(f);
    await_ids(f, 123);
    struct backend_set *set = members_set(f->members);
    assert_true(set->keyed);
    assert_int_equal(set->key[1], 0x11);
    assert_true(set->at[0]->shop);
    assert_string_equal(set->at[1]->name, "server 2");
    assert_int_equal(backend_state(set->at[1]), HEALTH_UP); /* no slow start at the beginning */
    backend_set_drop(set);
    for (unsigned i = 0; i < SERVERS; i++) {
        uint64_t until = clock_mono_ns() + PATIENCE_NS;
        do {
            usleep(1000); /* no wait: the pace of looking */
            small_asked(&f->servers[i], asked);
        } while (!strstr(asked, "POST /api/v1/cluster/managers") && clock_mono_ns() < until);
        assert_non_null(strstr(asked, "\r\nAuthorization: Bearer operator\r\n"));
        assert_non_null(strstr(asked, "\"url\":\"http://shop.example\""));
        assert_non_null(strstr(asked, "\"policy\":\"round-robin\""));
        assert_non_null(strstr(asked, "\"mode\":\"proxy\""));
    }
}

static void await_requests(struct fixture *f, unsigned at, unsigned wanted)
{
    unsigned least = atomic_load(&f->servers[at].requests) + wanted;
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (atomic_load(&f->servers[at].requests) < least && clock_mono_ns() < until)
        usleep(2000); /* no wait: the pace of looking */
    assert_true(atomic_load(&f->servers[at].requests) >= least);
}

/* Of a door that wants it on each connection. */
static void who_belongs_is_asked_behind_a_proxy_header_where_it_is_wanted(void **state)
{
    struct fixture *f = *state;
    char asked[SMALL_TEXT] = "";
    f->config.proxy_out = true;
    small_close_after(&f->servers[0], true);
    small_say(&f->servers[0], 500, "", ""); /* so that nobody else asks it anything */
    seed_alone(f);
    start(f);
    await_requests(f, 0, 2);
    small_asked(&f->servers[0], asked);
    assert_memory_equal(asked, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0POST /api/v1/cluster/managers", 45);
}

static void servers_join_leave_and_go_without_a_restart(void **state)
{
    struct fixture *f = *state;
    const struct said one[] = {{1, 0, "up"}};
    const struct said joins[] = {{1, 0, "up"}, {2, 1, "joining"}};
    const struct said joined[] = {{1, 0, "up"}, {2, 1, "up"}};
    const struct said leaves[] = {{1, 0, "leaving"}, {2, 1, "up"}};
    const struct said left[] = {{2, 1, "up"}};
    all_say(f, 1, one, 1);
    seed_alone(f);
    start(f);
    await_ids(f, 1);
    all_say(f, 2, joins, 2);
    all_say(f, 3, joined, 2);
    await_ids(f, 12);
    assert_true(state_of(f, 2) == HEALTH_WARMING || state_of(f, 2) == HEALTH_UP);
    await_event(f, EVENT_JOINED, "http://");
    all_say(f, 4, leaves, 2);
    await_state(f, 1, HEALTH_DRAINING);
    assert_int_equal(ids(f), 12);
    all_say(f, 5, left, 1);
    await_ids(f, 2);
    await_event(f, EVENT_GONE, "no more");
}

static void older_answers_and_those_of_other_clusters_do_not_count(void **state)
{
    struct fixture *f = *state;
    const struct said both[] = {{1, 0, "up"}, {2, 1, "up"}};
    const struct said old[] = {{1, 0, "up"}, {2, 1, "up"}, {3, 2, "up"}};
    all_say(f, 7, both, 2);
    say_cluster(f, 1, 6, old, 3);
    seed_alone(f);
    start(f);
    await_ids(f, 12);
    unsigned before = atomic_load(&f->servers[1].requests);
    uint64_t until = clock_mono_ns() + PATIENCE_NS; /* each is asked in each second */
    while (atomic_load(&f->servers[1].requests) < before + 2 && clock_mono_ns() < until) {
        assert_int_equal(ids(f), 12);
        usleep(20000); /* no wait: the pace of looking */
    }
    assert_true(atomic_load(&f->servers[1].requests) >= before + 2); /* the first was judged */
    assert_int_equal(ids(f), 12);
    small_say(&f->servers[1], 200, "", "{\"cluster\":\"c2\",\"term\":99,\"servers\":[]}");
    await_event(f, EVENT_MEMBERS, "another cluster");
    assert_int_equal(ids(f), 12);
}

/* What server AT answers while it joins as server ID, in the newest TERM: it knows itself alone. */
static void say_joining(struct fixture *f, unsigned at, unsigned id, unsigned term)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"cluster\":\"c1\",\"own\":%u,\"term\":%u,\"index\":0,\"primary\":0,\"key\":\"" KEY
             "\",\"servers\":[{\"id\":%u,\"url\":\"%s\",\"role\":\"standby\",\"state\":"
             "\"joining\"}]}",
             id, term, id, f->servers[at].url);
    small_say(&f->servers[at], 200, "", body);
}

/* What server 1, at place 0, says of itself, with an INDEX of its own. */
static void say_of_itself(struct fixture *f, unsigned index, const char *drain)
{
    char body[2048];
    snprintf(body, sizeof body,
             "{\"cluster\":\"c1\",\"own\":1,\"term\":1,\"index\":%u,\"primary\":1,\"key\":\"" KEY
             "\",\"servers\":[{\"id\":1,\"url\":\"%s\",\"role\":\"primary\",\"state\":\"up\"%s},"
             "{\"id\":2,\"url\":\"%s\",\"role\":\"secondary\",\"state\":\"up\"}]}",
             index, f->servers[0].url, drain, f->servers[1].url);
    small_say(&f->servers[0], 200, "", body);
}

static void whether_a_server_is_being_stopped_it_says_itself(void **state)
{
    struct fixture *f = *state;
    const struct said both[] = {{1, 0, "up"}, {2, 1, "up"}};
    all_say(f, 5, both, 2);
    for (unsigned at = 1; at < SERVERS; at++) /* of itself, not of server 1 */
        say_as(f, at, at + 1, 5, both, 2);
    seed_alone(f);
    start(f);
    await_ids(f, 12);
    say_of_itself(f, 5, ",\"drain\":true");
    await_state(f, 1, HEALTH_DRAINING);
    await_requests(f, 1, 2); /* the other one knows nothing of it */
    assert_int_equal(state_of(f, 1), HEALTH_DRAINING);
    say_of_itself(f, 3, ""); /* started again, and still behind */
    await_state(f, 1, HEALTH_UP);
    assert_int_equal(ids(f), 12);
}

static void what_the_operator_drains_stays_so_though_the_server_is_restarted(void **state)
{
    struct fixture *f = *state;
    const struct said both[] = {{1, 0, "up"}, {2, 1, "up"}};
    const struct said leaves[] = {{1, 0, "up"}, {2, 1, "leaving"}};
    const struct said moved[] = {{1, 0, "up"}, {2, 2, "up"}};
    const struct said all[] = {{1, 0, "up"}, {2, 2, "up"}, {3, 1, "up"}};
    all_say(f, 1, both, 2);
    seed_alone(f);
    start(f);
    await_ids(f, 12);
    assert_int_equal(members_drain(f->members, 2, true), ERR_OK);
    all_say(f, 2, leaves, 2);
    await_requests(f, 0, 3);
    all_say(f, 3, both, 2);
    await_requests(f, 0, 3);
    assert_int_equal(state_of(f, 2), HEALTH_DRAINING);
    all_say(f, 4, moved, 2);
    all_say(f, 5, all, 3);
    await_ids(f, 123);
    assert_int_equal(state_of(f, 2), HEALTH_DRAINING);
    assert_int_equal(members_drain(f->members, 2, false), ERR_OK);
    await_state(f, 2, HEALTH_UP);
}

static void one_who_joins_knows_nobody_and_is_not_believed(void **state)
{
    struct fixture *f = *state;
    const struct said all[] = {{1, 0, "up"}, {2, 1, "up"}, {3, 2, "joining"}};
    all_say(f, 1, all, 3);
    seed_alone(f);
    start(f);
    await_ids(f, 12);
    say_joining(f, 2, 3, 2); /* an election has just been */
    await_requests(f, 2, 2);
    await_requests(f, 0, 2); /* the others are asked as before */
    assert_int_equal(ids(f), 12);
    assert_false(happened(f, EVENT_GONE, "no more"));
}

static void members_are_learnt_though_the_first_seed_only_joins(void **state)
{
    struct fixture *f = *state;
    const struct said all[] = {{1, 0, "up"}, {2, 1, "up"}, {3, 2, "joining"}};
    all_say(f, 1, all, 3);
    say_joining(f, 2, 3, 1);
    str_copy(f->config.servers[0].url, BACKEND_URL, str_of(f->servers[2].url));
    str_copy(f->config.servers[1].url, BACKEND_URL, str_of(f->servers[0].url));
    f->config.server_count = 2;
    start(f);
    await_ids(f, 12);
}

static void those_that_are_known_stay_known_while_nobody_answers(void **state)
{
    struct fixture *f = *state;
    const struct said both[] = {{1, 0, "up"}, {2, 1, "up"}};
    all_say(f, 1, both, 2);
    seed_alone(f);
    start(f);
    await_ids(f, 12);
    small_stop(&f->servers[0]);
    small_stop(&f->servers[1]);
    await_state(f, 1, HEALTH_OUT);
    await_state(f, 2, HEALTH_OUT);
    await_event(f, EVENT_PANIC, "Too few");
    assert_int_equal(ids(f), 12);
    small_start(&f->servers[0]);
    small_start(&f->servers[1]);
    await_state(f, 1, HEALTH_WARMING);
    assert_int_equal(ids(f), 12);
}

static void server_that_moves_is_another(void **state)
{
    struct fixture *f = *state;
    const struct said here[] = {{1, 0, "up"}, {2, 1, "up"}}, there[] = {{1, 0, "up"}, {2, 2, "up"}};
    all_say(f, 1, here, 2);
    seed_alone(f);
    start(f);
    await_ids(f, 12);
    all_say(f, 2, there, 2);
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    bool moved = false;
    while (!moved && clock_mono_ns() < until) {
        struct backend_set *set = members_set(f->members);
        moved = strcmp(set->at[1]->url, f->servers[2].url) == 0;
        backend_set_drop(set);
        usleep(2000); /* no wait: the pace of looking */
    }
    assert_true(moved);
}

static void servers_that_stand_alone_are_the_members_themselves(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < SERVERS; i++)
        small_say(&f->servers[i], 404, "", "{\"error\":{\"code\":\"alone\"}}");
    seeds_are(f, f->config.servers, &f->config.server_count);
    start(f);
    await_ids(f, 123);
    struct backend_set *set = members_set(f->members);
    assert_false(set->keyed);
    assert_true(set->at[0]->shop);
    assert_string_equal(set->at[2]->url, f->servers[2].url);
    backend_set_drop(set);
}

static void what_is_wrong_is_told(void **state)
{
    struct fixture *f = *state;
    small_say(&f->servers[0], 401, "", "{}");
    small_say(&f->servers[1], 200, "", "<html>");
    small_stop(&f->servers[2]);
    seeds_are(f, f->config.servers, &f->config.server_count);
    start(f);
    await_event(f, EVENT_MEMBERS, "does not take the operator's token");
    await_event(f, EVENT_MEMBERS, "cannot be used");
    await_event(f, EVENT_MEMBERS, "refused");
    assert_int_equal(ids(f), 0);
    small_start(&f->servers[2]);
}

static void names_are_looked_up_beside_the_loop(void **state)
{
    struct fixture *f = *state;
    const struct said one[] = {{1, 0, "up"}};
    all_say(f, 1, one, 1);
    str_copy(f->config.servers[0].url, BACKEND_URL, STR("http://nowhere.invalid:80"));
    str_copy(f->config.servers[1].url, BACKEND_URL, str_of(f->servers[0].url));
    f->config.server_count = 2;
    start(f);
    await_ids(f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(fixed_upstreams_are_known_at_once),
        TEST(upstream_whose_address_is_wrong_is_named),
        TEST(loops_are_told_of_a_change_until_they_listen_no_more),
        TEST(operator_can_have_a_server_drained_and_returned),
        TEST(servers_that_all_warm_up_take_all_there_is),
        TEST(members_are_learnt_from_a_seed_and_all_are_told),
        TEST(who_belongs_is_asked_behind_a_proxy_header_where_it_is_wanted),
        TEST(servers_join_leave_and_go_without_a_restart),
        TEST(older_answers_and_those_of_other_clusters_do_not_count),
        TEST(whether_a_server_is_being_stopped_it_says_itself),
        TEST(what_the_operator_drains_stays_so_though_the_server_is_restarted),
        TEST(one_who_joins_knows_nobody_and_is_not_believed),
        TEST(members_are_learnt_though_the_first_seed_only_joins),
        TEST(those_that_are_known_stay_known_while_nobody_answers),
        TEST(server_that_moves_is_another),
        TEST(servers_that_stand_alone_are_the_members_themselves),
        TEST(what_is_wrong_is_told),
        TEST(names_are_looked_up_beside_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Routes: which servers a request may go to, by the shopper's signed set, by what it is about, or
 * by the policy. */
#include "balance/route.h"
#include "policy_fixture.h"

#include <stdio.h>
#include <string.h>

enum { COUNT = 5 };
static const int64_t NOW_MS = 1795345678000;

struct world {
    struct choice first, hash; /* they share the first's servers */
    struct router router;
    struct home_signer *signer;
    char cookie[256];
    struct http_header header;
    struct exchange x;
    struct route_plan plan;
};

static struct home_signer *signer_of(unsigned char first)
{
    unsigned char key[HOME_KEY] = {first};
    struct home_signer *signer = home_signer_new(key);
    assert_non_null(signer);
    return signer;
}

static struct world *begin(const struct policy *policy, unsigned aways)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    choice_begin(&w->first, policy, COUNT);
    choice_begin(&w->hash, &policy_ip_hash, COUNT);
    w->signer = signer_of(1);
    w->router = (struct router){.policy = policy,
                                .hash = &policy_ip_hash,
                                .policy_memory = w->first.memory,
                                .hash_memory = w->hash.memory,
                                .signer = w->signer,
                                .aways = aways};
    random_seed(&w->router.random, 3);
    w->x.method = HTTP_GET;
    w->x.path = STR("/");
    w->x.peer = STR("192.0.2.1");
    return w;
}

static void end(struct world *w)
{
    choice_end(&w->first);
    choice_end(&w->hash);
    home_signer_free(w->signer);
    free(w);
}

/* Both policies are told, as the lane does. */
static void changed(struct world *w)
{
    memcpy(w->hash.servers, w->first.servers, sizeof w->hash.servers);
    w->hash.view.count = w->first.view.count;
    choice_changed(&w->first);
    choice_changed(&w->hash);
}

static const struct route_plan *route_with(struct world *w, uint64_t overloaded)
{
    route_choose(&w->router, &w->x, &w->first.view, overloaded, w->first.now_ns, NOW_MS, &w->plan);
    return &w->plan;
}

static const struct route_plan *route(struct world *w)
{
    return route_with(w, 0);
}

static void bring_cookies(struct world *w, const char *text)
{
    snprintf(w->cookie, sizeof w->cookie, "%s", text);
    w->x.known[HTTP_FIELD_COOKIE] = str_of(w->cookie);
}

static void bring_home_of(struct world *w, struct home_signer *signer, const struct home *home)
{
    char text[HOME_TEXT], cookies[256];
    snprintf(cookies, sizeof cookies, "seen=1-2-3; home=%s", home_write(signer, home, text));
    bring_cookies(w, cookies);
}

/* The set 2.3.1. */
static void bring_home(struct world *w)
{
    bring_home_of(w, w->signer, &(struct home){3, {2, 3, 1}, 1795000000});
}

static void expect_places(const struct route_plan *plan, unsigned count, const int *places)
{
    assert_int_equal(plan->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(plan->places[i], places[i]);
}

#define EXPECT(plan, ...) \
    expect_places(plan, sizeof((int[]){__VA_ARGS__}) / sizeof(int), (int[]){__VA_ARGS__})

/* ---- With a set ---- */

static void a_shopper_goes_home(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    bring_home(w);
    w->first.servers[1].in_flight = 50; /* busier than others, which is no reason */
    const struct route_plan *plan = route(w);
    EXPECT(plan, 1, 2, 0);
    assert_int_equal(plan->reason, ROUTE_HOME);
    assert_false(plan->set_cookie);
    assert_int_equal(plan->home.since_s, 1795000000);
    end(w);
}

static void without_home_a_shopper_goes_away_in_order_and_back(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    bring_home(w);
    w->first.servers[1].usable = false;
    changed(w);
    EXPECT(route(w), 2, 0);
    assert_int_equal(w->plan.reason, ROUTE_AWAY);
    w->first.servers[2].usable = false;
    changed(w);
    EXPECT(route(w), 0);
    assert_int_equal(w->plan.home.servers[0], 2); /* it is still home */
    assert_false(w->plan.set_cookie);
    w->first.servers[1].usable = w->first.servers[2].usable = true;
    changed(w);
    EXPECT(route(w), 1, 2, 0);
    assert_int_equal(w->plan.reason, ROUTE_HOME);
    end(w);
}

static void from_an_overloaded_home_a_shopper_goes_away(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    bring_home(w);
    EXPECT(route_with(w, 1 << 1), 2, 0, 1);
    assert_int_equal(w->plan.reason, ROUTE_AWAY);
    /* All of them are: then home waits best. */
    EXPECT(route_with(w, 1 << 0 | 1 << 1 | 1 << 2), 1, 2, 0);
    assert_int_equal(w->plan.reason, ROUTE_HOME);
    end(w);
}

static void a_set_of_which_none_can_be_used_is_made_anew(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    bring_home(w);
    for (unsigned i = 0; i < 3; i++)
        w->first.servers[i].usable = false;
    w->first.servers[3].in_flight = 1;
    changed(w);
    EXPECT(route(w), 4, 3);
    assert_true(w->plan.set_cookie);
    assert_int_equal(w->plan.home.servers[0], 5);
    assert_int_equal(w->plan.home.since_s, NOW_MS / 1000);
    end(w);
}

static void nobody_can_be_used(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    for (unsigned i = 0; i < COUNT; i++)
        w->first.servers[i].usable = false;
    changed(w);
    assert_int_equal(route(w)->count, 0);
    bring_home(w);
    assert_int_equal(route(w)->count, 0);
    assert_false(w->plan.set_cookie);
    bring_cookies(w, "cart=0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    assert_int_equal(route(w)->count, 0);
    w->x.path = STR("/assets/shop.css");
    bring_cookies(w, "");
    assert_int_equal(route(w)->count, 0);
    end(w);
}

static void a_server_that_left_is_dropped_and_another_one_follows(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    bring_home_of(w, w->signer, &(struct home){3, {77, 3, 1}, 1795000000});
    const struct route_plan *plan = route(w);
    assert_int_equal(plan->count, 3);
    assert_int_equal(plan->home.servers[0], 3);
    assert_int_equal(plan->home.servers[1], 1);
    assert_true(plan->home.servers[2] != 3 && plan->home.servers[2] != 1);
    assert_true(plan->set_cookie);
    assert_int_equal(plan->places[0], 2);
    assert_int_equal(plan->places[1], 0);
    end(w);
}

static void a_set_that_is_too_small_grows(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    bring_home_of(w, w->signer, &(struct home){1, {4}, 1795000000});
    assert_int_equal(route(w)->home.count, 3);
    assert_int_equal(w->plan.home.servers[0], 4);
    assert_true(w->plan.set_cookie);
    end(w);
}

static void with_fewer_servers_than_a_set_has_it_stays_as_it_is(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 3);
    w->first.view.count = 2;
    changed(w);
    bring_home_of(w, w->signer, &(struct home){2, {2, 1}, 1795000000});
    EXPECT(route(w), 1, 0);
    assert_false(w->plan.set_cookie);
    end(w);
}

static void a_forged_set_is_none(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    struct home_signer *other = signer_of(2);
    w->first.servers[1].in_flight = 9;
    bring_home_of(w, other, &(struct home){3, {2, 3, 1}, 1795000000});
    assert_int_equal(route(w)->reason, ROUTE_POLICY);
    assert_int_not_equal(w->plan.places[0], 1);
    assert_true(w->plan.set_cookie);
    bring_cookies(w, "home=2.3.1");
    assert_int_equal(route(w)->reason, ROUTE_POLICY);
    home_signer_free(other);
    end(w);
}

static void an_old_cookie_of_that_name_hides_none_that_is_good(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    char text[HOME_TEXT], cookies[256];
    struct home home = {3, {2, 3, 1}, 1795000000};
    home_write(w->signer, &home, text);
    snprintf(cookies, sizeof cookies, "home=3.1.2; home=; home=%s", text);
    bring_cookies(w, cookies);
    EXPECT(route(w), 1, 2, 0);
    assert_int_equal(w->plan.reason, ROUTE_HOME);
    assert_false(w->plan.set_cookie);
    snprintf(cookies, sizeof cookies, "home=1; home=2; home=3; home=4; home=%s", text);
    bring_cookies(w, cookies); /* not as many as somebody likes */
    assert_int_equal(route(w)->reason, ROUTE_POLICY);
    end(w);
}

/* ---- First contact ---- */

static void a_browsers_first_page_gives_it_a_home(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    w->first.servers[0].in_flight = 4;
    w->first.servers[1].in_flight = 3;
    w->first.servers[2].in_flight = 0;
    w->first.servers[3].in_flight = 1;
    w->first.servers[4].in_flight = 2;
    const struct route_plan *plan = route(w);
    EXPECT(plan, 2, 3, 4);
    assert_int_equal(plan->reason, ROUTE_POLICY);
    assert_true(plan->set_cookie);
    assert_int_equal(plan->home.count, 3);
    assert_int_equal(plan->home.servers[0], 3);
    assert_int_equal(plan->home.servers[1], 4);
    assert_int_equal(plan->home.servers[2], 5);
    assert_int_equal(plan->home.since_s, NOW_MS / 1000);
    end(w);
}

static void what_is_no_page_gets_no_home(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/assets/shop.css",
        "/pictures/a.svg",
        "/media/x/y.png",
        "/favicon.svg",
        "/robots.txt",
        "/suggest",
        "/livez",
        "/healthz",
        "/metrics",
        "/product/oak-desk.json",
        "/catalog/search",
        "/carts",
        "/checkout-sessions",
        "/.well-known/ucp",
        "/admin/api/products",
    };
    struct world *w = begin(&policy_least_connections, 2);
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        w->x.path = str_of(paths[i]);
        assert_int_equal(route(w)->reason, ROUTE_POLICY);
        assert_int_equal(w->plan.count, 1);
        assert_int_equal(w->plan.home.count, 0);
        assert_false(w->plan.set_cookie);
    }
    end(w);
}

static void a_picture_or_a_scripts_request_gets_no_home(void **state)
{
    (void)state;
    struct world *w = begin(&policy_least_connections, 2);
    w->header = (struct http_header){.name = STR("Sec-Fetch-Mode"), .value = STR("no-cors")};
    w->x.headers = &w->header;
    w->x.header_count = 1;
    assert_false(route(w)->set_cookie);
    w->header.value = STR("navigate");
    assert_true(route(w)->set_cookie);
    w->header.value = STR("cors");
    assert_false(route(w)->set_cookie);
    w->x.method = HTTP_POST; /* it changes something: whoever does that stays */
    assert_true(route(w)->set_cookie);
    end(w);
}

static void without_homes_the_policy_chooses(void **state)
{
    (void)state;
    struct world *w = begin(&policy_round_robin, 2);
    unsigned seen = 0;
    w->router.signer = NULL;
    bring_home(w);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(route(w)->count, 1);
        assert_int_equal(w->plan.reason, ROUTE_POLICY);
        assert_false(w->plan.set_cookie);
        seen |= 1u << w->plan.places[0];
    }
    assert_int_equal(seen, (1u << COUNT) - 1);
    end(w);
}

/* ---- By what it is about ---- */

static void a_carts_requests_go_to_the_same_server(void **state)
{
    (void)state;
    struct world *w = begin(&policy_round_robin, 2), *other = begin(&policy_round_robin, 2);
    unsigned seen = 0;
    for (unsigned i = 0; i < 200; i++) {
        char id[33], get[64], cancel[64];
        snprintf(id, sizeof id, "0192f3a4b5c67d8e9fa0b1c2%08x", i);
        snprintf(get, sizeof get, "/carts/%s", id);
        snprintf(cancel, sizeof cancel, "/carts/%s/cancel", id);
        w->x.path = str_of(get);
        other->x.path = str_of(cancel);
        other->x.method = HTTP_POST;
        other->x.peer = STR("198.51.100.7");
        const struct route_plan *here = route(w), *there = route(other);
        assert_int_equal(here->reason, ROUTE_HASH);
        assert_int_equal(here->count, 3);
        assert_int_equal(memcmp(here->places, there->places, 3 * sizeof *here->places), 0);
        assert_true(here->places[0] != here->places[1] && here->places[1] != here->places[2] &&
                    here->places[0] != here->places[2]);
        assert_false(here->set_cookie); /* a program's */
        assert_int_equal(here->home.servers[0], here->places[0] + 1);
        seen |= 1u << here->places[0];
    }
    assert_int_equal(seen, (1u << COUNT) - 1);
    end(w);
    end(other);
}

/* The cart's row may know a home: the hash's choice is for this request, until the server says. */
static void who_has_a_cart_and_no_set_is_asked_about(void **state)
{
    (void)state;
    struct world *w = begin(&policy_round_robin, 2);
    bring_cookies(w, "cart=0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    assert_int_equal(route(w)->reason, ROUTE_HASH);
    assert_true(w->plan.ask && w->plan.set_cookie);
    w->x.path = STR("/order/abc");
    assert_true(route(w)->ask);
    bring_cookies(w, ""); /* of an order's address no set is known */
    assert_int_equal(route(w)->reason, ROUTE_HASH);
    assert_true(!w->plan.ask && w->plan.set_cookie);
    w->x.path = STR("/suggest"); /* and a script's request changes nothing */
    bring_cookies(w, "cart=0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    assert_false(route(w)->ask);
    w->x.path = STR("/");
    bring_home(w);
    assert_false(route(w)->ask);
    w->router.signer = NULL;
    bring_cookies(w, "cart=0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    assert_false(route(w)->ask);
    end(w);
}

static void the_key_is_the_carts_the_checkouts_the_orders_or_the_operators(void **state)
{
    (void)state;
    static const char *const same[] = {"/carts/abc",
                                       "/carts/abc/cancel",
                                       "/carts/abc/open",
                                       "/checkout-sessions/abc",
                                       "/checkout-sessions/abc/complete",
                                       "/checkout/abc",
                                       "/checkout/abc/payment",
                                       "/orders/abc",
                                       "/order/abc"};
    static const char *const none[] = {
        "/",        "/carts",    "/carts/",      "/checkout",
        "/cart",    "/cart/add", "/product/abc", "/checkout-sessions",
        "/cartsabc"};
    struct world *w = begin(&policy_round_robin, 2);
    w->x.path = STR("/carts/abc");
    uint64_t key = route_key(&w->x);
    assert_true(key != 0);
    for (unsigned i = 0; i < sizeof same / sizeof *same; i++) {
        w->x.path = str_of(same[i]);
        assert_true(route_key(&w->x) == key);
    }
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
        w->x.path = str_of(none[i]);
        assert_true(route_key(&w->x) == 0);
    }
    bring_cookies(w, "cart=abc");
    assert_true(route_key(&w->x) == key);
    bring_cookies(w, "");
    w->x.known[HTTP_FIELD_AUTHORIZATION] = STR("Bearer abc");
    w->x.path = STR("/carts"); /* a platform has many carts */
    assert_true(route_key(&w->x) == 0);
    w->x.path = STR("/admin/api/products");
    assert_true(route_key(&w->x) != 0);
    end(w);
}

static void a_signed_set_counts_before_the_hash(void **state)
{
    (void)state;
    struct world *w = begin(&policy_round_robin, 2);
    bring_home(w);
    w->x.path = STR("/checkout/0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    EXPECT(route(w), 1, 2, 0);
    assert_int_equal(w->plan.reason, ROUTE_HOME);
    end(w);
}

static void a_browser_with_a_cart_alone_gets_the_carts_set_as_its_own(void **state)
{
    (void)state;
    struct world *w = begin(&policy_round_robin, 2);
    bring_cookies(w, "cart=0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    w->x.path = STR("/cart");
    assert_int_equal(route(w)->reason, ROUTE_HASH);
    assert_true(w->plan.set_cookie);
    assert_int_equal(w->plan.home.servers[0], w->plan.places[0] + 1);
    end(w);
}

static void when_the_hashs_server_is_out_the_next_one_takes_over(void **state)
{
    (void)state;
    struct world *w = begin(&policy_round_robin, 2);
    w->x.path = STR("/carts/0192f3a4b5c67d8e9fa0b1c2d3e4f501");
    int home = route(w)->places[0];
    assert_int_equal(route_with(w, UINT64_C(1) << home)->places[2], home);
    w->first.servers[home].usable = false;
    changed(w);
    for (unsigned i = 0; i < 3; i++)
        assert_int_not_equal(route(w)->places[i], home);
    w->first.servers[home].usable = true;
    changed(w);
    assert_int_equal(route(w)->places[0], home);
    end(w);
}

static void a_key_is_never_nothing(void **state)
{
    (void)state;
    struct world *w = begin(&policy_ip_hash, 2);
    w->router.signer = NULL;
    int place = route(w)->places[0];
    assert_true(w->plan.key != 0);
    assert_int_equal(route(w)->places[0], place); /* the client's address */
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shopper_goes_home),
        cmocka_unit_test(without_home_a_shopper_goes_away_in_order_and_back),
        cmocka_unit_test(from_an_overloaded_home_a_shopper_goes_away),
        cmocka_unit_test(a_set_of_which_none_can_be_used_is_made_anew),
        cmocka_unit_test(nobody_can_be_used),
        cmocka_unit_test(a_server_that_left_is_dropped_and_another_one_follows),
        cmocka_unit_test(a_set_that_is_too_small_grows),
        cmocka_unit_test(with_fewer_servers_than_a_set_has_it_stays_as_it_is),
        cmocka_unit_test(a_forged_set_is_none),
        cmocka_unit_test(an_old_cookie_of_that_name_hides_none_that_is_good),
        cmocka_unit_test(a_browsers_first_page_gives_it_a_home),
        cmocka_unit_test(what_is_no_page_gets_no_home),
        cmocka_unit_test(a_picture_or_a_scripts_request_gets_no_home),
        cmocka_unit_test(without_homes_the_policy_chooses),
        cmocka_unit_test(a_carts_requests_go_to_the_same_server),
        cmocka_unit_test(who_has_a_cart_and_no_set_is_asked_about),
        cmocka_unit_test(the_key_is_the_carts_the_checkouts_the_orders_or_the_operators),
        cmocka_unit_test(a_signed_set_counts_before_the_hash),
        cmocka_unit_test(a_browser_with_a_cart_alone_gets_the_carts_set_as_its_own),
        cmocka_unit_test(when_the_hashs_server_is_out_the_next_one_takes_over),
        cmocka_unit_test(a_key_is_never_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A name server that says nothing holds up neither the loop nor whoever ends. */
#include "base/check.h"
#include "base/clock.h"
#include "net/resolver.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_changed = PTHREAD_COND_INITIALIZER;
static bool names_answer;
static unsigned names_asked, names_done;

/* In place of the C library's: of silent.example nothing is heard until names_answer. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (name && strcmp(name, "silent.example") == 0) {
        pthread_mutex_lock(&names_lock);
        names_asked++;
        pthread_cond_broadcast(&names_changed);
        while (!names_answer)
            pthread_cond_wait(&names_changed, &names_lock);
        names_done++;
        pthread_cond_broadcast(&names_changed);
        pthread_mutex_unlock(&names_lock);
        name = "127.0.0.9";
    }
    union {
        void *object;
        resolve *function;
    } real = {.object = dlsym(RTLD_NEXT, "getaddrinfo")};
    return real.function(name, service, hints, found);
}

static void answer_names(void)
{
    pthread_mutex_lock(&names_lock);
    names_answer = true;
    pthread_cond_broadcast(&names_changed);
    while (names_done < names_asked)
        pthread_cond_wait(&names_changed, &names_lock);
    names_answer = false;
    pthread_mutex_unlock(&names_lock);
}

static void wait_asked(void)
{
    pthread_mutex_lock(&names_lock);
    while (names_asked == names_done)
        pthread_cond_wait(&names_changed, &names_lock);
    pthread_mutex_unlock(&names_lock);
}

struct bed {
    struct loop *loop;
    struct resolver *resolver;
    unsigned changes;
};

static void count_change(void *user)
{
    ((struct bed *)user)->changes++;
}

static void begin(struct bed *bed)
{
    bed->loop = loop_new(NULL);
    bed->changes = 0;
    assert_non_null(bed->loop);
    bed->resolver = resolver_new(bed->loop, count_change, bed);
    assert_non_null(bed->resolver);
}

static void finish(struct bed *bed)
{
    resolver_free(bed->resolver);
    loop_free(bed->loop);
}

static void an_address_in_numbers_is_known_at_once(void **state)
{
    struct bed bed;
    struct endpoint address;
    char text[ADDRESS_TEXT];
    (void)state;
    begin(&bed);
    assert_true(resolver_find(bed.resolver, "127.0.0.1:80", &address));
    endpoint_text(&address, true, text, sizeof text);
    assert_string_equal(text, "127.0.0.1:80");
    assert_true(resolver_find(bed.resolver, "[::1]:80", &address));
    finish(&bed);
}

static void a_name_is_known_when_it_was_looked_up(void **state)
{
    struct bed bed;
    struct endpoint address;
    char text[ADDRESS_TEXT];
    (void)state;
    begin(&bed);
    assert_false(resolver_find(bed.resolver, "silent.example:80", &address));
    wait_asked();
    answer_names();
    uint64_t end_ns = clock_mono_ns() + 20 * SEC_NS;
    while (bed.changes == 0 && clock_mono_ns() < end_ns)
        loop_turn(bed.loop, 100);
    assert_int_equal(bed.changes, 1);
    assert_true(resolver_find(bed.resolver, "silent.example:80", &address));
    endpoint_text(&address, true, text, sizeof text);
    assert_string_equal(text, "127.0.0.9:80");
    finish(&bed);
}

static void who_ends_does_not_wait_for_a_silent_name_server(void **state)
{
    struct bed bed;
    struct endpoint address;
    (void)state;
    begin(&bed);
    assert_false(resolver_find(bed.resolver, "silent.example:80", &address));
    wait_asked();
    finish(&bed); /* it would stand here for ever */
    answer_names();
    begin(&bed); /* or this: it was answered, and nobody has looked at it yet */
    assert_false(resolver_find(bed.resolver, "silent.example:80", &address));
    wait_asked();
    answer_names();
    finish(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_in_numbers_is_known_at_once),
        cmocka_unit_test(a_name_is_known_when_it_was_looked_up),
        cmocka_unit_test(who_ends_does_not_wait_for_a_silent_name_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

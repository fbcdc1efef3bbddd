#include "main/wishes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* Servers 1 to 3, and a witness, 4. */
static struct cluster_status three(void)
{
    struct cluster_status status = {.count = 4};
    for (unsigned i = 0; i < status.count; i++)
        status.servers[i].place.id = i + 1;
    status.servers[3].role = SERVER_WITNESS;
    return status;
}

static void put(struct readiness_table *table, uint64_t id, enum readiness kind)
{
    struct server_readiness server = {id, kind, 30000};
    assert_int_equal(readiness_set(table, &server), 0);
}

static int try(const struct readiness_table *table, uint64_t id, enum readiness kind, char *why)
{
    struct cluster_status status = three();
    struct server_readiness server = {id, kind, 30000};
    struct failure failure = {0};
    int err = wishes_may_be(&status, table, &server, &failure);
    strcpy(why, failure.text);
    return err;
}

static void one_stays_hot(void **state)
{
    (void)state;
    struct readiness_table table = {0};
    char why[sizeof((struct failure){0}).text];
    assert_int_equal(try(&table, 3, READINESS_COLD, why), 0);
    put(&table, 3, READINESS_COLD);
    assert_int_equal(try(&table, 1, READINESS_WARM, why), 0);
    put(&table, 1, READINESS_WARM);
    assert_int_equal(try(&table, 2, READINESS_WARM, why), ERR_STATE);
    assert_non_null(strstr(why, "server 2 is the last one that is hot"));
    assert_int_equal(try(&table, 1, READINESS_COLD, why), 0);
    assert_int_equal(try(&table, 2, READINESS_HOT, why), 0);
}

static void who_was_removed_counts_for_nothing(void **state)
{
    (void)state;
    struct readiness_table table = {0};
    char why[sizeof((struct failure){0}).text];
    put(&table, 9, READINESS_WARM);
    put(&table, 1, READINESS_WARM);
    put(&table, 2, READINESS_WARM);
    assert_int_equal(try(&table, 3, READINESS_WARM, why), ERR_STATE);
    assert_int_equal(try(&table, 9, READINESS_HOT, why), ERR_NOTFOUND);
}

static void a_witness_has_nothing_to_apply(void **state)
{
    (void)state;
    struct readiness_table table = {0};
    char why[sizeof((struct failure){0}).text];
    assert_int_equal(try(&table, 4, READINESS_WARM, why), ERR_STATE);
    assert_non_null(strstr(why, "witness"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stays_hot),
        cmocka_unit_test(who_was_removed_counts_for_nothing),
        cmocka_unit_test(a_witness_has_nothing_to_apply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "replica/missing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct cluster_status status_of(const char *servers)
{
    /* Each: id, role (V voter, s standby, W witness, C cold voter), + up or - down. */
    struct cluster_status status = {.own = 1};
    for (const char *at = servers; *at;) {
        char *end;
        struct server_status *server = &status.servers[status.count++];
        server->place.id = strtoul(at, &end, 10);
        server->role = end[0] == 'W'   ? SERVER_WITNESS
                       : end[0] == 's' ? SERVER_STANDBY
                                       : SERVER_SECONDARY;
        server->vote = end[0] != 's';
        server->state = end[1] == '+' ? SERVER_UP : SERVER_DOWN;
        server->ready = end[0] == 'C' ? READINESS_COLD : READINESS_HOT;
        server->last_term = 3;
        server->last_index = 100;
        at = end + 2;
        while (*at == ' ')
            at++;
    }
    return status;
}

static void expect(const struct cluster_status *status, const char *part)
{
    struct failure failure = {0};
    assert_int_equal(missing_say(status, &failure), ERR_TIMEOUT);
    if (strstr(failure.text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, failure.text);
    assert_true(strlen(failure.text) < sizeof failure.text - 1); /* it is whole */
}

static void two_servers_do_not_guess(void **state)
{
    (void)state;
    struct cluster_status status = status_of("1V+ 2V-");
    expect(&status, "server 2 cannot be reached. It may be dead, or only cut off");
    expect(&status, "stoa witness --help");
}

static void with_a_witness_it_is_a_matter_of_numbers(void **state)
{
    (void)state;
    struct cluster_status status = status_of("1V+ 2V- 3W-");
    expect(&status, "1 of 3 servers are up, and more than half must be");
    status = status_of("1V+ 2V- 3W+");
    expect(&status, "about to agree");
}

static void what_the_witness_cannot_give_is_named(void **state)
{
    (void)state;
    struct cluster_status status = status_of("1V- 2V+ 3W+");
    status.servers[2].last_index = 900;
    status.servers[2].gives_from = 400;
    expect(&status, "server 1 has changes (entries 101 to 900)");
    expect(&status, "`stoa recover` on server 2");
    status.servers[2].gives_from = 90; /* it can: that is done in a moment */
    expect(&status, "about to agree");
}

static void three_servers_are_counted(void **state)
{
    (void)state;
    struct cluster_status status = status_of("1V+ 2V- 3V- 4s+");
    expect(&status, "1 of 3 servers with a vote are up");
    status.primary = 2;
    expect(&status, "has not caught up with the primary, server 2");
}

static void a_cold_server_is_to_be_started(void **state)
{
    (void)state;
    struct cluster_status status = status_of("1V+ 2V- 3C-");
    expect(&status, "1 of 3 servers with a vote are up");
    expect(&status, "Server 3 is cold and makes it one more");
    status = status_of("1V- 3C- 4W+");
    expect(&status, "Server 3 is cold");
    status = status_of("1V- 3C+ 4W+");
    expect(&status, "about to agree");
    status = status_of("1V- 2s+"); /* 2 is cold and was started by hand: what 1 had it has not */
    expect(&status, "if it is lost for good, `stoa recover` here");
}

static void so_many_can_be_spared(void **state)
{
    (void)state;
    assert_int_equal(missing_to_spare(1, 1), 0);
    assert_int_equal(missing_to_spare(2, 2), 0);
    assert_int_equal(missing_to_spare(3, 3), 1);
    assert_int_equal(missing_to_spare(3, 2), 0);
    assert_int_equal(missing_to_spare(3, 1), 0);
    assert_int_equal(missing_to_spare(5, 5), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_servers_do_not_guess),
        cmocka_unit_test(with_a_witness_it_is_a_matter_of_numbers),
        cmocka_unit_test(what_the_witness_cannot_give_is_named),
        cmocka_unit_test(three_servers_are_counted),
        cmocka_unit_test(a_cold_server_is_to_be_started),
        cmocka_unit_test(so_many_can_be_spared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

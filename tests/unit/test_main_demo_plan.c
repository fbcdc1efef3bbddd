#include "main/demo_file.h"
#include "main/demo_plan.h"
#include "main/file.h"
#include "main/free_address.h"
#include "main/server_dirs.h"
#include "net/socket.h"
#include "replica/book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct bed {
    char root[32], dir[64];
    struct demo_plan plan;
    struct failure failure;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->root, "/tmp/stoa-demo-XXXXXX");
    if (!mkdtemp(bed->root))
        return -1;
    snprintf(bed->dir, sizeof bed->dir, "%s/shop", bed->root);
    bed->plan.lock = -1;
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    char command[64];
    demo_plan_close(&bed->plan);
    snprintf(command, sizeof command, "rm -rf %s", bed->root);
    int status = system(command);
    free(bed);
    return status;
}

static void open_plan(struct bed *bed, unsigned wanted)
{
    if (demo_plan_open(bed->dir, wanted, 0, "127.0.0.1:0", &bed->plan, &bed->failure))
        fail_msg("%s", bed->failure.text);
}

/* With a load manager at LISTEN. */
static void open_managed(struct bed *bed, unsigned managers, const char *listen)
{
    if (demo_plan_open(bed->dir, 0, managers, listen, &bed->plan, &bed->failure))
        fail_msg("%s", bed->failure.text);
}

/* An address that is free, and so were those after it a moment ago. */
static void find_address(char *out, size_t size)
{
    assert_int_equal(free_address("127.0.0.1", NULL, NULL, out, size, NULL), 0);
}

static unsigned port_of(const char *address)
{
    return (unsigned)atoi(strrchr(address, ':') + 1);
}

static bool is_there(const struct bed *bed, const char *name)
{
    char path[FILE_PATH];
    return file_join(path, bed->dir, name, NULL) == 0 && access(path, F_OK) == 0;
}

static void put(const struct bed *bed, const char *name, const char *text)
{
    char path[FILE_PATH];
    assert_int_equal(file_join(path, bed->dir, name, NULL), 0);
    assert_int_equal(file_write(path, str_of(text), NULL), 0);
}

static void a_new_demo_has_three_servers_on_addresses_of_their_own(void **state)
{
    struct bed *bed = *state;
    open_plan(bed, 0);
    assert_int_equal(bed->plan.count, 3);
    assert_int_equal(bed->plan.wanted, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct demo_server *one = &bed->plan.servers[i];
        assert_int_equal(one->id, i + 1);
        assert_string_not_equal(one->listen, one->peer_listen);
        assert_false(str_ends(str_of(one->listen), STR(":0")));
        for (unsigned k = i + 1; k < 3; k++) {
            assert_string_not_equal(one->listen, bed->plan.servers[k].listen);
            assert_string_not_equal(one->peer_listen, bed->plan.servers[k].peer_listen);
        }
    }
    assert_true(is_there(bed, "operator.token"));
    assert_true(is_there(bed, "demo.json"));
}

static void the_same_servers_get_the_same_addresses_again(void **state)
{
    struct bed *bed = *state;
    open_plan(bed, 2);
    struct demo_plan before = bed->plan;
    demo_plan_close(&bed->plan);
    open_plan(bed, 0);
    assert_int_equal(bed->plan.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(bed->plan.servers[i].listen, before.servers[i].listen);
        assert_string_equal(bed->plan.servers[i].peer_listen, before.servers[i].peer_listen);
    }
}

static void an_address_that_is_taken_is_replaced(void **state)
{
    struct bed *bed = *state;
    struct endpoint at;
    int fd;
    open_plan(bed, 3);
    struct demo_plan before = bed->plan;
    demo_plan_close(&bed->plan);
    assert_int_equal(endpoint_resolve(str_of(before.servers[1].listen), true, &at, NULL), 0);
    assert_int_equal(socket_listen(&at, "it", false, &fd, NULL), 0);
    open_plan(bed, 0);
    close(fd);
    assert_string_not_equal(bed->plan.servers[1].listen, before.servers[1].listen);
    assert_string_equal(bed->plan.servers[2].listen, before.servers[2].listen);
}

static void the_address_that_was_asked_for_must_be_free(void **state)
{
    struct bed *bed = *state;
    struct endpoint at;
    char text[ADDRESS_TEXT];
    int fd;
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), true, &at, NULL), 0);
    assert_int_equal(socket_listen(&at, "it", false, &fd, NULL), 0);
    endpoint_text(&at, true, text, sizeof text);
    assert_int_not_equal(demo_plan_open(bed->dir, 1, 0, text, &bed->plan, &bed->failure), 0);
    assert_non_null(strstr(bed->failure.text, text));
    close(fd);
}

static void a_second_demo_on_the_same_data_is_refused(void **state)
{
    struct bed *bed = *state;
    struct demo_plan *other = calloc(1, sizeof *other);
    open_plan(bed, 1);
    assert_int_equal(demo_plan_open(bed->dir, 1, 0, "127.0.0.1:0", other, &bed->failure), ERR_BUSY);
    free(other);
}

static void a_lone_servers_data_become_the_first_ones(void **state)
{
    struct bed *bed = *state;
    struct datadir alone;
    char token[DATADIR_TOKEN];
    assert_int_equal(datadir_open(bed->dir, &alone, &bed->failure), 0);
    strcpy(token, alone.token);
    datadir_close(&alone);
    put(bed, "shop.db", "a database");
    put(bed, "mine.txt", "of the user");
    open_plan(bed, 3);
    assert_int_equal(bed->plan.count, 1); /* the others join it */
    assert_int_equal(bed->plan.wanted, 3);
    assert_true(is_there(bed, "server-1/shop.db"));
    assert_true(is_there(bed, "server-1/raft"));
    assert_true(is_there(bed, "server-1/cluster/cluster.json"));
    assert_false(is_there(bed, "shop.db"));
    assert_true(is_there(bed, "mine.txt"));
    char path[FILE_PATH], text[128];
    size_t len;
    assert_int_equal(file_join(path, bed->dir, "operator.token", NULL), 0);
    assert_int_equal(file_read(path, text, sizeof text, &len, NULL), 0);
    assert_memory_equal(text, token, strlen(token));
}

/* What the book of server AT says about where server OF is. */
static void find_in_book(const struct bed *bed, unsigned at, unsigned of,
                         struct server_place *place)
{
    struct book book;
    char file[FILE_PATH];
    assert_int_equal(file_join(file, bed->plan.servers[at].dir, "cluster/book", NULL), 0);
    book_open(&book, file);
    assert_true(book_find(&book, of + 1, place));
    book_close(&book);
}

static void servers_that_all_get_other_ports_know_where_the_others_are(void **state)
{
    struct bed *bed = *state;
    int taken[3];
    open_plan(bed, 3);
    struct demo_plan before = bed->plan;
    demo_plan_close(&bed->plan);
    for (unsigned i = 0; i < 3; i++) {
        struct endpoint at;
        const char *address = before.servers[i].peer_listen;
        assert_int_equal(endpoint_resolve(str_of(address), true, &at, &bed->failure), 0);
        assert_int_equal(socket_listen(&at, address, false, &taken[i], &bed->failure), 0);
    }
    open_plan(bed, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct server_place place;
        close(taken[i]);
        assert_string_not_equal(bed->plan.servers[i].peer_listen, before.servers[i].peer_listen);
        for (unsigned other = 0; other < 3; other++) {
            if (other == i)
                continue;
            find_in_book(bed, i, other, &place);
            assert_string_equal(place.address, bed->plan.servers[other].peer_listen);
        }
    }
}

static void an_interrupted_move_goes_on(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(mkdir(bed->dir, 0700), 0);
    put(bed, "shop.db", "a database");
    put(bed, "secret", "0000000000000000000000000000000000000000000000000000000000000000\n");
    char path[FILE_PATH];
    assert_int_equal(file_join(path, bed->dir, "server-1", NULL), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    put(bed, "server-1/raft", "moved before"); /* a file will do */
    assert_int_not_equal(demo_plan_open(bed->dir, 3, 0, "127.0.0.1:0", &bed->plan, &bed->failure),
                         0);
    assert_true(is_there(bed, "server-1/shop.db"));
    assert_true(is_there(bed, "server-1/secret"));
}

static void interrupted_founding_is_done_again(void **state)
{
    struct bed *bed = *state;
    char path[FILE_PATH];
    open_plan(bed, 3);
    demo_plan_close(&bed->plan);
    const char *const lost[] = {"demo.json", "server-1/cluster/cluster.json"};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(file_join(path, bed->dir, lost[i], NULL), 0);
        assert_int_equal(unlink(path), 0);
    }
    open_plan(bed, 3);
    assert_int_equal(bed->plan.count, 3);
    struct cluster *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    assert_int_equal(cluster_read(bed->plan.servers[0].dir, a, NULL), 0);
    assert_int_equal(cluster_read(bed->plan.servers[2].dir, b, NULL), 0);
    assert_true(id_eq(a->id, b->id));
    free(a);
    free(b);
}

static void a_clusters_server_is_no_demo(void **state)
{
    struct bed *bed = *state;
    const char *dir = bed->dir;
    struct server_place place = {.id = 1, .address = "127.0.0.1:7420"};
    assert_int_equal(cluster_found("x", &dir, &place, 1, &bed->failure), 0);
    assert_int_equal(demo_plan_open(bed->dir, 3, 0, "127.0.0.1:0", &bed->plan, &bed->failure),
                     ERR_STATE);
    assert_non_null(strstr(bed->failure.text, "stoa serve"));
}

static void a_demos_servers_are_found(void **state)
{
    struct bed *bed = *state;
    struct server_dirs *dirs = malloc(sizeof *dirs);
    open_plan(bed, 3);
    assert_int_equal(server_dirs_find(bed->dir, dirs, &bed->failure), 0);
    assert_true(dirs->demo);
    assert_int_equal(dirs->count, 3);
    assert_int_equal(dirs->at[2].id, 3);
    assert_int_equal(server_dirs_find(bed->plan.servers[1].dir, dirs, &bed->failure), 0);
    assert_false(dirs->demo);
    assert_int_equal(dirs->at[0].id, 2);
    assert_int_equal(server_dirs_find(bed->root, dirs, &bed->failure), ERR_NOTFOUND);
    free(dirs);
}

static void read_token(const struct bed *bed, char *out, size_t size)
{
    char path[FILE_PATH];
    size_t len = 0;
    assert_int_equal(file_join(path, bed->dir, "operator.token", NULL), 0);
    assert_int_equal(file_read(path, out, size - 1, &len, NULL), 0);
    assert_true(len > 10);
    out[len] = 0;
}

/* A load manager that is started again reads it. */
static void the_token_is_there_whichever_server_goes(void **state)
{
    struct bed *bed = *state;
    char before[128], after[128];
    open_plan(bed, 4);
    read_token(bed, before, sizeof before);
    assert_int_equal(demo_plan_drop(&bed->plan, 0, &bed->failure), 0);
    assert_false(is_there(bed, "server-1"));
    read_token(bed, after, sizeof after);
    assert_string_equal(after, before);
    assert_int_equal(demo_plan_retire(&bed->plan, 0, &bed->failure), 0);
    assert_false(is_there(bed, "server-2"));
    assert_true(is_there(bed, "removed-2/operator.token"));
    read_token(bed, after, sizeof after);
    assert_string_equal(after, before);
    assert_int_equal(demo_plan_drop(&bed->plan, 1, &bed->failure), 0);
    assert_int_equal(bed->plan.count, 1);
    assert_int_equal(bed->plan.servers[0].id, 3);
    read_token(bed, after, sizeof after);
    assert_false(is_there(bed, "operator.token.new"));
}

static void the_token_is_that_of_a_server_which_has_one(void **state)
{
    struct bed *bed = *state;
    char path[FILE_PATH], token[128];
    open_plan(bed, 3);
    assert_int_equal(file_join(path, bed->plan.servers[1].dir, "operator.token", NULL), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(demo_plan_drop(&bed->plan, 0, &bed->failure), 0);
    read_token(bed, token, sizeof token);
}

static void the_address_that_was_asked_for_is_the_load_managers(void **state)
{
    struct bed *bed = *state;
    char listen[64];
    find_address(listen, sizeof listen);
    open_managed(bed, 2, listen);
    struct demo_plan before = bed->plan;
    assert_string_equal(before.managers[0].listen, listen);
    assert_string_not_equal(before.managers[1].listen, listen);
    assert_string_not_equal(before.managers[0].status, before.managers[1].status);
    for (unsigned i = 0; i < 3; i++) {
        unsigned port = port_of(before.servers[i].listen);
        assert_int_not_equal(port, port_of(listen));
        assert_int_not_equal(port, port_of(before.managers[1].listen));
    }
    demo_plan_close(&bed->plan);
    open_managed(bed, 2, listen);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(bed->plan.managers[i].listen, before.managers[i].listen);
        assert_string_equal(bed->plan.managers[i].status, before.managers[i].status);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(bed->plan.servers[i].listen, before.servers[i].listen);
}

static void a_load_manager_without_a_given_address_keeps_the_one_it_got(void **state)
{
    struct bed *bed = *state;
    char before[OPTION_TEXT_SIZE];
    open_managed(bed, 1, "127.0.0.1:0");
    strcpy(before, bed->plan.managers[0].listen);
    assert_int_not_equal(port_of(before), 0);
    demo_plan_close(&bed->plan);
    open_managed(bed, 1, "127.0.0.1:0");
    assert_string_equal(bed->plan.managers[0].listen, before);
}

static void the_first_server_makes_way_for_a_load_manager_and_comes_back(void **state)
{
    struct bed *bed = *state;
    char listen[64], second[OPTION_TEXT_SIZE];
    find_address(listen, sizeof listen);
    open_managed(bed, 0, listen);
    assert_string_equal(bed->plan.servers[0].listen, listen);
    strcpy(second, bed->plan.servers[1].listen);
    demo_plan_close(&bed->plan);
    open_managed(bed, 1, listen);
    assert_string_equal(bed->plan.managers[0].listen, listen);
    assert_int_not_equal(port_of(bed->plan.servers[0].listen), port_of(listen));
    assert_string_equal(bed->plan.servers[1].listen, second);
    demo_plan_close(&bed->plan);
    open_managed(bed, 0, listen);
    assert_string_equal(bed->plan.servers[0].listen, listen);
    assert_string_equal(bed->plan.servers[1].listen, second);
}

#define PLANNING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void services_are_found_where_they_were(void **state)
{
    struct bed *bed = *state;
    const bool both[DEMO_SERVICES] = {true, true}, none[DEMO_SERVICES] = {false, false};
    char listen[64], had[2][OPTION_TEXT_SIZE], dirs[DEMO_SERVICES][OPTION_TEXT_SIZE];
    unsigned port = 9000;
    do {
        snprintf(listen, sizeof listen, "127.0.0.1:%u", ++port + 1200);
        bool free = free_address_is(listen);
        snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
        if (free && free_address_is(listen))
            break;
    } while (port < 9900);
    open_managed(bed, 1, listen);
    assert_true(bed->plan.fresh);
    assert_int_equal(demo_plan_services(&bed->plan, both, &bed->failure), 0);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", port + 1200);
    assert_string_equal(bed->plan.services[DEMO_BANK].listen, listen);
    for (unsigned i = 0; i < 2; i++)
        strcpy(had[i], bed->plan.services[i].listen);
    assert_string_not_equal(had[0], had[1]);
    bed->plan.fresh = false;
    assert_int_equal(demo_file_write(&bed->plan, NULL), 0);
    demo_file_services(bed->dir, dirs);
    assert_non_null(strstr(dirs[DEMO_WAREHOUSE], "/shop/warehouse"));
    demo_plan_close(&bed->plan);

    /* Once without them, which does not forget where they were. */
    open_managed(bed, 1, "127.0.0.1:0");
    assert_false(bed->plan.fresh);
    assert_int_equal(demo_plan_services(&bed->plan, none, &bed->failure), 0);
    assert_int_equal(demo_file_write(&bed->plan, NULL), 0);
    demo_file_services(bed->dir, dirs);
    assert_string_equal(dirs[DEMO_BANK], "");
    demo_plan_close(&bed->plan);
    open_managed(bed, 1, "127.0.0.1:0");
    assert_int_equal(demo_plan_services(&bed->plan, both, &bed->failure), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_string_equal(bed->plan.services[i].listen, had[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLANNING(services_are_found_where_they_were),
        PLANNING(a_new_demo_has_three_servers_on_addresses_of_their_own),
        PLANNING(the_same_servers_get_the_same_addresses_again),
        PLANNING(an_address_that_is_taken_is_replaced),
        PLANNING(the_address_that_was_asked_for_must_be_free),
        PLANNING(a_second_demo_on_the_same_data_is_refused),
        PLANNING(a_lone_servers_data_become_the_first_ones),
        PLANNING(servers_that_all_get_other_ports_know_where_the_others_are),
        PLANNING(an_interrupted_move_goes_on),
        PLANNING(interrupted_founding_is_done_again),
        PLANNING(a_clusters_server_is_no_demo),
        PLANNING(a_demos_servers_are_found),
        PLANNING(the_token_is_there_whichever_server_goes),
        PLANNING(the_token_is_that_of_a_server_which_has_one),
        PLANNING(the_address_that_was_asked_for_is_the_load_managers),
        PLANNING(a_load_manager_without_a_given_address_keeps_the_one_it_got),
        PLANNING(the_first_server_makes_way_for_a_load_manager_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "main/cluster.h"
#include "main/file.h"

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

enum { SERVERS = 3 };

struct bed {
    char root[32], dirs[SERVERS][64];
    const char *names[SERVERS];
    struct server_place places[SERVERS];
    struct cluster cluster;
    struct failure failure;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->root, "/tmp/stoa-cluster-XXXXXX");
    if (!mkdtemp(bed->root))
        return -1;
    for (unsigned i = 0; i < SERVERS; i++) {
        snprintf(bed->dirs[i], sizeof bed->dirs[i], "%s/server-%u", bed->root, i + 1);
        bed->names[i] = bed->dirs[i];
        bed->places[i].id = i + 1;
        snprintf(bed->places[i].address, sizeof bed->places[i].address, "127.0.0.1:%u", 7001 + i);
    }
    *state = bed;
    return 0;
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

static void found(struct bed *bed, unsigned count)
{
    int err = cluster_found("harbour", bed->names, bed->places, count, &bed->failure);
    if (err)
        fail_msg("%s", bed->failure.text);
}

static void file_text(const char *dir, const char *name, char *out, size_t size)
{
    char path[FILE_PATH];
    size_t len = 0;
    assert_int_equal(file_join(path, dir, name, NULL), 0);
    assert_int_equal(file_read(path, out, size - 1, &len, NULL), 0);
    out[len] = 0;
}

static void each_founder_knows_itself_and_the_others(void **state)
{
    struct bed *bed = *state;
    struct id id = {{0}};
    found(bed, SERVERS);
    for (unsigned i = 0; i < SERVERS; i++) {
        struct cluster *c = &bed->cluster;
        assert_int_equal(cluster_read(bed->names[i], c, &bed->failure), 0);
        assert_string_equal(c->name, "harbour");
        assert_int_equal(c->generation, 1);
        assert_int_equal(c->own, i + 1);
        assert_string_equal(c->listen, bed->places[i].address);
        assert_int_equal(c->founder_count, SERVERS);
        for (unsigned k = 0; k < SERVERS; k++) {
            assert_int_equal(c->founders[k].id, k + 1);
            assert_string_equal(c->founders[k].address, bed->places[k].address);
        }
        assert_true(i == 0 || id_eq(id, c->id));
        id = c->id;
    }
    assert_false(id_is_zero(id));
}

static void all_share_one_authority_secret_and_token(void **state)
{
    struct bed *bed = *state;
    found(bed, SERVERS);
    const char *const same[] = {"cluster/authority.pem", "cluster/authority.key", "secret",
                                "operator.token"};
    for (unsigned k = 0; k < 4; k++) {
        char first[4096], other[4096];
        file_text(bed->names[0], same[k], first, sizeof first);
        assert_true(strlen(first) > 10);
        for (unsigned i = 1; i < SERVERS; i++) {
            file_text(bed->names[i], same[k], other, sizeof other);
            assert_string_equal(first, other);
        }
    }
    char own[4096], others[4096];
    file_text(bed->names[0], "cluster/server.pem", own, sizeof own);
    file_text(bed->names[1], "cluster/server.pem", others, sizeof others);
    assert_string_not_equal(own, others);
}

static void what_it_keeps_is_for_its_user_alone(void **state)
{
    struct bed *bed = *state;
    found(bed, 1);
    const char *const secrets[] = {
        "cluster", "cluster/cluster.json", "cluster/authority.key", "cluster/server.key",
        "secret",  "operator.token"};
    for (unsigned i = 0; i < 6; i++) {
        char path[FILE_PATH];
        struct stat about;
        assert_int_equal(file_join(path, bed->names[0], secrets[i], NULL), 0);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 077, 0);
    }
}

static void a_shop_that_was_alone_keeps_its_token(void **state)
{
    struct bed *bed = *state;
    struct datadir alone;
    char token[DATADIR_TOKEN];
    assert_int_equal(datadir_open(bed->names[0], &alone, &bed->failure), 0);
    strcpy(token, alone.token);
    datadir_close(&alone);
    found(bed, 2);
    char other[256];
    file_text(bed->names[1], "operator.token", other, sizeof other);
    assert_memory_equal(other, token, strlen(token));
}

static void founding_twice_is_refused_and_changes_nothing(void **state)
{
    struct bed *bed = *state;
    found(bed, 2);
    assert_int_equal(cluster_read(bed->names[0], &bed->cluster, NULL), 0);
    struct id id = bed->cluster.id;
    assert_int_equal(cluster_found("other", bed->names, bed->places, 1, &bed->failure), ERR_EXISTS);
    assert_non_null(strstr(bed->failure.text, "harbour"));
    assert_int_equal(cluster_read(bed->names[0], &bed->cluster, NULL), 0);
    assert_true(id_eq(id, bed->cluster.id));
}

static void founding_on_a_server_that_runs_is_refused(void **state)
{
    struct bed *bed = *state;
    struct datadir running;
    assert_int_equal(datadir_open(bed->names[0], &running, &bed->failure), 0);
    assert_int_equal(cluster_found("x", bed->names, bed->places, 1, &bed->failure), ERR_BUSY);
    datadir_close(&running);
}

static void a_second_server_with_a_shop_of_its_own_is_refused(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(file_make_dir(bed->names[1], 0700, NULL, NULL), 0);
    char path[FILE_PATH];
    assert_int_equal(file_join(path, bed->names[1], "shop.db", NULL), 0);
    assert_int_equal(file_write(path, STR("x"), NULL), 0);
    assert_int_equal(cluster_found("x", bed->names, bed->places, 2, &bed->failure), ERR_EXISTS);
    assert_non_null(strstr(bed->failure.text, bed->names[1]));
    assert_int_equal(cluster_read(bed->names[0], &bed->cluster, NULL), ERR_NOTFOUND);
}

static void a_directory_of_none_says_so(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(cluster_read(bed->root, &bed->cluster, &bed->failure), ERR_NOTFOUND);
    assert_non_null(strstr(bed->failure.text, "belongs to no cluster"));
}

static void what_is_damaged_says_where(void **state)
{
    struct bed *bed = *state;
    char path[FILE_PATH];
    found(bed, 1);
    assert_int_equal(file_join(path, bed->names[0], "cluster/cluster.json", NULL), 0);
    assert_int_equal(file_write(path, STR("{\"cluster\":\"12\"}"), NULL), 0);
    assert_int_equal(cluster_read(bed->names[0], &bed->cluster, &bed->failure), ERR_DAMAGED);
    assert_non_null(strstr(bed->failure.text, path));
}

static void a_name_is_words(void **state)
{
    (void)state;
    struct failure failure;
    assert_int_equal(cluster_check_name("Harbour shop-1.b_c", &failure), 0);
    assert_int_equal(cluster_check_name("", &failure), ERR_INVALID);
    assert_int_equal(cluster_check_name("a/b", &failure), ERR_INVALID);
    assert_int_equal(cluster_check_name("a\"b", &failure), ERR_INVALID);
    char longest[CLUSTER_NAME + 1];
    memset(longest, 'a', sizeof longest);
    longest[CLUSTER_NAME] = 0;
    assert_int_equal(cluster_check_name(longest, &failure), ERR_INVALID);
}

static void the_others_need_an_address_that_they_can_reach(void **state)
{
    (void)state;
    struct failure failure = {0};
    char out[SERVER_ADDRESS];
    assert_int_equal(cluster_reach("10.0.0.1:7420", "", out, &failure), 0);
    assert_string_equal(out, "10.0.0.1:7420");
    assert_int_equal(cluster_reach("0.0.0.0:7420", "shop-a.example:7420", out, &failure), 0);
    assert_string_equal(out, "shop-a.example:7420");
    const char *const every[] = {"0.0.0.0:7420", "[::]:7420", ":7420"};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(cluster_reach(every[i], "", out, &failure), ERR_INVALID);
        assert_non_null(strstr(failure.text, "--peer-address"));
    }
    assert_int_equal(cluster_reach("10.0.0.1:0", "", out, &failure), ERR_INVALID);
    assert_int_equal(cluster_reach("10.0.0.1", "", out, &failure), ERR_INVALID);
}

#define FOUNDING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOUNDING(each_founder_knows_itself_and_the_others),
        FOUNDING(all_share_one_authority_secret_and_token),
        FOUNDING(what_it_keeps_is_for_its_user_alone),
        FOUNDING(a_shop_that_was_alone_keeps_its_token),
        FOUNDING(founding_twice_is_refused_and_changes_nothing),
        FOUNDING(founding_on_a_server_that_runs_is_refused),
        FOUNDING(a_second_server_with_a_shop_of_its_own_is_refused),
        FOUNDING(a_directory_of_none_says_so),
        FOUNDING(what_is_damaged_says_where),
        cmocka_unit_test(a_name_is_words),
        cmocka_unit_test(the_others_need_an_address_that_they_can_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

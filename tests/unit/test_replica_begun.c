/* A founder that has lost more than its database, and the copy that it needs when it has not. */
#include "cluster_fixture.h"
#include "replica/begun.h"
#include "replica/copy.h"
#include "replica/repair.h"

/* A founder of three that has run: what is in its directory, without the server. */
struct remains {
    struct one_server server;
    struct server_place founders[3];
    struct replica_cluster cluster;
    struct replica_config config;
    char book[256], database[256];
};

static void open_remains(struct remains *r, uint64_t index)
{
    struct failure failure = {0};
    memset(r, 0, sizeof *r);
    server_dir(&r->server);
    server_file(&r->server, "book", r->book);
    server_file(&r->server, "shop.db", r->database);
    r->cluster = (struct replica_cluster){.book = r->book,
                                          .listen = "127.0.0.1:1",
                                          .certificate = "none",
                                          .key = "none",
                                          .authority = "none",
                                          .founders = r->founders,
                                          .founder_count = 3};
    for (unsigned i = 0; i < 3; i++)
        r->founders[i].id = i + 1;
    r->config = (struct replica_config){.cluster = &r->cluster, .dir = r->server.dir, .id = 1};
    if (repair_begin_log(r->server.dir, 1, index, 1, &failure) != 0 ||
        begun_note(&r->config, &failure) != 0)
        fail_msg("%s", failure.text);
}

static void lose(struct remains *r, const char *name)
{
    char path[256];
    server_file(&r->server, name, path);
    folder_remove(path);
}

static void is_refused(struct remains *r)
{
    struct failure failure = {0};
    uint64_t least;
    assert_int_equal(replica_fetch_first(&r->config, r->database, &failure), ERR_DAMAGED);
    assert_non_null(strstr(failure.text, "stoa remove 1"));
    assert_false(copy_wanted(r->config.dir, &least));
    server_remove(&r->server);
}

static void a_founder_without_log_and_votes_does_not_begin_again(void **state)
{
    struct remains r;
    (void)state;
    open_remains(&r, 40);
    lose(&r, "raft");
    lose(&r, "vote");
    is_refused(&r);
}

static void a_founder_whose_log_alone_is_gone_with_the_database_does_not_either(void **state)
{
    struct remains r;
    (void)state;
    open_remains(&r, 40);
    lose(&r, "raft");
    is_refused(&r);
}

static void a_copy_for_a_lost_database_has_what_the_log_begins_after(void **state)
{
    struct remains r;
    struct failure failure = {0};
    uint64_t least = 0;
    (void)state;
    open_remains(&r, 40);
    /* It ends at the certificates, which are not there: what is wanted was noted before. */
    assert_int_equal(replica_fetch_first(&r.config, r.database, &failure), ERR_INVALID);
    assert_true(copy_wanted(r.config.dir, &least));
    assert_int_equal(least, 40);
    server_remove(&r.server);
}

static void a_first_start_is_one(void **state)
{
    struct remains r;
    struct failure failure = {0};
    (void)state;
    open_remains(&r, 1);
    lose(&r, "raft");
    lose(&r, "vote");
    lose(&r, "book.begun");
    if (replica_fetch_first(&r.config, r.database, &failure) != 0)
        fail_msg("%s", failure.text);
    server_remove(&r.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_founder_without_log_and_votes_does_not_begin_again),
        cmocka_unit_test(a_founder_whose_log_alone_is_gone_with_the_database_does_not_either),
        cmocka_unit_test(a_copy_for_a_lost_database_has_what_the_log_begins_after),
        cmocka_unit_test(a_first_start_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

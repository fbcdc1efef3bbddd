#include "main/datadir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct bed {
    char root[32], dir[64];
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->root, "/tmp/stoa-datadir-XXXXXX");
    if (!mkdtemp(bed->root))
        return -1;
    snprintf(bed->dir, sizeof bed->dir, "%s/shop", bed->root);
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

static void put_file(const struct bed *bed, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", bed->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool is_there(const struct bed *bed, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", bed->dir, name);
    return access(path, F_OK) == 0;
}

static void all_that_belongs_in_it_is_made_once_and_found_again(void **state)
{
    struct bed *bed = *state;
    struct datadir first, again;
    struct stat about;
    assert_int_equal(datadir_open(bed->dir, &first, NULL), 0);
    assert_true(first.service.created);
    assert_int_equal(strlen(first.token), 64);
    assert_int_equal(stat(bed->dir, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_true(is_there(bed, "raft") && is_there(bed, "media") && is_there(bed, "secret"));
    datadir_close(&first);
    datadir_close(&first); /* harmless */
    assert_int_equal(datadir_open(bed->dir, &again, NULL), 0);
    assert_false(again.service.created);
    assert_string_equal(again.token, first.token);
    assert_memory_equal(again.secret, first.secret, DATADIR_SECRET);
    datadir_close(&again);
}

static void secrets_are_for_their_owner_alone_and_not_the_same(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    const char *const names[] = {"secret", "operator.token"};
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    for (int i = 0; i < 2; i++) {
        char path[128];
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", bed->dir, names[i]);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        assert_int_equal(about.st_size, 65);
    }
    char hex[2 * DATADIR_SECRET + 1];
    for (int i = 0; i < DATADIR_SECRET; i++)
        snprintf(hex + 2 * i, 3, "%02x", dir.secret[i]);
    assert_string_not_equal(hex, dir.token);
    datadir_close(&dir);
}

static void a_second_process_is_refused_until_the_first_is_gone(void **state)
{
    struct bed *bed = *state;
    struct datadir first, second;
    struct failure failure;
    assert_int_equal(datadir_open(bed->dir, &first, NULL), 0);
    assert_int_equal(datadir_announce(&first, "http://127.0.0.1:1", NULL), 0);
    assert_int_equal(datadir_open(bed->dir, &second, &failure), ERR_BUSY);
    assert_non_null(strstr(failure.text, "in use by another stoa process"));
    assert_true(is_there(bed, "server.json")); /* the refused one took nothing away */
    datadir_close(&first);
    assert_int_equal(datadir_open(bed->dir, &second, &failure), 0);
    datadir_close(&second);
}

static void a_running_server_is_found_by_what_it_announced(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    struct failure failure;
    char url[64], token[DATADIR_TOKEN];
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), ERR_NOTFOUND);
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), ERR_NOTFOUND);
    assert_non_null(strstr(failure.text, "does not serve (yet)"));
    assert_int_equal(datadir_announce(&dir, "http://127.0.0.1:8080", NULL), 0);
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), 0);
    assert_string_equal(url, "http://127.0.0.1:8080");
    assert_string_equal(token, dir.token);
    assert_int_equal(datadir_find_server(bed->dir, url, 5, token, &failure), ERR_DAMAGED);
    put_file(bed, "server.json", "{\"pid\":");
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), ERR_DAMAGED);
    assert_non_null(strstr(failure.text, "does not tell where the server is"));
    datadir_close(&dir);
    assert_false(is_there(bed, "server.json"));
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), ERR_NOTFOUND);
}

static void what_a_killed_server_announced_is_forgotten(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    struct failure failure;
    char url[64], token[DATADIR_TOKEN];
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    datadir_close(&dir);
    put_file(bed, "server.json", "{\"pid\":1,\"url\":\"http://127.0.0.1:9\"}\n");
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), ERR_NOTFOUND);
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    assert_int_equal(datadir_find_server(bed->dir, url, sizeof url, token, &failure), ERR_NOTFOUND);
    datadir_close(&dir);
}

static void asking_who_serves_turns_away_nobody_who_starts(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    char url[64], token[DATADIR_TOKEN];
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    datadir_close(&dir);
    pid_t asking = fork();
    assert_true(asking >= 0);
    if (asking == 0)
        for (;;)
            datadir_find_server(bed->dir, url, sizeof url, token, NULL);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
        datadir_close(&dir);
    }
    kill(asking, SIGKILL);
    waitpid(asking, NULL, 0);
}

static void damaged_secrets_are_told_and_not_replaced(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    const char *const bad[] = {
        "", "zz", "00112233445566778899aabbccddeeff",
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg\n"};
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    datadir_close(&dir);
    for (int i = 0; i < 4; i++) {
        struct failure failure;
        put_file(bed, "secret", bad[i]);
        assert_int_equal(datadir_open(bed->dir, &dir, &failure), ERR_DAMAGED);
        assert_non_null(strstr(failure.text, "/shop/secret must hold 64 hexadecimal digits"));
        assert_non_null(strstr(failure.text, "remove it and a new one is made"));
    }
    put_file(bed, "secret", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0); /* it was not left locked */
    assert_int_equal(dir.secret[31], 0xff);
    datadir_close(&dir);
}

static void a_place_that_cannot_be_is_told_with_what_to_do(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    struct failure failure;
    char path[DATADIR_PATH + 100];
    snprintf(path, sizeof path, "%s/a/b", bed->root);
    assert_int_equal(datadir_open(path, &dir, &failure), ERR_NOTFOUND);
    assert_non_null(strstr(failure.text, "make that first"));
    assert_int_equal(mkdir(bed->dir, 0700), 0);
    put_file(bed, "file", "x");
    snprintf(path, sizeof path, "%s/file", bed->dir);
    assert_int_equal(datadir_open(path, &dir, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "is there and is no directory; choose another --dir"));
    assert_int_equal(datadir_open("/proc/stoa", &dir, &failure), ERR_NOTFOUND);
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_int_equal(datadir_open(path, &dir, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "too long"));
}

static void a_place_that_may_not_be_written_is_told_with_what_to_do(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(mkdir(bed->dir, 0500), 0);
    pid_t child = fork(); /* the superuser may write everywhere: as somebody else, then */
    assert_true(child >= 0);
    if (child == 0) {
        struct datadir dir;
        struct failure failure = {0};
        if (geteuid() == 0 && (chown(bed->dir, 65534, 65534) || chmod(bed->root, 0755) ||
                               setgid(65534) || setuid(65534)))
            _exit(1);
        _exit(datadir_open(bed->dir, &dir, &failure) == ERR_IO &&
                      strstr(failure.text, "give it to this user, or choose another --dir")
                  ? 0
                  : 2);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
}

static void an_address_too_long_to_be_announced_is_refused(void **state)
{
    struct bed *bed = *state;
    struct datadir dir;
    char url[600];
    memset(url, 'u', sizeof url - 1);
    url[sizeof url - 1] = 0;
    assert_int_equal(datadir_open(bed->dir, &dir, NULL), 0);
    assert_int_equal(datadir_announce(&dir, url, NULL), ERR_INVALID);
    assert_false(is_there(bed, "server.json"));
    datadir_close(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_that_belongs_in_it_is_made_once_and_found_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_for_their_owner_alone_and_not_the_same, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused_until_the_first_is_gone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_running_server_is_found_by_what_it_announced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_a_killed_server_announced_is_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(asking_who_serves_turns_away_nobody_who_starts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damaged_secrets_are_told_and_not_replaced, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_place_that_cannot_be_is_told_with_what_to_do, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_place_that_may_not_be_written_is_told_with_what_to_do,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_too_long_to_be_announced_is_refused, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

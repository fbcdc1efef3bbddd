#include "base/clock.h"
#include "folder_fixture.h"
#include "outside/mail_box.h"
#include "outside/mail_dir.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void addresses_of_mail_boxes_are_judged(void **state)
{
    static const char *const good[] = {"smtp://h", "smtp://u@h:587", "smtp://u@x.example@h",
                                       "smtps://[::1]:465", "maildir:x"};
    static const char *const bad[] = {"",           "smtp://",     "smtp://u@",   "http://h",
                                      "maildir:",   "smtp://h/x",  "smtp://h?x",  "smtp://h\r\n",
                                      "smtp://a b", "smtp://u%@h", "SMTP://h:25", "h"};
    struct failure failure;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(mail_box_check(good[i], &failure), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mail_box_check(bad[i], &failure) != ERR_INVALID)
            fail_msg("%s is taken", bad[i]);
}

static void only_loopback_may_be_without_encryption(void **state)
{
    static const char *const must[] = {"smtp://mail.example",
                                       "smtp://u@10.0.0.1:25",
                                       "smtp://127.0.0.1.example",
                                       "smtp://localhost.example",
                                       "smtp://127.0.0.1@mail.example",
                                       "smtps://mail.example",
                                       "smtp://[::2]",
                                       "smtp://[::ffff:127.0.0.1]"};
    static const char *const may[] = {"smtp://localhost", "smtp://LOCALHOST:25",
                                      "smtp://u@127.0.0.1:2525", "smtp://[::1]:25"};
    (void)state;
    for (size_t i = 0; i < sizeof must / sizeof *must; i++)
        assert_true(mail_box_needs_tls(must[i]));
    for (size_t i = 0; i < sizeof may / sizeof *may; i++)
        assert_false(mail_box_needs_tls(may[i]));
}

static unsigned count_in(const char *dir, const char *part)
{
    char path[700];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/%s", dir, part);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static enum mail_fate put(struct mail_box *box, const char *id_text)
{
    struct id id;
    struct failure failure = {0};
    assert_int_equal(id_parse(str_of(id_text), &id), 0);
    return mail_box_put(box, STR("shop@a.example"), STR("b@c"), STR("Subject: x\r\n\r\nhi\r\n"), id,
                        1795361400999, &failure);
}

static void a_maildir_gets_each_mail_once(void **state)
{
    const char *root = *state;
    char dir[512], address[600], from[900], to[900];
    struct mail_box *box;
    struct failure failure = {0};
    snprintf(dir, sizeof dir, "%s/box", root);
    snprintf(address, sizeof address, "maildir:%s", dir);
    struct mail_box_config config = {.address = address};
    assert_int_equal(mail_box_new(&config, &box, &failure), 0);
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_TAKEN);
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_TAKEN); /* a repeat */
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5c"), MAIL_TAKEN);
    assert_int_equal(count_in(dir, "new"), 2);
    assert_int_equal(count_in(dir, "tmp"), 0);

    /* The reader has looked at it: a repeat finds it there. */
    snprintf(from, sizeof from, "%s/new/1795361400.E0193a1b2c3d47e5f8a9b0c1d2e3f4a5b.a.example",
             dir);
    snprintf(to, sizeof to, "%s/cur/1795361400.E0193a1b2c3d47e5f8a9b0c1d2e3f4a5b.a.example:2,S",
             dir);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_TAKEN);
    assert_int_equal(count_in(dir, "new"), 1);
    mail_box_free(box);
    assert_int_equal(mail_box_new(&config, &box, &failure), 0); /* it is there already */
    mail_box_free(box);
}

static void a_maildir_that_cannot_be_written_waits(void **state)
{
    const char *root = *state;
    char dir[512], path[600], address[600];
    struct mail_box *box;
    struct failure failure = {0};
    snprintf(dir, sizeof dir, "%s/gone", root);
    snprintf(address, sizeof address, "maildir:%s", dir);
    struct mail_box_config config = {.address = address};
    assert_int_equal(mail_box_new(&config, &box, &failure), 0);
    snprintf(path, sizeof path, "%s/tmp", dir);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_AWAY);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_TAKEN);
    mail_box_free(box);
}

/* Nothing listens on port 1. */
static void a_server_that_is_away_waits(void **state)
{
    struct mail_box_config config = {.address = "smtp://127.0.0.1:1"};
    struct mail_box *box;
    struct failure failure = {0};
    (void)state;
    assert_int_equal(mail_box_new(&config, &box, &failure), 0);
    assert_int_equal(put(box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_AWAY);
    mail_box_free(box);
    mail_box_free(NULL);
}

/* ---- A server that stops answering ---- */

struct mute {
    int listener, connection;
    pthread_t thread; /* the server's, or the one that sends */
    struct mail_box *box;
    enum mail_fate fate;
};

/* So long a mail may take; a stop takes much less. */
enum { MAIL_MS = 120000, STOP_MS = 30000 };

static void mute_open(struct mute *mute)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    char url[64];
    struct failure failure = {0};
    *mute = (struct mute){.connection = -1};
    mute->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(mute->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(mute->listener, 4), 0);
    assert_int_equal(getsockname(mute->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof url, "smtp://127.0.0.1:%u", ntohs(address.sin_port));
    struct mail_box_config config = {.address = url, .total_ms = MAIL_MS};
    assert_int_equal(mail_box_new(&config, &mute->box, &failure), 0);
}

static void *send_one(void *context)
{
    struct mute *mute = context;
    mute->fate = put(mute->box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b");
    return NULL;
}

static void a_stop_breaks_off_what_a_server_does_not_answer(void **state)
{
    struct mute mute;
    (void)state;
    mute_open(&mute);
    assert_int_equal(pthread_create(&mute.thread, NULL, send_one, &mute), 0);
    struct pollfd came = {.fd = mute.listener, .events = POLLIN};
    assert_int_equal(poll(&came, 1, MAIL_MS), 1);
    uint64_t began = clock_mono_ns();
    mail_box_stop(mute.box);
    pthread_join(mute.thread, NULL);
    mail_box_free(mute.box);
    assert_true(clock_mono_ns() - began < STOP_MS * MS_NS);
    assert_int_equal(mute.fate, MAIL_AWAY);
    close(mute.listener);
}

static void say(const struct mute *mute, const char *line)
{
    ssize_t ignored = write(mute->connection, line, strlen(line));
    (void)ignored; /* the other side sees what is missing */
}

/* Takes one mail, and then says nothing more. */
static void *take_one(void *context)
{
    struct mute *mute = context;
    char line[600];
    mute->connection = accept(mute->listener, NULL, NULL);
    FILE *in = fdopen(dup(mute->connection), "r");
    say(mute, "220 here\r\n");
    while (in && fgets(line, sizeof line, in)) {
        if (strncmp(line, "DATA", 4) != 0) {
            say(mute, "250 good\r\n");
            continue;
        }
        say(mute, "354 go on\r\n");
        while (fgets(line, sizeof line, in) && strcmp(line, ".\r\n") != 0)
            continue;
        say(mute, "250 taken\r\n");
        break;
    }
    if (in)
        fclose(in);
    return NULL;
}

static void a_stop_waits_for_no_answer_to_quit(void **state)
{
    struct mute mute;
    (void)state;
    mute_open(&mute);
    assert_int_equal(pthread_create(&mute.thread, NULL, take_one, &mute), 0);
    assert_int_equal(put(mute.box, "0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), MAIL_TAKEN);
    pthread_join(mute.thread, NULL);
    uint64_t began = clock_mono_ns();
    mail_box_stop(mute.box);
    mail_box_free(mute.box);
    assert_true(clock_mono_ns() - began < STOP_MS * MS_NS);
    char line[16] = "";
    assert_true(read(mute.connection, line, sizeof line - 1) >= 4);
    assert_int_equal(strncmp(line, "QUIT", 4), 0); /* which is said, however */
    close(mute.connection);
    close(mute.listener);
}

static int set_up(void **state)
{
    char *path = test_malloc(FOLDER_PATH);
    folder_make(path);
    *state = path;
    return 0;
}

static int tear_down(void **state)
{
    folder_remove(*state);
    test_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_mail_boxes_are_judged),
        cmocka_unit_test(only_loopback_may_be_without_encryption),
        cmocka_unit_test_setup_teardown(a_maildir_gets_each_mail_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_maildir_that_cannot_be_written_waits, set_up, tear_down),
        cmocka_unit_test(a_server_that_is_away_waits),
        cmocka_unit_test(a_stop_breaks_off_what_a_server_does_not_answer),
        cmocka_unit_test(a_stop_waits_for_no_answer_to_quit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

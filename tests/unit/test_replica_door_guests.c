/* Whom the door lets in, and for how long; what is said about the others. */
#include "door_fixture.h"
#include "replica/greet.h"

#include <poll.h>

/* ---- Who is refused ---- */

static void another_authority_is_refused(void **state)
{
    struct fixture *f = *state;
    house_open_as(f, &f->two, 2, pki_context(&f->others, "server-2"), NULL);
    door_dial(f->two.door, 1, f->one.address);
    wait_for(&f->two, &f->two.missed, 1);
    assert_non_null(strstr(why_of(&f->two), "certificate"));
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.missed, 1);
    assert_int_equal(now(&f->one, &f->one.dead), 0);
    assert_int_equal(now(&f->one, &f->one.linked_in) + now(&f->two, &f->two.linked_in), 0);
}

static void another_cluster_or_generation_is_refused(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        struct door_config other = configure(f, &f->two);
        other.tls = pki_context(&f->pki, "server-2");
        if (i == 0)
            other.cluster = id_new(2);
        else
            other.generation = 2;
        own_address(f->two.address, sizeof f->two.address, 0);
        other.listen = f->two.address;
        house_open_as(f, &f->two, 2, other.tls, &other);
        unsigned before = now(&f->two, &f->two.missed);
        door_dial(f->two.door, 1, f->one.address);
        wait_for(&f->two, &f->two.missed, before + 1);
        assert_non_null(strstr(why_of(&f->two), i ? "generation" : "another cluster"));
        house_close(&f->two);
    }
    assert_int_equal(now(&f->two, &f->two.removed) + now(&f->two, &f->two.dead), 0);
    assert_int_equal(now(&f->one, &f->one.linked_in), 0);
}

static void who_bears_another_name_is_refused(void **state)
{
    struct fixture *f = *state;
    house_open_as(f, &f->two, 2, pki_context(&f->pki, "server-3"), NULL);
    door_dial(f->two.door, 1, f->one.address);
    wait_for(&f->two, &f->two.missed, 1);
    assert_non_null(strstr(why_of(&f->two), "its certificate says server-3"));
    /* And whom we reach has to be the one whom we dialled. */
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.missed, 1);
    assert_non_null(strstr(why_of(&f->one), "is server-3, not server-2"));
}

static void a_second_server_with_our_own_number_is_refused(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 1);
    struct channel channel;
    struct failure failure;
    struct hello answer,
        hello = {.purpose = HELLO_LINK, .cluster = f->cluster, .generation = 1, .place = {.id = 1}};
    enum refusal refusal;
    assert_int_equal(
        channel_connect(&channel, f->one.address, f->two.tls, -1, within_ms(LONG_MS), &failure),
        ERR_OK);
    assert_int_equal(greet(&channel, &hello, &answer, &refusal, within_ms(LONG_MS), &failure),
                     ERR_DENIED);
    assert_int_equal(refusal, REFUSED_NAME);
    assert_non_null(strstr(failure.text, "two run with the same number"));
    channel_close(&channel);
}

static void who_was_removed_is_told_so(void **state)
{
    struct fixture *f = *state;
    f->one.knows_nobody = true;
    house_open(f, &f->two, 2);
    door_dial(f->two.door, 1, f->one.address);
    wait_for(&f->two, &f->two.removed, 1);
    assert_int_equal(now(&f->two, &f->two.dead), 0);
    pthread_mutex_lock(&f->one.mutex);
    f->one.knows_nobody = false;
    pthread_mutex_unlock(&f->one.mutex);
    wait_for(&f->two, &f->two.linked_out, 1);
}

static int greet_with(struct fixture *f, struct tls_context *tls, struct hello hello,
                      enum refusal *refusal, struct channel *channel)
{
    struct failure failure;
    struct hello answer;
    hello.cluster = f->cluster;
    assert_int_equal(
        channel_connect(channel, f->one.address, tls, -1, within_ms(LONG_MS), &failure), ERR_OK);
    return greet(channel, &hello, &answer, refusal, within_ms(LONG_MS), &failure);
}

static void without_a_certificate_only_a_join_is_let_in(void **state)
{
    struct fixture *f = *state;
    struct tls_context *joining = pki_pinned(&f->pki);
    struct channel channel;
    struct frame frame;
    enum refusal refusal;
    struct hello link = {.purpose = HELLO_LINK, .generation = 1, .place = {.id = 2}};
    struct hello copy = {.purpose = HELLO_COPY, .generation = 1, .place = {.id = 2}};
    struct hello join = {.purpose = HELLO_JOIN};
    assert_int_equal(greet_with(f, joining, link, &refusal, &channel), ERR_DENIED);
    assert_int_equal(refusal, REFUSED_NAME);
    channel_close(&channel);
    assert_int_equal(greet_with(f, joining, copy, &refusal, &channel), ERR_DENIED);
    assert_int_equal(refusal, REFUSED_NAME);
    channel_close(&channel);
    assert_int_equal(greet_with(f, joining, join, &refusal, &channel), ERR_OK);
    assert_int_equal(channel_receive(&channel, &frame, within_ms(LONG_MS)), ERR_OK);
    assert_true(str_eq(frame.payload, STR("welcome")));
    channel_close(&channel);
    assert_int_equal(now(&f->one, &f->one.joins), 1);
    assert_int_equal(now(&f->one, &f->one.copies), 0);
    tls_context_free(joining);
}

static void copies_stay_and_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct channel channels[DOOR_VISITS + 1];
    struct frame frame;
    enum refusal refusal;
    struct hello copy = {.purpose = HELLO_COPY, .generation = 1, .place = {.id = 2}};
    reopen(f, LONG_MS / 10, 0);
    f->two.tls = pki_context(&f->pki, "server-2");
    for (int i = 0; i < DOOR_VISITS; i++)
        assert_int_equal(greet_with(f, f->two.tls, copy, &refusal, &channels[i]), ERR_OK);
    assert_int_equal(greet_with(f, f->two.tls, copy, &refusal, &channels[DOOR_VISITS]), ERR_DENIED);
    assert_int_equal(refusal, REFUSED_BUSY);
    channel_close(&channels[DOOR_VISITS]);
    /* Longer than a handshake may take. */
    assert_int_equal(channel_receive(&channels[0], &frame, within_ms(LONG_MS / 5)), ERR_TIMEOUT);
    for (int i = 0; i < DOOR_VISITS - 1; i++) {
        assert_int_equal(channel_send(&channels[i], FRAME_COPY_FIRST, STR("?"), within_ms(LONG_MS)),
                         ERR_OK);
        assert_int_equal(channel_receive(&channels[i], &frame, within_ms(LONG_MS)), ERR_OK);
        channel_close(&channels[i]);
    }
    /* The last one is still there when the door closes, which does not wait for it. */
    uint64_t begin = clock_mono_ns();
    door_stop(f->one.door);
    f->one.door = NULL;
    assert_true(clock_mono_ns() - begin < LONG_MS * MS_NS / 2);
    channel_close(&channels[DOOR_VISITS - 1]);
}

static void newcomers_keep_no_copy_out(void **state)
{
    struct fixture *f = *state;
    struct channel joins[DOOR_JOINS + 1], channel;
    enum refusal refusal;
    struct hello join = {.purpose = HELLO_JOIN};
    struct hello copy = {.purpose = HELLO_COPY, .generation = 1, .place = {.id = 2}};
    struct tls_context *joining = pki_pinned(&f->pki);
    f->two.tls = pki_context(&f->pki, "server-2");
    for (int i = 0; i < DOOR_JOINS; i++)
        assert_int_equal(greet_with(f, joining, join, &refusal, &joins[i]), ERR_OK);
    assert_int_equal(greet_with(f, joining, join, &refusal, &joins[DOOR_JOINS]), ERR_DENIED);
    assert_int_equal(refusal, REFUSED_BUSY);
    assert_int_equal(greet_with(f, f->two.tls, copy, &refusal, &channel), ERR_OK);
    channel_close(&channel);
    for (int i = 0; i <= DOOR_JOINS; i++)
        channel_close(&joins[i]);
    tls_context_free(joining);
}

/* ---- Strangers ---- */

static int connect_plainly(struct fixture *f)
{
    struct endpoint endpoint;
    int fd;
    assert_int_equal(endpoint_resolve(str_of(f->one.address), false, &endpoint, NULL), ERR_OK);
    assert_int_equal(socket_connect(&endpoint, &fd, NULL), ERR_OK);
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&writable, 1, LONG_MS), 1);
    return fd;
}

/* True when the other side ends the connection. */
static bool is_ended(int fd)
{
    char bytes[4096];
    for (;;) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (poll(&readable, 1, LONG_MS) != 1)
            return false;
        if (recv(fd, bytes, sizeof bytes, 0) <= 0)
            return true;
    }
}

static void garbage_and_silence_are_ended(void **state)
{
    struct fixture *f = *state;
    reopen(f, SHORT_MS, 0);
    int silent = connect_plainly(f), garbage = connect_plainly(f);
    assert_int_equal(write(garbage, "\x00\xff nonsense\r\n\r\n", 14), 14);
    assert_true(is_ended(garbage));
    assert_true(is_ended(silent));
    close(garbage);
    close(silent);
}

static void send_frame(struct channel *channel, uint8_t kind, size_t len)
{
    char header[FRAME_HEADER];
    frame_header(header, kind, len);
    assert_int_equal(channel_send_raw(channel, header, sizeof header, within_ms(LONG_MS)), 0);
}

static void huge_frames_and_wrong_ones_are_ended_before_a_hello(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct failure failure;
    struct frame frame;
    f->two.tls = pki_context(&f->pki, "server-2");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            channel_connect(&channel, f->one.address, f->two.tls, -1, within_ms(LONG_MS), &failure),
            ERR_OK);
        if (i == 0)
            send_frame(&channel, FRAME_HELLO, FRAME_PAYLOAD_MAX);
        else if (i == 1)
            channel_send(&channel, FRAME_RAFT, STR("x"), within_ms(LONG_MS));
        else
            channel_send(&channel, FRAME_HELLO, STR("\x01nonsense"), within_ms(LONG_MS));
        assert_int_equal(channel_receive(&channel, &frame, within_ms(LONG_MS)), ERR_CLOSED);
        channel_close(&channel);
    }
    /* Another version is told from nonsense. */
    assert_int_equal(
        channel_connect(&channel, f->one.address, f->two.tls, -1, within_ms(LONG_MS), &failure),
        ERR_OK);
    channel_send(&channel, FRAME_HELLO, STR("\x63..."), within_ms(LONG_MS));
    assert_int_equal(channel_receive(&channel, &frame, within_ms(LONG_MS)), ERR_OK);
    assert_int_equal(frame.kind, FRAME_REFUSED);
    channel_close(&channel);
    assert_int_equal(now(&f->one, &f->one.linked_in), 0);
}

/* As many silent ones as there are places, and more: a server gets through all the same, from the
 * very host of the flood. */
static void a_full_door_lets_servers_in(void **state)
{
    struct fixture *f = *state;
    int crowd[DOOR_GUESTS + 20];
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        crowd[i] = connect_plainly(f);
    house_open(f, &f->two, 2);
    uint64_t begin = clock_mono_ns();
    door_dial(f->two.door, 1, f->one.address);
    wait_for(&f->two, &f->two.linked_out, 1);
    assert_true(clock_mono_ns() - begin < LONG_MS * MS_NS / 2);
    assert_true(is_ended(crowd[0])); /* the oldest */
    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        close(crowd[i]);
}

/* ---- The log ---- */

static unsigned count_lines(const char *path, const char *with)
{
    char line[1200];
    unsigned count = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        count += strstr(line, with) != NULL;
    fclose(file);
    return count;
}

static void what_goes_wrong_is_said_once(void **state)
{
    struct fixture *f = *state;
    char path[160];
    snprintf(path, sizeof path, "%s/log", f->pki.dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    f->log = (struct log){.fd = fileno(file), .least = LOG_DEBUG};
    house_open(f, &f->two, 2);
    house_close(&f->two);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 5);
    for (int i = 0; i < 5; i++) {
        int fd = connect_plainly(f);
        assert_int_equal(write(fd, "nonsense, nonsense, nonsense", 28), 28);
        assert_true(is_ended(fd));
        close(fd);
    }
    house_open(f, &f->two, 2);
    wait_for(&f->one, &f->one.linked_out, 1);
    assert_int_equal(count_lines(path, "no link to server 2"), 1);
    assert_int_equal(count_lines(path, "linked to server 2"), 1);
    assert_int_equal(count_lines(path, "turned away"), 1);
    door_stop(f->one.door);
    f->one.door = NULL;
    f->log.fd = -1;
    f->log.least = LOG_ERROR;
    fclose(file);
}

static void a_taken_address_is_said_with_its_purpose(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    struct door *door;
    uint16_t port;
    struct door_config same = configure(f, &f->one);
    assert_int_equal(door_start(&same, &door, &port, &failure), ERR_EXISTS);
    assert_non_null(strstr(failure.text, "the address for the other servers"));
    assert_non_null(strstr(failure.text, f->one.address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(another_authority_is_refused),
        DOOR_TEST(another_cluster_or_generation_is_refused),
        DOOR_TEST(who_bears_another_name_is_refused),
        DOOR_TEST(a_second_server_with_our_own_number_is_refused),
        DOOR_TEST(who_was_removed_is_told_so),
        DOOR_TEST(without_a_certificate_only_a_join_is_let_in),
        DOOR_TEST(copies_stay_and_are_bounded),
        DOOR_TEST(newcomers_keep_no_copy_out),
        DOOR_TEST(garbage_and_silence_are_ended),
        DOOR_TEST(huge_frames_and_wrong_ones_are_ended_before_a_hello),
        DOOR_TEST(a_full_door_lets_servers_in),
        DOOR_TEST(what_goes_wrong_is_said_once),
        DOOR_TEST(a_taken_address_is_said_with_its_purpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "net_fixture.h"
#include "replica/door.h"
#include "replica/greet.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A handshake may take long where everything is slow; the short one is for who says nothing. */
enum { LONG_MS = 10000, SHORT_MS = 300 };

/* A server that has nothing but a door, and remembers what it was told. */
struct house {
    struct door *door;
    struct tls_context *tls;
    uint64_t id;
    char address[64];
    bool knows_nobody;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned linked_in, linked_out, missed, dead, removed, copies, joins;
    uint64_t last_other;
    char why[480];
    struct {
        int fd;
        struct tls *tls;
        struct buf rest;
    } links[64];
    unsigned link_count;
};

struct fixture {
    struct pki pki, others;
    struct id cluster;
    struct log log;
    struct house one, two;
};

static void house_place(void *context, struct server_place *place)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    *place = (struct server_place){.id = h->id, .since_ms = 1, .pid = 2};
    str_copy(place->address, sizeof place->address, str_of(h->address));
    pthread_mutex_unlock(&h->mutex);
}

static void house_linked(void *context, const struct server_place *other, bool connected, int fd,
                         struct tls *tls, struct buf *rest)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    CHECK(h->link_count < COUNT_OF(h->links));
    h->links[h->link_count].fd = fd;
    h->links[h->link_count].tls = tls;
    h->links[h->link_count++].rest = *rest;
    h->linked_in += !connected;
    h->linked_out += connected;
    h->last_other = other->id;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

static bool house_known(void *context, uint64_t id)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    bool known = !h->knows_nobody && id <= 3;
    pthread_mutex_unlock(&h->mutex);
    return known;
}

/* Echoes one frame. */
static void house_copy(void *context, const struct server_place *other, struct channel *channel)
{
    struct house *h = context;
    struct frame frame;
    pthread_mutex_lock(&h->mutex);
    h->copies++;
    h->last_other = other->id;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
    if (channel_receive(channel, &frame, within_ms(LONG_MS)) == ERR_OK)
        channel_send(channel, frame.kind, frame.payload, within_ms(LONG_MS));
}

static void house_join(void *context, struct channel *channel)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    h->joins++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
    channel_send(channel, FRAME_JOIN_FIRST, STR("welcome"), within_ms(LONG_MS));
    channel_finish(channel, within_ms(LONG_MS));
}

static void house_missed(void *context, uint64_t id, bool dead, bool removed, const char *why)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    h->missed++;
    h->dead += dead;
    h->removed += removed;
    h->last_other = id;
    str_copy(h->why, sizeof h->why, str_of(why));
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
}

static struct door_config configure(struct fixture *f, struct house *h)
{
    return (struct door_config){.listen = h->address,
                                .tls = h->tls,
                                .cluster = f->cluster,
                                .generation = 1,
                                .patience_ms = LONG_MS,
                                .log = &f->log,
                                .context = h,
                                .place = house_place,
                                .linked = house_linked,
                                .known = house_known,
                                .copy = house_copy,
                                .join = house_join,
                                .missed = house_missed};
}

static void house_open_as(struct fixture *f, struct house *h, uint64_t id, struct tls_context *tls,
                          const struct door_config *config)
{
    uint16_t port;
    struct failure failure = {0};
    h->id = id;
    h->tls = tls;
    if (h->address[0] == '\0')
        own_address(h->address, sizeof h->address, 0);
    struct door_config usual = configure(f, h);
    int err = door_start(config ? config : &usual, &h->door, &port, &failure);
    if (err)
        print_message("%s\n", failure.text);
    assert_int_equal(err, ERR_OK);
    pthread_mutex_lock(&h->mutex); /* somebody may be dialling in already */
    own_address(h->address, sizeof h->address, port);
    pthread_mutex_unlock(&h->mutex);
}

static void house_open(struct fixture *f, struct house *h, uint64_t id)
{
    char name[SERVER_NAME];
    house_open_as(f, h, id, pki_context(&f->pki, server_name(id, name)), NULL);
}

static void drop_links(struct house *h)
{
    pthread_mutex_lock(&h->mutex);
    for (unsigned i = 0; i < h->link_count; i++) {
        close(h->links[i].fd);
        tls_free(h->links[i].tls);
        buf_close(&h->links[i].rest);
    }
    h->link_count = 0;
    pthread_mutex_unlock(&h->mutex);
}

static void house_close(struct house *h)
{
    door_stop(h->door);
    h->door = NULL;
    drop_links(h);
    tls_context_free(h->tls);
    h->tls = NULL;
}

/* Waits until COUNTER of H is at least WANTED. */
static void wait_for(struct house *h, const unsigned *counter, unsigned wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG_MS / 1000;
    pthread_mutex_lock(&h->mutex);
    int waited = 0;
    while (*counter < wanted && waited == 0)
        waited = pthread_cond_timedwait(&h->changed, &h->mutex, &until);
    unsigned reached = *counter;
    pthread_mutex_unlock(&h->mutex);
    assert_true(reached >= wanted);
}

static unsigned now(struct house *h, const unsigned *counter)
{
    pthread_mutex_lock(&h->mutex);
    unsigned value = *counter;
    pthread_mutex_unlock(&h->mutex);
    return value;
}

/* Why the last attempt failed. */
static const char *why_of(struct house *h)
{
    static char why[sizeof h->why];
    pthread_mutex_lock(&h->mutex);
    str_copy(why, sizeof why, str_of(h->why));
    pthread_mutex_unlock(&h->mutex);
    return why;
}

/* Closes the door of server 1, and opens it again where PATIENCE_MS is all that anybody gets. */
static void reopen(struct fixture *f, uint32_t patience_ms, uint32_t retry_ms)
{
    struct door_config config = configure(f, &f->one);
    struct tls_context *tls = f->one.tls;
    door_stop(f->one.door);
    config.patience_ms = patience_ms;
    config.retry_ms = config.retry_max_ms = retry_ms;
    house_open_as(f, &f->one, 1, tls, &config);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    pki_open(&f->pki, "ours");
    pki_open(&f->others, "others");
    f->cluster = id_new(1);
    f->log = (struct log){.fd = -1, .least = LOG_ERROR};
    struct house *houses[] = {&f->one, &f->two};
    for (size_t i = 0; i < COUNT_OF(houses); i++) {
        pthread_mutex_init(&houses[i]->mutex, NULL);
        pthread_cond_init(&houses[i]->changed, NULL);
    }
    house_open(f, &f->one, 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    house_close(&f->two);
    house_close(&f->one);
    pki_close(&f->pki);
    pki_close(&f->others);
    free(f);
    return 0;
}

/* ---- Links ---- */

static void two_servers_link_in_both_directions(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    assert_int_equal(door_dial(f->one.door, 2, f->two.address), ERR_OK);
    assert_int_equal(door_dial(f->two.door, 1, f->one.address), ERR_OK);
    wait_for(&f->one, &f->one.linked_out, 1);
    wait_for(&f->one, &f->one.linked_in, 1);
    wait_for(&f->two, &f->two.linked_out, 1);
    wait_for(&f->two, &f->two.linked_in, 1);
    assert_int_equal(f->one.last_other, 2);
    assert_int_equal(f->two.last_other, 1);
    assert_int_equal(now(&f->one, &f->one.missed), 0);
}

static void a_link_carries_what_follows_the_hello(void **state)
{
    struct fixture *f = *state;
    struct failure failure;
    struct channel channel;
    struct hello answer,
        hello = {.purpose = HELLO_LINK, .cluster = f->cluster, .generation = 1, .place = {.id = 2}};
    enum refusal refusal;
    char bytes[64];
    f->two.tls = pki_context(&f->pki, "server-2");
    assert_int_equal(
        channel_connect(&channel, f->one.address, f->two.tls, -1, within_ms(LONG_MS), &failure),
        ERR_OK);
    assert_int_equal(greet(&channel, &hello, &answer, &refusal, within_ms(LONG_MS), &failure), 0);
    assert_int_equal(answer.place.id, 1);
    assert_string_equal(answer.place.address, f->one.address);
    wait_for(&f->one, &f->one.linked_in, 1);
    assert_int_equal(channel_send(&channel, FRAME_NEWS, STR("news"), within_ms(LONG_MS)), ERR_OK);
    struct pollfd readable = {.fd = f->one.links[0].fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    ssize_t got = recv(f->one.links[0].fd, bytes, sizeof bytes, 0);
    assert_true(got > 0);
    char plain[64];
    size_t len, sum = 0;
    tls_receive(f->one.links[0].tls, bytes, (size_t)got);
    while (tls_read(f->one.links[0].tls, plain + sum, sizeof plain - sum, &len) == TLS_OK)
        sum += len;
    assert_true(sum >= FRAME_HEADER && plain[4] == FRAME_NEWS);
    channel_close(&channel);
}

static void a_broken_link_is_dialled_again_at_once(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
    for (unsigned i = 2; i < 6; i++) {
        drop_links(&f->one);
        door_dial(f->one.door, 2, f->two.address);
        wait_for(&f->one, &f->one.linked_out, i);
    }
    assert_int_equal(now(&f->one, &f->one.missed), 0);
}

static void a_process_that_is_gone_is_told_at_once_and_comes_back(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
    house_close(&f->two);
    uint64_t begin = clock_mono_ns();
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 1);
    assert_true(clock_mono_ns() - begin < 2000 * MS_NS);
    wait_for(&f->one, &f->one.dead, 4);
    assert_int_equal(now(&f->one, &f->one.missed), now(&f->one, &f->one.dead));
    house_open(f, &f->two, 2); /* under the same address */
    wait_for(&f->one, &f->one.linked_out, 2);
}

static void a_server_that_comes_back_is_dialled_without_waiting(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    house_close(&f->two); /* its port is free now */
    reopen(f, LONG_MS, 60000);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 1);
    house_open(f, &f->two, 2);
    door_dial(f->two.door, 1, f->one.address);
    /* Its link tells that it is there; otherwise this would take half a minute and more. */
    wait_for(&f->one, &f->one.linked_out, 1);
}

static void a_new_address_replaces_the_former(void **state)
{
    struct fixture *f = *state;
    struct endpoint silent;
    char text[ADDRESS_TEXT];
    int fd;
    /* Accepted by the kernel, and answered by nobody. */
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), true, &silent, NULL), ERR_OK);
    assert_int_equal(socket_listen(&silent, "x", false, &fd, NULL), ERR_OK);
    endpoint_text(&silent, true, text, sizeof text);
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 2, text);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, LONG_MS), 1);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
    close(fd);
}

static void silence_is_not_death(void **state)
{
    struct fixture *f = *state;
    struct endpoint silent;
    char text[ADDRESS_TEXT];
    int fd;
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), true, &silent, NULL), ERR_OK);
    assert_int_equal(socket_listen(&silent, "x", false, &fd, NULL), ERR_OK);
    endpoint_text(&silent, true, text, sizeof text);
    reopen(f, SHORT_MS, 0);
    uint64_t begin = clock_mono_ns();
    door_dial(f->one.door, 2, text);
    wait_for(&f->one, &f->one.missed, 1);
    uint64_t took = clock_mono_ns() - begin;
    assert_true(took >= (SHORT_MS - 10) * MS_NS && took < LONG_MS * MS_NS / 2);
    assert_int_equal(now(&f->one, &f->one.dead), 0);
    assert_non_null(strstr(why_of(&f->one), "did not answer in time"));
    close(fd);
}

static void who_is_forgotten_is_dialled_no_more(void **state)
{
    struct fixture *f = *state;
    house_open(f, &f->two, 2);
    house_close(&f->two);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.dead, 1);
    door_forget(f->one.door, 2);
    door_forget(f->one.door, 3); /* never dialled */
    house_open(f, &f->two, 2);
    door_dial(f->one.door, 1, f->two.address); /* ends in an answer, long after 2 would be linked */
    wait_for(&f->one, &f->one.missed, 2);
    assert_int_equal(now(&f->one, &f->one.linked_out), 0);
    door_dial(f->one.door, 2, f->two.address);
    wait_for(&f->one, &f->one.linked_out, 1);
}

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

#define DOOR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(two_servers_link_in_both_directions),
        DOOR_TEST(a_link_carries_what_follows_the_hello),
        DOOR_TEST(a_broken_link_is_dialled_again_at_once),
        DOOR_TEST(a_process_that_is_gone_is_told_at_once_and_comes_back),
        DOOR_TEST(a_server_that_comes_back_is_dialled_without_waiting),
        DOOR_TEST(a_new_address_replaces_the_former),
        DOOR_TEST(silence_is_not_death),
        DOOR_TEST(who_is_forgotten_is_dialled_no_more),
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

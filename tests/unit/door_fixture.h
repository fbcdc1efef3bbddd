/* Servers that have nothing but a door, and certificates for them. */
#ifndef STOA_TESTS_DOOR_FIXTURE_H
#define STOA_TESTS_DOOR_FIXTURE_H

#include "base/clock.h"
#include "base/cond.h"
#include "net_fixture.h"
#include "replica/door.h"

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

static inline void house_place(void *context, struct server_place *place)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    *place = (struct server_place){.id = h->id, .since_ms = 1, .pid = 2};
    str_copy(place->address, sizeof place->address, str_of(h->address));
    pthread_mutex_unlock(&h->mutex);
}

static inline void house_linked(void *context, const struct server_place *other, bool connected,
                                int fd, struct tls *tls, struct buf *rest)
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

static inline bool house_known(void *context, uint64_t id)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    bool known = !h->knows_nobody && id <= 3;
    pthread_mutex_unlock(&h->mutex);
    return known;
}

/* Echoes one frame. */
static inline void house_copy(void *context, const struct server_place *other,
                              struct channel *channel)
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

static inline void house_join(void *context, struct channel *channel)
{
    struct house *h = context;
    pthread_mutex_lock(&h->mutex);
    h->joins++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->mutex);
    channel_send(channel, FRAME_JOIN_FIRST, STR("welcome"), within_ms(LONG_MS));
    channel_finish(channel, within_ms(LONG_MS));
}

static inline void house_missed(void *context, uint64_t id, bool dead, bool removed,
                                const char *why)
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

static inline struct door_config configure(struct fixture *f, struct house *h)
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

static inline void house_open_as(struct fixture *f, struct house *h, uint64_t id,
                                 struct tls_context *tls, const struct door_config *config)
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

static inline void house_open(struct fixture *f, struct house *h, uint64_t id)
{
    char name[SERVER_NAME];
    house_open_as(f, h, id, pki_context(&f->pki, server_name(id, name)), NULL);
}

static inline void drop_links(struct house *h)
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

static inline void house_close(struct house *h)
{
    door_stop(h->door);
    h->door = NULL;
    drop_links(h);
    tls_context_free(h->tls);
    h->tls = NULL;
}

/* Waits until COUNTER of H is at least WANTED. */
static inline void wait_for(struct house *h, const unsigned *counter, unsigned wanted)
{
    uint64_t until_ns = clock_mono_ns() + LONG_MS * MS_NS;
    bool in_time = true;
    pthread_mutex_lock(&h->mutex);
    while (*counter < wanted && in_time)
        in_time = cond_wait_until(&h->changed, &h->mutex, until_ns);
    unsigned reached = *counter;
    pthread_mutex_unlock(&h->mutex);
    assert_true(reached >= wanted);
}

static inline unsigned now(struct house *h, const unsigned *counter)
{
    pthread_mutex_lock(&h->mutex);
    unsigned value = *counter;
    pthread_mutex_unlock(&h->mutex);
    return value;
}

/* Why the last attempt failed. */
static inline const char *why_of(struct house *h)
{
    static char why[sizeof h->why];
    pthread_mutex_lock(&h->mutex);
    str_copy(why, sizeof why, str_of(h->why));
    pthread_mutex_unlock(&h->mutex);
    return why;
}

/* Closes the door of server 1, and opens it again where PATIENCE_MS is all that anybody gets. */
static inline void reopen(struct fixture *f, uint32_t patience_ms, uint32_t retry_ms)
{
    struct door_config config = configure(f, &f->one);
    struct tls_context *tls = f->one.tls;
    door_stop(f->one.door);
    config.patience_ms = patience_ms;
    config.retry_ms = config.retry_max_ms = retry_ms;
    house_open_as(f, &f->one, 1, tls, &config);
}

static inline int set_up(void **state)
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
        cond_init(&houses[i]->changed);
    }
    house_open(f, &f->one, 1);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    house_close(&f->two);
    house_close(&f->one);
    pki_close(&f->pki);
    pki_close(&f->others);
    free(f);
    return 0;
}

#define DOOR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

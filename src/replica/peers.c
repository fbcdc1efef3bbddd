#include "replica/peers.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/door.h"
#include "replica/link.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GONE_MS = 2000 }; /* a refusal so long after a link broke is taken for its consequence */

struct peer {
    struct peers *peers;
    uint64_t id; /* 0: this place is free */
    char address[SERVER_ADDRESS];
    struct link *ours, *theirs;
    uint64_t ours_number, theirs_number;
    uint64_t broke_ns; /* when a connection broke that nobody has explained yet; 0: none */
};

/* What the door's threads have brought. */
struct arrival {
    struct arrival *next;
    struct server_place place;
    bool linked, connected, dead, removed;
    int fd;
    struct tls *tls;
    struct buf rest;
    char why[200];
};

struct peers {
    struct peers_config config;
    struct door *door;
    struct peer all[PEERS_MAX];
    uint64_t last_number, checked_ns;
    bool closed;

    pthread_mutex_t mutex; /* guards what follows */
    struct arrival *first, **last;
};

/* ---- Who there is ---- */

static struct peer *find(const struct peers *peers, uint64_t server)
{
    for (unsigned i = 0; server != 0 && i < PEERS_MAX; i++)
        if (peers->all[i].id == server)
            return (struct peer *)&peers->all[i];
    return NULL;
}

struct peers *peers_new(const struct peers_config *config)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL)
        return NULL;
    peers->config = *config;
    peers->last = &peers->first;
    pthread_mutex_init(&peers->mutex, NULL);
    for (unsigned i = 0; i < PEERS_MAX; i++)
        peers->all[i].peers = peers;
    return peers;
}

static void dial(struct peers *peers, const struct peer *peer)
{
    if (peers->door != NULL && peer->address[0] != 0 && peer->ours == NULL)
        door_dial(peers->door, peer->id, peer->address);
}

void peers_use_door(struct peers *peers, struct door *door)
{
    peers->door = door;
    for (unsigned i = 0; door != NULL && i < PEERS_MAX; i++)
        if (peers->all[i].id != 0)
            dial(peers, &peers->all[i]);
}

int peers_want(struct peers *peers, uint64_t server, const char *address)
{
    struct peer *peer = find(peers, server);
    bool is_new = peer == NULL;
    for (unsigned i = 0; peer == NULL && i < PEERS_MAX; i++)
        if (peers->all[i].id == 0)
            peer = &peers->all[i];
    if (peer == NULL)
        return ERR_FULL;
    peer->id = server;
    if (!is_new && strcmp(peer->address, address) == 0)
        return 0;
    snprintf(peer->address, sizeof peer->address, "%s", address);
    dial(peers, peer);
    return 0;
}

/* ---- Connections ---- */

static void lose_ours(struct peer *peer)
{
    struct peers *peers = peer->peers;
    uint64_t number = peer->ours_number;
    if (peer->ours == NULL)
        return;
    link_close(peer->ours);
    peer->ours = NULL;
    peer->ours_number = 0;
    peers->config.listener.down(peers->config.listener.context, peer->id, number);
}

static void lose_theirs(struct peer *peer)
{
    struct peers *peers = peer->peers;
    uint64_t number = peer->theirs_number;
    if (peer->theirs == NULL)
        return;
    link_close(peer->theirs);
    peer->theirs = NULL;
    peer->theirs_number = 0;
    peers->config.listener.left(peers->config.listener.context, peer->id, number);
}

static void cut(struct peer *peer, struct link *link, const char *why)
{
    struct peers *peers = peer->peers;
    bool ours = link == peer->ours;
    log_line(peers->config.log, LOG_INFO, "peers", "connection %s server %llu ended: %s",
             ours ? "to" : "from", (unsigned long long)peer->id, why);
    peer->broke_ns = clock_mono_ns();
    if (ours)
        lose_ours(peer);
    else
        lose_theirs(peer);
    dial(peers, peer); /* which also finds out whether there is anybody */
}

static void link_broken(void *context, struct link *link, const char *why)
{
    cut(context, link, why);
}

static void link_received(void *context, struct link *link, uint8_t kind, struct str payload)
{
    struct peer *peer = context;
    const struct peers_listener *listener = &peer->peers->config.listener;
    bool ours = link == peer->ours;
    bool fits = ours ? kind == FRAME_ANSWERS
                     : kind == FRAME_RAFT || kind == FRAME_COMMANDS || kind == FRAME_NEWS;
    uint64_t number = ours ? peer->ours_number : peer->theirs_number;
    int err =
        fits ? listener->received(listener->context, peer->id, number, kind, payload) : ERR_INVALID;
    if (err == 0 || (link != peer->ours && link != peer->theirs))
        return;
    char why[120];
    snprintf(why, sizeof why, "a frame of kind %u, %zu bytes, cannot be read: %s", kind,
             payload.len, err_sentence(err));
    cut(peer, link, why);
}

void peers_unwant(struct peers *peers, uint64_t server)
{
    struct peer *peer = find(peers, server);
    if (peer == NULL)
        return;
    if (peers->door != NULL)
        door_forget(peers->door, server);
    lose_ours(peer);
    lose_theirs(peer);
    peer->id = 0;
    peer->address[0] = 0;
    peer->broke_ns = 0;
}

void peers_close(struct peers *peers)
{
    peers->closed = true;
    peers->door = NULL;
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        if (peers->all[i].ours != NULL)
            link_close(peers->all[i].ours);
        if (peers->all[i].theirs != NULL)
            link_close(peers->all[i].theirs);
        peers->all[i].ours = peers->all[i].theirs = NULL;
    }
}

/* ---- What the door brings ---- */

static void drop_arrival(struct arrival *arrival)
{
    if (arrival->linked) {
        tls_free(arrival->tls);
        close(arrival->fd);
        buf_close(&arrival->rest);
    }
    free(arrival);
}

static void arrive(struct peers *peers, struct arrival *arrival)
{
    pthread_mutex_lock(&peers->mutex);
    *peers->last = arrival;
    peers->last = &arrival->next;
    pthread_mutex_unlock(&peers->mutex);
    peers->config.wake(peers->config.listener.context);
}

void peers_linked(struct peers *peers, const struct server_place *other, bool connected, int fd,
                  struct tls *tls, struct buf *rest)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    if (arrival == NULL) {
        tls_free(tls);
        close(fd);
        buf_close(rest);
        return;
    }
    arrival->place = *other;
    arrival->linked = true;
    arrival->connected = connected;
    arrival->fd = fd;
    arrival->tls = tls;
    arrival->rest = *rest;
    arrive(peers, arrival);
}

void peers_missed(struct peers *peers, uint64_t server, bool dead, bool removed, const char *why)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    if (arrival == NULL)
        return; /* it is tried again */
    arrival->place.id = server;
    arrival->dead = dead;
    arrival->removed = removed;
    snprintf(arrival->why, sizeof arrival->why, "%s", why);
    arrive(peers, arrival);
}

static struct link *link_with(struct peer *peer, struct arrival *arrival)
{
    struct link_config config = {.loop = peer->peers->config.loop,
                                 .output_max = PEER_SEND_MAX,
                                 .context = peer,
                                 .received = link_received,
                                 .broken = link_broken};
    struct link *link = link_open(&config, arrival->fd, arrival->tls, &arrival->rest);
    arrival->linked = false; /* what it held is the link's, or gone */
    return link;
}

static void welcome(struct peers *peers, struct arrival *arrival)
{
    const struct peers_listener *listener = &peers->config.listener;
    const struct server_place *place = &arrival->place;
    listener->met(listener->context, place); /* who may be a new one, or at a new place */
    struct peer *peer = find(peers, place->id);
    if (peer == NULL) {
        drop_arrival(arrival);
        return;
    }
    peer->broke_ns = 0;
    if (arrival->connected) {
        lose_ours(peer);
        peer->ours = link_with(peer, arrival);
        peer->ours_number = peer->ours != NULL ? ++peers->last_number : 0;
        if (peer->ours != NULL)
            listener->up(listener->context, peer->id, peer->ours_number);
        else
            dial(peers, peer);
    } else {
        lose_theirs(peer); /* it came back before we noticed that it had gone */
        peer->theirs = link_with(peer, arrival);
        peer->theirs_number = peer->theirs != NULL ? ++peers->last_number : 0;
    }
    drop_arrival(arrival);
}

/* A server could not be connected to. */
static void explain(struct peers *peers, struct arrival *arrival)
{
    const struct peers_listener *listener = &peers->config.listener;
    struct peer *peer = find(peers, arrival->place.id);
    if (peer != NULL && arrival->dead && peer->broke_ns != 0) {
        bool recent = clock_mono_ns() - peer->broke_ns < GONE_MS * MS_NS;
        peer->broke_ns = 0;
        lose_theirs(peer);
        if (recent)
            listener->gone(listener->context, peer->id);
    } else if (peer != NULL && arrival->removed) {
        listener->removed(listener->context, peer->id);
    }
    drop_arrival(arrival);
}

void peers_take(struct peers *peers)
{
    pthread_mutex_lock(&peers->mutex);
    struct arrival *arrival = peers->first;
    peers->first = NULL;
    peers->last = &peers->first;
    pthread_mutex_unlock(&peers->mutex);
    while (arrival != NULL) {
        struct arrival *next = arrival->next;
        if (peers->closed)
            drop_arrival(arrival);
        else if (arrival->linked)
            welcome(peers, arrival);
        else
            explain(peers, arrival);
        arrival = next;
    }
}

void peers_free(struct peers *peers)
{
    peers->closed = true;
    peers_take(peers);
    pthread_mutex_destroy(&peers->mutex);
    free(peers);
}

/* ---- Sending ---- */

void peers_flush(struct peers *peers)
{
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &peers->all[i];
        if (peer->ours != NULL)
            link_flush(peer->ours);
        if (peer->theirs != NULL)
            link_flush(peer->theirs);
    }
}

struct buf *peers_begin(struct peers *peers, uint64_t server, uint8_t kind)
{
    struct peer *peer = find(peers, server);
    return peer == NULL || peer->ours == NULL ? NULL : link_begin(peer->ours, kind);
}

int peers_end(struct peers *peers, uint64_t server)
{
    return link_end(find(peers, server)->ours);
}

int peers_send(struct peers *peers, uint64_t server, uint8_t kind, struct str payload)
{
    struct peer *peer = find(peers, server);
    return peer == NULL || peer->ours == NULL ? ERR_CLOSED : link_send(peer->ours, kind, payload);
}

int peers_answer(struct peers *peers, uint64_t server, uint64_t link, uint8_t kind,
                 struct str payload)
{
    struct peer *peer = find(peers, server);
    if (peer == NULL || peer->theirs == NULL || peer->theirs_number != link)
        return ERR_CLOSED;
    return link_send(peer->theirs, kind, payload);
}

void peers_cut(struct peers *peers, uint64_t server, uint64_t link, const char *why)
{
    struct peer *peer = find(peers, server);
    if (peer != NULL && peer->ours != NULL && peer->ours_number == link)
        cut(peer, peer->ours, why);
    else if (peer != NULL && peer->theirs != NULL && peer->theirs_number == link)
        cut(peer, peer->theirs, why);
}

uint64_t peers_link(const struct peers *peers, uint64_t server)
{
    const struct peer *peer = find(peers, server);
    return peer == NULL ? 0 : peer->ours_number;
}

bool peers_hears(const struct peers *peers, uint64_t server)
{
    const struct peer *peer = find(peers, server);
    return peer != NULL && peer->theirs != NULL;
}

/* ---- Silence ---- */

void peers_check(struct peers *peers, uint64_t now_ns)
{
    uint64_t silence = peers->config.silence_ms * MS_NS;
    /* Who was held up himself (SIGSTOP, a busy machine) has not listened either. */
    bool awake = now_ns - peers->checked_ns < silence / 2;
    peers->checked_ns = now_ns;
    for (unsigned i = 0; awake && i < PEERS_MAX; i++) {
        struct peer *peer = &peers->all[i];
        if (peer->theirs != NULL && now_ns > link_heard_ns(peer->theirs) &&
            now_ns - link_heard_ns(peer->theirs) > silence)
            cut(peer, peer->theirs, "it is silent");
        if (peer->ours != NULL && link_waiting(peer->ours) > 0 &&
            now_ns > link_moved_ns(peer->ours) && now_ns - link_moved_ns(peer->ours) > silence)
            cut(peer, peer->ours, "it takes nothing any more");
    }
}

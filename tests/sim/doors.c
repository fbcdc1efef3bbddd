/* What is linked in the place of replica/door.c: where simulated servers meet. As there: one
 * thread for each server that is dialled, which tries again and again; a guest's thread for each
 * that comes. Names and certificates are taken to be right, and TLS is left out. */
#include "doors.h"

#include "base/check.h"
#include "base/clock.h"
#include "channels.h"
#include "net/tls.h"
#include "replica/door.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct dial {
    struct dial *next;
    struct door *door;
    uint64_t id;
    bool wanted, forgotten;
    uint64_t round; /* counts the calls of door_dial */
    uint64_t delay_ms;
};

struct door {
    struct door_config config;
    unsigned number; /* its server's */
    struct life *life;
    struct dial *dials;
    struct guest *guests;
    bool stopping;
    unsigned busy; /* fibers within a call of the program */
};

static struct door *doors[SERVERS_MAX];

/* ---- A guest ---- */

enum outcome { PENDING, LINKED, NOT_KNOWN, BROKEN_OFF };

struct visit {
    struct door *host;
    struct server_place guest, place;
    struct wire *wire;
    enum outcome outcome;
};

static void link_up(struct door *door, const struct server_place *other, bool connected, int number)
{
    struct buf rest;
    buf_init(&rest, 1);
    door->config.linked(door->config.context, other, connected, number, NULL, &rest);
}

static void *receive_guest(void *argument)
{
    struct visit *visit = argument;
    struct door *host = visit->host;
    host->busy++;
    enum outcome outcome = BROKEN_OFF;
    if (!host->stopping) {
        outcome = host->config.known(host->config.context, visit->guest.id) ? LINKED : NOT_KNOWN;
        host->config.place(host->config.context, &visit->place);
    }
    if (outcome == LINKED)
        link_up(host, &visit->guest, false, wire_number(visit->wire, 1));
    else
        wire_close(wire_end_of(wire_number(visit->wire, 1)));
    host->busy--;
    visit->outcome = outcome;
    fiber_wake(visit, true);
    return NULL;
}

/* ---- A guest who wants a copy ---- */

struct guest {
    struct guest *next;
    struct door *host;
    int number, interrupt;
};

/* As door_guest.c greets. */
static void greet_back(struct door *host, struct channel *channel)
{
    struct frame frame;
    struct hello hello, own = {.purpose = HELLO_COPY,
                               .cluster = host->config.cluster,
                               .generation = host->config.generation};
    uint64_t deadline = clock_mono_ns() + DOOR_PATIENCE_MS * MS_NS;
    struct buf out;
    buf_init(&out, 4096);
    host->config.place(host->config.context, &own.place);
    if (channel_receive(channel, &frame, deadline) != 0 || frame.kind != FRAME_HELLO ||
        hello_decode(&hello, frame.payload) != 0)
        return;
    if (host->config.copy == NULL || !host->config.known(host->config.context, hello.place.id)) {
        refusal_encode(&out, host->config.copy == NULL ? REFUSED_BUSY : REFUSED_REMOVED, "no");
        channel_send(channel, FRAME_REFUSED, buf_text(&out), deadline);
    } else {
        hello_encode(&out, &own);
        if (channel_send(channel, FRAME_HELLO, buf_text(&out), deadline) == 0)
            host->config.copy(host->config.context, &hello.place, channel);
    }
    buf_close(&out);
}

static void *serve_guest(void *argument)
{
    struct guest *guest = argument;
    struct door *host = guest->host;
    struct channel channel;
    channels_accept(&channel, guest->number, guest->interrupt);
    host->busy++;
    if (!host->stopping)
        greet_back(host, &channel);
    host->busy--;
    channel_close(&channel);
    struct guest **at = &host->guests;
    while (*at != guest)
        at = &(*at)->next;
    *at = guest->next;
    close(guest->interrupt);
    free(guest);
    return NULL;
}

bool doors_visit(unsigned number, const struct wire *wire)
{
    struct door *host = doors[number];
    if (host == NULL || host->life->ended || host->stopping)
        return false;
    struct guest *guest = calloc(1, sizeof *guest);
    CHECK(guest != NULL);
    *guest = (struct guest){host->guests, host, wire_number(wire, 1), eventfd(0, EFD_NONBLOCK)};
    CHECK(guest->interrupt >= 0);
    host->guests = guest;
    fiber_start(host->life, serve_guest, guest);
    return true;
}

/* ---- Dialling ---- */

static void missed(struct dial *dial, bool dead, bool removed)
{
    struct door *door = dial->door;
    door->busy++;
    door->config.missed(door->config.context, dial->id, dead, removed,
                        dead ? "refused" : (removed ? "removed" : "timed out"));
    door->busy--;
}

/* One attempt; true: there is a link. */
static bool attempt(struct dial *dial)
{
    struct door *door = dial->door;
    unsigned to = (unsigned)dial->id - 1;
    uint64_t round = dial->round, deadline = world.now_ns + 1500 * MS_NS;
    CHECK(to < SERVERS_MAX);
    enum network_reached reached = network_reach(door->number, to, 1500 * MS_NS);
    if (door->stopping || dial->forgotten)
        return false;
    struct door *host = doors[to];
    bool there = host != NULL && !host->life->ended && !host->stopping;
    if (reached != NETWORK_REACHED || !there) {
        if (round == dial->round)
            missed(dial, reached != NETWORK_TIMED_OUT, false);
        return false;
    }
    struct visit *visit = calloc(1, sizeof *visit);
    CHECK(visit != NULL);
    visit->host = host;
    door->config.place(door->config.context, &visit->guest);
    visit->wire = wire_new(door->number, to);
    fiber_start(host->life, receive_guest, visit);
    while (visit->outcome == PENDING && fiber_wait(visit, deadline))
        ;
    if (door->stopping || visit->outcome != LINKED) {
        wire_close(wire_end_of(wire_number(visit->wire, 0)));
        if (!door->stopping && round == dial->round)
            missed(dial, false, visit->outcome == NOT_KNOWN);
        return false;
    }
    door->busy++;
    link_up(door, &visit->place, true, wire_number(visit->wire, 0));
    door->busy--;
    if (round == dial->round)
        dial->wanted = false;
    return true;
}

static void *run_dial(void *argument)
{
    struct dial *dial = argument;
    struct door *door = dial->door;
    while (!door->stopping && !dial->forgotten) {
        if (!dial->wanted) {
            fiber_wait(dial, UINT64_MAX);
            continue;
        }
        uint64_t round = dial->round;
        if (attempt(dial)) {
            dial->delay_ms = 0;
            continue;
        }
        uint64_t delay = dial->delay_ms == 0 ? DOOR_RETRY_MS : dial->delay_ms;
        dial->delay_ms = delay * 2 < DOOR_RETRY_MAX_MS ? delay * 2 : DOOR_RETRY_MAX_MS;
        uint64_t until = world.now_ns + delay * MS_NS - world_pick(delay * MS_NS / 2 + 1);
        while (round == dial->round && !door->stopping && !dial->forgotten &&
               fiber_wait(dial, until))
            ;
        if (round != dial->round)
            dial->delay_ms = 0;
    }
    return NULL;
}

/* ---- door.h ---- */

int door_start(const struct door_config *config, struct door **out, uint16_t *port,
               struct failure *failure)
{
    (void)failure;
    struct door *door = calloc(1, sizeof *door);
    CHECK(door != NULL && fiber_current() != NULL);
    door->config = *config;
    door->life = fiber_life(fiber_current());
    door->number = door->life->server;
    doors[door->number] = door;
    *out = door;
    *port = (uint16_t)(1000 + door->number);
    return 0;
}

void door_stop(struct door *door)
{
    if (door == NULL)
        return;
    door->stopping = true;
    for (struct dial *dial = door->dials; dial != NULL; dial = dial->next)
        fiber_wake(dial, true);
    for (struct guest *guest = door->guests; guest != NULL; guest = guest->next)
        CHECK(eventfd_write(guest->interrupt, 1) == 0);
    while (door->busy > 0)
        fiber_wait(&door->busy, world.now_ns + MS_NS);
    if (doors[door->number] == door)
        doors[door->number] = NULL;
}

int door_dial(struct door *door, uint64_t id, const char *address)
{
    (void)address;
    struct dial *dial = door->dials;
    while (dial != NULL && (dial->id != id || dial->forgotten))
        dial = dial->next;
    if (dial == NULL) {
        dial = calloc(1, sizeof *dial);
        CHECK(dial != NULL);
        dial->door = door;
        dial->id = id;
        dial->next = door->dials;
        door->dials = dial;
        fiber_start(door->life, run_dial, dial);
    }
    dial->wanted = true;
    dial->round++;
    fiber_wake(dial, true);
    return 0;
}

void door_forget(struct door *door, uint64_t id)
{
    for (struct dial *dial = door->dials; dial != NULL; dial = dial->next)
        if (dial->id == id) {
            dial->forgotten = true;
            fiber_wake(dial, true);
        }
}

/* ---- What goes with it ---- */

struct tls_context *__wrap_tls_context_cluster(const char *certificate, const char *key,
                                               const char *authority, struct failure *failure);
void __wrap_tls_context_free(struct tls_context *context);
void __wrap_tls_free(struct tls *tls);
int __wrap_close(int fd);
int __real_close(int fd);

struct tls_context *__wrap_tls_context_cluster(const char *certificate, const char *key,
                                               const char *authority, struct failure *failure)
{
    (void)certificate;
    (void)key;
    (void)authority;
    (void)failure;
    return (struct tls_context *)doors; /* never looked into */
}

void __wrap_tls_context_free(struct tls_context *context)
{
    (void)context;
}

void __wrap_tls_free(struct tls *tls)
{
    CHECK(tls == NULL);
}

int __wrap_close(int fd)
{
    struct wire_end *end = wire_end_of(fd);
    if (end == NULL)
        return __real_close(fd);
    wire_close(end);
    return 0;
}

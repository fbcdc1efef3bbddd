#include "weather.h"

#include "base/check.h"
#include "base/clock.h"
#include "clock.h"
#include "database_disk.h"
#include "log_disk.h"
#include "members.h"
#include "network.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const weather_names[WEATHER_COUNT] = {
#define X(name, about) #name,
    WEATHER_LIST(X)
#undef X
};

static struct {
    uint64_t until_ns, pause_ms; /* between two, at the most */
    unsigned weights[WEATHER_COUNT], sum;
    unsigned counts[WEATHER_COUNT];
    struct life life;
} weather;

const unsigned *weather_counts(void)
{
    return weather.counts;
}

static void rest(uint64_t least_ms, uint64_t most_ms)
{
    uint64_t until = world.now_ns + world_between(least_ms * 1000, most_ms * 1000) * 1000;
    fiber_wait(&until, until);
}

static struct server *some_server(void)
{
    return &cluster.servers[world_pick(cluster.count)];
}

static void log_dir_of(const struct server *server, char out[256])
{
    snprintf(out, 256, "%s/raft", server->dir);
}

/* ---- Servers ---- */

static void start_again(void *argument)
{
    struct server *server = argument;
    if (server->life == NULL && server->member && !server->kept_down)
        server_start(server);
}

static void start_later(struct server *server)
{
    uint64_t ms = world_one_in(3) ? world_between(1000, 8000) : world_between(5, 1000);
    world_after(ms * MS_NS, NULL, start_again, server);
}

static void crash(struct server *server, bool power_cut)
{
    if (server->life == NULL)
        return;
    server_crash(server, power_cut);
    start_later(server);
}

static void crash_within(void *context)
{
    struct server *server = context;
    world_note("server %u: in the middle of a write:", server->number + 1);
    crash(server, world_one_in(2));
}

/* Whoever stopped because of a fault is started again by somebody. */
static void start_if_down(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < cluster.count; i++) {
        struct server *server = &cluster.servers[i];
        if (server->life == NULL && server->member && !server->kept_down)
            server_start(server);
    }
}

static void disk_fails(struct server *server)
{
    char dir[256];
    if (!server->up)
        return;
    world_note("server %u: its disk is about to fail", server->number + 1);
    log_dir_of(server, dir);
    if (server->witness || world_one_in(2))
        log_disk_fail(log_disk_at(dir), true);
    else
        database_disk_fail(server->dir, 1 + (unsigned)world_pick(40));
    world_after(world_between(1000, 6000) * MS_NS, NULL, start_if_down, NULL);
}

/* ---- For a while ---- */

struct spell {
    void (*end)(struct server *server, unsigned other);
    struct server *server;
    unsigned other;
};

static void spell_ends(void *argument)
{
    struct spell spell = *(struct spell *)argument;
    free(argument);
    spell.end(spell.server, spell.other);
}

static void for_a_while(void (*end)(struct server *server, unsigned other), struct server *server,
                        unsigned other)
{
    struct spell *spell = malloc(sizeof *spell);
    CHECK(spell != NULL);
    *spell = (struct spell){end, server, other};
    uint64_t ms = world_one_in(3) ? world_between(1000, 6000) : world_between(30, 1000);
    world_after(ms * MS_NS, NULL, spell_ends, spell);
}

static void disk_is_fast(struct server *server, unsigned other)
{
    char dir[256];
    (void)other;
    log_dir_of(server, dir);
    log_disk_slow(log_disk_at(dir), 1);
}

static void net_is_fast(struct server *server, unsigned other)
{
    (void)other;
    network_slow(server->number, 1);
}

static void slow_disk(struct server *server)
{
    char dir[256];
    log_dir_of(server, dir);
    world_note("server %u: its disk is slow", server->number + 1);
    log_disk_slow(log_disk_at(dir), (unsigned)world_between(5, 100));
    for_a_while(disk_is_fast, server, 0);
}

/* WAYS: 1 what SERVER sends, 2 what it is sent, 3 both. */
static void cut_from(const struct server *server, unsigned other, unsigned ways, bool cut)
{
    if (ways & 1)
        network_cut(server->number, other, cut);
    if (ways & 2)
        network_cut(other, server->number, cut);
}

static void cut_one_ends(struct server *server, unsigned other)
{
    world_note("network: %u and %u hear each other again", server->number + 1, other + 1);
    cut_from(server, other, 3, false);
}

static void cut_off_ends(struct server *server, unsigned other)
{
    (void)other;
    world_note("network: %u is no longer cut off", server->number + 1);
    for (unsigned i = 0; i < SERVERS_MAX; i++)
        cut_from(server, i, 3, false);
}

static void cut(struct server *server)
{
    unsigned ways = 1 + (unsigned)world_pick(3);
    struct server *other = some_server();
    static const char *const how[] = {"", "sends nothing", "hears nothing",
                                      "sends and hears nothing"};
    if (other != server && world_one_in(2)) {
        world_note("network: %u %s to or from %u", server->number + 1, how[ways],
                   other->number + 1);
        cut_from(server, other->number, ways, true);
        for_a_while(cut_one_ends, server, other->number);
        return;
    }
    world_note("network: %u %s", server->number + 1, how[ways]);
    for (unsigned i = 0; i < SERVERS_MAX; i++)
        if (i != server->number)
            cut_from(server, i, ways, true);
    for_a_while(cut_off_ends, server, 0);
}

static void pause_server(struct server *server)
{
    if (server->life == NULL)
        return;
    uint64_t ms = world_one_in(3) ? world_between(500, 5000) : world_between(10, 500);
    world_note("server %u: stands still for %llu ms", server->number + 1, (unsigned long long)ms);
    server->life->still_until_ns = world.now_ns + ms * MS_NS;
}

static void jump_clock(const struct server *server)
{
    int64_t ms = (int64_t)world_between(0, 20000) - 10000;
    world_note("server %u: its clock is off by %lld ms", server->number + 1, (long long)ms);
    clock_set_offset(server->number, ms);
}

/* ---- All of it ---- */

static void happen(enum weather what)
{
    struct server *server = some_server();
    weather.counts[what]++;
    switch (what) {
    case WEATHER_kill:
        crash(server, false);
        return;
    case WEATHER_power:
        crash(server, true);
        return;
    case WEATHER_within:
        if (server->up && !server->witness)
            database_disk_crash_within(server->dir, 1 + (unsigned)world_pick(60), crash_within,
                                       server);
        return;
    case WEATHER_disk:
        disk_fails(server);
        return;
    case WEATHER_slow_disk:
        slow_disk(server);
        return;
    case WEATHER_cut:
        cut(server);
        return;
    case WEATHER_reset:
        world_note("network: the links of %u are reset", server->number + 1);
        network_reset(server->number, some_server()->number);
        return;
    case WEATHER_slow_net:
        world_note("network: what %u sends takes long", server->number + 1);
        network_slow(server->number, (unsigned)world_between(5, 60));
        for_a_while(net_is_fast, server, 0);
        return;
    case WEATHER_pause:
        pause_server(server);
        return;
    case WEATHER_clock:
        jump_clock(server);
        return;
    case WEATHER_stop:
        server_stop(server);
        world_after(world_between(6000, 9000) * MS_NS, NULL, start_if_down, NULL);
        return;
    case WEATHER_handover:
        members_hand_over();
        return;
    case WEATHER_member:
        members_change();
        return;
    case WEATHER_COUNT:
        return;
    }
}

static enum weather draw(void)
{
    unsigned at = (unsigned)world_pick(weather.sum);
    for (unsigned i = 0;; i++) {
        if (at < weather.weights[i])
            return (enum weather)i;
        at -= weather.weights[i];
    }
}

static void *run_weather(void *argument)
{
    (void)argument;
    rest(200, 1500);
    while (world.now_ns < weather.until_ns) {
        happen(draw());
        rest(1, weather.pause_ms);
    }
    return NULL;
}

void weather_start(uint64_t until_ns)
{
    weather.until_ns = until_ns;
    weather.pause_ms = 200u << world_pick(5);
    weather.life = (struct life){.server = SERVERS_MAX};
    for (unsigned i = 0; i < WEATHER_COUNT; i++) {
        weather.weights[i] = world_one_in(2) ? (unsigned)world_between(1, 8) : 0;
        if (i == WEATHER_member && cluster.founders < 3 &&
            (!cluster.with_witness || world_one_in(3)))
            weather.weights[i] = (unsigned)world_between(4, 16); /* it is to grow */
        weather.sum += weather.weights[i];
    }
    if (weather.sum > 0)
        fiber_start(&weather.life, run_weather, NULL);
}

/* From now on whoever stops, being late with it, is started again. */
static void keep_up(void *argument)
{
    start_if_down(argument);
    world_after(SEC_NS, NULL, keep_up, NULL);
}

void weather_clear(void)
{
    world_note("everything is repaired");
    for (unsigned i = 0; i < SERVERS_MAX; i++) {
        struct server *server = &cluster.servers[i];
        for (unsigned k = 0; k < SERVERS_MAX; k++)
            network_cut(i, k, false);
        char dir[256];
        log_dir_of(server, dir);
        log_disk_fail(log_disk_at(dir), false);
        database_disk_fail(server->dir, 0);
        disk_is_fast(server, 0);
        network_slow(i, 1);
        if (server->life != NULL)
            server->life->still_until_ns = 0;
    }
    keep_up(NULL);
}

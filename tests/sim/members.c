#include "members.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/book.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LEAST_MEMBERS = 3, SUCCESSOR_MS = 3000, LOOK_MS = 20 };

/* An order of the operator's, on a thread of the server that is primary when it is given. */
struct errand {
    struct server *primary;
    struct replica *replica;
    unsigned number; /* of the server that it is about */
};

static struct server *find_primary(void)
{
    int64_t time;
    for (unsigned i = 0; i < cluster.count; i++) {
        struct server *server = &cluster.servers[i];
        if (server->up && order_is_primary(server->order, &time))
            return server;
    }
    return NULL;
}

static void send_out(struct server *primary, unsigned number, void *(*run)(void *argument))
{
    struct errand *errand = calloc(1, sizeof *errand);
    CHECK(errand != NULL);
    *errand = (struct errand){primary, primary->replica, number};
    fiber_start(primary->life, run, errand);
}

static void say(const struct errand *errand, const char *what, int err,
                const struct failure *failure)
{
    world_note("operator at server %u: %s server %u: %s%s%s", errand->primary->number + 1, what,
               errand->number + 1, err_sentence(err), err != 0 ? ": " : "",
               err != 0 ? failure->text : "");
}

/* ---- Handover ---- */

static void *hand_over(void *argument)
{
    struct errand *errand = argument;
    struct failure failure = {0};
    int err = replica_handover(errand->replica, errand->number + 1, &failure);
    say(errand, "hand over to", err, &failure);
    free(errand);
    return NULL;
}

void members_hand_over(void)
{
    struct server *primary = find_primary();
    unsigned to = (unsigned)world_pick(cluster.count);
    if (primary != NULL && to != primary->number)
        send_out(primary, to, hand_over);
}

/* ---- Adding and removing ---- */

/* What a server that joins is told (main/join.h): where the others are. */
static void give_book(const struct server *server)
{
    struct book book;
    struct buf text;
    buf_init(&text, 1 << 16);
    book_open(&book, NULL);
    for (unsigned i = 0; i < cluster.count; i++) {
        struct server_place place = {.id = i + 1, .since_ms = 1};
        snprintf(place.address, sizeof place.address, "%s", cluster.servers[i].address);
        if (cluster.servers[i].member)
            book_note(&book, &place);
    }
    book_text(&book, &text);
    CHECK(book_write(server->book, buf_text(&text)) == 0);
    book_close(&book);
    buf_close(&text);
}

static void *add(void *argument)
{
    struct errand *errand = argument;
    struct failure failure = {0};
    struct server *server = &cluster.servers[errand->number];
    struct server_place place = {.id = server->number + 1, .since_ms = 1};
    snprintf(place.address, sizeof place.address, "%s", server->address);
    int err = server->witness ? replica_add_witness(errand->replica, &place, &failure)
                              : replica_add(errand->replica, &place, &failure);
    say(errand, server->witness ? "add witness" : "add", err, &failure);
    if (err == 0) {
        give_book(server);
        server->member = true;
        server_start(server);
    }
    free(errand);
    return NULL;
}

static void *take_out(void *argument)
{
    struct errand *errand = argument;
    struct failure failure = {0};
    int err = replica_remove(errand->replica, errand->number + 1, &failure);
    say(errand, "remove", err, &failure);
    if (err == 0)
        cluster.servers[errand->number].member = false;
    free(errand);
    return NULL;
}

/* One on its way in may know no other server than the one that would go. */
static bool somebody_joins(void)
{
    for (unsigned i = 0; i < cluster.count; i++)
        if (cluster.servers[i].member && !cluster.servers[i].joined)
            return true;
    return false;
}

/* The primary is taken out by the one that comes after it. */
static void *replace_and_take_out(void *argument)
{
    struct errand *errand = argument;
    struct failure failure = {0};
    struct server *next = NULL;
    int err = replica_handover(errand->replica, 0, &failure);
    say(errand, "hand over, to remove", err, &failure);
    for (unsigned ms = 0; err == 0 && ms < SUCCESSOR_MS; ms += LOOK_MS) {
        struct timespec rest = {.tv_nsec = LOOK_MS * (long)MS_NS};
        nanosleep(&rest, NULL); /* no wait: the pace of looking */
        next = find_primary();
        if (next != NULL && next != errand->primary)
            break;
    }
    if (next != NULL && next != errand->primary && !somebody_joins())
        send_out(next, errand->number, take_out);
    free(errand);
    return NULL;
}

/* The servers that have a database, and the witnesses. */
static unsigned count_members(bool witness)
{
    unsigned count = 0;
    for (unsigned i = 0; i < cluster.count; i++)
        count += cluster.servers[i].member && cluster.servers[i].witness == witness;
    return count;
}

static void add_one(struct server *primary, bool witness)
{
    if (cluster.count == SERVERS_MAX)
        return;
    cluster.servers[cluster.count].witness = witness;
    send_out(primary, cluster.count++, add);
}

static bool is_to_join(void)
{
    for (unsigned i = 0; i < cluster.count; i++)
        if (cluster.servers[i].witness)
            return false;
    return cluster.with_witness;
}

/* It joins as soon as there is somebody to take it in. */
static void invite_witness(void *argument)
{
    struct server *primary = find_primary();
    if (primary != NULL && is_to_join())
        add_one(primary, true);
    else if (is_to_join())
        world_after(LOOK_MS * MS_NS, NULL, invite_witness, argument);
}

void members_begin(void)
{
    if (cluster.with_witness && world_one_in(2))
        invite_witness(NULL);
}

void members_change(void)
{
    struct server *primary = find_primary();
    if (primary == NULL)
        return;
    if (is_to_join()) {
        add_one(primary, true);
        return;
    }
    unsigned members = count_members(false) + count_members(true);
    if (members <= LEAST_MEMBERS || world_one_in(2)) {
        add_one(primary, false);
        return;
    }
    unsigned number = (unsigned)world_pick(cluster.count);
    bool witness = cluster.servers[number].witness;
    if (count_members(false) <= 2 && !witness)
        return; /* of two that have everything neither goes */
    if (cluster.servers[number].member && !somebody_joins())
        send_out(primary, number, number == primary->number ? replace_and_take_out : take_out);
}

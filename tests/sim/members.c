#include "members.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/book.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEAST_MEMBERS = 3 };

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
    int err = replica_add(errand->replica, &place, &failure);
    say(errand, "add", err, &failure);
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

void members_change(void)
{
    struct server *primary = find_primary();
    unsigned members = 0, joining = 0;
    for (unsigned i = 0; i < cluster.count; i++) {
        members += cluster.servers[i].member;
        joining += cluster.servers[i].member && !cluster.servers[i].joined;
    }
    if (primary == NULL)
        return;
    if (members <= LEAST_MEMBERS || world_one_in(2)) {
        if (cluster.count < SERVERS_MAX)
            send_out(primary, cluster.count++, add);
        return;
    }
    /* Not while one is on its way in, which may know no other server than the one that goes. */
    unsigned number = (unsigned)world_pick(cluster.count);
    if (cluster.servers[number].member && joining == 0)
        send_out(primary, number, take_out);
}

#include "main/demo_plan.h"

#include "base/clock.h"
#include "main/demo_file.h"
#include "main/file.h"
#include "main/free_address.h"
#include "main/listening.h"
#include "main/server_dirs.h"
#include "net/socket.h"
#include "replica/book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- Addresses ---- */

/* 0: it has none, or any. */
static uint16_t port_of(const char *address)
{
    struct str host;
    uint16_t port = 0;
    return endpoint_split(str_of(address), &host, &port, NULL) ? 0 : port;
}

/* Somebody of PLAN has ADDRESS, or is to have it: by its port alone, because one who listens at
 * every address has it, too. */
static bool is_planned(const void *context, const char *address)
{
    const struct demo_plan *plan = context;
    uint16_t port = port_of(address);
    for (unsigned i = 0; i < plan->count; i++)
        if (port_of(plan->servers[i].listen) == port ||
            port_of(plan->servers[i].peer_listen) == port)
            return true;
    for (unsigned i = 0; i < plan->manager_count; i++)
        if (port_of(plan->managers[i].listen) == port || port_of(plan->managers[i].status) == port)
            return true;
    for (unsigned i = 0; i < DEMO_SERVICES; i++)
        if (port_of(plan->services[i].listen) == port)
            return true;
    return false;
}

/* The host of ADDRESS, "[::1]" with its brackets. */
static const char *host_of(const char *address, char *out, size_t size)
{
    const char *colon = strrchr(address, ':');
    return str_copy(out, size,
                    str_make(address, colon ? (size_t)(colon - address) : strlen(address)));
}

static const char *peer_host(const char *listen_host)
{
    return strchr(listen_host, '[') ? "[::1]" : "127.0.0.1";
}

enum { LEAVING_MS = 2000, LOOK_MS = 20 };

/* As free_address_is, but waits for it until UNTIL. */
static bool becomes_free(const char *address, uint64_t until)
{
    while (!free_address_is(address)) {
        if (clock_mono_ns() >= until)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * (long)MS_NS}, NULL);
    }
    return true;
}

/* What the user asked for must be free, or there is no demo. */
static int check_given(const char *listen, uint64_t until, struct failure *failure)
{
    struct endpoint at;
    int err = endpoint_resolve(str_of(listen), true, &at, failure);
    if (err || becomes_free(listen, until))
        return err;
    return socket_listen_check(&at, listen, failure);
}

/* HOST:PORT into OUT if that is free, else with any other port. PORT 0: any. */
static int choose(const struct demo_plan *plan, const char *host, unsigned port, char *out,
                  size_t size, struct failure *failure)
{
    char wish[OPTION_TEXT_SIZE + 8];
    snprintf(wish, sizeof wish, "%s:%u", host, port);
    out[0] = 0;
    if (!port || port > UINT16_MAX || is_planned(plan, wish) || !free_address_is(wish))
        return free_address(host, is_planned, plan, out, size, failure);
    str_copy(out, size, str_of(wish));
    return 0;
}

/* The port that the user gave a load manager, OFFSET further; 0: none was given. */
static unsigned given_port(const struct demo_plan *plan, unsigned offset)
{
    return plan->manager_count && plan->managers[0].given
               ? port_of(plan->managers[0].listen) + offset
               : 0;
}

/* Keeps what the server had if it is free still, or until UNTIL. */
static int plan_addresses(struct demo_plan *plan, struct demo_server *server, const char *host,
                          uint64_t until, struct failure *failure)
{
    int err = 0;
    struct demo_server had = *server;
    unsigned offset = server->process ? server->process : (unsigned)server->id;
    if (!server->given && (!had.listen[0] || !becomes_free(had.listen, until)))
        err = choose(plan, host, given_port(plan, offset), server->listen, sizeof server->listen,
                     failure);
    /* Of processes over one directory one has it, whichever that is. */
    if (!err && !plan->shared && (!had.peer_listen[0] || !becomes_free(had.peer_listen, until)))
        err = free_address(peer_host(host), is_planned, plan, server->peer_listen,
                           sizeof server->peer_listen, failure);
    return err;
}

enum { STATUS_OFFSET = 1000, MANAGER_OFFSET = 10 };
enum { SERVICE_FILE = 32 }; /* more than the longest name in a service's directory */

/* The same for load manager AT. Its status door is for this machine alone. */
static int plan_manager(struct demo_plan *plan, unsigned at, const char *host, uint64_t until,
                        struct failure *failure)
{
    struct demo_manager *manager = &plan->managers[at];
    unsigned port = given_port(plan, at * MANAGER_OFFSET);
    int err = 0;
    if (!manager->given && (!manager->listen[0] || !becomes_free(manager->listen, until)))
        err = choose(plan, host, port, manager->listen, sizeof manager->listen, failure);
    if (!err && (!manager->status[0] || !becomes_free(manager->status, until)))
        err = choose(plan, peer_host(host), port ? port + STATUS_OFFSET : 0, manager->status,
                     sizeof manager->status, failure);
    return err;
}

int demo_plan_services(struct demo_plan *plan, const bool wanted[static DEMO_SERVICES],
                       struct failure *failure)
{
    static const char *const names[] = {"bank", "warehouse"};
    static const unsigned offsets[] = {1200, 1220};
    char host[OPTION_TEXT_SIZE];
    const struct demo_server *first = &plan->servers[0];
    unsigned lone = !plan->manager_count && first->given ? port_of(first->listen) : 0;
    const char *here = peer_host(host_of(first->listen, host, sizeof host));
    uint64_t until = clock_mono_ns() + (plan->fresh ? 0 : LEAVING_MS * MS_NS);
    int err = 0;
    for (unsigned i = 0; !err && i < DEMO_SERVICES; i++) {
        struct demo_service *service = &plan->services[i];
        service->wanted = wanted[i];
        if (!wanted[i])
            continue;
        if (snprintf(service->dir, sizeof service->dir, "%s/%s", plan->dir, names[i]) >=
            (int)sizeof service->dir - SERVICE_FILE)
            return fail(failure, ERR_INVALID, "the path is too long: %s", plan->dir);
        if (!service->listen[0] || !becomes_free(service->listen, until))
            err = choose(plan, here, lone ? lone + offsets[i] : given_port(plan, offsets[i]),
                         service->listen, sizeof service->listen, failure);
        listening_url(service->listen, true, 0, "127.0.0.1", service->url, sizeof service->url);
    }
    return err;
}

int demo_plan_move_manager(struct demo_plan *plan, unsigned at, struct failure *failure)
{
    char host[OPTION_TEXT_SIZE];
    return plan_manager(plan, at, host_of(plan->managers[0].listen, host, sizeof host), 0, failure);
}

int demo_plan_move(struct demo_plan *plan, unsigned at, struct failure *failure)
{
    char host[OPTION_TEXT_SIZE];
    return plan_addresses(plan, &plan->servers[at],
                          host_of(plan->servers[0].listen, host, sizeof host), 0, failure);
}

/* ---- What is given ---- */

int demo_plan_status(struct demo_plan *plan, const char *status, struct failure *failure)
{
    struct endpoint at;
    int err = endpoint_resolve(str_of(status), true, &at, failure);
    if (!err && port_of(status) == 0)
        err = fail(failure, ERR_INVALID, "status is \"%s\", but must name a port", status);
    if (err || plan->manager_count == 0)
        return err;
    str_copy(plan->managers[0].status, sizeof plan->managers[0].status, str_of(status));
    return demo_file_write(plan, failure);
}

/* The user's address may be one that somebody else had the last time, when there was no load
 * manager, or fewer. */
static void make_way(struct demo_plan *plan)
{
    uint16_t port = 0;
    if (plan->manager_count && plan->managers[0].given)
        port = port_of(plan->managers[0].listen);
    else if (plan->count && plan->servers[0].given)
        port = port_of(plan->servers[0].listen);
    for (unsigned i = 0; port && i < plan->count; i++)
        if (!plan->servers[i].given && port_of(plan->servers[i].listen) == port)
            plan->servers[i].listen[0] = 0;
    for (unsigned i = 0; port && i < plan->manager_count; i++) {
        struct demo_manager *manager = &plan->managers[i];
        if (!manager->given && port_of(manager->listen) == port)
            manager->listen[0] = 0;
        if (port_of(manager->status) == port)
            manager->status[0] = 0;
    }
    for (unsigned i = 0; port && i < DEMO_SERVICES; i++)
        if (port_of(plan->services[i].listen) == port)
            plan->services[i].listen[0] = 0;
}

/* ---- The folder ---- */

/* What a server that was alone has in its directory; the database last, as it is what such a
 * directory is recognised by. */
static const char *const server_files[] = {
    "raft",  "media",       "spool",       "secret", "operator.token", "self-signed.pem",
    "terms", "shop.db-wal", "shop.db-shm", "shop.db"};

/* A move that was interrupted goes on where it ended. */
static int move_lone_server(struct demo_plan *plan, struct failure *failure)
{
    char from[FILE_PATH], to[FILE_PATH], first[FILE_PATH];
    struct stat about;
    int err = file_join(from, plan->dir, "shop.db", failure);
    if (err || access(from, F_OK))
        return err;
    err = file_join(to, plan->dir, "demo.json", failure);
    if (!err && access(to, F_OK) == 0)
        return fail(failure, ERR_EXISTS,
                    "%s holds a demo's servers and beside them another shop (shop.db); move one of "
                    "the two elsewhere",
                    plan->dir);
    err = err ? err : file_join(first, plan->dir, "server-1", failure);
    err = err ? err : file_make_dir(first, 0700, NULL, failure);
    for (unsigned i = 0; !err && i < sizeof server_files / sizeof server_files[0]; i++) {
        err = file_join(from, plan->dir, server_files[i], failure);
        err = err ? err : file_join(to, first, server_files[i], failure);
        if (!err && lstat(from, &about) == 0 && !S_ISLNK(about.st_mode) && rename(from, to))
            err = file_failed(failure, "move", from);
    }
    return err;
}

static int refuse_server(const char *dir, struct failure *failure)
{
    struct cluster *cluster = malloc(sizeof *cluster);
    if (!cluster)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = cluster_read(dir, cluster, failure);
    if (err == 0)
        err = fail(failure, ERR_STATE,
                   "%s is server %llu of the cluster \"%s\": run it by `stoa serve --dir %s`", dir,
                   (unsigned long long)cluster->own, cluster->name, dir);
    else if (err == ERR_NOTFOUND)
        err = 0;
    free(cluster);
    return err;
}

/* The operator's token where it was when there was one server: a link to a server's, which is the
 * same for all. Load managers read it whenever they start, so that it must lead to one that is
 * there, at each moment. */
static int link_token(const struct demo_plan *plan, struct failure *failure)
{
    char path[FILE_PATH], aside[FILE_PATH], token[FILE_PATH];
    unsigned at = 0;
    int err = file_join(path, plan->dir, "operator.token", failure);
    err = err ? err : file_join(aside, plan->dir, "operator.token.new", failure);
    if (err || plan->count == 0)
        return err;
    for (unsigned i = plan->count; i-- > 0;)
        if (file_join(token, plan->servers[i].dir, "operator.token", NULL) == 0 &&
            access(token, F_OK) == 0)
            at = i;
    snprintf(token, sizeof token, "server-%llu/operator.token",
             (unsigned long long)plan->servers[at].id);
    if (unlink(aside) && errno != ENOENT) /* of one that was interrupted */
        return file_failed(failure, "remove", aside);
    if (symlink(token, aside))
        return file_failed(failure, "make", aside);
    return rename(aside, path) ? file_failed(failure, "make", path) : 0;
}

/* ---- Servers ---- */

static struct demo_server *append(struct demo_plan *plan, uint64_t id, struct failure *failure)
{
    char name[32];
    if (plan->count == CLUSTER_SERVERS_MAX) {
        fail(failure, ERR_FULL, "a demo has at most %d servers", CLUSTER_SERVERS_MAX);
        return NULL;
    }
    struct demo_server *server = &plan->servers[plan->count];
    *server = (struct demo_server){.id = id};
    snprintf(name, sizeof name, "server-%llu", (unsigned long long)id);
    if (file_join(server->dir, plan->dir, name, failure))
        return NULL;
    plan->count++;
    return server;
}

/* Where the others reach it, as its own files say. */
static int recall_peer(struct demo_server *server, struct failure *failure)
{
    struct cluster *cluster = malloc(sizeof *cluster);
    if (!cluster)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = cluster_read(server->dir, cluster, failure);
    if (!err)
        str_copy(server->peer_listen, sizeof server->peer_listen, str_of(cluster->listen));
    free(cluster);
    return err;
}

int demo_plan_add(struct demo_plan *plan, uint64_t id, struct failure *failure)
{
    struct demo_server *server = append(plan, id, failure);
    int err = server ? recall_peer(server, failure) : ERR_FULL;
    return err ? err : demo_plan_move(plan, plan->count - 1, failure);
}

static void forget(struct demo_plan *plan, unsigned at)
{
    plan->count--;
    memmove(&plan->servers[at], &plan->servers[at + 1],
            (plan->count - at) * sizeof plan->servers[0]);
}

/* The link to the token leads elsewhere before the data go. */
int demo_plan_drop(struct demo_plan *plan, unsigned at, struct failure *failure)
{
    struct demo_server gone = plan->servers[at];
    forget(plan, at);
    int err = link_token(plan, failure);
    return err ? err : file_remove_tree(gone.dir, failure);
}

int demo_plan_retire(struct demo_plan *plan, unsigned at, struct failure *failure)
{
    char name[32], to[FILE_PATH];
    struct demo_server gone = plan->servers[at];
    forget(plan, at);
    plan->wanted = plan->count;
    snprintf(name, sizeof name, "removed-%llu", (unsigned long long)gone.id);
    int err = link_token(plan, failure);
    err = err ? err : file_join(to, plan->dir, name, failure);
    return !err && rename(gone.dir, to) ? file_failed(failure, "move", gone.dir) : err;
}

/* COUNT new servers, all of which begin together. */
static int found(struct demo_plan *plan, unsigned count, const char *listen,
                 struct failure *failure)
{
    const char *dirs[CLUSTER_SERVERS_MAX];
    struct server_place *places = calloc(count, sizeof *places);
    int err = places ? 0 : fail(failure, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; !err && i < count; i++) {
        struct demo_server *server = append(plan, i + 1, failure);
        err = server ? free_address(peer_host(listen), is_planned, plan, server->peer_listen,
                                    sizeof server->peer_listen, failure)
                     : ERR_FULL;
        if (err)
            break;
        dirs[i] = server->dir;
        places[i].id = server->id;
        str_copy(places[i].address, sizeof places[i].address, str_of(server->peer_listen));
    }
    err = err ? err : cluster_found("demo", dirs, places, count, failure);
    free(places);
    return err;
}

/* The servers that are there: those whose directory belongs to a cluster. */
static int find_servers(struct demo_plan *plan, struct failure *failure)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = server_dirs_of_demo(plan->dir, dirs, failure);
    for (unsigned i = 0; !err && i < dirs->count; i++) {
        struct demo_server *server = append(plan, dirs->at[i].id, failure);
        err = server ? recall_peer(server, failure) : ERR_FULL;
        if (err == ERR_NOTFOUND) { /* founding or joining was interrupted */
            forget(plan, plan->count - 1);
            err = 0;
        }
    }
    free(dirs);
    return err;
}

/* Servers without a first one: founding was interrupted, and is done again. */
static void forget_unfounded(struct demo_plan *plan)
{
    if (plan->count && plan->servers[0].id != 1 && plan->servers[0].id <= DEMO_SERVERS_MAX) {
        char path[FILE_PATH];
        if (file_join(path, plan->dir, "demo.json", NULL) == 0 && access(path, F_OK))
            plan->count = 0;
    }
}

/* Server 1 holds a shop that was alone until now: it founds the cluster, the others join it. */
static bool has_lone_shop(const struct demo_plan *plan)
{
    char path[FILE_PATH];
    return file_join(path, plan->dir, "server-1/shop.db", NULL) == 0 && access(path, F_OK) == 0;
}

/* Finds the servers, or founds them. *FRESH: there were none. */
static int settle_servers(struct demo_plan *plan, const char *listen, bool *fresh,
                          struct failure *failure)
{
    int err = find_servers(plan, failure);
    if (err)
        return err;
    forget_unfounded(plan);
    *fresh = plan->count == 0;
    plan->fresh = *fresh && !has_lone_shop(plan);
    if (*fresh && !plan->wanted)
        plan->wanted = DEMO_SERVERS;
    return *fresh ? found(plan, has_lone_shop(plan) ? 1 : plan->wanted, listen, failure) : 0;
}

/* Gives LISTEN to whom it belongs. */
static const char *give_listen(struct demo_plan *plan, const char *listen)
{
    bool given = !str_ends(str_of(listen), STR(":0"));
    struct demo_server *first = &plan->servers[0];
    char *place = plan->manager_count ? plan->managers[0].listen : first->listen;
    if (plan->manager_count)
        plan->managers[0].given = given;
    else
        first->given = given;
    return given ? str_copy(place, OPTION_TEXT_SIZE, str_of(listen)) : NULL;
}

static int plan_all(struct demo_plan *plan, const char *listen, struct failure *failure)
{
    char host[OPTION_TEXT_SIZE];
    bool fresh;
    int err = settle_servers(plan, listen, &fresh, failure);
    if (err)
        return err;
    const char *given = give_listen(plan, listen);
    demo_file_recall(plan);
    make_way(plan);
    if (!plan->wanted)
        plan->wanted = plan->count;
    host_of(listen, host, sizeof host);
    /* The servers of a demo that was killed may take a moment to end. */
    uint64_t until = clock_mono_ns() + (fresh ? 0 : LEAVING_MS * MS_NS);
    if (given)
        err = check_given(given, until, failure);
    for (unsigned i = 0; !err && i < plan->manager_count; i++)
        err = plan_manager(plan, i, host, until, failure);
    for (unsigned i = 0; !err && i < plan->count; i++)
        err = plan_addresses(plan, &plan->servers[i], host, until, failure);
    return err;
}

/* ---- Where the others are ---- */

static void note_address(struct book *book, const struct demo_server *server)
{
    struct server_place place = {.id = server->id};
    bool known = book_find(book, server->id, &place);
    if (known && strcmp(place.address, server->peer_listen) == 0)
        return;
    place.since_ms = clock_wall_ms() > place.since_ms ? clock_wall_ms() : place.since_ms + 1;
    str_copy(place.address, sizeof place.address, str_of(server->peer_listen));
    book_note(book, &place);
}

/* Servers tell each other of new addresses, but if all of them got one, nobody could be told. So
 * each finds them in its book when it starts. */
static int tell_books(const struct demo_plan *plan, struct failure *failure)
{
    struct buf text;
    int err = 0;
    buf_init(&text, BOOK_TEXT_MAX);
    for (unsigned i = 0; !err && i < plan->count; i++) {
        struct book book;
        char file[FILE_PATH];
        err = file_join(file, plan->servers[i].dir, "cluster/book", failure);
        if (err)
            break;
        book_open(&book, file);
        for (unsigned other = 0; other < plan->count; other++)
            if (other != i)
                note_address(&book, &plan->servers[other]);
        buf_clear(&text);
        book_text(&book, &text);
        book_close(&book);
        if (book_write(file, buf_text(&text)))
            err = fail_errno(failure, ERR_IO, "%s: cannot be written", file);
    }
    buf_close(&text);
    return err;
}

int demo_plan_open(const char *dir, unsigned wanted, unsigned managers, const char *listen,
                   struct demo_plan *plan, struct failure *failure)
{
    *plan = (struct demo_plan){.lock = -1, .wanted = wanted, .manager_count = managers};
    if (strlen(dir) >= sizeof plan->dir - 64)
        return fail(failure, ERR_INVALID, "the path is too long: %s", dir);
    strcpy(plan->dir, dir);
    int err = file_make_dir(dir, 0700, NULL, failure);
    err = err ? err : service_lock(dir, &plan->lock, failure);
    err = err ? err : refuse_server(dir, failure);
    err = err ? err : move_lone_server(plan, failure);
    err = err ? err : plan_all(plan, listen, failure);
    err = err ? err : demo_file_write(plan, failure);
    err = err ? err : tell_books(plan, failure);
    err = err ? err : link_token(plan, failure);
    if (err)
        demo_plan_close(plan);
    return err;
}

int demo_plan_share(struct demo_plan *plan, unsigned count, struct failure *failure)
{
    if (plan->count != 1)
        return fail(failure, ERR_STATE,
                    "%s has %u servers with a copy each, and --shared is for processes over one: "
                    "choose another --dir",
                    plan->dir, plan->count);
    plan->shared = true;
    plan->servers[0].process = 1;
    int err = 0;
    for (unsigned i = 1; !err && i < count; i++) {
        plan->servers[i] = plan->servers[0];
        plan->servers[i].process = i + 1;
        plan->servers[i].given = false;
        plan->servers[i].listen[0] = 0;
        err = demo_plan_move(plan, plan->count++, failure);
    }
    return err;
}

void demo_plan_close(struct demo_plan *plan)
{
    if (plan->lock >= 0)
        close(plan->lock);
    plan->lock = -1;
}

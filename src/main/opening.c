#include "main/opening.h"

#include "base/check.h"
#include "base/clock.h"
#include "http/asset.h"
#include "main/register.h"
#include "outside/identity.h"
#include "outside/import.h"
#include "shop/defaults.h"
#include "shop/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    READY_WAIT_MS = 500,
    LOOK_MS = 20,         /* how often a server looks whether another has opened the shop */
    FIRST_WORD_MS = 2000, /* a start that takes longer says why, and again after so long */
    LATER_WORD_MS = 5000,
    TERMS_MEMORY = 4 << 20,
};

/* ---- The rates of a new shop ---- */

/* The defaults end with tax rates, and those cannot be removed: where one is, they all are. */
static int has_rates(struct server *server, bool *has, struct failure *failure)
{
    struct reader *reader;
    struct arena arena;
    struct tax_rate *rates;
    unsigned count = 0;
    int err = reader_open(server->dir.database, &reader, failure);
    if (err)
        return err;
    arena_init(&arena, TERMS_MEMORY);
    err = reader_tax_rates(reader, &arena, &rates, &count);
    arena_close(&arena);
    reader_close(reader);
    *has = count > 0;
    return err ? fail(failure, err, "cannot read the rates of %s: %s", server->dir.database,
                      err_sentence(err))
               : 0;
}

/* Gives a shop without any history its default rates. */
static int give_defaults(struct server *server, struct failure *failure)
{
    struct buf record, result;
    bool has = false;
    int err = has_rates(server, &has, failure);
    if (err || has)
        return err;
    buf_init(&record, ORDER_COMMAND_MAX);
    buf_init(&result, ORDER_COMMAND_MAX);
    for (unsigned i = 0; !err && i < defaults_count(); i++) {
        struct command command;
        defaults_command(i, &command);
        buf_clear(&record);
        command_encode(&record, &command);
        CHECK(!record.failed);
        err = order_submit_wait(replica_order(server->replica), buf_text(&record), &result, NULL);
    }
    buf_close(&record);
    buf_close(&result);
    return err ? fail(failure, err, "cannot set the new shop's defaults: %s", err_sentence(err))
               : 0;
}

/* ---- The catalogue of a new shop ---- */

static int has_products(struct server *server, bool *has, struct failure *failure)
{
    struct reader *reader;
    struct shop_counts counts = {0};
    int err = reader_open(server->dir.database, &reader, failure);
    if (err)
        return err;
    err = reader_counts(reader, &counts);
    reader_close(reader);
    *has = counts.products > 0;
    return err ? fail(failure, err, "cannot count the products of %s: %s", server->dir.database,
                      err_sentence(err))
               : 0;
}

/* The demo catalogue as a file that can be opened by PATH; its descriptor, or -1. */
static int demo_file(char *path, size_t size)
{
    for (unsigned i = 0; i < asset_count; i++) {
        if (strcmp(assets[i].path, "catalogue/demo.csv"))
            continue;
        int fd = memfd_create("demo.csv", MFD_CLOEXEC);
        if (fd < 0 || write(fd, assets[i].bytes, assets[i].length) != (ssize_t)assets[i].length)
            return -1;
        snprintf(path, size, "/proc/self/fd/%d", fd);
        return fd;
    }
    return -1;
}

static void say_bad_row(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "%s\n", sentence);
}

/* Imports FILE ("demo": the one in the program) into a shop that has no products. */
static int stock_up(struct server *server, const char *file, struct failure *failure)
{
    char path[64];
    int demo = -1;
    bool has = false;
    int counted = has_products(server, &has, failure);
    if (counted || has)
        return counted;
    if (strcmp(file, "demo") == 0) {
        demo = demo_file(path, sizeof path);
        if (demo < 0)
            return fail_errno(failure, ERR_IO, "cannot unpack the demo catalogue");
    }
    struct import_options options = {
        .order = replica_order(server->replica),
        .database = server->dir.database,
        .name = demo >= 0 ? "demo.csv" : file,
        .bad = say_bad_row,
    };
    struct import_progress result = {0};
    settle_wake(server->settle);
    int err = import_run(&options, demo >= 0 ? path : file, &result, failure);
    if (demo >= 0)
        close(demo);
    if (!err)
        log_line(&server->log, LOG_INFO, "import", "%s: %llu products with %llu variants",
                 options.name, (unsigned long long)result.products,
                 (unsigned long long)result.variants);
    return err;
}

/* ---- Who opens it ---- */

static bool is_opened(struct server *server, struct failure *failure, int *err)
{
    char value[8];
    *err = register_get(replica_order(server->replica), server->dir.database, "shop/opened", false,
                        value, sizeof value, failure);
    if (*err != ERR_NOTFOUND)
        return *err == 0;
    *err = 0;
    return false;
}

/* Also of a shop that was opened by a program which knew of none. Not waited for on a secondary,
 * whose primary may be such a program; a primary's outbox puts it, too. */
static int give_identity(struct server *server, struct failure *failure)
{
    char value[ID_TEXT];
    struct ordering *order = replica_order(server->replica);
    int err = register_get(order, server->dir.database, IDENTITY_SHOP_ID, false, value,
                           sizeof value, failure);
    if (err != ERR_NOTFOUND)
        return err;
    return order_is_primary(order, NULL) ? identity_put(order, failure) : 0;
}

/* The rates, the catalogue, and word to the others that all is there. Whoever dies in the midst of
 * it has done nothing that its successor cannot do again. */
static int open_shop(struct server *server, struct failure *failure)
{
    const char *catalogue = server->settings->catalogue;
    struct registration opened = {.key = "shop/opened", .value = STR("1")};
    int err = give_defaults(server, failure);
    err = err ? err : give_identity(server, failure);
    if (!err && catalogue[0])
        err = stock_up(server, catalogue, failure);
    if (!err && server->member)
        err = register_put(replica_order(server->replica), &opened, failure);
    return err;
}

/* Says what the start waits for, when that takes long. */
static void say_waiting(struct server *server, uint64_t *next_ns, const char *what)
{
    uint64_t now = clock_mono_ns();
    if (now < *next_ns)
        return;
    *next_ns = now + LATER_WORD_MS * MS_NS;
    log_line(&server->log, LOG_INFO, "main", "not ready yet: %s", what);
}

/* Whether this server knows who belongs to the cluster, and with whom: it learns that a moment
 * after its copy is complete, and people ask as soon as it says that it is ready. */
static bool knows_cluster(struct server *server)
{
    struct cluster_status *status = malloc(sizeof *status);
    bool knows = false;
    if (!status)
        return true;
    replica_status(server->replica, status);
    for (unsigned i = 0; i < status->count; i++)
        knows |= status->servers[i].place.id == status->own;
    knows = knows && status->primary;
    free(status);
    return knows;
}

/* Waits for a primary and for this copy: 0, or ERR_BUSY after a while, to be asked again. */
static int wait_replica(struct server *server, uint64_t *next_ns, struct failure *failure)
{
    struct failure why = {0};
    int err = replica_wait_ready(server->replica, READY_WAIT_MS, &why);
    if (err != ERR_TIMEOUT) {
        if (err && failure)
            *failure = why;
        return err;
    }
    say_waiting(server, next_ns, why.text);
    return ERR_BUSY;
}

/* Another primary came, or most of the servers went: it is done again, by whoever is primary then.
 */
static bool is_passing(int err)
{
    return err == ERR_NOPRIMARY || err == ERR_TIMEOUT || err == ERR_BUSY || err == ERR_UNKNOWN_FATE;
}

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * (long)MS_NS}, NULL);
}

int opening_wait(struct server *server, struct failure *failure)
{
    uint64_t next_ns = clock_mono_ns() + FIRST_WORD_MS * MS_NS;
    if (!server->member)
        return open_shop(server, failure);
    for (;;) {
        int err = wait_replica(server, &next_ns, failure);
        if (err == ERR_BUSY)
            continue;
        if (err)
            return err;
        if (!knows_cluster(server)) {
            say_waiting(server, &next_ns, "it does not know yet who belongs to the cluster");
            pause_shortly();
            continue;
        }
        if (is_opened(server, failure, &err) || err) {
            err = err ? err : give_identity(server, failure);
            return is_passing(err) ? 0 : err;
        }
        if (order_is_primary(replica_order(server->replica), NULL)) {
            err = open_shop(server, failure);
            if (!is_passing(err))
                return err;
        }
        say_waiting(server, &next_ns, "the primary is putting the new shop in order");
        pause_shortly();
    }
}

int opening_begin(struct server *server, const struct settings *settings, int lock,
                  const struct engine *heir_of, struct forked *forked, struct failure *failure)
{
    int err = server_open_with(server, settings, lock, failure);
    if (err) {
        forked_close(forked);
        forked_free(forked);
        return err;
    }
    server->heir_of = heir_of;
    server->forked = forked;
    /* In a cluster it listens at once, and says by /healthz why it does not sell yet: what it waits
     * for may take long, and the others want to know where it is. */
    bool early = server->member != NULL;
    err = early ? server_listen(server, failure) : 0;
    err = err ? err : opening_wait(server, failure);
    err = err || early ? err : server_listen(server, failure);
    if (err)
        server_close(server);
    return err;
}

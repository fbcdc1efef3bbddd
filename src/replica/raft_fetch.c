/* The copy that comes before everything else: see replica_fetch_first. */
#include "base/clock.h"
#include "replica/begun.h"
#include "replica/book.h"
#include "replica/copy.h"
#include "replica/repair.h"
#include "replica/replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool has_voted(const struct replica_config *config)
{
    char vote[512];
    return snprintf(vote, sizeof vote, "%s/vote", config->dir) >= (int)sizeof vote ||
           access(vote, F_OK) == 0;
}

/* The database is gone from a server that had one, or is to have one. */
static bool is_missing(const struct replica_config *config, const char *file)
{
    return access(file, F_OK) != 0 && (config->cluster->founder_count == 0 || has_voted(config));
}

/* A copy, then; one that the log can go on from. Without a primary any server may be asked, also
 * one whose copy is older than the entry that our log begins with. */
static int want_copy(const struct replica_config *config, struct failure *failure)
{
    struct repair_found log = {0};
    int err = 0;
    if (has_voted(config)) {
        err = repair_look(config->dir, &log, failure);
        err = err != 0 ? err : begun_refuse_empty(config, log.last_index, failure);
    }
    return err != 0 ? err : copy_want(config->dir, log.contained, failure);
}

static unsigned other_places(const struct replica_config *config,
                             struct server_place others[static BOOK_PLACES])
{
    struct server_place places[BOOK_PLACES];
    unsigned count = 0;
    struct book *book = malloc(sizeof *book);
    if (book == NULL)
        return 0;
    book_open(book, config->cluster->book);
    for (unsigned i = 0; i < config->cluster->founder_count; i++)
        book_note(book, &config->cluster->founders[i]);
    unsigned all = book_places(book, places);
    for (unsigned i = 0; i < all; i++)
        if (places[i].id != config->id)
            others[count++] = places[i];
    book_close(book);
    free(book);
    return count;
}

int replica_fetch_first(struct replica_config *config, const char *file, struct failure *failure)
{
    const struct replica_cluster *cluster = config->cluster;
    struct server_place others[BOOK_PLACES];
    uint64_t least;
    config->tail = NULL;
    if (cluster == NULL)
        return 0;
    if (!has_voted(config) && begun_refuse(config, failure) != 0)
        return ERR_DAMAGED;
    bool wanted = copy_wanted(config->dir, &least);
    if (!wanted && is_missing(config, file)) {
        int err = want_copy(config, failure);
        if (err != 0)
            return err;
    } else if (!wanted && !copy_is_ahead(config->dir)) {
        return 0;
    }
    struct copy_need need = {.dir = config->dir,
                             .database = file,
                             .cluster = cluster->id,
                             .generation = cluster->generation,
                             .own = {.id = config->id, .pid = (uint64_t)getpid()},
                             .others = others,
                             .other_count = other_places(config, others),
                             .log = config->log};
    need.own.since_ms = clock_wall_ms();
    snprintf(need.own.address, sizeof need.own.address, "%s",
             cluster->address != NULL ? cluster->address : cluster->listen);
    need.tls = tls_context_cluster(cluster->certificate, cluster->key, cluster->authority, failure);
    return need.tls == NULL ? ERR_INVALID : copy_fetch_first(&need, &config->tail, failure);
}

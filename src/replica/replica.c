#include "replica/replica.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "replica/begun.h"
#include "replica/missing.h"
#include "replica/raft_change.h"
#include "replica/raft_copy.h"
#include "replica/raft_links.h"
#include "replica/raft_witness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STOP_PATIENCE_MS = 5000 };

static void set_defaults(struct replica_config *config)
{
    if (config->election_ms == 0) /* alone, there is nobody to be elected */
        config->election_ms = config->cluster != NULL ? 300 : 1000;
    if (config->heartbeat_ms == 0)
        config->heartbeat_ms = config->election_ms / 10;
    if (config->batch_bytes_max == 0)
        config->batch_bytes_max = 256 * 1024;
    if (config->waiting_max == 0)
        config->waiting_max = 65536;
    if (config->waiting_bytes_max == 0)
        config->waiting_bytes_max = 64 * 1024 * 1024;
    if (config->wait_ms == 0)
        config->wait_ms = ADMISSION_WAIT_MS;
    if (config->snapshot_threshold == 0)
        config->snapshot_threshold = 65536;
}

/* ---- The directory ---- */

/* Two servers on one directory would destroy it. The kernel drops the lock when the
 * process ends, however it ends. */
static int lock_dir(struct replica *replica, struct failure *failure)
{
    if (mkdir(replica->log_dir, 0700) != 0 && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "%s: cannot be made", replica->log_dir);
    replica->lock_fd = open(replica->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (replica->lock_fd < 0)
        return fail_errno(failure, ERR_IO, "%s: cannot be opened", replica->log_dir);
    if (flock(replica->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return fail(failure, ERR_BUSY, "%s: another running server uses this directory",
                    replica->config.dir);
    return 0;
}

/* What the very first start leaves when it is cut short before the record of votes. */
static bool of_first_start(const char *name)
{
    return name[0] == '.' || strncmp(name, "metadata", 8) == 0 || strncmp(name, "tmp-", 4) == 0 ||
           strcmp(name, "0000000000000001-0000000000000001") == 0;
}

/* A first start that was killed half-way is begun anew. Nothing else is ever removed. */
static int clear_cut_short_start(struct replica *replica, struct failure *failure)
{
    if (access(replica->vote_file, F_OK) == 0)
        return 0;
    int err = begun_refuse(&replica->config, failure);
    if (err != 0)
        return err;
    DIR *dir = opendir(replica->log_dir);
    if (dir == NULL)
        return fail_errno(failure, ERR_IO, "%s: cannot be read", replica->log_dir);
    /* A server that joins gets a copy before it has a log. */
    if (applier_applied(replica->applier) != 0 && !copy_is_ahead(replica->config.dir))
        err = fail(failure, ERR_DAMAGED,
                   "%s is missing, but the database has content: restore both from one backup",
                   replica->vote_file);
    for (struct dirent *entry = readdir(dir); err == 0 && entry != NULL; entry = readdir(dir))
        if (!of_first_start(entry->d_name))
            err = fail(failure, ERR_DAMAGED,
                       "%s is missing, but %s has content: restore both from one backup",
                       replica->vote_file, replica->log_dir);
    rewinddir(dir);
    for (struct dirent *entry = readdir(dir); err == 0 && entry != NULL; entry = readdir(dir))
        if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            err = fail_errno(failure, ERR_IO, "%s/%s: cannot be removed", replica->log_dir,
                             entry->d_name);
    closedir(dir);
    return err;
}

/* ---- Callbacks of the applier ---- */

static void caught_up(void *context)
{
    struct replica *replica = context;
    ordering_open(&replica->order);
    pthread_mutex_lock(&replica->mutex);
    replica->state = REPLICA_READY;
    if (replica->links == NULL) /* else raft_news.c says when */
        atomic_store(&replica->order.ready, true);
    pthread_cond_broadcast(&replica->changed);
    pthread_mutex_unlock(&replica->mutex);
}

static void machine_is_durable(void *context, uint64_t index)
{
    struct replica *replica = context;
    (void)index;
    atomic_store(&replica->durable_told, true);
    raft_thread_wake(replica);
}

/* ---- Start and stop ---- */

static struct replica *replica_make(const struct replica_config *config, struct failure *failure)
{
    struct replica *replica = calloc(1, sizeof *replica);
    if (replica == NULL) {
        fail(failure, ERR_NOMEM, "out of memory for the replica");
        return NULL;
    }
    replica->config = *config;
    set_defaults(&replica->config);
    replica->lock_fd = replica->vote.fd = -1;
    pthread_mutex_init(&replica->mutex, NULL);
    cond_init(&replica->changed);
    ordering_init(&replica->order, replica->config.waiting_max, replica->config.waiting_bytes_max,
                  replica->config.wait_ms, raft_thread_wake, replica);
    if (replica->config.cluster != NULL)
        leading_init(&replica->order.leading, leading_gap_ns(replica->config.election_ms),
                     replica->config.heartbeat_ms * MS_NS);
    return replica;
}

static void replica_free(struct replica *replica)
{
    raft_copy_stop(replica);
    links_free(replica);
    witness_free(replica);
    if (replica->copying == NULL)
        copy_tail_free(replica->config.tail);
    raft_copy_free(replica);
    if (replica->applier != NULL)
        applier_stop(replica->applier);
    guests_free(replica->guests);
    forward_free(replica->forward);
    if (replica->lock_fd >= 0)
        close(replica->lock_fd);
    ordering_destroy(&replica->order);
    pthread_cond_destroy(&replica->changed);
    pthread_mutex_destroy(&replica->mutex);
    free(replica);
}

static int start_applier(struct replica *replica, const struct machine *machine,
                         struct failure *failure)
{
    struct applier_config config = {
        .machine = machine != NULL ? *machine : witness_machine,
        .order = &replica->order,
        .fatal = raft_thread_fatal,
        .marked = caught_up,
        .durable = machine_is_durable,
        .context = replica,
    };
    int err = applier_start(&config, &replica->applier, failure);
    if (err != 0)
        return err;
    ordering_applied(&replica->order, applier_applied(replica->applier),
                     applier_applied_time(replica->applier));
    return 0;
}

static int start_raft_thread(struct replica *replica, struct failure *failure)
{
    int rc = thread_start(&replica->thread, "stoa-raft", raft_thread_run, replica);
    if (rc != 0)
        return fail(failure, ERR_NOMEM, "the Raft thread cannot be started: %s", strerror(rc));
    pthread_mutex_lock(&replica->mutex);
    while (replica->state == REPLICA_STARTING)
        pthread_cond_wait(&replica->changed, &replica->mutex);
    bool ready = replica->state == REPLICA_READY;
    pthread_mutex_unlock(&replica->mutex);
    if (ready)
        return 0;
    pthread_join(replica->thread, NULL);
    if (failure != NULL)
        *failure = replica->failure;
    return replica->failure.err;
}

int replica_start(const struct replica_config *config, const struct machine *machine,
                  struct replica **out, struct failure *failure)
{
    CHECK(config->fatal != NULL && config->id > 0 && (machine == NULL) == config->witness);
    struct replica *replica = replica_make(config, failure);
    if (replica == NULL)
        return ERR_NOMEM;
    int err = 0;
    if ((size_t)snprintf(replica->log_dir, sizeof replica->log_dir, "%s/raft", config->dir) >=
            sizeof replica->log_dir ||
        (size_t)snprintf(replica->vote_file, sizeof replica->vote_file, "%s/vote", config->dir) >=
            sizeof replica->vote_file)
        err = fail(failure, ERR_INVALID, "%s: the path is too long", config->dir);
    if (err == 0 && witness_new(replica) != 0)
        err = fail(failure, ERR_NOMEM, "out of memory for the replica");
    if (err == 0)
        err = lock_dir(replica, failure);
    if (err == 0)
        err = start_applier(replica, machine, failure);
    if (err == 0)
        err = raft_copy_begin(replica, failure);
    if (err == 0)
        err = clear_cut_short_start(replica, failure);
    if (err == 0)
        err = start_raft_thread(replica, failure);
    if (err != 0) {
        replica_free(replica);
        return err;
    }
    if (replica->links != NULL)
        replica->config.cluster = &replica->links->config; /* the caller's own may go */
    log_line(config->log, LOG_INFO, "replica", "%s entry %llu of term %llu",
             replica->links != NULL ? "running from" : "ready at",
             (unsigned long long)atomic_load(&replica->order.last_index),
             (unsigned long long)atomic_load(&replica->order.term));
    *out = replica;
    return 0;
}

struct ordering *replica_order(struct replica *replica)
{
    return &replica->order;
}

struct copies *replica_copies(struct replica *replica)
{
    return replica->copying->copies;
}

int replica_missing(struct replica *replica, struct failure *failure)
{
    struct cluster_status status;
    replica_status(replica, &status);
    return missing_say(&status, failure);
}

int replica_wait_ready(struct replica *replica, unsigned timeout_ms, struct failure *failure)
{
    uint64_t until_ns = clock_mono_ns() + timeout_ms * MS_NS;
    pthread_mutex_lock(&replica->mutex);
    while (!atomic_load(&replica->order.ready) &&
           cond_wait_until(&replica->changed, &replica->mutex, until_ns))
        continue;
    bool ready = atomic_load(&replica->order.ready);
    pthread_mutex_unlock(&replica->mutex);
    return ready ? 0 : replica_missing(replica, failure);
}

void replica_announce(struct replica *replica, const char *url)
{
    struct links *links = replica->links;
    if (links == NULL)
        return;
    pthread_mutex_lock(&links->mutex);
    int64_t now = clock_wall_ms();
    links->place.since_ms = now > links->place.since_ms ? now : links->place.since_ms + 1;
    snprintf(links->place.url, sizeof links->place.url, "%s", url);
    struct server_place place = links->place;
    pthread_mutex_unlock(&links->mutex);
    book_note(&links->book, &place);
    atomic_store(&links->place_changed, true); /* told with the next pulse */
}

void replica_leaving(struct replica *replica, bool leaving)
{
    struct links *links = replica->links;
    if (links == NULL)
        return;
    pthread_mutex_lock(&links->mutex);
    links->leaving = leaving;
    pthread_mutex_unlock(&links->mutex);
}

void replica_stop(struct replica *replica)
{
    /* The others need not find out by themselves; what comes meanwhile goes to the new one. */
    if (replica->links != NULL && atomic_load(&replica->order.primary_id) == replica->config.id)
        links_leave_primary(replica);
    ordering_close(&replica->order);
    if (!ordering_wait_empty(&replica->order, STOP_PATIENCE_MS))
        log_line(replica->config.log, LOG_WARN, "replica", "stopping with %llu commands unanswered",
                 (unsigned long long)atomic_load(&replica->order.waiting));
    if (atomic_load(&replica->dead))
        return;               /* its threads sleep until the process ends; nothing can be freed */
    raft_copy_stop(replica);  /* the door waits for those who are being sent a copy */
    links_shut_door(replica); /* first: then the end of our connections says that we are gone */
    if (atomic_load(&replica->dead))
        return;
    atomic_store(&replica->stop_asked, true);
    raft_thread_wake(replica);
    pthread_join(replica->thread, NULL);
    replica_free(replica);
}

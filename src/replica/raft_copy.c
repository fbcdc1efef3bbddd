#include "replica/raft_copy.h"

#include "base/clock.h"
#include "replica/guard.h"
#include "replica/message.h"
#include "replica/raft_links.h"
#include "replica/raft_witness.h"
#include "replica/snapshot.h"

#include <stdlib.h>

/* ---- Sending ---- */

static bool is_primary(void *context)
{
    const struct replica *replica = context;
    return atomic_load(&replica->order.primary_id) == replica->config.id;
}

/* Not one that is itself only being brought up to date. Without a primary nobody is told that it
 * has caught up: then every copy will do (it has the entry that is asked for), or the servers that
 * need one and those that need their votes would wait for each other for ever. */
static bool is_whole(void *context)
{
    const struct replica *replica = context;
    return atomic_load(&replica->order.ready) || atomic_load(&replica->order.primary_id) == 0;
}

static uint64_t applied(void *context)
{
    return applier_applied(((struct replica *)context)->applier);
}

/* Whether the members that this server knows have ID with a database. Of one that has only just
 * been taken in they may not have heard here: it asks again, and others. */
static bool has_database(struct replica *replica, uint64_t id)
{
    struct links *links = replica->links;
    bool whole = false;
    if (links == NULL)
        return false;
    pthread_mutex_lock(&links->mutex);
    for (unsigned i = 0; i < links->view.member_count; i++)
        whole |= links->view.members[i].id == id && !links->view.members[i].witness;
    pthread_mutex_unlock(&links->mutex);
    return whole;
}

void raft_copy_serve(void *context, const struct server_place *other, struct channel *channel)
{
    struct replica *replica = context;
    if (!has_database(replica, other->id)) /* a witness is to have none */
        log_line(replica->config.log, LOG_WARN, "replica",
                 "server %llu asks for a copy of the database, and gets none here: it is a "
                 "witness, or this server does not know it yet",
                 (unsigned long long)other->id);
    else if (replica->copying->sender != NULL)
        copy_send(replica->copying->sender, other, channel);
}

int raft_copy_begin(struct replica *replica, struct failure *failure)
{
    struct raft_copying *copying = calloc(1, sizeof *copying);
    const struct replica_cluster *cluster = replica->config.cluster;
    if (copying == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for copies");
    replica->copying = copying;
    copying->tail = replica->config.tail;
    int err = copies_new(replica->applier, replica->config.dir,
                         cluster != NULL ? cluster->copy_rate : 0, &copying->copies, failure);
    if (err == 0 && cluster != NULL)
        err = copy_sender_new(&(struct copy_sender_config){.copies = copying->copies,
                                                           .log = replica->config.log,
                                                           .primary = is_primary,
                                                           .whole = is_whole,
                                                           .applied = applied,
                                                           .context = replica},
                              &copying->sender, failure);
    copying->ahead = copy_is_ahead(replica->config.dir);
    if (err == 0 && copying->tail != NULL)
        err = copy_tail_start(copying->tail, replica->applier, failure);
    return err;
}

/* ---- Receiving ---- */

/* libraft's decision what to do with it is made in the state of that later moment. */
static void pass(struct replica *replica)
{
    struct raft_copying *copying = replica->copying;
    struct raft_message message = copying->held;
    const char *why = "";
    copying->holding = false;
    if (guard_message(&replica->raft, copying->from, &message, &why) == GUARD_PASS)
        io_receive(&replica->io, &message);
    else
        message_free(&message);
}

bool raft_copy_hold(struct replica *replica, uint64_t server, struct raft_message *message)
{
    struct raft_copying *copying = replica->copying;
    const struct raft_buffer *data = &message->install_snapshot.data;
    struct snapshot snapshot;
    if (snapshot_decode(&snapshot, str_make(data->base, data->len)) != 0) {
        log_line(replica->config.log, LOG_ERROR, "replica",
                 "server %llu sent a snapshot that cannot be read (of a newer version?)",
                 (unsigned long long)server);
        message_free(message);
        return true;
    }
    if (witness_here(replica) || snapshot.index <= applier_applied(replica->applier))
        return false;
    if (copying->holding)
        message_free(&copying->held);
    copying->holding = true;
    copying->from = server;
    copying->index = snapshot.index;
    copying->held = *message;
    return true;
}

/* Notes it on disk: this process is not of use any more, and begins anew. */
static void need_copy(struct replica *replica)
{
    struct raft_copying *copying = replica->copying;
    struct failure failure = {0};
    log_line(replica->config.log, LOG_WARN, "replica",
             "the database has entry %llu, and the others' log begins after entry %llu: a copy of "
             "the database is needed",
             (unsigned long long)applier_applied(replica->applier),
             (unsigned long long)copying->index);
    if (copy_want(replica->config.dir, copying->index, &failure) != 0)
        raft_thread_fatal(replica, failure.text);
    if (replica->config.again == NULL)
        raft_thread_fatal(replica, "start this server again: it then fetches a copy");
    atomic_store(&replica->dead, true);
    replica->config.again(replica->config.fatal_context);
    raft_thread_fatal(replica, "the program cannot be started again from within; start it again");
}

static bool tail_comes(const struct raft_copying *copying)
{
    return copying->tail != NULL && copy_tail_running(copying->tail);
}

/* From here on the log has all that the database has: they are an ordinary pair again. */
static void log_has_caught_up(struct replica *replica)
{
    struct raft_copying *copying = replica->copying;
    copying->ahead = false;
    if (copying->tail != NULL)
        copy_tail_stop(copying->tail);
    copy_caught_up(replica->config.dir);
    log_line(replica->config.log, LOG_INFO, "replica",
             "the copied database and this server's log meet at entry %llu",
             (unsigned long long)raft_last_applied(&replica->raft));
}

void raft_copy_watch(struct replica *replica)
{
    struct raft_copying *copying = replica->copying;
    uint64_t has = applier_applied(replica->applier);
    io_log_reaches(&replica->io, raft_last_index(&replica->raft));
    if (copying->ahead && raft_last_applied(&replica->raft) >= has && has > 0)
        log_has_caught_up(replica);
    if (!copying->holding)
        return;
    if (has >= copying->index)
        pass(replica);
    else if (!tail_comes(copying) && replica->last_command <= has)
        need_copy(replica);
}

/* ---- The end ---- */

void raft_copy_stop(struct replica *replica)
{
    if (replica->copying == NULL)
        return;
    if (replica->copying->copies != NULL)
        copies_stop(replica->copying->copies);
    if (replica->copying->tail != NULL)
        copy_tail_stop(replica->copying->tail);
}

void raft_copy_free(struct replica *replica)
{
    struct raft_copying *copying = replica->copying;
    if (copying == NULL)
        return;
    copy_tail_free(copying->tail);
    if (copying->holding)
        message_free(&copying->held);
    copy_sender_free(copying->sender);
    copies_free(copying->copies);
    free(copying);
    replica->copying = NULL;
}

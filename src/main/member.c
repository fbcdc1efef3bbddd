#include "main/member.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "main/register.h"
#include "main/waker.h"
#include "main/welcome.h"
#include "main/wishes.h"
#include "replica/door.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOK_MS = 500 }; /* how often the registry is looked at for the operator's wishes */

struct member {
    const struct cluster *cluster;
    const struct datadir *dir;
    const struct settings *settings;
    const struct log *log;
    char listen[SERVER_ADDRESS], address[SERVER_ADDRESS];
    struct replica *replica;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool begun, stopping;     /* under mutex */
    unsigned asking;          /* questions that are being answered; under mutex */
    int visitors[DOOR_JOINS]; /* sockets of those that want to join; -1: none; under mutex */
    pthread_t watcher;
    bool watching;
    struct waker *waker;
};

/* ---- Addresses ---- */

static int choose_addresses(struct member *member, struct failure *failure)
{
    const struct settings *s = member->settings;
    const char *listen = s->peer_listen[0] ? s->peer_listen : member->cluster->listen;
    const char *given = s->peer_address[0]  ? s->peer_address
                        : s->peer_listen[0] ? ""
                                            : member->cluster->address;
    snprintf(member->listen, sizeof member->listen, "%s", listen);
    return cluster_reach(listen, given, member->address, failure);
}

void member_host(const struct member *member, char *out, size_t size)
{
    const char *colon = strrchr(member->address, ':');
    size_t len = colon ? (size_t)(colon - member->address) : strlen(member->address);
    str_copy(out, size, str_make(member->address, len));
}

/* ---- Asking ---- */

/* Whether a question may be answered now; then member_leave after it. */
static bool enter(struct member *member)
{
    pthread_mutex_lock(&member->mutex);
    bool open = member->begun && !member->stopping;
    member->asking += open;
    pthread_mutex_unlock(&member->mutex);
    return open;
}

static void leave(struct member *member)
{
    pthread_mutex_lock(&member->mutex);
    if (--member->asking == 0)
        pthread_cond_broadcast(&member->changed);
    pthread_mutex_unlock(&member->mutex);
}

static int not_now(struct failure *failure)
{
    return fail(failure, ERR_CLOSED, "this server is starting or stopping; ask again");
}

/* ---- What web/ asks ---- */

static void answer_status(void *context, struct cluster_status *status)
{
    struct member *member = context;
    *status = (struct cluster_status){.cluster = member->cluster->id, .own = member->cluster->own};
    if (!enter(member))
        return;
    replica_status(member->replica, status);
    leave(member);
}

static int do_handover(void *context, uint64_t to, struct failure *failure)
{
    struct member *member = context;
    if (!enter(member))
        return not_now(failure);
    int err = replica_handover(member->replica, to, failure);
    leave(member);
    return err;
}

/* Its number never comes again. It is gone whether this can be written or not. */
static void forget_wishes(struct member *member, uint64_t id)
{
    char key[WISH_KEY];
    struct readiness_table readiness;
    struct registration what = {.key = wishes_ready_key(id, key)};
    replica_readiness(member->replica, &readiness);
    if (readiness_of(&readiness, id).kind != READINESS_HOT)
        register_put(replica_order(member->replica), &what, NULL);
}

static int do_remove(void *context, uint64_t id, struct failure *failure)
{
    struct member *member = context;
    if (!enter(member))
        return not_now(failure);
    int err = replica_remove(member->replica, id, failure);
    if (!err)
        forget_wishes(member, id);
    leave(member);
    return err;
}

/* Whether the member ID may be primary. */
static bool may_lead(struct member *member, uint64_t id)
{
    struct cluster_status status;
    replica_status(member->replica, &status);
    for (unsigned i = 0; i < status.count; i++)
        if (status.servers[i].place.id == id)
            return status.servers[i].role != SERVER_WITNESS;
    return true;
}

static int do_prefer(void *context, uint64_t id, struct failure *failure)
{
    struct member *member = context;
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    struct registration what = {.key = "cluster/preferred", .value = id ? str_of(text) : STR("")};
    if (!enter(member))
        return not_now(failure);
    int err =
        may_lead(member, id)
            ? register_put(replica_order(member->replica), &what, failure)
            : fail(failure, ERR_STATE, "server %llu is a witness, which has no shop to sell from",
                   (unsigned long long)id);
    if (!err)
        replica_prefer(member->replica, id);
    leave(member);
    return err;
}

/* Judged by the newest table, as another operator may have changed it just now. */
static int make_ready(struct member *member, const struct server_readiness *server,
                      struct failure *failure)
{
    struct ordering *order = replica_order(member->replica);
    struct cluster_status status;
    struct wishes wishes;
    char key[WISH_KEY], text[READINESS_TEXT];
    struct registration what = {.key = wishes_ready_key(server->id, key)};
    if (server->kind != READINESS_HOT)
        what.value = str_of(readiness_write(server, text));
    int err = register_catch_up(order, failure);
    err = err ? err : wishes_read(member->dir->database, &wishes, failure);
    if (err)
        return err;
    replica_status(member->replica, &status);
    err = wishes_may_be(&status, &wishes.readiness, server, failure);
    err = err ? err : register_put(order, &what, failure);
    if (!err && !readiness_set(&wishes.readiness, server))
        replica_set_readiness(member->replica, &wishes.readiness);
    return err;
}

static int do_ready(void *context, const struct server_readiness *server, struct failure *failure)
{
    struct member *member = context;
    if (!enter(member))
        return not_now(failure);
    int err = make_ready(member, server, failure);
    leave(member);
    return err;
}

static int do_failback(void *context, enum failback failback, struct failure *failure)
{
    struct member *member = context;
    struct registration what = {.key = "cluster/failback"};
    if (failback != FAILBACK_AT_ONCE)
        what.value = str_of(failback_names[failback]);
    if (!enter(member))
        return not_now(failure);
    int err = register_put(replica_order(member->replica), &what, failure);
    leave(member);
    return err;
}

static struct welcome welcome_of(const struct member *member)
{
    return (struct welcome){.cluster = member->cluster,
                            .dir = member->dir,
                            .replica = member->replica,
                            .log = member->log};
}

static int do_token(void *context, uint64_t lifetime_s, bool witness, struct buf *text,
                    struct failure *failure)
{
    struct member *member = context;
    if (!enter(member))
        return not_now(failure);
    struct welcome welcome = welcome_of(member);
    int err = welcome_token(&welcome, lifetime_s, witness, text, failure);
    leave(member);
    return err;
}

/* The place in which WAS is kept is IS's from now on. */
static void replace_visitor(struct member *member, int was, int is)
{
    pthread_mutex_lock(&member->mutex);
    for (unsigned i = 0; i < COUNT_OF(member->visitors); i++)
        if (member->visitors[i] == was) {
            member->visitors[i] = is;
            break;
        }
    if (is >= 0 && member->stopping) /* hang_up came before it */
        shutdown(is, SHUT_RDWR);
    pthread_mutex_unlock(&member->mutex);
}

/* Whoever waits for a word of a visitor waits no longer. The lock is held. */
static void hang_up(struct member *member)
{
    for (unsigned i = 0; i < COUNT_OF(member->visitors); i++)
        if (member->visitors[i] >= 0)
            shutdown(member->visitors[i], SHUT_RDWR);
}

/* Replica's: one that wants to join. */
static void take_newcomer(void *context, struct channel *channel)
{
    struct member *member = context;
    if (!enter(member))
        return;
    struct welcome welcome = welcome_of(member);
    replace_visitor(member, -1, channel->fd);
    welcome_newcomer(&welcome, channel);
    replace_visitor(member, channel->fd, -1);
    leave(member);
}

/* As a signal from outside would: serve.c waits for it. */
static void do_stop(void *context)
{
    (void)context;
    kill(getpid(), SIGTERM);
}

static void do_leaving(void *context, bool leaving)
{
    struct member *member = context;
    if (!enter(member))
        return;
    replica_leaving(member->replica, leaving);
    leave(member);
}

void member_missing(void *context, struct buf *reason)
{
    struct member *member = context;
    struct failure failure = {0};
    if (!enter(member))
        return;
    replica_missing(member->replica, &failure);
    leave(member);
    buf_puts(reason, failure.text);
}

void member_web(struct member *member, struct web_cluster *out)
{
    *out = (struct web_cluster){
        .context = member,
        .id = member->cluster->id,
        .generation = member->cluster->generation,
        .name = member->cluster->name,
        .status = answer_status,
        .handover = do_handover,
        .remove = do_remove,
        .prefer = do_prefer,
        .ready = do_ready,
        .failback = do_failback,
        .token = do_token,
        .leaving = do_leaving,
        .stop = do_stop,
    };
}

/* ---- What the operator wants ---- */

static void tell_wishes(struct member *member, struct wishes *told)
{
    struct wishes now;
    if (wishes_read(member->dir->database, &now, NULL))
        return;
    if (now.preferred != told->preferred)
        replica_prefer(member->replica, now.preferred);
    /* A primary before, whose database lacked it, may have told otherwise since: this one knows. */
    struct readiness_table held;
    replica_readiness(member->replica, &held);
    bool knows = order_is_primary(replica_order(member->replica), NULL);
    if (!readiness_same(&now.readiness, &told->readiness) ||
        (knows && !readiness_same(&now.readiness, &held)))
        replica_set_readiness(member->replica, &now.readiness);
    *told = now;
}

/* The operator may have said so on another server: it comes with the log. */
static void *watch(void *argument)
{
    struct member *member = argument;
    struct wishes told = {0};
    pthread_mutex_lock(&member->mutex);
    while (!member->stopping) {
        pthread_mutex_unlock(&member->mutex);
        tell_wishes(member, &told);
        uint64_t until_ns = clock_mono_ns() + LOOK_MS * MS_NS;
        pthread_mutex_lock(&member->mutex);
        if (!member->stopping)
            cond_wait_until(&member->changed, &member->mutex, until_ns);
    }
    pthread_mutex_unlock(&member->mutex);
    return NULL;
}

/* ---- Life ---- */

int member_new(const struct cluster *cluster, const struct datadir *dir,
               const struct settings *settings, const struct log *log, struct member **out,
               struct failure *failure)
{
    *out = NULL;
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return fail(failure, ERR_NOMEM, "out of memory");
    member->cluster = cluster;
    member->dir = dir;
    member->settings = settings;
    member->log = log;
    memset(member->visitors, -1, sizeof member->visitors);
    int err = choose_addresses(member, failure);
    if (err) {
        free(member);
        return err;
    }
    pthread_mutex_init(&member->mutex, NULL);
    cond_init(&member->changed);
    *out = member;
    return 0;
}

void member_replica(struct member *member, struct replica_cluster *out)
{
    const struct cluster *cluster = member->cluster;
    const struct settings *s = member->settings;
    *out = (struct replica_cluster){
        .id = cluster->id,
        .generation = cluster->generation,
        .listen = member->listen,
        .address = member->address,
        .certificate = cluster->certificate,
        .key = cluster->key,
        .authority = cluster->authority,
        .book = cluster->book,
        .founders = cluster->founders,
        .founder_count = cluster->founder_count,
        .voters_max = strcmp(s->voters, "3") == 0   ? 3
                      : strcmp(s->voters, "5") == 0 ? 5
                                                    : 0,
        .replace_ms = (uint32_t)s->replace_ms,
        .copy_rate = s->copy_rate,
        .join = take_newcomer,
        .join_context = member,
    };
}

static int start_waker(struct member *member, struct failure *failure)
{
    struct waker_config config = {
        .replica = member->replica,
        .commands = &member->settings->wake,
        .after_ms = (uint32_t)member->settings->wake_after_ms,
        .log = member->log,
        .rest = do_stop,
        .context = member,
    };
    return waker_start(&config, &member->waker, failure);
}

int member_begin(struct member *member, struct replica *replica, struct failure *failure)
{
    pthread_mutex_lock(&member->mutex);
    member->replica = replica;
    member->begun = true;
    pthread_mutex_unlock(&member->mutex);
    if (thread_start(&member->watcher, "stoa-member", watch, member))
        return fail(failure, ERR_NOMEM, "cannot start a thread");
    member->watching = true;
    return start_waker(member, failure);
}

void member_stop(struct member *member)
{
    if (!member)
        return;
    waker_stop(member->waker);
    member->waker = NULL;
    pthread_mutex_lock(&member->mutex);
    member->stopping = true;
    pthread_cond_broadcast(&member->changed);
    hang_up(member);
    while (member->asking)
        pthread_cond_wait(&member->changed, &member->mutex);
    pthread_mutex_unlock(&member->mutex);
    if (member->watching)
        pthread_join(member->watcher, NULL);
    member->watching = false;
}

void member_free(struct member *member)
{
    if (!member)
        return;
    CHECK(!member->watching);
    pthread_cond_destroy(&member->changed);
    pthread_mutex_destroy(&member->mutex);
    free(member);
}

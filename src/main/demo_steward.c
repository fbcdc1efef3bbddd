#include "main/demo_steward.h"

#include "base/clock.h"
#include "base/thread.h"
#include "main/cluster_view.h"
#include "main/demo_child.h"
#include "main/file.h"
#include "main/free_address.h"
#include "main/join.h"
#include "main/server_dirs.h"
#include "main/token.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

enum {
    LOOK_MS = 250,
    HASTE_MS = 20,
    COMPLAIN_MS = 5000,
    ASK_MS = 400,
    CHANGE_MS = 15000,
    TRY_AGAIN_MS = 2000,
    GONE_MS = 3000, /* so long a server is no member before it is dropped */
    ANSWER_MAX = 32 << 10,
};

struct steward {
    const char *dir;
    const struct furnishing *furnishing;
    int wake;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool shop_ready, errand_taken, hurry; /* these and errand: under mutex */
    struct errand errand;

    /* The thread's own: */
    unsigned wanted; /* 0: as many as there are */
    bool furnished;
    uint64_t not_before_ns, gone_since_ns, gone_id, complained_ns;
    struct cluster_view before, now;
};

/* ---- Main's side ---- */

void steward_shop_ready(struct steward *steward)
{
    pthread_mutex_lock(&steward->mutex);
    steward->shop_ready = true;
    pthread_mutex_unlock(&steward->mutex);
}

void steward_hurry(struct steward *steward)
{
    pthread_mutex_lock(&steward->mutex);
    steward->hurry = true;
    pthread_cond_broadcast(&steward->changed);
    pthread_mutex_unlock(&steward->mutex);
}

struct errand steward_take(struct steward *steward)
{
    pthread_mutex_lock(&steward->mutex);
    struct errand errand = {.kind = ERRAND_NONE};
    if (!steward->errand_taken)
        errand = steward->errand;
    steward->errand_taken = errand.kind != ERRAND_NONE || steward->errand_taken;
    pthread_mutex_unlock(&steward->mutex);
    return errand;
}

void steward_done(struct steward *steward)
{
    pthread_mutex_lock(&steward->mutex);
    steward->errand = (struct errand){.kind = ERRAND_NONE};
    steward->errand_taken = false;
    pthread_cond_broadcast(&steward->changed);
    pthread_mutex_unlock(&steward->mutex);
}

/* ---- Asking main ---- */

/* Has main do it, and waits until it did. */
static void send_errand(struct steward *steward, struct errand errand)
{
    pthread_mutex_lock(&steward->mutex);
    steward->errand = errand;
    eventfd_write(steward->wake, 1);
    while (steward->errand.kind != ERRAND_NONE)
        pthread_cond_wait(&steward->changed, &steward->mutex);
    pthread_mutex_unlock(&steward->mutex);
}

/* ---- What changes ---- */

static const struct view_server *find(const struct cluster_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].id == id)
            return &view->servers[i];
    return NULL;
}

static void say_role(const struct view_server *server, const struct view_server *was)
{
    bool known = was && was->pid == server->pid && strcmp(was->state, "up") == 0;
    if (strcmp(server->role, "primary") == 0 && known)
        demo_say("server %llu is primary now (term %llu)", (unsigned long long)server->id,
                 (unsigned long long)server->term);
    else
        demo_say("server %llu (pid %llu) is %s %s at %s", (unsigned long long)server->id,
                 (unsigned long long)server->pid,
                 strcmp(server->role, "primary") == 0 ? "the" : "a", server->role, server->url);
}

static void say_change(const struct view_server *server, const struct view_server *was)
{
    bool same = was && strcmp(was->role, server->role) == 0 &&
                strcmp(was->state, server->state) == 0 && was->pid == server->pid;
    if (same)
        return;
    if (strcmp(server->state, "up") == 0)
        say_role(server, was);
    else if (strcmp(server->state, "copying") == 0)
        demo_say("server %llu is getting a copy of the database", (unsigned long long)server->id);
    else if (strcmp(server->state, "joining") == 0)
        demo_say("server %llu is joining", (unsigned long long)server->id);
    else if (strcmp(server->state, "leaving") == 0)
        demo_say("server %llu is leaving", (unsigned long long)server->id);
}

static void say_changes(struct steward *steward)
{
    if (!steward->now.answered)
        return;
    if (steward->before.answered && steward->before.primary && !steward->now.primary)
        demo_say("there is no primary; the others elect one");
    for (unsigned i = 0; i < steward->now.count; i++) {
        const struct view_server *server = &steward->now.servers[i];
        say_change(server, find(&steward->before, server->id));
    }
    steward->before = steward->now;
}

/* ---- Growing ---- */

static int get_token(const struct remote *remote, char *token, size_t size, struct failure *failure)
{
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    int err = remote_call(remote, "/api/v1/cluster/token", "{\"lifetime\":60}", CHANGE_MS, &answer,
                          failure);
    yyjson_doc *doc = err ? NULL : yyjson_read(answer.at, answer.len, 0);
    const char *text = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "token"));
    if (!err && (!text || strlen(text) >= size))
        err = fail(failure, ERR_INTERNAL, "the server gave no token");
    if (!err)
        strcpy(token, text);
    yyjson_doc_free(doc);
    buf_close(&answer);
    return err;
}

/* Where the new server listens for the others: on the host of those that are there. */
static int choose_address(const struct steward *steward, char *out, size_t size,
                          struct failure *failure)
{
    bool v6 = steward->now.count && steward->now.servers[0].address[0] == '[';
    return free_address(v6 ? "[::1]" : "127.0.0.1", NULL, NULL, out, size, failure);
}

static int grow(struct steward *steward, struct failure *failure)
{
    char joining[FILE_PATH], final[FILE_PATH], name[32], token[TOKEN_TEXT], listen[64];
    uint64_t id = 0;
    int err = file_join(joining, steward->dir, "joining", failure);
    err = err ? err : file_remove_tree(joining, failure); /* of one that was interrupted */
    err = err ? err : choose_address(steward, listen, sizeof listen, failure);
    err = err ? err : get_token(&steward->now.remote, token, sizeof token, failure);
    err = err ? err : join_cluster(token, joining, listen, listen, &id, NULL, failure);
    snprintf(name, sizeof name, "server-%llu", (unsigned long long)id);
    err = err ? err : file_join(final, steward->dir, name, failure);
    if (!err && rename(joining, final))
        err = file_failed(failure, "move", joining);
    if (err)
        return err;
    demo_say("server %llu has joined", (unsigned long long)id);
    send_errand(steward, (struct errand){.kind = ERRAND_START, .id = id});
    return 0;
}

/* ---- Shrinking ---- */

/* The last one, but not the primary. */
static int shrink(struct steward *steward, struct failure *failure)
{
    const struct cluster_view *view = &steward->now;
    char body[64];
    struct buf answer;
    uint64_t id = 0;
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].id != view->primary)
            id = view->servers[i].id;
    if (id == 0)
        return 0;
    snprintf(body, sizeof body, "{\"id\":%llu}", (unsigned long long)id);
    buf_init(&answer, ANSWER_MAX);
    int err =
        remote_call(&view->remote, "/api/v1/cluster/remove", body, CHANGE_MS, &answer, failure);
    buf_close(&answer);
    if (err)
        return err;
    demo_say("server %llu is removed", (unsigned long long)id);
    send_errand(steward, (struct errand){.kind = ERRAND_DROP, .id = id, .remove_data = true});
    return 0;
}

/* Brings the number of servers one nearer to the wanted one. Once that is reached, it is the
 * operator's to change. */
static void adjust(struct steward *steward)
{
    struct failure failure = {0};
    pthread_mutex_lock(&steward->mutex);
    bool may = steward->shop_ready;
    pthread_mutex_unlock(&steward->mutex);
    const struct cluster_view *view = &steward->now;
    uint64_t now = clock_mono_ns();
    if (!may || !steward->wanted || !view->answered || !view->primary ||
        now < steward->not_before_ns)
        return;
    int err = 0;
    if (view->count < steward->wanted)
        err = grow(steward, &failure);
    else if (view->count > steward->wanted)
        err = shrink(steward, &failure);
    else
        steward->wanted = 0;
    if (!err)
        return;
    demo_say("the number of servers cannot be changed yet: %s", failure.text);
    steward->not_before_ns = now + TRY_AGAIN_MS * MS_NS;
}

/* ---- Those that are no members any more ---- */

/* A server of ours that the cluster does not know for a while. */
static void drop_strangers(struct steward *steward)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    uint64_t gone = 0, now = clock_mono_ns();
    if (dirs && steward->now.primary && server_dirs_of_demo(steward->dir, dirs, NULL) == 0)
        for (unsigned i = 0; i < dirs->count && !gone; i++)
            if (!find(&steward->now, dirs->at[i].id))
                gone = dirs->at[i].id;
    free(dirs);
    if (gone != steward->gone_id)
        steward->gone_since_ns = now;
    steward->gone_id = gone;
    if (!gone || now - steward->gone_since_ns < GONE_MS * MS_NS)
        return;
    send_errand(steward, (struct errand){.kind = ERRAND_DROP, .id = gone});
    steward->gone_since_ns = now;
}

/* ---- What the shop has to know ---- */

static void furnish(struct steward *steward)
{
    struct failure failure = {0};
    bool alien;
    if (steward->furnished || !steward->now.primary)
        return;
    uint64_t now = clock_mono_ns();
    int err = demo_services_furnish(steward->furnishing, &steward->now.remote, &alien, &failure);
    if (!err) {
        steward->furnished = true;
        send_errand(steward, (struct errand){.kind = ERRAND_FURNISHED, .alien = alien});
    } else if (now - steward->complained_ns > COMPLAIN_MS * MS_NS) {
        steward->complained_ns = now;
        demo_say("the shop cannot be told of its warehouse yet: %s", failure.text);
    }
}

/* ---- The thread ---- */

/* Until it is time to look, or there is a reason to. Until the shop is furnished people wait. */
static void rest(struct steward *steward)
{
    struct timespec until;
    uint64_t ms = steward->furnished || !steward->now.answered ? LOOK_MS : HASTE_MS;
    clock_gettime(CLOCK_REALTIME, &until);
    uint64_t end = (uint64_t)until.tv_sec * SEC_NS + (uint64_t)until.tv_nsec + ms * MS_NS;
    until.tv_sec = (time_t)(end / SEC_NS);
    until.tv_nsec = (long)(end % SEC_NS);
    pthread_mutex_lock(&steward->mutex);
    int err = 0;
    while (!steward->hurry && !err)
        err = pthread_cond_timedwait(&steward->changed, &steward->mutex, &until);
    steward->hurry = false;
    pthread_mutex_unlock(&steward->mutex);
}

static void *run(void *argument)
{
    struct steward *steward = argument;
    for (;;) {
        if (cluster_view_look(steward->dir, ASK_MS, &steward->now, NULL) == 0) {
            say_changes(steward);
            furnish(steward);
            adjust(steward);
            drop_strangers(steward);
        }
        rest(steward);
    }
    return NULL;
}

int steward_start(const struct furnishing *furnishing, unsigned wanted, int wake,
                  struct steward **out, struct failure *failure)
{
    *out = NULL;
    struct steward *steward = calloc(1, sizeof *steward);
    if (!steward)
        return fail(failure, ERR_NOMEM, "out of memory");
    steward->dir = furnishing->dir;
    steward->furnishing = furnishing;
    steward->furnished = !furnishing->url && !furnishing->mail;
    steward->wanted = wanted;
    steward->wake = wake;
    pthread_mutex_init(&steward->mutex, NULL);
    pthread_cond_init(&steward->changed, NULL);
    if (thread_start(&steward->thread, "stoa-steward", run, steward)) {
        pthread_cond_destroy(&steward->changed);
        pthread_mutex_destroy(&steward->mutex);
        free(steward);
        return fail(failure, ERR_NOMEM, "cannot start a thread");
    }
    *out = steward;
    return 0;
}

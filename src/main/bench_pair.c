#include "main/bench_pair.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/backup_file.h"
#include "main/cluster.h"
#include "main/free_address.h"
#include "main/join.h"
#include "main/secret_file.h"
#include "replica/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

/* A copy of some GB takes minutes. */
enum {
    TOKEN_SIZE = 4096,
    READY_MS = 10 * 60 * 1000,
    STOP_MS = 60000,
    LEAD_MS = 60000,
    LOOK_MS = 5
};

static const char *const names[PAIR] = {"server 1", "server 2", "the witness"};

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * (long)MS_NS}, NULL);
}

/* ---- Processes ---- */

static bool runs(struct pair_process *member)
{
    siginfo_t end = {0};
    if (member->process.pid <= 0)
        return false;
    if (waitid(P_PID, (id_t)member->process.pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        end.si_pid == 0)
        return true;
    bench_process_kill(&member->process); /* it has ended: only its memory is let go */
    return false;
}

int pair_start(struct pair *pair, enum pair_member which, struct failure *failure)
{
    struct pair_process *member = &pair->members[which];
    char log[DATADIR_PATH + 16], wake[DATADIR_PATH + 32];
    if (runs(member))
        return 0;
    /* The log is not cut off on the way: that has a warm server apply it. */
    const char *serve[] = {"serve",        "--dir",         member->dir, "--listen",
                           member->listen, "--log-entries", "1000000",   NULL};
    const char *witness[] = {"witness", "--dir", member->dir, "--wake", wake, NULL};
    snprintf(wake, sizeof wake, "2=echo 2 > '%.480s/wake'", pair->dir);
    snprintf(log, sizeof log, "%s/stoa.log", member->dir);
    return bench_process_start(&member->process, which == PAIR_WITNESS ? witness : serve, log,
                               failure);
}

int pair_wait_ready(struct pair *pair, enum pair_member which, struct failure *failure)
{
    const char *ready = which == PAIR_WITNESS ? "stoa: witness " : "stoa: shop ready at ";
    return bench_process_wait(&pair->members[which].process, ready, READY_MS, names[which],
                              failure);
}

void pair_kill(struct pair *pair, enum pair_member which)
{
    bench_process_kill(&pair->members[which].process);
}

int pair_stop(struct pair *pair, enum pair_member which, struct failure *failure)
{
    struct pair_process *member = &pair->members[which];
    return runs(member) ? bench_process_end(&member->process, STOP_MS, names[which], failure) : 0;
}

/* ---- The pipe ---- */

static int open_pipe(struct pair *pair, struct failure *failure)
{
    char path[DATADIR_PATH + 8];
    snprintf(path, sizeof path, "%s/wake", pair->dir);
    /* Open for writing too: then it is never at its end, and no writer has to wait. */
    pair->wakes = mkfifo(path, 0600) ? -1 : open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return pair->wakes < 0 ? fail_errno(failure, ERR_IO, "cannot make the pipe %s", path) : 0;
}

static bool was_woken(struct pair *pair)
{
    char bytes[64];
    return read(pair->wakes, bytes, sizeof bytes) > 0;
}

void pair_forget_wakes(struct pair *pair)
{
    while (was_woken(pair))
        ;
}

int pair_heed_wakes(struct pair *pair, struct failure *failure)
{
    return was_woken(pair) ? pair_start(pair, PAIR_SECOND, failure) : 0;
}

/* ---- Looking and asking ---- */

static void take_server(yyjson_val *from, struct pair_view *view)
{
    uint64_t id = yyjson_get_uint(yyjson_obj_get(from, "id"));
    const char *state = yyjson_get_str(yyjson_obj_get(from, "state"));
    const char *ready = yyjson_get_str(yyjson_obj_get(from, "ready"));
    bool vote = yyjson_get_bool(yyjson_obj_get(from, "vote"));
    view->voters += vote;
    if (id < 1 || id > PAIR_SERVERS)
        return;
    view->servers[id - 1].up = state && strcmp(state, "up") == 0;
    view->servers[id - 1].vote = vote;
    view->servers[id - 1].index = yyjson_get_uint(yyjson_obj_get(from, "index"));
    view->servers[id - 1].lag_entries = yyjson_get_uint(yyjson_obj_get(from, "lag_entries"));
    str_copy(view->servers[id - 1].ready, sizeof view->servers[id - 1].ready,
             str_of(ready ? ready : ""));
}

bool pair_look(struct pair *pair, enum pair_member which, struct pair_view *view)
{
    struct ask *operator= pair->operators[which];
    *view = (struct pair_view){0};
    if (ask_for(operator, "/api/v1/cluster", NULL) != 200)
        return false;
    yyjson_doc *doc = yyjson_read(ask_text(operator).at, ask_text(operator).len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *server;
    yyjson_arr_iter each = yyjson_arr_iter_with(yyjson_obj_get(root, "servers"));
    view->primary = (unsigned)yyjson_get_uint(yyjson_obj_get(root, "primary"));
    while ((server = yyjson_arr_iter_next(&each)))
        take_server(server, view);
    yyjson_doc_free(doc);
    return true;
}

int pair_post(struct pair *pair, const char *path, const char *body, struct failure *failure)
{
    struct ask *operator= pair->operators[PAIR_FIRST];
    int status = ask_for(operator, path, body);
    if (status == 200)
        return 0;
    return fail(failure, ERR_STATE, "%s was answered %d: %.*s", path, status,
                STR_FMT(str_sub(ask_text(operator), 0, 300)));
}

int pair_lead_by_first(struct pair *pair, struct failure *failure)
{
    uint64_t end = clock_mono_ns() + LEAD_MS * MS_NS;
    struct failure last = {.text = "it does not answer"};
    struct pair_view view;
    while (clock_mono_ns() < end) {
        bool sees = pair_look(pair, PAIR_FIRST, &view);
        if (sees && view.primary == PAIR_FIRST + 1)
            return 0;
        /* Refused until it has caught up. */
        if (sees && view.primary)
            (void)pair_post(pair, "/api/v1/cluster/handover", "{\"to\":1}", &last);
        pause_ms(LOOK_MS);
    }
    return fail(failure, ERR_TIMEOUT, "server 1 did not become primary within %d s: %s",
                LEAD_MS / 1000, last.text);
}

/* ---- Making ---- */

/* A database that no log led to is what a backup is: the log begins after it. */
static int make_database(struct pair *pair,
                         int (*make)(void *context, const char *database, struct failure *failure),
                         void *context, struct failure *failure)
{
    struct datadir datadir;
    struct backup_facts facts;
    int err = datadir_open(pair->members[PAIR_FIRST].dir, &datadir, failure);
    if (err)
        return err;
    err = make(context, datadir.database, failure);
    err = err ? err : backup_file_check(datadir.database, false, &facts, failure);
    err = err ? err : repair_begin_log(datadir.raft, 1, facts.index, facts.time_ms, failure);
    datadir_close(&datadir);
    return err;
}

static int choose_places(struct pair *pair, struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < PAIR; i++) {
        struct pair_process *member = &pair->members[i];
        snprintf(member->dir, sizeof member->dir, "%.400s/%s-%u", pair->dir,
                 i == PAIR_WITNESS ? "witness" : "server", i + 1);
        err = free_address("127.0.0.1", NULL, NULL, member->peer, sizeof member->peer, failure);
        err = err ? err
                  : free_address("127.0.0.1", NULL, NULL, member->listen, sizeof member->listen,
                                 failure);
        snprintf(member->url, sizeof member->url, "http://%s", member->listen);
    }
    return err;
}

/* Starts it and waits until it is ready. */
static int bring_up(struct pair *pair, enum pair_member which, struct failure *failure)
{
    int err = pair_start(pair, which, failure);
    err = err ? err : pair_wait_ready(pair, which, failure);
    if (err || which == PAIR_WITNESS)
        return err;
    pair->operators[which] = ask_new(pair->members[which].url, pair->token);
    return pair->operators[which] ? 0 : fail(failure, ERR_NOMEM, "out of memory");
}

/* The operator's. */
static int read_token(struct pair *pair, struct failure *failure)
{
    char path[FILE_PATH];
    int err = file_join(path, pair->members[PAIR_FIRST].dir, "operator.token", failure);
    return err ? err
               : secret_file_read("operator.token", path, pair->token, sizeof pair->token, failure);
}

static int found(struct pair *pair, struct failure *failure)
{
    const struct pair_process *first = &pair->members[PAIR_FIRST];
    const char *dirs[] = {first->dir};
    struct server_place *place = calloc(1, sizeof *place);
    if (!place)
        return fail(failure, ERR_NOMEM, "out of memory");
    place->id = 1;
    str_copy(place->address, sizeof place->address, str_of(first->peer));
    int err = cluster_found("bench", dirs, place, 1, failure);
    free(place);
    err = err ? err : read_token(pair, failure);
    return err ? err : bring_up(pair, PAIR_FIRST, failure);
}

/* With a token of the first server; the database of a second one is copied by the time that it is
 * ready. */
static int join(struct pair *pair, enum pair_member which, struct failure *failure)
{
    const struct pair_process *member = &pair->members[which];
    char token[TOKEN_SIZE] = "";
    uint64_t id;
    int err = pair_post(pair, "/api/v1/cluster/token",
                        which == PAIR_WITNESS ? "{\"witness\":true}" : "{}", failure);
    if (err)
        return err;
    struct str text = ask_text(pair->operators[PAIR_FIRST]);
    yyjson_doc *doc = yyjson_read(text.at, text.len, 0);
    const char *found = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "token"));
    str_copy(token, sizeof token, str_of(found ? found : ""));
    yyjson_doc_free(doc);
    err = join_cluster(token, member->dir, member->peer, member->peer, &id, NULL, failure);
    return err ? err : bring_up(pair, which, failure);
}

int pair_begin(struct pair *pair, const char *dir,
               int (*make)(void *context, const char *database, struct failure *failure),
               void *context, struct failure *failure)
{
    *pair = (struct pair){.wakes = -1};
    for (unsigned i = 0; i < PAIR; i++)
        pair->members[i].process.output = -1;
    if (mkdir(dir, 0777) && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "cannot make %s", dir);
    snprintf(pair->dir, sizeof pair->dir, "%.400s/bench-XXXXXX", dir);
    if (!mkdtemp(pair->dir)) {
        fail_errno(failure, ERR_IO, "cannot make a folder in %s", dir);
        pair->dir[0] = '\0';
        return ERR_IO;
    }
    int err = choose_places(pair, failure);
    err = err ? err : make_database(pair, make, context, failure);
    err = err ? err : found(pair, failure);
    err = err ? err : join(pair, PAIR_SECOND, failure);
    err = err ? err : open_pipe(pair, failure);
    err = err ? err : join(pair, PAIR_WITNESS, failure);
    if (err)
        pair_end(pair);
    return err;
}

void pair_end(struct pair *pair)
{
    for (unsigned i = PAIR; i-- > 0;)
        pair_kill(pair, i);
    for (unsigned i = 0; i < PAIR_SERVERS; i++)
        ask_free(pair->operators[i]);
    if (pair->wakes >= 0)
        close(pair->wakes);
    if (pair->dir[0])
        (void)file_remove_tree(pair->dir, NULL); /* a bench's result stands without it */
    *pair = (struct pair){.wakes = -1};
}

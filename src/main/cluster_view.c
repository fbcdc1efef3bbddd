#include "main/cluster_view.h"

#include "base/json_text.h"
#include "main/demo_file.h"
#include "main/file.h"
#include "main/server_dirs.h"
#include "replica/book.h"
#include "replica/missing.h"
#include "replica/readiness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum { ANSWER_MAX = 256 << 10, SILENT_MS = 2000 /* load managers speak each second */ };

/* ---- What a server tells ---- */

static void take_text(yyjson_val *object, const char *key, char *out, size_t size)
{
    str_copy(out, size, str_of(yyjson_get_str(yyjson_obj_get(object, key))));
}

static uint64_t take_number(yyjson_val *object, const char *key)
{
    return yyjson_get_uint(yyjson_obj_get(object, key));
}

static void take_server(yyjson_val *each, struct view_server *server)
{
    *server = (struct view_server){
        .id = take_number(each, "id"),
        .pid = take_number(each, "pid"),
        .term = take_number(each, "term"),
        .index = take_number(each, "index"),
        .lag_entries = take_number(each, "lag_entries"),
        .lag_ms = take_number(each, "lag_ms"),
        .copied_bytes = take_number(each, "copied_bytes"),
        .copy_bytes = take_number(each, "copy_bytes"),
        .preferred = yyjson_get_bool(yyjson_obj_get(each, "preferred")),
        .every_ms = take_number(each, "every_ms"),
    };
    take_text(each, "url", server->url, sizeof server->url);
    take_text(each, "address", server->address, sizeof server->address);
    take_text(each, "role", server->role, sizeof server->role);
    take_text(each, "state", server->state, sizeof server->state);
    take_text(each, "ready", server->ready, sizeof server->ready);
    yyjson_val *vote = yyjson_obj_get(each, "vote"); /* an older server does not say */
    server->vote = vote ? yyjson_get_bool(vote) : strcmp(server->role, "standby") != 0;
}

/* OLD is silent and at its place there is NOW: it was started again. Two that share a place for
 * shoppers, on two machines, are both heard. */
static bool is_followed(const struct view_manager *old, const struct view_manager *now)
{
    return old->seen_ms > SILENT_MS && strcmp(old->url, now->url) == 0 &&
           strcmp(old->started_at, now->started_at) < 0;
}

static void keep_manager(struct cluster_view *view, const struct view_manager *manager)
{
    for (unsigned i = 0; i < view->manager_count; i++) {
        if (is_followed(manager, &view->managers[i]))
            return;
        if (is_followed(&view->managers[i], manager)) {
            view->managers[i] = *manager;
            return;
        }
    }
    if (view->manager_count < VIEW_MANAGERS_MAX)
        view->managers[view->manager_count++] = *manager;
}

static void take_manager(yyjson_val *each, struct cluster_view *view)
{
    struct view_manager manager = {
        .pid = take_number(each, "pid"),
        .seen_ms = take_number(each, "seen_ms"),
    };
    take_text(each, "url", manager.url, sizeof manager.url);
    take_text(each, "status", manager.status, sizeof manager.status);
    take_text(each, "policy", manager.policy, sizeof manager.policy);
    take_text(each, "started_at", manager.started_at, sizeof manager.started_at);
    keep_manager(view, &manager);
}

static void take_answer(struct str text, struct cluster_view *view)
{
    size_t at, count;
    yyjson_val *each;
    yyjson_doc *doc = yyjson_read(text.at, text.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc), *list = yyjson_obj_get(root, "servers");
    take_text(root, "cluster", view->cluster, sizeof view->cluster);
    take_text(root, "name", view->name, sizeof view->name);
    take_text(root, "failback", view->failback, sizeof view->failback);
    view->primary = take_number(root, "primary");
    view->own = take_number(root, "own");
    view->count = 0;
    yyjson_arr_foreach(list, at, count, each)
    {
        if (view->count < CLUSTER_SERVERS_MAX)
            take_server(each, &view->servers[view->count++]);
    }
    view->answered = view->count > 0;
    list = yyjson_obj_get(root, "load_managers");
    yyjson_arr_foreach(list, at, count, each)
    {
        take_manager(each, view);
    }
    yyjson_doc_free(doc);
}

/* 0: it is a cluster's server and has told. ERR_NOTFOUND: it runs alone. */
static int ask(const struct remote *remote, unsigned timeout_ms, struct cluster_view *view)
{
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    int err = remote_call(remote, "/api/v1/cluster", NULL, timeout_ms, &answer, NULL);
    if (!err)
        take_answer(buf_text(&answer), view);
    buf_close(&answer);
    return err;
}

/* ---- What the files tell ---- */

static struct view_server *server_of(struct cluster_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].id == id)
            return &view->servers[i];
    if (view->count == CLUSTER_SERVERS_MAX)
        return NULL;
    struct view_server *server = &view->servers[view->count++];
    *server = (struct view_server){.id = id, .state = "down"};
    return server;
}

/* The other servers, where they were when DIR's was last up. */
static void recall_others(struct cluster_view *view, const struct cluster *cluster)
{
    struct book *book = malloc(sizeof *book);
    for (unsigned i = 0; i < cluster->founder_count; i++) {
        struct view_server *server = server_of(view, cluster->founders[i].id);
        if (server && !server->address[0])
            strcpy(server->address, cluster->founders[i].address);
    }
    if (!book)
        return;
    book_open(book, cluster->book);
    for (unsigned i = 0; i < book->count; i++) {
        struct view_server *server = server_of(view, book->places[i].id);
        if (!server)
            continue;
        strcpy(server->address, book->places[i].address);
        strcpy(server->url, book->places[i].url);
    }
    book_close(book);
    free(book);
}

static void take_files(struct cluster_view *view, const struct server_dir *dir,
                       struct cluster *cluster)
{
    struct view_server *server = server_of(view, dir->id);
    if (!server || cluster_read(dir->path, cluster, NULL))
        return;
    id_text(cluster->id, view->cluster);
    strcpy(view->name, cluster->name);
    strcpy(server->address, cluster->address);
    recall_others(view, cluster);
}

/* A server that runs alone, which has nobody to tell about. */
static void take_lone(struct cluster_view *view, bool runs)
{
    struct view_server *server = server_of(view, 1);
    strcpy(server->role, "primary");
    view->primary = 1;
    if (!runs && server->pid) /* it runs, but does not answer in time: take_running told */
        return;
    strcpy(server->state, runs ? "up" : "down");
    strcpy(server->url, view->remote.url);
}

/* The one that runs in DIR, as far as its own files tell. */
static void take_running(struct cluster_view *view, const struct server_dir *dir,
                         const struct remote *remote, uint64_t pid)
{
    struct view_server *server = server_of(view, dir->id);
    if (!server)
        return;
    strcpy(server->url, remote->url);
    strcpy(server->state, "up");
    server->pid = pid;
}

/* ---- Looking ---- */

/* How much a view is worth: the primary's own, that of one who knows a primary, any, none. */
static int worth(const struct cluster_view *view)
{
    if (!view->answered)
        return 0;
    return view->primary == 0 ? 1 : view->primary != view->own ? 2 : 3;
}

/* Asks those that run, one after the other, until the primary has answered. */
static void ask_all(const struct server_dirs *dirs, unsigned timeout_ms, struct cluster_view *view,
                    struct cluster_view *scratch, bool *lone)
{
    for (unsigned i = 0; i < dirs->count && worth(view) < 3; i++) {
        struct remote remote;
        if (remote_find(dirs->at[i].path, &remote, NULL))
            continue;
        *scratch = (struct cluster_view){.remote = remote};
        int err = ask(&remote, timeout_ms, scratch);
        if (err == 0 && worth(scratch) > worth(view))
            *view = *scratch;
        if (err == ERR_NOTFOUND) {
            *lone = true;
            view->remote = remote;
        }
    }
}

static int look(const struct server_dirs *dirs, unsigned timeout_ms, struct cluster_view *view)
{
    struct cluster_view *scratch = calloc(1, sizeof *scratch);
    struct cluster *cluster = calloc(1, sizeof *cluster);
    bool lone = false;
    int err = scratch && cluster ? 0 : ERR_NOMEM;
    if (!err)
        ask_all(dirs, timeout_ms, view, scratch, &lone);
    for (unsigned i = 0; !err && !view->answered && i < dirs->count; i++) {
        struct remote remote;
        take_files(view, &dirs->at[i], cluster);
        if (remote_find(dirs->at[i].path, &remote, NULL) == 0)
            take_running(view, &dirs->at[i], &remote, datadir_pid(dirs->at[i].path));
    }
    if (!err && !view->answered && !view->cluster[0])
        take_lone(view, lone);
    free(scratch);
    free(cluster);
    return err;
}

/* A demo's own file knows its load managers before the servers have heard of them, and after one
 * of them was started again. */
static void take_demo(struct cluster_view *view, const char *dir)
{
    struct demo_manager demo[DEMO_MANAGERS_MAX];
    unsigned count = demo_file_managers(dir, demo);
    for (unsigned i = 0; i < count; i++) {
        struct view_manager *place = NULL;
        if (!demo[i].pid || kill((pid_t)demo[i].pid, 0))
            continue;
        for (unsigned k = 0; k < view->manager_count && !place; k++)
            if (view->managers[k].pid == demo[i].pid ||
                strcmp(view->managers[k].url, demo[i].url) == 0)
                place = &view->managers[k];
        if (place && place->pid == demo[i].pid)
            continue;
        if (!place && view->manager_count < VIEW_MANAGERS_MAX)
            place = &view->managers[view->manager_count++];
        if (!place)
            return;
        *place = (struct view_manager){.pid = demo[i].pid};
        str_copy(place->url, sizeof place->url, str_of(demo[i].url));
        snprintf(place->status, sizeof place->status, "http://%.*s", (int)sizeof place->status - 8,
                 demo[i].status);
    }
}

static int by_id(const void *a, const void *b)
{
    const struct view_server *one = a, *other = b;
    return one->id < other->id ? -1 : one->id > other->id;
}

static void take_readers(struct cluster_view *view, const struct server_dirs *dirs)
{
    for (unsigned i = 0; i < dirs->count; i++)
        view->reader_count +=
            shared_readers_list(dirs->at[i].path, view->readers + view->reader_count,
                                SHARED_READERS_MAX - view->reader_count);
}

int cluster_view_look(const char *dir, unsigned timeout_ms, struct cluster_view *view,
                      struct failure *failure)
{
    *view = (struct cluster_view){0};
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = server_dirs_find(dir, dirs, failure);
    if (!err && look(dirs, timeout_ms, view))
        err = fail(failure, ERR_NOMEM, "out of memory");
    if (!err && dirs->demo && service_is_locked(dir))
        take_demo(view, dir);
    if (!err)
        take_readers(view, dirs);
    free(dirs);
    qsort(view->servers, view->count, sizeof view->servers[0], by_id);
    return err;
}

/* ---- Showing ---- */

bool cluster_view_is_hot(const struct view_server *server)
{
    return !server->ready[0] || strcmp(server->ready, readiness_names[READINESS_HOT]) == 0;
}

static void json_server(const struct view_server *server, FILE *out)
{
    fprintf(out, "{\"id\":%llu,\"pid\":%llu,\"url\":", (unsigned long long)server->id,
            (unsigned long long)server->pid);
    json_text_print(server->url, out);
    fputs(",\"address\":", out);
    json_text_print(server->address, out);
    fprintf(out,
            ",\"role\":\"%s\",\"state\":\"%s\",\"term\":%llu,\"index\":%llu,\"lag_entries\":%llu,"
            "\"lag_ms\":%llu,\"preferred\":%s,\"vote\":%s",
            server->role[0] ? server->role : "secondary", server->state,
            (unsigned long long)server->term, (unsigned long long)server->index,
            (unsigned long long)server->lag_entries, (unsigned long long)server->lag_ms,
            server->preferred ? "true" : "false", server->vote ? "true" : "false");
    if (server->ready[0])
        fprintf(out, ",\"ready\":\"%s\"", server->ready);
    if (!cluster_view_is_hot(server))
        fprintf(out, ",\"every_ms\":%llu", (unsigned long long)server->every_ms);
    if (strcmp(server->state, "copying") == 0)
        fprintf(out, ",\"copied_bytes\":%llu,\"copy_bytes\":%llu",
                (unsigned long long)server->copied_bytes, (unsigned long long)server->copy_bytes);
    fputc('}', out);
}

static void json_manager(const struct view_manager *manager, FILE *out)
{
    fprintf(out, "{\"pid\":%llu,\"url\":", (unsigned long long)manager->pid);
    json_text_print(manager->url, out);
    fputs(",\"status\":", out);
    json_text_print(manager->status, out);
    fputs(",\"policy\":", out);
    json_text_print(manager->policy, out);
    fputs(",\"started_at\":", out);
    json_text_print(manager->started_at, out);
    fprintf(out, ",\"seen_ms\":%llu}", (unsigned long long)manager->seen_ms);
}

void cluster_view_json(const struct cluster_view *view, FILE *out)
{
    fputs("{\"cluster\":", out);
    json_text_print(view->cluster, out);
    fputs(",\"name\":", out);
    json_text_print(view->name, out);
    fprintf(out, ",\"primary\":%llu", (unsigned long long)view->primary);
    if (view->failback[0])
        fprintf(out, ",\"failback\":\"%s\"", view->failback);
    fputs(",\"servers\":[", out);
    for (unsigned i = 0; i < view->count; i++) {
        fputs(i ? "," : "", out);
        json_server(&view->servers[i], out);
    }
    fputs("],\"load_managers\":[", out);
    for (unsigned i = 0; i < view->manager_count; i++) {
        fputs(i ? "," : "", out);
        json_manager(&view->managers[i], out);
    }
    fputc(']', out);
    shared_readers_json(view->readers, view->reader_count, out);
    cluster_lanes_json(view, out);
    fputs("}\n", out);
}

/* Cold, and so not missed. */
static bool is_asleep(const struct view_server *server)
{
    return strcmp(server->ready, readiness_names[READINESS_COLD]) == 0 &&
           strcmp(server->state, "down") == 0;
}

static void print_server(const struct view_server *server, FILE *out)
{
    char pid[24] = "-", behind[48] = "";
    if (server->pid && strcmp(server->state, "down"))
        snprintf(pid, sizeof pid, "%llu", (unsigned long long)server->pid);
    if (strcmp(server->state, "copying") == 0 && server->copy_bytes)
        snprintf(behind, sizeof behind, "%llu of %llu MB copied",
                 (unsigned long long)(server->copied_bytes >> 20),
                 (unsigned long long)(server->copy_bytes >> 20));
    else if (strcmp(server->state, "down"))
        snprintf(behind, sizeof behind, "%llu entries, %llu ms",
                 (unsigned long long)server->lag_entries, (unsigned long long)server->lag_ms);
    fprintf(out, "%6llu  %-9s  %-8s  %7s  %8llu  %-24s  %s%s", (unsigned long long)server->id,
            server->role[0] ? server->role : "?", is_asleep(server) ? "asleep" : server->state, pid,
            (unsigned long long)server->index, server->url[0] ? server->url : server->address,
            behind, server->preferred ? " (preferred)" : "");
    if (cluster_view_is_hot(server))
        fputc('\n', out);
    else
        fprintf(out, " (%s, every %llu s)\n", server->ready,
                (unsigned long long)server->every_ms / 1000);
}

/* How many deaths it would survive now, and what would make it one more. One that sleeps is woken
 * then, or has to be. */
static void print_spare(const struct cluster_view *view, FILE *out)
{
    unsigned voters = 0, up = 0;
    const struct view_server *sleeper = NULL;
    if (!view->answered)
        return;
    for (unsigned i = 0; i < view->count; i++) {
        const struct view_server *server = &view->servers[i];
        bool asleep = server->vote && is_asleep(server);
        voters += server->vote;
        up += server->vote && (asleep || strcmp(server->state, "down") != 0);
        sleeper = asleep ? server : sleeper;
    }
    unsigned spare = missing_to_spare(voters, up);
    fprintf(out, "may be down at once: %u%s%s", spare, up < voters ? " more" : "",
            spare == 0 && voters == 2
                ? " (neither of two goes on alone; a third server or `stoa witness` makes it 1)"
                : "");
    if (sleeper && spare > 0)
        fprintf(out, " (server %llu is cold, and has to be woken then)",
                (unsigned long long)sleeper->id);
    fputc('\n', out);
}

static void print_failback(const struct cluster_view *view, FILE *out)
{
    if (view->failback[0] && strcmp(view->failback, failback_names[FAILBACK_AT_ONCE]))
        fprintf(out, "failback after a takeover: %s\n", view->failback);
}

static void print_managers(const struct cluster_view *view, FILE *out)
{
    if (view->manager_count)
        fprintf(out, "\n%-30s  %7s  %-18s  %s\n", "load manager", "pid", "policy", "status page");
    for (unsigned i = 0; i < view->manager_count; i++) {
        const struct view_manager *manager = &view->managers[i];
        fprintf(out, "%-30s  %7llu  %-18s  %s\n", manager->url[0] ? manager->url : "?",
                (unsigned long long)manager->pid, manager->policy,
                manager->status[0] ? manager->status : "-");
    }
}

void cluster_view_print(const struct cluster_view *view, FILE *out)
{
    if (view->cluster[0])
        fprintf(out, "cluster \"%s\" (%s)%s\n", view->name, view->cluster,
                view->primary    ? ""
                : view->answered ? ": no primary, so nothing can be changed now"
                                 : ": none of its servers that run here answered");
    else
        fputs("a server that runs alone\n", out);
    fprintf(out, "%6s  %-9s  %-8s  %7s  %8s  %-24s  %s\n", "server", "role", "state", "pid",
            "index", "address", "behind");
    for (unsigned i = 0; i < view->count; i++)
        print_server(&view->servers[i], out);
    print_spare(view, out);
    print_failback(view, out);
    shared_readers_print(view->readers, view->reader_count, out);
    print_managers(view, out);
    cluster_lanes_print(view, out);
}

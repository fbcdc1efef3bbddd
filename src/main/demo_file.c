#include "main/demo_file.h"

#include "main/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

enum { JSON_MAX = 64 << 10 };

static int manager_to_json(yyjson_mut_doc *doc, yyjson_mut_val *list,
                           const struct demo_manager *manager)
{
    yyjson_mut_val *each = yyjson_mut_arr_add_obj(doc, list);
    bool good = yyjson_mut_obj_add_str(doc, each, "listen", manager->listen) &&
                yyjson_mut_obj_add_str(doc, each, "status", manager->status) &&
                yyjson_mut_obj_add_uint(doc, each, "pid", manager->pid) &&
                yyjson_mut_obj_add_str(doc, each, "url", manager->url);
    return good ? 0 : ERR_NOMEM;
}

static int server_to_json(yyjson_mut_doc *doc, yyjson_mut_val *list,
                          const struct demo_server *server)
{
    yyjson_mut_val *each = yyjson_mut_arr_add_obj(doc, list);
    bool good = yyjson_mut_obj_add_uint(doc, each, "id", server->id) &&
                yyjson_mut_obj_add_str(doc, each, "dir", server->dir) &&
                yyjson_mut_obj_add_str(doc, each, "listen", server->listen) &&
                yyjson_mut_obj_add_str(doc, each, "peer_listen", server->peer_listen);
    return good ? 0 : ERR_NOMEM;
}

static const char *const service_names[DEMO_SERVICES] = {"bank", "warehouse"};

static int service_to_json(yyjson_mut_doc *doc, yyjson_mut_val *root, unsigned kind,
                           const struct demo_service *service)
{
    yyjson_mut_val *each = yyjson_mut_obj_add_obj(doc, root, service_names[kind]);
    bool good = yyjson_mut_obj_add_bool(doc, each, "wanted", service->wanted) &&
                yyjson_mut_obj_add_str(doc, each, "listen", service->listen) &&
                yyjson_mut_obj_add_str(doc, each, "dir", service->dir) &&
                yyjson_mut_obj_add_str(doc, each, "pin", service->pin) &&
                yyjson_mut_obj_add_uint(doc, each, "pid", service->pid) &&
                yyjson_mut_obj_add_str(doc, each, "url", service->url);
    return good ? 0 : ERR_NOMEM;
}

int demo_file_write(const struct demo_plan *plan, struct failure *failure)
{
    char path[FILE_PATH];
    size_t len = 0;
    int err = file_join(path, plan->dir, "demo.json", failure);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *list = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_int(doc, root, "pid", getpid());
    yyjson_mut_obj_add_uint(doc, root, "wanted", plan->wanted);
    for (unsigned i = 0; !err && i < plan->count && plan->servers[i].process <= 1; i++)
        err = server_to_json(doc, list, &plan->servers[i]);
    yyjson_mut_obj_add_val(doc, root, "servers", list);
    list = yyjson_mut_arr(doc);
    for (unsigned i = 0; !err && i < plan->manager_count; i++)
        err = manager_to_json(doc, list, &plan->managers[i]);
    yyjson_mut_obj_add_val(doc, root, "load_managers", list);
    for (unsigned i = 0; !err && i < DEMO_SERVICES; i++)
        err = service_to_json(doc, root, i, &plan->services[i]);
    yyjson_mut_obj_add_bool(doc, root, "new", plan->fresh);
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES, &len);
    yyjson_mut_doc_free(doc);
    if (!text)
        return fail(failure, ERR_NOMEM, "out of memory");
    err = err ? err : file_write(path, str_make(text, len), failure);
    free(text);
    return err;
}

static void recall_servers(struct demo_plan *plan, yyjson_val *list)
{
    size_t at, count;
    yyjson_val *each;
    yyjson_arr_foreach(list, at, count, each)
    {
        uint64_t id = yyjson_get_uint(yyjson_obj_get(each, "id"));
        const char *listen = yyjson_get_str(yyjson_obj_get(each, "listen"));
        for (unsigned i = 0; listen && i < plan->count; i++)
            if (plan->servers[i].id == id && !plan->servers[i].given)
                str_copy(plan->servers[i].listen, sizeof plan->servers[i].listen, str_of(listen));
    }
}

static void read_manager(yyjson_val *each, struct demo_manager *out)
{
    *out = (struct demo_manager){0};
    const char *listen = yyjson_get_str(yyjson_obj_get(each, "listen"));
    const char *status = yyjson_get_str(yyjson_obj_get(each, "status"));
    const char *url = yyjson_get_str(yyjson_obj_get(each, "url"));
    out->pid = yyjson_get_uint(yyjson_obj_get(each, "pid"));
    str_copy(out->url, sizeof out->url, str_of(url));
    str_copy(out->listen, sizeof out->listen, str_of(listen));
    str_copy(out->status, sizeof out->status, str_of(status));
}

static void recall_managers(struct demo_plan *plan, yyjson_val *list)
{
    size_t at, count;
    yyjson_val *each;
    yyjson_arr_foreach(list, at, count, each)
    {
        if (at >= plan->manager_count)
            break;
        struct demo_manager had = {0}, *manager = &plan->managers[at];
        read_manager(each, &had);
        if (!manager->given)
            strcpy(manager->listen, had.listen);
        strcpy(manager->status, had.status);
    }
}

/* NULL: there is none that can be read. */
static yyjson_doc *read_json(const char *dir)
{
    char path[FILE_PATH];
    struct buf text;
    buf_init(&text, JSON_MAX);
    if (file_join(path, dir, "demo.json", NULL) == 0)
        file_read_all(path, &text, NULL);
    yyjson_doc *doc = text.len ? yyjson_read(text.at, text.len, 0) : NULL;
    buf_close(&text);
    return doc;
}

unsigned demo_file_managers(const char *dir, struct demo_manager out[static DEMO_MANAGERS_MAX])
{
    size_t at, count;
    unsigned found = 0;
    yyjson_val *each;
    yyjson_doc *doc = read_json(dir);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "load_managers");
    yyjson_arr_foreach(list, at, count, each)
    {
        if (at < DEMO_MANAGERS_MAX)
            read_manager(each, &out[found++]);
    }
    yyjson_doc_free(doc);
    return found;
}

void demo_file_services(const char *dir, char out[static DEMO_SERVICES][OPTION_TEXT_SIZE])
{
    yyjson_doc *doc = read_json(dir);
    yyjson_val *root = yyjson_doc_get_root(doc);
    for (unsigned i = 0; i < DEMO_SERVICES; i++) {
        yyjson_val *each = yyjson_obj_get(root, service_names[i]);
        bool wanted = yyjson_get_bool(yyjson_obj_get(each, "wanted"));
        int len = snprintf(out[i], OPTION_TEXT_SIZE, "%s/%s", dir, service_names[i]);
        if (!wanted || len >= OPTION_TEXT_SIZE)
            out[i][0] = 0;
    }
    yyjson_doc_free(doc);
}

static void recall_services(struct demo_plan *plan, yyjson_val *root)
{
    for (unsigned i = 0; i < DEMO_SERVICES; i++) {
        yyjson_val *each = yyjson_obj_get(root, service_names[i]);
        const char *listen = yyjson_get_str(yyjson_obj_get(each, "listen"));
        struct demo_service *service = &plan->services[i];
        str_copy(service->listen, sizeof service->listen, str_of(listen ? listen : ""));
    }
    plan->fresh |= yyjson_get_bool(yyjson_obj_get(root, "new"));
}

void demo_file_recall(struct demo_plan *plan)
{
    yyjson_doc *doc = read_json(plan->dir);
    yyjson_val *root = yyjson_doc_get_root(doc);
    uint64_t wanted = yyjson_get_uint(yyjson_obj_get(root, "wanted"));
    if (!plan->wanted && wanted <= DEMO_SERVERS_MAX)
        plan->wanted = (unsigned)wanted;
    recall_servers(plan, yyjson_obj_get(root, "servers"));
    recall_managers(plan, yyjson_obj_get(root, "load_managers"));
    recall_services(plan, root);
    yyjson_doc_free(doc);
}

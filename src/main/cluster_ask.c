#include "main/cluster_ask.h"

#include <stdlib.h>

enum { ANSWER_MAX = 64 << 10 };

int cluster_ask_id(const char *text, uint64_t *id)
{
    struct str digits = str_of(text);
    if (str_starts(digits, STR("server-")))
        digits = str_from(digits, 7);
    return str_to_u64(digits, id) || *id == 0 ? ERR_INVALID : 0;
}

int cluster_ask_view(const char *dir, struct cluster_view **view, struct failure *failure)
{
    *view = malloc(sizeof **view);
    if (!*view)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = cluster_view_look(dir, VIEW_TIMEOUT_MS, *view, failure);
    if (err || (*view)->answered)
        return err;
    if (!(*view)->cluster[0])
        return fail(failure, ERR_STATE,
                    "%s belongs to no cluster; `stoa init` makes one of the server that is there",
                    dir);
    return fail(failure, ERR_NOTFOUND,
                "no server that runs on %s answers; start it, or give the --dir of another", dir);
}

const struct view_server *cluster_ask_find(const struct cluster_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->servers[i].id == id)
            return &view->servers[i];
    return NULL;
}

int cluster_ask_post(const struct remote *remote, const char *what, const char *body,
                     struct failure *failure)
{
    char path[64];
    struct buf answer;
    snprintf(path, sizeof path, "/api/v1/cluster/%s", what);
    buf_init(&answer, ANSWER_MAX);
    int err = remote_call(remote, path, body, CLUSTER_ASK_MS, &answer, failure);
    buf_close(&answer);
    return err;
}

#include "web/wayback.h"

#include "base/buf.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct wayback {
    pthread_mutex_t lock;
    _Atomic uint64_t version;  /* of `now` */
    _Atomic uint64_t until_ns; /* so long `now` holds without another word; 0: it names none */
    struct wayback_view now;
};

struct wayback *wayback_new(void)
{
    struct wayback *wayback = calloc(1, sizeof *wayback);
    if (wayback)
        pthread_mutex_init(&wayback->lock, NULL);
    return wayback;
}

void wayback_free(struct wayback *wayback)
{
    if (wayback)
        pthread_mutex_destroy(&wayback->lock);
    free(wayback);
}

bool wayback_is_origin(struct str url)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789.-:[]";
    struct str host = str_starts(url, STR("https://"))  ? str_from(url, 8)
                      : str_starts(url, STR("http://")) ? str_from(url, 7)
                                                        : STR("");
    for (size_t i = 0; i < host.len; i++)
        if (!memchr(plain, host.at[i], sizeof plain - 1))
            return false;
    return host.len > 0;
}

/* ---- Learning ---- */

static void add_origin(struct wayback_view *view, const char *url)
{
    size_t len = strlen(view->origins);
    if (!wayback_is_origin(str_of(url)) || wayback_has(view, str_of(url)))
        return;
    if (len + 1 + strlen(url) < sizeof view->origins) {
        if (len)
            view->origins[len++] = ' ';
        strcpy(view->origins + len, url);
    }
}

static void list_origins(const struct manager *managers, unsigned count,
                         const struct cluster_status *status, struct wayback_view *view)
{
    add_origin(view, view->url);
    for (unsigned i = 0; i < status->count; i++)
        add_origin(view, status->servers[i].place.url);
    for (unsigned i = 0; i < count; i++)
        if (managers[i].direct)
            add_origin(view, managers[i].url);
}

/* True: VIEW says something else than what was known. */
static bool replace(struct wayback *wayback, struct wayback_view *view, uint64_t until_ns)
{
    pthread_mutex_lock(&wayback->lock);
    const struct wayback_view *now = &wayback->now;
    bool changed = strcmp(now->url, view->url) != 0 || strcmp(now->origins, view->origins) != 0;
    if (changed) {
        view->version = now->version + 1;
        wayback->now = *view;
        atomic_store(&wayback->version, view->version);
    }
    atomic_store(&wayback->until_ns, until_ns);
    pthread_mutex_unlock(&wayback->lock);
    return changed;
}

bool wayback_learn(struct wayback *wayback, const struct manager *managers, unsigned count,
                   const struct cluster_status *status)
{
    struct wayback_view *view = calloc(1, sizeof *view);
    if (!view)
        return false;
    uint64_t until_ns = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct manager *manager = &managers[i];
        if (!manager->direct || !wayback_is_origin(str_of(manager->url)))
            continue;
        if (!view->url[0])
            strcpy(view->url, manager->url);
        if (until_ns < manager->seen_ns + MANAGER_SILENT_MS * MS_NS)
            until_ns = manager->seen_ns + MANAGER_SILENT_MS * MS_NS;
    }
    if (view->url[0])
        list_origins(managers, count, status, view);
    bool changed = replace(wayback, view, until_ns);
    free(view);
    return changed;
}

bool wayback_lapses(struct wayback *wayback, uint64_t now_ns)
{
    uint64_t until_ns = atomic_load(&wayback->until_ns);
    if (until_ns == 0 || now_ns <= until_ns)
        return false;
    struct wayback_view *none = calloc(1, sizeof *none);
    bool changed = none && replace(wayback, none, 0);
    free(none);
    return changed;
}

/* ---- Looking ---- */

bool wayback_look(struct wayback *wayback, struct wayback_view *view)
{
    if (view->version != atomic_load(&wayback->version)) {
        pthread_mutex_lock(&wayback->lock);
        *view = wayback->now;
        pthread_mutex_unlock(&wayback->lock);
    }
    return view->url[0] != '\0';
}

bool wayback_has(const struct wayback_view *view, struct str origin)
{
    struct str rest = str_of(view->origins), one;
    while (str_cut(&rest, ' ', &one))
        if (one.len && str_eq_nocase(one, origin))
            return true;
    return false;
}

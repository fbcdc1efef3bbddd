#include "web/media.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "web/call.h"
#include "web/fetch.h"
#include "web/relay.h"
#include "web/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONNECT_MS = 1000,
    SILENT_S = 5,      /* a server that moves no byte for so long is given up */
    NOWHERE_MS = 3000, /* how long it is believed that no server has a file */
    AVOID_MS = 5000,   /* how long a server that did not answer is not asked */
    ANSWER_MAX = 64 << 10,
    SMALL = 16 << 20, /* bytes: what is sent to all at once; of more, one server has to have it */
};

struct media {
    struct hash_key key; /* names come from outside */
    pthread_mutex_t mutex;
    struct media_memory nowhere; /* names; under mutex */
    struct media_memory silent;  /* servers; under mutex */
};

int media_new(const unsigned char *secret, struct media **media, struct failure *failure)
{
    struct media *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for media");
    memcpy(&made->key, secret, sizeof made->key);
    pthread_mutex_init(&made->mutex, NULL);
    *media = made;
    return 0;
}

void media_free(struct media *media)
{
    if (!media)
        return;
    pthread_mutex_destroy(&media->mutex);
    free(media);
}

/* ---- Remembering ---- */

void media_remember(struct media_memory *memory, uint64_t hash, uint64_t until_ns)
{
    unsigned slot = (unsigned)(hash % MEDIA_FORGETFUL_SLOTS);
    memory->slots[slot].hash = hash;
    memory->slots[slot].until_ns = until_ns;
}

bool media_remembers(const struct media_memory *memory, uint64_t hash, uint64_t now_ns)
{
    unsigned slot = (unsigned)(hash % MEDIA_FORGETFUL_SLOTS);
    return memory->slots[slot].hash == hash && memory->slots[slot].until_ns > now_ns;
}

static void remember(struct media *media, struct media_memory *memory, uint64_t hash, unsigned ms)
{
    pthread_mutex_lock(&media->mutex);
    media_remember(memory, hash, clock_mono_ns() + ms * MS_NS);
    pthread_mutex_unlock(&media->mutex);
}

static bool remembers(struct media *media, const struct media_memory *memory, uint64_t hash)
{
    pthread_mutex_lock(&media->mutex);
    bool known = media_remembers(memory, hash, clock_mono_ns());
    pthread_mutex_unlock(&media->mutex);
    return known;
}

/* ---- Files ---- */

static int open_folder(const struct exchange *x)
{
    const char *dir = call_web(x)->settings.media_dir;
    if (!dir || !*dir || (mkdir(dir, 0755) && errno != EEXIST))
        return -1;
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static struct timespec time_of(struct str text)
{
    uint64_t ns;
    if (!text.at || str_to_u64(text, &ns) || ns > INT64_MAX)
        return (struct timespec){.tv_nsec = UTIME_OMIT};
    return (struct timespec){.tv_sec = (time_t)(ns / SEC_NS), .tv_nsec = (long)(ns % SEC_NS)};
}

static struct str time_text(struct exchange *x, const struct stat *info)
{
    return arena_printf(&x->arena, "%llu",
                        (unsigned long long)info->st_mtim.tv_sec * SEC_NS +
                            (unsigned long long)info->st_mtim.tv_nsec);
}

void media_keep_time(struct exchange *x, const char *name)
{
    struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                               time_of(exchange_header(x, STR(MEDIA_TIME)))};
    int folder = relay_has_come(x) ? open_folder(x) : -1;
    if (folder < 0)
        return;
    utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW);
    close(folder);
}

void media_tell_time(struct exchange *x, const struct stat *info)
{
    if (relay_has_come(x))
        exchange_add_header(x, STR(MEDIA_TIME), time_text(x, info));
}

/* ---- The other servers ---- */

/* Those of the other servers that are up; SPREAD (may be NULL) hears of the rest. */
static unsigned others(const struct exchange *x,
                       struct server_place places[static CLUSTER_SERVERS_MAX],
                       struct media_spread *spread)
{
    const struct web_cluster *cluster = &call_web(x)->settings.cluster;
    struct cluster_status status;
    unsigned count = 0;
    if (!cluster->status || relay_has_come(x))
        return 0;
    cluster->status(cluster->context, &status);
    for (unsigned i = 0; i < status.count; i++) {
        const struct server_status *server = &status.servers[i];
        if (server->place.id == status.own)
            continue;
        if (spread)
            spread->others++;
        if (server->state == SERVER_UP && server->place.url[0])
            places[count++] = server->place;
        else if (spread)
            spread->missed[spread->missed_count++] = server->place.id;
    }
    return count;
}

/* METHOD PATH of NAME at SERVER, by the operator's right. NAME goes as it stands in X's path. */
static struct fetch *ask(struct exchange *x, const struct server_place *server, const char *method,
                         const char *path, struct str time)
{
    struct fetch *fetch = ARENA_NEW(&x->arena, struct fetch);
    struct http_header *headers = ARENA_ARRAY(&x->arena, struct http_header, 3);
    struct str url =
        arena_printf(&x->arena, "%s%s%.*s", server->url, path, STR_FMT(call_param(x, 0)));
    if (!fetch || !headers || !url.at)
        return NULL;
    unsigned count = 0;
    headers[count++] = (struct http_header){.name = STR(RELAY_HEADER), .value = STR("1")};
    if (x->known[HTTP_FIELD_AUTHORIZATION].at)
        headers[count++] = (struct http_header){.name = STR("Authorization"),
                                                .value = x->known[HTTP_FIELD_AUTHORIZATION]};
    if (time.at)
        headers[count++] = (struct http_header){.name = STR(MEDIA_TIME), .value = time};
    *fetch = (struct fetch){
        .method = str_of(method),
        .url = url.at,
        .headers = headers,
        .header_count = count,
        .body_file = -1,
        .connect_ms = CONNECT_MS,
        .silent_s = SILENT_S,
        .answer_file = -1,
        .answer_max = ANSWER_MAX,
    };
    return fetch;
}

/* Runs FETCH at SERVER; what came of it into SPREAD. NONE_IS_FINE: 404 is what was wanted. */
static void tell(struct exchange *x, const struct server_place *server, struct fetch *fetch,
                 bool none_is_fine, struct media_spread *spread)
{
    struct fetch_line *line = call_line(x);
    struct failure *failure = &spread->failure;
    int err = line && fetch ? fetch_run(line, fetch, &x->arena, failure)
                            : fail(failure, ERR_NOMEM, "out of memory");
    if (!err && fetch->status != 200 && !(none_is_fine && fetch->status == 404))
        err = fail(failure, ERR_IO, "server %llu answered %d: %.*s", (unsigned long long)server->id,
                   fetch->status, STR_FMT(str_sub(fetch->answer, 0, 200)));
    if (!err)
        spread->reached++;
    else
        spread->missed[spread->missed_count++] = server->id;
}

void media_send(struct exchange *x, const char *name, struct media_spread *spread)
{
    struct server_place places[CLUSTER_SERVERS_MAX];
    struct stat info;
    *spread = (struct media_spread){0};
    unsigned count = others(x, places, spread);
    int folder = count ? open_folder(x) : -1;
    int file = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (count && (file < 0 || fstat(file, &info)))
        fail_errno(&spread->failure, ERR_IO, "cannot read %s", name);
    for (unsigned i = 0; i < count && file >= 0; i++) {
        if (spread->reached && info.st_size > SMALL)
            break; /* the rest may fetch it */
        struct fetch *fetch = ask(x, &places[i], "PUT", "/admin/api/media/", time_text(x, &info));
        if (fetch) {
            fetch->body_file = file;
            fetch->body_bytes = (uint64_t)info.st_size;
        }
        tell(x, &places[i], fetch, false, spread);
    }
    if (file >= 0)
        close(file);
    if (folder >= 0)
        close(folder);
}

void media_delete(struct exchange *x, const char *name, struct media_spread *spread)
{
    struct media *media = call_web(x)->media;
    struct server_place places[CLUSTER_SERVERS_MAX];
    *spread = (struct media_spread){0};
    unsigned count = others(x, places, spread);
    for (unsigned i = 0; i < count; i++)
        tell(x, &places[i], ask(x, &places[i], "DELETE", "/admin/api/media/", STR_NONE), true,
             spread);
    remember(media, &media->nowhere, hash_fast(media->key, str_of(name)), NOWHERE_MS);
}

/* ---- Fetching ---- */

/* What came into FILE becomes NAME. */
static bool keep(const struct fetch *fetch, int folder, int file, const char *hidden,
                 const char *name)
{
    struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
                               time_of(fetch_header(fetch, STR(MEDIA_TIME)))};
    return fetch->status == 200 && futimens(file, times) == 0 && fsync(file) == 0 &&
           renameat(folder, hidden, folder, name) == 0 && fsync(folder) == 0;
}

/* 0: NAME is here now. ERR_NOTFOUND: SERVER does not have it. Others: it does not answer. */
static int fetch_from(struct exchange *x, const struct server_place *server, int folder,
                      const char *name)
{
    char hidden[UPLOAD_HIDDEN];
    struct failure failure = {.text = "out of memory"};
    struct fetch_line *line = call_line(x);
    struct fetch *fetch = ask(x, server, "GET", "/media/", STR_NONE);
    if (!line || !fetch)
        return ERR_NOMEM;
    upload_hidden_name(hidden);
    fetch->answer_file = openat(folder, hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fetch->answer_file < 0)
        return ERR_IO;
    fetch->answer_max = call_web(x)->settings.upload_max;
    int err = fetch_run(line, fetch, &x->arena, &failure);
    if (!err && fetch->status == 404)
        err = ERR_NOTFOUND;
    else if (!err && !keep(fetch, folder, fetch->answer_file, hidden, name))
        err = fail(&failure, ERR_IO, "%s cannot be kept (status %d)", name, fetch->status);
    if (err)
        unlinkat(folder, hidden, 0);
    close(fetch->answer_file);
    if (err && err != ERR_NOTFOUND)
        log_line(call_web(x)->settings.log, LOG_WARN, "media", "%s from server %llu: %s", name,
                 (unsigned long long)server->id, failure.text);
    return err;
}

enum media_found media_fetch(struct exchange *x, const char *name)
{
    struct media *media = call_web(x)->media;
    struct server_place places[CLUSTER_SERVERS_MAX];
    uint64_t hash = hash_fast(media->key, str_of(name));
    enum media_found found = MEDIA_NOWHERE;
    unsigned count = others(x, places, NULL);
    if (!count || remembers(media, &media->nowhere, hash))
        return MEDIA_NOWHERE;
    int folder = open_folder(x);
    for (unsigned i = 0; i < count && folder >= 0 && found != MEDIA_HERE; i++) {
        if (remembers(media, &media->silent, places[i].id)) {
            found = MEDIA_UNKNOWN;
            continue;
        }
        int err = fetch_from(x, &places[i], folder, name);
        if (!err)
            found = MEDIA_HERE;
        else if (err != ERR_NOTFOUND)
            found = MEDIA_UNKNOWN;
        if (err && err != ERR_NOTFOUND)
            remember(media, &media->silent, places[i].id, AVOID_MS);
    }
    if (folder >= 0)
        close(folder);
    if (found == MEDIA_NOWHERE)
        remember(media, &media->nowhere, hash, NOWHERE_MS);
    return found;
}

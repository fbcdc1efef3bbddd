#include "web/files.h"

#include "base/clock.h"
#include "base/err.h"
#include "http/asset.h"
#include "web/call.h"
#include "web/media.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HASH_DIGITS = 12 };

#define FOREVER "public, max-age=31536000, immutable"
#define A_DAY   "public, max-age=86400"

static int compare_path(const void *key, const void *asset)
{
    return strcmp(key, ((const struct asset *)asset)->path);
}

static const struct asset *find_asset(const char *path)
{
    return bsearch(path, assets, asset_count, sizeof *assets, compare_path);
}

/* The asset FOLDER/NAME, where NAME is of a request. */
static const struct asset *find_named(const char *folder, struct str name)
{
    char path[160];
    size_t len = strlen(folder);
    if (name.len + len >= sizeof path || str_find_byte(name, '\0') >= 0)
        return NULL;
    memcpy(path, folder, len);
    str_copy(path + len, sizeof path - len, name);
    return find_asset(path);
}

struct str files_address(struct arena *arena, const char *name)
{
    const struct asset *asset = find_named("pages/", str_of(name));
    return arena_printf(arena, "/assets/%.*s-%s", HASH_DIGITS, asset ? asset->etag : "0", name);
}

/* Assets are answered by the response cache from their second request on; no change of the
 * shop outdates them, but one of the way back does. */
static enum app_verdict reply_asset(struct exchange *x, const struct asset *asset,
                                    const char *cache_control)
{
    if (!asset)
        return call_fail(x, 404, STR(""));
    struct str bytes = str_make(asset->bytes, asset->length);
    struct cache *cache = call_web(x)->settings.cache;
    struct cache_tags tags = {.index = UINT64_MAX, .round = cache_round(cache)};
    /* As HTML: an SVG opened by itself is a document. */
    struct http_page *page =
        call_page_new(x, true, str_of(asset->type), str_of(cache_control), bytes);
    if (!page)
        return call_fail_err(x, ERR_NOMEM);
    cache_put(cache, x->path, page, &tags);
    call_tell_tags(x, &tags);
    exchange_page(x, page);
    http_page_drop(page);
    return APP_DONE;
}

enum app_verdict files_asset(struct exchange *x)
{
    struct str param = call_param(x, 0); /* HASH-NAME */
    const struct asset *asset = NULL;
    if (param.len > HASH_DIGITS + 1 && param.at[HASH_DIGITS] == '-')
        asset = find_named("pages/", str_from(param, HASH_DIGITS + 1));
    if (asset && (str_ends(str_of(asset->path), STR(".html")) ||
                  memcmp(asset->etag, param.at, HASH_DIGITS) != 0))
        asset = NULL;
    return reply_asset(x, asset, FOREVER);
}

enum app_verdict files_picture(struct exchange *x)
{
    return reply_asset(x, find_named("catalogue/pictures/", call_param(x, 0)), A_DAY);
}

enum app_verdict files_icon(struct exchange *x)
{
    return reply_asset(x, find_asset("pages/favicon.svg"), A_DAY);
}

enum app_verdict files_robots(struct exchange *x)
{
    exchange_add_header(x, STR("Cache-Control"), STR(A_DAY));
    exchange_reply(x, 200, STR("text/plain; charset=utf-8"),
                   STR("User-agent: *\nDisallow: /cart\nDisallow: /checkout\nDisallow: /order\n"));
    return APP_DONE;
}

bool files_path_is_plain(struct str path)
{
    struct str rest = path, part;
    bool any = false;
    while (str_cut(&rest, '/', &part)) {
        if (part.len == 0 || part.at[0] == '.' || str_find_byte(part, '\\') >= 0 ||
            str_find_byte(part, '\0') >= 0)
            return false;
        any = true;
    }
    return any;
}

/* Opens PATH below FOLDER, refusing symbolic links on the way; -1 when there is no such file. */
static int open_below(const char *folder, struct str path)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct str rest = path, part;
    while (at >= 0 && str_cut(&rest, '/', &part)) {
        char name[256];
        if (part.len >= sizeof name) {
            close(at);
            return -1;
        }
        str_copy(name, sizeof name, part);
        int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
        int next = openat(at, name, flags | (rest.at ? O_DIRECTORY : 0));
        close(at);
        at = next;
    }
    return at;
}

static struct str media_type(struct str path)
{
    static const char *const types[][2] = {
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".webp", "image/webp"},
        {".avif", "image/avif"},
        {".gif", "image/gif"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
        {".pdf", "application/pdf"},
        {".txt", "text/plain; charset=utf-8"},
    };
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        if (str_ends(path, str_of(types[i][0])))
            return str_of(types[i][1]);
    return STR("application/octet-stream");
}

enum { FD_NONE = -1, FD_UNKNOWN = -2 };

/* The file's descriptor, FD_NONE, or FD_UNKNOWN when it may be on a server that does not answer. */
static int open_here_or_fetch(struct exchange *x, const char *folder, struct str path)
{
    char name[256];
    int fd = open_below(folder, path);
    if (fd >= 0 || path.len >= sizeof name || str_find_byte(path, '/') >= 0)
        return fd;
    switch (media_fetch(x, str_copy(name, sizeof name, path))) {
    case MEDIA_HERE:
        return open_below(folder, path);
    case MEDIA_UNKNOWN:
        return FD_UNKNOWN;
    case MEDIA_NOWHERE:
        break;
    }
    return FD_NONE;
}

enum app_verdict files_media(struct exchange *x)
{
    const char *folder = call_web(x)->settings.media_dir;
    struct str path = call_param_text(x, 0);
    if (!folder || !*folder || !path.at || !files_path_is_plain(path))
        return call_fail(x, 404, STR(""));
    int fd = open_here_or_fetch(x, folder, path);
    struct stat info;
    if (fd == FD_UNKNOWN)
        return call_fail(x, 503, STR("A server that may have this file does not answer."));
    if (fd < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        if (fd >= 0)
            close(fd);
        return call_fail(x, 404, STR(""));
    }
    int64_t modified_ms = (int64_t)info.st_mtim.tv_sec * 1000;
    char date[32];
    clock_http_date(modified_ms, date, sizeof date);
    exchange_add_header(x, STR("ETag"),
                        arena_printf(&x->arena, "\"%llx-%llx\"", (unsigned long long)info.st_size,
                                     (unsigned long long)modified_ms * 1000000ull +
                                         (unsigned long long)info.st_mtim.tv_nsec));
    exchange_add_header(x, STR("Last-Modified"), arena_str(&x->arena, str_of(date)));
    exchange_add_header(x, STR("Cache-Control"), STR("public, max-age=300"));
    media_tell_time(x, &info);
    call_security_headers(x, true);
    exchange_reply_file(x, 200, media_type(path), fd, 0, (uint64_t)info.st_size);
    return APP_DONE;
}

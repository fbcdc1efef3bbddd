#include "base/clock.h"
#include "web/api.h"
#include "web/files.h"
#include "web/media.h"
#include "web/upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 10000, NAME_BYTES = 200 };

/* The file's name in the path, in TEXT; false: refused and answered. */
static bool name_of(struct exchange *x, char text[static NAME_BYTES + 1])
{
    struct str name = call_param_text(x, 0);
    bool good = name.len && name.len <= NAME_BYTES && files_path_is_plain(name) &&
                str_find_byte(name, '/') < 0;
    if (!good)
        api_refuse(x, 422, "invalid",
                   arena_printf(&x->arena,
                                "a file's name has 1 to %d bytes, no slash, and no dot in front",
                                NAME_BYTES),
                   STR(""));
    else
        str_copy(text, NAME_BYTES + 1, name);
    return good;
}

void api_media_accept(struct exchange *x)
{
    const struct web_settings *settings = &call_web(x)->settings;
    struct failure failure = {.text = "out of memory"};
    char name[NAME_BYTES + 1];
    if (!name_of(x, name))
        return;
    call_of(x)->own = upload_begin(x, call_web(x)->api->uploads, settings->media_dir,
                                   settings->upload_max, &failure);
    if (!call_of(x)->own)
        api_refuse(x, 507, "no_room", arena_str(&x->arena, str_of(failure.text)), STR(""));
}

/* No other server has it: it would die with this one. */
static enum app_verdict refuse_single(struct exchange *x, const struct media_spread *spread)
{
    const char *why = spread->failure.err ? spread->failure.text : "none of them is up";
    exchange_add_header(x, STR("Retry-After"), STR("2"));
    return api_refuse(x, 503, "no_copy",
                      arena_printf(&x->arena,
                                   "The file is on this server alone, as no other one could take "
                                   "it (%s). Send it again.",
                                   why),
                      STR(""));
}

/* On a helper thread, once the body is complete. */
enum app_verdict api_media_put(struct exchange *x)
{
    struct upload *upload = call_of(x)->own;
    struct failure failure;
    struct json json;
    char name[NAME_BYTES + 1];
    if (!name_of(x, name))
        return APP_DONE;
    if (upload_end(upload, &failure) || upload_keep(upload, name, &failure))
        return api_refuse(x, 507, "no_room", arena_str(&x->arena, str_of(failure.text)), STR(""));
    struct media_spread spread;
    media_keep_time(x, name);
    media_send(x, name, &spread);
    if (spread.others && !spread.reached)
        return refuse_single(x, &spread);
    json_begin(&json, &x->arena);
    json_put_bool(&json, json.root, "done", true);
    json_put_text(&json, json.root, "name", arena_str(&x->arena, str_of(name)));
    json_put_text(&json, json.root, "url",
                  arena_printf(&x->arena, "/media/%.*s", STR_FMT(call_param(x, 0))));
    json_put_int(&json, json.root, "bytes", (int64_t)upload_size(upload));
    json_put_int(&json, json.root, "servers", 1 + (int64_t)spread.reached);
    return api_send(x, &json);
}

enum app_verdict api_media_get(struct exchange *x)
{
    char name[NAME_BYTES + 1];
    return name_of(x, name) ? files_media(x) : APP_DONE;
}

/* The open folder, or -1. */
static int folder_of(struct exchange *x)
{
    const char *dir = call_web(x)->settings.media_dir;
    return dir && *dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

enum app_verdict api_media_delete(struct exchange *x)
{
    char name[NAME_BYTES + 1];
    struct json json;
    if (!name_of(x, name))
        return APP_DONE;
    int folder = folder_of(x);
    int err = folder < 0 || unlinkat(folder, name, 0) ? errno : 0;
    if (folder >= 0)
        close(folder);
    if (err && err != ENOENT)
        return api_failed(x, ERR_IO, STR("the file cannot be deleted"));
    struct media_spread spread;
    media_delete(x, name, &spread);
    if (err && !spread.others)
        return api_failed(x, ERR_NOTFOUND, STR("there is no such file"));
    json_begin(&json, &x->arena);
    json_put_bool(&json, json.root, "done", true);
    if (spread.missed_count) {
        yyjson_mut_val *list = json_put_list(&json, json.root, "missed");
        for (unsigned i = 0; i < spread.missed_count; i++)
            json_add_int(&json, list, (int64_t)spread.missed[i]);
    }
    return api_send(x, &json);
}

static void put_file(struct json *json, yyjson_mut_val *list, int folder, const char *name)
{
    struct stat info;
    char time[32];
    if (name[0] == '.' || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(info.st_mode))
        return;
    clock_rfc3339((int64_t)info.st_mtim.tv_sec * 1000, time, sizeof time);
    yyjson_mut_val *file = json_add_object(json, list);
    json_put_text(json, file, "name", arena_str(json->arena, str_of(name)));
    json_put_int(json, file, "bytes", info.st_size);
    json_put_text(json, file, "changed_at", arena_str(json->arena, str_of(time)));
}

enum app_verdict api_media_list(struct exchange *x)
{
    struct json json;
    struct dirent *entry;
    int folder = folder_of(x);
    DIR *files = folder < 0 ? NULL : fdopendir(folder);
    json_begin(&json, &x->arena);
    yyjson_mut_val *list = json_put_list(&json, json.root, "files");
    for (unsigned i = 0; files && i < NAMES_MAX && (entry = readdir(files)); i++)
        put_file(&json, list, folder, entry->d_name);
    if (files)
        closedir(files);
    return api_send(x, &json);
}

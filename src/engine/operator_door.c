#include "engine/operator_door.h"

#include "base/base64.h"
#include "base/check.h"
#include "http/asset.h"
#include "net/openssl.h"

#include <string.h>

enum { CREDENTIALS_MAX = 512 };

/* ---- Files ---- */

static const struct asset *find_asset(const char *file)
{
    unsigned at = 0;
    while (at < asset_count && strcmp(assets[at].path, file) != 0)
        at++;
    CHECK(at < asset_count);
    return &assets[at];
}

struct str operator_door_text(const char *file)
{
    const struct asset *asset = find_asset(file);
    return str_make((const char *)asset->bytes, asset->length);
}

int operator_door_load(struct operator_door *door, const struct operator_file *list, unsigned count,
                       struct failure *failure)
{
    CHECK(count <= OPERATOR_FILES_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct http_page *page =
            http_page_new(200, str_of(find_asset(list[i].file)->type), STR("no-cache"),
                          operator_door_text(list[i].file), true);
        if (!page)
            return fail(failure, ERR_NOMEM, "no memory for the status page");
        door->files[door->file_count++] = (struct operator_page){list[i].path, page};
    }
    return 0;
}

void operator_door_close(struct operator_door *door)
{
    for (unsigned i = 0; i < door->file_count; i++)
        http_page_drop(door->files[i].page);
    door->file_count = 0;
}

/* ---- Answers ---- */

enum app_verdict operator_door_say(struct exchange *x, int status, struct str text)
{
    exchange_reply(x, status, STR("text/plain; charset=utf-8"), text);
    return APP_DONE;
}

enum app_verdict operator_door_answer(struct exchange *x, struct str type, struct buf *text)
{
    struct str copy = text->failed ? STR_NONE : arena_str(&x->arena, buf_text(text));
    buf_close(text);
    if (!copy.at)
        return operator_door_say(x, 503, STR("No memory for this answer; try again.\n"));
    exchange_reply(x, 200, type, copy);
    x->compressible = true;
    return APP_DONE;
}

static void add_headers(struct exchange *x)
{
    exchange_add_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    exchange_add_header(x, STR("Cross-Origin-Resource-Policy"), STR("same-origin"));
    exchange_add_header(x, STR("Referrer-Policy"), STR("no-referrer"));
    exchange_add_header(x, STR("Content-Security-Policy"),
                        STR("default-src 'none'; style-src 'self'; script-src 'self'; "
                            "img-src 'self'; connect-src 'self'; form-action 'none'; "
                            "base-uri 'none'; frame-ancestors 'none'"));
}

/* ---- Who may call ---- */

/* What follows SCHEME in the header Authorization; at == NULL: it is of another one. */
static struct str credentials(const struct exchange *x, struct str scheme)
{
    struct str said = x->known[HTTP_FIELD_AUTHORIZATION];
    if (!said.at || said.len <= scheme.len || !str_eq_nocase(str_sub(said, 0, scheme.len), scheme))
        return STR_NONE;
    return str_from(said, scheme.len);
}

static bool is_same(struct str said, struct str token)
{
    return said.len == token.len && CRYPTO_memcmp(said.at, token.at, token.len) == 0;
}

bool operator_door_knows(const struct exchange *x, const char *token)
{
    struct str wanted = str_of(token ? token : ""), bearer = credentials(x, STR("Bearer "));
    struct str basic = credentials(x, STR("Basic "));
    char plain[CREDENTIALS_MAX];
    size_t len;
    if (wanted.len == 0)
        return false;
    if (bearer.at)
        return is_same(bearer, wanted);
    if (!basic.at || base64_decode(BASE64_PADDED, basic, plain, sizeof plain, &len))
        return false;
    struct str pair = str_make(plain, len);
    ptrdiff_t colon = str_find_byte(pair, ':');
    return colon >= 0 && is_same(str_from(pair, (size_t)colon + 1), wanted);
}

enum app_verdict operator_door_refuse(struct exchange *x)
{
    add_headers(x);
    exchange_add_header(x, STR("WWW-Authenticate"), STR("Basic realm=\"Stoa\", charset=\"UTF-8\""));
    return operator_door_say(x, 401,
                             STR("Send the operator's token: Authorization: Bearer ..., or as the "
                                 "password of any name.\n"));
}

/* The names by which this machine alone is reached. */
static bool names_loopback(struct str host)
{
    ptrdiff_t end =
        host.len && host.at[0] == '[' ? str_find_byte(host, ']') + 1 : str_find_byte(host, ':');
    struct str name = end > 0 ? str_sub(host, 0, (size_t)end) : host;
    if (str_eq_nocase(name, STR("localhost")) || str_eq(name, STR("[::1]")))
        return true;
    if (!str_starts(name, STR("127.")))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] != '.' && (name.at[i] < '0' || name.at[i] > '9'))
            return false;
    return true;
}

/* ---- Which ---- */

static enum app_verdict answer_file(const struct operator_door *door, struct exchange *x)
{
    for (unsigned i = 0; i < door->file_count; i++) {
        if (!str_eq(x->path, str_of(door->files[i].path)))
            continue;
        exchange_page(x, door->files[i].page);
        return APP_DONE;
    }
    return operator_door_say(x, 404, STR("There is nothing here. The status page is at /\n"));
}

enum app_verdict operator_door_handle(const struct operator_door *door, struct exchange *x)
{
    enum http_method method = x->method == HTTP_HEAD ? HTTP_GET : x->method;
    add_headers(x);
    if (door->loopback && !names_loopback(x->host))
        return operator_door_say(
            x, 421, STR("This door is for this machine: call it 127.0.0.1 or localhost.\n"));
    for (unsigned i = 0; i < door->route_count; i++) {
        const struct operator_route *route = &door->routes[i];
        if (!str_eq(x->path, str_of(route->path)))
            continue;
        if (route->method == method)
            return route->answer(x);
        exchange_add_header(x, STR("Allow"),
                            route->method == HTTP_GET ? STR("GET, HEAD") : STR("POST"));
        return operator_door_say(x, 405, STR("Not in this way.\n"));
    }
    if (method != HTTP_GET)
        return operator_door_say(x, 404, STR("There is nothing here. The status page is at /\n"));
    return answer_file(door, x);
}

enum app_verdict operator_door_work(struct app *app, struct exchange *x)
{
    (void)app, (void)x;
    CHECK(false);
    return APP_DONE;
}

#include "web/routes.h"

#include <stdio.h>

/* What is left of PATH when it begins with PATTERN's literal part up to '{' or the end. */
static bool take_literal(const char **pattern, struct str *path)
{
    size_t len = strcspn(*pattern, "{");
    if (path->len < len || memcmp(path->at, *pattern, len) != 0)
        return false;
    *pattern += len;
    *path = str_from(*path, len);
    return true;
}

/* The value of the parameter at *PATTERN ("{name}…"): up to the next '/', less the fixed
 * end that the pattern wants; or all that is left for "{name*}". */
static bool take_param(const char **pattern, struct str *path, struct str *value)
{
    const char *close = strchr(*pattern, '}');
    bool rest = close[-1] == '*';
    *pattern = close + 1;
    if (rest) {
        *value = *path;
        *path = str_from(*path, path->len);
        return value->len > 0;
    }
    ptrdiff_t slash = str_find_byte(*path, '/');
    size_t segment = slash < 0 ? path->len : (size_t)slash;
    size_t tail = strcspn(*pattern, "/");
    if (segment <= tail || memcmp(path->at + segment - tail, *pattern, tail) != 0)
        return false;
    *value = str_sub(*path, 0, segment - tail);
    *path = str_from(*path, segment);
    *pattern += tail;
    return true;
}

bool route_fits(const char *pattern, struct str path, struct str params[ROUTE_PARAMS_MAX])
{
    unsigned count = 0;
    while (*pattern) {
        if (*pattern == '{') {
            if (count == ROUTE_PARAMS_MAX || !take_param(&pattern, &path, &params[count++]))
                return false;
        } else if (!take_literal(&pattern, &path)) {
            return false;
        }
    }
    return path.len == 0;
}

/* "/carts" of "/carts/1/2" */
static struct str first_segment(struct str path)
{
    ptrdiff_t slash = str_find_byte(str_from(path, 1), '/');
    return slash < 0 ? path : str_sub(path, 0, (size_t)slash + 1);
}

/* Whose language an unknown PATH is answered in: that of its neighbours. */
static enum route_face face_near(const struct route *table, unsigned count, struct str path)
{
    struct str segment = first_segment(path);
    for (unsigned i = 0; i < count; i++)
        if (segment.len > 1 && str_eq(segment, first_segment(str_of(table[i].pattern))))
            return table[i].face;
    return FACE_PAGES;
}

struct route_match route_find(const struct route *table, unsigned count, enum http_method method,
                              struct str path)
{
    struct route_match match = {0};
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
    for (unsigned i = 0; i < count; i++) {
        const struct route *route = &table[i];
        if (!route_fits(route->pattern, path, match.params))
            continue;
        match.face = route->face;
        if (route->method == wanted) {
            match.route = route;
            return match;
        }
        match.allowed |= 1u << route->method;
    }
    if (!match.allowed)
        match.face = face_near(table, count, path);
    return match;
}

const char *route_allow(unsigned allowed, char *out, size_t size)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET, HEAD", [HTTP_POST] = "POST",   [HTTP_PUT] = "PUT",
        [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH", [HTTP_OPTIONS] = "OPTIONS",
    };
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < sizeof names / sizeof *names && len < size; i++)
        if ((allowed & 1u << i) && names[i])
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "", names[i]);
    return out;
}

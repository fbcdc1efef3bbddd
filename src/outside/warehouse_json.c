#include "outside/warehouse_json.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEPTH_MAX = 16 };

/* ---- Reading ---- */

static void *from_arena(void *context, size_t size)
{
    return arena_alloc(context, size);
}

static void *more_from_arena(void *context, void *old, size_t old_size, size_t size)
{
    void *made = arena_alloc(context, size);
    if (made)
        memcpy(made, old, old_size < size ? old_size : size);
    return made;
}

static void not_to_arena(void *context, void *memory)
{
    (void)context, (void)memory;
}

/* yyjson needs no stack for depth, but nothing of ours is nested deeply. */
static bool is_too_deep(struct str text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '[') && ++depth > DEPTH_MAX)
            return true;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return false;
}

void warehouse_json_wrong(struct warehouse_json *in, const char *format, ...)
{
    char text[256];
    va_list arguments;
    if (in->wrong.at)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    in->wrong = arena_str(in->arena, str_of(text));
    if (!in->wrong.at)
        in->wrong = STR("there is no memory to read it");
}

void warehouse_json_read(struct warehouse_json *in, struct arena *arena, struct str text)
{
    const yyjson_alc allocator = {from_arena, more_from_arena, not_to_arena, arena};
    yyjson_read_err err;
    *in = (struct warehouse_json){.arena = arena};
    if (is_too_deep(text)) {
        warehouse_json_wrong(in, "the body is nested deeper than %d levels", DEPTH_MAX);
        return;
    }
    /* Without the in-situ flag the text is not written to. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.at, text.len, 0, &allocator, &err);
    in->root = yyjson_doc_get_root(doc);
    if (!doc)
        warehouse_json_wrong(in, "the body is not JSON: %s at byte %zu", err.msg, err.pos);
    else if (!yyjson_is_obj(in->root))
        warehouse_json_wrong(in, "the body is no object");
}

static yyjson_val *member(yyjson_val *object, const char *key)
{
    yyjson_val *value = yyjson_is_obj(object) ? yyjson_obj_get(object, key) : NULL;
    return yyjson_is_null(value) ? NULL : value;
}

static const char *dot(const char *where)
{
    return where[0] ? "." : "";
}

struct str warehouse_json_text(struct warehouse_json *in, yyjson_val *object, const char *where,
                               const char *key, size_t max)
{
    yyjson_val *value = member(object, key);
    if (!value)
        return STR("");
    if (!yyjson_is_str(value)) {
        warehouse_json_wrong(in, "%s%s%s is no text", where, dot(where), key);
        return STR("");
    }
    struct str text = str_make(yyjson_get_str(value), yyjson_get_len(value));
    if (text.len > max || str_find_byte(text, '\0') >= 0) {
        warehouse_json_wrong(in, "%s%s%s is longer than %zu bytes, or has a zero byte in it", where,
                             dot(where), key, max);
        return STR("");
    }
    return text;
}

int64_t warehouse_json_int(struct warehouse_json *in, yyjson_val *object, const char *where,
                           const char *key, int64_t min, int64_t max, int64_t otherwise)
{
    yyjson_val *value = member(object, key);
    if (!value && otherwise >= min)
        return otherwise;
    bool large = yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX;
    int64_t number = yyjson_get_sint(value);
    if (yyjson_is_int(value) && !large && number >= min && number <= max)
        return number;
    warehouse_json_wrong(in, "%s%s%s must be a whole number from %lld to %lld", where, dot(where),
                         key, (long long)min, (long long)max);
    return min;
}

bool warehouse_json_bool(struct warehouse_json *in, yyjson_val *object, const char *where,
                         const char *key, bool otherwise)
{
    yyjson_val *value = member(object, key);
    if (!value)
        return otherwise;
    if (!yyjson_is_bool(value))
        warehouse_json_wrong(in, "%s%s%s must be true or false", where, dot(where), key);
    return yyjson_get_bool(value);
}

struct id warehouse_json_id(struct warehouse_json *in, yyjson_val *object, const char *where,
                            const char *key, bool needed)
{
    struct id id = {0};
    struct str text = warehouse_json_text(in, object, where, key, 64);
    if (!text.len && !needed)
        return id;
    if (id_parse(text, &id) || id_is_zero(id))
        warehouse_json_wrong(in, "%s%s%s must be a UUID", where, dot(where), key);
    return id;
}

yyjson_val *warehouse_json_list(struct warehouse_json *in, yyjson_val *object, const char *where,
                                const char *key, size_t max)
{
    yyjson_val *value = member(object, key);
    if (value && (!yyjson_is_arr(value) || yyjson_arr_size(value) > max)) {
        warehouse_json_wrong(in, "%s%s%s must be a list of at most %zu", where, dot(where), key,
                             max);
        return NULL;
    }
    return value;
}

#include "base/check.h"
#include "web/json.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- yyjson's memory is the arena ---- */

static void *from_arena(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void *more_from_arena(void *arena, void *old, size_t old_size, size_t size)
{
    void *grown = arena_alloc(arena, size);
    if (grown)
        memcpy(grown, old, old_size < size ? old_size : size);
    return grown;
}

static void not_to_arena(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

/* Counted before parsing, so that what walks the values may recurse. */
static bool too_deep(struct str text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return true;
        } else if ((c == ']' || c == '}') && depth) {
            depth--;
        }
    }
    return false;
}

void json_read(struct json_in *in, struct arena *arena, struct str text, struct json_spot *root)
{
    *in = (struct json_in){.arena = arena};
    *root = (struct json_spot){0};
    text = str_trim(text);
    if (!text.len)
        text = STR("{}");
    if (too_deep(text)) {
        json_wrong(in, root, "is nested deeper than %d levels", JSON_DEPTH_MAX);
        return;
    }
    const yyjson_alc allocator = {from_arena, more_from_arena, not_to_arena, arena};
    yyjson_read_err err;
    /* Without the in-situ flag the text is not written to. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.at, text.len, 0, &allocator, &err);
    root->value = yyjson_doc_get_root(doc);
    if (!doc)
        json_wrong(in, root, "is not JSON: %s at byte %zu", err.msg, err.pos);
}

/* ---- Paths ---- */

static struct str path_of(struct arena *arena, const struct json_spot *spot)
{
    if (!spot->in)
        return STR("$");
    struct str before = path_of(arena, spot->in);
    return spot->key ? arena_printf(arena, "%.*s.%s", STR_FMT(before), spot->key)
                     : arena_printf(arena, "%.*s[%zu]", STR_FMT(before), spot->index);
}

void json_wrong(struct json_in *in, const struct json_spot *spot, const char *format, ...)
{
    if (json_bad(in))
        return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    in->path = path_of(in->arena, spot);
    in->problem = arena_str(in->arena, str_of(text));
    if (!in->problem.at)
        in->problem = STR("cannot be read");
}

struct json_spot json_member(const struct json_spot *spot, const char *key)
{
    yyjson_val *value = yyjson_is_obj(spot->value) ? yyjson_obj_get(spot->value, key) : NULL;
    return (struct json_spot){yyjson_is_null(value) ? NULL : value, spot, key, 0};
}

struct json_spot json_element(const struct json_spot *spot, size_t index)
{
    yyjson_val *value = yyjson_is_arr(spot->value) ? yyjson_arr_get(spot->value, index) : NULL;
    return (struct json_spot){yyjson_is_null(value) ? NULL : value, spot, NULL, index};
}

/* ---- Values ---- */

void json_require(struct json_in *in, const struct json_spot *spot)
{
    if (!json_has(spot))
        json_wrong(in, spot, "is missing");
}

bool json_is_object(struct json_in *in, const struct json_spot *spot)
{
    if (json_has(spot) && !yyjson_is_obj(spot->value))
        json_wrong(in, spot, "must be an object");
    return yyjson_is_obj(spot->value);
}

unsigned json_count(struct json_in *in, const struct json_spot *spot, unsigned max)
{
    if (!json_has(spot))
        return 0;
    size_t count = yyjson_arr_size(spot->value);
    if (!yyjson_is_arr(spot->value))
        json_wrong(in, spot, "must be a list");
    else if (count > max)
        json_wrong(in, spot, "has %zu elements; at most %u are taken", count, max);
    return count > max ? 0 : (unsigned)count;
}

static bool is_text(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return false;
    }
    return true;
}

struct str json_text(struct json_in *in, const struct json_spot *spot, size_t max)
{
    if (!json_has(spot))
        return STR_NONE;
    if (!yyjson_is_str(spot->value)) {
        json_wrong(in, spot, "must be a string");
        return STR_NONE;
    }
    struct str text = str_make(yyjson_get_str(spot->value), yyjson_get_len(spot->value));
    if (text.len > max)
        json_wrong(in, spot, "has %zu bytes; at most %zu are taken", text.len, max);
    else if (!is_text(text))
        json_wrong(in, spot, "has a control character in it");
    else
        return text;
    return STR_NONE;
}

int64_t json_integer(struct json_in *in, const struct json_spot *spot, int64_t min, int64_t max,
                     int64_t fallback)
{
    if (!json_has(spot))
        return fallback;
    bool whole = yyjson_is_int(spot->value);
    int64_t value = whole ? yyjson_get_sint(spot->value) : 0;
    if (yyjson_is_uint(spot->value) && yyjson_get_uint(spot->value) > INT64_MAX)
        value = INT64_MAX;
    if (yyjson_is_real(spot->value)) { /* 2.0 is a whole number as well */
        double real = yyjson_get_real(spot->value);
        whole = real == floor(real) && fabs(real) < 9e15;
        value = whole ? (int64_t)real : 0;
    }
    if (!whole)
        json_wrong(in, spot, "must be a whole number");
    else if (value < min || value > max)
        json_wrong(in, spot, "is %lld; it must be from %lld to %lld", (long long)value,
                   (long long)min, (long long)max);
    else
        return value;
    return fallback;
}

bool json_flag(struct json_in *in, const struct json_spot *spot, bool fallback)
{
    if (!json_has(spot))
        return fallback;
    if (!yyjson_is_bool(spot->value)) {
        json_wrong(in, spot, "must be true or false");
        return fallback;
    }
    return yyjson_get_bool(spot->value);
}

struct str json_text_of(struct json_in *in, const struct json_spot *object, const char *key,
                        size_t max)
{
    struct json_spot spot = json_member(object, key);
    return json_text(in, &spot, max);
}

struct str json_need_text(struct json_in *in, const struct json_spot *object, const char *key,
                          size_t max)
{
    struct json_spot spot = json_member(object, key);
    json_require(in, &spot);
    struct str text = json_text(in, &spot, max);
    if (text.at && !str_trim(text).len)
        json_wrong(in, &spot, "is empty");
    return text;
}

int64_t json_integer_of(struct json_in *in, const struct json_spot *object, const char *key,
                        int64_t min, int64_t max, int64_t fallback)
{
    struct json_spot spot = json_member(object, key);
    return json_integer(in, &spot, min, max, fallback);
}

bool json_flag_of(struct json_in *in, const struct json_spot *object, const char *key,
                  bool fallback)
{
    struct json_spot spot = json_member(object, key);
    return json_flag(in, &spot, fallback);
}

/* ---- What a value means, as a hash ---- */

/* OpenSSL takes long to begin with each of many small pieces. */
struct hasher {
    EVP_MD_CTX *context;
    size_t len;
    unsigned char bytes[1024];
};

static void flush(struct hasher *hash)
{
    EVP_DigestUpdate(hash->context, hash->bytes, hash->len);
    hash->len = 0;
}

static void add_bytes(struct hasher *hash, const void *bytes, size_t len)
{
    if (len > sizeof hash->bytes - hash->len)
        flush(hash);
    if (len > sizeof hash->bytes) {
        EVP_DigestUpdate(hash->context, bytes, len);
    } else if (len) {
        memcpy(hash->bytes + hash->len, bytes, len);
        hash->len += len;
    }
}

static void add(struct hasher *hash, char tag, const void *bytes, uint64_t len)
{
    add_bytes(hash, &tag, 1);
    add_bytes(hash, &len, sizeof len);
    add_bytes(hash, bytes, len);
}

static int by_key(const void *a, const void *b)
{
    yyjson_val *const *left = a, *const *right = b;
    return str_compare(str_make(yyjson_get_str(*left), yyjson_get_len(*left)),
                       str_make(yyjson_get_str(*right), yyjson_get_len(*right)));
}

static void add_value(struct hasher *hash, yyjson_val *value);

static void add_object(struct hasher *hash, yyjson_val *object)
{
    size_t count = yyjson_obj_size(object), i, max;
    yyjson_val *key, *value, **keys = malloc((count + 1) * sizeof *keys);
    add(hash, '{', NULL, 0);
    add_bytes(hash, &count, sizeof count);
    yyjson_obj_foreach(object, i, max, key, value) if (keys) keys[i] = key;
    if (keys)
        qsort(keys, count, sizeof *keys, by_key);
    for (i = 0; keys && i < count; i++) {
        add(hash, 'k', yyjson_get_str(keys[i]), yyjson_get_len(keys[i]));
        add_value(hash, yyjson_obj_iter_get_val(keys[i]));
    }
    free(keys);
}

static void add_number(struct hasher *hash, yyjson_val *value)
{
    double real = yyjson_get_num(value);
    char text[40];
    int len = yyjson_is_sint(value)
                  ? snprintf(text, sizeof text, "%lld", (long long)yyjson_get_sint(value))
              : yyjson_is_uint(value)
                  ? snprintf(text, sizeof text, "%llu", (unsigned long long)yyjson_get_uint(value))
              : real == floor(real) && fabs(real) < 9e15
                  ? snprintf(text, sizeof text, "%lld", (long long)real)
                  : snprintf(text, sizeof text, "%.17g", real);
    add(hash, '#', text, (uint64_t)len);
}

/* Recursion is bounded: json_read refuses what is nested too deep. */
static void add_value(struct hasher *hash, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *element;
    if (yyjson_is_obj(value)) {
        add_object(hash, value);
    } else if (yyjson_is_arr(value)) {
        size_t count = yyjson_arr_size(value);
        add(hash, '[', &count, sizeof count);
        yyjson_arr_foreach(value, i, max, element) add_value(hash, element);
    } else if (yyjson_is_str(value)) {
        add(hash, '"', yyjson_get_str(value), yyjson_get_len(value));
    } else if (yyjson_is_num(value)) {
        add_number(hash, value);
    } else {
        add(hash, yyjson_is_true(value) ? 't' : yyjson_is_false(value) ? 'f' : 'n', NULL, 0);
    }
}

void json_hash(struct str prefix, yyjson_val *value, unsigned char out[static JSON_HASH])
{
    unsigned char full[EVP_MAX_MD_SIZE] = {0};
    struct hasher hash;
    hash.context = EVP_MD_CTX_new();
    hash.len = 0;
    CHECK(hash.context && EVP_DigestInit_ex(hash.context, EVP_sha256(), NULL));
    add(&hash, 'p', prefix.at, prefix.len);
    if (value)
        add_value(&hash, value);
    flush(&hash);
    EVP_DigestFinal_ex(hash.context, full, NULL);
    EVP_MD_CTX_free(hash.context);
    memcpy(out, full, JSON_HASH);
}

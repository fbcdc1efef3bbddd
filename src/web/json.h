/* JSON: reading what a client sent, strictly, and writing what it gets.
 *
 * For the UCP face (ucp_*.c) and the operator's (api_*.c). yyjson parses and prints; all
 * memory is the exchange's arena. Pure; thread: the exchange's.
 *
 * Reading. A struct json_spot is a value and the way to it, so that what is wrong can be
 * told with its path ("$.line_items[0].quantity"). The getters never fail: for a missing
 * value (or null) they give the fallback, for a wrong one too and note it in the struct
 * json_in; a handler reads everything and looks at json_bad once. Only the first problem
 * is kept. Unknown members are passed over.
 *
 * Writing. Build an object member by member; json_end prints it. A lack of memory on the
 * way shows at the end.
 */
#ifndef STOA_WEB_JSON_H
#define STOA_WEB_JSON_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

enum {
    JSON_DEPTH_MAX = 32, /* arrays and objects in each other */
    JSON_HASH = 16,
};

/* ---- Reading ---- */

struct json_in {
    struct arena *arena;
    struct str path, problem; /* problem.at == NULL: none so far */
};

struct json_spot {
    yyjson_val *value; /* NULL: missing, or null */
    const struct json_spot *in;
    const char *key; /* NULL: an element, at index */
    size_t index;
};

/* Parses TEXT; ROOT is its value. An empty text is an empty object. */
void json_read(struct json_in *in, struct arena *arena, struct str text, struct json_spot *root);

static inline bool json_bad(const struct json_in *in)
{
    return in->problem.at != NULL;
}
static inline bool json_has(const struct json_spot *spot)
{
    return spot->value != NULL;
}

/* Notes what is wrong at SPOT: "must be a string". */
void json_wrong(struct json_in *in, const struct json_spot *spot, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Member KEY of an object (missing when SPOT is none); element INDEX of a list. Lent: the
 * result points at SPOT. */
struct json_spot json_member(const struct json_spot *spot, const char *key);
struct json_spot json_element(const struct json_spot *spot, size_t index);

/* Wrong when there is nothing. */
void json_require(struct json_in *in, const struct json_spot *spot);
/* Whether there is an object; wrong when there is something else. */
bool json_is_object(struct json_in *in, const struct json_spot *spot);
/* How many elements; wrong when it is no list or there are more than MAX. */
unsigned json_count(struct json_in *in, const struct json_spot *spot, unsigned max);
/* at == NULL: missing. Wrong when it is no string, has more than MAX bytes, or has a
 * control character other than tab and line breaks. */
struct str json_text(struct json_in *in, const struct json_spot *spot, size_t max);
int64_t json_integer(struct json_in *in, const struct json_spot *spot, int64_t min, int64_t max,
                     int64_t fallback);
bool json_flag(struct json_in *in, const struct json_spot *spot, bool fallback);

/* Shorthands for a member. */
struct str json_text_of(struct json_in *in, const struct json_spot *object, const char *key,
                        size_t max);
/* The same, and wrong when it is missing or empty. */
struct str json_need_text(struct json_in *in, const struct json_spot *object, const char *key,
                          size_t max);
int64_t json_integer_of(struct json_in *in, const struct json_spot *object, const char *key,
                        int64_t min, int64_t max, int64_t fallback);
bool json_flag_of(struct json_in *in, const struct json_spot *object, const char *key,
                  bool fallback);

/* SHA-256, cut to JSON_HASH bytes, of PREFIX and of what VALUE means: the order of
 * members, white space and ways to write a number or a character do not matter. */
void json_hash(struct str prefix, yyjson_val *value, unsigned char out[static JSON_HASH]);

/* ---- Writing ---- */

struct json {
    struct arena *arena;
    yyjson_alc allocator;
    yyjson_mut_doc *doc;
    yyjson_mut_val *root; /* an object */
    bool failed;
};

/* JSON must stay where it is until json_end. */
void json_begin(struct json *json, struct arena *arena);
/* The text, in the arena; at == NULL when memory was short. */
struct str json_end(struct json *json);

/* KEY is a literal, or lives as long as the arena; so do the texts. */
yyjson_mut_val *json_put_object(struct json *json, yyjson_mut_val *object, const char *key);
yyjson_mut_val *json_put_list(struct json *json, yyjson_mut_val *object, const char *key);
void json_put_text(struct json *json, yyjson_mut_val *object, const char *key, struct str text);
/* Nothing at all when TEXT is empty. */
void json_put_some(struct json *json, yyjson_mut_val *object, const char *key, struct str text);
void json_put_int(struct json *json, yyjson_mut_val *object, const char *key, int64_t value);
void json_put_bool(struct json *json, yyjson_mut_val *object, const char *key, bool value);
yyjson_mut_val *json_add_object(struct json *json, yyjson_mut_val *list);
void json_add_int(struct json *json, yyjson_mut_val *list, int64_t value);
void json_add_text(struct json *json, yyjson_mut_val *list, struct str text);

#endif

/* JSON at a warehouse's door: what the shop and scanners send, read strictly.
 *
 * yyjson parses into the request's arena. The getters never fail: what is missing or wrong gives
 * the fallback, and the first thing that is wrong is kept with its path for the answer. Pure.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_JSON_H
#define STOA_OUTSIDE_WAREHOUSE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

struct warehouse_json {
    struct arena *arena;
    yyjson_val *root;
    struct str wrong; /* at NULL: nothing so far */
};

/* Reads TEXT, an object. */
void warehouse_json_read(struct warehouse_json *in, struct arena *arena, struct str text);
/* Notes, unless something else was, what is wrong. */
void warehouse_json_wrong(struct warehouse_json *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* As `otherwise` of warehouse_json_int: it must be there. */
#define WAREHOUSE_NEEDED INT64_MIN

/* Member KEY of OBJECT; WHERE names the object in what is said of it: "orders[3]". */
struct str warehouse_json_text(struct warehouse_json *in, yyjson_val *object, const char *where,
                               const char *key, size_t max);
int64_t warehouse_json_int(struct warehouse_json *in, yyjson_val *object, const char *where,
                           const char *key, int64_t min, int64_t max, int64_t otherwise);
bool warehouse_json_bool(struct warehouse_json *in, yyjson_val *object, const char *where,
                         const char *key, bool otherwise);
/* A UUID or 32 hex digits; zero when it is missing, and wrong if it is NEEDED. */
struct id warehouse_json_id(struct warehouse_json *in, yyjson_val *object, const char *where,
                            const char *key, bool needed);
/* An array of at most MAX; NULL when it is missing. */
yyjson_val *warehouse_json_list(struct warehouse_json *in, yyjson_val *object, const char *where,
                                const char *key, size_t max);

#endif

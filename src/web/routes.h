/* Routes: the one table of what the shop answers to.
 *
 * A row is a method, a pattern, and the handler with its rules. Patterns:
 *   /product/{handle}       one segment, not empty, in call.params[0]
 *   /product/{handle}.json  the same with a fixed end
 *   /media/{path*}          everything that is left, slashes included
 * The first row that fits wins. HEAD uses GET's row. No memory is allocated.
 *
 * Thread: any; the table is constant.
 */
#ifndef STOA_WEB_ROUTES_H
#define STOA_WEB_ROUTES_H

#include "engine/app.h"
#include "http/exchange.h"

#include <stdint.h>

enum { ROUTE_PARAMS_MAX = 3 };

enum route_kind {
    ROUTE_INLINE, /* the handler takes microseconds: on the engine's thread */
    ROUTE_WORK,   /* it may take long: on a helper thread */
};

/* Whose language errors are told in, and which rules hold before the handler. */
enum route_face {
    FACE_PAGES,
    FACE_UCP,
    FACE_OPERATOR,
    FACE_WAREHOUSE, /* a warehouse's program; its route's `accept` looks at its token */
};

/* See csrf.h for why there are two. */
enum csrf_rule {
    CSRF_OFF,    /* changes nothing, or is authenticated by a header that browsers do not add */
    CSRF_ORIGIN, /* must come from our own pages, told by Sec-Fetch-Site or Origin */
    CSRF_TOKEN,  /* that, and the handler checks the form's token */
};

/* Whether the handler reads what must not be older than what its reader knows; see gate.h. */
enum gate_rule {
    GATE_OFF,  /* no: the catalogue, files; or it writes without looking */
    GATE_CART, /* the cart of the cookie, if there is one */
    GATE_READ, /* yes */
};

struct route {
    enum http_method method;
    const char *pattern;
    enum app_verdict (*handle)(struct exchange *x);
    enum route_kind kind;
    enum route_face face;
    enum csrf_rule csrf;
    uint32_t body_limit; /* bytes; 0: no body is taken */
    const char *about;   /* for `stoa routes` and the documentation */
    /* Instead of body_limit, for large bodies: called when the head has arrived; sets
     * x->sink and x->body_limit, or answers. NULL for nearly all. */
    void (*accept)(struct exchange *x);
    enum gate_rule gate;
};

extern const struct route routes[];
extern const unsigned route_count;

struct route_match {
    const struct route *route; /* NULL: none */
    struct str params[ROUTE_PARAMS_MAX];
    unsigned allowed;     /* when none: bits 1 << enum http_method that this path knows */
    enum route_face face; /* when none: of the rows with this path, else by its first segment */
};

/* Finds METHOD and PATH in TABLE (routes, or a test's own). */
struct route_match route_find(const struct route *table, unsigned count, enum http_method method,
                              struct str path);

/* True when PATH fits PATTERN; its parameters in PARAMS. */
bool route_fits(const char *pattern, struct str path, struct str params[ROUTE_PARAMS_MAX]);

/* "GET, HEAD" for an Allow header, from route_match.allowed, into OUT (at least 64). */
const char *route_allow(unsigned allowed, char *out, size_t size);

#endif

/* URLs, forms and cookies: the small grammars around names and values.
 *
 * Used by http/exchange.c, and by web/ where it makes links. Thread: any.
 */
#ifndef STOA_HTTP_URL_H
#define STOA_HTTP_URL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* Percent-decoded TEXT (with PLUS: '+' is a space, as forms have it) in the arena;
 * at == NULL when it has a bad escape or a NUL, or without memory. Without anything to decode it is
 * TEXT itself. */
struct str url_decode(struct arena *arena, struct str text, bool plus);

/* TEXT percent-encoded, all but letters, digits and "-._~": fit for a path segment or
 * for a name or value of a query. */
void url_encode(struct buf *out, struct str text);

/* The first value of NAME in "a=1&b=2", decoded (RFC: WHATWG URL §5.1); at == NULL when
 * it is not there or not valid. A name without '=' has the empty value. */
struct str form_find(struct arena *arena, struct str form, struct str name);

/* The next pair of a form, still encoded; false at the end. */
bool form_next(struct str *rest, struct str *name, struct str *value);

/* The value of cookie NAME in a Cookie header (RFC 6265 §4.2.1), without its quotes;
 * at == NULL when there is none. */
struct str cookie_find(struct str header, struct str name);

/* The next value of cookie NAME in what is left of a Cookie header: browsers send one of a name for
 * each path and domain. False: no more. */
bool cookie_next(struct str *rest, struct str name, struct str *value);

#endif

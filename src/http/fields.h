/* Header field lines of HTTP/1.1, taken strictly (RFC 9112 §5): for what comes from servers.
 *
 * Pure. Used by the client for heads and trailers. Of requests llhttp takes care (h1.c).
 */
#ifndef STOA_HTTP_FIELDS_H
#define STOA_HTTP_FIELDS_H

#include "http/exchange.h"

/* Where the search for the end of a head stands; begun zeroed. */
struct fields_scan {
    size_t line, at; /* the line that is being searched, and how far */
};

/* Length of BYTES up to and with the first empty line; 0: it has not come yet; -1, and the reason
 * in *WHY: a line ends in a bare LF. BYTES grow from call to call, by the same SCAN. */
ptrdiff_t fields_end(struct str bytes, struct fields_scan *scan, const char **why);

/* The lines in BYTES, which end with an empty one, into HEADERS (ROOM of them), without blanks
 * around the values; they point into BYTES. 0, ERR_FULL, or ERR_INVALID and the reason. */
int fields_parse(struct str bytes, struct http_header *headers, unsigned room, unsigned *count,
                 const char **why);

/* Appends the line "NAME: VALUE"; OUT may fail as any buf. */
void fields_put(struct buf *out, struct str name, struct str value);

/* Whether the comma-separated list VALUE has TOKEN in it, in any case. */
bool fields_has_token(struct str value, struct str token);

/* Whether FIELD is about the connection that a message came by, or says how long the message is
 * (RFC 9110 §7.6.1, RFC 9112 §6): it ends there, and the next connection gets its own. */
bool fields_is_hop(enum http_field field);

/* How many of the bytes at AT are neither control characters nor DEL; tabs are none. */
size_t fields_clean(const char *at, const char *end);

#endif

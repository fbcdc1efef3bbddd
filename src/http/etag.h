/* Conditions of a request: entity tags and byte ranges (RFC 9110 §8.8.3, §13, §14).
 * Pure. Thread: any.
 */
#ifndef STOA_HTTP_ETAG_H
#define STOA_HTTP_ETAG_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Does an If-None-Match of this value name ETAG ("\"abc\"", W/ allowed)? Weak
 * comparison; "*" names every one. */
bool etag_listed(struct str if_none_match, struct str etag);

/* Does an If-Range of this value allow the range: ETAG, strongly, or MODIFIED exactly?
 * Either may have at == NULL. */
bool etag_allows_range(struct str if_range, struct str etag, struct str modified);

enum range_verdict { RANGE_WHOLE, RANGE_PART, RANGE_NONE };

/* What a Range of this value asks of LENGTH bytes: *FIRST to *LAST inclusive; or the
 * whole, when it is not of bytes, not valid, or of parts that do not join; or none, when
 * it lies outside (416). */
enum range_verdict range_parse(struct str range, uint64_t length, uint64_t *first, uint64_t *last);

#endif

/* gzip (RFC 1952) for answers: does the client take it, whole bodies, and streams.
 *
 * Used by the connection core and by http/page.c. Thread: the caller's.
 */
#ifndef STOA_HTTP_GZIP_H
#define STOA_HTTP_GZIP_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Does an Accept-Encoding of this value allow gzip (RFC 9110 §12.5.3)? at == NULL: no. */
bool gzip_accepted(struct str accept_encoding);

struct z_stream_s;

/* Compresses all of IN into OUT of ROOM bytes by STATE, which was just reset. The
 * length, or 0 when it does not fit. */
size_t gzip_whole(struct z_stream_s *state, struct str in, char *out, size_t room);

/* A body being compressed piece by piece, in constant memory. */
struct gzip_stream;
struct gzip_stream *gzip_stream_new(void); /* NULL without memory */
void gzip_stream_free(struct gzip_stream *stream);

/* Where the next raw bytes are to be written, and how many; 0 room while earlier ones
 * have not been compressed. Counted by gzip_stream_give. */
char *gzip_stream_room(struct gzip_stream *stream, size_t *room);
void gzip_stream_give(struct gzip_stream *stream, size_t len, bool last);

/* Compressed bytes into OUT; FLUSH: all that was given, so that nothing lies about.
 * *DONE: the end was written. */
size_t gzip_stream_take(struct gzip_stream *stream, char *out, size_t room, bool flush, bool *done);

#endif

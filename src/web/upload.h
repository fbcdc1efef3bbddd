/* Upload: a large request body into a file, in constant memory, off the event loop.
 *
 *   accept: upload_begin --> body arrives: the sink copies it into a buffer; a full one
 *   goes to the writer's thread, and the sink pauses until it is written --> body
 *   complete: the handler (on a helper thread) calls upload_end, and then
 *   upload_keep, or uses the file and lets it go
 *
 * The writer keeps little unwritten data in the page cache: what it wrote is pushed to
 * the disk at once and dropped from memory, so that an upload of gigabytes neither grows
 * the server nor makes the log's fsync wait behind it.
 *
 * The file is hidden in its folder until upload_keep gives it its name; one that is not
 * kept vanishes with its exchange, and what a crash left behind at the next start.
 */
#ifndef STOA_WEB_UPLOAD_H
#define STOA_WEB_UPLOAD_H

#include "base/err.h"
#include "http/exchange.h"

struct uploads;
struct upload;

/* Starts the writer. SPOOL_DIR (lent) is cleared of what a crash left; NULL or empty: uploads
 * are refused. Thread: main. */
int uploads_new(const char *spool_dir, struct uploads **uploads, struct failure *failure);
void uploads_free(struct uploads *uploads); /* NULL is fine; no upload may be on its way */
/* A name that no file has, for one that is not complete yet; uploads_clear knows it. */
enum { UPLOAD_HIDDEN = 32 };
void upload_hidden_name(char name[static UPLOAD_HIDDEN]);
/* Clears DIR of what a crash left. */
void uploads_clear(const char *dir);

/* Loop's thread, in a route's accept: X's body of at most MAX bytes goes into a new file in
 * DIR (made if need be; lent). NULL with FAILURE. Belongs to X. */
struct upload *upload_begin(struct exchange *x, struct uploads *uploads, const char *dir,
                            uint64_t max, struct failure *failure);

/* Helper thread, after the body: all of it is in the file and on the disk. */
int upload_end(struct upload *upload, struct failure *failure);

/* Helper thread: gives the file the name NAME in its folder, in place of one of that name. */
int upload_keep(struct upload *upload, const char *name, struct failure *failure);

/* The open file, to be read; the caller's from now on. It has no name any more. */
int upload_take(struct upload *upload);
uint64_t upload_size(const struct upload *upload);

#endif

/* Remote: a running server's operator API, from a command of this program.
 *
 * Over libcurl, with the token found in the data directory. Blocks. Thread: main.
 */
#ifndef STOA_MAIN_REMOTE_H
#define STOA_MAIN_REMOTE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "main/datadir.h"

#include <stdio.h>

struct remote {
    char url[256];
    char token[DATADIR_TOKEN];
};

/* The server that runs on DIR, or the first that does of a demo's; ERR_NOTFOUND when none does. */
int remote_find(const char *dir, struct remote *remote, struct failure *failure);

/* Gives each complete line of an answer as it comes. Nonzero stops. */
typedef int remote_line(void *context, struct str line);

/* POSTs the file IN (its size is asked for) to PATH and reads the answer's lines. */
int remote_upload(const struct remote *remote, const char *path, FILE *in, remote_line *line,
                  void *context, struct failure *failure);

/* GETs PATH into OUT. */
int remote_download(const struct remote *remote, const char *path, FILE *out,
                    struct failure *failure);

/* POSTs the JSON document BODY (NULL: GETs) to PATH; the answer, a JSON document too, is appended
 * to ANSWER. A refusal's failure has the server's sentence. */
int remote_call(const struct remote *remote, const char *path, const char *body,
                unsigned timeout_ms, struct buf *answer, struct failure *failure);

/* The same, but the document is PUT there. */
int remote_put(const struct remote *remote, const char *path, const char *body, unsigned timeout_ms,
               struct buf *answer, struct failure *failure);

/* TEXT percent-encoded for a query, into OUT. */
void remote_escape(const char *text, char *out, size_t size);

#endif

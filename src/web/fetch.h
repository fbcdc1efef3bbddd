/* Fetch: one HTTP request to another server of the cluster, by libcurl, on a thread that may wait.
 *
 * For what servers have to do with each other on HTTP: a request that goes to the primary
 * (relay.h), the shop's media (media.h), leaving (api_cluster.c). Bounded in time, and in bytes of
 * the answer. No proxies, no redirects; certificates are verified, as the operator's token may be
 * in it.
 *
 * Thread: a helper's; a line belongs to one thread and keeps its connections.
 */
#ifndef STOA_WEB_FETCH_H
#define STOA_WEB_FETCH_H

#include "base/arena.h"
#include "base/err.h"
#include "http/exchange.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch_line;
struct fetch_line *fetch_line_new(void);       /* NULL: no memory */
void fetch_line_free(struct fetch_line *line); /* NULL is fine */

enum { FETCH_HEADERS_MAX = 100 };

struct fetch {
    struct str method; /* GET, PUT, … */
    const char *url;
    const struct http_header *headers; /* without Content-Length */
    unsigned header_count;
    struct str body; /* at == NULL: none */
    int body_file;   /* with body_bytes: the body instead, from its begin; else -1 */
    uint64_t body_bytes;
    unsigned connect_ms;
    unsigned total_ms; /* 0: as long as something moves, and at most silent_s without */
    unsigned silent_s;
    int answer_file;     /* the body of a 200 goes there; -1: into memory */
    uint64_t answer_max; /* bytes */

    /* The answer, in the arena given. */
    int status;
    struct http_header answer_headers[FETCH_HEADERS_MAX];
    unsigned answer_header_count;
    struct str answer;
    uint64_t answer_bytes;
};

/* 0: there is an answer, whatever its status. ERR_TIMEOUT, ERR_FULL: too long; ERR_NOMEM, ERR_IO
 * (FAILURE says why; may be NULL). */
int fetch_run(struct fetch_line *line, struct fetch *fetch, struct arena *arena,
              struct failure *failure);

/* Value of the answer's header NAME (any case), or at == NULL. */
struct str fetch_header(const struct fetch *fetch, struct str name);

#endif

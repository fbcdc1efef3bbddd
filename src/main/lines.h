/* Lines: what a child process prints, line by line.
 *
 * A line that is longer than there is room for comes in pieces. Not more is read in one look than a
 * pipe holds, so that whoever prints without end holds nobody up: poll says so again. Thread: that
 * of whoever reads.
 */
#ifndef STOA_MAIN_LINES_H
#define STOA_MAIN_LINES_H

#include "base/err.h"

#include <stddef.h>

enum { LINES_SIZE = 2048 };

struct lines {
    int fd; /* the pipe's end to read from, non-blocking; ours. -1: closed */
    char line[LINES_SIZE];
    size_t len;
};

typedef void lines_take(void *context, const char *line, size_t len);

/* Makes a pipe, empty so far. *OTHER_END, which a process is to write to, is the caller's. */
int lines_open(struct lines *lines, int *other_end, struct failure *failure);

/* Reads what there is, and gives TAKE each whole line, without its end; at the end of the pipe also
 * what is left. */
void lines_read(struct lines *lines, lines_take *take, void *context);

/* The same once more, then closes the pipe, though another process may still have its other end. */
void lines_close(struct lines *lines, lines_take *take, void *context);

/* FRONT and LINE on standard error in one write, so that lines of several threads do not mix. */
void lines_pass_on(const char *front, const char *line, size_t len);

#endif

#include "main/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_SIZE = 64 << 10 };

int lines_open(struct lines *lines, int *other_end, struct failure *failure)
{
    int ends[2];
    *lines = (struct lines){.fd = -1};
    *other_end = -1;
    if (pipe2(ends, O_CLOEXEC))
        return fail_errno(failure, ERR_FULL, "cannot make a pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    lines->fd = ends[0];
    *other_end = ends[1];
    return 0;
}

/* ALL: also what has no end yet. */
static void take_lines(struct lines *lines, bool all, lines_take *take, void *context)
{
    while (lines->len) {
        char *end = memchr(lines->line, '\n', lines->len);
        size_t len = end ? (size_t)(end - lines->line) : lines->len;
        if (!end && !all && lines->len < sizeof lines->line)
            break;
        take(context, lines->line, len);
        size_t used = end ? len + 1 : len;
        memmove(lines->line, lines->line + used, lines->len - used);
        lines->len -= used;
    }
}

void lines_read(struct lines *lines, lines_take *take, void *context)
{
    for (size_t read_so_far = 0; lines->fd >= 0 && read_so_far < PIPE_SIZE;) {
        ssize_t got = read(lines->fd, lines->line + lines->len, sizeof lines->line - lines->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close(lines->fd);
            lines->fd = -1;
        } else {
            lines->len += (size_t)got;
            read_so_far += (size_t)got;
        }
        take_lines(lines, lines->fd < 0, take, context);
    }
}

void lines_close(struct lines *lines, lines_take *take, void *context)
{
    lines_read(lines, take, context);
    if (lines->fd >= 0)
        close(lines->fd);
    lines->fd = -1;
    take_lines(lines, true, take, context);
}

void lines_pass_on(const char *front, const char *line, size_t len)
{
    char text[LINES_SIZE + 64];
    int size = snprintf(text, sizeof text, "%s%.*s\n", front, (int)len, line);
    if (size >= (int)sizeof text)
        size = (int)sizeof text - 1;
    ssize_t written = write(STDERR_FILENO, text, (size_t)size);
    (void)written;
}

#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {"debug", "info", "warn", "error"};

enum log_level log_level_of(const char *name)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

void log_line(const struct log *log, enum log_level level, const char *area, const char *format,
              ...)
{
    char line[1024], time[32];
    if (!log || level < log->least)
        return;
    clock_rfc3339(clock_wall_ms(), time, sizeof time);
    int start = snprintf(line, sizeof line, "%s %s %.64s: ", time, names[level], area);
    va_list args;
    va_start(args, format);
    int text = vsnprintf(line + start, sizeof line - (size_t)start - 1, format, args);
    va_end(args);
    size_t len = (size_t)start + (size_t)(text < 0 ? 0 : text);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    for (size_t i = (size_t)start; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    ssize_t written = write(log->fd, line, len);
    (void)written; /* a log that cannot be written must not stop the shop */
}

/* Log: one line per event on standard error, "2026-11-21T19:51:39.123Z level area: text".
 *
 * Events are logged, requests are not. A line is one write(2), so that lines of
 * several threads never mix. Thread: any.
 */
#ifndef STOA_BASE_LOG_H
#define STOA_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    int fd;               /* where lines go */
    enum log_level least; /* what is below this level is dropped */
};

/* "debug", "info", "warn" or "error"; of anything else LOG_INFO. */
enum log_level log_level_of(const char *name);

/* Writes one line; a NULL log drops it. Control characters in it become '?'; what
 * is longer than 1023 bytes is clipped. */
void log_line(const struct log *log, enum log_level level, const char *area, const char *format,
              ...) __attribute__((format(printf, 4, 5)));

#endif

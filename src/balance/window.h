/* Windows: the buffers of a lane for what of an answer has come from a server and not gone to the
 * client yet. A large answer has one, which is read into and lent to the engine by turns; it is the
 * client that decides how long it is kept.
 *
 * Usually it is as large as a read, so that most answers need one read and one write. There are at
 * most WINDOWS_LARGE of these (72 MiB): who comes when so many clients are slow at once gets a
 * small one, and is read for in small pieces.
 *
 * Thread: its lane's.
 */
#ifndef STOA_BALANCE_WINDOW_H
#define STOA_BALANCE_WINDOW_H

#include "balance/upstream.h"

enum {
    WINDOWS_LARGE = 512,
    WINDOWS_SPARE = 64, /* kept for the next ones */
    WINDOW_SMALL_READ = 16 << 10,
    /* A read, and what was left of a TLS record before it. */
    WINDOW_BYTES = UPSTREAM_READ + UPSTREAM_RECORD,
    WINDOW_SMALL = WINDOW_SMALL_READ + UPSTREAM_RECORD,
};

struct windows {
    char *spare[WINDOWS_SPARE]; /* large */
    unsigned spare_count;
    unsigned large; /* taken, and not given back */
};

/* How much may be read at once, for one that has no window yet. */
size_t windows_read(const struct windows *windows);
/* One of at least READ and UPSTREAM_RECORD bytes: *BYTES. NULL without memory. READ was
 * windows_read's answer, perhaps of earlier. */
char *window_take(struct windows *windows, size_t read, size_t *bytes);
/* BYTES: as window_take said. A window that was exchanged for another of its size is fine. */
void window_give(struct windows *windows, char *window, size_t bytes);
void windows_close(struct windows *windows);

#endif

/* Pipe: bytes from one process to another through memory that both map. One writes, one takes, and
 * neither waits: who finds it full or empty is told by other means (bell.h).
 *
 *   0        taken              written        (counted from the beginning, and never back)
 *   |··········|▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓|              byte N is at N mod size
 *
 * A process that dies in the middle of any of these leaves the pipe as it was before, or as it is
 * after: bytes count from the moment that `written` says so.
 *
 * After Lamport, "Proving the Correctness of Multiprocess Programs" (1977), section 4.
 * Thread: one writer and one taker, of any process.
 */
#ifndef STOA_TIER_PIPE_H
#define STOA_TIER_PIPE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* What both share, besides the bytes. */
struct pipe_marks {
    _Atomic uint64_t written, taken;
    _Atomic uint32_t ended; /* nothing more will be written */
};

/* One process's view of it. */
struct pipe {
    struct pipe_marks *marks;
    char *bytes;
    size_t size; /* a power of two */
};

/* By whoever owns both ends: empty, from the beginning. */
void pipe_reset(struct pipe *pipe);

/* Writes what there is room for of LEN bytes; how many. */
size_t pipe_put(struct pipe *pipe, const void *bytes, size_t len);
size_t pipe_room(const struct pipe *pipe);
void pipe_end(struct pipe *pipe);

/* What can be taken, in one or two pieces; how many pieces. They stay until pipe_take. */
unsigned pipe_peek(const struct pipe *pipe, struct iovec pieces[static 2]);
void pipe_take(struct pipe *pipe, size_t len);
/* How many bytes were taken since it was empty from the beginning. Both sides. */
uint64_t pipe_taken(const struct pipe *pipe);
bool pipe_has_ended(const struct pipe *pipe);
/* It has ended, and all of it was taken. */
bool pipe_is_over(const struct pipe *pipe);

#endif

/* Reaper: ends libraft's asynchronous-I/O contexts on a thread of its own.
 *
 * Each segment of the log that libraft opens (8 MiB) has a kernel AIO context, and when the
 * segment is full, libraft ends it with io_destroy(2) on the loop's thread. By then nothing is
 * in flight in it, but io_destroy(2) waits for an RCU grace period nonetheless: 36-40 ms were
 * measured, in which nothing was ordered. Nobody needs its outcome, so the loop hands the
 * context over and goes on.
 *
 * libraft offers no place for this. It is linked statically where its archive is to be had,
 * with the linker's --wrap=io_destroy, so that its calls come here (see meson.build). With the
 * shared library they do not, and the pauses stay; all else is the same.
 *
 * Thread: reaper_start and reaper_stop on the loop's thread, whose contexts they are about.
 * Those of other threads are ended where they were.
 */
#ifndef STOA_REPLICA_REAPER_H
#define STOA_REPLICA_REAPER_H

struct reaper;

/* From now on contexts that this thread ends are handed over. NULL without memory or thread:
 * they are ended here, as they would be without it. */
struct reaper *reaper_start(void);
/* Returns when all that was handed over has ended. NULL is fine. */
void reaper_stop(struct reaper *reaper);

#endif

/* Log disk: where libraft keeps its log, its term and vote, and its snapshots, on simulated disks.
 * log_disk.c is what is linked in the place of raft_uv: it does the same, in simulated time.
 *
 * Writes are done one after another, in their order, and each takes its time. What was done
 * survives everything; of what was not, a crash leaves some beginning: whole entries of the
 * oldest, none of the younger. A term and a vote are on disk at once, as raft_uv waits for them.
 */
#ifndef STOA_SIM_LOG_DISK_H
#define STOA_SIM_LOG_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct log_disk;

/* The disk of the directory DIR (made when it is first asked for). */
struct log_disk *log_disk_at(const char *dir);
/* The server that used it has crashed. */
void log_disk_crash(struct log_disk *disk);
/* The next write of entries FAILS (or no longer does) with an I/O error, as raft_uv fails. */
void log_disk_fail(struct log_disk *disk, bool fails);
/* Writes take FACTOR times as long from now on. */
void log_disk_slow(struct log_disk *disk, unsigned factor);
/* Empties it, as if DIR had been removed. */
void log_disk_erase(struct log_disk *disk);

/* Notes its last entries, for a message. */
void log_disk_describe(const struct log_disk *disk);

#endif

/* Shared writer: where the process is that writes a directory's database, whether it answers, and
 * its end when it does not. For a process that reads that database.
 *
 * The lock goes with its holder's death and with nothing else: a writer that hangs keeps it. So
 * each reader asks it every quarter of a second whether it lives (GET /livez), and kills it after
 * --shared-kill-after (shared_pulse.h). On one machine that is safe: what is killed writes no more,
 * and the lock is free after that and not before.
 *
 * Thread: main makes and frees it; what web/ asks, any.
 */
#ifndef STOA_MAIN_SHARED_WRITER_H
#define STOA_MAIN_SHARED_WRITER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shared_writer_config {
    const char *dir; /* lent, as all here */
    const struct log *log;
    uint64_t kill_ms; /* 0: never */
    /* Called a few times a second, on a thread of its own. */
    void (*look)(void *context);
    void *context;
};

struct shared_writer;
int shared_writer_new(const struct shared_writer_config *config, struct shared_writer **writer,
                      struct failure *failure);
void shared_writer_free(struct shared_writer *writer); /* NULL is fine */

/* From here on CONFIG's LOOK is called, and the writer is asked. */
int shared_writer_watch(struct shared_writer *writer, struct failure *failure);

/* web/web.h, struct web_writer. */
bool shared_writer_find(void *writer, bool anew, char *url, size_t size);
/* Whether the one that was found last is this process. */
bool shared_writer_is_here(struct shared_writer *writer);
/* Its process id; 0: there is none, or it is not ready. */
uint64_t shared_writer_pid(struct shared_writer *writer);
/* Whether it answers; if not, REASON says so. */
bool shared_writer_answers(struct shared_writer *writer, struct buf *reason);

#endif

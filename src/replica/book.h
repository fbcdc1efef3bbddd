/* Book: where the servers of the cluster are, by id.
 *
 * Raft's configuration says who belongs to the cluster, not where they are: a server may come back
 * under another address. Servers tell each other what they know, in their hello and in news; of
 * two places of one server the later one is believed. The book is kept in a file, so that a server
 * finds the others after a restart.
 *
 * Also who was removed: their ids are never used again, and they are refused at the door.
 *
 * The file: a line for each, fields separated by one space (readable with cut and grep):
 *     server ID SINCE_MS PID ADDRESS URL        (URL may be missing)
 *     removed ID
 *
 * Thread: any; it has a lock, which is never held while anything waits.
 */
#ifndef STOA_REPLICA_BOOK_H
#define STOA_REPLICA_BOOK_H

#include "base/buf.h"
#include "base/err.h"
#include "replica/hello.h"

#include <pthread.h>
#include <stdbool.h>

enum { BOOK_PLACES = CLUSTER_SERVERS_MAX, BOOK_REMOVED = 256, BOOK_TEXT_MAX = 64 * 1024 };

struct book {
    pthread_mutex_t mutex;
    struct server_place places[BOOK_PLACES]; /* by id */
    unsigned count;
    uint64_t removed[BOOK_REMOVED]; /* the oldest are forgotten first */
    unsigned removed_count;
};

/* FILE may be missing (the book is empty then); lines that cannot be read are passed over. */
void book_open(struct book *book, const char *file);
void book_close(struct book *book);

/* True: it is new or later than what was known, and was noted. A removed one is not. */
bool book_note(struct book *book, const struct server_place *place);
bool book_find(struct book *book, uint64_t id, struct server_place *place);
/* All of them, by id; how many. */
unsigned book_places(struct book *book, struct server_place places[static BOOK_PLACES]);

/* True: that was not known. */
bool book_remove(struct book *book, uint64_t id);
bool book_removed(struct book *book, uint64_t id);
unsigned book_all_removed(struct book *book, uint64_t ids[static BOOK_REMOVED]);

/* The file's content; and to write it (beside, then renamed). Without the Raft thread: it may
 * have to wait for the disk. */
void book_text(struct book *book, struct buf *out);
int book_write(const char *file, struct str text);

#endif

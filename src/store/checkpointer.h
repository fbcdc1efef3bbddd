/* Checkpointer: moves the WAL into the database file on a thread of its own, so that the
 * writer does not wait for it.
 *
 * SQLite's passive checkpoint runs beside a writer, but cannot catch up with one that goes
 * on writing; and only a WAL that was moved wholly is begun again. So the work is shared,
 * like the moving of a running machine (Clark et al., NSDI 2005): this thread moves what is
 * there, again and again while the rest is large; the writer moves the small rest itself,
 * between two transactions.
 *
 *          WAL above its bound: checkpointer_ask         the thread is done
 *   IDLE ---------------------------------------> BUSY ----------------------> DONE
 *     ^                                            ^    rest large: asked again  |
 *     |                                            +-----------------------------+
 *     +---------------------------------------------- rest small: the writer moves it
 *
 * Thread: the writer's, but for the thread inside.
 */
#ifndef STOA_STORE_CHECKPOINTER_H
#define STOA_STORE_CHECKPOINTER_H

#include "base/err.h"

struct checkpointer;

enum checkpointer_state { CHECKPOINTER_IDLE, CHECKPOINTER_BUSY, CHECKPOINTER_DONE };

/* For the database FILE (copied), which exists and is in WAL mode. */
int checkpointer_new(const char *file, struct checkpointer **checkpointer, struct failure *failure);
/* Waits for a checkpoint that is running. NULL is fine. */
void checkpointer_free(struct checkpointer *checkpointer);

/* Begins a checkpoint. Not while it is BUSY. */
void checkpointer_ask(struct checkpointer *checkpointer);

/* DONE: *MOVED is how many of the WAL's pages are in the file now, *CODE SQLite's result.
 * It stays DONE until it is asked again or checkpointer_rest is called. */
enum checkpointer_state checkpointer_look(struct checkpointer *checkpointer, int *moved, int *code);
void checkpointer_rest(struct checkpointer *checkpointer);
/* Waits while it is BUSY. */
void checkpointer_wait(struct checkpointer *checkpointer);

#endif

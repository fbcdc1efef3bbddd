/* Change ring: the late changes of a server's shop, in the order in which they were told, in memory
 * of a fixed size. For those who keep the server's pages elsewhere and may have been away for a
 * moment (web/change_feed.h).
 *
 *     changed, changed, … told ──▶ seen by all who read, together
 *
 * A reader has a place in it; one that is so slow that its next change is gone reads no more. Each
 * ring has a number that no other has: indexes of one server are compared with no others', and not
 * with those from before a restart or a restore.
 *
 * Threads: change_ring_changed and _told the applier's, who waits for nobody; all else any.
 */
#ifndef STOA_WEB_CHANGE_RING_H
#define STOA_WEB_CHANGE_RING_H

#include "shop/shop.h"

#include <stdbool.h>
#include <stdint.h>

enum { CHANGE_RING_ROOM = 4096, CHANGE_RING_HANDLE = 64 };

struct change_note {
    uint64_t index, product_id;
    enum change_kind kind;
    char handle[CHANGE_RING_HANDLE]; /* empty: it is too long for here, or of no product */
};

struct change_ring;

struct change_ring *change_ring_new(void); /* NULL: no memory */
void change_ring_free(struct change_ring *ring);

/* The database has been opened, and has INDEX. What was told before counts no more. */
void change_ring_begin(struct change_ring *ring, uint64_t index);
void change_ring_changed(struct change_ring *ring, enum change_kind kind, uint64_t product_id,
                         struct str handle, uint64_t index);
void change_ring_told(struct change_ring *ring, uint64_t index);

/* Never 0. */
uint64_t change_ring_number(const struct change_ring *ring);

/* AT: the place of the first change after the entry SINCE. False: some of these are gone, or SINCE
 * has not been told yet; then AT is the end, after the entry *TOLD. */
bool change_ring_find(struct change_ring *ring, uint64_t since, uint64_t *at, uint64_t *told);

/* At most MAX changes from AT on, which goes on behind them; returns how many. Fewer than MAX: all
 * up to the entry *TOLD are read. -1: the next one is gone. */
int change_ring_read(struct change_ring *ring, uint64_t *at, struct change_note *notes, int max,
                     uint64_t *told);

/* Somebody listens, or (COUNT < 0) does no more. */
void change_ring_listen(struct change_ring *ring, int count);
/* Whether anybody has ever listened: then there are pages elsewhere which may be behind. */
bool change_ring_is_heard(const struct change_ring *ring);

/* Waits until something is told after *TOLD, which then is how far it is told, change_ring_nudge is
 * called, or it is UNTIL_NS by clock_mono_ns. */
void change_ring_wait(struct change_ring *ring, uint64_t *told, uint64_t until_ns);
void change_ring_nudge(struct change_ring *ring);

#endif

/* Doors: an engine's listening sockets, for engines that accept by themselves.
 *
 * The sockets do not block. When descriptors have run out a spare one is given up, so that one
 * client is told by a reset, instead of the queue being found non-empty for ever.
 *
 * Thread: one.
 */
#ifndef STOA_ENGINE_DOORS_H
#define STOA_ENGINE_DOORS_H

#include "engine/inside.h"

struct doors {
    struct engine *engine;
    unsigned sharer;
    int spare_fd;
};

enum doors_verdict {
    DOORS_TAKEN, /* *FD and PEER are set */
    DOORS_AGAIN, /* that one failed; there may be another */
    DOORS_EMPTY, /* nobody waits */
    DOORS_FULL,  /* no room at present: nobody is to be accepted for some ms */
};

/* Socket SHARER of each address. */
int doors_open(struct doors *doors, struct engine *engine, unsigned sharer);
/* Of address INDEX. */
int doors_fd(const struct doors *doors, unsigned index); /* -1: closed */
enum doors_verdict doors_accept(struct doors *doors, unsigned index, int *fd,
                                struct endpoint *peer);
void doors_close_one(struct doors *doors, unsigned index);
void doors_close(struct doors *doors);

#endif

/* Loop: libuv's loop on simulated time. The program's calls of uv_* come to loop.c; what the
 * simulated disk and network have to say to a server's loop comes in through loop_post. */
#ifndef STOA_SIM_LOOP_H
#define STOA_SIM_LOOP_H

#include "world.h"

#include <uv.h>

/* RUN(ARGUMENT) is called on LOOP's fiber, in the order of the posts. Any context. */
void loop_post(uv_loop_t *loop, void (*run)(void *argument), void *argument);
/* The same in DELAY_NS. */
void loop_post_after(uv_loop_t *loop, uint64_t delay_ns, void (*run)(void *argument),
                     void *argument);
/* RUN(ARGUMENT) is called in each turn: when what has come is done, and before LOOP waits. */
void loop_each_turn(uv_loop_t *loop, void (*run)(void *argument), void *argument);
/* The life that LOOP belongs to. */
struct life *loop_life(uv_loop_t *loop);

#endif

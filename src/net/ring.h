/* Ring: receives and sends for many sockets by io_uring, in place of epoll and a call for each.
 *
 * A loop that has one (loop_use_ring) waits by it alone; its epoll is one of the things that the
 * ring looks at. What has come is told in batches. What is given to ring_send in a batch is sent at
 * its end, by one call, and when ring_run returns, all of that is over: outside of it nobody's
 * bytes are lent. Receiving goes on in the kernel all the time, into buffers of the ring's own;
 * when ring_run has returned, all that was taken from a socket has been told, so that it may be
 * read from by recv(2), too. What is sent leaves with that of up to 15 others, so that handlers
 * which take long hold up each other's answers.
 *
 * Linux 6.1 or later: IORING_SETUP_DEFER_TASKRUN, receiving by multishot requests (io_uring(7)).
 *
 * A request is lost, or cannot be made, only when the kernel has no memory left. A ring waits for
 * some 10 s then, and ends the process: what it does not know of its sockets it could not make up
 * for.
 *
 * Thread: the loop's own, but for ring_new and ring_free.
 */
#ifndef STOA_NET_RING_H
#define STOA_NET_RING_H

#include "base/err.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    RING_BUFFER = 4096, /* most that is told at once */
    RING_BUFFERS = 256, /* a power of two; few, to stay in the processor's cache */
    RING_MOST = RING_BUFFER * RING_BUFFERS, /* most that is told in one ring_run for one socket */
};

struct ring;

/* Lives inside its owner, until `gone`. */
struct ring_socket {
    int fd;
    /* N bytes have come, lent; 0: the end; less: -errno. After the latter two nothing more comes.
     */
    void (*received)(struct ring_socket *socket, const char *at, ssize_t n);
    /* What has become of ring_send: how many bytes, or -errno. */
    void (*sent)(struct ring_socket *socket, ssize_t n);
    /* After ring_leave: the ring knows nothing of it any more. */
    void (*gone)(struct ring_socket *socket);
    /* The ring's. */
    struct list joining;
    bool receiving, sending, leaving;
};

/* EPOLL_FD is looked at besides. Fails where the kernel, or whoever guards it, has no io_uring. */
struct ring *ring_new(int epoll_fd, struct failure *failure);
void ring_free(struct ring *ring);

/* On the thread that is to use it, before anything below. ERR_IO. */
int ring_enable(struct ring *ring);

/* What comes is told from here on. */
void ring_join(struct ring *ring, struct ring_socket *socket);
/* What has come meanwhile may still be told before `gone`, which may be called by this. Bytes lent
 * to ring_send are not looked at any more once ring_settle has returned. */
void ring_leave(struct ring *ring, struct ring_socket *socket);
/* One at a time for each socket. False: not in a batch; the caller may send by itself. */
bool ring_send(struct ring *ring, struct ring_socket *socket, const void *at, size_t len);
void ring_settle(struct ring *ring);

/* Waits at most WAIT_MS (-1: until something happens). */
void ring_wait(struct ring *ring, int wait_ms);
/* Tells all that has happened. True: EPOLL_FD has something. */
bool ring_run(struct ring *ring);
/* Whether more may have happened than the last ring_wait brought. */
bool ring_is_full(const struct ring *ring);

#endif

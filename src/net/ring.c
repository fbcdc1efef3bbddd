#include "net/ring.h"

#include "base/check.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    ENTRIES = 512,        /* requests that wait for ring_wait or the end of a batch */
    COMPLETIONS = 8192,   /* beyond it the kernel keeps them in memory of its own */
    BATCH = 16,           /* completions told before what they led to is sent */
    PORTION = 20,         /* Linux 6.13 and later give no more at a time */
    FULL = RING_BUFFERS,  /* completions at which it is not asked for more */
    SETTLE_TRIES = 10000, /* some 10 s */
    GROUP = 0,            /* of buffers */
};

/* In the lowest two bits of user_data, behind the socket's address. */
enum { TO_RECEIVED, TO_SENT, TO_POLLED, TO_NOBODY };

struct ring {
    struct io_uring uring;
    bool made;
    struct io_uring_buf_ring *lent; /* buffers that the kernel may fill */
    char *buffers;
    int epoll_fd;
    bool polls;  /* EPOLL_FD is being looked at */
    bool polled; /* it has something */
    bool runs;   /* in ring_run */
    bool full;   /* FULL, or there was no buffer left */
    unsigned sends;
    struct list joining; /* sockets; receiving is asked for by ring_wait */
};

static size_t lent_size(void)
{
    return RING_BUFFERS * sizeof(struct io_uring_buf);
}

static void lend(struct ring *ring, unsigned index, int offset)
{
    io_uring_buf_ring_add(ring->lent, ring->buffers + (size_t)index * RING_BUFFER, RING_BUFFER,
                          (unsigned short)index, io_uring_buf_ring_mask(RING_BUFFERS), offset);
}

static int make_buffers(struct ring *ring)
{
    ring->buffers = malloc((size_t)RING_BUFFERS * RING_BUFFER);
    void *lent =
        mmap(NULL, lent_size(), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (lent != MAP_FAILED)
        ring->lent = lent;
    if (!ring->buffers || !ring->lent)
        return -ENOMEM;
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)lent, .ring_entries = RING_BUFFERS, .bgid = GROUP};
    int err = io_uring_register_buf_ring(&ring->uring, &registration, 0);
    if (err)
        return err;
    io_uring_buf_ring_init(ring->lent);
    for (unsigned i = 0; i < RING_BUFFERS; i++)
        lend(ring, i, (int)i);
    io_uring_buf_ring_advance(ring->lent, RING_BUFFERS);
    return 0;
}

struct ring *ring_new(int epoll_fd, struct failure *failure)
{
    struct ring *ring = calloc(1, sizeof *ring);
    if (!ring) {
        fail(failure, ERR_NOMEM, "no memory for an io_uring");
        return NULL;
    }
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
                 IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    ring->epoll_fd = epoll_fd;
    list_init(&ring->joining);
    int err = io_uring_queue_init_params(ENTRIES, &ring->uring, &parameters);
    ring->made = err == 0;
    err = err ? err : make_buffers(ring);
    if (err) {
        fail(failure, ERR_IO, "no io_uring here: %s", strerror(-err));
        ring_free(ring);
        return NULL;
    }
    return ring;
}

void ring_free(struct ring *ring)
{
    if (!ring)
        return;
    if (ring->made)
        io_uring_queue_exit(&ring->uring);
    if (ring->lent)
        munmap(ring->lent, lent_size());
    free(ring->buffers);
    free(ring);
}

int ring_enable(struct ring *ring)
{
    /* liburing 2.3 does not export its function for it. */
    return syscall(__NR_io_uring_register, ring->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
                   0) == 0
               ? ERR_OK
               : ERR_IO;
}

/* ---- Asking ---- */

static struct io_uring_sqe *request(struct ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    if (sqe)
        return sqe;
    ring_settle(ring);
    sqe = io_uring_get_sqe(&ring->uring);
    CHECK(sqe);
    return sqe;
}

static uint64_t name(const struct ring_socket *socket, unsigned to)
{
    return (uint64_t)(uintptr_t)socket | to;
}

/* Only just before it is submitted: meanwhile the socket might be closed, and its number be given
 * to another one. And a flood does not keep ring_run going for ever. */
static void receive(struct ring *ring, struct ring_socket *socket)
{
    struct io_uring_sqe *sqe = request(ring);
    list_remove(&socket->joining);
    io_uring_prep_recv_multishot(sqe, socket->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    io_uring_sqe_set_data64(sqe, name(socket, TO_RECEIVED));
}

void ring_join(struct ring *ring, struct ring_socket *socket)
{
    list_append(&ring->joining, &socket->joining);
    socket->receiving = true;
}

static void end(struct ring_socket *socket)
{
    if (!socket->receiving && !socket->sending)
        socket->gone(socket);
}

void ring_leave(struct ring *ring, struct ring_socket *socket)
{
    if (socket->leaving)
        return;
    socket->leaving = true;
    if (!list_empty(&socket->joining)) {
        list_remove(&socket->joining);
        socket->receiving = false;
    } else if (socket->receiving) {
        struct io_uring_sqe *sqe = request(ring);
        io_uring_prep_cancel64(sqe, name(socket, TO_RECEIVED), 0);
        io_uring_sqe_set_data64(sqe, TO_NOBODY);
    }
    end(socket);
}

bool ring_send(struct ring *ring, struct ring_socket *socket, const void *at, size_t len)
{
    if (!ring->runs || socket->sending)
        return false;
    struct io_uring_sqe *sqe = request(ring);
    io_uring_prep_send(sqe, socket->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    io_uring_sqe_set_data64(sqe, name(socket, TO_SENT));
    socket->sending = true;
    ring->sends++;
    return true;
}

/* What liburing gave; it must not say that the kernel had no memory to tell what has happened. */
static int submitted(int count)
{
    CHECK(count != -EBADR);
    return count;
}

/* The kernel may be out of memory for requests, which passes. */
void ring_settle(struct ring *ring)
{
    for (int tries = 0; io_uring_sq_ready(&ring->uring) > 0; tries++) {
        if (submitted(io_uring_submit(&ring->uring)) > 0)
            continue;
        CHECK(tries < SETTLE_TRIES);
        usleep(1000);
    }
}

/* ---- Being told ---- */

/* What the kernel has, and did not give in its first portion. */
static void gather(struct ring *ring)
{
    unsigned before = 0, ready = io_uring_cq_ready(&ring->uring);
    while (ready >= before + PORTION && ready < FULL) {
        before = ready;
        submitted(io_uring_get_events(&ring->uring));
        ready = io_uring_cq_ready(&ring->uring);
    }
    ring->full = ready >= FULL;
}

void ring_wait(struct ring *ring, int wait_ms)
{
    struct __kernel_timespec limit = {wait_ms / 1000, wait_ms % 1000 * 1000000LL};
    struct io_uring_cqe *first;
    LIST_EACH(&ring->joining, node)
    receive(ring, CONTAINER_OF(node, struct ring_socket, joining));
    if (!ring->polls) {
        struct io_uring_sqe *sqe = request(ring);
        io_uring_prep_poll_add(sqe, ring->epoll_fd, POLLIN);
        io_uring_sqe_set_data64(sqe, TO_POLLED);
        ring->polls = true;
    }
    if (wait_ms == 0)
        submitted(io_uring_submit_and_get_events(&ring->uring));
    else
        submitted(io_uring_submit_and_wait_timeout(&ring->uring, &first, 1,
                                                   wait_ms < 0 ? NULL : &limit, NULL));
    if (io_uring_sq_ready(&ring->uring) > 0)
        ring_settle(ring); /* descriptors are not named longer than they are open */
    gather(ring);
}

static void tell_received(struct ring *ring, struct ring_socket *socket, int n, uint32_t flags)
{
    bool leaving = socket->leaving;
    ring->full |= n == -ENOBUFS;
    socket->receiving = flags & IORING_CQE_F_MORE;
    if (!socket->receiving && !leaving && (n > 0 || n == -ENOBUFS))
        ring_join(ring, socket);
    unsigned index = flags >> IORING_CQE_BUFFER_SHIFT;
    if (n > 0)
        socket->received(socket, ring->buffers + (size_t)index * RING_BUFFER, n);
    else if (n != -ENOBUFS && n != -ECANCELED)
        socket->received(socket, NULL, n);
    if (flags & IORING_CQE_F_BUFFER) { /* in Linux 6.1 at the end, too */
        lend(ring, index, 0);
        io_uring_buf_ring_advance(ring->lent, 1);
    }
    if (leaving)
        end(socket);
}

static void tell_sent(struct ring *ring, struct ring_socket *socket, int n)
{
    bool leaving = socket->leaving;
    socket->sending = false;
    ring->sends--;
    socket->sent(socket, n);
    if (leaving)
        end(socket);
}

static void tell(struct ring *ring, const struct io_uring_cqe *cqe)
{
    uint64_t data = io_uring_cqe_get_data64(cqe);
    struct ring_socket *socket = (struct ring_socket *)(uintptr_t)(data & ~(uint64_t)3);
    switch (data & 3) {
    case TO_RECEIVED:
        tell_received(ring, socket, cqe->res, cqe->flags);
        break;
    case TO_SENT:
        tell_sent(ring, socket, cqe->res);
        break;
    case TO_POLLED:
        ring->polls = false;
        ring->polled = true;
        break;
    default:
        break;
    }
}

bool ring_is_full(const struct ring *ring)
{
    return ring->full;
}

bool ring_run(struct ring *ring)
{
    struct io_uring_cqe *batch[BATCH];
    unsigned count;
    ring->polled = false;
    ring->runs = true;
    while ((count = io_uring_peek_batch_cqe(&ring->uring, batch, BATCH)) > 0) {
        for (unsigned i = 0; i < count; i++)
            tell(ring, batch[i]);
        io_uring_cq_advance(&ring->uring, count);
        if (ring->sends > 0)
            ring_settle(ring);
    }
    CHECK(ring->sends == 0);
    ring->runs = false;
    return ring->polled;
}

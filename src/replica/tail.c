#include "replica/tail.h"

#include "base/clock.h"
#include "base/cond.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { GIVE_BACK_BYTES = 16 * 1024 * 1024, PENDING_MAX = 512 * 1024 * 1024 };

struct tail {
    struct applier_tap tap;
    int fd;
    struct buf pending; /* of the transaction that is being applied; the applier's */
    bool full;          /* the applier's: a write failed, nothing more is written */

    pthread_mutex_t mutex; /* guards what follows, up to the blank line */
    pthread_cond_t more;
    uint64_t written; /* bytes */
    int reason;       /* errno of a write that failed */

    /* The sending side's, with the offset of the first record after each: */
    struct {
        uint64_t index, at;
    } taken, read;
    uint64_t given_back;
};

static void put_number(unsigned char *at, int size, uint64_t value)
{
    for (int i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_number(const char *at, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

/* ---- The applier's side ---- */

static void add(void *context, uint64_t index, struct str batch)
{
    struct tail *tail = context;
    unsigned char header[TAIL_HEADER];
    put_number(header, 4, batch.len);
    put_number(header + 4, 8, index);
    buf_put(&tail->pending, header, sizeof header);
    buf_put(&tail->pending, batch.at, batch.len);
}

static int write_pending(struct tail *tail)
{
    const char *at = tail->pending.at;
    size_t left = tail->pending.len;
    off_t offset = (off_t)tail->written;
    if (tail->pending.failed)
        return ENOMEM;
    while (left > 0) {
        ssize_t n = pwrite(tail->fd, at, left, offset);
        if (n <= 0 && errno != EINTR)
            return n == 0 ? ENOSPC : errno;
        if (n > 0) {
            at += n;
            left -= (size_t)n;
            offset += n;
        }
    }
    return 0;
}

static void flush(void *context)
{
    struct tail *tail = context;
    int reason = tail->full ? 0 : write_pending(tail);
    pthread_mutex_lock(&tail->mutex);
    if (reason != 0) {
        tail->reason = reason;
        tail->full = true;
    }
    if (!tail->full)
        tail->written += tail->pending.len;
    pthread_cond_signal(&tail->more);
    pthread_mutex_unlock(&tail->mutex);
    buf_clear(&tail->pending);
    tail->pending.failed = false;
}

/* ---- Making ---- */

static int open_nameless(const char *dir)
{
    char path[512];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (size_t)snprintf(path, sizeof path, "%s/tail-XXXXXX", dir) >= sizeof path)
        return fd;
    fd = mkostemp(path, O_CLOEXEC); /* the file system has no files without names */
    if (fd >= 0)
        unlink(path);
    return fd;
}

int tail_new(const char *dir, struct tail **out, struct failure *failure)
{
    struct tail *tail = calloc(1, sizeof *tail);
    if (tail == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for a copy");
    tail->fd = open_nameless(dir);
    if (tail->fd < 0) {
        free(tail);
        return fail_errno(failure, ERR_IO, "%s: no file for a copy's entries", dir);
    }
    tail->tap = (struct applier_tap){.context = tail, .add = add, .flush = flush};
    buf_init(&tail->pending, PENDING_MAX);
    pthread_mutex_init(&tail->mutex, NULL);
    cond_init(&tail->more);
    *out = tail;
    return 0;
}

void tail_free(struct tail *tail)
{
    if (tail == NULL)
        return;
    close(tail->fd);
    buf_close(&tail->pending);
    pthread_cond_destroy(&tail->more);
    pthread_mutex_destroy(&tail->mutex);
    free(tail);
}

const struct applier_tap *tail_tap(struct tail *tail)
{
    return &tail->tap;
}

/* ---- The sending side ---- */

/* How far the file is written; waits until that is beyond what was read. */
static int wait_for_more(struct tail *tail, uint64_t deadline_ns, uint64_t *end,
                         struct failure *failure)
{
    pthread_mutex_lock(&tail->mutex);
    while (tail->written == tail->read.at && tail->reason == 0)
        if (!cond_wait_until(&tail->more, &tail->mutex, deadline_ns))
            break;
    *end = tail->written;
    int reason = tail->written == tail->read.at ? tail->reason : 0;
    pthread_mutex_unlock(&tail->mutex);
    if (reason == 0)
        return 0;
    errno = reason;
    return fail_errno(failure, reason == ENOSPC ? ERR_FULL : ERR_IO,
                      "the changes since the copy began cannot be kept");
}

/* Reads the record's header at AT: 0 or ERR_IO. */
static int read_header(const struct tail *tail, uint64_t at, uint64_t *index, size_t *len)
{
    char header[TAIL_HEADER];
    if (pread(tail->fd, header, sizeof header, (off_t)at) != (ssize_t)sizeof header)
        return ERR_IO;
    *len = (size_t)get_number(header, 4);
    *index = get_number(header + 4, 8);
    return 0;
}

/* Steps *AT over what is at or below INDEX. */
static int skip(const struct tail *tail, uint64_t index, uint64_t end, uint64_t *at)
{
    while (*at < end) {
        uint64_t next;
        size_t len;
        if (read_header(tail, *at, &next, &len) != 0)
            return ERR_IO;
        if (next > index)
            break;
        *at += TAIL_HEADER + len;
    }
    return 0;
}

static void give_back(struct tail *tail)
{
    if (tail->taken.at - tail->given_back < GIVE_BACK_BYTES)
        return;
    /* Where the file system cannot, it is all given back at the end. */
    fallocate(tail->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)tail->given_back,
              (off_t)(tail->taken.at - tail->given_back));
    tail->given_back = tail->taken.at;
}

/* Notes how far R has come: TAKEN is behind AFTER by what it has not applied yet. */
static int move_on(struct tail *tail, uint64_t taken, uint64_t after, uint64_t end)
{
    if (after < tail->read.index) { /* it lost what it had not applied: from there again */
        tail->read.at = tail->taken.at;
        tail->read.index = tail->taken.index;
    }
    if (skip(tail, after, end, &tail->read.at) != 0 || skip(tail, taken, end, &tail->taken.at) != 0)
        return ERR_IO;
    tail->read.index = after;
    tail->taken.index = taken;
    give_back(tail);
    return 0;
}

/* The whole records of about ROOM bytes from the read position on end at *TO. */
static int measure(const struct tail *tail, size_t room, uint64_t end, uint64_t *to)
{
    *to = tail->read.at;
    while (*to < end && *to - tail->read.at < room) {
        uint64_t index;
        size_t len;
        if (read_header(tail, *to, &index, &len) != 0)
            return ERR_IO;
        *to += TAIL_HEADER + len;
    }
    return 0;
}

int tail_read(struct tail *tail, uint64_t taken, uint64_t after, size_t room, uint64_t deadline_ns,
              struct buf *out, struct failure *failure)
{
    uint64_t end = 0, to = 0;
    if (taken < tail->taken.index || after < taken)
        return fail(failure, ERR_STATE, "entries after %llu are asked for, which were taken before",
                    (unsigned long long)after);
    do {
        int err = wait_for_more(tail, deadline_ns, &end, failure);
        if (err != 0)
            return err;
        if (move_on(tail, taken, after, end) != 0)
            return fail_errno(failure, ERR_IO, "the changes since the copy began cannot be read");
    } while (tail->read.at == end && clock_mono_ns() < deadline_ns);
    if (measure(tail, room, end, &to) != 0)
        return fail_errno(failure, ERR_IO, "the changes since the copy began cannot be read");
    size_t len = (size_t)(to - tail->read.at);
    char *bytes = buf_room(out, len + 1);
    if (bytes == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for a copy's entries");
    if (pread(tail->fd, bytes, len, (off_t)tail->read.at) != (ssize_t)len)
        return fail_errno(failure, ERR_IO, "the changes since the copy began cannot be read");
    out->len += len;
    return 0;
}

bool tail_next(struct str *bytes, uint64_t *index, struct str *batch, bool *damaged)
{
    if (bytes->len == 0)
        return false;
    size_t len = bytes->len < TAIL_HEADER ? SIZE_MAX : (size_t)get_number(bytes->at, 4);
    if (len > TAIL_RECORD_MAX || len > bytes->len - TAIL_HEADER) {
        *damaged = true;
        return false;
    }
    *index = get_number(bytes->at + 4, 8);
    *batch = str_make(bytes->at + TAIL_HEADER, len);
    *bytes = str_from(*bytes, TAIL_HEADER + len);
    return true;
}

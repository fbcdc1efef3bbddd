#include "base/check.h"
#include "http/core.h"
#include "http/gzip.h"

#include <errno.h>
#include <unistd.h>

static enum source_verdict read_memory(struct reply *reply, char *out, size_t room, size_t *len)
{
    size_t take = reply->left < room ? (size_t)reply->left : room;
    if (take)
        memcpy(out, reply->at, take);
    reply->at += take;
    reply->left -= take;
    *len = take;
    return reply->left ? SOURCE_MORE : SOURCE_END;
}

static ssize_t read_disk(const struct stream *stream, char *out, size_t want)
{
    ssize_t got;
    do {
        got = pread(stream->x.file, out, want, (off_t)stream->x.file_offset);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* What can be had without the disk; -1 with EAGAIN: nothing, for now. What was fetched may leave
 * memory again before it is read, and some file systems do not say what is there: so after some
 * fetches, or one, it is read as it is. */
static ssize_t read_resident(const struct stream *stream, char *out, size_t want)
{
    const struct reply *reply = &stream->reply;
    struct iovec piece = {out, want};
    ssize_t got;
    if (stream->fetching) {
        errno = EAGAIN;
        return -1;
    }
    if (reply->fetches >= FETCHES)
        return read_disk(stream, out, want);
    do {
        got = preadv2(stream->x.file, &piece, 1, (off_t)stream->x.file_offset, RWF_NOWAIT);
    } while (got < 0 && errno == EINTR);
    if (got >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
        return got;
    if (stream->x.file_offset < reply->fetched_to)
        return read_disk(stream, out, want);
    errno = EAGAIN;
    return -1;
}

static enum source_verdict wait_for_disk(struct stream *stream)
{
    struct reply *reply = &stream->reply;
    if (stream->fetching)
        return SOURCE_WAIT;
    stream->fetching = true;
    stream->host->suspended++;
    reply->fetches++;
    reply->fetched_to = stream->x.file_offset + FETCH_BYTES;
    stream->host->fetch(stream->host, &stream->x);
    return SOURCE_WAIT;
}

static enum source_verdict read_file(struct stream *stream, char *out, size_t room, size_t *len)
{
    struct reply *reply = &stream->reply;
    size_t want = reply->left < room ? (size_t)reply->left : room;
    ssize_t got =
        stream->host->fetch ? read_resident(stream, out, want) : read_disk(stream, out, want);
    if (got < 0 && errno == EAGAIN && stream->host->fetch)
        return wait_for_disk(stream);
    if (got < 0 || (got == 0 && want > 0))
        return SOURCE_FAIL; /* shorter than was promised */
    stream->x.file_offset += (uint64_t)got;
    if (stream->x.file_offset >= reply->fetched_to)
        reply->fetches = 0;
    reply->left -= (uint64_t)got;
    *len = (size_t)got;
    return reply->left ? SOURCE_MORE : SOURCE_END;
}

static enum source_verdict wait_for_source(struct stream *stream)
{
    stream->waiting = true;
    stream->host->suspended++;
    return SOURCE_WAIT;
}

bool source_lends(const struct stream *stream)
{
    return stream->x.answer == ANSWER_SOURCE && stream->x.source->lend && !stream->reply.deflate;
}

enum source_verdict source_lend(struct stream *stream, struct iovec *pieces, int max, int *count,
                                uint64_t *total)
{
    struct reply *reply = &stream->reply;
    *count = 0;
    *total = 0;
    if (stream->waiting)
        return SOURCE_WAIT;
    if (reply->left == 0)
        return SOURCE_END;
    stream_adopt(stream);
    enum source_verdict verdict = stream->x.source->lend(&stream->x, pieces, max, count);
    if (verdict == SOURCE_WAIT)
        return wait_for_source(stream);
    for (int i = 0; i < *count; i++)
        *total += pieces[i].iov_len;
    if ((verdict == SOURCE_MORE && *total == 0) || *total > reply->left)
        return SOURCE_FAIL;
    if (verdict == SOURCE_END && reply->left != UINT64_MAX && *total < reply->left)
        return SOURCE_FAIL;
    return verdict;
}

void source_taken(struct stream *stream, size_t len)
{
    struct reply *reply = &stream->reply;
    if (reply->left != UINT64_MAX)
        reply->left -= len;
    stream_adopt(stream);
    stream->x.source->taken(&stream->x, len);
}

/* By copying, where the protocol has a buffer of its own. */
static enum source_verdict read_lent(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct iovec pieces[8];
    int count = 0;
    enum source_verdict verdict = x->source->lend(x, pieces, COUNT_OF(pieces), &count);
    if (verdict == SOURCE_WAIT || verdict == SOURCE_FAIL)
        return verdict;
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        size_t take = pieces[i].iov_len < room - *len ? pieces[i].iov_len : room - *len;
        memcpy(out + *len, pieces[i].iov_base, take);
        *len += take;
        total += pieces[i].iov_len;
    }
    x->source->taken(x, *len);
    return *len < total ? SOURCE_MORE : verdict;
}

/* The app's source; what it promised (length) is held against it. */
static enum source_verdict read_source(struct stream *stream, char *out, size_t room, size_t *len)
{
    struct reply *reply = &stream->reply;
    if (stream->waiting)
        return SOURCE_WAIT;
    if (reply->left == 0)
        return SOURCE_END;
    if (reply->left < room)
        room = (size_t)reply->left;
    stream_adopt(stream);
    enum source_verdict verdict = stream->x.source->lend
                                      ? read_lent(&stream->x, out, room, len)
                                      : stream->x.source->read(&stream->x, out, room, len);
    if (verdict == SOURCE_WAIT) {
        *len = 0;
        return wait_for_source(stream);
    }
    if (verdict == SOURCE_FAIL || *len > room || (verdict == SOURCE_MORE && *len == 0))
        return SOURCE_FAIL;
    if (reply->left == UINT64_MAX)
        return verdict;
    reply->left -= *len;
    if (verdict == SOURCE_END && reply->left > 0)
        return SOURCE_FAIL;
    return reply->left ? SOURCE_MORE : SOURCE_END;
}

static enum source_verdict read_raw(struct stream *stream, char *out, size_t room, size_t *len)
{
    *len = 0;
    switch (stream->x.answer) {
    case ANSWER_FILE:
        return read_file(stream, out, room, len);
    case ANSWER_SOURCE:
        return read_source(stream, out, room, len);
    case ANSWER_NONE:
        return SOURCE_END;
    case ANSWER_BYTES:
    case ANSWER_BLOB:
    case ANSWER_PAGE:
        break;
    }
    return read_memory(&stream->reply, out, room, len);
}

enum source_verdict body_read(struct stream *stream, char *out, size_t room, size_t *len)
{
    struct gzip_stream *gzip = stream->reply.deflate;
    if (!gzip)
        return read_raw(stream, out, room, len);
    *len = 0;
    for (;;) {
        size_t space, got = 0;
        bool done, flush = false;
        char *in = gzip_stream_room(gzip, &space);
        if (space > 0) {
            enum source_verdict verdict = read_raw(stream, in, space, &got);
            if (verdict == SOURCE_FAIL)
                return verdict;
            flush = verdict == SOURCE_WAIT; /* what there is must not lie about */
            gzip_stream_give(gzip, got, verdict == SOURCE_END);
        }
        *len = gzip_stream_take(gzip, out, room, flush, &done);
        if (done)
            return SOURCE_END;
        if (*len > 0)
            return SOURCE_MORE;
        if (flush)
            return SOURCE_WAIT;
    }
}

#include "base/check.h"
#include "base/clock.h"
#include "net/openssl.h" /* first, see there */
#include "replica/copy_fetching.h"
#include "replica/greet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10000,
    ANSWER_MS = 1000,      /* for one frame to be sent */
    AGAIN_MS = 300,        /* between two rounds through the servers */
    SAME_MS = 30000,       /* so long the one whose copy we have begun is asked alone */
    SYNC_BYTES = 64 << 20, /* so that there is little left for the end */
    READ_BYTES = 1 << 20,
    SAY_SECONDS = 5,
};

/* The file on its way. */
struct fetching {
    const struct copy_need *need;
    int fd;
    EVP_MD_CTX *sha;
    struct copy_record record; /* copy 0: none begun */
    uint64_t have, synced;     /* bytes; all of them hashed */
    uint64_t least;
    uint64_t said_ns, said_have, reason_ns;
    uint64_t alone_ns; /* until then, its server alone is asked */
};

/* ---- Connecting ---- */

static int ask_for(struct channel *channel, const struct copy_ask *ask, struct frame *frame,
                   uint64_t deadline_ns)
{
    struct buf room;
    buf_init(&room, 256);
    copy_ask_put(&room, ask);
    int err = channel_send(channel, COPY_ASK, buf_text(&room), deadline_ns);
    buf_close(&room);
    return err != 0 ? err : channel_receive(channel, frame, deadline_ns);
}

/* The answer may take as long as a moment for the freeze takes to find. */
static int ask(struct channel *channel, const struct copy_ask *question, struct copy_begin *begin,
               enum copy_refusal *refusal, uint64_t deadline_ns, struct failure *failure)
{
    struct frame frame;
    char sentence[300];
    int err = ask_for(channel, question, &frame, deadline_ns + COPY_PATIENCE_MS * MS_NS);
    if (err != 0)
        return fail(failure, err, "%s: no answer: %s", channel->where, err_sentence(err));
    if (frame.kind == COPY_REFUSED &&
        copy_refused_get(refusal, sentence, sizeof sentence, frame.payload) == 0)
        return fail(failure, ERR_DENIED, "%s: %s", channel->where, sentence);
    if (frame.kind != COPY_BEGIN || copy_begin_get(begin, frame.payload) != 0)
        return fail(failure, ERR_INVALID, "%s: an answer that is none", channel->where);
    if (begin->offset != question->offset || (question->copy != 0 && begin->copy != question->copy))
        return fail(failure, ERR_INVALID, "%s: another copy than asked for", channel->where);
    return 0;
}

int copy_connect(const struct copy_need *need, const struct server_place *place,
                 const struct copy_ask *question, int interrupt, struct channel *channel,
                 struct copy_begin *begin, enum copy_refusal *refusal, struct failure *failure)
{
    uint32_t patience_ms = need->patience_ms == 0 ? PATIENCE_MS : need->patience_ms;
    uint64_t deadline_ns = clock_mono_ns() + patience_ms * MS_NS;
    struct hello hello = {.purpose = HELLO_COPY,
                          .cluster = need->cluster,
                          .generation = need->generation,
                          .place = need->own};
    struct hello answer;
    enum refusal turned_away;
    *refusal = (enum copy_refusal)0;
    int err = channel_connect(channel, place->address, need->tls, interrupt, deadline_ns, failure);
    if (err != 0)
        return err == ERR_DENIED ? ERR_CLOSED : err;
    err = greet(channel, &hello, &answer, &turned_away, deadline_ns, failure);
    if (err == ERR_DENIED)
        err = ERR_CLOSED;
    if (err == 0 && answer.place.id != place->id)
        err = fail(failure, ERR_CONFLICT, "%s: another server answers there", place->address);
    if (err == 0)
        err = ask(channel, question, begin, refusal, deadline_ns, failure);
    if (err != 0)
        channel_close(channel);
    return err;
}

/* ---- The part ---- */

static void begin_anew(struct fetching *f)
{
    copy_remove(f->need->dir, "state");
    f->record = (struct copy_record){0};
    f->have = f->synced = f->alone_ns = 0;
    CHECK(EVP_DigestInit_ex(f->sha, EVP_sha256(), NULL) == 1);
}

/* Reads what an earlier process has received, to go on hashing after it. */
static int hash_part(struct fetching *f, uint64_t size, struct failure *failure)
{
    char *bytes = malloc(READ_BYTES);
    if (bytes == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for a copy");
    while (f->have < size) {
        size_t len = size - f->have < READ_BYTES ? (size_t)(size - f->have) : READ_BYTES;
        ssize_t got = pread(f->fd, bytes, len, (off_t)f->have);
        if (got <= 0) {
            free(bytes);
            return fail_errno(failure, ERR_IO, "%s/copy/part: cannot be read", f->need->dir);
        }
        EVP_DigestUpdate(f->sha, bytes, (size_t)got);
        f->have += (uint64_t)got;
    }
    free(bytes);
    return 0;
}

static int open_part(struct fetching *f, struct failure *failure)
{
    struct stat about;
    f->fd = copy_open_part(f->need->dir, failure);
    f->sha = EVP_MD_CTX_new();
    if (f->fd < 0)
        return ERR_IO;
    if (f->sha == NULL || EVP_DigestInit_ex(f->sha, EVP_sha256(), NULL) != 1)
        return fail(failure, ERR_NOMEM, "out of memory for a copy");
    if (!copy_record_read(f->need->dir, "state", &f->record) || fstat(f->fd, &about) != 0)
        return 0;
    uint64_t size = (uint64_t)about.st_size;
    log_line(f->need->log, LOG_INFO, "copy", "%llu of %llu MB of a copy are here already",
             (unsigned long long)(size / 1000000), (unsigned long long)(f->record.size / 1000000));
    f->alone_ns = clock_mono_ns() + SAME_MS * MS_NS;
    return hash_part(f, size < f->record.size ? size : f->record.size, failure);
}

static void say_progress(struct fetching *f)
{
    uint64_t now = clock_mono_ns(), since = now - f->said_ns;
    if (since < SAY_SECONDS * SEC_NS)
        return;
    uint64_t rate = (f->have - f->said_have) * 1000 / (since / MS_NS + 1);
    if (f->said_ns != 0)
        log_line(f->need->log, LOG_INFO, "copy",
                 "copy from server %llu: %llu of %llu MB, %llu MB a second, %llu s to go",
                 (unsigned long long)f->record.server, (unsigned long long)(f->have / 1000000),
                 (unsigned long long)(f->record.size / 1000000),
                 (unsigned long long)(rate / 1000000),
                 (unsigned long long)((f->record.size - f->have) / (rate + 1)));
    f->said_ns = now;
    f->said_have = f->have;
}

static int write_piece(struct fetching *f, struct str payload, struct failure *failure)
{
    if (payload.len <= COPY_OFFSET_SIZE || copy_offset_get(payload.at) != f->have ||
        payload.len - COPY_OFFSET_SIZE > f->record.size - f->have)
        return fail(failure, ERR_INVALID, "a piece of the copy does not fit in its place");
    struct str bytes = str_from(payload, COPY_OFFSET_SIZE);
    EVP_DigestUpdate(f->sha, bytes.at, bytes.len);
    while (bytes.len > 0) {
        ssize_t n = pwrite(f->fd, bytes.at, bytes.len, (off_t)f->have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_errno(failure, ERR_FULL, "%s/copy/part: cannot be written", f->need->dir);
        f->have += (uint64_t)n;
        bytes = str_from(bytes, (size_t)n);
    }
    if (f->have - f->synced >= SYNC_BYTES) {
        fdatasync(f->fd); /* the one at the end is looked at */
        f->synced = f->have;
    }
    say_progress(f);
    return 0;
}

/* Whether it is what was sent. */
static int compare(struct fetching *f, struct str digest, struct failure *failure)
{
    unsigned char own[EVP_MAX_MD_SIZE];
    if (f->have != f->record.size || digest.len != COPY_DIGEST_SIZE)
        return fail(failure, ERR_INVALID, "the copy ended early");
    if (EVP_DigestFinal_ex(f->sha, own, NULL) != 1)
        return fail(failure, ERR_INTERNAL, "no SHA-256");
    if (memcmp(own, digest.at, COPY_DIGEST_SIZE) == 0)
        return 0;
    begin_anew(f);
    return fail(failure, ERR_DAMAGED, "the copy is damaged (its SHA-256 differs): begun anew");
}

/* ---- One connection ---- */

static int note_begin(struct fetching *f, uint64_t server, const struct copy_begin *begin,
                      struct failure *failure)
{
    if (f->record.copy == begin->copy)
        return 0;
    f->record =
        (struct copy_record){begin->copy, server, begin->size, begin->index, begin->time_ms};
    if (ftruncate(f->fd, 0) != 0)
        return fail_errno(failure, ERR_FULL, "%s/copy/part: cannot be emptied", f->need->dir);
    log_line(f->need->log, LOG_INFO, "copy", "server %llu sends %llu MB, as of entry %llu",
             (unsigned long long)server, (unsigned long long)(begin->size / 1000000),
             (unsigned long long)begin->index);
    return copy_record_write(f->need->dir, "state", &f->record, failure);
}

/* Receives until the digest has been compared. */
static int receive(struct fetching *f, struct channel *channel, struct failure *failure)
{
    for (;;) {
        struct frame frame;
        int err = channel_receive(channel, &frame, clock_mono_ns() + COPY_SILENT_MS * MS_NS);
        if (err != 0)
            return fail(failure, ERR_CLOSED, "%s: %s", channel->where, err_sentence(err));
        if (frame.kind == COPY_DIGEST)
            return compare(f, frame.payload, failure);
        if (frame.kind == COPY_END)
            return fail(failure, ERR_CLOSED, "%s: %.*s", channel->where, (int)frame.payload.len,
                        frame.payload.at);
        if (frame.kind != COPY_PIECE_AT)
            return fail(failure, ERR_INVALID, "%s: an unknown frame", channel->where);
        err = write_piece(f, frame.payload, failure);
        if (err != 0)
            return err;
        f->alone_ns = clock_mono_ns() + SAME_MS * MS_NS;
    }
}

/* 0: the file is whole, and the channel open for its tail; or closed, and the tail connects again.
 */
static int fetch_from(struct fetching *f, const struct server_place *place, bool primary_too,
                      struct channel *channel, struct failure *failure)
{
    struct copy_begin begin;
    enum copy_refusal refusal;
    struct copy_ask question = {.least = f->least, .primary_too = primary_too};
    if (f->record.copy != 0) {
        question.copy = f->record.copy;
        question.offset = f->have;
    }
    int err = copy_connect(f->need, place, &question, -1, channel, &begin, &refusal, failure);
    if (err == ERR_DENIED && refusal == COPY_UNKNOWN)
        begin_anew(f);
    if (err != 0)
        return err;
    err = note_begin(f, place->id, &begin, failure);
    err = err != 0 ? err : receive(f, channel, failure);
    if (err != 0 ||
        channel_send(channel, COPY_TAKEN, STR_NONE, clock_mono_ns() + ANSWER_MS * MS_NS) != 0)
        channel_close(channel);
    return err;
}

/* ---- Through the servers ---- */

static void say_reason(struct fetching *f, const struct failure *failure)
{
    uint64_t now = clock_mono_ns();
    if (f->reason_ns != 0 && now - f->reason_ns < SAY_SECONDS * SEC_NS)
        return;
    f->reason_ns = now;
    log_line(f->need->log, LOG_WARN, "copy", "no copy yet: %s", failure->text);
}

/* Tries each server once; 0: one of them gave it. */
static int one_round(struct fetching *f, bool primary_too, struct channel *channel,
                     struct failure *failure)
{
    int err = ERR_NOTFOUND;
    bool alone = f->record.copy != 0 && clock_mono_ns() < f->alone_ns;
    if (f->record.copy != 0 && !alone)
        begin_anew(f);
    for (unsigned i = 0; i < f->need->other_count; i++) {
        const struct server_place *place = &f->need->others[i];
        if (alone && place->id != f->record.server)
            continue;
        *failure = (struct failure){0};
        err = fetch_from(f, place, primary_too, channel, failure);
        if (err == 0 || err == ERR_FULL)
            break;
        say_reason(f, failure);
        if (alone && f->record.copy == 0)
            break; /* it is begun anew, with all of them */
    }
    return err;
}

static int fetch_file(struct fetching *f, struct channel *channel, struct failure *failure)
{
    for (unsigned round = 0;; round++) {
        int got = one_round(f, round % 2 == 1, channel, failure);
        if (got == 0)
            break;
        if (got == ERR_FULL) /* our own disk */
            return got;
        poll(NULL, 0, AGAIN_MS);
    }
    int err = fsync(f->fd) == 0
                  ? 0
                  : fail_errno(failure, ERR_IO, "%s/copy/part: cannot be written", f->need->dir);
    err = err != 0 ? err : copy_install(f->need->dir, f->need->database, &f->record, failure);
    if (err != 0)
        channel_close(channel);
    return err;
}

/* A tail that was left over by this process's predecessor: if its server still keeps it. */
static struct copy_tail *former_tail(const struct copy_need *need)
{
    struct copy_record record;
    if (!copy_record_read(need->dir, "copied", &record)) {
        tls_context_free(need->tls);
        return NULL;
    }
    return copy_tail_new(need, &record, NULL);
}

int copy_fetch_first(const struct copy_need *need, struct copy_tail **tail, struct failure *failure)
{
    struct fetching f = {.need = need, .fd = -1};
    struct channel channel;
    *tail = NULL;
    if (!copy_wanted(need->dir, &f.least)) {
        *tail = former_tail(need);
        return 0;
    }
    if (need->other_count == 0) {
        tls_context_free(need->tls);
        return fail(failure, ERR_NOTFOUND,
                    "this server needs a copy of the database, and knows no other server");
    }
    log_line(need->log, LOG_INFO, "copy",
             "this server's database is to be copied from another server; the shop goes on there");
    int err = open_part(&f, failure);
    err = err != 0 ? err : fetch_file(&f, &channel, failure);
    if (err == 0) {
        log_line(need->log, LOG_INFO, "copy", "the copy is here, as of entry %llu",
                 (unsigned long long)f.record.index);
        *tail = copy_tail_new(need, &f.record, channel.fd >= 0 ? &channel : NULL);
    } else {
        tls_context_free(need->tls);
    }
    if (f.fd >= 0)
        close(f.fd);
    EVP_MD_CTX_free(f.sha);
    return err;
}

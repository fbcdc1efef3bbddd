#include "replica/io.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/lone.h"
#include "replica/message.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* A segment's size, and above it the longest head that libraft believes in. */
    SEGMENT_READ_BYTES = (8 + 4) * 1024 * 1024 + 4096,
    SETTLE_MS = 200,  /* an election is over by then, mostly */
    ENTRY_BYTES = 64, /* that libraft keeps for one besides its content, about */
};

static struct io *io_of(struct raft_io *raft)
{
    return CONTAINER_OF(raft, struct io, raft);
}

/* libraft ends with the system's number: "write failed: -28". */
static const char *system_reason(const char *why)
{
    const char *number = strrchr(why, '-');
    char *end = NULL;
    long code = number != NULL ? strtol(number + 1, &end, 10) : 0;
    return code > 0 && *end == 0 ? strerror((int)code) : "";
}

static void stop(struct io *io, const char *what, const char *why)
{
    char reason[640];
    if (why == NULL || why[0] == 0)
        why = "no reason given";
    const char *system = system_reason(why);
    snprintf(reason, sizeof reason,
             "%s: %s (%s%s%s); this server stops, so that nothing is promised that is not on disk. "
             "Check the disk, then start it again",
             io->config.dir, what, why, system[0] != 0 ? ": " : "", system);
    io->config.fatal(io->config.context, reason);
}

/* ---- Term and vote ---- */

/* Gives libraft's files what our record had when it was begun and they lack. */
static void write_late(uv_work_t *work)
{
    struct io *io = CONTAINER_OF(work, struct io, late.work);
    struct io_late *late = &io->late;
    late->status = 0;
    if (late->write_term)
        late->status = io->inner.set_term(&io->raft, late->to_term);
    if (late->status == 0 && late->write_vote)
        late->status = io->inner.set_vote(&io->raft, late->to_candidate);
}

static void late_written(uv_work_t *work, int status)
{
    struct io *io = CONTAINER_OF(work, struct io, late.work);
    io->late.writing = false;
    if (status == 0 && io->late.status != 0)
        stop(io, "the term and vote cannot be written", io->raft.errmsg);
}

static void begin_late(struct io *io)
{
    struct io_late *late = &io->late;
    late->write_term = late->term;
    late->write_vote = late->vote;
    late->to_term = io->vote->term;
    late->to_candidate = io->vote->candidate;
    late->term = late->vote = false;
}

/* At once, in this thread. */
static int write_now(struct io *io)
{
    begin_late(io);
    write_late(&io->late.work);
    late_written(&io->late.work, 0);
    return io->late.status;
}

/* Before anything that goes out or into the log: it is of a term that is on disk. */
static void keep_term(struct io *io)
{
    struct failure failure = {0};
    if (vote_keep(io->vote, &failure) != 0)
        stop(io, "the term cannot be kept", failure.text);
}

/* Is libraft running? Else there is no turn of the loop that would write it later. */
static int later(struct io *io)
{
    if (io->receive == NULL)
        return write_now(io);
    io->late.since_ns = clock_mono_ns();
    return 0;
}

static int guarded_set_term(struct raft_io *raft, raft_term term)
{
    struct io *io = io_of(raft);
    struct failure failure = {0};
    if (vote_begin_term(io->vote, term, &failure) != 0)
        stop(io, "the term cannot be kept", failure.text);
    if (io->receive == NULL)
        keep_term(io);
    io->late.term = true;
    io->late.vote = io->vote->candidate != 0; /* the same term again forgets no vote */
    return later(io);
}

static int guarded_set_vote(struct raft_io *raft, raft_id candidate)
{
    struct io *io = io_of(raft);
    struct failure failure = {0};
    if (vote_set_candidate(io->vote, candidate, &failure) != 0)
        stop(io, "the vote cannot be kept", failure.text);
    io->late.vote = true;
    return later(io);
}

void io_settle(struct io *io, uint64_t now_ns)
{
    struct io_late *late = &io->late;
    keep_term(io);
    if (late->writing || (!late->term && !late->vote) ||
        now_ns - late->since_ns < SETTLE_MS * MS_NS)
        return;
    if (io->config.loop == NULL) {
        write_now(io);
        return;
    }
    begin_late(io);
    late->writing = true;
    CHECK(uv_queue_work(io->config.loop, &late->work, write_late, late_written) == 0);
}

/* libraft's files are behind our record when the process died before they had followed; and may
 * be before it by a step, if another program wrote them. The later one counts. */
static int agree_on_vote(struct io *io, raft_term *term, raft_id *voted_for)
{
    struct vote *vote = io->vote;
    struct failure *failure = &io->load_failure;
    if (*term > vote->term && vote_set_term(vote, *term, failure) != 0)
        return RAFT_IOERR;
    if (vote->term > *term) {
        *term = vote->term;
        *voted_for = vote->candidate;
        return 0;
    }
    if (*voted_for == 0)
        *voted_for = vote->candidate;
    else if (vote_set_candidate(vote, *voted_for, failure) != 0)
        return RAFT_CORRUPT;
    return 0;
}

/* A term after *TERM, for the server ID, which has its own vote. */
static int begin_term(struct io *io, raft_id id, raft_term *term, raft_id *voted_for)
{
    struct failure *failure = &io->load_failure;
    if (vote_set_term(io->vote, *term + 1, failure) != 0 ||
        vote_set_candidate(io->vote, id, failure) != 0)
        return RAFT_IOERR;
    int status = io->inner.set_term(&io->raft, *term + 1);
    if (status == 0)
        status = io->inner.set_vote(&io->raft, id);
    *term += 1;
    *voted_for = id;
    return status;
}

void io_free_loaded(struct raft_snapshot **snapshot, struct raft_entry **entries, size_t *count)
{
    if (*snapshot != NULL) {
        raft_configuration_close(&(*snapshot)->configuration);
        for (unsigned i = 0; i < (*snapshot)->n_bufs; i++)
            raft_free((*snapshot)->bufs[i].base);
        raft_free((*snapshot)->bufs);
        raft_free(*snapshot);
        *snapshot = NULL;
    }
    void *freed = NULL; /* neighbours share the memory they were read into */
    for (size_t i = 0; i < *count; i++) {
        if ((*entries)[i].batch != freed)
            raft_free((*entries)[i].batch);
        freed = (*entries)[i].batch;
    }
    raft_free(*entries);
    *entries = NULL;
    *count = 0;
}

/* libraft frees twice, and crashes, when an open segment ends within what it reads: cut short,
 * or a length in it damaged. With zeros behind it finds a wrong checksum in its place, and
 * ends the log before that. It cuts these files to their content after reading. */
static void lengthen_open_segments(const char *dir)
{
    DIR *list = opendir(dir);
    if (list == NULL)
        return; /* libraft says why */
    for (struct dirent *at = readdir(list); at != NULL; at = readdir(list)) {
        struct stat about;
        if (strncmp(at->d_name, "open-", 5) != 0)
            continue;
        int fd = openat(dirfd(list), at->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        bool shorter = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 &&
                       about.st_size < SEGMENT_READ_BYTES;
        if (shorter && ftruncate(fd, SEGMENT_READ_BYTES) != 0) {
            /* read-only or full: libraft says it */
        }
        close(fd);
    }
    closedir(list);
}

int io_refuse(const struct io *io, uint64_t last, struct failure *failure)
{
    return fail(failure, ERR_DAMAGED,
                "%s: the log ends at entry %llu, but the database has applied entry %llu: the log "
                "has lost its end, or the two are from different days. Restore both from one "
                "backup",
                io->config.dir, (unsigned long long)last, (unsigned long long)io->config.applied);
}

void io_log_reaches(struct io *io, uint64_t last)
{
    if (last >= io->floor)
        io->floor = 0;
}

/* The process was killed when a snapshot was in the place of a log that ends before it, and the
 * log's files were still there. libraft hopes that segments which it had prepared hold what is
 * missing; it has found them empty and removed them by now, and passes over the rest next time. */
static bool was_being_replaced(struct raft_io *raft, int status)
{
    if (status != RAFT_CORRUPT || strstr(raft->errmsg, "which is behind last snapshot") == NULL)
        return false;
    raft->errmsg[0] = 0;
    return true;
}

static int guarded_load(struct raft_io *raft, raft_term *term, raft_id *voted_for,
                        struct raft_snapshot **snapshot, raft_index *start_index,
                        struct raft_entry *entries[], size_t *count)
{
    struct io *io = io_of(raft);
    lengthen_open_segments(io->config.dir);
    int status = io->inner.load(raft, term, voted_for, snapshot, start_index, entries, count);
    if (was_being_replaced(raft, status))
        status = io->inner.load(raft, term, voted_for, snapshot, start_index, entries, count);
    if (status != 0)
        return status;
    uint64_t last = *start_index + *count - 1;
    if (io->config.applied > last)
        io->floor = io->config.applied;
    if (io->floor != 0 && !io->config.several) {
        io_refuse(io, last, &io->load_failure);
        io_free_loaded(snapshot, entries, count);
        return RAFT_CORRUPT;
    }
    for (size_t i = 0; i < *count; i++)
        io->log_bytes += (*entries)[i].buf.len;
    io->log_entries += *count;
    io->bytes_ever += io->log_bytes + *count * ENTRY_BYTES;
    status = agree_on_vote(io, term, voted_for);
    uint64_t id = io->config.id;
    if (status == 0 && id != 0 && lone_was(*snapshot, *entries, *count, id))
        status = begin_term(io, id, term, voted_for);
    if (status != 0)
        io_free_loaded(snapshot, entries, count);
    return status;
}

/* ---- The log ---- */

struct io_append {
    struct raft_io_append request; /* first: raft_uv's */
    struct io *io;
    struct io_append *next;
    struct raft_io_append *outer; /* raft's */
    raft_io_append_cb done;
    uint64_t started_ns;
};

static void forget_append(struct io *io, struct io_append *append)
{
    struct io_append **at = &io->appends;
    while (*at != append)
        at = &(*at)->next;
    *at = append->next;
    if (io->appends_last == &append->next)
        io->appends_last = at;
}

static void append_done(struct raft_io_append *request, int status)
{
    struct io_append *append = (struct io_append *)request;
    struct io *io = append->io;
    struct raft_io_append *outer = append->outer;
    raft_io_append_cb done = append->done;
    if (status == 0)
        latency_record(io->config.append, clock_mono_ns() - append->started_ns);
    else if (status != RAFT_CANCELED)
        stop(io, "the log cannot be written", io->raft.errmsg);
    forget_append(io, append);
    free(append);
    done(outer, status);
}

static int guarded_append(struct raft_io *raft, struct raft_io_append *request,
                          const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    struct io *io = io_of(raft);
    struct io_append *append = calloc(1, sizeof *append);
    keep_term(io);
    if (append == NULL) {
        stop(io, "the log cannot be written", "out of memory");
        return RAFT_NOMEM;
    }
    append->io = io;
    append->outer = request;
    append->done = done;
    append->started_ns = clock_mono_ns();
    *io->appends_last = append;
    io->appends_last = &append->next;
    request->cb = done;
    for (unsigned i = 0; i < n; i++) {
        io->log_bytes += entries[i].buf.len;
        io->bytes_ever += entries[i].buf.len + ENTRY_BYTES;
    }
    io->log_entries += n;
    int status = io->inner.append(raft, &append->request, entries, n, append_done);
    if (status != 0)
        stop(io, "the log cannot be written", raft->errmsg);
    return status;
}

static int guarded_truncate(struct raft_io *raft, raft_index index)
{
    struct io *io = io_of(raft);
    int status = io->inner.truncate(raft, index);
    if (status != 0)
        stop(io, "the log cannot be cut back", raft->errmsg);
    return status;
}

/* raft_uv does not report a failed write, it sets a timer to try again, and crashes when
 * that fires. It leaves its message before; it cannot be there otherwise. */
void io_check(struct io *io)
{
    const char *message = io->raft.errmsg;
    if (message[0] == 0)
        return;
    if (io->appends != NULL &&
        (strncmp(message, "write failed", 12) == 0 || strncmp(message, "short write", 11) == 0))
        stop(io, "the log cannot be written", message);
    if (!io->late.writing) /* else it may be what late_written is about to say */
        io->raft.errmsg[0] = 0;
}

/* ---- Snapshots ---- */

static void put_done(struct raft_io_snapshot_put *request, int status)
{
    struct io *io = CONTAINER_OF(request, struct io, put_inner);
    if (status != 0 && status != RAFT_CANCELED)
        stop(io, "a snapshot cannot be written", io->raft.errmsg);
    io->snapshot_running = false;
    struct raft_io_snapshot_put *outer = io->put_request;
    io->put_request = NULL;
    io->put_done(outer, status);
}

static int guarded_snapshot_put(struct raft_io *raft, unsigned trailing,
                                struct raft_io_snapshot_put *request,
                                const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct io *io = io_of(raft);
    CHECK(!io->snapshot_running);
    io->snapshot_running = true;
    io->log_bytes = 0;
    io->log_entries = 0;
    request->cb = done;
    io->put_request = request;
    io->put_done = done;
    io->put.request = request;
    io->put.snapshot = snapshot;
    io->put.trailing = trailing;
    io->config.ask_durable(io->config.context);
    return 0;
}

void io_durable(struct io *io)
{
    if (io->put.request == NULL)
        return; /* closing */
    io->put.request = NULL;
    int status = io->inner.snapshot_put(&io->raft, io->put.trailing, &io->put_inner,
                                        io->put.snapshot, put_done);
    if (status != 0)
        put_done(&io->put_inner, status);
}

/* ---- Sending, receiving, closing ---- */

/* Whoever asks for a pre-vote in a term that is over is told the term that is. libraft 0.22.1 tells
 * it its own back: two servers, one with the higher term and one with the longer log, refuse each
 * other for ever then. */
static void tell_term(const struct raft *raft, struct raft_request_vote_result *result)
{
    if (result->pre_vote && !result->vote_granted && result->term < raft->current_term)
        result->term = raft->current_term;
}

/* libraft is told at once, from inside the call: it does nothing after it but free what it lent
 * (legacySendMessageCb in 0.22.1), and whether it went is all the same to it. It must not be told
 * by an error: one server that cannot be reached would keep messages from the others. */
static int guarded_send(struct raft_io *raft, struct raft_io_send *request,
                        const struct raft_message *message, raft_io_send_cb done)
{
    struct io *io = io_of(raft);
    int status = RAFT_NOCONNECTION;
    request->cb = done;
    bool stands = message->type == RAFT_REQUEST_VOTE && io->floor != 0;
    struct raft_message told;
    keep_term(io);
    if (message->type == RAFT_REQUEST_VOTE_RESULT && raft->data != NULL) {
        told = *message;
        tell_term(raft->data, &told.request_vote_result);
        message = &told;
    }
    if (io->config.send != NULL && !stands)
        status = io->config.send(io->config.context, message);
    done(request, status);
    return 0;
}

/* The primary is heard, which must not be lost: what stays is its heartbeat. */
static void strip_entries(struct raft_append_entries *append)
{
    raft_free(append->entries[0].batch); /* of all that came in one message */
    raft_free(append->entries);
    append->entries = NULL;
    append->n_entries = 0;
}

static void guarded_receive(struct raft_io *raft, struct raft_message *message)
{
    struct io *io = io_of(raft);
    if ((message->type == RAFT_INSTALL_SNAPSHOT && io->snapshot_running) ||
        (message->type == RAFT_TIMEOUT_NOW && io->floor != 0)) {
        message_free(message);
        return;
    }
    if (message->type == RAFT_REQUEST_VOTE && message->request_vote.last_log_index < io->floor) {
        message_free(message); /* it asks again, or another does */
        return;
    }
    if (message->type == RAFT_APPEND_ENTRIES && message->append_entries.n_entries > 0 &&
        io->config.behind(io->config.context))
        strip_entries(&message->append_entries);
    io->receive(raft, message);
}

/* A server that must not stand for election, or not yet, does not become a candidate either: as one
 * it would count terms up that nobody hears of, and refuse the others their votes for being of
 * older ones. It forgets a silent primary all the same. */
static void stay_follower(struct io *io, struct raft *raft)
{
    raft_time now = io->raft.time(&io->raft);
    if (raft->state != RAFT_FOLLOWER || now - raft->election_timer_start < raft->election_timeout)
        return;
    if (io->floor == 0 && (io->config.waits == NULL || !io->config.waits(io->config.context)))
        return;
    raft->follower_state.current_leader.id = 0;
    raft->election_timer_start = now;
}

static void guarded_tick(struct raft_io *raft)
{
    stay_follower(io_of(raft), raft->data);
    lone_before_tick(raft->data);
    io_of(raft)->tick(raft);
}

struct io_get {
    struct raft_io_snapshot_get request; /* first: raft_uv's */
    struct io *io;
    struct raft_io_snapshot_get *outer; /* raft's */
    raft_io_snapshot_get_cb done;
};

/* libraft would free what a failed read has left unset. */
static void get_done(struct raft_io_snapshot_get *request, struct raft_snapshot *snapshot,
                     int status)
{
    struct io_get *get = (struct io_get *)request;
    struct raft_io_snapshot_get *outer = get->outer;
    raft_io_snapshot_get_cb done = get->done;
    if (status != 0 && status != RAFT_CANCELED)
        stop(get->io, "a snapshot cannot be read", get->io->raft.errmsg);
    free(get);
    done(outer, snapshot, status);
}

static int guarded_snapshot_get(struct raft_io *raft, struct raft_io_snapshot_get *request,
                                raft_io_snapshot_get_cb done)
{
    struct io *io = io_of(raft);
    struct io_get *get = calloc(1, sizeof *get);
    if (get == NULL)
        return RAFT_NOMEM;
    *get = (struct io_get){.io = io, .outer = request, .done = done};
    request->cb = done;
    int status = io->inner.snapshot_get(raft, &get->request, get_done);
    if (status != 0)
        free(get);
    return status;
}

void io_receive(struct io *io, struct raft_message *message)
{
    if (io->receive != NULL) {
        lone_before_message(io->raft.data, message);
        guarded_receive(&io->raft, message);
    } else {
        message_free(message); /* not started */
    }
}

static int guarded_start(struct raft_io *raft, unsigned ms, raft_io_tick_cb tick,
                         raft_io_recv_cb receive)
{
    struct io *io = io_of(raft);
    io->receive = receive;
    io->tick = tick;
    return io->inner.start(raft, ms, guarded_tick, guarded_receive);
}

static void guarded_close(struct raft_io *raft, raft_io_close_cb closed)
{
    struct io *io = io_of(raft);
    keep_term(io);
    if (!io->late.writing) /* else our record has what it lacks */
        write_now(io);
    if (io->put.request != NULL) {
        io->put.request = NULL;
        put_done(&io->put_inner, RAFT_CANCELED);
    }
    io->inner.close(raft, closed);
}

void io_guard(struct io *io, const struct io_config *config, struct vote *vote)
{
    io->config = *config;
    io->vote = vote;
    io->inner = io->raft;
    io->appends_last = &io->appends;
    io->raft.load = guarded_load;
    io->raft.start = guarded_start;
    io->raft.close = guarded_close;
    io->raft.send = guarded_send;
    io->raft.set_term = guarded_set_term;
    io->raft.set_vote = guarded_set_vote;
    io->raft.append = guarded_append;
    io->raft.truncate = guarded_truncate;
    io->raft.snapshot_put = guarded_snapshot_put;
    io->raft.snapshot_get = guarded_snapshot_get;
}

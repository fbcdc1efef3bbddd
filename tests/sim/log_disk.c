#include "log_disk.h"

#include "base/check.h"
#include "base/clock.h"
#include "carriers.h"
#include "history.h"
#include "loop.h"

#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5 };

struct kept_entry {
    raft_term term;
    enum raft_entry_type type;
    void *bytes;
    size_t len;
};

struct kept_snapshot {
    raft_index index;
    raft_term term;
    struct raft_configuration configuration;
    raft_index configuration_index;
    void *bytes;
    size_t len;
};

enum op_kind { OP_APPEND, OP_TRUNCATE, OP_PUT, OP_GET };

struct op {
    struct op *next;
    struct session *session;
    enum op_kind kind;
    uint64_t takes_ns;
    struct raft_io_append *append;
    const struct raft_entry *entries;
    unsigned count;
    raft_index index; /* TRUNCATE: the first that goes */
    struct raft_io_snapshot_put *put;
    const struct raft_snapshot *snapshot;
    unsigned trailing;
    struct raft_io_snapshot_get *get;
};

/* One use of a disk, by one life of a server. */
struct session {
    uint64_t number; /* counts the uses of all disks */
    struct log_disk *disk;
    struct raft_io *io;
    uv_loop_t *loop;
    unsigned tick_ms;
    raft_io_tick_cb tick;
    raft_io_close_cb closed;
    bool busy, stuck, closing;
    struct op *first, **last;
};

struct log_disk {
    struct log_disk *next;
    char dir[256];
    raft_term term;
    raft_id voted_for;
    raft_index start; /* of entries[0] */
    struct kept_entry *entries;
    size_t count, cap;
    struct kept_snapshot *snapshot;
    struct session *session;
    bool fails;
    unsigned slow;
};

static struct log_disk *disks;
static uint64_t sessions;

struct log_disk *log_disk_at(const char *dir)
{
    for (struct log_disk *disk = disks; disk != NULL; disk = disk->next)
        if (strcmp(disk->dir, dir) == 0)
            return disk;
    struct log_disk *disk = calloc(1, sizeof *disk);
    CHECK(disk != NULL && strlen(dir) < sizeof disk->dir);
    snprintf(disk->dir, sizeof disk->dir, "%s", dir);
    disk->start = 1;
    disk->slow = 1;
    disk->next = disks;
    disks = disk;
    return disk;
}

void log_disk_fail(struct log_disk *disk, bool fails)
{
    disk->fails = fails;
}

void log_disk_slow(struct log_disk *disk, unsigned factor)
{
    disk->slow = factor;
}

/* ---- What is on the disk ---- */

static void *copy_bytes(const void *bytes, size_t len)
{
    void *copy = malloc(len + 1);
    CHECK(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

static void keep_entry(struct log_disk *disk, const struct raft_entry *entry)
{
    carriers_check_entry(disk->start + disk->count, entry->term, entry->type != RAFT_BARRIER);
    if (disk->count == disk->cap) {
        disk->cap = disk->cap == 0 ? 64 : disk->cap * 2;
        disk->entries = realloc(disk->entries, disk->cap * sizeof *disk->entries);
        CHECK(disk->entries != NULL);
    }
    disk->entries[disk->count++] =
        (struct kept_entry){.term = entry->term,
                            .type = entry->type,
                            .bytes = copy_bytes(entry->buf.base, entry->buf.len),
                            .len = entry->buf.len};
}

static void drop_entries(struct log_disk *disk, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        free(disk->entries[i].bytes);
    memmove(disk->entries + from, disk->entries + to, (disk->count - to) * sizeof *disk->entries);
    disk->count -= to - from;
}

static void cut_end(struct log_disk *disk, raft_index first_gone)
{
    if (first_gone < disk->start)
        first_gone = disk->start;
    if (first_gone < disk->start + disk->count)
        drop_entries(disk, first_gone - disk->start, disk->count);
}

static void cut_begin(struct log_disk *disk, raft_index first_kept)
{
    if (first_kept <= disk->start)
        return;
    size_t gone = first_kept - disk->start;
    if (gone > disk->count)
        gone = disk->count;
    drop_entries(disk, 0, gone);
    disk->start += gone;
}

static struct raft_configuration copy_configuration(const struct raft_configuration *from)
{
    struct raft_configuration copy;
    raft_configuration_init(&copy);
    for (unsigned i = 0; i < from->n; i++)
        CHECK(raft_configuration_add(&copy, from->servers[i].id, from->servers[i].address,
                                     from->servers[i].role) == 0);
    return copy;
}

static void forget_snapshot(struct log_disk *disk)
{
    if (disk->snapshot == NULL)
        return;
    raft_configuration_close(&disk->snapshot->configuration);
    free(disk->snapshot->bytes);
    free(disk->snapshot);
    disk->snapshot = NULL;
}

/* A snapshot is the end of the changes before it: none may be hidden behind older members. */
static void check_members(const struct log_disk *disk, const struct raft_snapshot *snapshot)
{
    for (size_t i = disk->count; i > 0; i--) {
        raft_index index = disk->start + i - 1;
        if (disk->entries[i - 1].type != RAFT_CHANGE || index > snapshot->index)
            continue;
        if (snapshot->configuration_index != index)
            world_fail("disk %s: a snapshot as of entry %llu has the members as of entry %llu, but "
                       "entry %llu changed them",
                       strrchr(disk->dir, '/') - 2, snapshot->index, snapshot->configuration_index,
                       index);
        return;
    }
}

static void keep_snapshot(struct log_disk *disk, const struct raft_snapshot *from,
                          unsigned trailing)
{
    CHECK(from->n_bufs == 1);
    if (trailing > 0)
        check_members(disk, from);
    struct kept_snapshot *snapshot = calloc(1, sizeof *snapshot);
    CHECK(snapshot != NULL);
    snapshot->index = from->index;
    snapshot->term = from->term;
    snapshot->configuration = copy_configuration(&from->configuration);
    snapshot->configuration_index = from->configuration_index;
    snapshot->len = from->bufs[0].len;
    snapshot->bytes = copy_bytes(from->bufs[0].base, from->bufs[0].len);
    forget_snapshot(disk);
    disk->snapshot = snapshot;
    if (trailing == 0) { /* of another server: the own log is void */
        drop_entries(disk, 0, disk->count);
        disk->start = snapshot->index + 1;
    } else if (snapshot->index > trailing) {
        cut_begin(disk, snapshot->index - trailing + 1);
    }
}

void log_disk_erase(struct log_disk *disk)
{
    CHECK(disk->session == NULL);
    drop_entries(disk, 0, disk->count);
    forget_snapshot(disk);
    disk->start = 1;
    disk->term = 0;
    disk->voted_for = 0;
    disk->fails = false;
}

static void describe_change(const struct kept_entry *entry, char *out, size_t size)
{
    static const char *const roles[] = {"standby", "voter", "spare"};
    struct raft_configuration configuration;
    struct raft_buffer bytes = {.base = entry->bytes, .len = entry->len};
    if (entry->type != RAFT_CHANGE)
        return;
    raft_configuration_init(&configuration);
    CHECK(raft_configuration_decode(&bytes, &configuration) == 0);
    for (unsigned i = 0; i < configuration.n; i++) {
        size_t len = strlen(out);
        snprintf(out + len, size - len, " %llu %s", configuration.servers[i].id,
                 roles[configuration.servers[i].role]);
    }
    raft_configuration_close(&configuration);
}

void log_disk_describe(const struct log_disk *disk)
{
    world_note("  term %llu, voted for %llu, snapshot %llu", disk->term, disk->voted_for,
               disk->snapshot != NULL ? disk->snapshot->index : 0);
    for (size_t i = disk->count < SHOWN ? 0 : disk->count - SHOWN; i < disk->count; i++) {
        char members[200] = "";
        describe_change(&disk->entries[i], members, sizeof members);
        world_note("  entry %llu of term %llu, type %d%s", disk->start + i, disk->entries[i].term,
                   (int)disk->entries[i].type, members);
    }
}

/* ---- One write after another ---- */

static void begin_op(struct session *session);

static void write_op(struct log_disk *disk, const struct op *op, unsigned count)
{
    switch (op->kind) {
    case OP_APPEND:
        for (unsigned i = 0; i < count; i++)
            keep_entry(disk, &op->entries[i]);
        return;
    case OP_TRUNCATE:
        cut_end(disk, op->index);
        return;
    case OP_PUT:
        keep_snapshot(disk, op->snapshot, op->trailing);
        return;
    case OP_GET:
        return;
    }
}

static struct raft_snapshot *lend_snapshot(const struct log_disk *disk)
{
    const struct kept_snapshot *kept = disk->snapshot;
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof *snapshot);
    CHECK(snapshot != NULL && kept != NULL);
    snapshot->index = kept->index;
    snapshot->term = kept->term;
    snapshot->configuration = copy_configuration(&kept->configuration);
    snapshot->configuration_index = kept->configuration_index;
    snapshot->n_bufs = 1;
    snapshot->bufs = raft_malloc(sizeof *snapshot->bufs);
    CHECK(snapshot->bufs != NULL);
    snapshot->bufs[0].len = kept->len;
    snapshot->bufs[0].base = raft_malloc(kept->len);
    CHECK(snapshot->bufs[0].base != NULL);
    memcpy(snapshot->bufs[0].base, kept->bytes, kept->len);
    return snapshot;
}

static void tell(struct session *session, const struct op *op, int status)
{
    switch (op->kind) {
    case OP_APPEND:
        op->append->cb(op->append, status);
        return;
    case OP_TRUNCATE:
        return;
    case OP_PUT:
        op->put->cb(op->put, status);
        return;
    case OP_GET:
        op->get->cb(op->get, status == 0 ? lend_snapshot(session->disk) : NULL, status);
        return;
    }
}

static struct op *take_op(struct session *session)
{
    struct op *op = session->first;
    session->first = op->next;
    if (session->first == NULL)
        session->last = &session->first;
    return op;
}

/* On the server's loop. */
static void op_done(void *argument)
{
    struct session *session = argument;
    struct log_disk *disk = session->disk;
    if (session->closing || session->first == NULL)
        return;
    if (session->first->kind == OP_APPEND && disk->fails) {
        /* raft_uv says nothing but this, and does nothing any more. */
        snprintf(session->io->errmsg, sizeof session->io->errmsg, "write failed: I/O error");
        world_note("disk %s: a write of the log fails", strrchr(disk->dir, '/') - 2);
        disk->fails = false;
        session->stuck = true;
        return;
    }
    struct op *op = take_op(session);
    write_op(disk, op, op->count);
    session->busy = false;
    begin_op(session);
    tell(session, op, 0);
    free(op);
}

static void begin_op(struct session *session)
{
    if (session->busy || session->stuck || session->first == NULL)
        return;
    session->busy = true;
    loop_post_after(session->loop, session->first->takes_ns, op_done, session);
}

static struct op *new_op(struct raft_io *io, enum op_kind kind)
{
    struct session *session = io->impl;
    struct op *op = calloc(1, sizeof *op);
    CHECK(op != NULL);
    op->session = session;
    op->kind = kind;
    op->takes_ns = world_between(50, 2000) * 1000 * session->disk->slow;
    *session->last = op;
    session->last = &op->next;
    return op;
}

void log_disk_crash(struct log_disk *disk)
{
    struct session *session = disk->session;
    disk->session = NULL;
    if (session == NULL || session->stuck)
        return;
    for (struct op *op = session->first; op != NULL; op = op->next) {
        unsigned count = op->kind == OP_APPEND ? (unsigned)world_pick(op->count + 1) : 0;
        bool whole = op->kind == OP_APPEND ? count == op->count : world_one_in(2);
        if (op->kind == OP_APPEND || whole)
            write_op(disk, op, count);
        if (!whole)
            return;
    }
}

/* ---- raft_io ---- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static void close_now(void *argument)
{
    struct session *session = argument;
    struct raft_io *io = session->io;
    while (session->first != NULL) {
        struct op *op = take_op(session);
        if (op->kind == OP_APPEND || op->kind == OP_TRUNCATE)
            write_op(session->disk, op, op->count);
        tell(session, op, op->kind == OP_GET ? 0 : RAFT_CANCELED); /* raft_uv waits for reads */
        free(op);
    }
    session->disk->session = NULL;
    loop_each_turn(session->loop, NULL, NULL);
    if (session->closed != NULL)
        session->closed(io);
}

static void io_close(struct raft_io *io, raft_io_close_cb closed)
{
    struct session *session = io->impl;
    session->closing = true;
    session->closed = closed;
    loop_post(session->loop, close_now, session);
}

static void load_entries(const struct log_disk *disk, struct raft_entry **entries, size_t *count)
{
    *entries = NULL;
    *count = disk->count;
    if (disk->count == 0)
        return;
    size_t sum = 0;
    for (size_t i = 0; i < disk->count; i++)
        sum += (disk->entries[i].len + 7) / 8 * 8;
    char *batch = raft_malloc(sum + 8);
    *entries = raft_calloc(disk->count, sizeof **entries);
    CHECK(batch != NULL && *entries != NULL);
    char *at = batch;
    for (size_t i = 0; i < disk->count; i++) {
        const struct kept_entry *kept = &disk->entries[i];
        memcpy(at, kept->bytes, kept->len);
        (*entries)[i] = (struct raft_entry){.term = kept->term,
                                            .type = kept->type,
                                            .buf = {.base = at, .len = kept->len},
                                            .batch = batch};
        at += (kept->len + 7) / 8 * 8;
    }
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start, struct raft_entry *entries[],
                   size_t *count)
{
    struct log_disk *disk = ((struct session *)io->impl)->disk;
    *term = disk->term;
    *voted_for = disk->voted_for;
    *snapshot = disk->snapshot != NULL ? lend_snapshot(disk) : NULL;
    *start = disk->start;
    load_entries(disk, entries, count);
    return 0;
}

static void tick_now(void *argument)
{
    struct session *session = argument;
    if (session->closing)
        return;
    loop_post_after(session->loop, session->tick_ms * MS_NS, tick_now, session);
    session->tick(session->io);
}

static int io_start(struct raft_io *io, unsigned ms, raft_io_tick_cb tick, raft_io_recv_cb receive)
{
    struct session *session = io->impl;
    (void)receive; /* replica/ hands over what comes itself */
    session->tick_ms = ms;
    session->tick = tick;
    loop_post_after(session->loop, ms * MS_NS, tick_now, session);
    return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct log_disk *disk = ((struct session *)io->impl)->disk;
    if (disk->term != 0 || disk->count > 0 || disk->snapshot != NULL)
        return RAFT_CANTBOOTSTRAP;
    struct raft_entry entry = {.term = 1, .type = RAFT_CHANGE};
    CHECK(raft_configuration_encode(configuration, &entry.buf) == 0);
    disk->term = 1;
    keep_entry(disk, &entry);
    raft_free(entry.buf.base);
    return 0;
}

static int io_recover(struct raft_io *io, const struct raft_configuration *configuration)
{
    (void)io;
    (void)configuration;
    return RAFT_IOERR;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct log_disk *disk = ((struct session *)io->impl)->disk;
    disk->term = term;
    disk->voted_for = 0;
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id candidate)
{
    struct log_disk *disk = ((struct session *)io->impl)->disk;
    disk->voted_for = candidate;
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned count, raft_io_append_cb done)
{
    struct op *op = new_op(io, OP_APPEND);
    op->append = request;
    op->entries = entries;
    op->count = count;
    request->cb = done;
    begin_op(io->impl);
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    struct op *op = new_op(io, OP_TRUNCATE);
    op->index = index;
    op->takes_ns = 1000;
    begin_op(io->impl);
    return 0;
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct op *op = new_op(io, OP_PUT);
    op->put = request;
    op->snapshot = snapshot;
    op->trailing = trailing;
    request->cb = done;
    begin_op(io->impl);
    return 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb done)
{
    struct op *op = new_op(io, OP_GET);
    op->get = request;
    request->cb = done;
    begin_op(io->impl);
    return 0;
}

/* A server that is alone sends nothing; for the others replica/ puts its own in its place. */
static int io_send(struct raft_io *io, struct raft_io_send *request,
                   const struct raft_message *message, raft_io_send_cb done)
{
    (void)io;
    (void)request;
    (void)message;
    (void)done;
    return RAFT_NOCONNECTION;
}

static raft_time io_time(struct raft_io *io)
{
    (void)io;
    return clock_mono_ns() / MS_NS;
}

static int io_random(struct raft_io *io, int least, int most)
{
    (void)io;
    return least + (int)world_pick((uint64_t)((int64_t)most - least));
}

/* ---- raft_uv ---- */

/* libraft's, for its own I/O: callbacks of what has become of entries. */
void LegacyFireCompletedRequests(struct raft *raft);

static void fire_completed(void *argument)
{
    const struct session *session = argument;
    struct raft *raft = session->io->data;
    if (session->io->impl != session || raft == NULL)
        return;
    LegacyFireCompletedRequests(raft);
    if (raft_state(raft) == RAFT_LEADER)
        history_leads((unsigned)raft->id - 1, session->number, raft_current_term(raft));
}

int __wrap_raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                        struct raft_uv_transport *transport);
void __wrap_raft_uv_close(struct raft_io *io);
void __wrap_raft_uv_set_auto_recovery(struct raft_io *io, bool flag);
void __wrap_raft_uv_set_tracer(struct raft_io *io, struct raft_tracer *tracer);

int __wrap_raft_uv_init(struct raft_io *io, struct uv_loop_s *loop, const char *dir,
                        struct raft_uv_transport *transport)
{
    (void)transport;
    struct session *session = calloc(1, sizeof *session);
    CHECK(session != NULL);
    session->disk = log_disk_at(dir);
    CHECK(session->disk->session == NULL);
    session->disk->session = session;
    session->number = ++sessions;
    session->io = io;
    session->loop = loop;
    session->last = &session->first;
    void *data = io->data;
    memset(io, 0, sizeof *io);
    io->data = data;
    io->version = 2;
    io->capacity = 4096;
    io->impl = session;
    io->init = io_init;
    io->close = io_close;
    io->load = io_load;
    io->start = io_start;
    io->bootstrap = io_bootstrap;
    io->recover = io_recover;
    io->set_term = io_set_term;
    io->set_vote = io_set_vote;
    io->send = io_send;
    io->append = io_append;
    io->truncate = io_truncate;
    io->snapshot_put = io_snapshot_put;
    io->snapshot_get = io_snapshot_get;
    io->time = io_time;
    io->random = io_random;
    loop_each_turn(loop, fire_completed, session);
    return 0;
}

void __wrap_raft_uv_close(struct raft_io *io)
{
    io->impl = NULL;
}

void __wrap_raft_uv_set_auto_recovery(struct raft_io *io, bool flag)
{
    (void)io;
    (void)flag;
}

void __wrap_raft_uv_set_tracer(struct raft_io *io, struct raft_tracer *tracer)
{
    (void)io;
    (void)tracer;
}

#include "replica/repair.h"

#include "base/check.h"
#include "replica/io.h"
#include "replica/raft_change.h"
#include "replica/snapshot.h"
#include "replica/transport.h"

#include <errno.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* libraft on a log, without being started. */
struct bench {
    char log_dir[256], vote_file[256];
    uv_loop_t loop;
    struct raft_uv_transport transport;
    struct vote vote;
    struct latency append;
    struct io io;
    struct raft_fsm fsm;
    struct raft raft;
    struct raft_io_snapshot_put put;
    struct failure *failure;
    int status;
    bool done;
};

static int bench_failed(struct bench *bench, const char *doing, int status)
{
    if (bench->io.load_failure.err != 0) {
        *bench->failure = bench->io.load_failure;
        return bench->failure->err;
    }
    const char *more = bench->io.raft.errmsg;
    return fail(bench->failure, status == RAFT_CORRUPT ? ERR_DAMAGED : ERR_IO, "%s: %s: %s%s%s",
                bench->log_dir, doing, raft_strerror(status), more[0] != 0 ? ": " : "", more);
}

static void fatal(void *context, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s\n", reason);
    _exit(1);
}

static void durable_already(void *context)
{
    struct bench *bench = context;
    bench->done = true;
}

static bool never_behind(void *context)
{
    (void)context;
    return false;
}

static int open_bench(struct bench *bench, const char *dir, uint64_t id, struct failure *failure)
{
    memset(bench, 0, sizeof *bench);
    bench->failure = failure;
    bench->vote.fd = -1;
    if (snprintf(bench->log_dir, sizeof bench->log_dir, "%s/raft", dir) >=
            (int)sizeof bench->log_dir ||
        snprintf(bench->vote_file, sizeof bench->vote_file, "%s/vote", dir) >=
            (int)sizeof bench->vote_file)
        return fail(failure, ERR_INVALID, "%s: the path is too long", dir);
    if (mkdir(bench->log_dir, 0700) != 0 && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "%s: cannot be made", bench->log_dir);
    CHECK(uv_loop_init(&bench->loop) == 0);
    transport_alone(&bench->transport);
    int status = raft_uv_init(&bench->io.raft, &bench->loop, bench->log_dir, &bench->transport);
    if (status != 0)
        return fail(failure, ERR_IO, "%s: %s", bench->log_dir, raft_strerror(status));
    raft_uv_set_auto_recovery(&bench->io.raft, false);
    raft_uv_set_tracer(&bench->io.raft, NULL);
    bench->fsm.version = 1;
    status = raft_init(&bench->raft, &bench->io.raft, &bench->fsm, id, "alone");
    if (status != 0)
        return bench_failed(bench, "the log cannot be opened", status);
    bench->raft.tracer = NULL;
    io_guard(&bench->io,
             &(struct io_config){.dir = bench->log_dir,
                                 .several = true,
                                 .append = &bench->append,
                                 .fatal = fatal,
                                 .ask_durable = durable_already,
                                 .behind = never_behind,
                                 .context = bench},
             &bench->vote);
    return 0;
}

static void closed(struct raft *raft)
{
    struct bench *bench = CONTAINER_OF(raft, struct bench, raft);
    bench->done = true;
}

static void close_bench(struct bench *bench)
{
    bench->done = false;
    raft_close(&bench->raft, closed);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    CHECK(bench->done && uv_loop_close(&bench->loop) == 0);
    raft_uv_close(&bench->io.raft);
    vote_close(&bench->vote);
}

/* ---- What there is ---- */

static int contained(struct bench *bench, const struct raft_snapshot *snapshot, uint64_t *index)
{
    struct snapshot content = {0};
    const struct raft_buffer *bytes = &snapshot->bufs[0];
    int err = snapshot_decode(&content, str_make(bytes->base, bytes->len));
    *index = content.index;
    return err == 0 ? 0
                    : fail(bench->failure, ERR_DAMAGED, "%s: the snapshot cannot be read: %s",
                           bench->log_dir, err_sentence(err));
}

static int load(struct bench *bench, struct repair_found *found)
{
    struct raft_snapshot *snapshot = NULL;
    struct raft_entry *entries = NULL;
    raft_term term = 0;
    raft_id voted_for = 0;
    raft_index start = 0;
    size_t count = 0;
    int err = vote_open(&bench->vote, bench->vote_file, bench->failure);
    if (err != 0)
        return err;
    int status = bench->io.raft.load(&bench->io.raft, &term, &voted_for, &snapshot, &start,
                                     &entries, &count);
    if (status != 0)
        return bench_failed(bench, "the log cannot be read", status);
    *found = (struct repair_found){.term = term, .last_index = start + count - 1};
    if (snapshot != NULL)
        err = contained(bench, snapshot, &found->contained);
    io_free_loaded(&snapshot, &entries, &count);
    return err;
}

int repair_look(const char *dir, struct repair_found *found, struct failure *failure)
{
    struct bench *bench = calloc(1, sizeof *bench);
    char vote[300];
    if (bench == NULL)
        return fail(failure, ERR_NOMEM, "out of memory");
    snprintf(vote, sizeof vote, "%s/vote", dir);
    int err = 0;
    if (access(vote, F_OK) != 0)
        err = fail(failure, ERR_NOTFOUND, "%s has no log", dir);
    if (err == 0)
        err = open_bench(bench, dir, 1, failure);
    if (err == 0) {
        err = load(bench, found);
        close_bench(bench);
    }
    free(bench);
    return err;
}

/* ---- Changes ---- */

static int alone(struct raft_configuration *configuration, uint64_t id)
{
    raft_configuration_init(configuration);
    return raft_configuration_add(configuration, id, MEMBER_ALONE, RAFT_VOTER);
}

int repair_make_alone(const char *dir, uint64_t id, struct failure *failure)
{
    struct raft_configuration configuration;
    struct repair_found found = {0};
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = open_bench(bench, dir, id, failure);
    if (err == 0) {
        err = load(bench, &found); /* also mends what would crash libraft: see io.h */
        int status = alone(&configuration, id);
        /* A term of its own: the last one's other entries are not its. */
        if (err == 0 && status == 0)
            status = bench->io.raft.set_term(&bench->io.raft, found.term + 1);
        if (err == 0 && status == 0)
            status = raft_recover(&bench->raft, &configuration);
        if (err == 0 && status != 0)
            err = bench_failed(bench, "the log cannot be changed", status);
        raft_configuration_close(&configuration);
        close_bench(bench);
    }
    free(bench);
    return err;
}

static void was_put(struct raft_io_snapshot_put *request, int status)
{
    struct bench *bench = CONTAINER_OF(request, struct bench, put);
    bench->status = status;
    bench->done = true;
}

/* A snapshot stands for all up to INDEX. What the log had before is dropped. */
static int put_snapshot(struct bench *bench, const struct raft_configuration *configuration,
                        uint64_t id, uint64_t index, int64_t time_ms)
{
    unsigned char bytes[SNAPSHOT_SIZE];
    snapshot_encode(bytes, &(struct snapshot){.index = index, .time_ms = time_ms, .server = id});
    struct raft_buffer buffer = {.base = bytes, .len = sizeof bytes};
    struct raft_snapshot snapshot = {.index = index,
                                     .term = 1,
                                     .configuration = *configuration,
                                     .configuration_index = 1,
                                     .bufs = &buffer,
                                     .n_bufs = 1};
    int status = bench->io.raft.snapshot_put(&bench->io.raft, 0, &bench->put, &snapshot, was_put);
    io_durable(&bench->io); /* the database is on disk: whoever calls this has seen to it */
    bench->done = false;
    while (status == 0 && !bench->done && uv_run(&bench->loop, UV_RUN_ONCE) != 0)
        continue;
    if (status == 0)
        status = bench->status;
    return status == 0 ? 0 : bench_failed(bench, "the log cannot be begun", status);
}

int repair_begin_log(const char *dir, uint64_t id, uint64_t index, int64_t time_ms,
                     struct failure *failure)
{
    struct raft_configuration configuration;
    struct repair_found found;
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = open_bench(bench, dir, id, failure);
    if (err == 0) {
        int status = alone(&configuration, id);
        if (status == 0)
            status = raft_bootstrap(&bench->raft, &configuration);
        if (status != 0)
            err = bench_failed(bench, "the log cannot be begun", status);
        err = err != 0 ? err : load(bench, &found);
        if (err == 0 && index > 1) /* else the first entry's place is as it should be */
            err = put_snapshot(bench, &configuration, id, index, time_ms);
        raft_configuration_close(&configuration);
        close_bench(bench);
    }
    free(bench);
    return err;
}

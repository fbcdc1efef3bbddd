#include "outside/writer.h"

#include "base/check.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

enum { GROUP_MAX_USUAL = 256 };

struct writer {
    struct db *db; /* the thread's, once it runs */
    const struct log *log;
    unsigned group_max;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t work;
    struct writer_job *first, **last;
    unsigned waiting;
    bool closing;
};

/* ---- One group ---- */

/* What the database says about JOB alone (a constraint, a mistake in a statement) is that job's
 * failure; all else (the disk) is the whole group's, and is left in the database to be found. */
static int run_job(struct writer *writer, struct writer_job *job)
{
    struct db *db = writer->db;
    stmt_run(db_stmt(db, "SAVEPOINT job"));
    int err = db_failure(db)->err ? ERR_IO : job->run(job, db);
    if (db_failure(db)->err == ERR_INTERNAL) {
        log_line(writer->log, LOG_ERROR, "writer", "%s", db_failure(db)->text);
        db_forget_failure(db);
        err = ERR_INTERNAL;
    }
    if (err)
        stmt_run(db_stmt(db, "ROLLBACK TO job"));
    stmt_run(db_stmt(db, "RELEASE job"));
    return err;
}

/* 0, or ERR_IO and nothing of the group is kept. */
static int run_group(struct writer *writer, struct writer_job *group)
{
    struct db *db = writer->db;
    db_begin(db);
    for (struct writer_job *job = group; job && !db_failure(db)->err; job = job->next)
        job->err = run_job(writer, job);
    if (db_commit(db) == 0)
        return 0;
    log_line(writer->log, LOG_ERROR, "writer", "nothing is kept of a group of changes: %s",
             db_failure(db)->text);
    db_forget_failure(db);
    db_rollback(db);
    return ERR_IO;
}

static void tell(struct writer_job *group, int err)
{
    while (group) {
        struct writer_job *job = group;
        group = job->next; /* `done` may free the job */
        job->next = NULL;
        job->done(job, err ? err : job->err);
    }
}

/* ---- The thread ---- */

/* The next group, or NULL at the end. Whatever came while the one before was written is in it: the
 * slower the disk, the bigger the groups. */
static struct writer_job *next_group(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    while (!writer->first && !writer->closing)
        pthread_cond_wait(&writer->work, &writer->mutex);
    struct writer_job *group = writer->first, **end = &writer->first;
    for (unsigned count = 0; *end && count < writer->group_max; count++, writer->waiting--)
        end = &(*end)->next;
    writer->first = *end;
    if (!writer->first)
        writer->last = &writer->first;
    if (end != &writer->first)
        *end = NULL;
    pthread_mutex_unlock(&writer->mutex);
    return group;
}

static void checkpoint(struct writer *writer)
{
    if (db_checkpoint(writer->db)) {
        log_line(writer->log, LOG_ERROR, "writer", "%s", db_failure(writer->db)->text);
        db_forget_failure(writer->db);
    }
}

static void *run_writer(void *context)
{
    struct writer *writer = context;
    struct writer_job *group;
    while ((group = next_group(writer)) != NULL) {
        tell(group, run_group(writer, group));
        checkpoint(writer);
    }
    return NULL;
}

/* ---- From outside ---- */

static int prepare(struct writer *writer, int (*make)(struct db *, struct failure *),
                   struct failure *failure)
{
    struct db *db = writer->db;
    db_exec(db, "PRAGMA synchronous = FULL");
    int err = db_begin(db);
    err = err ? err : make(db, failure);
    if (!err && (err = db_commit(db)) == 0)
        return 0;
    if (failure && db_failure(db)->err)
        *failure = *db_failure(db);
    db_rollback(db);
    return err;
}

int writer_open(const char *file, int (*make)(struct db *db, struct failure *failure),
                unsigned group_max, const struct log *log, struct writer **out,
                struct failure *failure)
{
    *out = NULL;
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    writer->log = log;
    writer->group_max = group_max ? group_max : GROUP_MAX_USUAL;
    writer->last = &writer->first;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->work, NULL);
    int err = db_open(file, DB_WRITER, &writer->db, failure);
    err = err ? err : prepare(writer, make, failure);
    if (!err && thread_start(&writer->thread, "writer", run_writer, writer))
        err = fail(failure, ERR_NOMEM, "%s: no thread to write it", file);
    if (!err) {
        *out = writer;
        return 0;
    }
    db_close(writer->db);
    free(writer);
    return err;
}

void writer_close(struct writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->closing = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    db_close(writer->db);
    pthread_cond_destroy(&writer->work);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

int writer_submit(struct writer *writer, struct writer_job *job)
{
    int err = 0;
    job->next = NULL;
    job->err = 0;
    pthread_mutex_lock(&writer->mutex);
    if (writer->closing) {
        err = ERR_CLOSED;
    } else if (writer->waiting == WRITER_WAITING_MAX) {
        err = ERR_BUSY;
    } else {
        *writer->last = job;
        writer->last = &job->next;
        if (writer->waiting++ == 0)
            pthread_cond_signal(&writer->work);
    }
    pthread_mutex_unlock(&writer->mutex);
    return err;
}

/* ---- Waiting for one's own job ---- */

struct wait {
    struct writer_job job;
    struct writer_job *inner;
    pthread_mutex_t mutex;
    pthread_cond_t over;
    bool is_over;
    int err;
};

static int wait_run(struct writer_job *job, struct db *db)
{
    struct wait *wait = CONTAINER_OF(job, struct wait, job);
    return wait->inner->run(wait->inner, db);
}

static void wait_done(struct writer_job *job, int err)
{
    struct wait *wait = CONTAINER_OF(job, struct wait, job);
    pthread_mutex_lock(&wait->mutex);
    wait->err = err;
    wait->is_over = true;
    pthread_cond_signal(&wait->over);
    pthread_mutex_unlock(&wait->mutex);
}

int writer_run(struct writer *writer, struct writer_job *job)
{
    struct wait wait = {.job = {.run = wait_run, .done = wait_done}, .inner = job};
    pthread_mutex_init(&wait.mutex, NULL);
    pthread_cond_init(&wait.over, NULL);
    int err = writer_submit(writer, &wait.job);
    if (!err) {
        pthread_mutex_lock(&wait.mutex);
        while (!wait.is_over)
            pthread_cond_wait(&wait.over, &wait.mutex);
        pthread_mutex_unlock(&wait.mutex);
        err = wait.err;
    }
    pthread_cond_destroy(&wait.over);
    pthread_mutex_destroy(&wait.mutex);
    return err;
}

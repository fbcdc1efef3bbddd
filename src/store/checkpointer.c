#include "store/checkpointer.h"

#include "base/check.h"
#include "base/thread.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>

struct checkpointer {
    sqlite3 *handle; /* the thread's, while it is BUSY */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum checkpointer_state state;
    bool stopping;
    int moved, code;
};

static void *run(void *context)
{
    struct checkpointer *c = context;
    pthread_mutex_lock(&c->mutex);
    while (!c->stopping) {
        if (c->state != CHECKPOINTER_BUSY) {
            pthread_cond_wait(&c->changed, &c->mutex);
            continue;
        }
        pthread_mutex_unlock(&c->mutex);
        int pages = 0, moved = 0;
        int code =
            sqlite3_wal_checkpoint_v2(c->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
        pthread_mutex_lock(&c->mutex);
        c->moved = moved < 0 ? 0 : moved;
        c->code = code;
        c->state = CHECKPOINTER_DONE;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

int checkpointer_new(const char *file, struct checkpointer **out, struct failure *failure)
{
    struct checkpointer *c = calloc(1, sizeof *c);
    if (!c)
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(file, &c->handle, flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(c->handle,
                            "PRAGMA synchronous = NORMAL; PRAGMA cache_size = 16;"
                            /* The first statement that reads takes up WAL mode. */
                            "SELECT count(*) FROM sqlite_schema;",
                            NULL, NULL, NULL);
    if (code) {
        sqlite3_close(c->handle);
        free(c);
        return fail(failure, ERR_IO, "%s: cannot be opened for checkpoints: %s", file,
                    sqlite3_errstr(code));
    }
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    if (thread_start(&c->thread, "stoa-checkpoint", run, c)) {
        sqlite3_close(c->handle);
        free(c);
        return fail(failure, ERR_NOMEM, "%s: cannot start a thread for checkpoints", file);
    }
    *out = c;
    return 0;
}

void checkpointer_free(struct checkpointer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    sqlite3_close(c->handle);
    free(c);
}

void checkpointer_ask(struct checkpointer *c)
{
    pthread_mutex_lock(&c->mutex);
    CHECK(c->state != CHECKPOINTER_BUSY);
    c->state = CHECKPOINTER_BUSY;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

enum checkpointer_state checkpointer_look(struct checkpointer *c, int *moved, int *code)
{
    pthread_mutex_lock(&c->mutex);
    enum checkpointer_state state = c->state;
    *moved = c->moved;
    *code = c->code;
    pthread_mutex_unlock(&c->mutex);
    return state;
}

void checkpointer_rest(struct checkpointer *c)
{
    pthread_mutex_lock(&c->mutex);
    CHECK(c->state != CHECKPOINTER_BUSY);
    c->state = CHECKPOINTER_IDLE;
    pthread_mutex_unlock(&c->mutex);
}

void checkpointer_wait(struct checkpointer *c)
{
    pthread_mutex_lock(&c->mutex);
    while (c->state == CHECKPOINTER_BUSY)
        pthread_cond_wait(&c->changed, &c->mutex);
    pthread_mutex_unlock(&c->mutex);
}

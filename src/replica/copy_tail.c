/* R's side of the tail: what was committed since the copy began, into the applier. */
#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "replica/batch.h"
#include "replica/copy_fetching.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAIT_MS = 500, AGAIN_MS = 200, SEND_MS = 5000 };

struct copy_tail {
    struct copy_need need; /* with what it points at, below */
    char dir[COPY_PATH];
    struct server_place place; /* of the server that sends it */
    struct copy_record record;
    struct applier *applier;
    pthread_t thread;
    bool started;
    int stop_fd; /* readable: the thread shall end */
    atomic_bool stopping, running;

    /* The thread's: */
    struct channel channel;
    bool connected, refused;
    uint64_t received; /* the last entry that is in the applier's queue, or applied */
};

struct copy_tail *copy_tail_new(const struct copy_need *need, const struct copy_record *record,
                                const struct channel *channel)
{
    struct copy_tail *tail = calloc(1, sizeof *tail);
    int fd = tail == NULL ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        if (channel != NULL) {
            struct channel unused = *channel;
            channel_close(&unused);
        }
        tls_context_free(need->tls);
        free(tail);
        return NULL;
    }
    tail->need = *need;
    snprintf(tail->dir, sizeof tail->dir, "%s", need->dir);
    tail->need.dir = tail->dir;
    tail->need.database = NULL;
    for (unsigned i = 0; i < need->other_count; i++)
        if (need->others[i].id == record->server)
            tail->place = need->others[i];
    tail->need.others = &tail->place;
    tail->need.other_count = 1;
    tail->record = *record;
    tail->stop_fd = fd;
    atomic_store(&tail->running, true);
    if (channel != NULL) {
        tail->channel = *channel;
        tail->channel.interrupt = fd;
        tail->connected = true;
    }
    return tail;
}

/* ---- The connection ---- */

static void disconnect(struct copy_tail *tail)
{
    if (tail->connected)
        channel_close(&tail->channel);
    tail->connected = false;
}

/* Once more to the same server, which keeps the copy for a while. */
static int connect_again(struct copy_tail *tail)
{
    struct copy_begin begin;
    struct frame frame;
    enum copy_refusal refusal;
    struct failure failure = {0};
    struct copy_ask question = {.copy = tail->record.copy, .offset = tail->record.size};
    int err = copy_connect(&tail->need, &tail->place, &question, tail->stop_fd, &tail->channel,
                           &begin, &refusal, &failure);
    if (err != 0) {
        log_line(tail->need.log, LOG_DEBUG, "copy", "%s", failure.text);
        tail->refused = err == ERR_DENIED && refusal != COPY_BUSY;
        return err;
    }
    tail->connected = true;
    err = channel_receive(&tail->channel, &frame, clock_mono_ns() + COPY_SILENT_MS * MS_NS);
    if (err == 0 && frame.kind != COPY_DIGEST)
        err = ERR_INVALID;
    if (err == 0)
        err = channel_send(&tail->channel, COPY_TAKEN, STR_NONE, clock_mono_ns() + SEND_MS * MS_NS);
    if (err != 0)
        disconnect(tail);
    return err;
}

/* False: it is over. */
static bool stay_connected(struct copy_tail *tail)
{
    uint64_t until_ns = clock_mono_ns() + COPY_KEPT_MS * MS_NS;
    while (!tail->connected && !atomic_load(&tail->stopping)) {
        if (connect_again(tail) == 0)
            return true;
        if (tail->refused || clock_mono_ns() > until_ns)
            return false;
        struct pollfd stop = {.fd = tail->stop_fd, .events = POLLIN};
        poll(&stop, 1, AGAIN_MS);
    }
    return !atomic_load(&tail->stopping);
}

/* ---- The entries ---- */

static int push_all(struct copy_tail *tail, struct str entries)
{
    struct str bytes;
    uint64_t index;
    bool damaged = false;
    while (tail_next(&entries, &index, &bytes, &damaged)) {
        struct batch batch;
        if (index <= tail->received)
            continue;
        if (batch_open(&batch, bytes) != 0)
            return ERR_INVALID;
        struct applier_entry *entry = applier_entry_new(bytes);
        if (entry == NULL)
            return ERR_NOMEM;
        entry->index = index;
        entry->time_ms = batch.time_ms;
        tail->received = index;
        applier_push(tail->applier, &entry, true);
    }
    return damaged ? ERR_INVALID : 0;
}

static int ask_more(struct copy_tail *tail)
{
    unsigned char question[3 * COPY_OFFSET_SIZE];
    struct frame frame;
    copy_offset_put(question, applier_applied(tail->applier));
    copy_offset_put(question + COPY_OFFSET_SIZE, tail->received);
    copy_offset_put(question + 2 * COPY_OFFSET_SIZE, WAIT_MS);
    int err = channel_send(&tail->channel, COPY_TAIL, str_make((char *)question, sizeof question),
                           clock_mono_ns() + SEND_MS * MS_NS);
    if (err == 0)
        err = channel_receive(&tail->channel, &frame, clock_mono_ns() + COPY_SILENT_MS * MS_NS);
    if (err != 0)
        return err;
    if (frame.kind == COPY_ENTRIES)
        return push_all(tail, frame.payload);
    if (frame.kind == COPY_END) {
        log_line(tail->need.log, LOG_WARN, "copy", "server %llu: %.*s",
                 (unsigned long long)tail->place.id, (int)frame.payload.len, frame.payload.at);
        tail->refused = true;
    }
    return ERR_CLOSED;
}

static void *run(void *context)
{
    struct copy_tail *tail = context;
    /* What the applier had before the log's own entries, which may come at the same time. */
    tail->received = applier_applied(tail->applier);
    while (!tail->refused && stay_connected(tail)) {
        /* Stopped in the middle of an answer: the other side is still to be told. */
        if (ask_more(tail) != 0 && !atomic_load(&tail->stopping))
            disconnect(tail);
    }
    if (tail->connected) {
        tail->channel.interrupt = -1; /* it is what ended the loop */
        channel_send(&tail->channel, COPY_END, STR_NONE, clock_mono_ns() + SEC_NS);
    }
    disconnect(tail);
    atomic_store(&tail->running, false);
    log_line(tail->need.log, LOG_INFO, "copy",
             atomic_load(&tail->stopping)
                 ? "the copy is complete: the log goes on from here (entry %llu)"
                 : "the copy's end has not come: entry %llu is the last",
             (unsigned long long)tail->received);
    return NULL;
}

int copy_tail_start(struct copy_tail *tail, struct applier *applier, struct failure *failure)
{
    tail->applier = applier;
    int rc = thread_start(&tail->thread, "stoa-copy", run, tail);
    if (rc != 0)
        return fail(failure, ERR_NOMEM, "the thread for a copy's end cannot be started: %s",
                    strerror(rc));
    tail->started = true;
    return 0;
}

void copy_tail_stop(struct copy_tail *tail)
{
    uint64_t one = 1;
    if (atomic_exchange(&tail->stopping, true))
        return;
    CHECK(write(tail->stop_fd, &one, sizeof one) == (ssize_t)sizeof one);
}

bool copy_tail_running(struct copy_tail *tail)
{
    return atomic_load(&tail->running);
}

void copy_tail_free(struct copy_tail *tail)
{
    if (tail == NULL)
        return;
    copy_tail_stop(tail);
    if (tail->started)
        pthread_join(tail->thread, NULL);
    else
        disconnect(tail);
    close(tail->stop_fd);
    tls_context_free(tail->need.tls);
    free(tail);
}

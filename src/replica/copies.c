#include "replica/copies.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum {
    TRY_AGAIN_MS = 50,
    BURST_MS = 50, /* so much of the rate may be made up for after a pause */
};

struct copies {
    struct applier *applier;
    char dir[256];
    uint64_t rate;

    pthread_mutex_t mutex; /* guards what follows, up to the blank line */
    pthread_cond_t changed;
    bool taken, stopping;

    /* Of the one who has it: */
    bool frozen;
    struct tail *tail;
    uint64_t due_ns; /* when the next read may be */
    uint64_t looked_ns;
};

int copies_new(struct applier *applier, const char *dir, uint64_t rate, struct copies **out,
               struct failure *failure)
{
    struct copies *copies = calloc(1, sizeof *copies);
    if (copies == NULL)
        return fail(failure, ERR_NOMEM, "out of memory for copies");
    copies->applier = applier;
    copies->rate = rate == 0 ? COPY_RATE : rate;
    str_copy(copies->dir, sizeof copies->dir, str_of(dir));
    pthread_mutex_init(&copies->mutex, NULL);
    cond_init(&copies->changed);
    *out = copies;
    return 0;
}

void copies_stop(struct copies *copies)
{
    pthread_mutex_lock(&copies->mutex);
    copies->stopping = true;
    pthread_cond_broadcast(&copies->changed);
    pthread_mutex_unlock(&copies->mutex);
}

bool copies_stopping(struct copies *copies)
{
    pthread_mutex_lock(&copies->mutex);
    bool stopping = copies->stopping;
    pthread_mutex_unlock(&copies->mutex);
    return stopping;
}

void copies_free(struct copies *copies)
{
    if (copies == NULL)
        return;
    CHECK(!copies->taken);
    pthread_cond_destroy(&copies->changed);
    pthread_mutex_destroy(&copies->mutex);
    free(copies);
}

/* True: AT_NS has come; false: stopping. */
static bool wait_until(struct copies *copies, uint64_t at_ns)
{
    pthread_mutex_lock(&copies->mutex);
    while (!copies->stopping && clock_mono_ns() < at_ns)
        cond_wait_until(&copies->changed, &copies->mutex, at_ns);
    bool stopping = copies->stopping;
    pthread_mutex_unlock(&copies->mutex);
    return !stopping;
}

static int take(struct copies *copies, struct failure *failure)
{
    pthread_mutex_lock(&copies->mutex);
    bool stopping = copies->stopping, taken = copies->taken;
    copies->taken = true;
    pthread_mutex_unlock(&copies->mutex);
    if (taken)
        return fail(failure, ERR_BUSY, "another copy or backup of the database is being made");
    if (stopping) {
        copies_end(copies);
        return fail(failure, ERR_CLOSED, "this server is stopping");
    }
    return 0;
}

/* ---- On the applier's thread ---- */

struct freezing {
    struct copies *copies;
    struct machine_frozen *frozen;
    struct failure *failure;
    int err;
};

static void freeze(void *context, struct machine *machine)
{
    struct freezing *f = context;
    f->err = machine->freeze == NULL ? fail(f->failure, ERR_UNSUPPORTED, "this has no copies")
                                     : machine->freeze(machine->context, f->frozen, f->failure);
    f->copies->frozen = f->err == 0;
    if (f->err == 0 && f->copies->tail != NULL)
        applier_set_tap(f->copies->applier, tail_tap(f->copies->tail));
}

static void thaw(void *context, struct machine *machine)
{
    struct copies *copies = context;
    if (copies->frozen)
        machine->thaw(machine->context);
    copies->frozen = false;
}

static void untap(void *context, struct machine *machine)
{
    struct copies *copies = context;
    (void)machine;
    applier_set_tap(copies->applier, NULL);
}

/* ---- Elsewhere ---- */

int copies_begin(struct copies *copies, struct machine_frozen *frozen, struct tail **tail,
                 struct failure *failure)
{
    uint64_t patient_ns = clock_mono_ns() + COPY_PATIENCE_MS * MS_NS;
    struct freezing f = {copies, frozen, failure, 0};
    int err = take(copies, failure);
    if (err != 0)
        return err;
    copies->looked_ns = 0;
    copies->due_ns = 0;
    err = copies_check_room(copies, failure);
    if (err == 0 && tail != NULL)
        err = tail_new(copies->dir, &copies->tail, failure);
    while (err == 0) {
        applier_call(copies->applier, freeze, &f);
        err = f.err;
        if (err != ERR_BUSY || clock_mono_ns() > patient_ns)
            break;
        err = wait_until(copies, clock_mono_ns() + TRY_AGAIN_MS * MS_NS)
                  ? 0
                  : fail(failure, ERR_CLOSED, "this server is stopping");
    }
    if (err != 0)
        copies_end(copies);
    else if (tail != NULL)
        *tail = copies->tail;
    return err;
}

int copies_check_room(struct copies *copies, struct failure *failure)
{
    struct statvfs disk;
    uint64_t now = clock_mono_ns();
    if (copies->looked_ns != 0 && now - copies->looked_ns < SEC_NS)
        return 0;
    copies->looked_ns = now;
    if (statvfs(copies->dir, &disk) != 0)
        return 0;
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t tenth = (uint64_t)disk.f_blocks * disk.f_frsize / 10;
    if (left >= (tenth < COPY_ROOM_LEAST ? tenth : COPY_ROOM_LEAST))
        return 0;
    return fail(failure, ERR_FULL,
                "%s: only %llu MB are left on this disk, too little for what gathers while a copy "
                "is made; make room",
                copies->dir, (unsigned long long)(left / 1000000));
}

int copies_read(struct copies *copies, uint64_t offset, void *out, size_t len,
                struct failure *failure)
{
    uint64_t now = clock_mono_ns();
    if (copies->due_ns + BURST_MS * MS_NS < now)
        copies->due_ns = now - BURST_MS * MS_NS;
    if (!wait_until(copies, copies->due_ns))
        return fail(failure, ERR_CLOSED, "this server is stopping");
    copies->due_ns += len * SEC_NS / copies->rate;
    int err = copies_check_room(copies, failure);
    if (err != 0)
        return err;
    return applier_frozen_read(copies->applier, offset, out, len, failure);
}

void copies_thaw(struct copies *copies)
{
    applier_call(copies->applier, thaw, copies);
}

void copies_end(struct copies *copies)
{
    if (copies->frozen)
        copies_thaw(copies);
    if (copies->tail != NULL)
        applier_call(copies->applier, untap, copies);
    tail_free(copies->tail);
    copies->tail = NULL;
    pthread_mutex_lock(&copies->mutex);
    copies->taken = false;
    pthread_cond_broadcast(&copies->changed);
    pthread_mutex_unlock(&copies->mutex);
}

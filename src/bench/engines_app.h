/* Engines' app: the same pages on every engine, each of one kind of work.
 *
 *   /cached           a ready-made page of 1 KiB
 *   /disk?n=N         1 MiB of file N of the set, which is put out of memory before it is read: by
 *                     posix_fadvise, which needs no rights, where a cgroup's limit does
 *   /compute?us=N     N microseconds of a processor, as calibrated, over memory of its own: so many
 *                     steps, however long they take now; with &wait=M a wait of M more without one.
 *                     Also as /cart/compute and so on, which are other classes to a front
 *
 * Thread: as struct app.
 */
#ifndef STOA_BENCH_ENGINES_APP_H
#define STOA_BENCH_ENGINES_APP_H

#include "base/err.h"
#include "engine/app.h"

enum {
    ENGINES_FILES = 64, /* of the set */
    ENGINES_FILE_BYTES = 1 << 20,
    ENGINES_PAGE_BYTES = 1024,
    ENGINES_COMPUTE_MAX_US = 1000000,
};

struct engines_app {
    struct app app;
    struct http_page *page;
    const char *dir;   /* where the set of files is; lent */
    uint64_t steps_ms; /* of computing, in a millisecond */
};

/* STEPS_MS: from engines_calibrate. */
int engines_app_init(struct engines_app *app, const char *dir, uint64_t steps_ms,
                     struct failure *failure);
void engines_app_close(struct engines_app *app);

/* Makes the set of files in DIR and waits until it is on the disk. */
int engines_files_make(const char *dir, struct failure *failure);
/* Milliseconds that one of them takes to read when it is not in memory: the median of some. */
int engines_files_cold_ms(const char *dir, double *ms, struct failure *failure);

/* Steps of computing in a millisecond of a processor: the most of some tries. Takes a tenth of a
 * second. */
uint64_t engines_calibrate(void);

#endif

#include "bench/disk.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, FILE_BLOCKS = 2048 };

int disk_measure(const char *dir, double seconds, struct histogram *latency,
                 struct failure *failure)
{
    char path[512], block[BLOCK];
    uint64_t start = clock_mono_ns(), now = start;
    int err = 0;
    histogram_clear(latency);
    memset(block, 's', sizeof block);
    snprintf(path, sizeof path, "%s/stoa-bench-disk.%d", dir, (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(failure, ERR_IO, "cannot write in %s", dir);
    unlink(path);
    /* Room is made first, as a log does: growing a file costs more than writing it. */
    errno = posix_fallocate(fd, 0, (off_t)BLOCK * FILE_BLOCKS);
    if (errno || fsync(fd))
        err = fail_errno(failure, ERR_IO, "cannot make room in %s", dir);
    for (unsigned i = 0; !err && (double)(now - start) < seconds * 1e9; i++) {
        off_t at = (off_t)(i % FILE_BLOCKS) * BLOCK;
        uint64_t begun = clock_mono_ns();
        if (pwrite(fd, block, sizeof block, at) != (ssize_t)sizeof block || fdatasync(fd))
            err = fail_errno(failure, ERR_IO, "cannot write in %s", dir);
        now = clock_mono_ns();
        histogram_add(latency, now - begun);
    }
    close(fd);
    return err;
}

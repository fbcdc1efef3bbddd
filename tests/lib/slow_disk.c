/* A slow disk under chosen files, by LD_PRELOAD, which can also be stopped and let go again.
 *
 *     LD_PRELOAD=slow_disk.so STOA_SLOW_DISK=CONTROL program
 *
 * CONTROL is a file of one line, read again for each reading of the disk:
 *
 *     TIME PATTERN
 *
 * TIME     milliseconds that a reading takes, or hold: it waits for as long as the line says so
 * PATTERN  of the file's path (fnmatch)
 *
 * The disk has a memory of its own, which begins empty: a reading brings 64 KiB into it, as
 * read-ahead would, and what is there is read at once. preadv2 with RWF_NOWAIT gives only what is
 * there, else EAGAIN. So a test has a cold file on every machine, whatever the file system is, and
 * however much of it the kernel itself has in memory.
 *
 * Each reading is told, before it begins, in a line of CONTROL.read: "CALL OFFSET".
 *
 * Covered: pread, preadv2, sendfile.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, FILES_MAX = 64, BLOCK = 64 * 1024, BLOCKS_MAX = 4096 };
enum { HOLD = -1 }; /* besides milliseconds */

struct slow_file {
    dev_t device;
    ino_t number;
    bool present[BLOCKS_MAX];
};

/* A preloaded library has nobody who could pass it a context. */
static struct {
    pthread_mutex_t mutex;
    char control[PATH_SIZE];
    unsigned count;
    struct slow_file files[FILES_MAX];
} disk = {.mutex = PTHREAD_MUTEX_INITIALIZER};

__attribute__((constructor)) static void prepare(void)
{
    const char *control = getenv("STOA_SLOW_DISK");
    if (control)
        snprintf(disk.control, sizeof disk.control, "%s", control);
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "slow_disk: %s: %s\n", disk.control, what);
    abort();
}

/* How long a reading of PATH takes, or HOLD. False: that file is on another disk. */
static bool rule_for(const char *path, long *ms)
{
    char word[16], pattern[256];
    FILE *file = fopen(disk.control, "re");
    if (!file)
        return false;
    int fields = fscanf(file, "%15s %255s", word, pattern);
    fclose(file);
    must(fields == 2, "not a rule");
    *ms = strcmp(word, "hold") == 0 ? HOLD : atol(word);
    return fnmatch(pattern, path, 0) == 0;
}

static bool path_of(int fd, char path[PATH_SIZE])
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_SIZE - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* With the mutex. */
static struct slow_file *file_of(int fd)
{
    struct stat status;
    must(fstat(fd, &status) == 0, "fstat");
    for (unsigned i = 0; i < disk.count; i++)
        if (disk.files[i].device == status.st_dev && disk.files[i].number == status.st_ino)
            return &disk.files[i];
    must(disk.count < FILES_MAX, "too many files");
    struct slow_file *file = &disk.files[disk.count++];
    file->device = status.st_dev;
    file->number = status.st_ino;
    return file;
}

/* How much of SIZE bytes at OFFSET, beginning there, is in the disk's memory. */
static size_t present(int fd, off_t offset, size_t size)
{
    size_t found = 0;
    pthread_mutex_lock(&disk.mutex);
    const struct slow_file *file = file_of(fd);
    while (found < size) {
        off_t at = offset + (off_t)found;
        must(at / BLOCK < BLOCKS_MAX, "the file is too large");
        if (!file->present[at / BLOCK])
            break;
        found += (size_t)(BLOCK - at % BLOCK);
    }
    pthread_mutex_unlock(&disk.mutex);
    return found < size ? found : size;
}

static void tell(const char *call, off_t offset)
{
    char name[PATH_SIZE + 16], line[64];
    snprintf(name, sizeof name, "%s.read", disk.control);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int length = snprintf(line, sizeof line, "%s %lld\n", call, (long long)offset);
    must(fd >= 0 && write(fd, line, (size_t)length) == length, "cannot tell");
    close(fd);
}

static void pass_time(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&left, NULL); /* no wait: the disk takes its time */
}

/* Reads the blocks of SIZE bytes at OFFSET, as far as they are not there. */
static void bring_in(int fd, off_t offset, size_t size, const char *call)
{
    char path[PATH_SIZE];
    long ms;
    size_t found;
    while ((found = present(fd, offset, size)) < size) {
        off_t at = offset + (off_t)found;
        tell(call, at);
        while (path_of(fd, path) && rule_for(path, &ms) && ms == HOLD)
            pass_time(1);
        if (ms > 0)
            pass_time(ms);
        pthread_mutex_lock(&disk.mutex);
        file_of(fd)->present[at / BLOCK] = true;
        pthread_mutex_unlock(&disk.mutex);
    }
}

/* Whether FD's file lies on the slow disk; with errno as it was. */
static bool is_slow(int fd)
{
    char path[PATH_SIZE];
    long ms;
    int before = errno;
    bool slow = disk.control[0] && path_of(fd, path) && path[0] == '/' && rule_for(path, &ms);
    errno = before;
    return slow;
}

/* As far as the file goes: behind its end there is nothing to be read. */
static size_t within(int fd, off_t offset, size_t size)
{
    struct stat status;
    must(fstat(fd, &status) == 0, "fstat");
    if (offset >= status.st_size)
        return 0;
    return (off_t)size < status.st_size - offset ? size : (size_t)(status.st_size - offset);
}

/* ---- What programs call ---- */

ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset)
{
    if (is_slow(fd))
        bring_in(fd, offset, within(fd, offset, size), "pread");
    return syscall(SYS_pread64, fd, bytes, size, offset);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
    return pread64(fd, bytes, size, offset);
}

/* Of one part, as whoever looks what is in memory calls it; there the kernel itself need not have
 * the bytes, so they are read without asking it not to wait. */
ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
    if (!is_slow(fd))
        return syscall(SYS_preadv2, fd, parts, count, offset, 0L, flags);
    must(count == 1, "preadv2 of several parts");
    size_t wanted = within(fd, offset, parts->iov_len);
    if (!(flags & RWF_NOWAIT))
        return pread64(fd, parts->iov_base, parts->iov_len, offset);
    size_t found = present(fd, offset, wanted);
    if (found == 0 && wanted > 0) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_pread64, fd, parts->iov_base, found, offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return preadv64v2(fd, parts, count, offset, flags);
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t size)
{
    if (offset && is_slow(in))
        bring_in(in, *offset, within(in, *offset, size), "sendfile");
    return syscall(SYS_sendfile, out, in, offset, size);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
    return sendfile64(out, in, offset, size);
}

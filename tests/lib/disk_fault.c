/* Disk faults on chosen files, by LD_PRELOAD, switched on and off while the program runs.
 *
 *     LD_PRELOAD=disk_fault.so STOA_DISK_FAULT=CONTROL program
 *
 * CONTROL is a file of rules, read again whenever it has changed; without it all is well. A rule:
 *
 *     FAULT CALLS PATTERN [AFTER [TIMES]]
 *
 * FAULT    EIO, ENOSPC, or short: half of it is written (of a call that writes nothing: EIO)
 * CALLS    write, sync, space (ftruncate, fallocate), or any
 * PATTERN  of the file's path (fnmatch)
 * AFTER    so many matching calls go well first (0); TIMES: so many fail then (0: all)
 *
 * Covered: write, writev, pwrite, pwritev and their kin, fsync, fdatasync, ftruncate, fallocate,
 * posix_fallocate, libaio's io_submit and io_getevents, and what goes through syscall(2): libraft's
 * asynchronous writes and libuv's vectors. An asynchronous write that shall fail is submitted with
 * no bytes (or half of them), and its event tells the fault.
 *
 * Each fault is told in a line of CONTROL.fired, so that a test can know that it came. A call that
 * would find the file's position (write, writev) is left to the system with half its bytes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RULES_MAX = 16, PATTERN_MAX = 256, PATH_SIZE = 4096, FLYING_MAX = 256 };
enum { CALL_WRITE = 1, CALL_SYNC = 2, CALL_SPACE = 4 };
enum { SHORT = -1 }; /* besides errno values */

struct rule {
    int fault, calls;
    char pattern[PATTERN_MAX];
    unsigned long after, times, seen;
};

/* An asynchronous write whose event is to tell a fault. */
struct flying {
    const struct iocb *block;
    int fault;
};

/* A preloaded library has nobody who could pass it a context. */
static struct {
    pthread_mutex_t mutex;
    char control[PATH_SIZE];
    struct timespec changed;
    off_t size;
    struct rule rules[RULES_MAX];
    unsigned count;
    struct flying flying[FLYING_MAX];
    long (*syscall)(long, ...);
} faults = {.mutex = PTHREAD_MUTEX_INITIALIZER};

__attribute__((constructor)) static void prepare(void)
{
    const char *control = getenv("STOA_DISK_FAULT");
    if (control)
        snprintf(faults.control, sizeof faults.control, "%s", control);
}

static void *real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        abort();
    return function;
}

/* The C library's syscall(2). Others' constructors may write before ours has run. */
static long (*kernel(void))(long, ...)
{
    if (!faults.syscall)
        *(void **)&faults.syscall = real("syscall");
    return faults.syscall;
}

/* ---- Rules ---- */

static int fault_named(const char *name)
{
    if (strcmp(name, "EIO") == 0)
        return EIO;
    if (strcmp(name, "ENOSPC") == 0)
        return ENOSPC;
    return strcmp(name, "short") == 0 ? SHORT : 0;
}

static int calls_named(const char *name)
{
    if (strcmp(name, "write") == 0)
        return CALL_WRITE;
    if (strcmp(name, "sync") == 0)
        return CALL_SYNC;
    if (strcmp(name, "space") == 0)
        return CALL_SPACE;
    return strcmp(name, "any") == 0 ? CALL_WRITE | CALL_SYNC | CALL_SPACE : 0;
}

/* A rule that is not understood ends the program: a test must not pass for want of faults. */
static void read_rules(FILE *file)
{
    char line[PATTERN_MAX + 128];
    faults.count = 0;
    while (fgets(line, sizeof line, file)) {
        char fault[16] = "", calls[16] = "";
        struct rule *rule = &faults.rules[faults.count];
        *rule = (struct rule){0};
        if (line[0] == '#' || line[0] == '\n')
            continue;
        int fields = sscanf(line, "%15s %15s %255s %lu %lu", fault, calls, rule->pattern,
                            &rule->after, &rule->times);
        rule->fault = fault_named(fault);
        rule->calls = calls_named(calls);
        if (fields < 3 || !rule->fault || !rule->calls || ++faults.count == RULES_MAX) {
            fprintf(stderr, "disk_fault: %s: not a rule: %s", faults.control, line);
            abort();
        }
    }
}

static void refresh(void)
{
    struct stat status;
    if (stat(faults.control, &status)) {
        faults.count = 0;
        faults.size = -1;
        return;
    }
    if (status.st_size == faults.size && status.st_mtim.tv_sec == faults.changed.tv_sec &&
        status.st_mtim.tv_nsec == faults.changed.tv_nsec)
        return;
    FILE *file = fopen(faults.control, "re");
    if (!file)
        return;
    faults.size = status.st_size;
    faults.changed = status.st_mtim;
    read_rules(file);
    fclose(file);
}

/* Around the wrapper of write(), which would come back here. */
static void tell(const char *fault, const char *call, const char *path)
{
    char name[PATH_SIZE + 16], line[PATH_SIZE + 64];
    snprintf(name, sizeof name, "%s.fired", faults.control);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int length = snprintf(line, sizeof line, "%s %s %s\n", fault, call, path);
    if (fd < 0)
        return;
    kernel()(SYS_write, fd, line, (size_t)length);
    close(fd);
}

static int match(const char *path, int calls, const char *name)
{
    for (unsigned i = 0; i < faults.count; i++) {
        struct rule *rule = &faults.rules[i];
        if (!(rule->calls & calls) || fnmatch(rule->pattern, path, 0))
            continue;
        unsigned long number = rule->seen++;
        if (number < rule->after || (rule->times && number >= rule->after + rule->times))
            continue;
        int fault = rule->fault == SHORT && calls != CALL_WRITE ? EIO : rule->fault;
        tell(fault == EIO ? "EIO" : fault == ENOSPC ? "ENOSPC" : "short", name, path);
        return fault;
    }
    return 0;
}

/* The fault that this call on FD shall have; 0: none. */
static int fault_of(int fd, int calls, const char *name)
{
    char link[40], path[PATH_SIZE];
    int before = errno, fault = 0;
    if (faults.control[0] == 0)
        return 0;
    pthread_mutex_lock(&faults.mutex);
    refresh();
    if (faults.count) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0) {
            path[length] = 0;
            fault = match(path, calls, name);
        }
    }
    pthread_mutex_unlock(&faults.mutex);
    errno = before;
    return fault;
}

static long failed(int fault)
{
    errno = fault;
    return -1;
}

/* A synchronous call's bytes; 0 with *FAULT set when it shall fail outright. */
static size_t allowed(int fd, size_t size, const char *name, int *fault)
{
    *fault = fault_of(fd, CALL_WRITE, name);
    if (*fault == SHORT && size > 1) {
        *fault = 0;
        return size / 2;
    }
    if (*fault == SHORT)
        *fault = EIO;
    return size;
}

/* ---- Asynchronous writes ---- */

static void keep_flying(const struct iocb *block, int fault)
{
    pthread_mutex_lock(&faults.mutex);
    for (unsigned i = 0; i < FLYING_MAX; i++)
        if (!faults.flying[i].block) {
            faults.flying[i] = (struct flying){block, fault};
            pthread_mutex_unlock(&faults.mutex);
            return;
        }
    fprintf(stderr, "disk_fault: more than %d failing writes at once\n", FLYING_MAX);
    abort();
}

static int take_flying(const struct iocb *block, bool *found)
{
    int fault = 0;
    *found = false;
    pthread_mutex_lock(&faults.mutex);
    for (unsigned i = 0; i < FLYING_MAX && !*found; i++)
        if (faults.flying[i].block == block) {
            fault = faults.flying[i].fault;
            faults.flying[i].block = NULL;
            *found = true;
        }
    pthread_mutex_unlock(&faults.mutex);
    return fault;
}

static bool is_write(const struct iocb *block)
{
    return block->aio_lio_opcode == IOCB_CMD_PWRITE || block->aio_lio_opcode == IOCB_CMD_PWRITEV;
}

/* One block: with fewer bytes if it shall fail. Its own length is put back at once, the system has
 * read it. Vectors are counted in aio_nbytes: half of one is none. */
static long submit_one(aio_context_t context, struct iocb *block)
{
    int calls = is_write(block) ? CALL_WRITE : CALL_SYNC;
    int fault = fault_of((int)block->aio_fildes, calls, "io_submit");
    uint64_t size = block->aio_nbytes;
    if (fault == 0)
        return kernel()(SYS_io_submit, context, 1L, &block);
    if (calls == CALL_SYNC)
        return failed(fault);
    uint64_t half = size / 2 & ~(uint64_t)4095; /* whole blocks, for O_DIRECT */
    keep_flying(block, fault);
    block->aio_nbytes = fault == SHORT ? half : 0;
    long done = kernel()(SYS_io_submit, context, 1L, &block);
    int reason = errno;
    block->aio_nbytes = size;
    if (done != 1) {
        bool found;
        take_flying(block, &found);
        errno = reason;
    }
    return done;
}

static long submit(aio_context_t context, long count, struct iocb **blocks)
{
    for (long i = 0; i < count; i++) {
        long done = submit_one(context, blocks[i]);
        if (done != 1)
            return i > 0 ? i : done;
    }
    return count;
}

static void tell_events(struct io_event *events, long count)
{
    for (long i = 0; i < count; i++) {
        bool found;
        int fault = take_flying((const struct iocb *)(uintptr_t)events[i].obj, &found);
        if (found && fault != SHORT && events[i].res >= 0)
            events[i].res = -fault;
    }
}

/* ---- What programs call ---- */

ssize_t write(int fd, const void *bytes, size_t size)
{
    int fault;
    size = allowed(fd, size, "write", &fault);
    return fault ? failed(fault) : kernel()(SYS_write, fd, bytes, size);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    int fault;
    size = allowed(fd, size, "pwrite", &fault);
    return fault ? failed(fault) : kernel()(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return pwrite64(fd, bytes, size, offset);
}

/* Half of a vector is its first part, or half of its only one. */
static long write_vector(long number, int fd, const struct iovec *parts, int count, long low,
                         long high, long flags)
{
    struct iovec half;
    int fault = fault_of(fd, CALL_WRITE, "writev");
    if (fault == SHORT && count > 1) {
        count /= 2;
        fault = 0;
    } else if (fault == SHORT && count == 1 && parts->iov_len > 1) {
        half = (struct iovec){parts->iov_base, parts->iov_len / 2};
        parts = &half;
        fault = 0;
    }
    if (fault)
        return failed(fault == SHORT ? EIO : fault);
    return kernel()(number, fd, parts, count, low, high, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_vector(SYS_writev, fd, parts, count, 0, 0, 0);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return write_vector(SYS_pwritev, fd, parts, count, offset, 0, 0);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev64(fd, parts, count, offset);
}

ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
    return write_vector(SYS_pwritev2, fd, parts, count, offset, 0, flags);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return pwritev64v2(fd, parts, count, offset, flags);
}

int fsync(int fd)
{
    int fault = fault_of(fd, CALL_SYNC, "fsync");
    return (int)(fault ? failed(fault) : kernel()(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    int fault = fault_of(fd, CALL_SYNC, "fdatasync");
    return (int)(fault ? failed(fault) : kernel()(SYS_fdatasync, fd));
}

int ftruncate64(int fd, off64_t size)
{
    int fault = fault_of(fd, CALL_SPACE, "ftruncate");
    return (int)(fault ? failed(fault) : kernel()(SYS_ftruncate, fd, size));
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
    int fault = fault_of(fd, CALL_SPACE, "fallocate");
    return (int)(fault ? failed(fault) : kernel()(SYS_fallocate, fd, mode, offset, size));
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    return fallocate64(fd, mode, offset, size);
}

/* Returns the error; where the file system cannot, the C library fills the file up itself. */
int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    int fault = fault_of(fd, CALL_SPACE, "posix_fallocate");
    return fault ? fault
                 : ((__typeof__(&posix_fallocate64))real("posix_fallocate64"))(fd, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    return posix_fallocate64(fd, offset, size);
}

/* As libaio declares them; without its header, which need not be there. */
int io_submit(aio_context_t context, long count, struct iocb **blocks);
int io_getevents(aio_context_t context, long least, long most, struct io_event *events,
                 struct timespec *timeout);

/* libaio returns the error where syscall(2) sets errno. */
int io_submit(aio_context_t context, long count, struct iocb **blocks)
{
    long done = submit(context, count, blocks);
    return (int)(done < 0 ? -errno : done);
}

int io_getevents(aio_context_t context, long least, long most, struct io_event *events,
                 struct timespec *timeout)
{
    long count = kernel()(SYS_io_getevents, context, least, most, events, timeout);
    tell_events(events, count);
    return (int)(count < 0 ? -errno : count);
}

long syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (unsigned i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    long count;
    switch (number) {
    case SYS_io_submit:
        return submit((aio_context_t)a[0], a[1], (struct iocb **)a[2]);
    case SYS_io_getevents:
        count = kernel()(number, a[0], a[1], a[2], a[3], a[4]);
        tell_events((struct io_event *)a[3], count);
        return count;
    case SYS_write:
        return write((int)a[0], (const void *)a[1], (size_t)a[2]);
    case SYS_pwrite64:
        return pwrite64((int)a[0], (const void *)a[1], (size_t)a[2], a[3]);
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
        return write_vector(number, (int)a[0], (const struct iovec *)a[1], (int)a[2], a[3], a[4],
                            a[5]);
    case SYS_fsync:
        return fsync((int)a[0]);
    case SYS_fdatasync:
        return fdatasync((int)a[0]);
    default:
        return kernel()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}

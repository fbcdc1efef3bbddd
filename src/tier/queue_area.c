/* The memory that the queue is in: found or made, mapped, locked, removed by the last one.
 *
 * Locks on the file's bytes, of open file descriptions (F_OFD_SETLK), so that each struct queue has
 * its own:
 *   0                  held while somebody opens or closes it
 *   1                  shared by all who have it open: who can have it alone is the first, or last
 *   2                  held by who leads (the master front)
 *   SEAT_BYTE + seat   held by who has the seat
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "tier/queue_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_BYTE, USERS_BYTE, LEADER_BYTE, SEAT_BYTE };
enum { PATIENCE_MS = 5000, PAUSE_MS = 2, REOPENED_MAX = 100 };

static const char memory_dir[] = "/dev/shm";

/* ---- Locks on bytes ---- */

static bool lock_byte(int fd, unsigned byte, short kind)
{
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool is_locked_by_another(int fd, unsigned byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Who holds it does so for a moment, unless it was stopped. */
static bool lock_opening(int fd)
{
    uint64_t until_ns = clock_mono_ns() + PATIENCE_MS * MS_NS;
    while (!lock_byte(fd, OPENING_BYTE, F_WRLCK)) {
        if (clock_mono_ns() > until_ns)
            return false;
        pause_ms(PAUSE_MS);
    }
    return true;
}

bool queue_seat_lives(const struct queue *queue, unsigned seat)
{
    return queue->own[seat] || is_locked_by_another(queue->fd, SEAT_BYTE + seat);
}

bool queue_seat_hold(struct queue *queue, unsigned seat)
{
    if (queue->own[seat])
        return false;
    queue->own[seat] = lock_byte(queue->fd, SEAT_BYTE + seat, F_WRLCK);
    return queue->own[seat];
}

void queue_seat_drop(struct queue *queue, unsigned seat)
{
    queue->own[seat] = false;
    lock_byte(queue->fd, SEAT_BYTE + seat, F_UNLCK);
}

bool queue_lead(struct queue *queue)
{
    if (!lock_byte(queue->fd, LEADER_BYTE, F_WRLCK))
        return false;
    atomic_store(&queue->area->leader_space, queue->space);
    atomic_store(&queue->area->leader, (uint32_t)getpid());
    return true;
}

struct queue_process queue_self(const struct queue *queue)
{
    return (struct queue_process){(uint32_t)getpid(), queue->space};
}

/* Whoever dies does not say so: then the lock says it. */
struct queue_process queue_leader(const struct queue *queue)
{
    const struct queue_area *area = queue->area;
    struct queue_process leader = {atomic_load(&area->leader), atomic_load(&area->leader_space)};
    if (!queue_is_same(leader, queue_self(queue)) && !queue_is_led(queue))
        leader.pid = 0;
    return leader;
}

bool queue_is_led(const struct queue *queue)
{
    return is_locked_by_another(queue->fd, LEADER_BYTE);
}

void queue_follow(struct queue *queue)
{
    atomic_store(&queue->area->leader, 0);
    lock_byte(queue->fd, LEADER_BYTE, F_UNLCK);
}

/* ---- Where it is ---- */

static bool is_private(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == geteuid() &&
           (about.st_mode & 077) == 0;
}

/* Whether there is a place for it at queue->path; with CREATE it is made. */
static bool has_place(const struct queue *queue, bool create)
{
    return (!create || mkdir(queue->path, 0700) == 0 || errno == EEXIST) && is_private(queue->path);
}

/* In memory, where there is such a place; else, or when the place is somebody else's, in DIR. */
static int find_place(struct queue *queue, const char *dir, bool create, struct failure *failure)
{
    struct stat about;
    if (stat(dir, &about) != 0)
        return fail_errno(failure, ERR_NOTFOUND, "cannot look at the directory %s", dir);
    int len = snprintf(queue->path, sizeof queue->path, "%s/stoa-queue-%llx-%llx-%lx", memory_dir,
                       (unsigned long long)about.st_dev, (unsigned long long)about.st_ino,
                       (unsigned long)geteuid());
    if (access(memory_dir, W_OK) == 0 && has_place(queue, create))
        return 0;
    len = snprintf(queue->path, sizeof queue->path, "%s/queue", dir);
    if (len < 0 || (size_t)len + 16 > sizeof queue->path)
        return fail(failure, ERR_INVALID, "the path %s is too long for a queue", dir);
    if (has_place(queue, create))
        return 0;
    if (lstat(queue->path, &about) == 0)
        return fail(failure, ERR_DENIED, "%s is not this user's alone (mode 0700)", queue->path);
    return create ? fail_errno(failure, ERR_IO, "cannot make the directory %s", queue->path)
                  : fail(failure, ERR_NOTFOUND, "there is no queue: no front runs");
}

static void area_path(const struct queue *queue, char out[static QUEUE_PATH + 8])
{
    snprintf(out, QUEUE_PATH + 8, "%s/area", queue->path);
}

/* ---- Making it ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + QUEUE_PAGE - 1) / QUEUE_PAGE * QUEUE_PAGE;
}

static size_t size_of(const struct queue_config *config, size_t *slots_at, size_t *bytes_at)
{
    *slots_at = round_up(sizeof(struct queue_area));
    *bytes_at = *slots_at + round_up(config->slots * sizeof(struct queue_slot));
    return *bytes_at + (size_t)config->slots * 2 * config->pipe_bytes;
}

static int map(struct queue *queue, size_t size, struct failure *failure)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, queue->fd, 0);
    if (at == MAP_FAILED)
        return fail_errno(failure, ERR_NOMEM, "cannot map the queue in %s", queue->path);
    queue->area = at;
    queue->size = size;
    return 0;
}

static void point_into(struct queue *queue)
{
    char *base = (char *)queue->area;
    queue->slots = (struct queue_slot *)(void *)(base + queue->area->slots_at);
    queue->bytes = base + queue->area->bytes_at;
}

/* The magic comes last: without it nobody takes it for a queue. */
static void fill(struct queue *queue, const struct queue_config *config)
{
    struct queue_area *area = queue->area;
    size_t slots_at, bytes_at;
    size_t size = size_of(config, &slots_at, &bytes_at);
    memset(area, 0, bytes_at);
    area->size = size;
    area->version = QUEUE_VERSION;
    area->slots = config->slots;
    area->pipe_bytes = config->pipe_bytes;
    area->slots_at = (uint32_t)slots_at;
    area->bytes_at = (uint32_t)bytes_at;
    queue_lock_init(queue);
    share_init(&area->share, config->slots, config->weight);
    point_into(queue);
    for (unsigned i = 0; i < config->slots; i++) {
        atomic_init(&queue->slots[i].front, QUEUE_NONE);
        atomic_init(&queue->slots[i].worker, QUEUE_NONE);
    }
    queue_rebuild(queue);
    area->magic = QUEUE_MAGIC;
}

/* All of the memory is had now: a full disk would else be a SIGBUS later. */
static int make(struct queue *queue, const struct queue_config *config, struct failure *failure)
{
    size_t slots_at, bytes_at;
    size_t size = size_of(config, &slots_at, &bytes_at);
    if (ftruncate(queue->fd, 0) != 0 || ftruncate(queue->fd, (off_t)size) != 0)
        return fail_errno(failure, ERR_IO, "cannot make the queue in %s", queue->path);
    int err = posix_fallocate(queue->fd, 0, (off_t)size);
    if (err)
        return fail(failure, ERR_FULL,
                    "no room for the queue's %zu MB in %s: %s; free some, or choose fewer slots",
                    size >> 20, queue->path, strerror(err));
    err = map(queue, size, failure);
    if (!err)
        fill(queue, config);
    return err;
}

static int take_existing(struct queue *queue, struct failure *failure)
{
    struct stat about;
    if (fstat(queue->fd, &about) != 0 || (size_t)about.st_size < sizeof(struct queue_area))
        return fail(failure, ERR_STATE, "the queue in %s is not complete", queue->path);
    int err = map(queue, (size_t)about.st_size, failure);
    if (err)
        return err;
    const struct queue_area *area = queue->area;
    if (area->magic != QUEUE_MAGIC || area->version != QUEUE_VERSION || area->size != queue->size)
        return fail(failure, ERR_STATE,
                    "the queue in %s is another version's, whose processes still run: stop them",
                    queue->path);
    point_into(queue);
    return 0;
}

static void remove_files(const struct queue *queue)
{
    char path[QUEUE_PATH + 8];
    area_path(queue, path);
    unlink(path);
    queue_remove_bells(queue);
    rmdir(queue->path);
}

/* With the byte for opening. */
static int settle(struct queue *queue, const struct queue_config *config, struct failure *failure)
{
    bool alone = lock_byte(queue->fd, USERS_BYTE, F_WRLCK);
    int err;
    if (alone && !config)
        err = fail(failure, ERR_NOTFOUND, "there is no queue: no front runs");
    else
        err = alone ? make(queue, config, failure) : take_existing(queue, failure);
    if (alone && err)
        remove_files(queue); /* what the dead left, or what did not become a queue */
    if (!lock_byte(queue->fd, USERS_BYTE, F_RDLCK) && !err)
        err = fail_errno(failure, ERR_IO, "cannot lock the queue in %s", queue->path);
    return err;
}

/* ERR_BUSY: the last one has just removed it; once more. */
static int open_file(struct queue *queue, bool create, struct failure *failure)
{
    char path[QUEUE_PATH + 8];
    struct stat about;
    area_path(queue, path);
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
    queue->fd = open(path, flags, 0600);
    if (queue->fd < 0 && errno == ENOENT)
        return create ? ERR_BUSY : fail(failure, ERR_NOTFOUND, "there is no queue: no front runs");
    if (queue->fd < 0)
        return fail_errno(failure, ERR_IO, "cannot open %s", path);
    if (!lock_opening(queue->fd))
        return fail(failure, ERR_TIMEOUT, "%s is held by a process that does not go on", path);
    return fstat(queue->fd, &about) == 0 && about.st_nlink > 0 ? 0 : ERR_BUSY;
}

static void drop_file(struct queue *queue)
{
    if (queue->fd >= 0)
        close(queue->fd);
    queue->fd = -1;
}

static int open_area(struct queue *queue, const char *dir, const struct queue_config *config,
                     struct failure *failure)
{
    int err = ERR_BUSY;
    for (unsigned i = 0; err == ERR_BUSY && i < REOPENED_MAX; i++) {
        drop_file(queue);
        err = find_place(queue, dir, config != NULL, failure);
        err = err ? err : open_file(queue, config != NULL, failure);
    }
    if (err == ERR_BUSY)
        return fail(failure, ERR_IO, "%s is removed again and again", queue->path);
    return err ? err : settle(queue, config, failure);
}

static bool is_valid(const struct queue_config *config)
{
    return !config || (config->slots >= 8 && config->slots <= QUEUE_SLOTS_MAX &&
                       config->pipe_bytes >= QUEUE_PAGE &&
                       (config->pipe_bytes & (config->pipe_bytes - 1)) == 0);
}

/* 0: not to be found out, and equal to nobody's but such. */
static uint64_t space_of_pids(void)
{
    struct stat about;
    return stat("/proc/self/ns/pid", &about) == 0 ? (uint64_t)about.st_ino : 0;
}

int queue_open(const char *dir, const struct queue_config *config, struct queue **out,
               struct failure *failure)
{
    struct queue *queue = calloc(1, sizeof *queue);
    *out = NULL;
    CHECK(is_valid(config));
    if (!queue)
        return fail(failure, ERR_NOMEM, "no memory for the queue");
    queue->fd = -1;
    queue->space = space_of_pids();
    for (unsigned i = 0; i < QUEUE_SEATS; i++)
        atomic_init(&queue->bells[i], -1);
    int err = open_area(queue, dir, config, failure);
    if (queue->fd >= 0)
        lock_byte(queue->fd, OPENING_BYTE, F_UNLCK);
    if (err)
        queue_close(queue);
    else
        *out = queue;
    return err;
}

/* ---- Its end ---- */

/* The last one leaves nothing. */
static void remove_if_last(struct queue *queue)
{
    struct stat about;
    if (!lock_opening(queue->fd))
        return;
    if (lock_byte(queue->fd, USERS_BYTE, F_WRLCK) && fstat(queue->fd, &about) == 0 &&
        about.st_nlink > 0)
        remove_files(queue);
    lock_byte(queue->fd, OPENING_BYTE, F_UNLCK);
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    queue_close_bells(queue);
    if (queue->area && queue->slots)
        remove_if_last(queue);
    if (queue->area)
        munmap(queue->area, queue->size);
    drop_file(queue);
    free(queue);
}

uint32_t queue_slots(const struct queue *queue)
{
    return queue->area->slots;
}

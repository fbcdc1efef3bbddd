/* What it costs to see whether a file's bytes are in memory, before they are sent: the figures
 * behind src/engine/amped.h.
 *
 *     file_look FILE       (some MiB; it is read into memory first)
 *
 * Sends FILE over a connection to itself, 64 KiB at a time, by each of the ways in turn, and prints
 * the sender's processor time for 64 KiB: the least of ROUNDS rounds. Then, with FILE put out of
 * memory, how many pages whose reading has only been asked for each way takes for present; a slow
 * disk shows it best.
 */
#include "base/check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, PAGE = 4096, ROUNDS = 5 };

/* cachestat(2), Linux 6.5; the C library has no name for it yet. */
enum { CACHESTAT = 451 };
struct cache_range {
    uint64_t offset, len;
};
struct cache_counts {
    uint64_t present, dirty, writing, evicted, evicted_lately;
};

static char piece[PIECE];

/* How many pages of the PIECE at OFFSET are in memory; -1: this system does not say. */
typedef int look_fn(int fd, off_t offset);

static int look_nowhere(int fd, off_t offset)
{
    (void)fd, (void)offset;
    return 0;
}

static int look_by_byte(int fd, off_t offset)
{
    int found = 0;
    char byte;
    struct iovec part = {&byte, 1};
    for (off_t at = offset; at < offset + PIECE; at += PAGE)
        found += preadv2(fd, &part, 1, at, RWF_NOWAIT) == 1;
    return found;
}

static int look_by_reading(int fd, off_t offset)
{
    struct iovec part = {piece, PIECE};
    ssize_t got = preadv2(fd, &part, 1, offset, RWF_NOWAIT);
    return got < 0 ? 0 : (int)(got / PAGE);
}

static int look_by_mincore(int fd, off_t offset)
{
    unsigned char pages[PIECE / PAGE];
    int found = 0;
    void *map = mmap(NULL, PIECE, PROT_READ, MAP_SHARED, fd, offset);
    CHECK(map != MAP_FAILED && mincore(map, PIECE, pages) == 0);
    munmap(map, PIECE);
    for (int i = 0; i < PIECE / PAGE; i++)
        found += pages[i] & 1;
    return found;
}

static int look_by_cachestat(int fd, off_t offset)
{
    struct cache_range range = {(uint64_t)offset, PIECE};
    struct cache_counts counts = {0};
    return syscall(CACHESTAT, fd, &range, &counts, 0) ? -1 : (int)counts.present;
}

static const struct way {
    const char *name;
    look_fn *look;
    bool reads; /* and has brought the bytes along: they are sent from there */
} ways[] = {
    {"sendfile, without a look", look_nowhere, false},
    {"a byte of each page, RWF_NOWAIT; sendfile", look_by_byte, false},
    {"mmap, mincore; sendfile", look_by_mincore, false},
    {"cachestat; sendfile", look_by_cachestat, false},
    {"all of it, RWF_NOWAIT; send", look_by_reading, true},
};

static void *drain(void *argument)
{
    static char room[1 << 20];
    while (recv(*(int *)argument, room, sizeof room, 0) > 0)
        ;
    return NULL;
}

/* Both ends of a connection over loopback. */
static void connect_ends(int ends[2])
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof here;
    int door = socket(AF_INET, SOCK_STREAM, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(door, (struct sockaddr *)&here, len) == 0 && listen(door, 1) == 0);
    CHECK(getsockname(door, (struct sockaddr *)&here, &len) == 0);
    CHECK(connect(ends[0], (struct sockaddr *)&here, len) == 0);
    ends[1] = accept(door, NULL, NULL);
    CHECK(ends[1] >= 0);
    close(door);
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double send_all(const struct way *way, int fd, off_t size, int to)
{
    double begin = cpu_us();
    for (off_t at = 0; at < size; at += PIECE) {
        off_t from = at;
        way->look(fd, at);
        for (ssize_t sent = 0, n; sent < PIECE; sent += n) {
            size_t left = (size_t)(PIECE - sent);
            n = way->reads ? send(to, piece + sent, left, 0) : sendfile(to, fd, &from, left);
            CHECK(n > 0);
        }
    }
    return (cpu_us() - begin) / (double)(size / PIECE);
}

int main(int argc, char **argv)
{
    struct stat status;
    pthread_t drainer;
    int ends[2], fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &status) || status.st_size < PIECE) {
        fprintf(stderr, "file_look FILE: a file of 64 KiB at least\n");
        return 2;
    }
    off_t size = status.st_size - status.st_size % PIECE;
    fsync(fd); /* what is not on the disk cannot be put out of memory */
    connect_ends(ends);
    CHECK(pthread_create(&drainer, NULL, drain, &ends[1]) == 0);
    send_all(&ways[0], fd, size, ends[0]);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        double least = send_all(&ways[i], fd, size, ends[0]);
        for (int round = 1; round < ROUNDS; round++) {
            double us = send_all(&ways[i], fd, size, ends[0]);
            least = us < least ? us : least;
        }
        printf("%5.1f us  %s\n", least, ways[i].name);
    }
    printf("of 16 pages whose reading has only been asked for, taken for present:\n");
    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        posix_fadvise(fd, 0, PIECE, POSIX_FADV_WILLNEED);
        printf("%5d     %s\n", ways[i].look(fd, 0), ways[i].name);
    }
    shutdown(ends[0], SHUT_WR);
    pthread_join(drainer, NULL);
    return 0;
}

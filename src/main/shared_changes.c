#include "main/shared_changes.h"

#include "main/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 4096 };

/* The form of what follows; another one is made anew by whoever writes. */
static const char form[8] = "stoachg1";

struct head {
    char form[8];
    _Atomic uint64_t writer; /* process id */
};

static size_t whole_size(void)
{
    return HEAD + cache_changes_size();
}

static int map_file(int fd, const char *path, struct shared_changes *shared,
                    struct failure *failure)
{
    struct stat about;
    if (fstat(fd, &about))
        return file_failed(failure, "look at", path);
    if ((size_t)about.st_size < whole_size() && ftruncate(fd, (off_t)whole_size()))
        return file_failed(failure, "make room in", path);
    void *map = mmap(NULL, whole_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return file_failed(failure, "map", path);
    shared->map = map;
    shared->changes = (void *)((char *)map + HEAD);
    return 0;
}

int shared_changes_open(const char *dir, bool make, struct shared_changes *shared,
                        struct failure *failure)
{
    char path[FILE_PATH];
    *shared = (struct shared_changes){0};
    int err = file_join(path, dir, "changes", failure);
    if (err)
        return err;
    int fd = open(path, O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : file_failed(failure, "open", path);
    err = map_file(fd, path, shared, failure);
    close(fd);
    return err;
}

void shared_changes_close(struct shared_changes *shared)
{
    if (shared->map)
        munmap(shared->map, whole_size());
    *shared = (struct shared_changes){0};
}

void shared_changes_begin(const struct shared_changes *shared, uint64_t index)
{
    struct head *head = shared->map;
    cache_changes_begin(shared->changes, index);
    memcpy(head->form, form, sizeof form);
    atomic_store(&head->writer, (uint64_t)getpid());
}

bool shared_changes_told_by(const struct shared_changes *shared, uint64_t pid)
{
    const struct head *head = shared->map;
    return memcmp(head->form, form, sizeof form) == 0 && atomic_load(&head->writer) == pid;
}

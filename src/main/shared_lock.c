#include "main/shared_lock.h"

#include "main/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROUSE_MS = 10 };

/* ---- Waiting ---- */

static void ignore(int signal)
{
    (void)signal;
}

void shared_lock_prepare(void)
{
    /* Without SA_RESTART: what blocks comes back with EINTR. */
    struct sigaction action = {.sa_handler = ignore};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
}

static int wait_with(int fd, const char *path, const atomic_bool *stopping, struct failure *failure)
{
    while (!atomic_load(stopping)) {
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_OFD_SETLKW, &whole) == 0)
            return 0;
        if (errno != EINTR)
            return file_failed(failure, "lock", path);
    }
    return ERR_CLOSED;
}

int shared_lock_wait(const char *dir, const atomic_bool *stopping, int *lock,
                     struct failure *failure)
{
    char path[FILE_PATH];
    *lock = -1;
    int err = file_join(path, dir, "lock", failure);
    if (err)
        return err;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_failed(failure, "open", path);
    sigset_t rousing, before;
    sigemptyset(&rousing);
    sigaddset(&rousing, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &rousing, &before); /* threads of ours take none by default */
    err = wait_with(fd, path, stopping, failure);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        close(fd);
    else
        *lock = fd;
    return err;
}

void shared_lock_rouse(pthread_t thread)
{
    struct timespec until;
    do { /* a signal that comes just before it blocks is lost, so there is another */
        pthread_kill(thread, SIGUSR1);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ROUSE_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
    } while (pthread_timedjoin_np(thread, NULL, &until));
}

/* ---- Killing ---- */

/* A process id is used again: only who has this very file open can be the holder. */
static bool has_open(uint64_t pid, const struct stat *file)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%llu/fd", (unsigned long long)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool found = false;
    while (folder && !found && (entry = readdir(folder))) {
        struct stat about;
        found = fstatat(dirfd(folder), entry->d_name, &about, 0) == 0 &&
                about.st_dev == file->st_dev && about.st_ino == file->st_ino;
    }
    if (folder)
        closedir(folder);
    return found;
}

int shared_lock_kill(const char *dir, uint64_t pid, struct failure *failure)
{
    char path[FILE_PATH];
    struct stat lock;
    int err = file_join(path, dir, "lock", failure);
    if (err)
        return err;
    if (stat(path, &lock))
        return file_failed(failure, "look at", path);
    int process = pid ? pidfd_open((pid_t)pid, 0) : -1;
    if (process < 0)
        return fail(failure, ERR_NOTFOUND, "process %llu is gone", (unsigned long long)pid);
    if (!has_open(pid, &lock))
        err = fail(failure, ERR_NOTFOUND, "process %llu has not %s open", (unsigned long long)pid,
                   path);
    else if (pidfd_send_signal(process, SIGKILL, NULL, 0))
        err = fail_errno(failure, ERR_DENIED, "cannot kill process %llu", (unsigned long long)pid);
    close(process);
    return err;
}

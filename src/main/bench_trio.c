#include "main/bench_trio.h"

#include "base/clock.h"
#include "main/cluster.h"
#include "main/free_address.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char ready[] = "stoa: shop ready at ";

/* ---- Making and removing ---- */

static int read_token(struct trio *trio, struct failure *failure)
{
    char path[DATADIR_PATH + 32];
    snprintf(path, sizeof path, "%s/operator.token", trio->servers[0].dir);
    FILE *file = fopen(path, "re");
    int fields = file ? fscanf(file, "%64s", trio->token) : 0;
    if (file)
        fclose(file);
    return fields == 1 ? 0 : fail(failure, ERR_IO, "cannot read %s", path);
}

static int found(struct trio *trio, struct failure *failure)
{
    const char *dirs[TRIO];
    struct server_place *places = calloc(TRIO, sizeof *places);
    if (!places)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = 0;
    for (unsigned i = 0; !err && i < TRIO; i++) {
        struct trio_server *server = &trio->servers[i];
        snprintf(server->dir, sizeof server->dir, "%.400s/server-%u", trio->dir, i + 1);
        dirs[i] = server->dir;
        places[i].id = i + 1;
        err = free_address("127.0.0.1", NULL, NULL, places[i].address, sizeof places[i].address,
                           failure);
        err = err ? err
                  : free_address("127.0.0.1", NULL, NULL, server->listen, sizeof server->listen,
                                 failure);
    }
    err = err ? err : cluster_found("bench", dirs, places, TRIO, failure);
    free(places);
    return err ? err : read_token(trio, failure);
}

int trio_found(struct trio *trio, const char *dir, struct failure *failure)
{
    *trio = (struct trio){0};
    for (unsigned i = 0; i < TRIO; i++)
        trio->servers[i].output = -1;
    if (mkdir(dir, 0777) && errno != EEXIST)
        return fail_errno(failure, ERR_IO, "cannot make %s", dir);
    snprintf(trio->dir, sizeof trio->dir, "%.400s/bench-XXXXXX", dir);
    if (!mkdtemp(trio->dir)) {
        fail_errno(failure, ERR_IO, "cannot make a folder in %s", dir);
        trio->dir[0] = 0;
        return ERR_IO;
    }
    int err = found(trio, failure);
    if (err)
        trio_remove(trio);
    return err;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

void trio_remove(struct trio *trio)
{
    for (unsigned i = 0; i < TRIO; i++)
        trio_kill(trio, i);
    if (trio->dir[0])
        nftw(trio->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    trio->dir[0] = 0;
}

/* ---- Processes ---- */

/* Does not return. */
static void become_server(const struct trio_server *server, int output)
{
    char log[DATADIR_PATH + 16];
    snprintf(log, sizeof log, "%s/stoa.log", server->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(127);
    execl("/proc/self/exe", "stoa", "serve", "--dir", server->dir, "--listen", server->listen,
          "--catalogue", "demo", (char *)NULL);
    _exit(127);
}

int trio_start(struct trio *trio, unsigned which, struct failure *failure)
{
    struct trio_server *server = &trio->servers[which];
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC))
        return fail_errno(failure, ERR_IO, "cannot make a pipe");
    server->pid = fork();
    if (server->pid == 0)
        become_server(server, pipe_fds[1]);
    close(pipe_fds[1]);
    if (server->pid < 0) {
        server->pid = 0;
        close(pipe_fds[0]);
        return fail_errno(failure, ERR_IO, "cannot start a server");
    }
    server->output = pipe_fds[0];
    return 0;
}

int trio_wait_ready(struct trio *trio, unsigned which, unsigned timeout_ms, struct failure *failure)
{
    struct trio_server *server = &trio->servers[which];
    uint64_t end = clock_mono_ns() + timeout_ms * MS_NS;
    char line[256];
    size_t length = 0;
    while (clock_mono_ns() < end && length < sizeof line - 1) {
        struct pollfd poll_fd = {.fd = server->output, .events = POLLIN};
        poll(&poll_fd, 1, 100);
        if (!poll_fd.revents)
            continue;
        ssize_t got = read(server->output, line + length, sizeof line - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
        line[length] = 0;
        if (strncmp(line, ready, sizeof ready - 1) == 0 && strchr(line, '\n'))
            return 0;
    }
    return fail(failure, ERR_TIMEOUT, "server %u was not ready within %u s (see %s/stoa.log)",
                which + 1, timeout_ms / 1000, server->dir);
}

void trio_kill(struct trio *trio, unsigned which)
{
    struct trio_server *server = &trio->servers[which];
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    server->pid = 0;
    if (server->output >= 0)
        close(server->output);
    server->output = -1;
}

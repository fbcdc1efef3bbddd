#include "main/bench_trio.h"

#include "main/cluster.h"
#include "main/file.h"
#include "main/free_address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
        trio->servers[i].process.output = -1;
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

static void kill_all(struct trio *trio)
{
    for (unsigned i = 0; i < TRIO; i++)
        trio_kill(trio, i);
}

void trio_remove(struct trio *trio)
{
    kill_all(trio);
    if (trio->dir[0])
        (void)file_remove_tree(trio->dir, NULL); /* a bench's result stands without it */
    trio->dir[0] = 0;
}

void trio_close(struct trio *trio, bool keep)
{
    if (!keep) {
        trio_remove(trio);
        return;
    }
    kill_all(trio);
    fprintf(stderr, "stoa bench: data and logs are in %s\n", trio->dir);
}

/* ---- Processes ---- */

int trio_start(struct trio *trio, unsigned which, struct failure *failure)
{
    struct trio_server *server = &trio->servers[which];
    char log[DATADIR_PATH + 16];
    const char *words[7 + TRIO_MORE + 1] = {"serve",        "--dir",       server->dir, "--listen",
                                            server->listen, "--catalogue", "demo"};
    for (unsigned i = 0; i < TRIO_MORE && trio->more[i]; i++)
        words[7 + i] = trio->more[i];
    snprintf(log, sizeof log, "%s/stoa.log", server->dir);
    return bench_process_start(&server->process, words, log, failure);
}

int trio_wait_ready(struct trio *trio, unsigned which, unsigned timeout_ms, struct failure *failure)
{
    return bench_process_wait(&trio->servers[which].process, "stoa: shop ready at ", timeout_ms,
                              trio_name(which), failure);
}

int trio_start_all(struct trio *trio, unsigned timeout_ms, struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < TRIO; i++)
        err = trio_start(trio, i, failure);
    for (unsigned i = 0; !err && i < TRIO; i++)
        err = trio_wait_ready(trio, i, timeout_ms, failure);
    return err;
}

void trio_kill(struct trio *trio, unsigned which)
{
    bench_process_kill(&trio->servers[which].process);
}

int trio_hang(struct trio *trio, unsigned which, bool hangs, struct failure *failure)
{
    return bench_process_hang(&trio->servers[which].process, hangs, trio_name(which), failure);
}

const char *trio_name(unsigned which)
{
    static const char *const names[TRIO] = {"server 1", "server 2", "server 3"};
    return names[which];
}

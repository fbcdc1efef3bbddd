/* Engine fork, inside: what fork.c (the program's side) and fork_zygote.c (the zygote's and the
 * clients') share.
 *
 * One piece of memory, which all these processes map at the same place: it was there before the
 * first fork. What is said to be somebody's is of no use to the others (pointers, descriptors).
 */
#ifndef STOA_ENGINE_FORK_INNER_H
#define STOA_ENGINE_FORK_INNER_H

#include "engine/fork.h"
#include "engine/inside.h"

#include <pthread.h>
#include <sys/types.h>

/* By one byte on the line: */
enum fork_word {
    FORK_GO = 'g',     /* to the zygote: config is set */
    FORK_SERVES = 's', /* from it: ports are set */
    FORK_FAILED = 'f', /* failure is */
};

struct fork_zygote {
    struct engine base; /* its tls and doors are the zygote's */
    struct engine_config config;
    struct log log;
    struct failure failure;
    _Atomic uint64_t processes, crashed, cut_off; /* processes: that there are now */
    int stop_fd;                                  /* everybody's: an eventfd */
    /* The zygote's, and its clients'. */
    struct fork_app app;
    /* The program's. */
    pid_t pid;
    int line;   /* to the zygote; its end tells of the zygote's */
    int end_fd; /* rouses the watcher */
    bool watched, started;
    pthread_t watcher;
};

/* fork_zygote.c: the zygote's life, from its fork on. LINE: to the program, whose process is
 * PROGRAM. */
_Noreturn void fork_zygote_live(struct fork_zygote *zygote, int line, pid_t program);

#endif

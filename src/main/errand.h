/* Errand: an operator's shell command that runs beside this process. What it prints goes to the
 * log, line by line; it is killed with its process group when it takes too long. What it has left
 * running in the background by then, or when it ends, lives on (with an output of its own: the one
 * that leads here is closed).
 *
 * It is looked at by whoever began it (errand_look), a few times a second. Thread: that one.
 */
#ifndef STOA_MAIN_ERRAND_H
#define STOA_MAIN_ERRAND_H

#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ERRAND_MS = 60000, ERRAND_LINE = 400, ERRAND_LINES = 200, ERRAND_NAME = 64 };

struct errand_task {
    const char *name;      /* in the log: "waking server 4" */
    const char *area;      /* of the log: "wake"; lent until the errand's end */
    const char *command;   /* for a shell */
    const char *variable;  /* "NAME=value", for its environment */
    uint32_t limit_ms;     /* it is killed after that; ERRAND_MS is usual */
    const struct log *log; /* lent until the errand's end */
};

/* Zeroed at first, and again but for `failed` when it does not run. */
struct errand {
    pid_t pid; /* 0: it does not run */
    int out;   /* what it prints; for poll. -1: it has closed that */
    uint64_t until_ns;
    const struct log *log;
    const char *area;
    char name[ERRAND_NAME];
    char line[ERRAND_LINE]; /* what has come of one */
    size_t len;
    unsigned lines; /* printed so far; above ERRAND_LINES the rest is dropped */
    bool failed;    /* the one that has ended did not end with status 0 */
};

int errand_begin(struct errand *errand, const struct errand_task *task, struct failure *failure);

static inline bool errand_runs(const struct errand *errand)
{
    return errand->pid != 0;
}

/* Reads what has come, sees whether it has ended or must. */
void errand_look(struct errand *errand, uint64_t now_ns);

/* Kills it, if it runs. */
void errand_kill(struct errand *errand);

#endif

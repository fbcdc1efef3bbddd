/* Demo child: one server, load manager, bank or warehouse of a demo as a process: started, listened
 * to, ended.
 *
 *            child_start            "stoa: shop ready at URL", "stoa: load manager ready at URL", …
 *   RESTING ────────────▶ STARTING ──────────────────────▶ READY
 *      ▲                     │                               │
 *      └──────(exited: child_exited; again after a pause)────┴
 *
 * The process dies with its parent, whatever kills that (main/spawn.h). What it writes on standard
 * error is passed on line by line, with its name in front: "server 2: ". Thread: main, which must
 * be the one that starts it.
 */
#ifndef STOA_MAIN_DEMO_CHILD_H
#define STOA_MAIN_DEMO_CHILD_H

#include "main/cluster.h"
#include "main/lines.h"
#include "main/option.h"

#include <sys/types.h>

enum child_state { CHILD_RESTING, CHILD_STARTING, CHILD_READY };

enum { CHILD_NAME = 32, CHILD_PHRASE = 64, CHILD_URL = OPTION_TEXT_SIZE + 16 };

struct demo_child {
    uint64_t id;           /* the server's; 0: of none */
    char name[CHILD_NAME]; /* "server 2", "load manager" */
    bool hasty;            /* one that was ready and dies is started again at once */
    bool was_ready;        /* once at least */
    enum child_state state;
    pid_t pid;
    char url[CHILD_URL];           /* when READY */
    char phrase[CHILD_PHRASE];     /* the pass phrase that it has just made; or empty */
    uint64_t started_ns, again_ns; /* again_ns: when it is to be started; 0: not */
    unsigned failures;             /* in a row */
    struct lines out, err;
};

/* Starts this program with WORDS, which end in NULL. Its id, name and hastiness are set. */
int child_start(struct demo_child *child, char *const *words, struct failure *failure);

/* Reads what there is on a pipe (poll said so), passes lines on. True: it has just become READY. */
bool child_read(struct demo_child *child, struct lines *pipe);

/* One that ended with STATUS (of waitpid) never was ready, and says that it was given wrong words:
 * to start it again with the same ones is in vain. */
bool child_misused(const struct demo_child *child, int status);

/* It ended with STATUS: reads the rest of its pipes, says so, and sets when it is to
 * be started again (0.2 s, 0.4 s, … 10 s; from the start after a long life). AGAIN: whether it
 * is. */
void child_exited(struct demo_child *child, int status, bool again, uint64_t now_ns);

/* One line for whoever watches the demo, on standard error: "stoa: TEXT". Any thread. */
void demo_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

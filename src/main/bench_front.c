#include "main/bench_front.h"

#include "main/datadir.h"
#include "main/free_address.h"

#include <stdio.h>

enum { READY_MS = 60000 };

int bench_front_place(struct bench_front *front, struct failure *failure)
{
    front->process = (struct bench_process){.output = -1};
    int err = free_address("127.0.0.1", NULL, NULL, front->listen, sizeof front->listen, failure);
    if (!err)
        snprintf(front->url, sizeof front->url, "http://%s", front->listen);
    return err;
}

int bench_front_start(struct bench_front *front, unsigned which, const char *dir,
                      const char *const *more, struct failure *failure)
{
    char log[DATADIR_PATH + 32], name[32];
    const char *words[BENCH_PROCESS_WORDS + 1] = {"balance",         "--listen", front->listen,
                                                  "--server-header", "--trust",  "127.0.0.0/8"};
    unsigned count = 6;
    for (unsigned i = 0; more[i]; i++) {
        if (count == BENCH_PROCESS_WORDS)
            return fail(failure, ERR_FULL, "too many words for `stoa balance`");
        words[count++] = more[i];
    }
    snprintf(log, sizeof log, "%s/balance-%u.log", dir, which + 1);
    snprintf(name, sizeof name, "load manager %u", which + 1);
    int err = bench_process_start(&front->process, words, log, failure);
    return err ? err
               : bench_process_wait(&front->process, "stoa: load manager ready at ", READY_MS, name,
                                    failure);
}

#include "bench/echo.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 5, RECORDS = 80 * 60 * 1000 / EVERY_MS };

static void *answer(void *context)
{
    const struct echo *echo = context;
    char byte;
    while (read(echo->ends[1], &byte, 1) == 1)
        if (write(echo->ends[1], &byte, 1) != 1)
            break;
    return NULL;
}

static void note(struct echo *echo, uint64_t at_ns, uint64_t took_ns)
{
    histogram_add(&echo->latency, took_ns);
    if (echo->count < RECORDS)
        echo->records[echo->count++] = (struct echo_record){at_ns, took_ns};
}

static void *ask(void *context)
{
    struct echo *echo = context;
    char byte = 0;
    do {
        uint64_t at_ns = clock_mono_ns();
        if (write(echo->ends[0], &byte, 1) != 1 || read(echo->ends[0], &byte, 1) != 1)
            break;
        note(echo, at_ns, clock_mono_ns() - at_ns);
        nanosleep(&(struct timespec){0, EVERY_MS * (long)MS_NS}, NULL);
    } while (!atomic_load(&echo->stop));
    shutdown(echo->ends[0], SHUT_RDWR); /* the answerer's end */
    return NULL;
}

static void close_ends(struct echo *echo)
{
    close(echo->ends[0]);
    close(echo->ends[1]);
}

int echo_start(struct echo *echo, struct failure *failure)
{
    *echo = (struct echo){.records = calloc(RECORDS, sizeof *echo->records)};
    histogram_clear(&echo->latency);
    if (!echo->records)
        return fail(failure, ERR_NOMEM, "out of memory");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, echo->ends)) {
        echo_close(echo);
        return fail_errno(failure, ERR_IO, "cannot make a pair of sockets");
    }
    int err = thread_start(&echo->answerer, "stoa-echo", answer, echo);
    if (err == 0) {
        err = thread_start(&echo->asker, "stoa-echo-asks", ask, echo);
        if (err == 0)
            return 0;
        shutdown(echo->ends[0], SHUT_RDWR);
        pthread_join(echo->answerer, NULL);
    }
    close_ends(echo);
    echo_close(echo);
    errno = err;
    return fail_errno(failure, ERR_NOMEM, "cannot start a thread");
}

void echo_stop(struct echo *echo)
{
    if (!echo->records || atomic_exchange(&echo->stop, true))
        return;
    pthread_join(echo->asker, NULL);
    pthread_join(echo->answerer, NULL);
    close_ends(echo);
}

void echo_close(struct echo *echo)
{
    free(echo->records);
    echo->records = NULL;
    echo->count = 0;
}

uint64_t echo_worst_ns(const struct echo *echo, uint64_t begin_ns, uint64_t end_ns)
{
    uint64_t worst = 0;
    for (unsigned i = 0; i < echo->count; i++) {
        const struct echo_record *record = &echo->records[i];
        if (record->at_ns < end_ns && record->at_ns + record->took_ns > begin_ns &&
            record->took_ns > worst)
            worst = record->took_ns;
    }
    return worst;
}

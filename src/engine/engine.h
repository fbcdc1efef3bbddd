/* Engine: a way for one process to run many requests. The seam, and its settings.
 *
 * There are several behind the same four functions; main/ picks one by name and gives it an app.
 * What they have in common: inside.h (settings, counters), doors.h (accepting), connection.h
 * (bytes), dispatcher.h (exchanges), stopping.h (the graceful stop).
 */
#ifndef STOA_ENGINE_ENGINE_H
#define STOA_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/log.h"
#include "engine/app.h"
#include "http/conn.h"

#include <stdint.h>

struct fork_zygote;

enum { ENGINE_LISTEN_MAX = 16, ENGINE_TRUSTED_MAX = 16 };

struct engine_listen {
    char address[64];   /* "127.0.0.1:8080", "[::1]:8443", ":8080" */
    const char *option; /* what gave it, for messages: "--listen"; NULL: none */
    bool tls;
    bool proxy; /* each connection begins with a PROXY header (net/proxy_header.h), before TLS;
                   without one, or from elsewhere than `trusted`, it is closed */
};

struct engine_config {
    struct engine_listen listen[ENGINE_LISTEN_MAX];
    unsigned listen_count;
    bool listens_beside;      /* other processes may listen at the same addresses (SO_REUSEPORT) */
    unsigned loops;           /* event loops; 0: one per core */
    unsigned helpers;         /* threads for work(); 0: 2 */
    unsigned helper_queue;    /* most exchanges waiting for a helper; above it 503. 0: 1024 */
    unsigned workers;         /* pool: its threads; 0: found while it runs. seda: most threads of a
                                 stage; 0: 20. thread, fork: most at work at once; 0: 256, 1000.
                                 amped: threads that read files; 0: 8 */
    uint32_t admission_ms;    /* event, seda: so many requests are let in that nine of ten are
                                 answered within this; 0: all are */
    bool io_uring;            /* event: plain connections by io_uring, where that may be used */
    unsigned connections_max; /* per process; above it we stop accepting. 0: from RLIMIT_NOFILE */
    unsigned app_files;       /* descriptors that the app may open beyond a database's and clients' */
    uint64_t stop_grace_ms; /* at a graceful stop: how long what is in flight may take. 0: 10000 */
    struct http_limits limits;
    char certificate[256],
        key[256]; /* PEM files; both empty with tls: self-signed, kept in `state_dir` */
    char state_dir[256];
    /* Networks ("10.0.0.0/8") that may say whose a connection is. Without any: loopback. */
    char trusted[ENGINE_TRUSTED_MAX][64];
    unsigned trusted_count;
    const struct log *log;
    /* One of the same kind, loops and addresses, whose listening sockets this one shares, or NULL.
     * Both take what comes until that one is stopped: no connection is refused in between. */
    const struct engine *heir_of;
    /* fork: who accepts, made before the program had threads (fork.h); start then uses that one's
     * app. NULL: it is made by start. */
    struct fork_zygote *zygote;
};

/* Of an engine that lets in no more than it can answer in time (intake.h). */
struct engine_admission {
    uint64_t target_ns;     /* config.admission_ms; 0: all are let in, and nothing is measured */
    double rate;            /* requests a second that are let in; 0: all */
    uint64_t p90_ns;        /* response time, of the last interval */
    uint64_t on_time, late; /* answered within the target, and later */
};

/* seda: one of its stages. */
struct engine_stage {
    const char *name;
    uint64_t done, queued;   /* since the start; now */
    unsigned threads, batch; /* batch: how many a thread takes at once */
};

enum { ENGINE_STAGES = 6 };

/* Counters, read at any time from any thread; for /metrics. */
struct engine_stats {
    uint64_t doors; /* listening sockets that are open. 0: it is stopping and takes nothing more
                       (not told by fork) */
    uint64_t accepted, open, requests, refused; /* refused: 503 for want of helpers or room */
    uint64_t bytes_in, bytes_out;
    uint64_t helper_waiting, timeouts, bad_requests;
    uint64_t workers, queued; /* pool: its threads, and connections that wait for one */
    /* amped, seda: pieces of files that were not in memory, and were read by others than who sends;
     * those not yet */
    uint64_t disk_reads, disk_waiting;
    uint64_t processes, crashed; /* fork: its clients'; those that did not end by themselves */
    struct engine_admission admission;
    struct engine_stage stages[ENGINE_STAGES];
    unsigned stage_count; /* 0: it has none */
};

struct engine;

struct engine_kind {
    const char *name;
    const char *about; /* one line for the help */
    /* Binds and starts; returns when it serves. Lends APP until stop returned. *ENGINE is
     * set before the app's first exchange, so that the app may ask for stats. */
    int (*start)(const struct engine_config *config, struct app *app, struct engine **engine,
                 struct failure *failure);
    /* The port that listen[INDEX] got (for port 0). */
    uint16_t (*port)(const struct engine *engine, unsigned index);
    void (*stats)(const struct engine *engine, struct engine_stats *stats);
    /* Refuses what is new, finishes what is in flight, at most stop_grace_ms; frees. False: the app
     * still holds exchanges, or is in a work() that nobody can break off. Then what these use must
     * not be freed, the engine has left its own, and the program had better end. */
    bool (*stop)(struct engine *engine);
};

extern const struct engine_kind engine_event;

/* All there are, in the order of their age; NULL after the last. */
extern const struct engine_kind *const engine_kinds[];
/* NULL: there is none of that name. */
const struct engine_kind *engine_find(const char *name);

#endif

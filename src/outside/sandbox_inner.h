/* What the files of the sandbox bank share. Not for others. */
#ifndef STOA_OUTSIDE_SANDBOX_INNER_H
#define STOA_OUTSIDE_SANDBOX_INNER_H

#include "net/loop.h"
#include "outside/sandbox.h"
#include "outside/sandbox_hooks.h"
#include "outside/sandbox_keys.h"
#include "outside/writer.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SANDBOX_ANSWER_MAX = 8 * 1024 * 1024 };

struct sandbox {
    struct app app;
    struct sandbox_config config;
    struct sandbox_account account;
    struct writer *writer;
    struct buf out, scratch; /* the writer's thread's */
    struct sandbox_keys *keys;
    struct sandbox_hooks *hooks;
    uint64_t request_salt;
    atomic_uint_fast64_t requests;
    pthread_mutex_t mutex; /* guards faults and random */
    struct sandbox_faults faults;
    struct random random;
};

/* What each of the engine's threads has. */
struct sandbox_thread {
    struct loop *loop;
    struct db *db;
    struct buf out;
};

enum sandbox_access {
    SANDBOX_READS,
    SANDBOX_WRITES,
    SANDBOX_FENCED, /* writes, and looks at Stoa-Fence */
};

struct sandbox_route {
    enum http_method method;
    const char *path; /* with {id} */
    uint64_t known, needed;
    sandbox_check *check; /* may be NULL */
    sandbox_call *call;
    enum sandbox_access access;
    /* In place of a call: what is not of the API, answered at once. */
    void (*view)(struct sandbox *sandbox, struct exchange *x);
};

/* The route of METHOD and PATH, and the {id} in it; NULL. */
const struct sandbox_route *sandbox_route(enum http_method method, struct str path, struct str *id);

/* From the head and body to the answer. */
enum app_verdict sandbox_request(struct sandbox *sandbox, struct exchange *x,
                                 const struct sandbox_route *route, struct str id);
/* Answers with ERROR at once. */
void sandbox_reply_error(struct sandbox *sandbox, struct exchange *x,
                         const struct sandbox_error *error);
struct sandbox_faults sandbox_faults_now(struct sandbox *sandbox);

/* Views (sandbox_view.c): GET /sandbox/ledger, /sandbox/refused, /sandbox/faults and its POST. */
void sandbox_view_ledger(struct sandbox *sandbox, struct exchange *x);
void sandbox_view_refused(struct sandbox *sandbox, struct exchange *x);
void sandbox_view_faults(struct sandbox *sandbox, struct exchange *x);
void sandbox_set_faults(struct sandbox *sandbox, struct exchange *x);

/* PUT /v1/fence: the fence was checked before; says which is the highest. */
sandbox_call call_fence;

#endif

/* Desk: one long job at a time, on a thread of its own, which streams its answer.
 *
 *   desk_take: the exchange has the place, or it is not free
 *   desk_start: the job's thread begins; the exchange answers with what it tells
 *   the job returns and its last bytes are read: the place is free again
 *
 * What the job tells waits in a bounded buffer: when the client does not read it the job
 * waits too; when the client has gone the job goes on and tells nobody (or ends, when it
 * looks at what desk_tell says).
 */
#ifndef STOA_WEB_DESK_H
#define STOA_WEB_DESK_H

#include "base/err.h"
#include "http/exchange.h"

#include <stdbool.h>

struct desk;
struct desk_claim;

/* Runs on the job's thread; CONTEXT is its own. */
typedef void desk_job(struct desk *desk, void *context);

int desk_new(struct desk **desk, struct failure *failure);
/* The job is asked to end, nothing new begins. Any thread. */
void desk_stop(struct desk *desk);
/* Waits for the job. NULL is fine. */
void desk_free(struct desk *desk);

/* Loop's or helper's thread. NULL: not free, or no memory. The claim is given back when X
 * ends without a job. */
struct desk_claim *desk_take(struct exchange *x, struct desk *desk);

/* Starts JOB and makes its stream X's answer: 200 of TYPE (a literal). 0, or ERR_NOMEM: then
 * CONTEXT is still the caller's. */
int desk_start(struct exchange *x, struct desk_claim *claim, desk_job *job, void *context,
               struct str type);

/* The job's thread: BYTES follow. False: nobody listens any more, or the desk stops. */
bool desk_tell(struct desk *desk, struct str bytes);
/* The job's thread, before it returns: what was told is not complete; the answer breaks off
 * instead of ending as if it were. */
void desk_broken(struct desk *desk);
/* Set once desk_stop was called. */
const _Atomic bool *desk_stopping(const struct desk *desk);

#endif

/* Submit: a command from a handler into the order, and back to the exchange's thread.
 *
 *   handler --submit_command--> order … applied … --(applier's thread: copies the
 *   result record, exchange_continue)--> exchange's own thread: decodes, calls THEN
 *
 * Nothing is rendered on the applier's thread. THEN may submit again, and so on; when
 * it returns APP_DONE its answer goes out.
 */
#ifndef STOA_WEB_SUBMIT_H
#define STOA_WEB_SUBMIT_H

#include "engine/app.h"
#include "outside/buy.h"
#include "shop/command.h"

struct outcome {
    /* ERR_OK: the command was applied, and result says what came of it (result.err may
     * still be an error of the shop's rules). Else why its fate is not known or why it
     * did not happen; result is empty. */
    int err;
    uint64_t index;
    struct result result; /* lent from the exchange */
};

/* Exchange's own thread. APP_WORK is not allowed as an answer of it. */
typedef enum app_verdict submit_then(struct exchange *x, struct outcome *outcome);

/* Submits COMMAND (copied) for X. Returns APP_LATER, or APP_DONE when it could not be
 * submitted and the answer (503, 413) is written. From a handler: `return
 * submit_command(…)`; from a THEN the same. */
enum app_verdict submit_command(struct exchange *x, const struct command *command,
                                submit_then *then);

/* Starts a purchase (outside/buy.h; done and context are set here). OUTCOME->err is 0 and
 * result tells how it ended. As submit_command otherwise. */
enum app_verdict submit_purchase(struct exchange *x, const struct buy_request *request,
                                 submit_then *then);

/* For other ways of waiting (a call of the outside): returns APP_LATER; somebody
 * calls exchange_continue(x, submit_resume) once, from any thread, and then STEP runs on
 * the exchange's own thread with the rules of a submit_then; its OUTCOME is NULL. */
enum app_verdict submit_wait(struct exchange *x, submit_then *step);
void submit_resume(struct exchange *x);

#endif

#include "web/pass.h"

#include "web/api.h"
#include "web/call.h"
#include "web/carry.h"
#include "web/inner.h"
#include "web/relay.h"

#include <stdlib.h>

enum { LOOK_MS = 10 /* how often those who wait look for a writer */ };

struct passes {
    struct carriers *carriers;
};

/* ---- What goes where ---- */

bool pass_is_reader(const struct exchange *x)
{
    return call_web(x)->settings.writer.find != NULL;
}

bool pass_is_own(const struct route *route)
{
    static const char *const own[] = {"/livez", "/healthz", "/metrics", "/api/v1/changes"};
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(route->pattern, own[i]) == 0)
            return true;
    return false;
}

bool pass_reads(const struct route *route, bool in_cluster)
{
    struct str pattern = str_of(route->pattern);
    if (route->method == HTTP_POST)
        return str_starts(pattern, STR("/catalog/"));
    if (route->method != HTTP_GET)
        return false;
    /* What a platform hands over becomes a cart of the browser's. Only the writer knows where a
     * cluster's other servers are, who may have a file of the media. */
    if (str_ends(pattern, STR("/open")) || (in_cluster && str_starts(pattern, STR("/media/"))))
        return false;
    if (route->face == FACE_OPERATOR)
        return route->gate == GATE_READ && str_starts(pattern, STR("/admin/api/"));
    return route->face == FACE_PAGES || route->face == FACE_UCP;
}

/* ---- There and back ---- */

static void answered(struct exchange *x)
{
    const struct carry *carry = call_of(x)->own;
    if (!carry_err(carry))
        carry_answer(x, carry);
    else
        call_fail_err(x, carry_err(carry));
    exchange_finish(x);
}

/* Nobody has looked at it: whoever sent it here took us for the writer. */
static enum app_verdict turn_away(struct exchange *x)
{
    exchange_add_header(x, STR(CARRY_REFUSED), STR("1"));
    return call_fail_err(x, ERR_NOPRIMARY);
}

enum app_verdict pass_on(struct exchange *x)
{
    struct web *web = call_web(x);
    if (inner_is_client(x))
        return inner_pass(x);
    if (relay_has_come(x))
        return turn_away(x);
    struct carry *carry = carry_new(web->passes->carriers, x);
    if (!carry)
        return call_fail_err(x, ERR_NOMEM);
    call_of(x)->own = carry;
    carry_add_header(carry, STR(RELAY_HEADER), STR("1"));
    if (carry_send(carry, answered))
        return call_fail_err(x, ERR_FULL);
    atomic_fetch_add_explicit(&web->relayed, 1, memory_order_relaxed);
    return APP_LATER;
}

void pass_accept(struct exchange *x)
{
    if (call_of(x)->face == FACE_OPERATOR && inner_is_client(x))
        inner_accept(x);
    else if (call_of(x)->face == FACE_OPERATOR)
        api_refuse(x, 409, "reader",
                   STR("This process reads the shop that another one writes: send uploads to that "
                       "one, whose address is in server.json of the data directory."),
                   STR(""));
    else
        x->body_limit = CARRY_BODY_MAX;
}

/* ---- All of them ---- */

static bool find(void *context, unsigned attempt, char *url, size_t size)
{
    const struct web_writer *writer = context;
    return writer->find(writer->context, attempt > 0, url, size);
}

int passes_new(const struct web_writer *writer, struct passes **out, struct failure *failure)
{
    struct passes *passes = calloc(1, sizeof *passes);
    struct carriers_config config = {
        .context = (void *)writer,
        .find = find,
        .trust.plain = true,
        .name = "stoa-pass",
        .look_ms = LOOK_MS,
    };
    *out = NULL;
    if (!passes)
        return fail(failure, ERR_NOMEM, "no memory for requests to the writer");
    int err = carriers_new(&config, &passes->carriers, failure);
    if (err)
        free(passes);
    else
        *out = passes;
    return err;
}

void passes_stop(struct passes *passes, uint32_t grace_ms)
{
    carriers_stop(passes->carriers, grace_ms);
}

void passes_free(struct passes *passes)
{
    if (!passes)
        return;
    carriers_free(passes->carriers);
    free(passes);
}

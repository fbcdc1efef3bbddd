#include "balance/retry.h"

/* From 20 to 50 ms: an election takes some hundred, and those who wait must not come back all at
 * once. */
#define PAUSE_LEAST_NS (20 * MS_NS)
#define PAUSE_MOST_NS  (50 * MS_NS)

bool retry_costs(enum retry_reason reason)
{
    return reason == RETRY_RESET || reason == RETRY_RUBBISH || reason == RETRY_SILENT ||
           reason == RETRY_BUSY;
}

static bool has_patience(const struct retry_case *is)
{
    uint64_t pause_ns = PAUSE_MOST_NS;
    return is->now_ns - is->began_ns + pause_ns < RETRY_PATIENCE_NS &&
           is->now_ns + pause_ns < is->deadline_ns;
}

enum retry_verdict retry_decide(const struct retry_case *is)
{
    bool said_no = is->reason == RETRY_REFUSED || is->reason == RETRY_UNHEARD;
    if (!is->kept || is->now_ns >= is->deadline_ns)
        return RETRY_GIVE_UP;
    if (is->reason == RETRY_BUSY)
        return is->others && !is->was_busy ? RETRY_AT_ONCE : RETRY_GIVE_UP;
    if (is->sent && !is->repeatable)
        return RETRY_GIVE_UP;
    if (retry_costs(is->reason) && is->costly >= RETRY_MOST)
        return RETRY_GIVE_UP;
    if (is->reason == RETRY_STALE || is->others)
        return RETRY_AT_ONCE;
    if (is->shop && (said_no || is->reason == RETRY_ELSEWHERE || is->costly < RETRY_MOST) &&
        has_patience(is))
        return RETRY_LATER;
    return RETRY_GIVE_UP;
}

uint64_t retry_pause_ns(struct random *random, unsigned rounds)
{
    uint64_t most = PAUSE_LEAST_NS + rounds * (10 * MS_NS);
    if (most > PAUSE_MOST_NS)
        most = PAUSE_MOST_NS;
    return PAUSE_LEAST_NS + random_below(random, most - PAUSE_LEAST_NS + MS_NS);
}

bool retry_is_repeatable(const struct exchange *x)
{
    switch (x->method) {
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_OPTIONS:
    case HTTP_PUT:
    case HTTP_DELETE:
        return true;
    case HTTP_POST:
    case HTTP_PATCH:
        return x->known[HTTP_FIELD_IDEMPOTENCY_KEY].len > 0;
    case HTTP_OTHER: /* TRACE, PROPFIND, SEARCH, REPORT are safe; but who knows each server */
        return false;
    }
    return false;
}

const char *retry_name(enum retry_reason reason)
{
    switch (reason) {
    case RETRY_REFUSED:
        return "refused the connection";
    case RETRY_UNHEARD:
        return "did not take a connection in time";
    case RETRY_STALE:
        return "closed a connection that was kept";
    case RETRY_RESET:
        return "closed the connection before it had answered";
    case RETRY_RUBBISH:
        return "answered with what is no HTTP";
    case RETRY_SILENT:
        return "fell silent";
    case RETRY_ELSEWHERE:
        return "said that another server should be asked";
    case RETRY_BUSY:
        return "had too much to do";
    }
    return "failed";
}

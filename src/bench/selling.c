#include "bench/selling.h"

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static bool is_success(int status)
{
    return status == 200 || status == 201;
}

void selling_body(const char *item, char out[static SELLING_BODY])
{
    snprintf(out, SELLING_BODY, "{\"line_items\":[{\"item\":{\"id\":\"%s\"},\"quantity\":1}]}",
             item);
}

bool selling_now(const struct selling *selling)
{
    return is_success(ask_for(selling->shopper, "/carts", selling->body));
}

int selling_again(const struct selling *selling, double *ms, uint64_t *refused,
                  struct failure *failure)
{
    uint64_t end = selling->begin_ns + selling->deadline_ms * MS_NS;
    int status = ask_for(selling->shopper, "/carts", selling->body);
    while (!is_success(status)) {
        ++*refused;
        if (clock_mono_ns() > end)
            return fail(failure, ERR_TIMEOUT,
                        "nothing could be changed for %u s after the primary had gone (last "
                        "answer: %d)",
                        selling->deadline_ms / 1000, status);
        if (selling->meanwhile)
            selling->meanwhile(selling->context);
        nanosleep(&(struct timespec){0, (long)MS_NS}, NULL);
        status = ask_again(selling->shopper);
    }
    *ms = (double)(clock_mono_ns() - selling->begin_ns) / 1e6;
    return 0;
}

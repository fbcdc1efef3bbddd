/* Budget: how often something may be done besides what was asked for. Pure.
 *
 * When servers fail, sending again helps; when they are overloaded, it makes things worse, the
 * more so the more layers do it. So retries and hedges are paid for: each request earns a share of
 * one, some are free every second so that few requests are not left without, and what is saved is
 * bounded (Finagle's retry budgets; Google SRE book, ch. 22).
 *
 * Thread: one for each budget.
 */
#ifndef STOA_BALANCE_BUDGET_H
#define STOA_BALANCE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget {
    uint32_t share;      /* thousandths of one that a request earns */
    uint32_t per_second; /* that are free */
    uint32_t burst;      /* that can be saved at most */
    uint64_t savings;    /* millionths of one */
    uint64_t since_ns;   /* when time was last counted */
};

/* It begins with all that can be saved. */
void budget_init(struct budget *budget, uint32_t share, uint32_t per_second, uint32_t burst,
                 uint64_t now_ns);
/* A request has come. */
void budget_earn(struct budget *budget);
/* One is wanted. False: there is none. */
bool budget_spend(struct budget *budget, uint64_t now_ns);

#endif

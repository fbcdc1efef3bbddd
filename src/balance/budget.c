#include "balance/budget.h"

#include "base/clock.h"

enum { ONE = 1000000, SECONDS_SAVED = 10, REQUESTS_SAVED = 1000 };

static uint64_t most(const struct budget *budget)
{
    return (uint64_t)budget->per_second * SECONDS_SAVED * ONE +
           (uint64_t)budget->share * REQUESTS_SAVED * (ONE / 1000);
}

static void add(struct budget *budget, uint64_t millionths)
{
    uint64_t room = most(budget) - budget->savings;
    budget->savings += millionths < room ? millionths : room;
}

void budget_init(struct budget *budget, uint32_t share, uint32_t per_second, uint64_t now_ns)
{
    *budget = (struct budget){share, per_second, (uint64_t)per_second * ONE, now_ns};
}

void budget_earn(struct budget *budget)
{
    add(budget, (uint64_t)budget->share * (ONE / 1000));
}

bool budget_spend(struct budget *budget, uint64_t now_ns)
{
    uint64_t passed = now_ns > budget->since_ns ? now_ns - budget->since_ns : 0;
    if (passed > SECONDS_SAVED * SEC_NS)
        passed = SECONDS_SAVED * SEC_NS;
    uint64_t earned = passed / 1000 * budget->per_second; /* us × 1/s = millionths */
    if (earned > 0)
        budget->since_ns = now_ns;
    add(budget, earned);
    if (budget->savings < ONE)
        return false;
    budget->savings -= ONE;
    return true;
}

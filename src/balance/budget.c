#include "balance/budget.h"

#include "base/clock.h"

enum { ONE = 1000000 };

/* Beyond it no more is earned: so long is time looked back at, and no sum overflows. */
#define LOOK_BACK_NS (10 * SEC_NS)

static void add(struct budget *budget, uint64_t millionths)
{
    uint64_t room = (uint64_t)budget->burst * ONE - budget->savings;
    budget->savings += millionths < room ? millionths : room;
}

void budget_init(struct budget *budget, uint32_t share, uint32_t per_second, uint32_t burst,
                 uint64_t now_ns)
{
    *budget = (struct budget){share, per_second, burst, (uint64_t)burst * ONE, now_ns};
}

void budget_earn(struct budget *budget)
{
    add(budget, (uint64_t)budget->share * (ONE / 1000));
}

bool budget_spend(struct budget *budget, uint64_t now_ns)
{
    uint64_t passed = now_ns > budget->since_ns ? now_ns - budget->since_ns : 0;
    if (passed > LOOK_BACK_NS)
        passed = LOOK_BACK_NS;
    uint64_t earned = passed / 1000 * budget->per_second; /* us × 1/s = millionths */
    if (earned > 0)
        budget->since_ns = now_ns;
    add(budget, earned);
    if (budget->savings < ONE)
        return false;
    budget->savings -= ONE;
    return true;
}

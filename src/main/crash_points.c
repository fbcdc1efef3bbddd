#include "main/crash_points.h"

int crash_points_read(struct crash_plan **plan, const struct option_list *rules,
                      struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; !err && i < rules->count; i++)
        err = crash_plan_add(plan, str_of(rules->items[i]), failure);
    return err;
}

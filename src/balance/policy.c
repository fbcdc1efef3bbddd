#include "balance/policy.h"

#include <string.h>

const struct policy *const policies[] = {
    &policy_response_time, &policy_least_connections, &policy_two_choices,
    &policy_prequal,       &policy_bounded_load,      &policy_round_robin,
    &policy_ip_hash,       &policy_failover,          NULL,
};

const struct policy *policy_find(const char *name)
{
    for (unsigned i = 0; policies[i]; i++)
        if (strcmp(policies[i]->name, name) == 0)
            return policies[i];
    return NULL;
}

#include "main/wishes.h"

#include "main/register.h"

#include <stdio.h>

#define READY_PREFIX "cluster/ready/"

char *wishes_ready_key(uint64_t id, char key[WISH_KEY])
{
    snprintf(key, WISH_KEY, READY_PREFIX "%llu", (unsigned long long)id);
    return key;
}

static int take(void *context, struct str key, struct str value)
{
    struct wishes *wishes = context;
    struct server_readiness server = {0};
    struct str prefix = STR(READY_PREFIX);
    if (str_eq(key, STR("cluster/preferred"))) {
        if (str_to_u64(value, &wishes->preferred))
            wishes->preferred = 0;
    } else if (str_eq(key, STR("cluster/failback"))) {
        failback_read(value, &wishes->readiness.failback);
    } else if (str_starts(key, prefix) && !str_to_u64(str_from(key, prefix.len), &server.id) &&
               !readiness_read(value, &server)) {
        readiness_set(&wishes->readiness, &server);
    }
    return 0;
}

int wishes_read(const char *database, struct wishes *wishes, struct failure *failure)
{
    *wishes = (struct wishes){0};
    return register_each(database, "cluster/", take, wishes, failure);
}

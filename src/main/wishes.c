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

int wishes_may_be(const struct cluster_status *status, const struct readiness_table *readiness,
                  const struct server_readiness *server, struct failure *failure)
{
    unsigned hot = 0;
    bool known = false;
    unsigned long long id = server->id;
    for (unsigned i = 0; i < status->count; i++) {
        const struct server_status *each = &status->servers[i];
        bool witness = each->role == SERVER_WITNESS, meant = each->place.id == server->id;
        enum readiness kind = meant ? server->kind : readiness_of(readiness, each->place.id).kind;
        if (meant && witness)
            return fail(failure, ERR_STATE, "server %llu is a witness, which has no shop to apply",
                        id);
        known |= meant;
        hot += !witness && kind == READINESS_HOT;
    }
    if (!known)
        return fail(failure, ERR_NOTFOUND, "there is no server %llu in this cluster", id);
    if (hot == 0)
        return fail(failure, ERR_STATE,
                    "server %llu is the last one that is hot, and the shop needs one that runs and "
                    "applies at once; make another one hot first (stoa ready ID hot)",
                    id);
    return 0;
}

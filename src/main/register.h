/* Register: the cluster's registry (shop/registry.h) as main/ uses it: written through the order,
 * read from this server's own copy. Blocks. Thread: any.
 */
#ifndef STOA_MAIN_REGISTER_H
#define STOA_MAIN_REGISTER_H

#include "base/err.h"
#include "replica/order.h"
#include "shop/command.h"

struct registration {
    const char *key;
    struct str value; /* empty: removes the entry */
    enum registry_condition condition;
    struct str expected; /* REGISTRY_SAME */
};

/* ERR_CONFLICT: the entry is not as the condition demands. Returns when this server's own copy
 * has it. */
int register_put(struct ordering *order, const struct registration *what, struct failure *failure);

/* Returns when this server's own copy has all that was acknowledged before the call. */
int register_catch_up(struct ordering *order, struct failure *failure);

/* The value of KEY as text. ERR_NOTFOUND (without a text): there is none. FRESH: nothing that was
 * acknowledged anywhere before the call is missed (costs a round through the order). */
int register_get(struct ordering *order, const char *database, const char *key, bool fresh,
                 char *value, size_t size, struct failure *failure);

/* Calls EACH with the entries whose keys begin with PREFIX, until it returns nonzero. */
int register_each(const char *database, const char *prefix,
                  int (*each)(void *context, struct str key, struct str value), void *context,
                  struct failure *failure);

#endif

#include "engine/amped.h"
#include "engine/engine.h"
#include "engine/fork.h"
#include "engine/loop.h"
#include "engine/pool.h"
#include "engine/seda.h"
#include "engine/thread.h"

#include <string.h>

const struct engine_kind *const engine_kinds[] = {
    &engine_loop,  &engine_thread, &engine_fork, &engine_pool,
    &engine_event, &engine_amped,  &engine_seda, NULL};

const struct engine_kind *engine_find(const char *name)
{
    for (unsigned i = 0; engine_kinds[i]; i++)
        if (strcmp(engine_kinds[i]->name, name) == 0)
            return engine_kinds[i];
    return NULL;
}

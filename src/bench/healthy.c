#include "bench/healthy.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>
#include <yyjson.h>

enum { HEALTHY_MS = 30000 /* at most */, LOOK_MS = 20 };

struct view {
    unsigned up, primary; /* primary: from 0; HEALTHY_SERVERS: none */
    uint64_t worst_lag;
};

static bool look(struct ask *asked, struct view *view)
{
    *view = (struct view){.primary = HEALTHY_SERVERS};
    if (ask_for(asked, "/api/v1/cluster", NULL) != 200)
        return false;
    struct str text = ask_text(asked);
    yyjson_doc *doc = yyjson_read(text.at, text.len, 0);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "servers");
    yyjson_val *server;
    yyjson_arr_iter each = yyjson_arr_iter_with(list);
    while ((server = yyjson_arr_iter_next(&each))) {
        const char *role = yyjson_get_str(yyjson_obj_get(server, "role"));
        const char *state = yyjson_get_str(yyjson_obj_get(server, "state"));
        uint64_t id = yyjson_get_uint(yyjson_obj_get(server, "id"));
        uint64_t lag = yyjson_get_uint(yyjson_obj_get(server, "lag_entries"));
        view->up += state && strcmp(state, "up") == 0;
        view->worst_lag = lag > view->worst_lag ? lag : view->worst_lag;
        if (role && strcmp(role, "primary") == 0 && id >= 1 && id <= HEALTHY_SERVERS)
            view->primary = (unsigned)id - 1;
    }
    yyjson_doc_free(doc);
    return true;
}

int healthy_wait(struct ask *const operators[HEALTHY_SERVERS], uint64_t lag, unsigned *primary,
                 struct failure *failure)
{
    uint64_t end = clock_mono_ns() + HEALTHY_MS * MS_NS;
    while (clock_mono_ns() < end) {
        unsigned agree = 0;
        struct view first = {.primary = HEALTHY_SERVERS}, view;
        for (unsigned i = 0; i < HEALTHY_SERVERS; i++) {
            if (!look(operators[i], &view) || view.up != HEALTHY_SERVERS || view.worst_lag > lag ||
                view.primary == HEALTHY_SERVERS)
                break;
            if (i == 0)
                first = view;
            agree += view.primary == first.primary;
        }
        if (agree == HEALTHY_SERVERS) {
            *primary = first.primary;
            return 0;
        }
        nanosleep(&(struct timespec){0, LOOK_MS * (long)MS_NS}, NULL);
    }
    return fail(failure, ERR_TIMEOUT,
                "the three servers were not all up and caught up within %d s of each other",
                HEALTHY_MS / 1000);
}

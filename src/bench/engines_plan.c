/* Who takes part, and what is measured. */
#include "base/check.h"
#include "base/str.h"
#include "bench/engines_run.h"
#include "engine/engine.h"

#include <string.h>

enum {
    ADMISSION_MS = 100,
    OVERLOAD_CONNECTIONS = 2000,
    OVERLOAD_CONNECTIONS_QUICK = 200,
    PROCESSES = 12000,
    NAME_MAX_SHOWN = 40,
};

/* With --quick those that are marked. */
static const struct {
    struct engines_cell cell;
    bool quick;
} cells[] = {
    {{"cached, 1 connection", ENGINES_CACHED, 1, 0}, true},
    {{"cached, 8 connections", ENGINES_CACHED, 8, 0}, false},
    {{"cached, 64 connections", ENGINES_CACHED, ENGINES_MIDDLE, 0}, true},
    {{"cached, 512 connections", ENGINES_CACHED, 512, 0}, true},
    {{"cached, 2,000 connections", ENGINES_CACHED, 2000, 0}, false},
    {{"cached, 10,000 connections", ENGINES_CACHED, 10000, 0}, false},
    {{"computing, capacity", ENGINES_COMPUTE, 0, 0}, true},
    {{"cached, paced", ENGINES_DISK_ALONE, ENGINES_MIDDLE, 0}, true},
    {{"cached beside the disk", ENGINES_DISK, ENGINES_MIDDLE, 0}, true},
    {{"short and long", ENGINES_MIX, ENGINES_MIDDLE, 0}, true},
    {{"0.5 × capacity", ENGINES_OVERLOAD, OVERLOAD_CONNECTIONS, 0.5}, false},
    {{"0.9 × capacity", ENGINES_OVERLOAD, OVERLOAD_CONNECTIONS, 0.9}, true},
    {{"1.5 × capacity", ENGINES_OVERLOAD, OVERLOAD_CONNECTIONS, 1.5}, false},
    {{"2 × capacity", ENGINES_OVERLOAD, OVERLOAD_CONNECTIONS, 2}, true},
};

/* Those whose engine_config.admission_ms means something. */
static const char *const admits[] = {"event", "seda"};

static bool is_wanted(const char *only, const char *name)
{
    struct str rest = str_of(only), word;
    if (!only || !only[0])
        return true;
    while (str_cut(&rest, ',', &word))
        if (str_eq(str_trim(word), str_of(name)))
            return true;
    return false;
}

int engines_run_unknown(struct str name, struct failure *failure)
{
    char all[128] = "";
    for (unsigned i = 0; engine_kinds[i]; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "",
                 engine_kinds[i]->name);
    return fail(failure, ERR_INVALID, "there is no engine \"%.*s\"; there are %s",
                (int)(name.len < NAME_MAX_SHOWN ? name.len : NAME_MAX_SHOWN), name.at, all);
}

static int check_names(const char *only, struct failure *failure)
{
    struct str rest = str_of(only), word;
    char name[32];
    while (only && only[0] && str_cut(&rest, ',', &word)) {
        word = str_trim(word);
        if (word.len >= sizeof name)
            return engines_run_unknown(word, failure);
        str_copy(name, sizeof name, word);
        if (!engine_find(name))
            return engines_run_unknown(word, failure);
    }
    return 0;
}

static void add_contestant(struct engines_report *report, const struct engine_kind *kind,
                           uint32_t admission_ms)
{
    CHECK(report->contestant_count < ENGINES_CONTESTANTS_MAX);
    unsigned at = report->contestant_count++, plain = at;
    struct engines_contestant *contestant = &report->contestants[at];
    for (unsigned i = 0; i < at; i++)
        if (strcmp(report->contestants[i].engine, kind->name) == 0)
            plain = i;
    *contestant = (struct engines_contestant){
        .engine = kind->name,
        .about = kind->about,
        .admission_ms = admission_ms,
        /* Elsewhere a bound, or found; of it this engine is to have a process for each. */
        .workers = strcmp(kind->name, "fork") == 0 ? PROCESSES : 0,
        .plain = plain,
    };
    snprintf(contestant->name, sizeof contestant->name, "%.20s%s", kind->name,
             admission_ms ? ", admission" : "");
}

int engines_run_lay_out(const struct engines_plan *plan, struct engines_report *report,
                        struct failure *failure)
{
    int err = check_names(plan->only, failure);
    if (err)
        return err;
    if (plan->rounds > ENGINES_ROUNDS_MAX)
        return fail(failure, ERR_INVALID, "--rounds %u: there may be %d at most", plan->rounds,
                    ENGINES_ROUNDS_MAX);
    for (unsigned i = 0; engine_kinds[i]; i++)
        if (is_wanted(plan->only, engine_kinds[i]->name))
            add_contestant(report, engine_kinds[i], 0);
    for (unsigned i = 0; i < COUNT_OF(admits); i++)
        if (engine_find(admits[i]) && is_wanted(plan->only, admits[i]))
            add_contestant(report, engine_find(admits[i]), ADMISSION_MS);
    for (unsigned i = 0; i < COUNT_OF(cells); i++) {
        if (plan->quick && !cells[i].quick)
            continue;
        CHECK(report->cell_count < ENGINES_CELLS_MAX);
        struct engines_cell *cell = &report->cells[report->cell_count++];
        *cell = cells[i].cell;
        if (plan->quick && cell->work == ENGINES_OVERLOAD)
            cell->connections = OVERLOAD_CONNECTIONS_QUICK;
    }
    report->rounds = plan->rounds;
    report->seconds = plan->seconds;
    report->warm_up_seconds = plan->warm_up_seconds;
    report->quick = plan->quick;
    return 0;
}

/* What is measured. */
#include "base/check.h"
#include "base/str.h"
#include "bench/tiers_run.h"
#include "scale/rule.h"

#include <string.h>

enum {
    WORKERS_MOST = 8,
    FRONTS_MOST = 2,
    ENOUGH = 5, /* workers for three times what one can do: 3 + √3, rounded up */
    CONNECTIONS = 512,
    CONNECTIONS_CLOSED = 64,
    SLOTS = 512,
    SLOTS_MANY = 3600, /* more than a crowd needs: a class has five eighths, if it is alone */
    CROWD = 2000,
    HELPERS = 2,    /* as an engine has them */
    OVERLOADED = 2, /* workers */
};

const char *const tiers_part_names[TIERS_PARTS] = {
#define X(name, word) word,
    TIERS_PART_LIST(X)
#undef X
};

struct laying {
    const struct tiers_plan *plan;
    struct tiers_report *report;
};

static bool is_wanted(const char *only, const char *name)
{
    struct str rest = str_of(only), word;
    while (str_cut(&rest, ',', &word))
        if (str_eq(str_trim(word), str_of(name)))
            return true;
    return false;
}

static bool wants(const struct laying *laying, const struct tiers_cell *cell)
{
    const char *only = laying->plan->only;
    bool is_shape = cell->part == TIERS_RULES;
    return !only || !only[0] || is_wanted(only, tiers_part_names[cell->part]) ||
           (is_shape && is_wanted(only, tiers_shape_names[cell->shape]));
}

static void add(struct laying *laying, const struct tiers_cell *cell)
{
    struct tiers_report *report = laying->report;
    if (!wants(laying, cell))
        return;
    CHECK(report->cell_count < TIERS_CELLS_MAX);
    report->cells[report->cell_count++] = *cell;
}

/* ---- Each question ---- */

static void add_rule(struct laying *laying, enum tiers_shape shape, const char *rule)
{
    struct tiers_cell cell = {
        .part = TIERS_RULES,
        .setup = {.rule = rule,
                  .workers = rule ? 1 : ENOUGH,
                  .workers_most = rule ? WORKERS_MOST : ENOUGH,
                  .fronts = 1,
                  .fronts_most = FRONTS_MOST,
                  .helpers = 1,
                  .slots = SLOTS},
        .page = TIERS_PAGE_WAITING,
        .loop = TIERS_PACED,
        .shape = shape,
        .connections = CONNECTIONS,
    };
    snprintf(cell.name, sizeof cell.name, "%s", tiers_shape_names[shape]);
    if (rule)
        snprintf(cell.who, sizeof cell.who, "%s", rule);
    else
        snprintf(cell.who, sizeof cell.who, "always %d", ENOUGH);
    add(laying, &cell);
}

/* With --quick: two loads, two rules. */
static void add_rules(struct laying *laying)
{
    bool quick = laying->plan->quick;
    for (enum tiers_shape shape = TIERS_STEP; shape <= TIERS_TRACE; shape++) {
        if (shape == TIERS_TRACE && !laying->plan->trace)
            continue;
        if (quick && shape != TIERS_STEP && shape != TIERS_SPIKE && shape != TIERS_TRACE)
            continue;
        for (unsigned i = 0; scale_rules[i] && !(quick && i == 2); i++)
            add_rule(laying, shape, scale_rules[i]->name);
        if (!quick)
            add_rule(laying, shape, NULL);
    }
}

static void add_size(struct laying *laying, unsigned workers, double load)
{
    struct tiers_cell cell = {
        .part = TIERS_SIZES,
        .setup = {.workers = workers,
                  .workers_most = workers,
                  .fronts = 1,
                  .fronts_most = 1,
                  .helpers = 1,
                  .slots = SLOTS},
        .page = TIERS_PAGE_WAITING,
        .loop = TIERS_OPEN,
        .load = load,
        .connections = CONNECTIONS,
    };
    snprintf(cell.name, sizeof cell.name, "%.0f %% of capacity", 100 * load);
    snprintf(cell.who, sizeof cell.who, "%u worker%s", workers, workers > 1 ? "s" : "");
    add(laying, &cell);
}

/* With --quick: one below the knee, one beyond it. */
static void add_sizes(struct laying *laying)
{
    static const unsigned workers[] = {1, 2, 4};
    static const double loads[] = {0.5, 0.7, 0.8, 0.9, 1.0, 1.1};
    bool quick = laying->plan->quick;
    for (unsigned w = 0; w < (quick ? 2u : COUNT_OF(workers)); w++)
        for (unsigned i = 0; i < COUNT_OF(loads); i++)
            if (!quick || i == 0 || i == 3)
                add_size(laying, workers[w], loads[i]);
}

static void add_poll(struct laying *laying, unsigned poll_ms, bool bare)
{
    struct tiers_cell cell = {
        .part = TIERS_POLLS,
        .setup = {.rule = "poll",
                  .workers = 1,
                  .workers_most = WORKERS_MOST,
                  .fronts = 1,
                  .fronts_most = 1,
                  .helpers = 1,
                  .slots = SLOTS,
                  .poll_ms = poll_ms,
                  .bare = bare},
        .page = TIERS_PAGE_WAITING,
        .loop = TIERS_PACED,
        .shape = TIERS_BURSTS,
        .connections = CONNECTIONS,
    };
    snprintf(cell.name, sizeof cell.name, "poll %u ms", poll_ms);
    snprintf(cell.who, sizeof cell.who, bare ? "the rule alone" : "with hold, calm and room");
    add(laying, &cell);
}

static void add_polls(struct laying *laying)
{
    static const unsigned polls[] = {10, 30, 100, 300, 1000};
    bool quick = laying->plan->quick;
    for (unsigned i = 0; i < COUNT_OF(polls); i++)
        if (!quick || i == 1 || i == 3)
            add_poll(laying, polls[i], true);
    for (unsigned i = 0; i < COUNT_OF(polls) && !quick; i++)
        add_poll(laying, polls[i], false);
}

static void add_pair(struct laying *laying, const char *page, const char *name, unsigned fronts,
                     unsigned workers)
{
    struct tiers_cell cell = {
        .part = TIERS_RATIO,
        .setup = {.workers = workers,
                  .workers_most = workers,
                  .fronts = fronts,
                  .fronts_most = fronts,
                  .helpers = 1,
                  .slots = SLOTS},
        .page = page,
        .loop = TIERS_CLOSED,
        .connections = CONNECTIONS_CLOSED,
    };
    snprintf(cell.name, sizeof cell.name, "%s", name);
    snprintf(cell.who, sizeof cell.who, "%u + %u", fronts, workers);
    add(laying, &cell);
}

static void add_ratio(struct laying *laying)
{
    static const struct {
        const char *page, *name;
    } pages[] = {{"/cached", "cached"},
                 {TIERS_PAGE_WAITING, "2 ms + 8 ms of waiting"},
                 {"/compute?us=200", "0.2 ms"}};
    static const unsigned pairs[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {1, 4}};
    bool quick = laying->plan->quick;
    for (unsigned p = 0; p < (quick ? 2u : COUNT_OF(pages)); p++)
        for (unsigned i = 0; i < (quick ? 2u : COUNT_OF(pairs)); i++)
            add_pair(laying, pages[p].page, pages[p].name, pairs[i][0], pairs[i][1]);
}

/* As much as goes, and then much more of the same: does the same get done? */
static void add_overloads(struct laying *laying)
{
    static const double loads[] = {2, 4};
    struct tiers_cell cell = {
        .part = TIERS_OVERLOAD,
        .setup = {.workers = OVERLOADED,
                  .workers_most = OVERLOADED,
                  .fronts = 1,
                  .fronts_most = 1,
                  .helpers = 1,
                  .slots = SLOTS_MANY},
        .name = "as much as goes",
        .page = TIERS_PAGE_WAITING,
        .loop = TIERS_CLOSED,
        .connections = 4 * OVERLOADED,
    };
    snprintf(cell.who, sizeof cell.who, "%d workers", OVERLOADED);
    add(laying, &cell);
    for (unsigned i = 0; i < (laying->plan->quick ? 1 : COUNT_OF(loads)); i++) {
        cell.loop = TIERS_OPEN;
        cell.load = loads[i];
        cell.connections = CROWD;
        snprintf(cell.name, sizeof cell.name, "%.0f × capacity", cell.load);
        add(laying, &cell);
    }
}

static void add_contestant(struct laying *laying, const struct tiers_cell *load, bool alone,
                           unsigned workers)
{
    struct tiers_cell cell = *load;
    cell.part = TIERS_HOP;
    cell.setup = (struct tiers_setup){.alone = alone,
                                      .workers = workers,
                                      .workers_most = workers,
                                      .fronts = 1,
                                      .fronts_most = 1,
                                      .helpers = alone ? HELPERS : HELPERS / workers,
                                      .slots = SLOTS_MANY,
                                      .apart = true};
    if (alone)
        snprintf(cell.who, sizeof cell.who, "one process");
    else
        snprintf(cell.who, sizeof cell.who, "1 front, %u worker%s", workers,
                 workers > 1 ? "s" : "");
    add(laying, &cell);
}

/* The one process and the tiers under one load; both have as many helpers. */
static void add_hop(struct laying *laying, const struct tiers_cell *load, unsigned workers)
{
    add_contestant(laying, load, true, workers);
    add_contestant(laying, load, false, workers);
}

static void add_hops(struct laying *laying)
{
    static const unsigned connections[] = {1, 64, 512, CROWD};
    static const struct tiers_cell others[] = {
        {.name = "cached, 2,000/s", .page = "/cached", .loop = TIERS_OPEN, .rate = 2000},
        {.name = "computing 1 ms", .page = "/compute?us=1000", .loop = TIERS_CLOSED},
        {.name = "waiting 8 ms, 120/s",
         .page = TIERS_PAGE_WAITING,
         .loop = TIERS_OPEN,
         .rate = 120},
        {.name = "computing 1 ms, 400/s, 2,000 connections",
         .page = "/compute?us=1000",
         .loop = TIERS_OPEN,
         .rate = 400,
         .connections = CROWD},
    };
    bool quick = laying->plan->quick;
    for (unsigned i = 0; i < COUNT_OF(connections); i++) {
        struct tiers_cell cell = {
            .page = "/cached", .loop = TIERS_CLOSED, .connections = connections[i]};
        snprintf(cell.name, sizeof cell.name, "cached, %u connection%s", connections[i],
                 connections[i] > 1 ? "s" : "");
        if (!quick || i == 1)
            add_hop(laying, &cell, 1);
    }
    for (unsigned i = 0; i < COUNT_OF(others) && !quick; i++) {
        struct tiers_cell cell = others[i];
        if (!cell.connections)
            cell.connections = CONNECTIONS_CLOSED;
        add_hop(laying, &cell, i == 0 ? 1 : HELPERS);
    }
}

/* ---- All ---- */

static int check_only(const char *only, struct failure *failure)
{
    struct str rest = str_of(only), word;
    while (only && only[0] && str_cut(&rest, ',', &word)) {
        bool known = false;
        word = str_trim(word);
        for (unsigned i = 0; i < TIERS_PARTS; i++)
            known |= str_eq(word, str_of(tiers_part_names[i]));
        for (unsigned i = 0; i <= TIERS_TRACE; i++)
            known |= str_eq(word, str_of(tiers_shape_names[i]));
        if (!known)
            return fail(failure, ERR_INVALID,
                        "only \"%.*s\" of what? There are rules, sizes, polls, ratio, overload and "
                        "hop, and of rules step, ramp, spike, day, steady and trace",
                        (int)(word.len < 40 ? word.len : 40), word.at);
    }
    return 0;
}

int tiers_run_lay_out(const struct tiers_plan *plan, struct tiers_report *report,
                      struct failure *failure)
{
    struct laying laying = {plan, report};
    int err = check_only(plan->only, failure);
    if (err)
        return err;
    if (plan->rounds > TIERS_ROUNDS_MAX)
        return fail(failure, ERR_INVALID, "--rounds %u: there may be %d at most", plan->rounds,
                    TIERS_ROUNDS_MAX);
    add_rules(&laying);
    add_sizes(&laying);
    add_polls(&laying);
    add_ratio(&laying);
    add_overloads(&laying);
    add_hops(&laying);
    if (report->cell_count == 0)
        return fail(failure, ERR_INVALID,
                    "nothing is left to be measured: trace needs --load FILE");
    report->rounds = plan->rounds;
    report->seconds = plan->seconds;
    report->warm_up_seconds = plan->warm_up_seconds;
    report->limit_ms = plan->limit_ms;
    report->quick = plan->quick;
    return 0;
}

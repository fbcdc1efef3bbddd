#include "main/fleet_choice.h"

#include "base/clock.h"
#include "scale/placeholder.h"

/* ---- Whether they go together ---- */

static bool is_by_command(const struct fleet_settings *settings)
{
    return settings->up[0] != '\0' || settings->down[0] != '\0';
}

static int read_machines(const struct option_list *list, struct fleet_machines *machines,
                         struct failure *failure)
{
    int err = 0;
    for (unsigned i = 0; i < list->count && !err; i++)
        err = fleet_machines_add(machines, list->items[i], failure);
    return err;
}

static int check_count(const struct fleet_settings *settings, struct failure *failure)
{
    if (settings->down[0])
        return fail(failure, ERR_INVALID,
                    "--scale-down is given, but --scale-up is told {count} and does both");
    if (settings->machines.count > 0)
        return fail(failure, ERR_INVALID,
                    "--scale-machine is given, but --scale-up is told {count}, not which member");
    return launcher_count_check(settings->up, failure);
}

static int check_members(const struct fleet_settings *settings,
                         const struct fleet_machines *machines, const unsigned most[FLEET_TIERS],
                         struct failure *failure)
{
    unsigned room = fleet_machines_most(machines);
    for (unsigned i = 0; i < FLEET_TIERS; i++)
        if (machines->count > 0 && most[i] > room)
            return fail(failure, ERR_INVALID,
                        "the machines have room for %u members of a tier, but there may be %u %ss: "
                        "give more by --scale-machine, or allow fewer",
                        room, most[i], fleet_tier_name((enum fleet_tier)i));
    return launcher_command_check(settings->up, settings->down, machines, failure);
}

/* One command serves both tiers only if it is told which. */
static int check_tier(const char *name, const char *command, struct failure *failure)
{
    if (!command[0] || placeholder_is_in(command, "tier"))
        return 0;
    return fail(failure, ERR_INVALID,
                "%s does not say which tier is meant, and there are two: write {tier} where "
                "\"worker\" or \"front\" belongs",
                name);
}

int fleet_choice_check(const struct fleet_settings *settings, const unsigned most[FLEET_TIERS],
                       struct failure *failure)
{
    struct fleet_machines machines = {0};
    int err = read_machines(&settings->machines, &machines, failure);
    if (err)
        return ERR_INVALID;
    if (!is_by_command(settings))
        return machines.count == 0
                   ? 0
                   : fail(failure, ERR_INVALID,
                          "--scale-machine is given without --scale-up: this process starts "
                          "members on its own machine only");
    if (settings->memory_bytes || settings->cpu_share)
        return fail(failure, ERR_INVALID,
                    "--member-memory and --member-cpu limit processes of this machine; with "
                    "--scale-up, let what starts the members limit them");
    bool has_both = most[FLEET_WORKER] > 0 && most[FLEET_FRONT] > 0;
    if (has_both)
        err = check_tier("--scale-up", settings->up, failure);
    if (has_both && !err)
        err = check_tier("--scale-down", settings->down, failure);
    if (!err)
        err = launcher_count_is(settings->up) ? check_count(settings, failure)
                                              : check_members(settings, &machines, most, failure);
    return err;
}

/* ---- Putting together ---- */

static int open_here(struct fleet_choice *choice, enum fleet_tier tier,
                     const struct fleet_choice_tier *its, struct fleet_tier_config *config,
                     struct failure *failure)
{
    const struct launcher_here_config here = {.tier = fleet_tier_name(tier),
                                              .words = its->words,
                                              .ready = its->ready,
                                              .keeps_log = tier == FLEET_FRONT,
                                              .cgroup = choice->cgroup};
    int err = launcher_here_new(&here, &choice->here[tier], failure);
    config->launcher = &launcher_here;
    config->context = choice->here[tier];
    return err;
}

static int open_commands(struct fleet_choice *choice, enum fleet_tier tier,
                         const struct fleet_settings *settings, const struct log *log,
                         struct fleet_tier_config *config, struct failure *failure)
{
    const struct launcher_command_config commands = {
        .tier = fleet_tier_name(tier),
        .up = settings->up,
        .down = settings->down,
        .machines = &choice->machines,
        .limit_ms = (uint32_t)settings->command_ms,
        .log = log,
    };
    int err = launcher_command_new(&commands, &choice->commands[tier], failure);
    config->launcher = &launcher_command;
    config->context = choice->commands[tier];
    return err;
}

static int open_count(struct fleet_choice *choice, enum fleet_tier tier,
                      const struct fleet_settings *settings, const struct log *log,
                      struct fleet_tier_config *config, struct failure *failure)
{
    const struct launcher_count_config count = {
        .tier = fleet_tier_name(tier),
        .command = settings->up,
        .limit_ms = (uint32_t)settings->command_ms,
        .log = log,
    };
    int err = launcher_count_new(&count, &choice->counts[tier], failure);
    config->launcher = &launcher_count;
    config->context = choice->counts[tier];
    return err;
}

static struct fleet_rules rules_of(const struct fleet_settings *settings, unsigned most)
{
    struct fleet_rules rules = fleet_rules_usual(most);
    if (is_by_command(settings))
        rules.ready_ns = 120 * SEC_NS; /* a machine may have to be found for it */
    if (settings->ready_ms)
        rules.ready_ns = settings->ready_ms * MS_NS;
    rules.grace_ns = settings->drain_ms * MS_NS;
    return rules;
}

int fleet_choice_open(struct fleet_choice *choice, const struct fleet_settings *settings,
                      const struct fleet_choice_tier tiers[FLEET_TIERS], const struct log *log,
                      struct failure *failure)
{
    const struct cgroup_limits limits = {settings->memory_bytes, settings->cpu_share};
    struct fleet_config config = {.log = log};
    *choice = (struct fleet_choice){.is_here = !is_by_command(settings)};
    int err = read_machines(&settings->machines, &choice->machines, failure);
    if (!err && !is_by_command(settings))
        choice->cgroup = cgroup_open(&limits, log);
    for (unsigned i = 0; i < FLEET_TIERS && !err; i++) {
        enum fleet_tier tier = (enum fleet_tier)i;
        struct fleet_tier_config *its = &config.tiers[i];
        its->rules = rules_of(settings, tiers[i].most);
        if (tiers[i].most == 0)
            continue;
        if (!is_by_command(settings))
            err = open_here(choice, tier, &tiers[i], its, failure);
        else if (launcher_count_is(settings->up))
            err = open_count(choice, tier, settings, log, its, failure);
        else
            err = open_commands(choice, tier, settings, log, its, failure);
    }
    err = err ? err : fleet_new(&config, &choice->fleet, failure);
    if (err)
        fleet_choice_close(choice);
    return err;
}

void fleet_choice_close(struct fleet_choice *choice)
{
    fleet_free(choice->fleet);
    for (unsigned i = 0; i < FLEET_TIERS; i++) {
        launcher_here_free(choice->here[i]);
        launcher_command_free(choice->commands[i]);
        launcher_count_free(choice->counts[i]);
    }
    cgroup_close(choice->cgroup);
    *choice = (struct fleet_choice){0};
}

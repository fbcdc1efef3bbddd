#include "scale/fleet_place.h"

#include "base/check.h"
#include "base/str.h"
#include "scale/fleet_step.h"

static bool is_plain(struct str name)
{
    static const char others[] = "-_.:@";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_other = i > 0 && memchr(others, c, sizeof others - 1) != NULL;
        if (!is_letter && !(c >= '0' && c <= '9') && !is_other)
            return false;
    }
    return name.len > 0;
}

static bool is_known(const struct fleet_machines *machines, struct str name)
{
    for (unsigned i = 0; i < machines->count; i++)
        if (str_eq(str_of(machines->machines[i].name), name))
            return true;
    return false;
}

int fleet_machines_add(struct fleet_machines *machines, const char *text, struct failure *failure)
{
    struct str rest = str_of(text), name;
    uint64_t most = 0;
    if (!str_cut(&rest, '=', &name) || !is_plain(name) || name.len >= FLEET_MACHINE_NAME ||
        rest.at == NULL || str_to_u64(rest, &most) || most == 0 || most > FLEET_SLOTS)
        return fail(
            failure, ERR_INVALID,
            "\"%.100s\" is no machine and the number of members that it may have (1 to %d), "
            "like web1=4",
            text, FLEET_SLOTS);
    if (is_known(machines, name))
        return fail(failure, ERR_EXISTS, "machine %.*s is given twice", STR_FMT(name));
    if (machines->count == FLEET_MACHINES)
        return fail(failure, ERR_FULL, "more than %d machines are given", FLEET_MACHINES);
    struct fleet_machine *machine = &machines->machines[machines->count++];
    str_copy(machine->name, sizeof machine->name, name);
    machine->most = (unsigned)most;
    return 0;
}

unsigned fleet_machines_most(const struct fleet_machines *machines)
{
    unsigned most = 0;
    for (unsigned i = 0; i < machines->count; i++)
        most += machines->machines[i].most;
    return most < FLEET_SLOTS ? most : FLEET_SLOTS;
}

/* The one with the smallest USED / most that has room. */
static unsigned emptiest(const struct fleet_machines *machines, const unsigned *used)
{
    unsigned best = machines->count;
    for (unsigned i = 0; i < machines->count; i++) {
        if (used[i] == machines->machines[i].most)
            continue;
        if (best == machines->count ||
            used[i] * machines->machines[best].most < used[best] * machines->machines[i].most)
            best = i;
    }
    return best;
}

const struct fleet_machine *fleet_place_of(const struct fleet_machines *machines, unsigned number)
{
    unsigned used[FLEET_MACHINES] = {0}, at = 0;
    CHECK(number >= 1 && number <= fleet_machines_most(machines));
    for (unsigned i = 0; i < number; i++) {
        at = emptiest(machines, used);
        used[at]++;
    }
    return &machines->machines[at];
}

#include "replica/wake.h"

#include "replica/failback.h"
#include "replica/membership.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Up for so long: the pauses begin anew. Who was to catch up, or to make a majority, has done so
 * soon and ends when it is not needed; and it may be missed right after that. */
enum { WELL_MS = 60000, SOON_MS = 3000 };

/* What a rule looks at. */
struct muster {
    struct wake *wake;
    const struct wake_config *config;
    const struct cluster_status *status;
    uint64_t now_ms;
    struct wake_call *calls;
    unsigned count;
};

static bool is_whole(const struct server_status *server)
{
    return membership_kind(server->role == SERVER_WITNESS, server->ready) == MEMBER_WHOLE;
}

static bool is_cold(const struct server_status *server)
{
    return membership_kind(server->role == SERVER_WITNESS, server->ready) == MEMBER_COLD;
}

static bool is_down(const struct server_status *server)
{
    return server->state == SERVER_DOWN;
}

/* ---- What is seen ---- */

static struct wake_history *find(struct wake *wake, uint64_t id)
{
    for (unsigned i = 0; i < wake->count; i++)
        if (wake->servers[i].id == id)
            return &wake->servers[i];
    return NULL;
}

static void forget_former(struct wake *wake, const struct cluster_status *status)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < wake->count; i++)
        for (unsigned k = 0; k < status->count; k++)
            if (status->servers[k].place.id == wake->servers[i].id) {
                wake->servers[kept++] = wake->servers[i];
                break;
            }
    wake->count = kept;
}

static void note(struct wake_history *seen, const struct server_status *server, uint64_t now_ms)
{
    bool up = !is_down(server);
    if (up != seen->up || seen->since_ms == 0) {
        seen->up = up;
        seen->since_ms = now_ms;
    }
    if (up)
        seen->told = false;
    if (up && now_ms - seen->since_ms >= (seen->soon ? SOON_MS : WELL_MS))
        seen->pause_ms = 0;
}

static void observe(const struct muster *muster)
{
    struct wake *wake = muster->wake;
    bool leads = muster->status->primary != 0;
    forget_former(wake, muster->status);
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        struct wake_history *seen = find(wake, server->place.id);
        if (seen == NULL) {
            seen = &wake->servers[wake->count++];
            *seen = (struct wake_history){.id = server->place.id};
        }
        note(seen, server, muster->now_ms);
    }
    if (leads || wake->leaderless_ms == 0)
        wake->leaderless_ms = leads ? 0 : muster->now_ms;
}

/* ---- What a rule asks ---- */

static bool has_command(const struct muster *muster, uint64_t id)
{
    for (unsigned i = 0; i < muster->config->command_count; i++)
        if (muster->config->commands[i] == id)
            return true;
    return false;
}

static uint64_t asleep_ms(const struct muster *muster, const struct server_status *server)
{
    return is_down(server) ? muster->now_ms - find(muster->wake, server->place.id)->since_ms : 0;
}

/* It was called, and may still come. */
static bool is_coming(const struct muster *muster, const struct server_status *server)
{
    const struct wake_history *seen = find(muster->wake, server->place.id);
    return seen->called_ms != 0 && muster->now_ms - seen->called_ms < seen->pause_ms;
}

static bool call(struct muster *muster, const struct server_status *server, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Once a look, and not while it may still come; what nobody here can do is said once. True: its
 * command is to run. */
static bool call(struct muster *muster, const struct server_status *server, const char *format, ...)
{
    struct wake_history *seen = find(muster->wake, server->place.id);
    bool run = has_command(muster, server->place.id);
    if (run ? is_coming(muster, server) : seen->told)
        return false;
    struct wake_call *made = &muster->calls[muster->count++];
    *made = (struct wake_call){.id = server->place.id, .run = run};
    va_list args;
    va_start(args, format);
    vsnprintf(made->why, sizeof made->why, format, args);
    va_end(args);
    seen->told = !run;
    if (!run)
        return false;
    uint64_t longer = seen->pause_ms * 2;
    seen->pause_ms = longer == 0 ? WAKE_PAUSE_MS : longer;
    if (seen->pause_ms > WAKE_PAUSE_MAX_MS)
        seen->pause_ms = WAKE_PAUSE_MAX_MS;
    seen->called_ms = muster->now_ms;
    seen->soon = false;
    return true;
}

/* ---- The rules ---- */

static void call_all(struct muster *muster)
{
    unsigned long long silent_ms = muster->now_ms - muster->wake->leaderless_ms;
    if (muster->wake->leaderless_ms == 0 || silent_ms < muster->config->after_ms)
        return;
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        /* Of readiness a witness that has just been started knows nothing. */
        bool may_sleep = is_cold(server) || has_command(muster, server->place.id);
        if (is_down(server) && may_sleep)
            find(muster->wake, server->place.id)->soon |=
                call(muster, server, "there has been no primary for %llu ms", silent_ms);
    }
}

/* The cold server to be called next: those with a command first, then who was called longest ago.
 * COUNT: none. */
static unsigned next_sleeper(const struct muster *muster)
{
    unsigned best = muster->status->count;
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        if (!is_cold(server) || !is_down(server) || is_coming(muster, server))
            continue;
        if (best == muster->status->count) {
            best = i;
            continue;
        }
        uint64_t id = server->place.id, other = muster->status->servers[best].place.id;
        bool able = has_command(muster, id), other_able = has_command(muster, other);
        bool longer = find(muster->wake, id)->called_ms < find(muster->wake, other)->called_ms;
        if (able != other_able ? able : longer)
            best = i;
    }
    return best;
}

/* One for each that is missing. */
static void call_stand_ins(struct muster *muster)
{
    unsigned lost = 0, standing = 0;
    const struct server_status *missed = NULL;
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        bool is_lost = is_whole(server) && is_down(server) &&
                       asleep_ms(muster, server) >= muster->config->after_ms;
        lost += is_lost;
        missed = is_lost ? server : missed;
        standing += is_cold(server) && (!is_down(server) || is_coming(muster, server));
    }
    for (; lost > standing; standing++) {
        unsigned next = next_sleeper(muster);
        if (next == muster->status->count)
            return;
        call(muster, &muster->status->servers[next], "server %llu has been down for %llu s",
             (unsigned long long)missed->place.id,
             (unsigned long long)(asleep_ms(muster, missed) / 1000));
        if (!has_command(muster, muster->status->servers[next].place.id))
            return; /* the next is none that could be started either */
    }
}

/* To catch up, or since it is to be cold no longer. Who has no command is left to its operator. */
static void call_sleepers(struct muster *muster)
{
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        struct wake_history *seen = find(muster->wake, server->place.id);
        bool wakes = seen->cold && is_whole(server), able = has_command(muster, seen->id);
        if (is_down(server) && wakes)
            call(muster, server, "it is to be %s from now on", readiness_names[server->ready]);
        else if (is_cold(server) && able && asleep_ms(muster, server) >= server->every_ms)
            seen->soon |= call(muster, server, "it has slept for %llu s, and is to catch up",
                               (unsigned long long)(asleep_ms(muster, server) / 1000));
    }
}

static void call_overdue(struct muster *muster)
{
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        if (is_cold(server) && is_down(server) && server->overdue)
            find(muster->wake, server->place.id)->soon |=
                call(muster, server,
                     "this witness keeps more than half of all the log that it can for it "
                     "(--log-max)");
    }
}

static void remember_cold(const struct muster *muster)
{
    for (unsigned i = 0; i < muster->status->count; i++) {
        const struct server_status *server = &muster->status->servers[i];
        find(muster->wake, server->place.id)->cold = is_cold(server) && is_down(server);
    }
}

unsigned wake_decide(struct wake *wake, const struct wake_config *config,
                     const struct cluster_status *status, uint64_t now_ms,
                     struct wake_call calls[CLUSTER_SERVERS_MAX])
{
    struct muster muster = {wake, config, status, now_ms, calls, 0};
    observe(&muster);
    call_all(&muster);
    if (muster.count == 0)
        call_overdue(&muster);
    if (muster.count == 0 && status->primary == status->own)
        call_stand_ins(&muster);
    if (muster.count == 0 && status->primary == status->own)
        call_sleepers(&muster);
    remember_cold(&muster);
    return muster.count;
}

/* ---- The way back ---- */

struct seen_around {
    const struct server_status *own, *primary;
    struct membership_count there;
    unsigned voters, voters_up;
    bool whole; /* all that are neither cold nor witnesses are up and have the log */
};

static bool has_log(const struct server_status *server, const struct server_status *primary)
{
    return server->last_index + MEMBERSHIP_LAG >= primary->last_index;
}

static struct seen_around look_around(const struct cluster_status *status)
{
    struct seen_around around = {.primary = cluster_primary(status), .whole = true};
    for (unsigned i = 0; i < status->count; i++) {
        const struct server_status *server = &status->servers[i];
        around.there.of[membership_kind(server->role == SERVER_WITNESS, server->ready)]++;
        around.voters += server->vote;
        around.voters_up += server->vote && !is_down(server);
        if (server->place.id == status->own)
            around.own = server;
        if (is_whole(server) && around.primary != NULL)
            around.whole &= server->state == SERVER_UP && has_log(server, around.primary);
    }
    return around;
}

/* Its vote is one that needs nobody behind it (membership.h), or it has none. */
static bool votes_as_it_should(const struct seen_around *around)
{
    bool own = membership_wanted(&around->there, 0).of[MEMBER_COLD] > 0;
    return !around->own->vote || (own && (around->voters_up - 1) * 2 > around->voters);
}

/* Whether it has all and nobody is missing, at this moment. */
static bool is_well(const struct cluster_status *status, const struct seen_around *around)
{
    return around->own != NULL && is_cold(around->own) && around->primary != NULL &&
           around->own != around->primary && around->own->state == SERVER_UP && around->whole &&
           around->own->index + MEMBERSHIP_LAG >= around->primary->last_index &&
           status->primary != status->own;
}

static bool is_quiet(struct rest *rest, const struct seen_around *around, uint64_t now_ms)
{
    uint64_t index = around->own->index;
    if (rest->quiet_ms == 0 || index > rest->index + FAILBACK_QUIET_ENTRIES) {
        rest->index = index;
        rest->quiet_ms = now_ms;
    }
    return now_ms - rest->quiet_ms >= FAILBACK_QUIET_MS;
}

static void note_standing_in(struct rest *rest, const struct seen_around *around)
{
    bool own = membership_wanted(&around->there, 0).of[MEMBER_COLD] > 0;
    bool cold = around->own != NULL && is_cold(around->own);
    rest->stood_in =
        cold && (rest->stood_in || around->own == around->primary || (around->own->vote && !own));
}

bool rest_due(struct rest *rest, const struct cluster_status *status, uint64_t now_ms,
              char why[WAKE_WHY])
{
    struct seen_around around = look_around(status);
    note_standing_in(rest, &around);
    bool well = is_well(status, &around);
    if (well && !rest->well)
        rest->well_ms = now_ms;
    rest->well = well;
    if (!well)
        return false;
    bool quiet = is_quiet(rest, &around, now_ms);
    bool stays = (status->failback == FAILBACK_IDLE && !quiet) ||
                 (status->failback == FAILBACK_NEVER && rest->stood_in);
    if (now_ms - rest->well_ms < REST_STEADY_MS || stays || !votes_as_it_should(&around))
        return false;
    snprintf(why, WAKE_WHY,
             "server %llu is cold, has all up to entry %llu, and is not needed: all hot and warm "
             "servers are up, server %llu is primary",
             (unsigned long long)status->own, (unsigned long long)around.own->index,
             (unsigned long long)status->primary);
    return true;
}

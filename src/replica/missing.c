#include "replica/missing.h"

#include <stddef.h>

unsigned missing_to_spare(unsigned voters, unsigned up)
{
    unsigned majority = voters / 2 + 1;
    return up > majority ? up - majority : 0;
}

bool missing_sleeps(const struct server_status *server)
{
    return server->role != SERVER_WITNESS && server->ready == READINESS_COLD &&
           server->state == SERVER_DOWN;
}

struct census {
    unsigned voters, voters_up, wholes;
    const struct server_status *down;    /* a voter with a database; the last of them */
    const struct server_status *most;    /* the one with a database that is up and has most */
    const struct server_status *witness; /* that votes and is up */
    const struct server_status *asleep;  /* a cold voter that is not up */
};

static bool has_more(const struct server_status *a, const struct server_status *b)
{
    return a->last_term != b->last_term ? a->last_term > b->last_term
                                        : a->last_index > b->last_index;
}

static struct census count(const struct cluster_status *status)
{
    struct census census = {0};
    for (unsigned i = 0; i < status->count; i++) {
        const struct server_status *server = &status->servers[i];
        bool up = server->state != SERVER_DOWN, whole = server->role != SERVER_WITNESS;
        census.voters += server->vote;
        census.voters_up += server->vote && up;
        census.wholes += whole;
        bool asleep = server->vote && !up && missing_sleeps(server);
        census.asleep = asleep ? server : census.asleep;
        if (server->vote && whole && !up && !asleep)
            census.down = server;
        if (server->vote && whole && up && (census.most == NULL || has_more(server, census.most)))
            census.most = server;
        if (server->vote && !whole && up)
            census.witness = server;
    }
    return census;
}

/* The witness has what no server has that is up, and no longer all of it. */
static bool is_beyond(const struct census *census)
{
    return census->witness != NULL && census->most != NULL && census->down != NULL &&
           has_more(census->witness, census->most) &&
           census->witness->gives_from > census->most->last_index;
}

static int say_beyond(const struct census *census, struct failure *failure)
{
    unsigned long long down = census->down->place.id, most = census->most->place.id;
    return fail(failure, ERR_TIMEOUT,
                "there is no primary: server %llu has changes (entries %llu to %llu) that no "
                "server which is up has, and the witness keeps them no more. Start server %llu. If "
                "it is lost for good, so are they: `stoa recover` on server %llu goes on without "
                "them",
                down, (unsigned long long)census->most->last_index + 1,
                (unsigned long long)census->witness->last_index, down, most);
}

static int say_two(const struct census *census, struct failure *failure)
{
    unsigned long long down = census->down->place.id;
    return fail(failure, ERR_TIMEOUT,
                "there is no primary: server %llu cannot be reached. It may be dead, or only cut "
                "off and selling; with two servers neither may go on alone. Start server %llu; if "
                "it is lost for good, `stoa recover` here (what only it had is lost). A witness on "
                "a third machine decides that by itself: see `stoa witness --help`",
                down, down);
}

static int say_cold(const struct census *census, struct failure *failure)
{
    unsigned long long id = census->asleep->place.id;
    return fail(failure, ERR_TIMEOUT,
                "there is no primary: %u of %u servers with a vote are up, and more than half must "
                "be. Server %llu is cold and makes it one more: it is being woken, or has to be "
                "started on its machine (systemctl start stoa, or stoa serve --dir DIR)",
                census->voters_up, census->voters, id);
}

int missing_say(const struct cluster_status *status, struct failure *failure)
{
    struct census census = count(status);
    if (status->primary != 0)
        return fail(failure, ERR_TIMEOUT,
                    "this server's copy has not caught up with the primary, server %llu",
                    (unsigned long long)status->primary);
    if (status->count == 1 && status->servers[0].state == SERVER_JOINING)
        return fail(failure, ERR_TIMEOUT, "this server has not been taken into the cluster yet");
    if (is_beyond(&census))
        return say_beyond(&census, failure);
    if (census.asleep != NULL && census.voters_up * 2 <= census.voters)
        return say_cold(&census, failure);
    if (census.wholes == 2 && status->count == 2 && census.down != NULL)
        return say_two(&census, failure);
    const char *which = census.voters == status->count ? "" : " with a vote";
    if (census.voters_up * 2 > census.voters)
        return fail(failure, ERR_TIMEOUT,
                    "there is no primary yet: %u of %u servers%s are up and about to agree on one",
                    census.voters_up, census.voters, which);
    return fail(failure, ERR_TIMEOUT,
                "there is no primary: %u of %u servers%s are up, and more than half must be",
                census.voters_up, census.voters, which);
}

/* Membership fixture: stories of a cluster, told second by second. */
#ifndef STOA_TESTS_UNIT_MEMBERSHIP_FIXTURE_H
#define STOA_TESTS_UNIT_MEMBERSHIP_FIXTURE_H

#include "base/check.h"
#include "base/str.h"
#include "replica/membership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A cluster in one line, "1V+ 2V- 3s~ 4.+": id, role (V voter, s standby, . spare; W and w those of
 * a witness, C and k those of a cold server, L voter that is warm: lukewarm), and how it is: + up
 * and caught up, ~ up and far behind, c fetching a copy, - down. The primary is the first one. What
 * is decided is done at once, so that a story can go on; or fails, when `refusing`. */
struct story {
    struct membership membership;
    struct membership_view view;
    bool refusing;
    char log[2000]; /* "12s:+V4 ..." */
    char why[160];  /* of the last */
};

static void set(struct story *story, const char *cluster)
{
    struct membership_view *view = &story->view;
    view->count = 0;
    for (const char *at = cluster; *at;) {
        char *end;
        struct member_view member = {.id = strtoul(at, &end, 10)};
        member.role = end[0] == 'V' ? MEMBER_VOTER : end[0] == 's' ? MEMBER_STANDBY : MEMBER_SPARE;
        if (end[0] == 'W' || end[0] == 'w') {
            member.witness = true;
            member.role = end[0] == 'W' ? MEMBER_VOTER : MEMBER_STANDBY;
        }
        if (end[0] == 'C' || end[0] == 'k') {
            member.ready = READINESS_COLD;
            member.role = end[0] == 'C' ? MEMBER_VOTER : MEMBER_STANDBY;
        }
        if (end[0] == 'L') {
            member.ready = READINESS_WARM;
            member.role = MEMBER_VOTER;
        }
        member.up = end[1] != '-';
        member.able = member.up && end[1] != 'c';
        member.lag = end[1] == '+' ? 3 : 1000000;
        view->members[view->count++] = member;
        at = end + 2;
        while (*at == ' ')
            at++;
    }
    view->primary = view->members[0].id;
}

static struct story begin(const char *cluster)
{
    struct story story = {
        .view = {.now_ms = 1000000, .replace_ms = 60000, .steady_ms = MEMBERSHIP_STEADY_MS}};
    set(&story, cluster);
    return story;
}

static void carry_out(struct story *story, const struct membership_change *change)
{
    struct membership_view *view = &story->view;
    if (change->action == MEMBERSHIP_HANDOVER)
        view->primary = change->id;
    for (unsigned i = 0; i < view->count; i++)
        if (view->members[i].id == change->id && change->action == MEMBERSHIP_ASSIGN)
            view->members[i].role = change->role;
}

/* What must hold after any change: a majority of the voters is up. */
static void check_majority(const struct story *story)
{
    unsigned voters = 0, up = 0;
    for (unsigned i = 0; i < story->view.count; i++) {
        voters += story->view.members[i].role == MEMBER_VOTER;
        up += story->view.members[i].role == MEMBER_VOTER && story->view.members[i].up;
    }
    assert_true(up > voters / 2);
}

/* SECONDS pass; what is decided goes to the log: "V4" gets a vote, "s3" becomes standby, "P2" is
 * to be primary. */
static void pass(struct story *story, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        struct membership_change change;
        story->view.now_ms += 1000;
        membership_decide(&story->membership, &story->view, &change);
        if (change.action == MEMBERSHIP_NOTHING)
            continue;
        const char *what = change.action == MEMBERSHIP_HANDOVER ? "P"
                           : change.role == MEMBER_VOTER        ? "V"
                                                                : "s";
        size_t len = strlen(story->log);
        snprintf(story->log + len, sizeof story->log - len, "%s%s%u", len ? " " : "", what,
                 (unsigned)change.id);
        str_copy(story->why, sizeof story->why, str_of(change.why));
        if (!story->refusing) {
            carry_out(story, &change);
            check_majority(story);
        }
    }
}

#define EXPECT(story, expected) assert_string_equal((story).log, expected)

#endif

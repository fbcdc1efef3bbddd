#include "balance/health.h"

#include "base/check.h"
#include "base/clock.h"

enum { FULL = 1000, EJECTIONS_MAX = 16 };

/* A step of a slow server's recovery, in which its share doubles. */
#define RECOVER_NS SEC_NS

static const struct health_rules usual = {
    .failures = 5,
    .checks_lost = 2,
    .checks_fine = 2,
    .suspect_ns = SEC_NS,
    .eject_ns = SEC_NS,
    .eject_max_ns = 30 * SEC_NS,
    .forgive_ns = 10 * SEC_NS,
    .slow_start_ns = 5 * SEC_NS,
    .slow_start_min = 100,
    .slow_min = 100,
    .slow_ns = 2 * SEC_NS,
};

static uint32_t clip_share(uint32_t share)
{
    return share == 0 ? 1 : share > FULL ? FULL : share;
}

/* Signs come from several threads, whose clocks' readings may arrive in another order. */
static uint64_t elapsed(uint64_t since_ns, uint64_t now_ns)
{
    return now_ns > since_ns ? now_ns - since_ns : 0;
}

#define OR_USUAL(field)    \
    if (rules->field == 0) \
    rules->field = usual.field

static void complete(struct health_rules *rules)
{
    OR_USUAL(failures);
    OR_USUAL(checks_lost);
    OR_USUAL(checks_fine);
    OR_USUAL(suspect_ns);
    OR_USUAL(eject_ns);
    OR_USUAL(eject_max_ns);
    OR_USUAL(forgive_ns);
    OR_USUAL(slow_start_ns);
    OR_USUAL(slow_start_min);
    OR_USUAL(slow_min);
    OR_USUAL(slow_ns);
    rules->slow_start_min = clip_share(rules->slow_start_min);
    rules->slow_min = clip_share(rules->slow_min);
}

/* ---- Moves ---- */

/* What is seen from outside follows what is inside, unless the server drains. */
static void publish(struct health *health, uint64_t now_ns)
{
    enum health_state state = health->draining ? HEALTH_DRAINING : health->inner;
    if (state == health->state)
        return;
    health->state = state;
    health->changed_ns = now_ns;
}

static void warm(struct health *health, uint64_t now_ns)
{
    health->inner = HEALTH_WARMING;
    health->warm_ns = health->good_ns = now_ns;
    health->failures = 0;
    health->by_checks = false;
}

static void put_out(struct health *health, bool by_checks)
{
    if (health->inner != HEALTH_OUT) {
        health->by_checks = false;
        health->out_until_ns = 0;
    }
    health->inner = HEALTH_OUT;
    health->by_checks |= by_checks;
    health->fine = 0;
}

static void eject(struct health *health, uint64_t now_ns)
{
    uint64_t most = health->rules.eject_max_ns, lasts = health->rules.eject_ns;
    for (uint32_t i = 0; i < health->ejections && lasts < most; i++)
        lasts = lasts > most / 2 ? most : lasts * 2;
    put_out(health, false);
    health->out_until_ns = now_ns + (lasts < most ? lasts : most);
    if (health->ejections < EJECTIONS_MAX)
        health->ejections++;
}

/* Something has come from it. */
static void alive(struct health *health)
{
    health->silent_ns = 0;
    if (health->inner == HEALTH_SUSPECT)
        health->inner = health->before;
}

static void failed(struct health *health, uint64_t now_ns)
{
    if (health->inner == HEALTH_OUT) /* of requests that were under way when it was put out */
        return;
    health->good_ns = now_ns;
    if (++health->failures >= health->rules.failures)
        eject(health, now_ns);
}

static void check_failed_now(struct health *health, uint64_t now_ns)
{
    health->fine = 0;
    health->good_ns = now_ns;
    if (health->lost < health->rules.checks_lost)
        health->lost++;
    if (health->lost >= health->rules.checks_lost)
        put_out(health, true);
}

static void silent(struct health *health, uint64_t now_ns)
{
    health->fine = 0;
    if (health->silent_ns == 0)
        health->silent_ns = now_ns;
    if (health->inner == HEALTH_OUT) {
        health->by_checks = true;
    } else if (health->inner != HEALTH_SUSPECT) {
        health->before = health->inner;
        health->inner = HEALTH_SUSPECT;
    } else if (elapsed(health->silent_ns, now_ns) >= health->rules.suspect_ns) {
        put_out(health, true);
    }
}

static void slow(struct health *health, uint64_t now_ns)
{
    uint32_t left = health->slow / 4;
    health->slow = left > health->rules.slow_min ? left : health->rules.slow_min;
    health->slow_until_ns = now_ns + health->rules.slow_ns;
}

static bool may_return(const struct health *health, uint64_t now_ns)
{
    if (now_ns < health->out_until_ns)
        return false;
    return health->by_checks ? health->fine >= health->rules.checks_fine : health->lost == 0;
}

/* What time alone does. */
static void settle(struct health *health, uint64_t now_ns)
{
    const struct health_rules *rules = &health->rules;
    if (health->inner == HEALTH_OUT && may_return(health, now_ns))
        warm(health, now_ns);
    if (health->inner == HEALTH_WARMING && elapsed(health->warm_ns, now_ns) >= rules->slow_start_ns)
        health->inner = HEALTH_UP;
    bool works = health->inner == HEALTH_UP || health->inner == HEALTH_WARMING;
    if (works && health->ejections > 0 && elapsed(health->good_ns, now_ns) >= rules->forgive_ns) {
        health->ejections--;
        health->good_ns = now_ns;
    }
    if (health->slow < FULL && now_ns >= health->slow_until_ns) {
        health->slow = health->slow > FULL / 2 ? FULL : health->slow * 2;
        health->slow_until_ns = now_ns + RECOVER_NS;
    }
}

/* ---- Signs ---- */

void health_begin(struct health *health, const struct health_rules *rules, bool fresh,
                  uint64_t now_ns)
{
    *health = (struct health){.rules = *rules, .slow = FULL, .good_ns = now_ns};
    complete(&health->rules);
    health->changed_ns = now_ns;
    health->inner = HEALTH_UP;
    if (fresh)
        warm(health, now_ns);
    health->state = health->inner;
}

static void take(struct health *health, enum health_sign sign, uint64_t now_ns)
{
    switch (sign) {
    case SIGN_FINE:
        alive(health);
        health->failures = 0;
        break;
    case SIGN_5XX:
        alive(health);
        failed(health, now_ns);
        break;
    case SIGN_SLOW:
        slow(health, now_ns);
        break;
    case SIGN_FAILING:
        if (health->inner != HEALTH_OUT)
            eject(health, now_ns);
        break;
    case SIGN_RESET:
    case SIGN_TIMEOUT:
    case SIGN_RUBBISH:
        failed(health, now_ns);
        break;
    case SIGN_REFUSED:
        health->lost = health->rules.checks_lost;
        health->good_ns = now_ns;
        health->silent_ns = 0;
        put_out(health, true);
        break;
    case SIGN_CHECK_FINE:
        alive(health);
        health->lost = 0;
        if (health->fine < health->rules.checks_fine)
            health->fine++;
        break;
    case SIGN_CHECK_BAD:
        alive(health);
        check_failed_now(health, now_ns);
        break;
    case SIGN_CHECK_LOST:
        check_failed_now(health, now_ns);
        break;
    case SIGN_SILENT:
        silent(health, now_ns);
        break;
    case SIGN_DRAIN:
        health->draining = true;
        break;
    case SIGN_RETURN:
        health->draining = false;
        break;
    case SIGN_TICK:
    case SIGN_COUNT:
        break;
    }
}

bool health_see(struct health *health, enum health_sign sign, uint64_t now_ns)
{
    enum health_state before = health->state;
    take(health, sign, now_ns);
    settle(health, now_ns);
    publish(health, now_ns);
    return health->state != before;
}

/* ---- What follows from it ---- */

uint32_t health_share(const struct health *health, uint64_t now_ns)
{
    const struct health_rules *rules = &health->rules;
    uint64_t share = FULL;
    if (health->inner == HEALTH_OUT)
        return FULL;
    bool warming = health->inner == HEALTH_WARMING ||
                   (health->inner == HEALTH_SUSPECT && health->before == HEALTH_WARMING);
    if (warming && elapsed(health->warm_ns, now_ns) < rules->slow_start_ns) {
        double done = (double)elapsed(health->warm_ns, now_ns) / (double)rules->slow_start_ns;
        share = rules->slow_start_min + (uint64_t)(done * (FULL - rules->slow_start_min));
    }
    return clip_share((uint32_t)(share * health->slow / FULL));
}

bool health_takes(enum health_state state)
{
    return state == HEALTH_UP || state == HEALTH_WARMING;
}

const char *health_name(enum health_state state)
{
    static const char *const names[] = {"up", "warming", "suspect", "out", "draining"};
    return (unsigned)state < COUNT_OF(names) ? names[state] : "?";
}

const char *health_sign_text(enum health_sign sign)
{
    static const char *const texts[SIGN_COUNT] = {
        [SIGN_FINE] = "it answers",
        [SIGN_5XX] = "too many answers in a row were 500, 502 or 504",
        [SIGN_SLOW] = "it is far slower than the others",
        [SIGN_FAILING] = "far more of its answers are failures than of the others'",
        [SIGN_RESET] = "too many connections in a row broke before the answer was there",
        [SIGN_REFUSED] = "the connection was refused",
        [SIGN_TIMEOUT] = "too many requests in a row were not answered in time",
        [SIGN_RUBBISH] = "too many answers in a row were not HTTP",
        [SIGN_CHECK_FINE] = "checks are fine",
        [SIGN_CHECK_BAD] = "it says that it does not sell (503)",
        [SIGN_CHECK_LOST] = "checks got no answer",
        [SIGN_SILENT] = "nothing comes from it",
        [SIGN_TICK] = "its time is over",
        [SIGN_DRAIN] = "it is leaving",
        [SIGN_RETURN] = "it is no longer leaving",
    };
    return (unsigned)sign < SIGN_COUNT ? texts[sign] : "?";
}

/* ---- All servers together ---- */

static uint64_t bit(unsigned place)
{
    return 1ull << place;
}

static unsigned bits(uint64_t mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

/* The one of PLACES whose state changed last. */
static unsigned latest(const struct health_member *members, uint64_t places)
{
    unsigned found = (unsigned)__builtin_ctzll(places);
    for (uint64_t rest = places; rest; rest &= rest - 1) {
        unsigned place = (unsigned)__builtin_ctzll(rest);
        if (members[place].changed_ns > members[found].changed_ns)
            found = place;
    }
    return found;
}

uint64_t health_all(const struct health_member *members, unsigned count, uint32_t max_out,
                    uint32_t panic, bool *panic_now)
{
    uint64_t usable = 0, passive = 0, staying = 0, aside = 0, last = 0;
    for (unsigned i = 0; i < count; i++) {
        if (members[i].aside) {
            aside |= health_takes(members[i].state) ? bit(i) : 0;
            last |= members[i].state != HEALTH_DRAINING ? bit(i) : 0;
            continue;
        }
        if (health_takes(members[i].state))
            usable |= bit(i);
        if (members[i].state == HEALTH_OUT && !members[i].by_checks)
            passive |= bit(i);
        if (members[i].state != HEALTH_DRAINING)
            staying |= bit(i);
    }
    unsigned most = (unsigned)((uint64_t)bits(staying) * max_out / FULL);
    while (bits(passive) > most) {
        unsigned place = latest(members, passive);
        passive &= ~bit(place);
        usable |= bit(place);
    }
    *panic_now = (uint64_t)bits(usable) * FULL < (uint64_t)bits(staying) * panic;
    if (*panic_now)
        usable |= passive;
    return usable ? usable : aside ? aside : staying | last;
}

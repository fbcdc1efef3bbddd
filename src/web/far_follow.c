#include "web/far_follow.h"

#include "base/err.h"
#include "web/change_line.h"

void far_follow_init(struct far_follow *follow, struct cache *cache, struct cache_changes *changes)
{
    *follow = (struct far_follow){.cache = cache, .changes = changes};
}

void far_follow_ask(struct far_follow *follow, uint64_t now_ns)
{
    follow->asked_ns = now_ns;
    follow->begun = follow->timed = false;
}

/* Nothing is taken nor given out in between; what was asked for before is not taken after it. */
static void forget(struct far_follow *follow, const struct change_line *line)
{
    atomic_store(&follow->made_ns, 0);
    atomic_store(&follow->ring, 0);
    cache_renew(follow->cache);
    cache_changes_begin(follow->changes, line->index);
    atomic_store(&follow->told, line->index);
    atomic_store(&follow->round, UINT64_MAX);
    atomic_store(&follow->ring, line->ring);
}

static int begin(struct far_follow *follow, const struct change_line *line)
{
    if (follow->begun)
        return ERR_INVALID;
    if (line->kind == CHANGE_LINE_ALL)
        forget(follow, line);
    else if (line->ring != atomic_load(&follow->ring) || line->index != atomic_load(&follow->told))
        return ERR_INVALID;
    follow->begun = true;
    return 0;
}

/* When the beat LINE, heard at NOW_NS, was made at the earliest. */
static uint64_t made_ns_of(const struct far_follow *follow, const struct change_line *line,
                           uint64_t now_ns)
{
    uint64_t since_ns = line->time_ns - follow->first_ns;
    bool jumped = follow->asked_ns > now_ns || since_ns > now_ns - follow->asked_ns;
    return jumped ? now_ns : follow->asked_ns + since_ns;
}

static int beat(struct far_follow *follow, const struct change_line *line, uint64_t now_ns,
                uint64_t mono_ns)
{
    if (!follow->timed)
        follow->first_ns = line->time_ns;
    follow->timed = true;
    if (line->time_ns < follow->first_ns || line->index < atomic_load(&follow->told))
        return ERR_INVALID;
    if (line->round != atomic_load(&follow->round)) {
        atomic_store(&follow->round, line->round);
        cache_renew(follow->cache);
    }
    cache_changes_told(follow->changes, line->index, mono_ns);
    atomic_store(&follow->told, line->index);
    uint64_t made_ns = made_ns_of(follow, line, now_ns);
    if (made_ns > atomic_load(&follow->made_ns))
        atomic_store(&follow->made_ns, made_ns);
    return 0;
}

int far_follow_line(struct far_follow *follow, struct str text, uint64_t now_ns, uint64_t mono_ns)
{
    struct change_line line;
    if (change_line_read(text, &line))
        return ERR_INVALID;
    if (line.kind == CHANGE_LINE_ALL || line.kind == CHANGE_LINE_FROM)
        return begin(follow, &line);
    if (!follow->begun)
        return ERR_INVALID;
    if (line.kind == CHANGE_LINE_BEAT)
        return beat(follow, &line, now_ns, mono_ns);
    cache_changes_changed(follow->changes, line.change, line.product_id, line.index);
    return 0;
}

void far_follow_end(struct far_follow *follow)
{
    atomic_store(&follow->made_ns, 0);
}

uint64_t far_follow_age_ns(const struct far_follow *follow, uint64_t now_ns)
{
    uint64_t made_ns = atomic_load(&follow->made_ns);
    if (made_ns == 0)
        return UINT64_MAX;
    return now_ns > made_ns ? now_ns - made_ns : 0;
}

bool far_follow_takes(const struct far_follow *follow, uint64_t ring, uint64_t round)
{
    return ring && ring == atomic_load(&follow->ring) &&
           (!round || round == atomic_load(&follow->round));
}

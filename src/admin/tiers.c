#include "admin/tiers.h"

#include "base/clock.h"

/* Two looks that are compared for rates are so far apart at least; a member that has said nothing
 * for so long is silent; a board so old is of a master that has gone. */
enum { APART_MS = 500, SILENT_MS = 2000, STALE_MS = 2000 };

const char *tiers_state_name(enum tiers_state state)
{
    static const char *const names[TIERS_STATES] = {"ready", "draining", "silent", "starting",
                                                    "crashed"};
    return names[state];
}

/* ---- Looking ---- */

void tiers_look(struct queue *queue, struct tiers_view *view)
{
    view->look.now_ns = clock_mono_ns();
    view->wall_ms = clock_wall_ms();
    view->self = queue_self(queue);
    queue_look(queue, view->look.now_ns, &view->look.stats);
    view->look.seat_count = queue_seats(queue, view->look.seats, QUEUE_SEATS);
    view->master = queue_leader(queue);
    view->scaled = scale_board_read(queue, &view->board) || view->scaled;
}

void tiers_remember(struct tiers_memory *memory, const struct tiers_view *view)
{
    if (memory->count == TIERS_LOOKS)
        memmove(memory->looks, memory->looks + 1, --memory->count * sizeof *memory->looks);
    memory->looks[memory->count++] = view->look;
}

/* ---- Rates ---- */

/* The last look that is long enough ago; NULL: there is none at all. */
static const struct scale_look *look_before(const struct tiers_memory *memory, uint64_t now_ns)
{
    unsigned i = memory->count;
    while (i > 1 && memory->looks[i - 1].now_ns + APART_MS * MS_NS > now_ns)
        i--;
    return i > 0 && memory->looks[i - 1].now_ns < now_ns ? &memory->looks[i - 1] : NULL;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0;
}

static double seconds_since(const struct scale_look *before, const struct tiers_view *view)
{
    return (double)(view->look.now_ns - before->now_ns) / 1e9;
}

static void figure_classes(struct tiers_view *view)
{
    const struct queue_stats *now = &view->look.stats;
    view->length = view->held = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        view->classes[i] = (struct tiers_class){
            .waiting = now->waiting[i],
            .held = now->held[i],
            .weight = now->weight[i],
            .entered = now->entered[i],
            .taken = now->taken[i],
            .done = now->done[i],
            .dropped = now->dropped[i],
            .refused = now->refused[i],
            .work_ns = now->work_ns[i],
        };
        view->length += now->waiting[i];
        view->held += now->held[i];
    }
}

static void figure_rates(const struct scale_look *before, struct tiers_view *view)
{
    const struct queue_stats *now = &view->look.stats, *was = &before->stats;
    double seconds = seconds_since(before, view);
    view->arrived_per_s = view->taken_per_s = view->answered_per_s = 0;
    view->dropped_per_s = view->refused_per_s = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        struct tiers_class *class = &view->classes[i];
        class->arrived_per_s = rate(now->entered[i], was->entered[i], seconds);
        class->answered_per_s = rate(now->done[i], was->done[i], seconds);
        view->arrived_per_s += class->arrived_per_s;
        view->answered_per_s += class->answered_per_s;
        view->taken_per_s += rate(now->taken[i], was->taken[i], seconds);
        view->dropped_per_s += rate(now->dropped[i], was->dropped[i], seconds);
        view->refused_per_s += rate(now->refused[i], was->refused[i], seconds);
    }
}

static void figure_waits(const struct tiers_memory *memory, struct tiers_view *view)
{
    const struct queue_stats *now = &view->look.stats;
    const struct queue_stats *before = memory->count > 0 ? &memory->looks[0].stats : now;
    view->wait_p50_ns = scale_wait_quantile(now, before, 500);
    view->wait_p90_ns = scale_wait_quantile(now, before, 900);
    view->wait_p99_ns = scale_wait_quantile(now, before, 990);
}

/* ---- Members ---- */

/* Of processes that its launcher does not see the fleet knows the number alone. */
static bool is_known_as(const struct tiers_view *view, const struct fleet_member_view *known,
                        struct queue_process process, unsigned number)
{
    struct queue_process seen = {(uint32_t)known->pid, view->board.master.space};
    return known->pid != 0 ? queue_is_same(seen, process) : number > 0 && known->number == number;
}

/* What the fleet knows of who has SEAT; NULL: nothing. */
static const struct fleet_member_view *fleet_member(const struct tiers_view *view,
                                                    enum fleet_tier tier,
                                                    const struct queue_seat_view *seat)
{
    const struct fleet_tier_view *fleet = &view->board.tiers[tier];
    for (unsigned i = 0; view->fresh && i < fleet->count; i++)
        if (is_known_as(view, &fleet->members[i], queue_process_of(seat), seat->number))
            return &fleet->members[i];
    return NULL;
}

static enum tiers_state state_of(const struct tiers_view *view, const struct queue_seat_view *seat,
                                 const struct fleet_member_view *known)
{
    if (seat->report.beat_ns + SILENT_MS * MS_NS < view->look.now_ns)
        return TIERS_SILENT;
    bool leaves = known && (known->state == FLEET_DRAINING || known->state == FLEET_KILLED);
    return leaves || seat->report.draining ? TIERS_DRAINING : TIERS_READY;
}

static const struct queue_seat_view *same_seat(const struct scale_look *before,
                                               const struct queue_seat_view *seat)
{
    for (unsigned i = 0; i < before->seat_count; i++)
        if (before->seats[i].seat == seat->seat &&
            queue_is_same(queue_process_of(&before->seats[i]), queue_process_of(seat)))
            return &before->seats[i];
    return NULL;
}

static void add_seat(const struct scale_look *before, const struct tiers_view *view,
                     const struct queue_seat_view *seat, struct tiers_member *member)
{
    const struct queue_seat_view *was = before ? same_seat(before, seat) : NULL;
    member->threads++;
    member->open += seat->report.open;
    member->handled += seat->handled;
    member->empty_polls += seat->empty_polls;
    if (was)
        member->requests_per_s += rate(seat->handled, was->handled, seconds_since(before, view));
    if (before)
        member->busy += scale_seat_busy(before, seat);
}

/* A front counts for all its threads at once. */
static void add_front(const struct scale_look *before, const struct tiers_view *view,
                      const struct queue_seat_view *seat, struct tiers_member *member)
{
    const struct queue_seat_view *was = before ? same_seat(before, seat) : NULL;
    struct front_stats then;
    front_look_from(&seat->report, &member->front);
    if (!was)
        return;
    front_look_from(&was->report, &then);
    member->requests_per_s =
        rate(member->front.requests, then.requests, seconds_since(before, view));
}

/* The process of the seat at PLACE, with all its seats. */
static void add_process(const struct scale_look *before, struct tiers_view *view, unsigned place)
{
    const struct queue_seat_view *first = &view->look.seats[place];
    enum fleet_tier tier = first->role == QUEUE_WORKER ? FLEET_WORKER : FLEET_FRONT;
    const struct fleet_member_view *known = fleet_member(view, tier, first);
    struct tiers_member *member = &view->members[view->count++];
    *member = (struct tiers_member){
        .tier = tier,
        .state = state_of(view, first, known),
        .pid = first->pid,
        .space = first->space,
        .number = first->number,
        .failures = known ? known->failures : 0,
        .master = tier == FLEET_FRONT && queue_is_same(queue_process_of(first), view->master),
    };
    memcpy(member->host, first->host, sizeof member->host);
    for (unsigned i = place; i < view->look.seat_count; i++)
        if (view->look.seats[i].role == first->role &&
            queue_is_same(queue_process_of(&view->look.seats[i]), queue_process_of(first)))
            add_seat(before, view, &view->look.seats[i], member);
    member->busy /= member->threads;
    if (tier == FLEET_FRONT)
        add_front(before, view, first, member);
}

static bool has_seat(const struct tiers_view *view, enum fleet_tier tier,
                     const struct fleet_member_view *known)
{
    for (unsigned i = 0; i < view->count; i++) {
        const struct tiers_member *member = &view->members[i];
        struct queue_process process = {member->pid, member->space};
        if (member->tier == tier && member->threads > 0 &&
            is_known_as(view, known, process, member->number))
            return true;
    }
    return false;
}

/* Those of the fleet that have not come to the queue yet, or are not there at present. */
static void add_absent(struct tiers_view *view, enum fleet_tier tier)
{
    const struct fleet_tier_view *fleet = &view->board.tiers[tier];
    for (unsigned i = 0; view->fresh && i < fleet->count && view->count < TIERS_MEMBERS; i++) {
        const struct fleet_member_view *known = &fleet->members[i];
        if (has_seat(view, tier, known))
            continue;
        if (known->state != FLEET_STARTING && known->state != FLEET_CRASHED)
            continue; /* it has left the queue, and is about to end */
        view->members[view->count++] = (struct tiers_member){
            .tier = tier,
            .state = known->state == FLEET_CRASHED ? TIERS_CRASHED : TIERS_STARTING,
            .pid = (uint32_t)known->pid,
            .number = known->number,
            .failures = known->failures,
        };
    }
}

static void figure_members(const struct scale_look *before, struct tiers_view *view)
{
    static const enum queue_role roles[] = {QUEUE_FRONT, QUEUE_WORKER};
    static const enum fleet_tier tiers[] = {FLEET_FRONT, FLEET_WORKER};
    view->count = 0;
    for (unsigned role = 0; role < 2; role++) {
        for (unsigned i = 0; i < view->look.seat_count; i++)
            if (view->look.seats[i].role == roles[role] && scale_is_first_seat(&view->look, i))
                add_process(before, view, i);
        add_absent(view, tiers[role]);
    }
}

/* ---- Caches ---- */

static void read_cache(const struct scale_look *look, const struct tiers_member *member,
                       struct worker_cache *cache)
{
    *cache = (struct worker_cache){0};
    for (unsigned i = 0; look && i < look->seat_count; i++) {
        const struct queue_seat_view *seat = &look->seats[i];
        struct queue_process process = {member->pid, member->space};
        if (seat->role == QUEUE_WORKER && queue_is_same(queue_process_of(seat), process))
            worker_cache_read(&seat->report, cache);
    }
}

/* Who was not there at the oldest look that is remembered has found what it has since. */
static void figure_caches(const struct tiers_memory *memory, struct tiers_view *view)
{
    const struct scale_look *oldest = memory->count > 0 ? &memory->looks[0] : NULL;
    struct worker_cache all = {0}, all_before = {0}, before;
    for (unsigned i = 0; i < view->count; i++) {
        struct tiers_member *member = &view->members[i];
        if (member->tier != FLEET_WORKER)
            continue;
        read_cache(&view->look, member, &member->cache);
        read_cache(oldest, member, &before);
        member->hit_ratio = worker_cache_hit_ratio(&member->cache, &before);
        all.hits += member->cache.hits;
        all.misses += member->cache.misses;
        all_before.hits += before.hits;
        all_before.misses += before.misses;
    }
    view->hit_ratio = worker_cache_hit_ratio(&all, &all_before);
}

static void figure_sizes(struct tiers_view *view)
{
    memset(view->sizes, 0, sizeof view->sizes);
    for (unsigned i = 0; i < view->count; i++) {
        struct tiers_size *size = &view->sizes[view->members[i].tier];
        size->in[view->members[i].state]++;
        if (view->members[i].state == TIERS_READY)
            size->busy += view->members[i].busy;
    }
    for (unsigned i = 0; i < FLEET_TIERS; i++)
        if (view->sizes[i].in[TIERS_READY] > 0)
            view->sizes[i].busy /= view->sizes[i].in[TIERS_READY];
}

void tiers_figure(const struct tiers_memory *memory, struct tiers_view *view)
{
    const struct scale_look *before = look_before(memory, view->look.now_ns);
    view->fresh = view->scaled && view->master.pid != 0 &&
                  queue_is_same(view->board.master, view->master) &&
                  view->board.told_ns + STALE_MS * MS_NS > view->look.now_ns;
    figure_classes(view);
    if (before)
        figure_rates(before, view);
    figure_waits(memory, view);
    figure_members(before, view);
    figure_caches(memory, view);
    figure_sizes(view);
}

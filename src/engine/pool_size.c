#include "engine/pool_size.h"

#include <math.h>
#include <string.h>

enum {
    WINDOW_LEAST = 4, /* intervals */
    WINDOW_MOST = 40,
    TURNS_EACH = 4,   /* a worker's turns in a window, if they come before WINDOW_MOST */
    TURNS_LEAST = 8,  /* fewer tell nothing */
    PAUSE_MOST = 128, /* windows between two trials when nothing changes */
    IDLE_WINDOWS = 4,
    DIFFERENT_WINDOWS = 2,
};

/* See pool_size.h. */
#define LEAST_GAIN  0.2  /* of the ideal one */
#define FASTER      0.75 /* response times */
#define CHANCE      2.0  /* standard errors */
#define BUSY_SHARE  0.9  /* of the workers: above it some wait */
#define IDLE_SHARE  0.5
#define CHANGED     0.3 /* throughput, since it was settled: another load */
#define NEWS        0.1 /* throughput, found by a trial */
#define BLOCKED_CPU 0.1 /* of the processors: below it busy workers are blocked */

/* ---- Windows ---- */

static void window_add(struct pool_window *window, const struct pool_sample *sample)
{
    double rate = (double)sample->turns * 1e9 / (double)sample->length_ns;
    window->intervals++;
    window->length_ns += sample->length_ns;
    window->turns += sample->turns;
    window->waited_ns += sample->waited_ns;
    window->busy_ns += sample->busy_ns;
    window->sum += rate;
    window->squares += rate * rate;
}

static bool window_is_full(const struct pool_window *window, unsigned workers)
{
    if (window->intervals < WINDOW_LEAST)
        return false;
    return window->turns >= (uint64_t)TURNS_EACH * workers || window->intervals >= WINDOW_MOST;
}

static double throughput(const struct pool_window *window)
{
    return window->intervals ? window->sum / window->intervals : 0;
}

/* Standard error of the throughput, squared. */
static double variance(const struct pool_window *window)
{
    double n = window->intervals, mean = throughput(window);
    double of_one = n > 1 ? (window->squares - n * mean * mean) / (n - 1) : 0;
    return of_one > 0 ? of_one / n : 0;
}

static double per_turn_ms(uint64_t ns, const struct pool_window *window)
{
    return window->turns ? (double)ns / 1e6 / (double)window->turns : 0;
}

static double response_ms(const struct pool_window *window)
{
    return per_turn_ms(window->waited_ns + window->busy_ns, window);
}

static double busy_share(const struct pool_window *window, unsigned workers)
{
    return window->length_ns ? (double)window->busy_ns / (double)window->length_ns / workers : 0;
}

/* Whether FEW's successor MANY is worth its workers. */
static bool is_worth(const struct pool_window *low, unsigned few, const struct pool_window *high,
                     unsigned many)
{
    double before = throughput(low), gain = throughput(high) - before;
    double ideal = (double)(many - few) / few;
    double chance = CHANCE * sqrt(variance(low) + variance(high));
    if (gain > LEAST_GAIN * (ideal < 1 ? ideal : 1) * before && gain > chance)
        return true;
    return gain > -chance && response_ms(high) < FASTER * response_ms(low);
}

/* ---- Moves ---- */

static void begin_window(struct pool_size *size)
{
    size->now = (struct pool_window){0};
}

static void go(struct pool_size *size, enum pool_state state, unsigned workers)
{
    size->state = state;
    size->skips = workers != size->workers;
    size->workers = workers;
    begin_window(size);
}

/* Another size that does as much is no news: trials become rarer all the same. */
static void settle(struct pool_size *size, unsigned workers)
{
    double before = throughput(&size->settled), now = throughput(&size->base);
    bool news = fabs(now - before) > NEWS * before;
    size->last = workers;
    size->moved = size->climbed = false;
    size->pause = news ? 1 : 2 * size->pause;
    if (size->pause > PAUSE_MOST)
        size->pause = PAUSE_MOST;
    size->left = size->pause;
    size->different = size->idle = 0;
    size->settled = size->base;
    go(size, POOL_SETTLED, workers);
}

/* From size->kept. */
static enum pool_why try_fewer(struct pool_size *size)
{
    unsigned kept = size->kept;
    if (kept <= size->floor) {
        bool goes_back = size->workers != kept;
        settle(size, kept);
        return goes_back ? POOL_NOT_WORTH : POOL_STAYS;
    }
    unsigned fewer = size->moved ? kept / 2 : kept - (kept < 4 ? 1 : kept / 4);
    go(size, POOL_DOWN, fewer > size->floor ? fewer : size->floor);
    return POOL_TRIES_FEWER;
}

static enum pool_why try_more(struct pool_size *size)
{
    unsigned kept = size->kept;
    unsigned more = size->climbed ? 2 * kept : kept + (kept < 2 ? 1 : kept / 2);
    if (kept == POOL_SIZE_MOST)
        return try_fewer(size);
    go(size, POOL_UP, more < POOL_SIZE_MOST ? more : POOL_SIZE_MOST);
    return POOL_TRIES_MORE;
}

/* The size of the present window stays for the time being. */
static void keep(struct pool_size *size)
{
    size->kept = size->workers;
    size->base = size->now;
    size->moved = true;
}

/* ---- States: a window is over ---- */

static enum pool_why shrink(struct pool_size *size)
{
    double busy = busy_share(&size->now, size->workers) * size->workers;
    unsigned enough = (unsigned)ceil(2 * busy);
    unsigned least = enough > size->cores ? enough : size->cores;
    if (least >= size->workers)
        return POOL_STAYS;
    size->base = size->now;
    settle(size, least);
    return POOL_IDLE;
}

/* Another load than when it was settled: try again soon. */
static void look_for_change(struct pool_size *size)
{
    double then = throughput(&size->settled), now = throughput(&size->now);
    bool differs = fabs(now - then) > CHANGED * then;
    size->different = differs ? size->different + 1 : 0;
    if (size->different < DIFFERENT_WINDOWS)
        return;
    size->different = 0;
    size->settled = size->now;
    size->pause = size->left = 1;
}

/* With idle workers there are to be one for each processor at least: one turn that blocks would
 * stop the others, and the throughput would not show it. */
static enum pool_why leave_settled(struct pool_size *size, bool busy)
{
    size->kept = size->workers;
    size->base = size->now;
    size->floor = busy ? 1 : size->cores;
    return busy ? try_more(size) : try_fewer(size);
}

static enum pool_why after_settled(struct pool_size *size)
{
    double share = busy_share(&size->now, size->workers);
    size->idle = share < IDLE_SHARE ? size->idle + 1 : 0;
    if (size->idle >= IDLE_WINDOWS) {
        size->idle = 0;
        enum pool_why why = shrink(size);
        if (why != POOL_STAYS)
            return why;
    }
    if (size->now.turns >= TURNS_LEAST) {
        look_for_change(size);
        if (size->left > 0)
            size->left--;
        if (size->left == 0)
            return leave_settled(size, share > BUSY_SHARE);
    }
    begin_window(size);
    return POOL_STAYS;
}

static enum pool_why after_up(struct pool_size *size)
{
    if (size->now.turns >= TURNS_LEAST &&
        is_worth(&size->base, size->kept, &size->now, size->workers)) {
        keep(size);
        size->climbed = true;
        if (busy_share(&size->now, size->workers) > BUSY_SHARE)
            return try_more(size);
        settle(size, size->workers);
        return POOL_STAYS;
    }
    if (!size->climbed)
        return try_fewer(size);
    settle(size, size->kept);
    return POOL_NOT_WORTH;
}

static enum pool_why after_down(struct pool_size *size)
{
    if (size->now.turns < TURNS_LEAST ||
        is_worth(&size->now, size->workers, &size->base, size->kept)) {
        settle(size, size->kept);
        return POOL_NOT_WORTH;
    }
    keep(size);
    return try_fewer(size);
}

/* ---- The guard against starvation ---- */

static bool starves(const struct pool_size *size, const struct pool_sample *sample)
{
    unsigned used = size->workers < size->cores ? size->workers : size->cores;
    return sample->turns == 0 && sample->waiting > 0 && sample->busy_now >= size->workers &&
           size->workers < POOL_SIZE_MOST &&
           (double)sample->cpu_ns < BLOCKED_CPU * (double)sample->length_ns * used;
}

static enum pool_why feed(struct pool_size *size, const struct pool_sample *sample)
{
    unsigned add = sample->waiting < size->workers ? sample->waiting : size->workers;
    unsigned room = POOL_SIZE_MOST - size->workers;
    size->base = size->now;
    settle(size, size->workers + (add < room ? add : room));
    return POOL_STARVES;
}

/* ---- The whole ---- */

void pool_size_init(struct pool_size *size, unsigned cores)
{
    *size = (struct pool_size){.cores = cores, .workers = cores, .kept = cores, .last = cores};
    size->pause = size->left = 1;
}

static void tell(const struct pool_window *now, const struct pool_window *base,
                 struct pool_decision *decision)
{
    decision->turns_per_s = throughput(now);
    decision->waited_ms = per_turn_ms(now->waited_ns, now);
    decision->busy_ms = per_turn_ms(now->busy_ns, now);
    decision->base_turns_per_s = throughput(base);
    decision->base_waited_ms = per_turn_ms(base->waited_ns, base);
    decision->base_busy_ms = per_turn_ms(base->busy_ns, base);
}

static enum pool_why decide(struct pool_size *size)
{
    if (!window_is_full(&size->now, size->workers))
        return POOL_STAYS;
    switch (size->state) {
    case POOL_SETTLED:
        return after_settled(size);
    case POOL_UP:
        return after_up(size);
    case POOL_DOWN:
        return after_down(size);
    }
    return POOL_STAYS;
}

void pool_size_observe(struct pool_size *size, const struct pool_sample *sample,
                       struct pool_decision *decision)
{
    const struct pool_window base = size->base;
    unsigned last = size->last;
    bool hungry = starves(size, sample);
    *decision = (struct pool_decision){
        .why = POOL_STAYS, .to = size->workers, .with = size->workers, .base_with = size->kept};
    if (size->skips && !hungry) {
        size->skips = false;
        return;
    }
    window_add(&size->now, sample);
    const struct pool_window now = size->now;
    decision->why = hungry ? feed(size, sample) : decide(size);
    decision->to = size->workers;
    decision->settled = size->last != last;
    decision->before = decision->settled ? last : decision->with;
    tell(&now, &base, decision);
}

const char *pool_why_text(enum pool_why why)
{
    static const char *const texts[] = {
        [POOL_STAYS] = "stays with these",  [POOL_TRIES_MORE] = "tries more",
        [POOL_TRIES_FEWER] = "tries fewer", [POOL_NOT_WORTH] = "goes back: not worth it",
        [POOL_IDLE] = "has idle ones",      [POOL_STARVES] = "adds some: all are blocked",
    };
    return texts[why];
}

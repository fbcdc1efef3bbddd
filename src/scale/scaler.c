#include "scale/scaler.h"

#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FRONTS_REASON = 80 };

/* Nothing is averaged over longer gaps between samples than this; nothing can overflow. */
#define ELAPSED_MOST_NS (3600 * SEC_NS)

const char *scale_held_word(enum scale_held held)
{
    static const char *const words[] = {
#define X(name, word) word,
        SCALE_HELD_LIST(X)
#undef X
    };
    return words[held];
}

void scaler_init(struct scaler *scaler, const struct scale_rule *rule,
                 const struct scale_settings *settings)
{
    CHECK(rule->memory <= SCALE_MEMORY);
    memset(scaler, 0, sizeof *scaler);
    scaler->rule = rule;
    scaler->settings = *settings;
    scaler->calm = 1;
}

bool scale_decision_acts(const struct scale_decision *decision)
{
    return decision->workers != decision->workers_before ||
           decision->fronts != decision->fronts_before;
}

static unsigned within(uint64_t count, uint64_t least, uint64_t most)
{
    if (count < least)
        return (unsigned)least;
    return (unsigned)(count < most ? count : most);
}

/* Those who are there or on their way. */
static uint64_t count_of(const struct scale_tier *tier)
{
    uint64_t ready = tier->ready < SCALE_TIER_MAX ? tier->ready : SCALE_TIER_MAX;
    uint64_t starting = tier->starting < SCALE_TIER_MAX ? tier->starting : SCALE_TIER_MAX;
    return ready + starting;
}

static double blend(double average, double value, double elapsed_s, double tau_s)
{
    return average + (1 - exp(-elapsed_s / tau_s)) * (value - average);
}

/* No more than there can be of them, whatever a sample says. */
static double busy_of(uint64_t thousandths)
{
    double busy = (double)thousandths / 1000;
    return busy < SCALE_TIER_MAX ? busy : SCALE_TIER_MAX;
}

static void learn_service(struct scaler *scaler, const struct scale_sample *sample)
{
    if (sample->service_ns == 0 || sample->answered == 0)
        return;
    double part = scaler->service_ns > 0 ? 1 - exp(-(double)sample->answered / 128) : 1;
    scaler->service_ns += part * ((double)sample->service_ns - scaler->service_ns);
}

static uint64_t learn(struct scaler *scaler, const struct scale_sample *sample)
{
    uint64_t elapsed_ns =
        scaler->begun && sample->now_ns > scaler->now_ns ? sample->now_ns - scaler->now_ns : 0;
    elapsed_ns = elapsed_ns < ELAPSED_MOST_NS ? elapsed_ns : ELAPSED_MOST_NS;
    double elapsed_s = (double)elapsed_ns / (double)SEC_NS;
    double memory_s = (double)scaler->settings.memory_ms / 1000;
    double busy = busy_of(sample->busy);
    scaler->load_quick = blend(scaler->load_quick, busy, elapsed_s, memory_s / 5);
    scaler->load_slow = blend(scaler->load_slow, busy, elapsed_s, memory_s);
    struct scale_fronts_load *fronts = &scaler->fronts_load;
    fronts->busy = blend(fronts->busy, busy_of(sample->fronts_busy), elapsed_s, memory_s / 5);
    fronts->connections =
        blend(fronts->connections, (double)sample->connections, elapsed_s, memory_s / 5);
    learn_service(scaler, sample);
    if (sample->now_ns > scaler->now_ns)
        scaler->now_ns = sample->now_ns;
    return elapsed_ns;
}

static double load_of(const struct scaler *scaler)
{
    return scaler->load_quick > scaler->load_slow ? scaler->load_quick : scaler->load_slow;
}

static void begin(struct scaler *scaler, const struct scale_sample *sample,
                  struct scale_decision *decision)
{
    const struct scale_settings *s = &scaler->settings;
    uint64_t workers = count_of(&sample->workers), fronts = count_of(&sample->fronts);
    decision->workers_before = (unsigned)workers;
    decision->fronts_before = (unsigned)fronts;
    scaler->workers = within(workers, s->workers_min, s->workers_max);
    scaler->fronts = within(fronts, s->fronts_min, s->fronts_max);
    scaler->load_quick = scaler->load_slow = busy_of(sample->busy);
    scaler->fronts_load =
        (struct scale_fronts_load){busy_of(sample->fronts_busy), (double)sample->connections};
    scaler->begun = true;
}

/* Whether MS have not yet passed since SINCE_NS, if it EVER was. */
static bool is_too_soon(const struct scaler *scaler, bool ever, uint64_t since_ns, uint64_t ms)
{
    return ever && scaler->now_ns - since_ns < ms * MS_NS;
}

/* Whether those who just began to leave come back only if somebody suffers for it. */
static bool is_noise(const struct scaler *scaler, const struct scale_sample *sample)
{
    uint64_t wait_ns =
        sample->oldest_ns > sample->wait_p90_ns ? sample->oldest_ns : sample->wait_p90_ns;
    double urgent_ns = (double)(scaler->settings.urgent_ms * MS_NS);
    urgent_ns = fmax(urgent_ns, URGENT_SERVICES * scaler->service_ns);
    return scaler->direction == SCALE_DOWN && (double)wait_ns < urgent_ns &&
           is_too_soon(scaler, scaler->turned, scaler->turned_ns, scaler->settings.calm_ms);
}

/* The number of workers to be, of more that are WISHed for; *HELD says why not all. */
static unsigned go_up(const struct scaler *scaler, const struct scale_sample *sample, unsigned wish,
                      enum scale_held *held)
{
    unsigned most = (unsigned)scaler->settings.workers_max;
    if (wish > most)
        *held = SCALE_HELD_MAXIMUM;
    if (scaler->workers >= most)
        return scaler->workers;
    if (is_too_soon(scaler, scaler->changed, scaler->changed_ns, scaler->settings.pause_up_ms)) {
        *held = SCALE_HELD_PAUSE;
        return scaler->workers;
    }
    if (is_noise(scaler, sample)) {
        *held = SCALE_HELD_CALM;
        return scaler->workers;
    }
    return wish < most ? wish : most;
}

/* What keeps workers from leaving now. */
static enum scale_held brake(const struct scaler *scaler)
{
    const struct scale_settings *s = &scaler->settings;
    bool gone = load_of(scaler) * GONE_PART <= scaler->workers;
    if (is_too_soon(scaler, scaler->changed, scaler->changed_ns, s->pause_down_ms))
        return SCALE_HELD_PAUSE;
    if (is_too_soon(scaler, scaler->added, scaler->added_ns, s->hold_ms))
        return SCALE_HELD_HOLD;
    if (scaler->direction == SCALE_DOWN)
        return SCALE_HELD_NOTHING;
    if (gone && !is_too_soon(scaler, scaler->added, scaler->added_ns, s->hold_ms * scaler->calm))
        return SCALE_HELD_NOTHING;
    return is_too_soon(scaler, scaler->turned, scaler->turned_ns, s->calm_ms * scaler->calm)
               ? SCALE_HELD_CALM
               : SCALE_HELD_NOTHING;
}

/* The same of fewer. */
static unsigned go_down(const struct scaler *scaler, unsigned wish, enum scale_held *held)
{
    const struct scale_settings *s = &scaler->settings;
    unsigned needed = s->room ? scale_whole(scale_staff(load_of(scaler), s->room)) : 0;
    unsigned to = wish;
    if (to < s->workers_min) {
        to = (unsigned)s->workers_min;
        *held = SCALE_HELD_MINIMUM;
    }
    if (to < needed) {
        to = needed;
        *held = SCALE_HELD_ROOM;
    }
    if (to >= scaler->workers)
        return scaler->workers;
    enum scale_held braked = brake(scaler);
    if (braked == SCALE_HELD_NOTHING)
        return to;
    *held = braked;
    return scaler->workers;
}

static void note_direction(struct scaler *scaler, enum scale_direction direction)
{
    bool turns = scaler->direction != SCALE_NOWHERE && scaler->direction != direction;
    uint64_t calm_ms = scaler->settings.calm_ms;
    if (turns && direction == SCALE_UP) {
        bool regretted = is_too_soon(scaler, scaler->turned, scaler->turned_ns,
                                     REGRET_CALMS * calm_ms * scaler->calm);
        scaler->calm = regretted ? scaler->calm * 2 : 1;
        scaler->calm = scaler->calm < CALM_MOST ? scaler->calm : CALM_MOST;
    }
    if (turns) {
        scaler->turned = true;
        scaler->turned_ns = scaler->now_ns;
    }
    scaler->direction = direction;
}

static void act(struct scaler *scaler, const struct scale_view *view, unsigned workers)
{
    if (workers == scaler->workers)
        return;
    note_direction(scaler, workers > scaler->workers ? SCALE_UP : SCALE_DOWN);
    scaler->changed = true;
    scaler->changed_ns = scaler->now_ns;
    if (workers > scaler->workers) {
        scaler->added = true;
        scaler->added_ns = scaler->now_ns;
    }
    scaler->workers = workers;
    scaler->actions++;
    if (scaler->rule->acted)
        scaler->rule->acted(scaler->memory, view, workers);
}

/* More at once, but one after the other; fewer, when that has held for a while. */
static void step_fronts(struct scaler *scaler)
{
    const struct scale_settings *s = &scaler->settings;
    unsigned to = scale_fronts(s, scaler->fronts, scaler->workers, scaler->fronts_load);
    uint64_t pause_ms = to < scaler->fronts ? s->hold_ms : s->pause_up_ms;
    bool ever = scaler->fronts_changed_ns > 0;
    if (to == scaler->fronts || is_too_soon(scaler, ever, scaler->fronts_changed_ns, pause_ms))
        return;
    scaler->fronts = to;
    scaler->fronts_changed_ns = scaler->now_ns;
}

static void explain_fronts(const struct scaler *scaler, const struct scale_decision *decision,
                           char out[static FRONTS_REASON])
{
    const struct scale_fronts_load *load = &scaler->fronts_load, none = {0};
    if (decision->fronts == decision->fronts_before)
        return;
    if (decision->fronts ==
        scale_fronts(&scaler->settings, decision->fronts_before, scaler->workers, none))
        snprintf(out, FRONTS_REASON, "; fronts follow %u workers", scaler->workers);
    else
        snprintf(out, FRONTS_REASON, "; %.1f fronts are busy and have %.0f connections", load->busy,
                 load->connections);
}

static void explain(const struct scaler *scaler, const struct scale_wish *wish,
                    struct scale_decision *decision)
{
    static const char *const why_held[] = {
        [SCALE_HELD_NOTHING] = "",
        [SCALE_HELD_MINIMUM] = "; there are to be so many at least",
        [SCALE_HELD_MAXIMUM] = "; there are to be no more",
        [SCALE_HELD_PAUSE] = "; too soon after the last change",
        [SCALE_HELD_HOLD] = "; too soon after some were added",
        [SCALE_HELD_CALM] = "; too soon after the last change of direction",
        [SCALE_HELD_ROOM] = "; fewer could not carry it with a short queue",
    };
    char fronts[FRONTS_REASON] = "";
    explain_fronts(scaler, decision, fronts);
    snprintf(decision->reason, sizeof decision->reason, "%s%s%s",
             wish->why[0] ? wish->why : "nothing asks for a change", why_held[decision->held],
             fronts);
}

void scaler_step(struct scaler *scaler, const struct scale_sample *sample,
                 struct scale_decision *decision)
{
    memset(decision, 0, sizeof *decision);
    decision->workers_before = scaler->workers;
    decision->fronts_before = scaler->fronts;
    uint64_t elapsed_ns = learn(scaler, sample);
    if (!scaler->begun)
        begin(scaler, sample, decision);
    struct scale_view view = {&scaler->settings, sample, scaler->workers, load_of(scaler),
                              elapsed_ns};
    struct scale_wish wish = {.workers = scaler->workers};
    scaler->rule->judge(scaler->memory, &view, &wish);
    unsigned workers = scaler->workers;
    if (wish.workers > scaler->workers)
        workers = go_up(scaler, sample, wish.workers, &decision->held);
    else if (wish.workers < scaler->workers)
        workers = go_down(scaler, wish.workers, &decision->held);
    act(scaler, &view, workers);
    step_fronts(scaler);
    decision->wish = wish.workers;
    decision->load = (uint64_t)(load_of(scaler) * 1000);
    decision->workers = scaler->workers;
    decision->fronts = scaler->fronts;
    explain(scaler, &wish, decision);
}

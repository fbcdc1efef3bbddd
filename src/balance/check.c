#include "balance/check.h"

#include "balance/errand.h"
#include "balance/outlier.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

/* How exactly silence is measured. */
#define TICK_NS (20 * MS_NS)
/* Without bytes from the server for so long, a check counts as lost, and is asked anew. */
#define LATE_NS  SEC_NS
#define READY_NS SEC_NS
/* An answer about readiness may take long: it asks the cluster. */
#define READY_LATE_NS (5 * SEC_NS)
/* Not ready for so long, and twice in a row, before it counts: elections are shorter. */
#define UNREADY_NS (2 * SEC_NS)
/* A server that is out is looked for at least so often. */
#define OUT_NS (500 * MS_NS)
/* The quantile by which servers are compared: above what caches answer, below what is rare. */
#define USUAL 0.75
/* Whoever has become slow is to be found out within two seconds: what came a second ago counts
 * half, not what came three seconds ago as for those who look at figures. */
#define SOONER 3

enum {
    READY_BAD = 2,
    KNOCK_TIMES = 10,   /* less often than other checks while it is fine */
    SLOW_CHECK = 3,     /* times its usual round trip before silence counts */
    PING_REQUESTS = 2,  /* that wait for a server, before more than a knock is needed */
    PING_PART = 3,      /* of silent_ns, without anything from it, too */
    HOMES_DECAY = 64,   /* per second, one of so many is forgotten, be they ever so few */
    TICKS_PER_SIGN = 5, /* time is told to health so often */
};

/* A server that is checked. */
struct check {
    struct checks *all;
    struct backend *backend; /* held */
    struct errand live, ready;
    struct timer due;
    uint64_t due_ns;
    uint64_t asked_ns;         /* the open check, on the real clock */
    uint64_t asked_awake_ns;   /* on the other */
    uint64_t waiting_awake_ns; /* since when a check is unanswered; 0: none is */
    uint64_t heard_ns, heard_awake_ns;
    uint64_t ready_next_ns, ready_asked_awake_ns;
    uint64_t unready_since_ns; /* awake */
    unsigned ready_bad;        /* in a row */
    bool unready;              /* says the cluster */
    bool pings;                /* what is open, or was last, is a ping */
    bool doubted;              /* a ping showed it to be silent: knocks say no more */
    uint64_t usual_ns;         /* what most of its answers took lately; 0: not known */
    uint32_t homes_due;        /* parts of a shopper to be forgotten, below HOMES_DECAY */
    char problem[ERRAND_PROBLEM];
    struct outlier_server outlier;
    struct latency_look latency; /* as counted a second ago */
    struct latency_decay decay;
};

struct checks {
    struct loop *loop;
    struct check_settings settings;
    struct random random;
    struct awake awake;
    struct timer tick;
    uint64_t ticks, second_ns;
    unsigned count;
    struct check *at[BACKENDS_MAX];
};

/* ---- The clock ---- */

void awake_begin(struct awake *awake, uint64_t step_ns, uint64_t now_ns)
{
    /* Not 0, which stands for "never". */
    *awake = (struct awake){.awake_ns = 1, .seen_ns = now_ns, .step_ns = step_ns};
}

uint64_t awake_look(struct awake *awake, uint64_t now_ns)
{
    uint64_t past = now_ns > awake->seen_ns ? now_ns - awake->seen_ns : 0;
    awake->awake_ns += past < awake->step_ns ? past : awake->step_ns;
    awake->seen_ns += past;
    return awake->awake_ns;
}

static uint64_t awake_now(struct checks *checks)
{
    return awake_look(&checks->awake, clock_mono_ns());
}

/* ---- What a server says of itself ---- */

bool check_read_load(struct str text, uint32_t *in_flight, uint64_t *latency_ns)
{
    struct str part, name;
    uint64_t number;
    bool found = false;
    while (str_cut(&text, ',', &part)) {
        part = str_trim(part);
        if (!str_cut(&part, '=', &name) || str_to_u64(part, &number) != ERR_OK)
            continue;
        if (str_eq(name, STR("in-flight")))
            *in_flight = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
        else if (str_eq(name, STR("latency-us")))
            *latency_ns = number < UINT64_MAX / 1000 ? number * 1000 : UINT64_MAX;
        else
            continue;
        found = true;
    }
    return found;
}

static void note_load(struct backend *backend, const char *text, uint64_t now_ns)
{
    uint32_t in_flight = atomic_load_explicit(&backend->reported_in_flight, memory_order_relaxed);
    uint64_t latency_ns = atomic_load_explicit(&backend->reported_latency_ns, memory_order_relaxed);
    if (!check_read_load(str_of(text), &in_flight, &latency_ns))
        return;
    atomic_store_explicit(&backend->reported_in_flight, in_flight, memory_order_relaxed);
    atomic_store_explicit(&backend->reported_latency_ns, latency_ns, memory_order_relaxed);
    atomic_store_explicit(&backend->reported_ns, now_ns, memory_order_release);
}

static void note_round_trip(struct backend *backend, uint64_t took_ns)
{
    uint64_t usual = atomic_load_explicit(&backend->round_trip_ns, memory_order_relaxed);
    usual = usual ? usual - usual / 8 + took_ns / 8 : took_ns;
    atomic_store_explicit(&backend->round_trip_ns, usual, memory_order_relaxed);
}

static void note_heard(struct check *check, uint64_t now_ns)
{
    atomic_store_explicit(&check->backend->heard_ns, now_ns, memory_order_relaxed);
    check->heard_ns = now_ns;
    check->heard_awake_ns = awake_now(check->all);
}

/* ---- One check ---- */

static bool knocks(const struct check *check)
{
    return !check->backend->shop && !check->all->settings.path[0];
}

/* So much waits for it that its silence tells something. */
static bool is_awaited(const struct check *check)
{
    return atomic_load_explicit(&check->backend->in_flight, memory_order_relaxed) >= PING_REQUESTS;
}

static uint64_t interval(const struct check *check)
{
    const struct check_settings *settings = &check->all->settings;
    enum health_state state = backend_state(check->backend);
    if (state == HEALTH_OUT || state == HEALTH_SUSPECT)
        return settings->check_ns < OUT_NS ? settings->check_ns : OUT_NS;
    return knocks(check) ? settings->check_ns * KNOCK_TIMES : settings->check_ns;
}

/* The next one: a tenth of the time sooner or later by chance, so that two load managers do not
 * stay in step. */
static void plan_next(struct check *check, uint64_t now_ns)
{
    uint64_t usual = interval(check), tenth = usual / 10;
    check->due_ns += usual - tenth + random_below(&check->all->random, 2 * tenth + 1);
    if (check->due_ns <= now_ns || check->due_ns > now_ns + 2 * usual)
        check->due_ns = now_ns + usual;
    loop_timer_set(check->all->loop, &check->due, check->due_ns);
}

static void ask(struct check *check, bool ping)
{
    struct checks *checks = check->all;
    check->asked_ns = clock_mono_ns();
    check->asked_awake_ns = awake_now(checks);
    if (!check->waiting_awake_ns)
        check->waiting_awake_ns = check->asked_awake_ns;
    check->pings = ping;
    if (ping)
        errand_ping(&check->live);
    else if (check->backend->shop)
        errand_ask(&check->live, STR("/livez"), STR_NONE, STR_NONE);
    else if (checks->settings.path[0])
        errand_ask(&check->live, str_of(checks->settings.path), STR_NONE, STR_NONE);
    else
        errand_knock(&check->live);
}

static void on_due(struct timer *timer, uint64_t now_ns)
{
    struct check *check = CONTAINER_OF(timer, struct check, due);
    if (!check->live.open)
        ask(check, check->doubted);
    plan_next(check, now_ns);
}

static bool is_unready(const struct check *check)
{
    if (check->unready)
        return true;
    uint64_t awake_ns = check->all->awake.awake_ns;
    return check->ready_bad >= READY_BAD && awake_ns - check->unready_since_ns >= UNREADY_NS;
}

/* A server of ours may not know /livez yet; whoever names a path means one that is there. */
static bool is_bad(const struct check *check)
{
    return !check->pings && check->live.status >= (check->backend->shop ? 500 : 400);
}

static enum health_sign answered(struct check *check, uint64_t now_ns)
{
    note_round_trip(check->backend, now_ns - check->asked_ns);
    note_load(check->backend, check->live.load, now_ns);
    if (is_bad(check)) {
        snprintf(check->problem, sizeof check->problem, "the check is answered %d",
                 check->live.status);
        return SIGN_CHECK_BAD;
    }
    if (is_unready(check)) {
        str_copy(check->problem, sizeof check->problem,
                 check->unready ? STR("the cluster says that it still gets its copy")
                                : STR("it answers /healthz with 503: it does not sell"));
        return SIGN_CHECK_BAD;
    }
    check->problem[0] = '\0';
    return SIGN_CHECK_FINE;
}

static void live_ended(struct errand *errand, enum errand_end end)
{
    struct check *check = CONTAINER_OF(errand, struct check, live);
    uint64_t now_ns = clock_mono_ns();
    enum health_sign sign = SIGN_TICK;
    check->waiting_awake_ns = 0;
    switch (end) {
    case ERRAND_ANSWERED:
        note_heard(check, now_ns);
        sign = answered(check, now_ns);
        break;
    case ERRAND_CONNECTED:
        if (!is_awaited(check)) /* else it is the server itself that is to be heard */
            note_heard(check, now_ns);
        sign = answered(check, now_ns);
        break;
    case ERRAND_REFUSED:
        sign = SIGN_REFUSED;
        break;
    case ERRAND_LOST:
    case ERRAND_RUBBISH:
        /* Nobody need understand a ping: the next knock tells whether it lives. */
        if (!check->pings)
            sign = SIGN_CHECK_LOST;
        break;
    case ERRAND_UNABLE: /* nothing is known of the server */
    case ERRAND_NONE:
        break;
    }
    if (end != ERRAND_ANSWERED && end != ERRAND_CONNECTED)
        str_copy(check->problem, sizeof check->problem, str_of(errand->problem));
    backend_sign(check->backend, sign, now_ns);
}

static void ready_ended(struct errand *errand, enum errand_end end)
{
    struct check *check = CONTAINER_OF(errand, struct check, ready);
    if (end != ERRAND_ANSWERED)
        return; /* the other check tells of that */
    note_heard(check, clock_mono_ns());
    if (errand->status < 500) {
        check->ready_bad = 0;
        return;
    }
    if (check->ready_bad++ == 0)
        check->unready_since_ns = awake_now(check->all);
}

/* ---- Time ---- */

/* How long the server may take without being suspected: one whose checks always take long, as
 * much more. */
static uint64_t patience(const struct check *check)
{
    uint64_t usual = atomic_load_explicit(&check->backend->round_trip_ns, memory_order_relaxed);
    uint64_t silent_ns = check->all->settings.silent_ns;
    uint64_t slow = usual * SLOW_CHECK < LATE_NS ? usual * SLOW_CHECK : LATE_NS;
    return slow > silent_ns ? slow : silent_ns;
}

/* How long nothing has come while something was waited for. */
static uint64_t silence(struct check *check, uint64_t awake_ns)
{
    uint64_t heard_ns = atomic_load_explicit(&check->backend->heard_ns, memory_order_relaxed);
    if (heard_ns != check->heard_ns) {
        check->heard_ns = heard_ns;
        check->heard_awake_ns = awake_ns;
    }
    if (!check->waiting_awake_ns)
        return 0;
    uint64_t since = check->waiting_awake_ns > check->heard_awake_ns ? check->waiting_awake_ns
                                                                     : check->heard_awake_ns;
    return awake_ns - since;
}

/* Whether it tells something of the server that it has been silent for SILENT_NS. */
static bool counts(const struct check *check, uint64_t silent_ns)
{
    if (silent_ns < patience(check))
        return false;
    return !check->pings || check->doubted ||
           (is_awaited(check) && check->usual_ns && silent_ns >= SLOW_CHECK * check->usual_ns);
}

/* More than a knock is needed. */
static bool is_quiet(const struct check *check, uint64_t awake_ns)
{
    uint64_t part_ns = check->all->settings.silent_ns / PING_PART;
    return knocks(check) && is_awaited(check) && awake_ns - check->heard_awake_ns >= part_ns;
}

static void look_at_ready(struct check *check, uint64_t awake_ns, uint64_t now_ns)
{
    if (check->ready.open && awake_ns - check->ready_asked_awake_ns >= READY_LATE_NS)
        errand_give_up(&check->ready);
    if (!check->backend->shop || check->ready.open || now_ns < check->ready_next_ns)
        return;
    check->ready_next_ns = now_ns + READY_NS;
    check->ready_asked_awake_ns = awake_ns;
    errand_ask(&check->ready, STR("/healthz"), STR_NONE, STR_NONE);
}

static void look_at(struct check *check, uint64_t awake_ns, uint64_t now_ns)
{
    uint64_t silent_ns = silence(check, awake_ns);
    bool silent = counts(check, silent_ns);
    check->doubted = silent && check->pings;
    if (silent)
        backend_sign(check->backend, SIGN_SILENT, now_ns);
    uint64_t late_ns = LATE_NS > 2 * patience(check) ? LATE_NS : 2 * patience(check);
    if (check->live.open && awake_ns - check->asked_awake_ns >= late_ns) {
        errand_give_up(&check->live);
        str_copy(check->problem, sizeof check->problem, STR("a check was not answered in time"));
        /* One who answers others is only busy. */
        if (silent && silent_ns >= late_ns)
            backend_sign(check->backend, SIGN_CHECK_LOST, now_ns);
        ask(check, check->doubted || is_quiet(check, awake_ns));
    }
    if (!check->live.open && is_quiet(check, awake_ns))
        ask(check, true);
    look_at_ready(check, awake_ns, now_ns);
}

static uint64_t figure(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What most of its answers took at the most in the last seconds. */
static uint64_t usual_latency(struct check *check, uint64_t past_ns)
{
    struct latency_look now = {.sum_ns = 0};
    latency_look(&check->backend->counters.latency, &now);
    latency_fade(&check->decay, &check->latency, &now, past_ns * SOONER);
    check->latency = now;
    return latency_quantile(&check->decay, USUAL);
}

static void compare(struct checks *checks, uint64_t now_ns)
{
    struct outlier_server *servers[BACKENDS_MAX];
    for (unsigned i = 0; i < checks->count; i++) {
        struct check *check = checks->at[i];
        struct backend_counters *counters = &check->backend->counters;
        uint64_t latency_ns = usual_latency(check, now_ns - checks->second_ns);
        if (latency_ns) /* when nothing comes any more, the last word counts */
            check->usual_ns = latency_ns;
        outlier_count(&check->outlier, figure(&counters->answers), figure(&counters->answered_5xx),
                      figure(&counters->failures), latency_ns);
        servers[i] = health_takes(backend_state(check->backend)) ? &check->outlier : NULL;
    }
    struct outliers found = outlier_look(servers, checks->count);
    for (unsigned i = 0; i < checks->count; i++) {
        if (found.slow >> i & 1)
            backend_sign(checks->at[i]->backend, SIGN_SLOW, now_ns);
        if (found.failing >> i & 1)
            backend_sign(checks->at[i]->backend, SIGN_FAILING, now_ns);
    }
}

/* Shoppers who were placed there some time ago may have gone long since. */
static void forget_homes(struct check *check)
{
    struct backend *backend = check->backend;
    uint64_t due = check->homes_due;
    due += atomic_load_explicit(&backend->homes, memory_order_relaxed);
    check->homes_due = (uint32_t)(due % HOMES_DECAY);
    if (due >= HOMES_DECAY)
        atomic_fetch_sub_explicit(&backend->homes, (uint32_t)(due / HOMES_DECAY),
                                  memory_order_relaxed);
}

static void on_tick(struct timer *timer, uint64_t now_ns)
{
    struct checks *checks = CONTAINER_OF(timer, struct checks, tick);
    uint64_t awake_ns = awake_now(checks);
    bool signs = checks->ticks++ % TICKS_PER_SIGN == 0;
    for (unsigned i = 0; i < checks->count; i++) {
        look_at(checks->at[i], awake_ns, now_ns);
        if (signs)
            backend_sign(checks->at[i]->backend, SIGN_TICK, now_ns);
    }
    if (now_ns - checks->second_ns >= SEC_NS) {
        compare(checks, now_ns);
        checks->second_ns = now_ns;
        for (unsigned i = 0; i < checks->count; i++)
            forget_homes(checks->at[i]);
    }
    loop_timer_set(checks->loop, &checks->tick, now_ns + TICK_NS);
}

/* ---- Who is checked ---- */

static struct check *check_new(struct checks *checks, struct backend *backend)
{
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        return NULL;
    struct errand_target target = {
        .address = &backend->address,
        .host = backend->host,
        .tls_context = backend->tls_context,
        .proxy_header = backend->proxy_header,
    };
    check->all = checks;
    check->backend = backend_hold(backend);
    check->due.fire = on_due;
    check->heard_awake_ns = awake_now(checks);
    errand_init(&check->live, checks->loop, &target, live_ended);
    errand_init(&check->ready, checks->loop, &target, ready_ended);
    return check;
}

static void check_free(struct check *check)
{
    if (!check)
        return;
    loop_timer_stop(check->all->loop, &check->due);
    errand_close(&check->live);
    errand_close(&check->ready);
    backend_drop(check->backend);
    free(check);
}

static struct check *take_known(struct check **known, unsigned count, const struct backend *backend)
{
    for (unsigned i = 0; i < count; i++) {
        struct check *check = known[i];
        if (check && check->backend == backend) {
            known[i] = NULL;
            return check;
        }
    }
    return NULL;
}

int checks_set(struct checks *checks, const struct backend_set *set)
{
    struct check *known[BACKENDS_MAX];
    unsigned known_count = checks->count;
    uint64_t now_ns = clock_mono_ns();
    int err = ERR_OK;
    memcpy(known, checks->at, sizeof known);
    checks->count = 0;
    for (unsigned i = 0; i < set->count; i++) {
        struct check *check = take_known(known, known_count, set->at[i]);
        if (!check)
            check = check_new(checks, set->at[i]);
        if (!check) {
            err = ERR_NOMEM;
            continue;
        }
        checks->at[checks->count++] = check;
        /* All of them anew: evenly over the time. */
        check->due_ns = now_ns + checks->settings.check_ns * i / set->count;
        loop_timer_set(checks->loop, &check->due, check->due_ns);
        check->ready_next_ns = now_ns + READY_NS * i / set->count;
    }
    for (unsigned i = 0; i < known_count; i++)
        check_free(known[i]);
    return err;
}

static struct check *find(const struct checks *checks, uint64_t id)
{
    for (unsigned i = 0; i < checks->count; i++)
        if (checks->at[i]->backend->id == id)
            return checks->at[i];
    return NULL;
}

void checks_unready(struct checks *checks, uint64_t id, bool unready)
{
    struct check *check = find(checks, id);
    if (check)
        check->unready = unready;
}

const char *checks_problem(const struct checks *checks, uint64_t id)
{
    const struct check *check = find(checks, id);
    return check ? check->problem : "";
}

struct checks *checks_new(struct loop *loop, const struct check_settings *settings)
{
    struct checks *checks = calloc(1, sizeof *checks);
    if (!checks)
        return NULL;
    uint64_t now_ns = clock_mono_ns();
    checks->loop = loop;
    checks->settings = *settings;
    random_seed(&checks->random, settings->seed);
    awake_begin(&checks->awake, 2 * TICK_NS, now_ns);
    checks->second_ns = now_ns;
    checks->tick.fire = on_tick;
    if (loop_timer_set(loop, &checks->tick, now_ns + TICK_NS) != ERR_OK) {
        free(checks);
        return NULL;
    }
    return checks;
}

void checks_free(struct checks *checks)
{
    if (!checks)
        return;
    loop_timer_stop(checks->loop, &checks->tick);
    for (unsigned i = 0; i < checks->count; i++)
        check_free(checks->at[i]);
    free(checks);
}

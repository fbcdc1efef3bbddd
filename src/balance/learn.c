#include "balance/learn.h"

#include "balance/errand.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUND_NS SEC_NS        /* in which each server is asked once */
#define LATE_NS  (2 * SEC_NS)  /* an answer is no longer waited for */
#define LOST_NS  (3 * SEC_NS)  /* nobody has answered: the seeds are asked again */
#define HURRY_NS (200 * MS_NS) /* at most so often */
#define LEAST_NS (10 * MS_NS)

enum { TELLERS_MAX = BACKENDS_MAX + 16, TROUBLE = 400, AUTHORIZATION = 160 };

/* Somebody who is asked. */
struct teller {
    struct learn *learn;
    char url[BACKEND_URL], host[ROSTER_HOST];
    bool tls, seed, member;
    struct endpoint address;
    bool begun; /* the errand is one to `address` */
    struct errand errand;
    uint64_t asked_ns;
};

struct learn {
    struct learn_settings settings;
    struct timer timer;
    char authorization[AUTHORIZATION];
    unsigned count, next;
    struct teller *at[TELLERS_MAX];
    bool known; /* `roster` is */
    bool alone; /* a seed has no cluster: it may get one, but that is not waited for */
    struct roster roster;
    uint64_t answered_ns; /* when it was last confirmed or replaced */
    uint64_t hurried_ns;
    char trouble[TROUBLE]; /* as told */
};

static void tell_trouble(struct learn *learn, const char *text)
{
    if (strcmp(text, learn->trouble) == 0)
        return;
    snprintf(learn->trouble, sizeof learn->trouble, "%s", text);
    learn->settings.trouble(learn->settings.user, learn->trouble);
}

/* ---- Who is asked ---- */

static void teller_ended(struct errand *errand, enum errand_end end);

static void teller_free(struct teller *teller)
{
    if (teller->begun)
        errand_close(&teller->errand);
    free(teller);
}

static struct teller *find(struct learn *learn, const char *url)
{
    for (unsigned i = 0; i < learn->count; i++)
        if (strcmp(learn->at[i]->url, url) == 0)
            return learn->at[i];
    return NULL;
}

/* URL as roster_url makes it. NULL: no memory, or no room. */
static struct teller *add(struct learn *learn, const char *text)
{
    char host[ROSTER_HOST], url[BACKEND_URL];
    bool tls;
    if (roster_url(str_of(text), &tls, host, NULL) != ERR_OK)
        return NULL;
    snprintf(url, sizeof url, "%s://%s", tls ? "https" : "http", host);
    struct teller *teller = find(learn, url);
    if (teller || learn->count == TELLERS_MAX)
        return teller;
    teller = calloc(1, sizeof *teller);
    if (!teller)
        return NULL;
    teller->learn = learn;
    teller->tls = tls;
    str_copy(teller->url, sizeof teller->url, str_of(url));
    str_copy(teller->host, sizeof teller->host, str_of(host));
    learn->at[learn->count++] = teller;
    return teller;
}

/* Those of the roster are members now; who is neither that nor a seed goes. The one
 * whose answer this is may be among them. */
static void sort_out(struct learn *learn)
{
    for (unsigned i = 0; i < learn->count; i++)
        learn->at[i]->member = false;
    for (unsigned i = 0; i < learn->roster.count; i++) {
        struct teller *teller = add(learn, learn->roster.servers[i].url);
        if (teller)
            teller->member = true;
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < learn->count; i++) {
        struct teller *teller = learn->at[i];
        if (teller->member || teller->seed)
            learn->at[kept++] = teller;
        else
            teller_free(teller);
    }
    learn->count = kept;
}

/* ---- Asking ---- */

static bool is_asked(const struct learn *learn, const struct teller *teller, uint64_t now_ns)
{
    return teller->member || !learn->known || now_ns - learn->answered_ns >= LOST_NS;
}

/* False: its address is not known yet. */
static bool prepare(struct teller *teller)
{
    const struct learn_settings *settings = &teller->learn->settings;
    struct endpoint address;
    if (!resolver_find(settings->resolver, teller->host, &address)) {
        char text[TROUBLE];
        snprintf(text, sizeof text, "there is no address for %s yet", teller->host);
        if (!teller->learn->known)
            tell_trouble(teller->learn, text);
        return false;
    }
    if (teller->begun && address.len == teller->address.len &&
        memcmp(&address.at, &teller->address.at, address.len) == 0)
        return true;
    if (teller->begun)
        errand_close(&teller->errand);
    teller->address = address;
    struct errand_target target = {
        .address = &teller->address,
        .host = teller->host,
        .tls_context = teller->tls ? settings->tls_context : NULL,
        .proxy_header = settings->proxy_header,
    };
    errand_init(&teller->errand, settings->loop, &target, teller_ended);
    teller->begun = true;
    return true;
}

static void ask(struct teller *teller, uint64_t now_ns)
{
    struct learn *learn = teller->learn;
    if (teller->begun && teller->errand.open) {
        if (now_ns - teller->asked_ns < LATE_NS)
            return;
        errand_give_up(&teller->errand);
    }
    if (!prepare(teller))
        return;
    teller->asked_ns = now_ns;
    errand_ask(&teller->errand, STR("/api/v1/cluster/managers"), str_of(learn->authorization),
               learn->settings.announcement);
}

static void ask_next(struct learn *learn, uint64_t now_ns)
{
    for (unsigned i = 0; i < learn->count; i++) {
        struct teller *teller = learn->at[learn->next++ % learn->count];
        if (!is_asked(learn, teller, now_ns))
            continue;
        ask(teller, now_ns);
        return;
    }
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct learn *learn = CONTAINER_OF(timer, struct learn, timer);
    unsigned asked = 0;
    ask_next(learn, now_ns);
    for (unsigned i = 0; i < learn->count; i++)
        asked += is_asked(learn, learn->at[i], now_ns);
    uint64_t wait_ns = ROUND_NS / (asked ? asked : 1);
    /* At the beginning all seeds are tried soon: requests wait for the answer. */
    if (!learn->known && !learn->alone && wait_ns > ROUND_NS / 10)
        wait_ns = ROUND_NS / 10;
    loop_timer_set(learn->settings.loop, timer, now_ns + (wait_ns > LEAST_NS ? wait_ns : LEAST_NS));
}

void learn_hurry(struct learn *learn)
{
    uint64_t now_ns = clock_mono_ns();
    if (now_ns - learn->hurried_ns < HURRY_NS)
        return;
    learn->hurried_ns = now_ns;
    for (unsigned i = 0; i < learn->count; i++)
        if (is_asked(learn, learn->at[i], now_ns))
            ask(learn->at[i], now_ns);
}

/* ---- Answers ---- */

static void take_roster(struct learn *learn, const struct teller *teller)
{
    struct roster roster;
    struct failure failure;
    char text[TROUBLE];
    uint64_t now_ns = clock_mono_ns();
    if (roster_read(buf_text(&teller->errand.body), &roster, &failure) != ERR_OK) {
        snprintf(text, sizeof text, "what %s answers cannot be used: %.200s", teller->url,
                 failure.text);
        tell_trouble(learn, text);
        return;
    }
    if (learn->known && strcmp(roster.cluster, learn->roster.cluster) != 0) {
        snprintf(text, sizeof text, "%s belongs to another cluster; it is not believed",
                 teller->url);
        tell_trouble(learn, text);
        return;
    }
    if (roster.outsider || roster.count == 0) { /* the others know, or it does in a moment */
        if (!learn->known) {
            snprintf(text, sizeof text, "%s does not know yet who belongs to its cluster",
                     teller->url);
            tell_trouble(learn, text);
        }
        return;
    }
    bool heard = learn->known && roster_hear_drain(&roster, &learn->roster);
    if (learn->known && !roster_replaces(&roster, &learn->roster, now_ns - learn->answered_ns)) {
        if (heard)
            learn->settings.learnt(learn->settings.user, &learn->roster);
        return;
    }
    if (learn->known)
        roster_keep_drains(&roster, &learn->roster);
    learn->roster = roster;
    learn->known = true;
    learn->answered_ns = now_ns;
    tell_trouble(learn, "");
    sort_out(learn); /* TELLER may be gone after this */
    learn->settings.learnt(learn->settings.user, &learn->roster);
}

static void refused(struct learn *learn, const struct teller *teller)
{
    char text[TROUBLE];
    int status = teller->errand.status;
    if (status == 404 && str_find(buf_text(&teller->errand.body), STR("\"alone\"")) >= 0) {
        if (!learn->known && !learn->alone)
            learn->settings.alone(learn->settings.user);
        learn->alone = true;
        return;
    }
    if (status == 401 || status == 403)
        snprintf(text, sizeof text,
                 "%s does not take the operator's token (it answers %d); give the one of the "
                 "cluster",
                 teller->url, status);
    else
        snprintf(text, sizeof text, "%s answers %d when asked who belongs to the cluster",
                 teller->url, status);
    tell_trouble(learn, text);
}

static void teller_ended(struct errand *errand, enum errand_end end)
{
    struct teller *teller = CONTAINER_OF(errand, struct teller, errand);
    struct learn *learn = teller->learn;
    char text[TROUBLE];
    if (end == ERRAND_ANSWERED && errand->status == 200) {
        take_roster(learn, teller);
    } else if (end == ERRAND_ANSWERED) {
        refused(learn, teller);
    } else if (!learn->known) {
        /* Later on the checks tell who is there. */
        snprintf(text, sizeof text, "%s cannot be reached: %s", teller->url, errand->problem);
        tell_trouble(learn, text);
    }
}

/* ---- Beginning and ending ---- */

struct learn *learn_new(const struct learn_settings *settings)
{
    struct learn *learn = calloc(1, sizeof *learn);
    if (!learn)
        return NULL;
    learn->settings = *settings;
    snprintf(learn->authorization, sizeof learn->authorization, "Bearer %s", settings->token);
    for (unsigned i = 0; i < settings->seed_count; i++) {
        struct teller *teller = add(learn, settings->seeds[i]);
        if (!teller) {
            learn_free(learn);
            return NULL;
        }
        teller->seed = true;
    }
    learn->timer.fire = on_timer;
    if (loop_timer_set(settings->loop, &learn->timer, loop_now(settings->loop)) != ERR_OK) {
        learn_free(learn);
        return NULL;
    }
    return learn;
}

void learn_free(struct learn *learn)
{
    if (!learn)
        return;
    loop_timer_stop(learn->settings.loop, &learn->timer);
    for (unsigned i = 0; i < learn->count; i++)
        teller_free(learn->at[i]);
    free(learn);
}

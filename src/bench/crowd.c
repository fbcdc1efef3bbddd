#include "bench/crowd.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/crowd_director.h"
#include "bench/crowd_items.h"
#include "bench/peer.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    QUEUE = 64,            /* clicks of one shopper that wait for an earlier one */
    PATIENCE_S = 30,       /* a shopper's, with one request */
    SWEEP_MS = 500,        /* between two looks for those who have lost it */
    IDLE_REOPEN_MS = 1000, /* a connection unused for that long may just be closing */
    READERS = 64,          /* who read their carts at once at the end */
    REQUEST_MAX = 16 << 10,
    NOTES_MAX = 4 << 10,
    OTHER_FILES = 64,
};

struct shopper {
    struct crowd_shopper mind;
    struct crowd *crowd;
    const struct peer_kind *front;
    struct peer *peer;
    struct peer_call call;
    struct buf path, headers;
    const char *method;
    uint64_t due[QUEUE]; /* a ring */
    unsigned head, tail;
    uint64_t due_ns, sent_ns, free_ns; /* free_ns: when the connection was last used */
    bool busy, connected, sent;
    bool fresh;     /* nothing has been answered on this connection yet */
    bool answering; /* a part of the answer has come */
    bool reopened;  /* this request has been sent once more already */
};

struct crowd {
    const struct crowd_config *config;
    struct crowd_report *report;
    struct crowd_items items;
    struct peer_kind fronts[CROWD_FRONTS], servers[HEALTHY_SERVERS];
    char authorities[CROWD_FRONTS + HEALTHY_SERVERS][ADDRESS_TEXT];
    uint64_t bytes_in;
    struct loop *loop;
    struct watch arrivals; /* a timerfd: epoll's milliseconds are too coarse */
    struct timer sweep;
    struct shopper *shoppers;
    struct random random;
    struct histogram late;
    uint64_t start_ns, next_due_ns;
    unsigned busy, next_reader;
    bool reading, no_memory;
    struct crowd_director director;
};

static void go_on(struct shopper *shopper);

/* Which of the servers has answered, from 1: by its number, or its port. 0: it does not say. */
static unsigned server_of(const struct shopper *shopper)
{
    uint64_t said = shopper->mind.server;
    if (said <= HEALTHY_SERVERS)
        return (unsigned)said;
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++)
        if (said == endpoint_port(&shopper->crowd->servers[i].address))
            return i + 1;
    return 0;
}

/* ---- What went wrong ---- */

static void note(struct shopper *shopper, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct shopper *shopper, const char *format, ...)
{
    struct crowd *crowd = shopper->crowd;
    struct buf *notes = &crowd->report->notes, line;
    struct crowd_fault fault;
    uint64_t now = clock_mono_ns();
    char text[700];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    buf_init(&line, sizeof text + 400);
    buf_printf(&line, "%.3f s, shopper %u, %s%s (due %.0f ms ago, answered by server %u): %s",
               (double)(now - crowd->start_ns) / 1e9, shopper->mind.number,
               crowd_act_name(shopper->mind.act), shopper->mind.program ? " at the API" : "",
               (double)(now - shopper->due_ns) / 1e6, server_of(shopper), text);
    if (crowd_faults_last(&crowd->report->faults, now, &fault))
        buf_printf(&line, "; %.0f ms after server %u (%s) %s", (double)(now - fault.at_ns) / 1e6,
                   fault.server + 1, fault.primary ? "primary" : "secondary",
                   crowd_fault_what(crowd->config->plan.kind));
    if (notes->len + line.len < NOTES_MAX)
        buf_printf(notes, "%.*s\n", STR_FMT(buf_text(&line)));
    buf_close(&line);
}

static void note_cart(struct shopper *shopper, enum crowd_finding finding,
                      const struct crowd_lines *believed, const struct crowd_lines *seen)
{
    struct buf text;
    buf_init(&text, 600);
    buf_puts(&text, "cart ");
    buf_puts(&text, crowd_finding_name(finding));
    buf_puts(&text, ": believed ");
    crowd_lines_text(believed, &shopper->crowd->items, &text);
    buf_puts(&text, "; saw ");
    crowd_lines_text(seen, &shopper->crowd->items, &text);
    note(shopper, "%.*s", STR_FMT(buf_text(&text)));
    buf_close(&text);
}

/* ---- Requests ---- */

static void record(struct shopper *shopper, uint64_t now)
{
    struct crowd_report *report = shopper->crowd->report;
    if (shopper->crowd->reading || report->record_count == CROWD_REQUESTS_MAX)
        return;
    if ((report->record_count & (report->record_count - 1)) == 0) { /* full at each power of two */
        size_t room = report->record_count ? 2 * report->record_count : 1;
        struct crowd_record *more = realloc(report->records, room * sizeof *more);
        if (!more) {
            shopper->crowd->no_memory = true;
            return;
        }
        report->records = more;
    }
    uint64_t us = (now - shopper->due_ns) / 1000;
    report->records[report->record_count++] = (struct crowd_record){
        .due_ns = shopper->due_ns,
        .took_us = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us,
        .server = (uint8_t)server_of(shopper),
        .act = (uint8_t)shopper->mind.act,
    };
}

static void end_click(struct shopper *shopper)
{
    shopper->busy = false;
    shopper->crowd->busy--;
    go_on(shopper);
}

static void give_up(struct shopper *shopper, const char *why)
{
    struct crowd_report *report = shopper->crowd->report;
    note(shopper, "%s", why);
    if (shopper->crowd->reading)
        report->unread++;
    else
        report->failed++;
    crowd_shopper_lost(&shopper->mind);
    end_click(shopper);
}

static void transmit(struct shopper *shopper)
{
    shopper->sent = true;
    shopper->answering = false;
    shopper->sent_ns = clock_mono_ns();
    peer_request(shopper->peer, &shopper->call, shopper->method, buf_text(&shopper->path),
                 buf_text(&shopper->headers));
}

static void connect_front(struct shopper *shopper)
{
    shopper->connected = false;
    shopper->fresh = true;
    shopper->peer = peer_new(shopper->front, shopper);
    if (!shopper->peer)
        give_up(shopper, strerror(errno));
}

/* The request is written: it leaves when its connection can take it. */
static void submit(struct shopper *shopper)
{
    struct crowd *crowd = shopper->crowd;
    shopper->sent = shopper->reopened = false;
    crowd->report->requests += !crowd->reading;
    if (!shopper->peer)
        connect_front(shopper);
    else if (shopper->connected && peer_usable(shopper->peer))
        transmit(shopper);
    /* Or else it is connecting, or about to be closed: `connected` or `closed` goes on. */
}

static struct crowd_request blank(struct shopper *shopper)
{
    buf_clear(&shopper->path);
    buf_clear(&shopper->headers);
    buf_clear(&shopper->call.sent);
    return (struct crowd_request){"GET", &shopper->path, &shopper->headers, &shopper->call.sent};
}

static void click(struct shopper *shopper, uint64_t due_ns)
{
    struct crowd *crowd = shopper->crowd;
    struct crowd_request request = blank(shopper);
    shopper->busy = true;
    crowd->busy++;
    crowd->report->clicks++;
    shopper->due_ns = due_ns;
    crowd_shopper_click(&shopper->mind, &crowd->items, &request);
    shopper->method = request.method;
    submit(shopper);
}

/* ---- The reading at the end ---- */

/* The next shopper that has a cart reads it. */
static void read_next(struct crowd *crowd)
{
    while (crowd->next_reader < crowd->config->shoppers) {
        struct shopper *shopper = &crowd->shoppers[crowd->next_reader++];
        struct crowd_request request = blank(shopper);
        if (!crowd_shopper_look(&shopper->mind, &request))
            continue;
        shopper->method = request.method;
        shopper->busy = true;
        crowd->busy++;
        shopper->due_ns = clock_mono_ns();
        submit(shopper);
        return;
    }
}

static void go_on(struct shopper *shopper)
{
    if (shopper->crowd->reading)
        read_next(shopper->crowd);
    else if (shopper->head != shopper->tail)
        click(shopper, shopper->due[shopper->head++ % QUEUE]);
}

/* ---- Connections ---- */

static void connected(struct peer *peer)
{
    struct shopper *shopper = peer_owner(peer);
    shopper->connected = true;
    if (shopper->busy && !shopper->sent)
        transmit(shopper);
}

static void head(struct peer *peer, struct peer_call *call, const struct http_response *response)
{
    struct shopper *shopper = peer_owner(peer);
    (void)call;
    shopper->answering = true;
    crowd_shopper_head(&shopper->mind, response);
}

static void judge(struct shopper *shopper, int status)
{
    struct crowd *crowd = shopper->crowd;
    struct crowd_report *report = crowd->report;
    enum crowd_finding finding;
    struct crowd_lines believed = shopper->mind.belief.now, seen = {0};
    struct str body = buf_text(&shopper->call.answer);
    enum crowd_verdict verdict =
        crowd_shopper_answer(&shopper->mind, &crowd->items, status, body, &finding, &seen);
    char why[260];
    if (verdict == CROWD_FAILED) {
        snprintf(why, sizeof why, "%s %.*s was answered %d, \"%s\", %.*s", shopper->method,
                 STR_FMT(str_sub(buf_text(&shopper->path), 0, 60)), status, shopper->mind.location,
                 STR_FMT(str_clip_utf8(body, 80)));
        give_up(shopper, why);
        return;
    }
    if (finding > CROWD_AS_PROMISED)
        note_cart(shopper, finding, &believed, &seen);
    if (crowd->reading) {
        report->read++;
        report->wrong += finding != CROWD_AS_PROMISED;
    } else {
        report->findings[finding]++;
    }
    if (verdict == CROWD_DONE) {
        end_click(shopper);
        return;
    }
    struct crowd_request request = blank(shopper);
    shopper->due_ns = clock_mono_ns();
    crowd_shopper_follow(&shopper->mind, &request);
    shopper->method = request.method;
    submit(shopper);
}

static void answered(struct peer *peer, struct peer_call *call, int status)
{
    struct shopper *shopper = peer_owner(peer);
    (void)call;
    shopper->free_ns = clock_mono_ns();
    shopper->fresh = false;
    record(shopper, shopper->free_ns);
    judge(shopper, status);
}

/* Both ends may close a connection that nobody uses; a request that crosses that on its way is sent
 * once more, as browsers do (RFC 9112 §9.3.1). */
static bool crossed(const struct shopper *shopper)
{
    return !shopper->fresh && !shopper->answering && !shopper->reopened &&
           shopper->sent_ns - shopper->free_ns > IDLE_REOPEN_MS * MS_NS;
}

static void closed(struct peer *peer)
{
    struct shopper *shopper = peer_owner(peer);
    int reason = peer_reason(peer);
    bool stood = shopper->connected;
    shopper->peer = NULL;
    shopper->connected = false;
    peer_free(peer);
    if (!shopper->busy)
        return;
    if (!stood) {
        give_up(shopper, reason ? strerror(reason) : "no connection");
    } else if (!shopper->sent) {
        connect_front(shopper);
    } else if (crossed(shopper)) {
        shopper->reopened = true;
        shopper->sent = false;
        shopper->crowd->report->reopened++;
        connect_front(shopper);
    } else {
        give_up(shopper, reason ? strerror(reason) : "the connection was closed without an answer");
    }
}

static void drop_connection(struct shopper *shopper)
{
    if (shopper->peer)
        peer_free(shopper->peer);
    shopper->peer = NULL;
    shopper->connected = false;
}

static void sweep(struct timer *timer, uint64_t now_ns)
{
    struct crowd *crowd = CONTAINER_OF(timer, struct crowd, sweep);
    uint64_t now = clock_mono_ns();
    for (unsigned i = 0; i < crowd->config->shoppers; i++) {
        struct shopper *shopper = &crowd->shoppers[i];
        uint64_t since = shopper->sent ? shopper->sent_ns : shopper->due_ns;
        if (!shopper->busy || now < since + PATIENCE_S * SEC_NS)
            continue;
        drop_connection(shopper);
        give_up(shopper, "no answer in 30 s");
    }
    loop_timer_set(crowd->loop, timer, now_ns + SWEEP_MS * MS_NS);
}

/* ---- Time ---- */

static void arm(struct crowd *crowd)
{
    struct itimerspec at = {
        .it_value = {(time_t)(crowd->next_due_ns / SEC_NS), (long)(crowd->next_due_ns % SEC_NS)}};
    timerfd_settime(crowd->arrivals.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void arrive(struct crowd *crowd, uint64_t due_ns, uint64_t now)
{
    struct shopper *shopper =
        &crowd->shoppers[random_below(&crowd->random, crowd->config->shoppers)];
    histogram_add(&crowd->late, now - due_ns);
    if (!shopper->busy)
        click(shopper, due_ns);
    else if (shopper->tail - shopper->head < QUEUE)
        shopper->due[shopper->tail++ % QUEUE] = due_ns;
    else
        crowd->report->failed++; /* it waits for 64 already */
}

static void arrivals_due(struct watch *watch, uint32_t events)
{
    struct crowd *crowd = CONTAINER_OF(watch, struct crowd, arrivals);
    uint64_t fired, now = clock_mono_ns();
    (void)events;
    if (read(watch->fd, &fired, sizeof fired) < 0 || crowd_director_finished(&crowd->director))
        return;
    while (crowd->next_due_ns <= now) {
        arrive(crowd, crowd->next_due_ns, now);
        /* Exponential gaps: shoppers click independently of each other. */
        double gap = -log(1 - random_unit(&crowd->random)) / crowd->config->rate;
        crowd->next_due_ns += (uint64_t)(gap * 1e9) + 1;
    }
    arm(crowd);
}

/* ---- The whole ---- */

static int set_front(struct crowd *crowd, struct peer_kind *kind, unsigned number, const char *url,
                     struct failure *failure)
{
    struct str rest = str_of(url);
    ptrdiff_t scheme = str_find(rest, STR("://"));
    rest = str_from(rest, scheme < 0 ? 0 : (size_t)scheme + 3);
    str_copy(crowd->authorities[number], ADDRESS_TEXT, rest);
    *kind = (struct peer_kind){
        .loop = crowd->loop,
        .authority = str_of(crowd->authorities[number]),
        .events = {connected, answered, closed, head},
        .bytes_in = &crowd->bytes_in,
    };
    return endpoint_resolve(kind->authority, false, &kind->address, failure);
}

static int set_fronts(struct crowd *crowd, struct failure *failure)
{
    const struct crowd_config *config = crowd->config;
    int err = 0;
    for (unsigned i = 0; !err && i < config->front_count; i++)
        err = set_front(crowd, &crowd->fronts[i], i, config->fronts[i], failure);
    for (unsigned i = 0; !err && i < HEALTHY_SERVERS; i++)
        err = set_front(crowd, &crowd->servers[i], CROWD_FRONTS + i, config->cluster->urls[i],
                        failure);
    return err;
}

static int prepare(struct crowd *crowd, struct failure *failure)
{
    const struct crowd_config *config = crowd->config;
    unsigned files = socket_limit_raise();
    if (files < config->shoppers + OTHER_FILES)
        return fail(failure, ERR_FULL, "%u shoppers need %u open files, but there may be only %u",
                    config->shoppers, config->shoppers + OTHER_FILES, files);
    crowd->shoppers = calloc(config->shoppers, sizeof *crowd->shoppers);
    crowd->loop = loop_new(failure);
    if (!crowd->shoppers || !crowd->loop)
        return crowd->loop ? fail(failure, ERR_NOMEM, "out of memory") : failure->err;
    int err =
        crowd_items_read(config->cluster->urls[0], config->cluster->token, &crowd->items, failure);
    err = err ? err : set_fronts(crowd, failure);
    if (err)
        return err;
    random_seed(&crowd->random, config->seed);
    for (unsigned i = 0; i < config->shoppers; i++) {
        struct shopper *shopper = &crowd->shoppers[i];
        shopper->crowd = crowd;
        shopper->front = &crowd->fronts[i % config->front_count];
        crowd_shopper_begin(&shopper->mind, i, config->seed);
        buf_init(&shopper->path, REQUEST_MAX);
        buf_init(&shopper->headers, REQUEST_MAX);
        buf_init(&shopper->call.sent, REQUEST_MAX);
        buf_init(&shopper->call.answer, PEER_ANSWER_MAX);
    }
    crowd->arrivals =
        (struct watch){timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), arrivals_due};
    if (crowd->arrivals.fd < 0 || loop_watch(crowd->loop, &crowd->arrivals, EPOLLIN))
        return fail_errno(failure, ERR_IO, "cannot make a timer");
    return 0;
}

/* Runs until nobody waits for an answer any more. */
static void finish_all(struct crowd *crowd)
{
    while (crowd->busy)
        loop_turn(crowd->loop, 50);
}

static int click_all(struct crowd *crowd, struct failure *failure)
{
    crowd->start_ns = crowd->next_due_ns = clock_mono_ns();
    int err = crowd_director_start(&crowd->director, crowd->config, crowd->report, failure);
    if (err)
        return err;
    arm(crowd);
    crowd->sweep.fire = sweep;
    loop_timer_set(crowd->loop, &crowd->sweep, clock_mono_ns() + SWEEP_MS * MS_NS);
    while (!crowd_director_finished(&crowd->director) && !crowd->no_memory)
        loop_turn(crowd->loop, 50);
    crowd->report->end_ns = clock_mono_ns();
    err = crowd_director_end(&crowd->director, failure);
    finish_all(crowd);
    return crowd->no_memory ? fail(failure, ERR_NOMEM, "out of memory") : err;
}

/* From each server itself, without a load manager. */
static void read_all(struct crowd *crowd)
{
    crowd->reading = true;
    for (unsigned server = 0; server < HEALTHY_SERVERS; server++) {
        for (unsigned i = 0; i < crowd->config->shoppers; i++) {
            drop_connection(&crowd->shoppers[i]);
            crowd->shoppers[i].front = &crowd->servers[server];
        }
        crowd->next_reader = 0;
        for (unsigned i = 0; i < READERS; i++)
            read_next(crowd);
        finish_all(crowd);
    }
}

static void sum_up(struct crowd *crowd)
{
    struct crowd_report *report = crowd->report;
    report->late_p99_ns = histogram_quantile(&crowd->late, 0.99);
    for (uint64_t i = 0; i < report->record_count; i++) {
        const struct crowd_record *record = &report->records[i];
        if (record->due_ns < report->begin_ns || record->due_ns > report->end_ns)
            continue;
        histogram_add(&report->latency, record->took_us * UINT64_C(1000));
        report->by_server[record->server % CROWD_SERVERS]++;
    }
}

static void close_all(struct crowd *crowd)
{
    for (unsigned i = 0; crowd->shoppers && i < crowd->config->shoppers; i++) {
        struct shopper *shopper = &crowd->shoppers[i];
        drop_connection(shopper);
        buf_close(&shopper->path);
        buf_close(&shopper->headers);
        buf_close(&shopper->call.sent);
        buf_close(&shopper->call.answer);
    }
    if (crowd->loop && crowd->arrivals.fd >= 0) {
        loop_unwatch(crowd->loop, &crowd->arrivals);
        close(crowd->arrivals.fd);
    }
    if (crowd->loop)
        loop_timer_stop(crowd->loop, &crowd->sweep);
    loop_free(crowd->loop);
    free(crowd->shoppers);
}

int crowd_run(const struct crowd_config *config, struct crowd_report *report,
              struct failure *failure)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    *report = (struct crowd_report){0};
    buf_init(&report->notes, NOTES_MAX);
    histogram_clear(&report->latency);
    int err = crowd_faults_open(&report->faults, &config->plan);
    if (!crowd || err) {
        free(crowd);
        return fail(failure, ERR_NOMEM, "out of memory");
    }
    crowd->config = config;
    crowd->report = report;
    crowd->arrivals.fd = -1;
    histogram_clear(&crowd->late);
    err = prepare(crowd, failure);
    err = err ? err : echo_start(&report->echo, failure);
    err = err ? err : click_all(crowd, failure);
    echo_stop(&report->echo);
    if (!err) {
        sum_up(crowd);
        read_all(crowd);
    }
    close_all(crowd);
    free(crowd);
    return err;
}

#include "bench/load.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/load_pace.h"
#include "bench/peer.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    BACKLOG = 1 << 16,   /* operations of an open loop that are due and not begun */
    CONNECT_WAIT_S = 20, /* for all connections to stand before it begins */
    FIRST_WAIT_S = 3,    /* for the first one */
    OTHER_FILES = 64,    /* descriptors besides the connections' */
    RETRY_NS = 20000000, /* between two attempts to connect */
    REQUEST_MAX = 256 << 10,
    LOAD_URLS_MAX = 1 + LOAD_ALSO_MAX,
};

struct worker;

/* A visitor and what is measured of its operation. */
struct slot {
    struct visitor visitor;
    struct client *client;
    struct slot *next_idle;
    uint64_t due_ns; /* when the operation began, or should have */
    bool busy;
    struct peer_call call;
};

/* A connection, with its visitors. */
struct client {
    struct worker *worker;
    struct peer *peer;
    struct slot *slots;
    struct timer retry;
    bool connected, answered; /* answered: since it stands */
    bool greets;              /* its first slot's call is the greeting */
};

/* What a thread has spent, in seconds: computing, and runnable without a core. */
struct effort {
    double computed, waited;
};

struct worker {
    const struct load_config *config;
    struct peer_kind kinds[LOAD_URLS_MAX]; /* of each URL */
    unsigned first_client;                 /* its number */
    struct loop *loop;
    struct timer end, begin, first;
    struct watch arrivals; /* a timerfd: epoll's milliseconds are too coarse */
    struct client *clients;
    unsigned client_count, connected;
    struct slot *idle;
    uint64_t *backlog; /* due times, a ring */
    uint64_t backlog_head, backlog_tail, missed;
    double rate;
    uint64_t begun_ns, next_due_ns;
    struct random random;
    bool reached; /* somebody is at the address: the kernel there has taken a connection */
    bool running, counting, over;
    uint64_t count_from_ns, count_to_ns;
    struct effort effort_from, effort_to;
    int reason; /* why the last connection failed, as errno */
    uint64_t unanswered, unanswered_ns;
    struct histogram latency, late, by_kind[LOAD_KINDS];
    uint64_t operations, requests, failed, refused, bytes_in, bytes_mark;
    struct buf path, headers;
    pthread_t thread;
    struct failure failure;
};

/* ---- Operations ---- */

static void begin_next(struct worker *w, struct slot *slot);

static void send_step(struct slot *slot)
{
    struct worker *w = slot->client->worker;
    struct script_request request = {"GET", &w->path, &w->headers, &slot->call.sent};
    buf_clear(&w->path);
    buf_clear(&w->headers);
    buf_clear(&slot->call.sent);
    w->config->script->request(w->config->script_context, &slot->visitor, &request);
    w->requests += w->counting;
    /* When it fails, closed() ends the operation. */
    peer_request(slot->client->peer, &slot->call, request.method, buf_text(&w->path),
                 buf_text(&w->headers));
}

static void begin(struct slot *slot, uint64_t due_ns)
{
    slot->busy = true;
    slot->due_ns = due_ns;
    slot->visitor.step = 0;
    send_step(slot);
}

static void count_done(struct worker *w, const struct slot *slot)
{
    uint64_t took = clock_mono_ns() - slot->due_ns;
    histogram_add(&w->latency, took);
    if (!w->config->tally)
        return;
    CHECK(slot->visitor.kind < LOAD_KINDS);
    histogram_add(&w->by_kind[slot->visitor.kind], took);
    w->config->tally->done[slot->visitor.number]++; /* no other thread has this visitor */
}

static void end(struct slot *slot, enum script_verdict verdict)
{
    struct worker *w = slot->client->worker;
    if (slot->busy)
        load_timeline_note(w->config->timeline, slot->due_ns, clock_mono_ns(),
                           verdict == SCRIPT_DONE);
    slot->busy = false;
    slot->visitor.sequence++;
    if (w->counting) {
        w->operations += verdict == SCRIPT_DONE;
        w->failed += verdict == SCRIPT_FAILED;
        w->refused += verdict == SCRIPT_REFUSED;
        if (verdict == SCRIPT_DONE)
            count_done(w, slot);
    }
    /* A connection that is closing takes no more: its visitors go on when it stands again. */
    if (slot->client->connected && peer_usable(slot->client->peer))
        begin_next(w, slot);
}

static bool is_open(const struct worker *w)
{
    return w->rate > 0 || w->config->pace;
}

/* What a visitor does when it is free. */
static void begin_next(struct worker *w, struct slot *slot)
{
    bool goes_on = w->running && !w->over;
    if (goes_on && !is_open(w)) {
        begin(slot, clock_mono_ns());
    } else if (goes_on && w->backlog_head != w->backlog_tail) {
        begin(slot, w->backlog[w->backlog_head++ % BACKLOG]);
    } else {
        slot->next_idle = w->idle;
        w->idle = slot;
    }
}

/* ---- Open loop ---- */

/* When the next operation after that of AT_NS is due: exponential gaps, for visitors come
 * independently of each other. */
static uint64_t next_due(struct worker *w, uint64_t at_ns)
{
    const struct scale_load *pace = w->config->pace;
    double gap = -log(1 - random_unit(&w->random));
    return pace ? load_pace_next(pace, 1.0 / w->config->threads, w->begun_ns, at_ns, gap)
                : at_ns + (uint64_t)(gap / w->rate * 1e9) + 1;
}

static void arm(struct worker *w)
{
    if (w->next_due_ns == UINT64_MAX)
        return;
    struct itimerspec at = {
        .it_value = {(time_t)(w->next_due_ns / SEC_NS), (long)(w->next_due_ns % SEC_NS)}};
    timerfd_settime(w->arrivals.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void arrive(struct worker *w, uint64_t due_ns, uint64_t now)
{
    struct slot *slot = w->idle;
    if (slot) {
        w->idle = slot->next_idle;
        if (w->counting)
            histogram_add(&w->late, now - due_ns);
        begin(slot, due_ns);
    } else if (w->backlog_tail - w->backlog_head < BACKLOG) {
        w->backlog[w->backlog_tail++ % BACKLOG] = due_ns;
    } else {
        w->missed += w->counting;
    }
}

static void arrivals_due(struct watch *watch, uint32_t events)
{
    struct worker *w = CONTAINER_OF(watch, struct worker, arrivals);
    uint64_t fired, now = clock_mono_ns();
    (void)events;
    if (read(watch->fd, &fired, sizeof fired) < 0 || w->over)
        return;
    while (w->next_due_ns <= now) {
        arrive(w, w->next_due_ns, now);
        w->next_due_ns = next_due(w, w->next_due_ns);
    }
    arm(w);
}

/* ---- Connections ---- */

static void begin_all(struct worker *w)
{
    uint64_t now = clock_mono_ns();
    w->begun_ns = now;
    if (w->config->timeline)
        w->config->timeline->begun_ns = now;
    w->running = true;
    w->count_from_ns = now + (uint64_t)(w->config->warm_up_seconds * 1e9);
    w->count_to_ns = w->count_from_ns + (uint64_t)(w->config->seconds * 1e9);
    loop_timer_set(w->loop, &w->begin, w->count_from_ns);
    loop_timer_set(w->loop, &w->end, w->count_to_ns);
    if (is_open(w)) {
        w->next_due_ns = w->config->pace ? next_due(w, now) : now;
        arm(w);
        return;
    }
    struct slot *slot = w->idle;
    w->idle = NULL;
    while (slot) {
        struct slot *next = slot->next_idle;
        begin(slot, clock_mono_ns());
        slot = next;
    }
}

static void greet(struct client *client)
{
    struct worker *w = client->worker;
    struct slot *slot = &client->slots[0];
    client->greets = true;
    buf_clear(&slot->call.sent);
    peer_request(client->peer, &slot->call, "GET", str_of(w->config->greeting), STR(""));
}

static void stand(struct client *client)
{
    struct worker *w = client->worker;
    client->connected = true;
    w->connected++;
    for (unsigned i = 0; i < w->config->streams; i++)
        begin_next(w, &client->slots[i]);
    if (!w->running && w->connected == w->client_count)
        begin_all(w);
}

static void connected(struct peer *peer)
{
    struct client *client = peer_owner(peer);
    client->answered = false;
    client->worker->reached = true;
    if (client->worker->config->greeting && !client->worker->running)
        greet(client);
    else
        stand(client);
}

static void answered(struct peer *peer, struct peer_call *call, int status)
{
    struct slot *slot = CONTAINER_OF(call, struct slot, call);
    struct worker *w = slot->client->worker;
    (void)peer;
    slot->client->answered = true;
    if (slot->client->greets) {
        slot->client->greets = false;
        stand(slot->client);
        return;
    }
    enum script_verdict verdict = w->config->script->answer(
        w->config->script_context, &slot->visitor, status, buf_text(&call->answer));
    if (verdict != SCRIPT_NEXT) {
        end(slot, verdict);
        return;
    }
    slot->visitor.step++;
    send_step(slot);
}

static void unlink_idle(struct worker *w, const struct client *client)
{
    struct slot **at = &w->idle;
    while (*at) {
        if ((*at)->client == client)
            *at = (*at)->next_idle;
        else
            at = &(*at)->next_idle;
    }
}

static void closed(struct peer *peer)
{
    struct client *client = peer_owner(peer);
    struct worker *w = client->worker;
    bool stood = client->connected, idle = true;
    w->reason = peer_reason(peer);
    client->connected = client->greets = false;
    w->connected -= stood;
    client->peer = NULL;
    peer_free(peer);
    unlink_idle(w, client);
    for (unsigned i = 0; i < w->config->streams; i++)
        if (client->slots[i].busy) {
            idle = false;
            end(&client->slots[i], SCRIPT_FAILED);
        }
    if (!stood)
        w->failed += w->counting;
    /* A server that closes after its answer may be asked again at once. */
    uint64_t pause = stood && idle && client->answered ? 0 : RETRY_NS;
    if (!w->over)
        loop_timer_set(w->loop, &client->retry, clock_mono_ns() + pause);
}

static void connect_again(struct timer *timer, uint64_t now_ns)
{
    struct client *client = CONTAINER_OF(timer, struct client, retry);
    struct worker *w = client->worker;
    unsigned number = w->first_client + (unsigned)(client - w->clients);
    client->peer = peer_new(&w->kinds[number % (1 + w->config->also_count)], client);
    if (client->peer)
        return;
    w->reason = errno;
    loop_timer_set(w->loop, timer, now_ns + RETRY_NS);
}

/* ---- A worker's time ---- */

/* By the scheduler's account ("ns run, ns waited, slices"); where the system keeps none,
 * by the processor time alone. */
static struct effort thread_effort(void)
{
    struct effort effort = {0};
    struct rusage usage;
    unsigned long long ran, waited;
    FILE *file = fopen("/proc/thread-self/schedstat", "re");
    if (file && fscanf(file, "%llu %llu", &ran, &waited) == 2)
        effort.waited = (double)waited / 1e9;
    if (file)
        fclose(file);
    getrusage(RUSAGE_THREAD, &usage);
    effort.computed = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                      (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    return effort;
}

static void count_from_here(struct timer *timer, uint64_t now_ns)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, begin);
    (void)now_ns;
    w->counting = true;
    w->count_from_ns = clock_mono_ns();
    w->effort_from = thread_effort();
    w->bytes_mark = w->bytes_in;
    if (w->first_client == 0 && w->config->counting)
        w->config->counting(w->config->counting_context);
}

/* Operations on their way have no latency yet: how many, and how old the oldest is. */
static void count_unanswered(struct worker *w)
{
    for (unsigned i = 0; i < w->client_count; i++)
        for (unsigned s = 0; s < w->config->streams; s++) {
            const struct slot *slot = &w->clients[i].slots[s];
            if (!slot->busy)
                continue;
            w->unanswered++;
            load_timeline_note(w->config->timeline, slot->due_ns, w->count_to_ns, true);
            if (w->count_to_ns - slot->due_ns > w->unanswered_ns)
                w->unanswered_ns = w->count_to_ns - slot->due_ns;
        }
}

static void give_up(struct worker *w, unsigned seconds)
{
    fail(&w->failure, ERR_TIMEOUT, "only %u of %u connections could be made to %s in %u s%s%s",
         w->connected, w->client_count, w->config->url, seconds, w->reason ? ": " : "",
         w->reason ? strerror(w->reason) : "");
    w->over = true;
    loop_stop(w->loop);
}

static void look_for_first(struct timer *timer, uint64_t now_ns)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, first);
    (void)now_ns;
    if (!w->running && !w->reached)
        give_up(w, FIRST_WAIT_S);
}

static void time_is_up(struct timer *timer, uint64_t now_ns)
{
    struct worker *w = CONTAINER_OF(timer, struct worker, end);
    (void)now_ns;
    w->count_to_ns = clock_mono_ns();
    w->effort_to = thread_effort();
    if (!w->running) {
        give_up(w, CONNECT_WAIT_S);
        return;
    }
    count_unanswered(w);
    for (uint64_t i = w->backlog_head; i < w->backlog_tail; i++)
        load_timeline_note(w->config->timeline, w->backlog[i % BACKLOG], w->count_to_ns, true);
    w->missed += w->counting ? w->backlog_tail - w->backlog_head : 0;
    w->bytes_in -= w->bytes_mark;
    w->counting = false;
    w->over = true;
    loop_stop(w->loop);
}

static int worker_clients(struct worker *w, unsigned first)
{
    w->clients = calloc(w->client_count, sizeof *w->clients);
    if (!w->clients)
        return ERR_NOMEM;
    for (unsigned i = 0; i < w->client_count; i++) {
        struct client *client = &w->clients[i];
        client->worker = w;
        client->retry = (struct timer){.fire = connect_again};
        client->slots = calloc(w->config->streams, sizeof *client->slots);
        if (!client->slots)
            return ERR_NOMEM;
        for (unsigned s = 0; s < w->config->streams; s++) {
            struct slot *slot = &client->slots[s];
            slot->client = client;
            buf_init(&slot->call.sent, REQUEST_MAX);
            buf_init(&slot->call.answer, PEER_ANSWER_MAX);
            slot->visitor.number = (uint64_t)(first + i) * w->config->streams + s;
            random_seed(&slot->visitor.random, w->config->seed + slot->visitor.number);
        }
        loop_timer_set(w->loop, &client->retry, clock_mono_ns() + i * 20000ull);
    }
    return 0;
}

static int worker_init(struct worker *w, const struct load_config *config, unsigned first,
                       struct failure *failure)
{
    buf_init(&w->path, REQUEST_MAX);
    buf_init(&w->headers, REQUEST_MAX);
    histogram_clear(&w->latency);
    histogram_clear(&w->late);
    for (unsigned i = 0; i < LOAD_KINDS; i++)
        histogram_clear(&w->by_kind[i]);
    random_seed(&w->random, config->seed ^ (first + 0x5bd1e995u));
    w->config = config;
    w->begin = (struct timer){.fire = count_from_here};
    w->end = (struct timer){.fire = time_is_up};
    w->first = (struct timer){.fire = look_for_first};
    w->loop = loop_new(failure);
    w->backlog = calloc(BACKLOG, sizeof *w->backlog);
    w->arrivals.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    w->arrivals.ready = arrivals_due;
    w->first_client = first;
    for (unsigned i = 0; i <= config->also_count; i++) {
        w->kinds[i].loop = w->loop;
        w->kinds[i].events = (struct peer_events){connected, answered, closed, NULL};
        w->kinds[i].bytes_in = &w->bytes_in;
    }
    if (!w->loop || !w->backlog || w->arrivals.fd < 0)
        return fail(failure, ERR_NOMEM, "no memory for the generator");
    loop_watch(w->loop, &w->arrivals, EPOLLIN);
    loop_timer_set(w->loop, &w->first, clock_mono_ns() + FIRST_WAIT_S * SEC_NS);
    loop_timer_set(w->loop, &w->end, clock_mono_ns() + CONNECT_WAIT_S * SEC_NS);
    return worker_clients(w, first) ? fail(failure, ERR_NOMEM, "no memory for the generator") : 0;
}

static void worker_close(struct worker *w)
{
    for (unsigned i = 0; w->clients && i < w->client_count; i++) {
        if (w->clients[i].peer)
            peer_free(w->clients[i].peer);
        for (unsigned s = 0; w->clients[i].slots && s < w->config->streams; s++) {
            buf_close(&w->clients[i].slots[s].call.sent);
            buf_close(&w->clients[i].slots[s].call.answer);
        }
        free(w->clients[i].slots);
    }
    free(w->clients);
    if (w->arrivals.fd > 0)
        close(w->arrivals.fd);
    loop_free(w->loop);
    free(w->backlog);
    buf_close(&w->path);
    buf_close(&w->headers);
}

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    loop_run(w->loop);
    return NULL;
}

/* ---- The whole ---- */

/* "http://HOST:PORT" into the kind of peers. */
static int read_url(const struct load_config *config, const char *url, struct peer_kind *kind,
                    struct failure *failure)
{
    struct str rest = str_of(url);
    if (!str_starts(rest, STR("http://")))
        return fail(failure, ERR_INVALID, "%s is no http:// address (the generator has no TLS)",
                    url);
    rest = str_from(rest, 7);
    ptrdiff_t slash = str_find_byte(rest, '/');
    kind->authority = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
    kind->http2 = config->http2;
    return endpoint_resolve(kind->authority, false, &kind->address, failure);
}

static void add_up(const struct worker *w, struct bench_report *report, struct histogram *late)
{
    double seconds = (double)(w->count_to_ns - w->count_from_ns) / 1e9;
    double span = seconds > 0 ? seconds : 1;
    double busy = (w->effort_to.computed - w->effort_from.computed) / span;
    double waited = (w->effort_to.waited - w->effort_from.waited) / span;
    histogram_merge(&report->latency, &w->latency);
    histogram_merge(late, &w->late);
    for (unsigned i = 0; w->config->tally && i < LOAD_KINDS; i++)
        histogram_merge(&w->config->tally->latency[i], &w->by_kind[i]);
    report->operations += w->operations;
    report->requests += w->requests;
    report->failed += w->failed;
    report->refused += w->refused;
    report->missed += w->missed;
    report->bytes_in += w->bytes_in;
    report->unanswered += w->unanswered;
    if (w->unanswered_ns > report->unanswered_ns)
        report->unanswered_ns = w->unanswered_ns;
    if (busy + waited > report->generator_busy + report->generator_waited) {
        report->generator_busy = busy;
        report->generator_waited = waited;
    }
    if (seconds > report->seconds)
        report->seconds = seconds;
}

static int run_workers(struct worker *workers, const struct load_config *config,
                       const struct peer_kind *kinds, struct bench_report *report,
                       struct failure *failure)
{
    struct histogram *late = calloc(1, sizeof *late);
    unsigned first = 0, started = 0;
    int err = late ? 0 : fail(failure, ERR_NOMEM, "no memory for the generator");
    for (unsigned i = 0; !err && i < config->threads; i++) {
        struct worker *w = &workers[i];
        memcpy(w->kinds, kinds, sizeof w->kinds);
        w->client_count =
            config->connections / config->threads + (i < config->connections % config->threads);
        w->rate = config->rate / config->threads;
        err = worker_init(w, config, first, failure);
        first += w->client_count;
    }
    for (; !err && started < config->threads; started++)
        if (pthread_create(&workers[started].thread, NULL, worker_main, &workers[started]))
            err = fail_errno(failure, ERR_NOMEM, "cannot start a thread");
    for (unsigned i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        if (!err && workers[i].failure.err)
            err = fail(failure, workers[i].failure.err, "%s", workers[i].failure.text);
        if (!err)
            add_up(&workers[i], report, late);
    }
    if (late && late->count)
        report->late_ns_p99 = histogram_quantile(late, 0.99);
    free(late);
    return err;
}

int load_run(const struct load_config *config, struct bench_report *report, struct failure *failure)
{
    struct peer_kind kinds[LOAD_URLS_MAX] = {{0}};
    int err = read_url(config, config->url, &kinds[0], failure);
    for (unsigned i = 0; !err && i < config->also_count; i++)
        err = read_url(config, config->also[i], &kinds[i + 1], failure);
    if (err)
        return err;
    CHECK(config->threads > 0 && config->threads <= config->connections && config->streams > 0);
    CHECK(!config->timeline || config->threads == 1);
    unsigned files = socket_limit_raise();
    if (files < config->connections + OTHER_FILES)
        return fail(failure, ERR_FULL,
                    "%u connections need as many open files, and the system allows %u: raise "
                    "`ulimit -n`, or give fewer --connections",
                    config->connections, files);
    struct worker *workers = calloc(config->threads, sizeof *workers);
    if (!workers)
        return fail(failure, ERR_NOMEM, "no memory for the generator");
    report->open_loop = config->rate > 0 || config->pace;
    report->rate_wanted = config->rate;
    report->connections = config->connections;
    report->threads = config->threads;
    report->http2 = config->http2;
    err = run_workers(workers, config, kinds, report, failure);
    if (!err && config->standing)
        config->standing(config->standing_context);
    for (unsigned i = 0; i < config->threads; i++)
        worker_close(&workers[i]);
    free(workers);
    return err;
}

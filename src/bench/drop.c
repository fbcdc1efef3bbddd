#include "bench/drop.h"

#include "base/check.h"
#include "base/clock.h"
#include "bench/drop_judge.h"
#include "bench/peer.h"
#include "bench/script.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    OTHER_FILES = 64,
    REQUEST_MAX = 8 << 10,
    NOTES_MAX = 4 << 10,
    PAUSE_MIN_MS = 50,
    PAUSE_MAX_MS = 1000,
};

struct drop;

struct buyer {
    struct drop *drop;
    struct visitor visitor;
    const struct peer_kind *front;
    struct peer *peer;
    struct soon leaves; /* outside of the connection's own callbacks */
    struct timer pause;
    struct peer_call call;
    struct buf path, headers; /* kept, with call.sent, until the step is over */
    uint64_t due_ns;
    unsigned tries; /* of this step */
    bool came, over, connected, sent;
};

struct drop {
    const struct drop_config *config;
    struct drop_report *report;
    struct shop_script script;
    struct peer_kind fronts[DROP_FRONTS];
    char authorities[DROP_FRONTS][ADDRESS_TEXT];
    uint64_t bytes_in;
    struct loop *loop;
    struct watch arrivals; /* a timerfd: epoll's milliseconds are too coarse */
    struct random random;
    struct histogram late;
    struct buyer *buyers;
    unsigned came, over;
    uint64_t next_due_ns;
};

const char *drop_why_text(enum drop_why why)
{
    static const char *const texts[DROP_WHYS] = {
        [DROP_REFUSED] = "connection refused",
        [DROP_BROKEN] = "connection broken",
        [DROP_TOLD_LATER] = "not yet (502, 503, 504, 409)",
        [DROP_CALLED_OFF] = "attempt called off",
    };
    return texts[why];
}

/* ---- The end of a buyer ---- */

static void leave(struct soon *soon)
{
    struct buyer *buyer = CONTAINER_OF(soon, struct buyer, leaves);
    if (buyer->peer)
        peer_free(buyer->peer);
    buyer->peer = NULL;
    buf_close(&buyer->path);
    buf_close(&buyer->headers);
    buf_close(&buyer->call.sent);
    buf_close(&buyer->call.answer);
}

static void end(struct buyer *buyer, uint64_t *counter, uint64_t now)
{
    struct drop *drop = buyer->drop;
    struct drop_report *report = drop->report;
    if (buyer->over)
        return;
    ++*counter;
    buyer->over = true;
    drop->over++;
    report->end_ns = now;
    report->ends[report->end_count++] = now;
    loop_timer_stop(drop->loop, &buyer->pause);
    loop_soon(drop->loop, &buyer->leaves);
}

static void end_sold(struct buyer *buyer, uint64_t now)
{
    const struct drop_config *config = buyer->drop->config;
    struct drop_report *report = buyer->drop->report;
    end(buyer, &report->sold, now);
    histogram_add(&report->of_sold, now - buyer->due_ns);
    if (report->sold == config->units)
        report->sold_out_ns = now;
    if (report->sold == (config->units + 1) / 2 && config->half_sold)
        config->half_sold(config->context);
}

static void note(struct buyer *buyer, int status)
{
    struct buf *notes = &buyer->drop->report->notes;
    struct str body = str_clip_utf8(buf_text(&buyer->call.answer), 300);
    if (notes->len + body.len + 100 < NOTES_MAX)
        buf_printf(notes, "buyer %llu, step %u, was answered %d: %.*s\n",
                   (unsigned long long)buyer->visitor.number, buyer->visitor.step + 1, status,
                   STR_FMT(body));
}

/* ---- Requests ---- */

static void transmit(struct buyer *buyer)
{
    buyer->sent = true;
    buyer->drop->report->requests++;
    peer_request(buyer->peer, &buyer->call, "POST", buf_text(&buyer->path),
                 buf_text(&buyer->headers));
}

static const struct peer_kind *next_front(const struct buyer *buyer)
{
    const struct drop *drop = buyer->drop;
    return &drop->fronts[(size_t)(buyer->front - drop->fronts + 1) % drop->config->front_count];
}

/* Again after a pause: from 50 ms, twice as long each time up to 1 s, a half of it at random. */
static void ask_again(struct buyer *buyer, enum drop_why why)
{
    struct drop *drop = buyer->drop;
    uint64_t now = clock_mono_ns();
    if (buyer->over)
        return;
    drop->report->again[why]++;
    if (now > buyer->due_ns + DROP_PATIENCE_S * SEC_NS) {
        end(buyer, &drop->report->unanswered, now);
        return;
    }
    if (why == DROP_REFUSED || why == DROP_BROKEN)
        buyer->front = next_front(buyer);
    uint64_t pause_ms = PAUSE_MIN_MS << (buyer->tries < 5 ? buyer->tries : 5);
    pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    pause_ms -= random_below(&drop->random, pause_ms / 2);
    buyer->tries++;
    buyer->sent = false;
    loop_timer_set(drop->loop, &buyer->pause, now + pause_ms * MS_NS);
}

static void go(struct buyer *buyer)
{
    if (buyer->peer && buyer->connected && peer_usable(buyer->peer)) {
        transmit(buyer);
        return;
    }
    if (buyer->peer) /* it is about to be closed, which goes on */
        return;
    buyer->connected = false;
    buyer->peer = peer_new(buyer->front, buyer);
    if (!buyer->peer)
        ask_again(buyer, DROP_REFUSED);
}

static void pause_over(struct timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    go(CONTAINER_OF(timer, struct buyer, pause));
}

/* Each buyer has an address of her own, which the load managers are told to believe: they would
 * take all for one client otherwise. */
static void write_request(struct buyer *buyer)
{
    const struct drop *drop = buyer->drop;
    unsigned number = (unsigned)buyer->visitor.number;
    struct script_request request = {"POST", &buyer->path, &buyer->headers, &buyer->call.sent};
    buf_clear(&buyer->path);
    buf_clear(&buyer->headers);
    buf_clear(&buyer->call.sent);
    script_buy.request(&drop->script, &buyer->visitor, &request);
    buf_printf(&buyer->headers, "x-forwarded-for: 10.%u.%u.%u\r\n", number >> 16 & 255,
               number >> 8 & 255, number & 255);
    buyer->tries = 0;
    buyer->sent = false;
}

/* ---- Connections ---- */

static void connected(struct peer *peer)
{
    struct buyer *buyer = peer_owner(peer);
    buyer->connected = true;
    transmit(buyer);
}

static void answered(struct peer *peer, struct peer_call *call, int status)
{
    struct buyer *buyer = peer_owner(peer);
    struct drop_report *report = buyer->drop->report;
    struct str body = buf_text(&call->answer);
    switch (drop_judge(buyer->visitor.step, status, body)) {
    case DROP_GO_ON: /* the script takes the checkout's id out of it */
        if (script_buy.answer(&buyer->drop->script, &buyer->visitor, status, body) == SCRIPT_NEXT) {
            buyer->visitor.step++;
            write_request(buyer);
            go(buyer);
            return;
        }
        break;
    case DROP_SOLD:
        end_sold(buyer, clock_mono_ns());
        return;
    case DROP_SOLD_OUT:
        end(buyer, &report->sold_out, clock_mono_ns());
        histogram_add(&report->of_sold_out, report->end_ns - buyer->due_ns);
        return;
    case DROP_UNDECIDED:
        ask_again(buyer, DROP_TOLD_LATER);
        return;
    case DROP_OVER:
        write_request(buyer);
        ask_again(buyer, DROP_CALLED_OFF);
        return;
    case DROP_STRANGE:
        break;
    }
    note(buyer, status);
    end(buyer, &report->strange, clock_mono_ns());
}

static void closed(struct peer *peer)
{
    struct buyer *buyer = peer_owner(peer);
    bool stood = buyer->connected, waits = buyer->pause.slot != 0;
    buyer->peer = NULL;
    buyer->connected = false;
    peer_free(peer);
    if (buyer->over || waits)
        return;
    if (stood && !buyer->sent)
        go(buyer); /* it was closed after its answer */
    else
        ask_again(buyer, stood ? DROP_BROKEN : DROP_REFUSED);
}

/* ---- Time ---- */

static void arm(struct drop *drop)
{
    struct itimerspec at = {
        .it_value = {(time_t)(drop->next_due_ns / SEC_NS), (long)(drop->next_due_ns % SEC_NS)}};
    timerfd_settime(drop->arrivals.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void arrivals_due(struct watch *watch, uint32_t events)
{
    struct drop *drop = CONTAINER_OF(watch, struct drop, arrivals);
    const struct drop_config *config = drop->config;
    uint64_t fired, now = clock_mono_ns();
    (void)events;
    if (read(watch->fd, &fired, sizeof fired) < 0)
        return;
    while (drop->next_due_ns <= now && drop->came < config->buyers) {
        struct buyer *buyer = &drop->buyers[drop->came++];
        buyer->due_ns = drop->next_due_ns;
        histogram_add(&drop->late, now - drop->next_due_ns);
        write_request(buyer);
        go(buyer);
        double gap = -log(1 - random_unit(&drop->random)) * config->seconds / config->buyers;
        drop->next_due_ns += (uint64_t)(gap * 1e9) + 1;
    }
    if (drop->came < config->buyers)
        arm(drop);
}

/* ---- The whole ---- */

static int set_front(struct drop *drop, unsigned which, struct failure *failure)
{
    struct peer_kind *kind = &drop->fronts[which];
    struct str rest = str_of(drop->config->fronts[which]);
    ptrdiff_t scheme = str_find(rest, STR("://"));
    rest = str_from(rest, scheme < 0 ? 0 : (size_t)scheme + 3);
    str_copy(drop->authorities[which], ADDRESS_TEXT, rest);
    *kind = (struct peer_kind){
        .loop = drop->loop,
        .authority = str_of(drop->authorities[which]),
        .events = {connected, answered, closed, NULL},
        .bytes_in = &drop->bytes_in,
    };
    return endpoint_resolve(kind->authority, false, &kind->address, failure);
}

static void set_buyer(struct drop *drop, unsigned number)
{
    struct buyer *buyer = &drop->buyers[number];
    buyer->drop = drop;
    buyer->front = &drop->fronts[number % drop->config->front_count];
    buyer->visitor.number = number;
    random_seed(&buyer->visitor.random, drop->config->seed * 1000003 + number);
    buyer->pause = (struct timer){.fire = pause_over};
    buyer->leaves.run = leave;
    list_init(&buyer->leaves.node);
    buf_init(&buyer->path, REQUEST_MAX);
    buf_init(&buyer->headers, REQUEST_MAX);
    buf_init(&buyer->call.sent, REQUEST_MAX);
    buf_init(&buyer->call.answer, PEER_ANSWER_MAX);
}

static int prepare(struct drop *drop, struct failure *failure)
{
    const struct drop_config *config = drop->config;
    unsigned files = socket_limit_raise();
    if (files < config->buyers + OTHER_FILES)
        return fail(failure, ERR_FULL, "%u buyers need %u open files, but there may be only %u",
                    config->buyers, config->buyers + OTHER_FILES, files);
    drop->buyers = calloc(config->buyers, sizeof *drop->buyers);
    drop->report->ends = calloc(config->buyers, sizeof *drop->report->ends);
    drop->loop = loop_new(failure);
    if (!drop->buyers || !drop->report->ends || !drop->loop)
        return drop->loop ? fail(failure, ERR_NOMEM, "out of memory") : failure->err;
    drop->script = (struct shop_script){.items = &config->item, .item_count = 1, .hot = true};
    random_seed(&drop->random, config->seed);
    int err = 0;
    for (unsigned i = 0; !err && i < config->front_count; i++)
        err = set_front(drop, i, failure);
    if (err)
        return err;
    for (unsigned i = 0; i < config->buyers; i++)
        set_buyer(drop, i);
    drop->arrivals =
        (struct watch){timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), arrivals_due};
    if (drop->arrivals.fd < 0 || loop_watch(drop->loop, &drop->arrivals, EPOLLIN))
        return fail_errno(failure, ERR_IO, "cannot make a timer");
    return 0;
}

/* Those who wait for an answer that does not come. */
static void give_up_on_all(struct drop *drop)
{
    for (unsigned i = 0; i < drop->came; i++)
        end(&drop->buyers[i], &drop->report->unanswered, clock_mono_ns());
}

static void sell(struct drop *drop)
{
    const struct drop_config *config = drop->config;
    drop->report->first_ns = drop->next_due_ns = clock_mono_ns();
    arm(drop);
    while (drop->over < config->buyers) {
        loop_turn(drop->loop, 50);
        uint64_t last_due = drop->buyers[drop->came ? drop->came - 1 : 0].due_ns;
        if (drop->came == config->buyers &&
            clock_mono_ns() > last_due + (DROP_PATIENCE_S + 1) * SEC_NS)
            give_up_on_all(drop);
    }
    drop->report->late_p99_ns = histogram_quantile(&drop->late, 0.99);
}

static void close_all(struct drop *drop)
{
    for (unsigned i = 0; drop->loop && drop->buyers && i < drop->config->buyers; i++) {
        struct buyer *buyer = &drop->buyers[i];
        if (!buyer->drop)
            continue;
        loop_timer_stop(drop->loop, &buyer->pause);
        loop_soon_cancel(&buyer->leaves);
        leave(&buyer->leaves);
    }
    if (drop->loop && drop->arrivals.fd >= 0) {
        loop_unwatch(drop->loop, &drop->arrivals);
        close(drop->arrivals.fd);
    }
    loop_free(drop->loop);
    free(drop->buyers);
}

int drop_run(const struct drop_config *config, struct drop_report *report, struct failure *failure)
{
    struct drop *drop = calloc(1, sizeof *drop);
    *report = (struct drop_report){0};
    buf_init(&report->notes, NOTES_MAX);
    histogram_clear(&report->of_sold);
    histogram_clear(&report->of_sold_out);
    if (!drop)
        return fail(failure, ERR_NOMEM, "out of memory");
    CHECK(config->front_count > 0 && config->front_count <= DROP_FRONTS && config->buyers > 0);
    drop->config = config;
    drop->report = report;
    drop->arrivals.fd = -1;
    histogram_clear(&drop->late);
    int err = prepare(drop, failure);
    if (!err)
        sell(drop);
    close_all(drop);
    free(drop);
    return err;
}

void drop_report_close(struct drop_report *report)
{
    buf_close(&report->notes);
    free(report->ends);
    report->ends = NULL;
    report->end_count = 0;
}

uint64_t drop_longest_gap_ns(const struct drop_report *report, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t longest = 0, before = from_ns;
    for (unsigned i = 0; i <= report->end_count; i++) {
        uint64_t at = i < report->end_count ? report->ends[i] : to_ns;
        if (at <= from_ns)
            continue;
        at = at < to_ns ? at : to_ns;
        if (at > before && at - before > longest)
            longest = at - before;
        before = at;
    }
    return longest;
}

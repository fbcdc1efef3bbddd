#include "web/pass.h"

#include "balance/route.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "outside/transfer.h"
#include "web/api.h"
#include "web/call.h"
#include "web/inner.h"
#include "web/once.h"
#include "web/relay.h"

#include <pthread.h>
#include <stdlib.h>

#define REFUSED "Stoa-Reader"

enum {
    LOOK_MS = 10, /* how often those who wait look for a writer */
    CONNECTIONS = 64,
    WAITING_MAX = 4096,
    HEADERS_MAX = 64 << 10, /* of the answer */
};

/* One request on its way. Of its own memory, as the exchange's arena belongs to its thread. */
struct pass {
    struct transfer transfer;
    struct exchange *x;
    struct passes *passes;
    struct pass *next; /* among those that wait */
    uint64_t deadline_ns;
    bool repeats;     /* may be sent again when it broke off */
    bool unknown;     /* it may have been done */
    bool turned_away; /* by a reader */
    char url[256], stamp[ID_TEXT];
    struct buf address, headers; /* of the request; of the answer, "name: value\n" */
    char *body;
    size_t body_len;
    char type[128];
    int err;
};

struct passes {
    const struct web_writer *writer; /* lent */
    struct transfers *transfers;
    struct transfer_trust trust;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct pass *waiting;
    unsigned count;
    bool stopping;
};

/* ---- What goes where ---- */

bool pass_is_reader(const struct exchange *x)
{
    return call_web(x)->settings.writer.find != NULL;
}

bool pass_is_own(const struct route *route)
{
    static const char *const own[] = {"/livez", "/healthz", "/metrics"};
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(route->pattern, own[i]) == 0)
            return true;
    return false;
}

bool pass_reads(const struct route *route, bool in_cluster)
{
    struct str pattern = str_of(route->pattern);
    if (route->method == HTTP_POST)
        return str_starts(pattern, STR("/catalog/"));
    if (route->method != HTTP_GET)
        return false;
    /* What a platform hands over becomes a cart of the browser's. Only the writer knows where a
     * cluster's other servers are, who may have a file of the media. */
    if (str_ends(pattern, STR("/open")) || (in_cluster && str_starts(pattern, STR("/media/"))))
        return false;
    if (route->face == FACE_OPERATOR)
        return route->gate == GATE_READ && str_starts(pattern, STR("/admin/api/"));
    return route->face == FACE_PAGES || route->face == FACE_UCP;
}

/* ---- The end ---- */

static void pass_free(void *argument)
{
    struct pass *pass = argument;
    buf_close(&pass->address);
    buf_close(&pass->headers);
    free(pass->body);
    free(pass);
}

static void answer_as(struct exchange *x, const struct pass *pass)
{
    struct str rest = buf_text(&pass->headers), line;
    while (str_cut(&rest, '\n', &line)) {
        struct str value = line, name;
        if (str_cut(&value, ':', &name) && value.at && relay_passes(name, STR_NONE) &&
            !str_eq_nocase(name, STR("content-type")))
            exchange_add_header(x, name, str_trim(value));
    }
    exchange_reply(x, pass->transfer.status, pass->type[0] ? str_of(pass->type) : STR("text/plain"),
                   str_make(pass->body ? pass->body : "", pass->body_len));
    x->compressible = true;
}

static void answered(struct exchange *x)
{
    const struct pass *pass = call_of(x)->own;
    if (!pass->err)
        answer_as(x, pass);
    else
        call_fail_err(x, pass->err);
    exchange_finish(x);
}

/* Any thread; PASS is its exchange's after it. */
static void finish(struct pass *pass, int err)
{
    pass->err = err;
    exchange_continue(pass->x, answered);
}

/* ---- Waiting for a writer ---- */

/* Any thread. What may have been done is not told that it was not. */
static void give_up(struct pass *pass)
{
    finish(pass, pass->unknown ? ERR_TIMEOUT : ERR_NOPRIMARY);
}

static void wait_for_writer(struct pass *pass)
{
    struct passes *passes = pass->passes;
    pthread_mutex_lock(&passes->mutex);
    bool room = !passes->stopping && passes->count < WAITING_MAX;
    if (room) {
        pass->next = passes->waiting;
        passes->waiting = pass;
        passes->count++;
        pthread_cond_signal(&passes->changed);
    }
    pthread_mutex_unlock(&passes->mutex);
    if (!room)
        give_up(pass);
}

/* ---- There and back, on the transfers' thread ---- */

static void take_header(struct transfer *transfer, struct str name, struct str value)
{
    struct pass *pass = transfer->context;
    pass->turned_away |= str_eq_nocase(name, STR(REFUSED));
    buf_printf(&pass->headers, "%.*s:%.*s\n", STR_FMT(name), STR_FMT(value));
}

static int keep_answer(struct pass *pass)
{
    const struct transfer *transfer = &pass->transfer;
    if (pass->headers.failed)
        return ERR_FULL;
    pass->body = malloc(transfer->answer.len + 1);
    if (!pass->body)
        return ERR_NOMEM;
    if (transfer->answer.len)
        memcpy(pass->body, transfer->answer.at, transfer->answer.len);
    pass->body_len = transfer->answer.len;
    str_copy(pass->type, sizeof pass->type, transfer->content_type);
    return 0;
}

static void done(struct transfer *transfer)
{
    struct pass *pass = transfer->context;
    int err = transfer->err;
    bool untouched = err == ERR_UNREACHED || (err == 0 && pass->turned_away);
    pass->unknown |= err != 0 && !untouched;
    if (err == 0 && !pass->turned_away)
        finish(pass, keep_answer(pass));
    else if (untouched || (pass->repeats && (err == ERR_IO || err == ERR_TIMEOUT)))
        wait_for_writer(pass);
    else
        finish(pass, err == ERR_IO ? ERR_TIMEOUT : err);
}

/* Any thread. */
static void send_to_writer(struct pass *pass, bool anew)
{
    const struct web_writer *writer = pass->passes->writer;
    uint64_t now = clock_mono_ns();
    if (now >= pass->deadline_ns) {
        give_up(pass);
        return;
    }
    if (!writer->find(writer->context, anew, pass->url, sizeof pass->url)) {
        wait_for_writer(pass);
        return;
    }
    buf_clear(&pass->address);
    buf_puts(&pass->address, pass->url);
    buf_str(&pass->address, pass->x->target);
    buf_clear(&pass->headers);
    pass->turned_away = false;
    pass->transfer.url = buf_text(&pass->address);
    pass->transfer.total_ms = (uint32_t)((pass->deadline_ns - now) / MS_NS) + 1;
    int err =
        pass->address.failed ? ERR_FULL : transfer_start(pass->passes->transfers, &pass->transfer);
    if (err)
        finish(pass, pass->unknown ? ERR_TIMEOUT : err);
}

/* ---- The thread of those who wait ---- */

static void look_again(struct pass *first, bool stopping)
{
    while (first) {
        struct pass *next = first->next;
        if (stopping)
            give_up(first);
        else
            send_to_writer(first, true);
        first = next;
    }
}

static void *attend(void *argument)
{
    struct passes *passes = argument;
    pthread_mutex_lock(&passes->mutex);
    while (!passes->stopping || passes->waiting) {
        if (!passes->waiting)
            pthread_cond_wait(&passes->changed, &passes->mutex);
        else if (!passes->stopping)
            cond_wait_until(&passes->changed, &passes->mutex, clock_mono_ns() + LOOK_MS * MS_NS);
        struct pass *first = passes->waiting;
        bool stopping = passes->stopping;
        passes->waiting = NULL;
        passes->count = 0;
        pthread_mutex_unlock(&passes->mutex);
        look_again(first, stopping);
        pthread_mutex_lock(&passes->mutex);
    }
    pthread_mutex_unlock(&passes->mutex);
    return NULL;
}

/* ---- Beginning ---- */

static bool is_safe(const struct exchange *x)
{
    return x->method == HTTP_GET || x->method == HTTP_HEAD || x->method == HTTP_OPTIONS;
}

static void add_header(struct pass *pass, struct str name, struct str value)
{
    struct transfer *transfer = &pass->transfer;
    if (transfer->header_count < TRANSFER_HEADERS_MAX)
        transfer->headers[transfer->header_count] = (struct transfer_header){name, value};
    transfer->header_count++;
}

/* False: there are too many. The writer is to see the client's Host and scheme, from which the
 * shop's own addresses are made. */
static bool put_headers(struct pass *pass)
{
    const struct exchange *x = pass->x;
    struct str connection = x->known[HTTP_FIELD_CONNECTION];
    for (unsigned i = 0; i < x->header_count; i++)
        if (relay_passes(x->headers[i].name, connection))
            add_header(pass, x->headers[i].name, x->headers[i].value);
    add_header(pass, STR("Host"), x->host);
    add_header(pass, STR(RELAY_HEADER), STR("1"));
    if (str_eq(x->scheme, STR("https")) && !x->known[HTTP_FIELD_X_FORWARDED_PROTO].at)
        add_header(pass, STR("X-Forwarded-Proto"), x->scheme);
    bool stamped = exchange_header(x, STR(ONCE_HEADER)).at != NULL;
    pass->repeats = is_safe(x) || route_repeats(x);
    if (!is_safe(x) && pass->repeats && !stamped)
        add_header(pass, STR(ONCE_HEADER), str_of(id_text(id_new(clock_wall_ms()), pass->stamp)));
    return pass->transfer.header_count <= TRANSFER_HEADERS_MAX;
}

static struct pass *pass_new(struct exchange *x, struct passes *passes)
{
    struct pass *pass = calloc(1, sizeof *pass);
    if (!pass)
        return NULL;
    pass->x = x;
    pass->passes = passes;
    pass->deadline_ns = clock_mono_ns() + PASS_MS * MS_NS;
    buf_init(&pass->address, sizeof pass->url + x->target.len);
    buf_init(&pass->headers, HEADERS_MAX);
    if (exchange_at_end(x, pass_free, pass)) {
        pass_free(pass);
        return NULL;
    }
    call_of(x)->own = pass;
    return pass;
}

/* Nobody has looked at it: whoever sent it here took us for the writer. */
static enum app_verdict turn_away(struct exchange *x)
{
    exchange_add_header(x, STR(REFUSED), STR("1"));
    return call_fail_err(x, ERR_NOPRIMARY);
}

enum app_verdict pass_on(struct exchange *x)
{
    struct web *web = call_web(x);
    if (inner_is_client(x))
        return inner_pass(x);
    if (relay_has_come(x))
        return turn_away(x);
    struct pass *pass = pass_new(x, web->passes);
    if (!pass)
        return call_fail_err(x, ERR_NOMEM);
    pass->transfer = (struct transfer){
        /* The core leaves the body out for HEAD, and gives the length that it would have. */
        .method = x->method == HTTP_HEAD ? STR("GET") : x->method_name,
        .body = x->body.len ? x->body : STR_NONE,
        .trust = &web->passes->trust,
        .answer_max = RELAY_ANSWER_MAX,
        .done = done,
        .header = take_header,
        .context = pass,
    };
    if (!put_headers(pass))
        return call_fail_err(x, ERR_FULL);
    atomic_fetch_add_explicit(&web->relayed, 1, memory_order_relaxed);
    send_to_writer(pass, false);
    return APP_LATER;
}

void pass_accept(struct exchange *x)
{
    if (call_of(x)->face == FACE_OPERATOR && inner_is_client(x))
        inner_accept(x);
    else if (call_of(x)->face == FACE_OPERATOR)
        api_refuse(x, 409, "reader",
                   STR("This process reads the shop that another one writes: send uploads to that "
                       "one, whose address is in server.json of the data directory."),
                   STR(""));
    else
        x->body_limit = PASS_BODY_MAX;
}

/* ---- All of them ---- */

int passes_new(const struct web_writer *writer, struct passes **out, struct failure *failure)
{
    struct passes *passes = calloc(1, sizeof *passes);
    struct transfers_config config = {.connections = CONNECTIONS, .waiting_max = WAITING_MAX};
    *out = NULL;
    if (!passes)
        return fail(failure, ERR_NOMEM, "no memory for requests to the writer");
    passes->writer = writer;
    passes->trust.plain = true;
    pthread_mutex_init(&passes->mutex, NULL);
    cond_init(&passes->changed);
    passes->started = transfers_new(&config, &passes->transfers) == 0 &&
                      thread_start(&passes->thread, "stoa-pass", attend, passes) == 0;
    if (!passes->started) {
        passes_free(passes);
        return fail(failure, ERR_NOMEM, "cannot start what requests to the writer need");
    }
    *out = passes;
    return 0;
}

void passes_stop(struct passes *passes, uint32_t grace_ms)
{
    pthread_mutex_lock(&passes->mutex);
    passes->stopping = true;
    pthread_cond_signal(&passes->changed);
    pthread_mutex_unlock(&passes->mutex);
    transfers_stop(passes->transfers, grace_ms);
}

void passes_free(struct passes *passes)
{
    if (!passes)
        return;
    if (passes->started) {
        passes_stop(passes, 0);
        pthread_join(passes->thread, NULL);
    }
    if (passes->transfers)
        transfers_free(passes->transfers, 0);
    pthread_cond_destroy(&passes->changed);
    pthread_mutex_destroy(&passes->mutex);
    free(passes);
}

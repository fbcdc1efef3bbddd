#include "web/carry.h"

#include "balance/route.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/id.h"
#include "base/thread.h"
#include "web/once.h"
#include "web/relay.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    CONNECTIONS = 64,
    WAITING_MAX = 4096,
    HEADERS_MAX = 64 << 10, /* of the answer */
    CONNECT_MS = 1000,
    BROKEN_MAX = 5,    /* tries that break off: one more may be what breaks the servers */
    DOUBLINGS_MAX = 3, /* of the pause between two tries */
};

/* Of its own memory, as the exchange's arena belongs to its thread. */
struct carry {
    struct transfer transfer;
    struct exchange *x;
    void (*then)(struct exchange *x);
    struct carriers *carriers;
    struct carry *next; /* among those that wait */
    uint64_t deadline_ns;
    uint64_t again_ns; /* of those that wait: not before that */
    unsigned attempts, elsewhere;
    unsigned failed, broken; /* tries that came to nothing; of these, that may have begun */
    bool whole;              /* carry_want_whole */
    bool repeats;            /* may be sent again when it broke off */
    bool unknown;            /* it may have been done */
    bool turned_away;        /* by one that has not looked at it */
    bool try_others;         /* the answer says that another server may do it */
    bool misdirected;        /* it says that it is of another shop */
    unsigned strangers;      /* how many in a row have said so */
    char url[CARRY_URL], stamp[ID_TEXT];
    struct buf address, headers; /* of the request; of the answer, "name: value\n" */
    char *body;
    size_t body_len;
    char type[128];
    int err;
};

struct carriers {
    struct carriers_config config;
    struct transfers *transfers;
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct carry *waiting;
    unsigned count;
    bool stopping;
};

/* ---- The end ---- */

static void carry_free(void *argument)
{
    struct carry *carry = argument;
    buf_close(&carry->address);
    buf_close(&carry->headers);
    free(carry->body);
    free(carry);
}

int carry_err(const struct carry *carry)
{
    return carry->err;
}

int carry_status(const struct carry *carry)
{
    return carry->transfer.status;
}

struct str carry_type(const struct carry *carry)
{
    return str_of(carry->type);
}

struct str carry_body(const struct carry *carry)
{
    return str_make(carry->body ? carry->body : "", carry->body_len);
}

/* The next of the answer's headers in REST. */
static bool next_header(struct str *rest, struct str *name, struct str *value)
{
    struct str line;
    while (str_cut(rest, '\n', &line)) {
        *value = line;
        if (str_cut(value, ':', name) && value->at) {
            *value = str_trim(*value);
            return true;
        }
    }
    return false;
}

struct str carry_header(const struct carry *carry, struct str name)
{
    struct str rest = buf_text(&carry->headers), one, value;
    while (next_header(&rest, &one, &value))
        if (str_eq_nocase(one, name))
            return value;
    return STR_NONE;
}

void carry_answer(struct exchange *x, const struct carry *carry)
{
    struct str rest = buf_text(&carry->headers), name, value;
    while (next_header(&rest, &name, &value))
        if (relay_passes(name, STR_NONE) && !str_eq_nocase(name, STR("content-type")))
            exchange_add_header(x, name, value);
    exchange_reply(x, carry->transfer.status, carry_type(carry), carry_body(carry));
    x->compressible = relay_varies(x);
}

/* Any thread; CARRY is its exchange's after it. */
static void finish(struct carry *carry, int err)
{
    carry->err = err;
    exchange_continue(carry->x, carry->then);
}

/* ---- Waiting for a server ---- */

/* A server that refuses is not asked at once again, and each time later. */
static uint64_t pause_ns(const struct carry *carry)
{
    unsigned doublings = carry->failed > 1 ? carry->failed - 1 : 0;
    doublings = doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX;
    return (carry->carriers->config.look_ms * MS_NS) << doublings;
}

/* Any thread. What may have been done is not told that it was not. */
static void give_up(struct carry *carry)
{
    finish(carry, carry->unknown ? ERR_TIMEOUT : ERR_NOPRIMARY);
}

static void wait_for_server(struct carry *carry)
{
    struct carriers *carriers = carry->carriers;
    carry->again_ns = clock_mono_ns() + pause_ns(carry);
    pthread_mutex_lock(&carriers->mutex);
    bool room = !carriers->stopping && carriers->count < WAITING_MAX;
    if (room) {
        carry->next = carriers->waiting;
        carriers->waiting = carry;
        carriers->count++;
        pthread_cond_signal(&carriers->changed);
    }
    pthread_mutex_unlock(&carriers->mutex);
    if (!room)
        give_up(carry);
}

/* ---- There and back, on the transfers' thread ---- */

static void take_header(struct transfer *transfer, struct str name, struct str value)
{
    struct carry *carry = transfer->context;
    carry->turned_away |= str_eq_nocase(name, STR(CARRY_REFUSED));
    carry->misdirected |= str_eq_nocase(name, STR(CARRY_MISDIRECTED));
    carry->try_others |=
        str_eq_nocase(name, STR("stoa-try")) && str_eq_nocase(value, STR("elsewhere"));
    buf_printf(&carry->headers, "%.*s:%.*s\n", STR_FMT(name), STR_FMT(value));
}

static int keep_answer(struct carry *carry)
{
    const struct transfer *transfer = &carry->transfer;
    if (carry->headers.failed)
        return ERR_FULL;
    carry->body = malloc(transfer->answer.len + 1);
    if (!carry->body)
        return ERR_NOMEM;
    if (transfer->answer.len)
        memcpy(carry->body, transfer->answer.at, transfer->answer.len);
    carry->body_len = transfer->answer.len;
    str_copy(carry->type, sizeof carry->type, transfer->content_type);
    return 0;
}

/* When all have said so, waiting helps nobody. */
static void ask_others(struct carry *carry)
{
    const struct carriers_config *config = &carry->carriers->config;
    if (config->misdirected)
        config->misdirected(config->context, carry->url);
    if (carry->strangers++ < config->elsewhere)
        wait_for_server(carry);
    else
        give_up(carry);
}

static void done(struct transfer *transfer)
{
    struct carry *carry = transfer->context;
    int err = transfer->err;
    if (err == 0 && transfer->status == 421 && carry->misdirected) {
        ask_others(carry);
        return;
    }
    carry->strangers = 0;
    bool untouched = err == ERR_UNREACHED || (err == 0 && carry->turned_away);
    bool others = err == 0 && carry->try_others && carry->repeats &&
                  carry->elsewhere++ < carry->carriers->config.elsewhere;
    carry->unknown |= err != 0 && !untouched;
    carry->failed += err != 0;
    carry->broken += err != 0 && !untouched;
    if (others)
        wait_for_server(carry);
    else if (err == 0 && !carry->turned_away)
        finish(carry, keep_answer(carry));
    else if (untouched || (carry->repeats && carry->broken < BROKEN_MAX &&
                           (err == ERR_IO || err == ERR_TIMEOUT)))
        wait_for_server(carry);
    else
        finish(carry, err == ERR_IO ? ERR_TIMEOUT : err);
}

/* Any thread. */
static void send_to_server(struct carry *carry)
{
    const struct carriers_config *config = &carry->carriers->config;
    uint64_t now = clock_mono_ns();
    if (now >= carry->deadline_ns) {
        give_up(carry);
        return;
    }
    if (!config->find(config->context, carry->attempts++, carry->url, sizeof carry->url)) {
        wait_for_server(carry);
        return;
    }
    buf_clear(&carry->address);
    buf_puts(&carry->address, carry->url);
    buf_str(&carry->address, carry->x->target);
    buf_clear(&carry->headers);
    carry->turned_away = carry->try_others = carry->misdirected = false;
    carry->transfer.url = buf_text(&carry->address);
    carry->transfer.total_ms = (uint32_t)((carry->deadline_ns - now) / MS_NS) + 1;
    if (config->attempt_ms && carry->repeats && carry->transfer.total_ms > config->attempt_ms)
        carry->transfer.total_ms = config->attempt_ms;
    int err = carry->address.failed ? ERR_FULL
                                    : transfer_start(carry->carriers->transfers, &carry->transfer);
    if (err)
        finish(carry, carry->unknown ? ERR_TIMEOUT : err);
}

/* ---- The thread of those who wait ---- */

static void look_again(struct carry *first, bool stopping)
{
    while (first) {
        struct carry *next = first->next;
        if (stopping)
            give_up(first);
        else
            send_to_server(first);
        first = next;
    }
}

/* The mutex is held. Those whose time has come. */
static struct carry *take_due(struct carriers *carriers)
{
    struct carry **at = &carriers->waiting, *due = NULL;
    uint64_t now_ns = clock_mono_ns();
    while (*at) {
        struct carry *carry = *at;
        if (carry->again_ns > now_ns && !carriers->stopping) {
            at = &carry->next;
            continue;
        }
        *at = carry->next;
        carry->next = due;
        due = carry;
        carriers->count--;
    }
    return due;
}

/* The mutex is held. */
static void wait_a_look(struct carriers *carriers)
{
    uint64_t until_ns = clock_mono_ns() + carriers->config.look_ms * MS_NS;
    while (!carriers->stopping && cond_wait_until(&carriers->changed, &carriers->mutex, until_ns))
        continue;
}

static void *attend(void *argument)
{
    struct carriers *carriers = argument;
    pthread_mutex_lock(&carriers->mutex);
    while (!carriers->stopping || carriers->waiting) {
        if (!carriers->waiting) {
            pthread_cond_wait(&carriers->changed, &carriers->mutex);
            continue;
        }
        wait_a_look(carriers);
        struct carry *first = take_due(carriers);
        bool stopping = carriers->stopping;
        pthread_mutex_unlock(&carriers->mutex);
        look_again(first, stopping);
        pthread_mutex_lock(&carriers->mutex);
    }
    pthread_mutex_unlock(&carriers->mutex);
    return NULL;
}

/* ---- Beginning ---- */

static bool is_safe(const struct exchange *x)
{
    return x->method == HTTP_GET || x->method == HTTP_HEAD || x->method == HTTP_OPTIONS;
}

void carry_add_header(struct carry *carry, struct str name, struct str value)
{
    struct transfer *transfer = &carry->transfer;
    if (transfer->header_count < TRANSFER_HEADERS_MAX)
        transfer->headers[transfer->header_count] = (struct transfer_header){name, value};
    transfer->header_count++;
}

void carry_want_whole(struct carry *carry)
{
    carry->whole = true;
}

void carry_begin_at(struct carry *carry, unsigned attempts)
{
    carry->attempts = attempts;
}

static bool is_condition(enum http_field field)
{
    return field == HTTP_FIELD_IF_NONE_MATCH || field == HTTP_FIELD_IF_MODIFIED_SINCE ||
           field == HTTP_FIELD_IF_RANGE || field == HTTP_FIELD_RANGE;
}

/* False: there are too many. The server is to see the client's Host and scheme, from which the
 * shop's own addresses are made. */
static bool put_headers(struct carry *carry)
{
    const struct exchange *x = carry->x;
    struct str connection = x->known[HTTP_FIELD_CONNECTION];
    for (unsigned i = 0; i < x->header_count; i++)
        if (relay_passes(x->headers[i].name, connection) &&
            !(carry->whole && is_condition(x->headers[i].field)))
            carry_add_header(carry, x->headers[i].name, x->headers[i].value);
    carry_add_header(carry, STR("Host"), x->host);
    if (str_eq(x->scheme, STR("https")) && !x->known[HTTP_FIELD_X_FORWARDED_PROTO].at)
        carry_add_header(carry, STR("X-Forwarded-Proto"), x->scheme);
    bool stamped = exchange_header(x, STR(ONCE_HEADER)).at != NULL;
    carry->repeats = is_safe(x) || route_repeats(x);
    if (!is_safe(x) && carry->repeats && !stamped)
        carry_add_header(carry, STR(ONCE_HEADER),
                         str_of(id_text(id_new(clock_wall_ms()), carry->stamp)));
    return carry->transfer.header_count <= TRANSFER_HEADERS_MAX;
}

struct carry *carry_new(struct carriers *carriers, struct exchange *x)
{
    struct carry *carry = calloc(1, sizeof *carry);
    if (!carry)
        return NULL;
    carry->x = x;
    carry->carriers = carriers;
    carry->deadline_ns = clock_mono_ns() + CARRY_MS * MS_NS;
    carry->transfer = (struct transfer){
        /* The core leaves the body out for HEAD, and gives the length that it would have. */
        .method = x->method == HTTP_HEAD ? STR("GET") : x->method_name,
        .body = x->body.len ? x->body : STR_NONE,
        .trust = &carriers->config.trust,
        .connect_ms = CONNECT_MS,
        .answer_max = RELAY_ANSWER_MAX,
        .done = done,
        .header = take_header,
        .context = carry,
    };
    buf_init(&carry->address, sizeof carry->url + x->target.len);
    buf_init(&carry->headers, HEADERS_MAX);
    if (exchange_at_end(x, carry_free, carry)) {
        carry_free(carry);
        return NULL;
    }
    return carry;
}

int carry_send(struct carry *carry, void (*then)(struct exchange *x))
{
    carry->then = then;
    if (!put_headers(carry))
        return ERR_FULL;
    send_to_server(carry);
    return 0;
}

/* ---- All of them ---- */

int carriers_new(const struct carriers_config *settings, struct carriers **out,
                 struct failure *failure)
{
    struct carriers *carriers = calloc(1, sizeof *carriers);
    struct transfers_config config = {.connections = CONNECTIONS, .waiting_max = WAITING_MAX};
    *out = NULL;
    if (!carriers)
        return fail(failure, ERR_NOMEM, "no memory for requests to a server");
    carriers->config = *settings;
    pthread_mutex_init(&carriers->mutex, NULL);
    cond_init(&carriers->changed);
    carriers->started = transfers_new(&config, &carriers->transfers) == 0 &&
                        thread_start(&carriers->thread, settings->name, attend, carriers) == 0;
    if (!carriers->started) {
        carriers_free(carriers);
        return fail(failure, ERR_NOMEM, "cannot start what requests to a server need");
    }
    *out = carriers;
    return 0;
}

void carriers_stop(struct carriers *carriers, uint32_t grace_ms)
{
    pthread_mutex_lock(&carriers->mutex);
    carriers->stopping = true;
    pthread_cond_signal(&carriers->changed);
    pthread_mutex_unlock(&carriers->mutex);
    transfers_stop(carriers->transfers, grace_ms);
}

void carriers_free(struct carriers *carriers)
{
    if (!carriers)
        return;
    if (carriers->started) {
        carriers_stop(carriers, 0);
        pthread_join(carriers->thread, NULL);
    }
    if (carriers->transfers)
        transfers_free(carriers->transfers, 0);
    pthread_cond_destroy(&carriers->changed);
    pthread_mutex_destroy(&carriers->mutex);
    free(carriers);
}

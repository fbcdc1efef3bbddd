/* A made-up log with the table `outbox` behind it, its view, and a receiver that says what it is
 * told.
 *
 * It stands in for replica/order.h: a test program that defines these functions is not linked with
 * the real ones. OUTBOX_DONE is applied inside order_submit. */
#ifndef STOA_TESTS_OUTBOX_FIXTURE_H
#define STOA_TESTS_OUTBOX_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "outside/outbox.h"
#include "shop/command.h"
#include "submit_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TABLE_MAX = 20000, LINES = 2 };

struct ordering {
    pthread_mutex_t mutex;
    uint64_t term; /* in which this server leads; 0: it does not */
    bool stuck;    /* barriers do not come through */
    /* '.' as it should be; 'b' ERR_BUSY; 't' not applied, ERR_TIMEOUT; 'l' applied, and the answer
     * lost; 'r' refused by the shop. One letter per command, then all is well. */
    const char *plan;
    unsigned barriers, commands, most_answers;

    struct table_row {
        struct outbox_row row;
        struct order_quantity lines[LINES];
        char lane[32];
        bool gone;
        unsigned answered; /* how often OUTBOX_DONE took it out */
        enum outbox_outcome outcome;
        char text[300];
        unsigned line_count;
        struct order_quantity answer[LINES];
    } * table;
    unsigned count, identities;
    const char *warehouses[4];
    const char *url; /* of all of them; under the mutex */
    bool view_broken;
};

static inline void order_open(struct ordering *order)
{
    *order =
        (struct ordering){.plan = "", .term = 5, .identities = 1, .url = "https://127.0.0.1:1"};
    pthread_mutex_init(&order->mutex, NULL);
    order->table = calloc(TABLE_MAX, sizeof *order->table);
    CHECK(order->table != NULL);
}

static inline void order_close(struct ordering *order)
{
    pthread_mutex_destroy(&order->mutex);
    free(order->table);
}

static inline void order_lead(struct ordering *order, uint64_t term)
{
    pthread_mutex_lock(&order->mutex);
    order->term = term;
    pthread_mutex_unlock(&order->mutex);
}

/* The id of the order NUMBER. */
static inline struct id order_numbered(uint64_t number)
{
    struct id id = {{0}};
    memcpy(id.bytes + 8, &(uint64_t){number * 2654435761u}, 8);
    return id;
}

static inline uint64_t table_add(struct ordering *order, const char *lane, enum outbox_kind kind,
                                 uint64_t number)
{
    pthread_mutex_lock(&order->mutex);
    CHECK(order->count < TABLE_MAX);
    struct table_row *row = &order->table[order->count++];
    snprintf(row->lane, sizeof row->lane, "%s", lane);
    row->row = (struct outbox_row){.seq = order->count,
                                   .kind = kind,
                                   .lane = str_of(row->lane),
                                   .order = order_numbered(number),
                                   .order_number = number,
                                   .event = 1,
                                   .effect = order_numbered(1000000 + order->count),
                                   .amount = 4200,
                                   .lines = row->lines,
                                   .line_count = LINES,
                                   .time_ms = 1700000000000,
                                   .log_index = 7};
    row->lines[0] = (struct order_quantity){1, 2};
    row->lines[1] = (struct order_quantity){3, 1};
    uint64_t seq = row->row.seq;
    pthread_mutex_unlock(&order->mutex);
    return seq;
}

static inline unsigned table_left(struct ordering *order)
{
    unsigned left = 0;
    pthread_mutex_lock(&order->mutex);
    for (unsigned i = 0; i < order->count; i++)
        left += !order->table[i].gone;
    pthread_mutex_unlock(&order->mutex);
    return left;
}

/* ---- The order ---- */

uint64_t order_leading_term(struct ordering *order)
{
    pthread_mutex_lock(&order->mutex);
    uint64_t term = order->term;
    pthread_mutex_unlock(&order->mutex);
    return term;
}

bool order_is_primary(struct ordering *order, int64_t *log_time_ms)
{
    if (log_time_ms != NULL)
        *log_time_ms = 1;
    return order_leading_term(order) != 0;
}

static inline void table_done(struct ordering *order, const struct outbox_answer *answer)
{
    CHECK(answer->seq > 0 && answer->seq <= order->count);
    struct table_row *row = &order->table[answer->seq - 1];
    if (row->gone)
        return;
    row->gone = true;
    row->answered++;
    row->outcome = answer->outcome;
    str_copy(row->text, sizeof row->text, answer->text);
    row->line_count = answer->line_count;
    CHECK(answer->line_count <= LINES);
    for (unsigned i = 0; i < answer->line_count; i++)
        row->answer[i] = answer->lines[i];
}

int order_submit(struct ordering *order, struct submission *submission)
{
    struct arena arena;
    struct command command;
    struct result result = {.kind = RESULT_NUMBER};
    struct buf record;
    arena_init(&arena, 1 << 22);
    buf_init(&record, 1 << 16);
    CHECK(command_decode(&arena, submission->command, &command) == 0);
    pthread_mutex_lock(&order->mutex);
    char fault = *order->plan != 0 ? *order->plan++ : '.';
    order->commands++;
    if (command.type == COMMAND_REGISTRY_PUT)
        order->identities++;
    if (fault == 'r')
        result = (struct result){.err = ERR_INVALID, .text = STR("no such row")};
    if (command.type == COMMAND_OUTBOX_DONE && (fault == '.' || fault == 'l')) {
        if (command.outbox.count > order->most_answers)
            order->most_answers = command.outbox.count;
        for (unsigned i = 0; i < command.outbox.count; i++)
            table_done(order, &command.outbox.answers[i]);
    }
    pthread_mutex_unlock(&order->mutex);
    result_encode(&record, &result);
    if (fault == 'l' || fault == 't')
        submission->done(submission, ERR_TIMEOUT, 0, STR_NONE);
    else if (fault != 'b')
        submission->done(submission, 0, 9, buf_text(&record));
    buf_close(&record);
    arena_close(&arena);
    return fault == 'b' ? ERR_BUSY : 0;
}

int order_submit_wait(struct ordering *order, struct str command, struct buf *result,
                      uint64_t *index)
{
    if (command.len > 0)
        return order_submit_at_once(order, command, result);
    pthread_mutex_lock(&order->mutex);
    order->barriers++;
    bool stuck = order->stuck;
    pthread_mutex_unlock(&order->mutex);
    *index = 1;
    return stuck ? ERR_NOPRIMARY : 0;
}

int order_await_wait(struct ordering *order, uint64_t index, unsigned timeout_ms)
{
    (void)order, (void)index, (void)timeout_ms;
    return 0;
}

/* ---- The view ---- */

static inline int fixture_rows(void *context, struct arena *arena, struct str lane, uint64_t after,
                               unsigned limit, struct outbox_row **rows, unsigned *count)
{
    struct ordering *order = context;
    *rows = ARENA_ARRAY(arena, struct outbox_row, limit);
    *count = 0;
    pthread_mutex_lock(&order->mutex);
    bool broken = order->view_broken;
    for (uint64_t i = after; i < order->count && *count < limit; i++)
        if (!order->table[i].gone && str_eq(order->table[i].row.lane, lane))
            (*rows)[(*count)++] = order->table[i].row;
    pthread_mutex_unlock(&order->mutex);
    return broken ? ERR_IO : 0;
}

static inline int fixture_lanes(void *context, struct arena *arena,
                                struct outbox_lane_count **lanes, unsigned *count)
{
    struct ordering *order = context;
    *lanes = ARENA_ARRAY(arena, struct outbox_lane_count, 16);
    *count = 0;
    pthread_mutex_lock(&order->mutex);
    for (unsigned i = 0; i < order->count; i++) {
        unsigned k = 0;
        if (order->table[i].gone)
            continue;
        while (k < *count && !str_eq((*lanes)[k].lane, order->table[i].row.lane))
            k++;
        if (k == *count && k < 16)
            (*lanes)[(*count)++] = (struct outbox_lane_count){
                .lane = order->table[i].row.lane, .oldest_ms = order->table[i].row.time_ms};
        (*lanes)[k].rows++;
    }
    pthread_mutex_unlock(&order->mutex);
    return 0;
}

static inline int fixture_warehouses(void *context, struct arena *arena, struct warehouse **list,
                                     unsigned *count)
{
    struct ordering *order = context;
    *list = ARENA_ARRAY(arena, struct warehouse, 4);
    *count = 0;
    pthread_mutex_lock(&order->mutex);
    for (unsigned i = 0; i < 4 && order->warehouses[i] != NULL; i++)
        (*list)[(*count)++] =
            (struct warehouse){.id = str_of(order->warehouses[i]), .url = str_of(order->url)};
    pthread_mutex_unlock(&order->mutex);
    return 0;
}

static inline int fixture_identity(void *context, struct id *shop, uint64_t *epoch)
{
    struct ordering *order = context;
    pthread_mutex_lock(&order->mutex);
    bool there = order->identities > 0;
    pthread_mutex_unlock(&order->mutex);
    *shop = order_numbered(77);
    *epoch = 3;
    return there ? 0 : ERR_NOTFOUND;
}

static inline int fixture_order(void *context, struct arena *arena, struct id id,
                                struct order *order)
{
    (void)context, (void)arena;
    *order = (struct order){.id = id, .currency = STR("EUR"), .payment_key = order_numbered(5)};
    order->payment.reference = STR("pi_1");
    return 0;
}

static inline struct outbox_view fixture_view(struct ordering *order)
{
    return (struct outbox_view){.context = order,
                                .rows = fixture_rows,
                                .lanes = fixture_lanes,
                                .warehouses = fixture_warehouses,
                                .identity = fixture_identity,
                                .order = fixture_order};
}

#endif

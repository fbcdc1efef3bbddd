#include "bench/cache_speed.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "http/exchange.h"
#include "web/cache.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    ROOM = 8 << 20,
    PAGE = 8000,
    FOUND = 400,     /* pages that are there: half of the room */
    ASKED = 1 << 16, /* look-ups prepared for each thread */
    LOOKS = 1 << 20, /* of a round and thread */
    PUTS = 1 << 16,
    KEY = 24,
    THREADS_MAX = 64,
    ROUNDS_MAX = 99,
};

enum work { HIT, HIT_ONE, MISS, PUT, WORKS };

static const char *const names[WORKS] = {"a page that is there", "the same one by all",
                                         "a page that is not there",
                                         "keeping a page, another goes"};

struct table {
    struct cache *cache;
    struct http_page *page;
    char keys[ASKED][KEY];
    uint8_t lengths[ASKED];
};

struct worker {
    struct table *table;
    enum work work;
    unsigned number;
    pthread_barrier_t *barrier;
    double ns; /* of one operation */
    uint64_t found;
};

static struct str key_at(const struct table *table, uint32_t at)
{
    return str_make(table->keys[at], table->lengths[at]);
}

static void put(struct table *table, struct str key, uint64_t product)
{
    struct cache_tags tags = {.index = 1};
    cache_tag_product(&tags, product);
    cache_put(table->cache, key, table->page, &tags);
}

/* The first FOUND keys are there, and what HIT asks for is among them. */
static void fill(struct table *table)
{
    cache_told(table->cache, 1); /* as by a server that writes, and has nothing to write now */
    for (uint32_t i = 0; i < ASKED; i++)
        table->lengths[i] =
            (uint8_t)snprintf(table->keys[i], KEY, "/product/%u", (unsigned)(i * 7919u));
    for (uint32_t i = 0; i < FOUND; i++)
        put(table, key_at(table, i), i);
}

static uint32_t key_for(enum work work, struct random *random)
{
    switch (work) {
    case HIT:
        return (uint32_t)random_below(random, FOUND);
    case HIT_ONE:
        return 0;
    default:
        return FOUND + (uint32_t)random_below(random, ASKED - FOUND);
    }
}

static void look(struct worker *worker, const uint32_t *order)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        struct http_page *page =
            cache_get(worker->table->cache, key_at(worker->table, order[i % ASKED]));
        worker->found += page != NULL;
        http_page_drop(page);
    }
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct random random;
    static const unsigned steps[WORKS] = {LOOKS, LOOKS, LOOKS, PUTS};
    uint32_t *order = malloc(ASKED * sizeof *order);
    random_seed(&random, worker->number + 1);
    for (unsigned i = 0; order && i < ASKED; i++)
        order[i] = key_for(worker->work, &random);
    pthread_barrier_wait(worker->barrier);
    uint64_t began = clock_mono_ns();
    if (order && worker->work == PUT)
        for (unsigned i = 0; i < PUTS; i++)
            put(worker->table, key_at(worker->table, order[i % ASKED]), order[i % ASKED]);
    else if (order)
        look(worker, order);
    worker->ns = (double)(clock_mono_ns() - began) / steps[worker->work];
    free(order);
    return NULL;
}

/* The mean of the threads' times; negative: there are not so many. */
static double measure(struct table *table, enum work work, unsigned threads)
{
    struct worker workers[THREADS_MAX] = {0};
    pthread_t ids[THREADS_MAX];
    pthread_barrier_t barrier;
    double sum = 0;
    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        workers[i] =
            (struct worker){.table = table, .work = work, .number = i, .barrier = &barrier};
        CHECK(pthread_create(&ids[i], NULL, run, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum += workers[i].ns;
        CHECK(work == PUT || workers[i].found == (work == MISS ? 0 : LOOKS));
    }
    pthread_barrier_destroy(&barrier);
    return sum / threads;
}

static int by_size(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static struct table *table_new(void)
{
    struct table *table = calloc(1, sizeof *table);
    static const char body[PAGE];
    if (!table)
        return NULL;
    table->cache = cache_new(ROOM);
    table->page =
        http_page_new(200, STR("text/html"), STR("no-cache"), str_make(body, sizeof body), false);
    return table;
}

static void table_free(struct table *table)
{
    cache_free(table->cache);
    http_page_drop(table->page);
    free(table);
}

/* A table for each round: how its keys fall into stripes is chance. */
static int measure_round(unsigned threads, double ns[WORKS], struct failure *failure)
{
    struct table *table = table_new();
    bool made = table && table->cache && table->page;
    if (made)
        fill(table);
    for (unsigned work = 0; made && work < WORKS; work++)
        ns[work] = measure(table, work, threads);
    if (table)
        table_free(table);
    return made ? 0 : fail(failure, ERR_NOMEM, "no memory for a cache of %d bytes", ROOM);
}

int cache_speed_print(unsigned threads, unsigned rounds, FILE *out, struct failure *failure)
{
    double ns[ROUNDS_MAX][WORKS], column[ROUNDS_MAX];
    if (rounds > ROUNDS_MAX || threads > THREADS_MAX)
        return fail(failure, ERR_INVALID, "at most %d rounds and %d threads", ROUNDS_MAX,
                    THREADS_MAX);
    for (unsigned round = 0; round < rounds; round++) {
        int err = measure_round(threads, ns[round], failure);
        if (err)
            return err;
    }
    for (unsigned work = 0; work < WORKS; work++) {
        for (unsigned round = 0; round < rounds; round++)
            column[round] = ns[round][work];
        qsort(column, rounds, sizeof *column, by_size);
        fprintf(out, "| %s | %u | %.0f | %.0f |\n", names[work], threads, column[rounds / 2],
                column[0]);
    }
    return 0;
}

#include "balance/pool.h"

#include "balance/lane.h"
#include "base/check.h"
#include "base/clock.h"
#include "http/exchange.h"

#include <stdlib.h>

/* Shorter than servers keep what is idle: ours for 60 s, nginx's for 75 s. */
#define IDLE_NS (45 * SEC_NS)
/* After one that could not be made: how long until a backup is tried again. */
#define BACKUP_PAUSE_NS (500 * MS_NS)

/* After one that was refused: how long the next ones are without being made. */
#define REFUSED_NS (10 * MS_NS)

enum { OUT_KEPT = 128 << 10 }; /* an idle connection keeps no larger buffer */

struct pool *pool_new(struct lane *lane, struct backend *backend)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->lane = lane;
    pool->backend = backend_hold(backend);
    pool->place = -1;
    list_init(&pool->idle);
    list_init(&pool->busy);
    list_init(&pool->connecting);
    list_init(&pool->node);
    return pool;
}

static struct upstream *line_at(struct list *node)
{
    return CONTAINER_OF(node, struct upstream, node);
}

static void close_all(struct list *lines)
{
    while (!list_empty(lines))
        upstream_close(line_at(lines->next));
}

/* What all lanes have together. */
static void tell_idle(struct pool *pool)
{
    if (pool->idle_told == pool->idle_count)
        return;
    atomic_fetch_add_explicit(&pool->backend->idle, pool->idle_count - pool->idle_told,
                              memory_order_relaxed);
    pool->idle_told = pool->idle_count;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    CHECK(pool->users == 0);
    close_all(&pool->idle);
    close_all(&pool->busy);
    close_all(&pool->connecting);
    tell_idle(pool);
    list_remove(&pool->node);
    backend_drop(pool->backend);
    free(pool);
}

void pool_retire(struct pool *pool)
{
    pool->place = -1;
    close_all(&pool->idle);
    list_append(&pool->lane->retired, &pool->node);
    if (pool->users == 0)
        pool_free(pool);
}

void pool_hold(struct pool *pool)
{
    pool->users++;
}

void pool_drop(struct pool *pool)
{
    CHECK(pool->users > 0);
    pool->users--;
    if (pool->users == 0 && pool->place < 0)
        pool_free(pool);
}

static struct upstream *introduced(struct pool *pool, const struct exchange *x)
{
    unsigned char header[PROXY_HEADER_WRITTEN];
    struct endpoint client, here;
    bool known = exchange_addresses(x, &client, &here);
    size_t len = proxy_header_write(known ? &client : NULL, known ? &here : NULL, header);
    return upstream_new(pool, str_make(header, len));
}

bool pool_refuses(const struct pool *pool, uint64_t now_ns)
{
    return pool->backend->shop && pool->failed_ns && list_empty(&pool->idle) &&
           now_ns - pool->failed_ns < REFUSED_NS;
}

struct upstream *pool_take(struct pool *pool, const struct exchange *x, bool careful)
{
    if (pool->backend->proxy_header)
        return introduced(pool, x);
    while (!list_empty(&pool->idle)) {
        struct upstream *line = line_at(pool->idle.next);
        if (!careful || upstream_is_open(line))
            return line;
        upstream_close(line);
    }
    return upstream_new(pool, STR(""));
}

void pool_mistrust(struct pool *pool, uint64_t began_ns)
{
    while (!list_empty(&pool->idle)) { /* oldest first */
        struct upstream *line = line_at(pool->idle.prev);
        if (line->since_ns > began_ns)
            return;
        upstream_close(line);
    }
}

bool pool_give(struct pool *pool, struct upstream *line)
{
    const struct balance_config *config = pool->lane->config;
    list_remove(&line->node);
    line->state = UPSTREAM_IDLE;
    line->since_ns = lane_now(pool->lane);
    line->room = UPSTREAM_READ;
    pool->idle_count++;
    list_append(pool->idle.next, &line->node); /* before the first: used next */
    if (line->out.cap > OUT_KEPT)
        buf_close(&line->out);
    if (pool->place >= 0 && pool->idle_count <= config->idle_connections && !line->hung_up &&
        line->introduction_len == 0)
        return true;
    upstream_close(line);
    return false;
}

static unsigned count_of(const struct list *list)
{
    unsigned count = 0;
    for (const struct list *node = list->next; node != list; node = node->next)
        count++;
    return count;
}

/* Oldest first: those that nobody has needed for long. */
static void close_old(struct pool *pool, uint64_t now_ns)
{
    while (!list_empty(&pool->idle)) {
        struct upstream *oldest = line_at(pool->idle.prev);
        if (now_ns - oldest->since_ns < IDLE_NS)
            return;
        upstream_close(oldest);
    }
}

static void give_up_slow(struct pool *pool, uint64_t now_ns)
{
    pool_hold(pool); /* it may have left, and these be its last users */
    while (!list_empty(&pool->connecting)) {
        struct upstream *oldest = line_at(pool->connecting.next);
        if (now_ns - oldest->since_ns < pool->lane->config->connect_ns)
            break;
        pool->failed_ns = now_ns;
        upstream_unheard(oldest);
    }
    pool_drop(pool);
}

void pool_tick_retired(struct pool *pool, uint64_t now_ns)
{
    give_up_slow(pool, now_ns);
}

void pool_tick(struct pool *pool, unsigned backups, bool usable, uint64_t now_ns)
{
    tell_idle(pool);
    close_old(pool, now_ns);
    if (usable && !pool->backend->proxy_header && now_ns - pool->failed_ns > BACKUP_PAUSE_NS &&
        pool->idle_count + count_of(&pool->connecting) < backups && !upstream_new(pool, STR("")))
        pool->failed_ns = now_ns;
    give_up_slow(pool, now_ns);
}

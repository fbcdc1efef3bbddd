#include "admin/tiers_door_inner.h"
#include "base/check.h"
#include "base/clock.h"

#include <math.h>

enum { PAGE_MAX = 1 << 20, MIB = 1 << 20 };

int tiers_templates_new(struct template_set **templates, struct failure *failure)
{
    const struct template_source pages[] = {
        {.name = "tiers", .text = operator_door_text("pages/tiers.html")},
        {.name = "tiers_row", .text = operator_door_text("pages/tiers_row.html")},
    };
    return template_set_new(pages, COUNT_OF(pages), templates, failure);
}

static void put_count(struct value *map, const char *key, uint64_t count)
{
    value_int(map, key, (int64_t)count);
}

/* "3 workers", "1 worker". */
static void put_words(struct value *map, const char *key, uint64_t count, const char *one)
{
    value_printf(map, key, "%llu %s%s", (unsigned long long)count, one, count == 1 ? "" : "s");
}

/* "93 %"; "–": nobody has asked. */
static void put_ratio(struct value *map, const char *key, double ratio)
{
    if (isfinite(ratio))
        value_printf(map, key, "%.0f %%", 100 * ratio);
    else
        value_text(map, key, STR("–"));
}

/* ---- The queue ---- */

static void put_queue(struct value *root, const struct tiers_view *view)
{
    const struct queue_stats *stats = &view->look.stats;
    put_count(root, "length", view->length);
    put_count(root, "work", view->held > view->length ? view->held - view->length : 0);
    put_count(root, "slots", stats->slots);
    value_ms(root, "oldest", stats->oldest_wait_ns);
    value_ms(root, "p50", view->wait_p50_ns);
    value_ms(root, "p90", view->wait_p90_ns);
    value_ms(root, "p99", view->wait_p99_ns);
    value_printf(root, "arrived_per_s", "%.0f", view->arrived_per_s);
    value_printf(root, "answered_per_s", "%.0f", view->answered_per_s);
    value_printf(root, "lost_per_s", "%.0f", view->dropped_per_s + view->refused_per_s);
    put_count(root, "given_back", stats->given_back);
    put_words(root, "deaths_words", stats->died, "death");
    put_count(root, "idle", stats->idle);
    put_ratio(root, "found_all", view->hit_ratio);
}

static void put_classes(struct value *root, const struct tiers_view *view)
{
    struct value *list = value_list(root, "classes");
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        const struct tiers_class *class = &view->classes[i];
        struct value *map = value_add_map(list);
        value_text(map, "name", str_of(share_names[i]));
        put_count(map, "share", class->weight);
        put_count(map, "waiting", class->waiting);
        put_count(map, "work", class->held > class->waiting ? class->held - class->waiting : 0);
        value_printf(map, "arrived", "%.0f", class->arrived_per_s);
        value_printf(map, "answered", "%.0f", class->answered_per_s);
        value_ms(map, "work_ms", class->done > 0 ? class->work_ns / class->done : 0);
        put_count(map, "done", class->done);
        put_count(map, "dropped", class->dropped);
        put_count(map, "refused", class->refused);
    }
}

/* ---- Fronts and workers ---- */

static void put_front(struct value *map, const struct tiers_member *member)
{
    const struct front_stats *front = &member->front;
    put_count(map, "requests", front->requests);
    value_printf(map, "besides", "%llu connection%s, %llu pushed again, %llu cut",
                 (unsigned long long)front->connections, front->connections == 1 ? "" : "s",
                 (unsigned long long)front->retried, (unsigned long long)front->cut);
}

static void put_worker(struct value *map, const struct tiers_member *member)
{
    const struct worker_cache *cache = &member->cache;
    put_count(map, "requests", member->handled);
    put_words(map, "besides", member->empty_polls, "empty poll");
    if (cache->limit == 0)
        return;
    put_ratio(map, "found", member->hit_ratio);
    value_printf(map, "cache", " found in cache, %.1f of %.1f MiB, %llu evicted, %llu behind; ",
                 (double)cache->bytes / MIB, (double)cache->limit / MIB,
                 (unsigned long long)cache->evicted, (unsigned long long)cache->lag);
}

static void put_members(struct value *root, const struct tiers_view *view)
{
    struct value *list = value_list(root, "members");
    for (unsigned i = 0; i < view->count; i++) {
        const struct tiers_member *member = &view->members[i];
        struct value *map = value_add_map(list);
        const char *tier = fleet_tier_name(member->tier);
        if (member->number > 0)
            value_printf(map, "name", "%s %u", tier, member->number);
        else
            value_text(map, "name", str_of(tier));
        value_printf(map, "role", "%sprocess %u%s%s", member->master ? "master, " : "", member->pid,
                     member->host[0] ? " at " : "", member->host);
        value_bool(map, "master", member->master);
        value_text(map, "state", str_of(tiers_state_name(member->state)));
        value_printf(map, "busy", "%.0f", (double)member->busy / 10);
        put_count(map, "open", member->open);
        value_printf(map, "rate", "%.0f", member->requests_per_s);
        (member->tier == FLEET_FRONT ? put_front : put_worker)(map, member);
    }
}

static void put_sizes(struct value *root, const struct tiers_view *view)
{
    const struct tiers_size *workers = &view->sizes[FLEET_WORKER];
    const struct fleet_tier_view *fleet = &view->board.tiers[FLEET_WORKER];
    put_words(root, "fronts_words", view->sizes[FLEET_FRONT].in[TIERS_READY], "front");
    put_words(root, "workers_words", workers->in[TIERS_READY], "worker");
    put_count(root, "ready", workers->in[TIERS_READY]);
    value_bool(root, "one_worker", workers->in[TIERS_READY] == 1);
    value_bool(root, "no_worker", workers->in[TIERS_READY] == 0);
    value_bool(root, "no_master", view->master.pid == 0);
    value_printf(root, "busy", "%.0f", (double)workers->busy / 10);
    if (view->master.pid)
        value_printf(root, "master_words", "master is process %u", view->master.pid);
    else
        value_text(root, "master_words", STR("no master"));
    if (view->fresh)
        value_printf(root, "of_wanted", " of %u", view->board.workers_wanted);
    value_printf(root, "rule_words", view->fresh ? "scaled by rule %s" : "not scaled",
                 view->board.rule);
    if (view->fresh)
        value_printf(root, "fleet_words", "%llu started, %llu crashed",
                     (unsigned long long)fleet->starts, (unsigned long long)fleet->crashes);
    else
        value_text(root, "fleet_words", STR("no fleet"));
}

/* ---- Decisions ---- */

static void put_change(struct value *map, const struct scale_decision *decision)
{
    bool workers = decision->workers != decision->workers_before;
    bool fronts = decision->fronts != decision->fronts_before;
    if (workers && fronts)
        value_printf(map, "change", "workers %u → %u, fronts %u → %u", decision->workers_before,
                     decision->workers, decision->fronts_before, decision->fronts);
    else if (workers)
        value_printf(map, "change", "workers %u → %u", decision->workers_before, decision->workers);
    else
        value_printf(map, "change", "fronts %u → %u", decision->fronts_before, decision->fronts);
    bool more = workers ? decision->workers > decision->workers_before
                        : decision->fronts > decision->fronts_before;
    value_text(map, "kind", more ? STR("more") : STR("fewer"));
}

/* Newest first. */
static void put_decisions(struct value *root, const struct scale_board *board)
{
    struct value *list = value_list(root, "decisions");
    for (unsigned i = board->count; i > 0; i--) {
        const struct scale_event *event = &board->events[i - 1];
        struct value *map = value_add_map(list);
        char when[32];
        clock_rfc3339(event->wall_ms, when, sizeof when);
        value_printf(map, "time", "%s", when);
        value_printf(map, "clock", "%.8s", when + 11);
        put_change(map, &event->decision);
        value_text(map, "reason", str_of(event->decision.reason));
        value_printf(map, "inputs", "%llu waiting, nine of ten %.1f ms; %.2f of %llu workers busy",
                     (unsigned long long)event->sample.queued,
                     (double)event->sample.wait_p90_ns / 1e6, (double)event->sample.busy / 1e3,
                     (unsigned long long)event->sample.workers.ready);
    }
}

/* ---- The whole ---- */

static void fill(struct value *root, const struct tiers_view *view)
{
    uint64_t now_ns = view->look.now_ns;
    value_text(root, "version", STR(STOA_VERSION));
    value_age(root, "age", now_ns > view->started_ns ? now_ns - view->started_ns : 0);
    put_queue(root, view);
    put_sizes(root, view);
    put_decisions(root, &view->board);
    put_members(root, view);
    put_classes(root, view);
}

enum app_verdict tiers_page(struct exchange *x)
{
    struct tiers_room *room = x->thread_state;
    struct value *root = value_root(&x->arena);
    struct buf page;
    tiers_room_look(room);
    fill(root, room->view);
    buf_init(&page, PAGE_MAX);
    if (template_render(template_find(room->door->templates, STR("tiers")), root, &page))
        page.failed = true;
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    return operator_door_answer(x, STR("text/html; charset=utf-8"), &page);
}

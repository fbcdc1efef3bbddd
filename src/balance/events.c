#include "balance/events.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known of each kind. */
static const struct {
    const char *name;
    enum log_level level;
    uint32_t burst, minute;
} kinds[EVENT_KINDS] = {
#define X(id, name, level, burst, minute) {name, level, burst, minute},
    EVENT_LIST(X)
#undef X
};

/* A bucket that fills up by one each `60 s / minute` and takes `burst`. */
struct allowance {
    uint64_t since_ns; /* when its level was last reckoned; 0: never */
    double level;
    uint64_t left_out; /* since the last one let through */
};

struct events {
    const struct log *log;
    pthread_mutex_t lock;
    struct allowance allowances[EVENT_KINDS];
    _Atomic uint64_t last;
    struct event ring[EVENTS_KEPT]; /* number N is at N % EVENTS_KEPT */
};

int events_new(const struct log *log, struct events **events, struct failure *failure)
{
    struct events *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for the list of events");
    made->log = log;
    pthread_mutex_init(&made->lock, NULL);
    *events = made;
    return 0;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    pthread_mutex_destroy(&events->lock);
    free(events);
}

/* Whether one more of KIND may come in. */
static bool allowed(struct allowance *allowance, enum event_kind kind, uint64_t now_ns)
{
    double burst = kinds[kind].burst;
    if (!allowance->since_ns) {
        allowance->level = burst;
    } else if (now_ns > allowance->since_ns) {
        double minutes = (double)(now_ns - allowance->since_ns) / (60.0 * SEC_NS);
        allowance->level += minutes * kinds[kind].minute;
        if (allowance->level > burst)
            allowance->level = burst;
    }
    if (now_ns > allowance->since_ns)
        allowance->since_ns = now_ns;
    if (allowance->level < 1) {
        allowance->left_out++;
        return false;
    }
    allowance->level -= 1;
    return true;
}

static void add(struct events *events, enum event_kind kind, uint64_t backend, const char *name,
                const char *text)
{
    CHECK(kind < EVENT_KINDS);
    char told[EVENT_NAME + EVENT_TEXT + 64], more[64] = "";
    pthread_mutex_lock(&events->lock);
    struct allowance *allowance = &events->allowances[kind];
    if (!allowed(allowance, kind, clock_mono_ns())) {
        pthread_mutex_unlock(&events->lock);
        return;
    }
    uint64_t number = atomic_load_explicit(&events->last, memory_order_relaxed) + 1;
    struct event *event = &events->ring[number % EVENTS_KEPT];
    *event = (struct event){
        .number = number, .wall_ms = clock_wall_ms(), .kind = kind, .backend = backend};
    str_copy(event->name, sizeof event->name, str_of(name));
    if (allowance->left_out)
        snprintf(more, sizeof more, " (and %llu more like this)",
                 (unsigned long long)allowance->left_out);
    str_copy(event->text, sizeof event->text - strlen(more), str_of(text));
    strcat(event->text, more);
    allowance->left_out = 0;
    snprintf(told, sizeof told, "%s%s%s", event->name, event->name[0] ? ": " : "", event->text);
    atomic_store_explicit(&events->last, number, memory_order_release);
    pthread_mutex_unlock(&events->lock);
    log_line(events->log, kinds[kind].level, "balance", "%s", told);
}

void events_add(struct events *events, enum event_kind kind, uint64_t backend, const char *name,
                const char *format, ...)
{
    if (!events)
        return;
    char text[EVENT_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(events, kind, backend, name, text);
}

uint64_t events_last(struct events *events)
{
    return events ? atomic_load_explicit(&events->last, memory_order_acquire) : 0;
}

unsigned events_read(struct events *events, uint64_t after, struct event *out, unsigned room,
                     uint64_t *missed)
{
    unsigned count = 0;
    uint64_t lost = 0;
    if (events) {
        pthread_mutex_lock(&events->lock);
        uint64_t last = atomic_load_explicit(&events->last, memory_order_relaxed);
        uint64_t oldest = last > EVENTS_KEPT ? last - EVENTS_KEPT + 1 : 1;
        if (after + 1 < oldest) {
            lost = oldest - after - 1;
            after = oldest - 1;
        }
        while (count < room && after < last)
            out[count++] = events->ring[++after % EVENTS_KEPT];
        pthread_mutex_unlock(&events->lock);
    }
    if (missed)
        *missed = lost;
    return count;
}

const char *event_kind_name(enum event_kind kind)
{
    return kind < EVENT_KINDS ? kinds[kind].name : "unknown";
}

void event_write_json(struct buf *out, const struct event *event)
{
    char when[32];
    clock_rfc3339(event->wall_ms, when, sizeof when);
    buf_printf(out, "{\"number\":%llu,\"time\":\"%s\",\"kind\":\"%s\"",
               (unsigned long long)event->number, when, event_kind_name(event->kind));
    if (event->backend)
        buf_printf(out, ",\"server\":%llu", (unsigned long long)event->backend);
    if (event->name[0]) {
        buf_puts(out, ",\"name\":");
        json_text_put(event->name, out);
    }
    buf_puts(out, ",\"text\":");
    json_text_put(event->text, out);
    buf_byte(out, '}');
}

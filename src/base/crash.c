#include "base/crash.h"

#include "base/check.h"
#include "base/random.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *name, *about;
} points[] = {
#define X(name, about) {#name, about},
    CRASH_POINT_LIST(X)
#undef X
};

/* At a point: after so many passages, or at so many of a hundred. */
struct rule {
    atomic_uint_least64_t left; /* passages until it crashes, this one included; 0: never */
    unsigned percent;           /* 0: none */
    bool stops;                 /* instead of dying */
};

struct crash_plan {
    struct rule rules[CRASH_POINT_COUNT];
};

const char *crash_point_name(enum crash_point point)
{
    return points[point].name;
}

const char *crash_point_about(enum crash_point point)
{
    return points[point].about;
}

static bool find_point(struct str name, enum crash_point *point)
{
    for (unsigned i = 0; i < CRASH_POINT_COUNT; i++) {
        if (str_eq(name, str_of(points[i].name))) {
            *point = (enum crash_point)i;
            return true;
        }
    }
    return false;
}

static int refuse(struct failure *failure, struct str rule, const char *what)
{
    char names[400];
    size_t len = 0;
    for (unsigned i = 0; i < CRASH_POINT_COUNT && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, " %s", points[i].name);
    return fail(failure, ERR_INVALID, "crash at \"%.*s\": %s; the points are:%s", STR_FMT(rule),
                what, names);
}

int crash_plan_add(struct crash_plan **plan, struct str rule, struct failure *failure)
{
    struct str when = rule, name;
    enum crash_point point;
    uint64_t number = 1;
    bool stops = str_ends(when, STR(":stop"));
    if (stops)
        when.len -= sizeof ":stop" - 1;
    str_cut(&when, ':', &name);
    if (!find_point(name, &point))
        return refuse(failure, rule, "there is no such point");
    bool percent = when.at != NULL && str_ends(when, STR("%"));
    if (percent)
        when.len--;
    if (when.at != NULL && str_to_u64(when, &number) != 0)
        return refuse(failure, rule, "after ':' comes a number, or one with '%'");
    if (number == 0 || (percent && number > 100))
        return refuse(failure, rule, "the number is not possible");
    if (*plan == NULL)
        *plan = calloc(1, sizeof **plan);
    if (*plan == NULL)
        return fail(failure, ERR_NOMEM, "out of memory");
    (*plan)->rules[point].stops = stops;
    (*plan)->rules[point].percent = percent ? (unsigned)number : 0;
    atomic_store(&(*plan)->rules[point].left, percent ? 0 : number);
    return 0;
}

void crash_plan_free(struct crash_plan *plan)
{
    free(plan);
}

/* Whether this passage is the one. */
static bool is_here(struct rule *rule)
{
    if (rule->percent > 0) {
        uint32_t number;
        random_secret(&number, sizeof number);
        return number % 100 < rule->percent;
    }
    return atomic_load(&rule->left) > 0 && atomic_fetch_sub(&rule->left, 1) == 1;
}

/* By one write to the descriptor: what the process had not yet written is lost with it. */
static void say_where(enum crash_point point)
{
    char line[80];
    int len = snprintf(line, sizeof line, "stoa: killed at crash point %s\n", points[point].name);
    ssize_t written = write(STDERR_FILENO, line, (size_t)len);
    (void)written; /* it dies, whoever hears of it */
}

void crash_here(struct crash_plan *plan, enum crash_point point)
{
    if (plan == NULL || !is_here(&plan->rules[point]))
        return;
    if (plan->rules[point].stops) {
        raise(SIGSTOP); /* to this thread, which so is the first to stand still */
        return;
    }
    say_where(point);
    kill(getpid(), SIGKILL);
    for (;;) /* the other threads may not get any further either, but they do not wait for us */
        pause();
}

#include "main/demo_child.h"

#include "base/check.h"
#include "base/clock.h"
#include "main/demo_services.h"
#include "main/program.h"
#include "main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAUSE_MS = 200, PAUSE_MAX_MS = 10000, LONG_LIFE_MS = 10000, HASTY_LIFE_MS = 1000 };

static const char *const ready[] = {"stoa: shop ready at ", "stoa: load manager ready at ",
                                    "stoa: bank ready at ",
                                    "stoa: warehouse " DEMO_WAREHOUSE_ID " ready at "};
static const char phrase_front[] =
    "stoa: pass phrase for the people of warehouse " DEMO_WAREHOUSE_ID ", shown only now: ";
static const char pin_front[] = "stoa: pin ";

void demo_say(const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lines_pass_on("stoa: ", text, strlen(text));
}

/* ---- Listening ---- */

/* What it says on one of its pipes. */
struct hearing {
    struct demo_child *child;
    bool is_out, became_ready;
};

static void take_line(void *context, const char *line, size_t len)
{
    struct hearing *hearing = context;
    struct demo_child *child = hearing->child;
    char front[CHILD_NAME + 2];
    struct str text = str_make(line, len);
    for (unsigned i = 0; i < COUNT_OF(ready); i++) {
        if (!hearing->is_out || !str_starts(text, str_of(ready[i])) ||
            child->state != CHILD_STARTING)
            continue;
        str_copy(child->url, sizeof child->url, str_trim(str_from(text, strlen(ready[i]))));
        child->state = CHILD_READY;
        child->was_ready = hearing->became_ready = true;
        return;
    }
    if (hearing->is_out && str_starts(text, str_of(phrase_front))) {
        str_copy(child->phrase, sizeof child->phrase, str_from(text, sizeof phrase_front - 1));
        return; /* the demo says it in its own words */
    }
    if (hearing->is_out && str_starts(text, str_of(pin_front)))
        return; /* whom it is for knows it */
    snprintf(front, sizeof front, "%s: ", child->name);
    lines_pass_on(front, line, len);
}

bool child_read(struct demo_child *child, struct lines *pipe)
{
    struct hearing hearing = {child, pipe == &child->out, false};
    lines_read(pipe, take_line, &hearing);
    return hearing.became_ready;
}

static void close_pipe(struct demo_child *child, struct lines *pipe)
{
    struct hearing hearing = {child, pipe == &child->out, false};
    lines_close(pipe, take_line, &hearing);
}

/* ---- Starting ---- */

int child_start(struct demo_child *child, char *const *words, struct failure *failure)
{
    int out = -1, errors = -1;
    child->err.fd = -1;
    int err = lines_open(&child->out, &out, failure);
    err = err ? err : lines_open(&child->err, &errors, failure);
    err = err ? err : spawn_self(words, out, errors, &child->pid, failure);
    if (out >= 0)
        close(out);
    if (errors >= 0)
        close(errors);
    if (err) {
        close_pipe(child, &child->out);
        close_pipe(child, &child->err);
        return err;
    }
    child->state = CHILD_STARTING;
    child->started_ns = clock_mono_ns();
    child->again_ns = 0;
    return 0;
}

/* ---- Ending ---- */

/* How long it rests, by how often it has failed lately. */
static unsigned pause_ms(const struct demo_child *child)
{
    unsigned failures = child->failures;
    if (child->hasty && child->state == CHILD_READY && failures == 0)
        return 0;
    unsigned pause = (unsigned)PAUSE_MS << (failures < 6 ? failures : 6);
    return pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
}

bool child_misused(const struct demo_child *child, int status)
{
    return !child->was_ready && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE;
}

void child_exited(struct demo_child *child, int status, bool again, uint64_t now_ns)
{
    char how[64], then[64] = "";
    close_pipe(child, &child->out);
    close_pipe(child, &child->err);
    uint64_t long_life = child->hasty ? HASTY_LIFE_MS : LONG_LIFE_MS;
    if (child->state == CHILD_READY && now_ns - child->started_ns > long_life * MS_NS)
        child->failures = 0;
    unsigned pause = pause_ms(child);
    child->failures++;
    child->again_ns = again ? now_ns + pause * MS_NS : 0;
    if (again && pause)
        snprintf(then, sizeof then, "; it starts again in %u.%u s", pause / 1000,
                 pause % 1000 / 100);
    else if (again)
        snprintf(then, sizeof then, "; it starts again at once");
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "died (signal %d)", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
    demo_say("%s %s%s", child->name, how, then);
    child->state = CHILD_RESTING;
    child->pid = 0;
    child->url[0] = 0;
}

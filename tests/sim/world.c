/* longjmp between stacks is what fibers are made of; the hardened one takes it for a mistake. */
#undef _FORTIFY_SOURCE
#include "world.h"

#include "base/check.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 20,
    STACKS_KEPT = 64,
    LAST_LINES = 100, /* of the history, shown with a failure */
    LINE_BYTES = 200,
};

struct event {
    uint64_t at_ns, number;
    struct life *life;
    void (*run)(void *argument);
    void *argument;
};

struct fiber {
    struct fiber *next;
    struct life *life;
    void *(*run)(void *argument);
    void *argument, *result;
    void *stack;
    bool begun;
    jmp_buf at;           /* where it goes on */
    const void *waits_on; /* NULL: it is to run, or it runs */
    uint64_t wait;        /* counts its waits, so that a deadline of an earlier one is known */
    bool timed_out, ended;
};

struct world world;

static ucontext_t start_context; /* only for the first steps on a new stack */
static jmp_buf scheduler;
static void *free_stacks[STACKS_KEPT];
static unsigned free_stack_count;
static char lines[LAST_LINES][LINE_BYTES];
static unsigned line_count;

void world_open(uint64_t seed, bool trace)
{
    memset(&world, 0, sizeof world);
    random_seed(&world.random, seed);
    world.hash = 14695981039346656037u;
    world.trace = trace;
}

/* ---- Randomness ---- */

uint64_t world_pick(uint64_t bound)
{
    return random_below(&world.random, bound);
}

bool world_one_in(uint64_t n)
{
    return world_pick(n) == 0;
}

uint64_t world_between(uint64_t least, uint64_t most)
{
    return least + world_pick(most - least + 1);
}

/* ---- The history ---- */

void world_hash_bytes(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        world.hash = (world.hash ^ at[i]) * 1099511628211u;
}

static void keep_line(const char *format, va_list args)
{
    char *line = lines[line_count++ % LAST_LINES];
    int n = snprintf(line, LINE_BYTES, "%10.3f  ", (double)world.now_ns / 1e6);
    vsnprintf(line + n, (size_t)(LINE_BYTES - n), format, args);
    world_hash_bytes(line, strlen(line));
    if (world.trace)
        puts(line);
}

void world_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_line(format, args);
    va_end(args);
}

void world_fail(const char *format, ...)
{
    if (world.describe != NULL)
        world.describe();
    if (!world.trace) {
        unsigned first = line_count > LAST_LINES ? line_count - LAST_LINES : 0;
        for (unsigned i = first; i < line_count; i++)
            printf("%s\n", lines[i % LAST_LINES]);
    }
    va_list args;
    va_start(args, format);
    printf("BROKEN at %.3f ms: ", (double)world.now_ns / 1e6);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    _exit(1);
}

/* ---- Events: a binary heap ---- */

static bool earlier(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static void swap_events(struct event *a, struct event *b)
{
    struct event kept = *a;
    *a = *b;
    *b = kept;
}

void world_after(uint64_t delay_ns, struct life *life, void (*run)(void *argument), void *argument)
{
    struct event_heap *heap = &world.heap;
    if (heap->count == heap->cap) {
        heap->cap = heap->cap == 0 ? 256 : heap->cap * 2;
        heap->events = realloc(heap->events, heap->cap * sizeof *heap->events);
        CHECK(heap->events != NULL);
    }
    size_t at = heap->count++;
    heap->events[at] = (struct event){.at_ns = world.now_ns + delay_ns,
                                      .number = heap->made++,
                                      .life = life,
                                      .run = run,
                                      .argument = argument};
    for (; at > 0 && earlier(&heap->events[at], &heap->events[(at - 1) / 2]); at = (at - 1) / 2)
        swap_events(&heap->events[at], &heap->events[(at - 1) / 2]);
}

static struct event take_first(void)
{
    struct event_heap *heap = &world.heap;
    struct event first = heap->events[0];
    heap->events[0] = heap->events[--heap->count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < heap->count && earlier(&heap->events[child], &heap->events[least]))
                least = child;
        if (least == at)
            return first;
        swap_events(&heap->events[at], &heap->events[least]);
        at = least;
    }
}

bool world_step(void)
{
    if (world.heap.count == 0)
        return false;
    struct event event = take_first();
    CHECK(event.at_ns >= world.now_ns);
    world.now_ns = event.at_ns;
    if (event.life != NULL && event.life->ended)
        return true;
    if (event.life != NULL && event.life->still_until_ns > world.now_ns) {
        world_after(event.life->still_until_ns - world.now_ns, event.life, event.run,
                    event.argument);
        return true;
    }
    world.events++;
    event.run(event.argument);
    return true;
}

/* ---- Fibers ---- */

static void unlink_fiber(struct fiber *fiber)
{
    struct fiber **at = &world.fibers;
    while (*at != fiber)
        at = &(*at)->next;
    *at = fiber->next;
}

void life_end(struct life *life)
{
    life->ended = true;
    for (struct fiber **at = &world.fibers; *at != NULL;)
        if ((*at)->life == life && *at != world.current)
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

static void run_fiber(void)
{
    struct fiber *fiber = world.current;
    fiber->result = fiber->run(fiber->argument);
    fiber->ended = true;
    unlink_fiber(fiber);
    fiber_wake(fiber, true);
    _longjmp(scheduler, 1);
}

static void go_on(struct fiber *fiber)
{
    if (fiber->begun)
        _longjmp(fiber->at, 1);
    fiber->begun = true;
    CHECK(getcontext(&start_context) == 0);
    start_context.uc_stack.ss_sp = fiber->stack;
    start_context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&start_context, run_fiber, 0);
    setcontext(&start_context);
    abort();
}

/* The running fiber stops here, until resume. */
static void pause_here(struct fiber *fiber)
{
    if (_setjmp(fiber->at) == 0)
        _longjmp(scheduler, 1);
}

/* On the scheduler: FIBER goes on, until it waits again. */
static void resume(void *argument)
{
    struct fiber *fiber = argument;
    CHECK(world.current == NULL);
    world.current = fiber;
    if (_setjmp(scheduler) == 0)
        go_on(fiber);
    fiber = world.current;
    world.current = NULL;
    if (fiber->ended && free_stack_count < STACKS_KEPT)
        free_stacks[free_stack_count++] = fiber->stack;
    if (fiber->life->ended && !fiber->ended)
        unlink_fiber(fiber);
}

/* How long a thread that may run waits for a processor: mostly not, sometimes long. */
static uint64_t until_it_runs(void)
{
    if (world_one_in(200))
        return world_between(1, 8) * MS_NS;
    return world_between(1, 60) * 1000;
}

static void *new_stack(void)
{
    if (free_stack_count > 0)
        return free_stacks[--free_stack_count];
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK(stack != MAP_FAILED);
    return stack;
}

struct fiber *fiber_start(struct life *life, void *(*run)(void *argument), void *argument)
{
    struct fiber *fiber = calloc(1, sizeof *fiber);
    CHECK(fiber != NULL && life != NULL);
    fiber->life = life;
    fiber->run = run;
    fiber->argument = argument;
    fiber->stack = new_stack();
    fiber->next = world.fibers;
    world.fibers = fiber;
    world_after(until_it_runs(), life, resume, fiber);
    return fiber;
}

struct fiber *fiber_current(void)
{
    return world.current;
}

struct life *fiber_life(const struct fiber *fiber)
{
    return fiber->life;
}

bool fiber_ended(const struct fiber *fiber, void **result)
{
    if (fiber->ended && result != NULL)
        *result = fiber->result;
    return fiber->ended;
}

void fiber_abandon(void)
{
    struct fiber *fiber = world.current;
    CHECK(fiber != NULL && fiber->life->ended);
    pause_here(fiber);
    abort();
}

struct deadline {
    struct fiber *fiber;
    uint64_t wait;
};

static void past_deadline(void *argument)
{
    struct deadline *deadline = argument;
    struct fiber *fiber = deadline->fiber;
    bool waits = fiber->wait == deadline->wait && fiber->waits_on != NULL;
    free(deadline);
    if (!waits)
        return;
    fiber->waits_on = NULL;
    fiber->timed_out = true;
    resume(fiber);
}

bool fiber_wait(const void *object, uint64_t deadline_ns)
{
    struct fiber *fiber = world.current;
    CHECK(fiber != NULL && object != NULL);
    fiber->waits_on = object;
    fiber->wait++;
    fiber->timed_out = false;
    if (deadline_ns != UINT64_MAX) {
        struct deadline *deadline = malloc(sizeof *deadline);
        CHECK(deadline != NULL);
        *deadline = (struct deadline){fiber, fiber->wait};
        world_after(deadline_ns > world.now_ns ? deadline_ns - world.now_ns : 0, fiber->life,
                    past_deadline, deadline);
    }
    pause_here(fiber);
    return !fiber->timed_out;
}

static void wake(struct fiber *fiber)
{
    fiber->waits_on = NULL;
    world_after(until_it_runs(), fiber->life, resume, fiber);
}

void fiber_wake(const void *object, bool all)
{
    unsigned count = 0;
    for (struct fiber *fiber = world.fibers; fiber != NULL; fiber = fiber->next)
        if (fiber->waits_on == object && !fiber->life->ended) {
            count++;
            if (all)
                wake(fiber);
        }
    if (all || count == 0)
        return;
    unsigned chosen = (unsigned)world_pick(count);
    for (struct fiber *fiber = world.fibers;; fiber = fiber->next)
        if (fiber->waits_on == object && !fiber->life->ended && chosen-- == 0) {
            wake(fiber);
            return;
        }
}

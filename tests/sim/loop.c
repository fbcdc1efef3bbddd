/* What is linked in the place of libuv: loops, wake-ups from other threads, timers, prepare
 * handles. A turn is as libuv makes it: what has come, then the prepare handles, then waiting. */
#include "loop.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct post {
    struct post *next;
    void (*run)(void *argument);
    void *argument;
};

struct loop {
    uv_loop_t *uv;
    struct life *life;
    struct post *first, **last;
    uv_prepare_t *prepares[4];
    unsigned prepare_count;
    void (*each_turn)(void *argument);
    void *each_turn_argument;
    unsigned open; /* handles that are not closed */
    bool stopped;
};

/* Beside each handle, whose own fields are not used; it stays when the handle is gone. */
struct handle {
    struct loop *loop;
    void *uv;
    bool active, closing;
    uint64_t generation; /* of a timer's start: an earlier one's event is void */
    uv_close_cb closed;
    void (*run)(void *handle);
    uint64_t repeat_ms;
    bool pending; /* an async: wake-up is on its way */
};

static struct loop *loop_of(const uv_loop_t *uv)
{
    return (struct loop *)uv->internal_fields;
}

static struct handle *handle_of(const void *uv)
{
    return (struct handle *)((const uv_handle_t *)uv)->u.reserved[0];
}

struct life *loop_life(uv_loop_t *uv)
{
    return loop_of(uv)->life;
}

void loop_post(uv_loop_t *uv, void (*run)(void *argument), void *argument)
{
    struct loop *loop = loop_of(uv);
    struct post *post = malloc(sizeof *post);
    CHECK(post != NULL);
    *post = (struct post){NULL, run, argument};
    *loop->last = post;
    loop->last = &post->next;
    fiber_wake(loop, true);
}

void loop_each_turn(uv_loop_t *uv, void (*run)(void *argument), void *argument)
{
    loop_of(uv)->each_turn = run;
    loop_of(uv)->each_turn_argument = argument;
}

struct later {
    uv_loop_t *uv;
    void (*run)(void *argument);
    void *argument;
};

static void post_now(void *argument)
{
    struct later later = *(struct later *)argument;
    free(argument);
    loop_post(later.uv, later.run, later.argument);
}

void loop_post_after(uv_loop_t *uv, uint64_t delay_ns, void (*run)(void *argument), void *argument)
{
    struct later *later = malloc(sizeof *later);
    CHECK(later != NULL);
    *later = (struct later){uv, run, argument};
    world_after(delay_ns, loop_of(uv)->life, post_now, later);
}

/* ---- Loops ---- */

int __wrap_uv_loop_init(uv_loop_t *uv);
int __wrap_uv_loop_configure(uv_loop_t *uv, uv_loop_option option, ...);
int __wrap_uv_loop_close(uv_loop_t *uv);
int __wrap_uv_run(uv_loop_t *uv, uv_run_mode mode);
void __wrap_uv_stop(uv_loop_t *uv);
uint64_t __wrap_uv_now(const uv_loop_t *uv);
void __wrap_uv_update_time(uv_loop_t *uv);
uint64_t __wrap_uv_hrtime(void);
uint64_t __wrap_uv_metrics_idle_time(uv_loop_t *uv);
int __wrap_uv_async_init(uv_loop_t *uv, uv_async_t *async, uv_async_cb run);
int __wrap_uv_async_send(uv_async_t *async);
int __wrap_uv_timer_init(uv_loop_t *uv, uv_timer_t *timer);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t ms, uint64_t repeat_ms);
int __wrap_uv_timer_stop(uv_timer_t *timer);
int __wrap_uv_prepare_init(uv_loop_t *uv, uv_prepare_t *prepare);
int __wrap_uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb run);
int __wrap_uv_prepare_stop(uv_prepare_t *prepare);
int __wrap_uv_is_active(const uv_handle_t *uv);
int __wrap_uv_is_closing(const uv_handle_t *uv);
void __wrap_uv_close(uv_handle_t *uv, uv_close_cb closed);

int __wrap_uv_loop_init(uv_loop_t *uv)
{
    void *data = uv->data;
    memset(uv, 0, sizeof *uv);
    uv->data = data;
    struct loop *loop = calloc(1, sizeof *loop);
    CHECK(loop != NULL && fiber_current() != NULL);
    loop->uv = uv;
    loop->life = fiber_life(fiber_current());
    loop->last = &loop->first;
    uv->internal_fields = loop;
    return 0;
}

int __wrap_uv_loop_configure(uv_loop_t *uv, uv_loop_option option, ...)
{
    (void)uv;
    (void)option;
    return 0;
}

int __wrap_uv_loop_close(uv_loop_t *uv)
{
    return loop_of(uv)->open == 0 ? 0 : UV_EBUSY;
}

static void run_posts(struct loop *loop)
{
    /* What comes meanwhile has its turn later. */
    struct post *post = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    while (post != NULL) {
        struct post *next = post->next;
        post->run(post->argument);
        free(post);
        post = next;
    }
}

int __wrap_uv_run(uv_loop_t *uv, uv_run_mode mode)
{
    struct loop *loop = loop_of(uv);
    CHECK(mode == UV_RUN_DEFAULT);
    while (loop->open > 0 && !loop->stopped) {
        if (loop->each_turn != NULL)
            loop->each_turn(loop->each_turn_argument);
        for (unsigned i = 0; i < loop->prepare_count; i++)
            handle_of(loop->prepares[i])->run(loop->prepares[i]);
        while (loop->first == NULL && loop->open > 0)
            fiber_wait(loop, UINT64_MAX);
        run_posts(loop);
    }
    loop->stopped = false;
    return loop->open > 0;
}

void __wrap_uv_stop(uv_loop_t *uv)
{
    loop_of(uv)->stopped = true;
}

uint64_t __wrap_uv_now(const uv_loop_t *uv)
{
    (void)uv;
    return clock_mono_ns() / MS_NS;
}

void __wrap_uv_update_time(uv_loop_t *uv)
{
    (void)uv;
}

uint64_t __wrap_uv_hrtime(void)
{
    return clock_mono_ns();
}

uint64_t __wrap_uv_metrics_idle_time(uv_loop_t *uv)
{
    (void)uv;
    return 0;
}

/* ---- Handles ---- */

static struct handle *handle_init(uv_loop_t *uv, void *memory, size_t size, uv_handle_type type)
{
    void *data = ((uv_handle_t *)memory)->data;
    memset(memory, 0, size);
    uv_handle_t *made = memory;
    made->data = data;
    made->loop = uv;
    made->type = type;
    struct handle *handle = calloc(1, sizeof *handle);
    CHECK(handle != NULL);
    handle->loop = loop_of(uv);
    handle->uv = memory;
    handle->loop->open++;
    made->u.reserved[0] = handle;
    return handle;
}

static void closed_now(void *argument)
{
    uv_handle_t *uv = argument;
    struct handle *handle = handle_of(uv);
    handle->loop->open--;
    if (handle->closed != NULL)
        handle->closed(uv);
}

void __wrap_uv_close(uv_handle_t *uv, uv_close_cb closed)
{
    struct handle *handle = handle_of(uv);
    CHECK(!handle->closing);
    if (uv->type == UV_PREPARE)
        __wrap_uv_prepare_stop((uv_prepare_t *)uv);
    handle->closing = true;
    handle->active = false;
    handle->closed = closed;
    loop_post(handle->loop->uv, closed_now, uv);
}

int __wrap_uv_is_active(const uv_handle_t *uv)
{
    return handle_of(uv)->active;
}

int __wrap_uv_is_closing(const uv_handle_t *uv)
{
    return handle_of(uv)->closing;
}

/* ---- Wake-ups ---- */

static void run_async(void *handle)
{
    uv_async_t *async = handle;
    async->async_cb(async);
}

int __wrap_uv_async_init(uv_loop_t *uv, uv_async_t *async, uv_async_cb run)
{
    struct handle *handle = handle_init(uv, async, sizeof *async, UV_ASYNC);
    async->async_cb = run;
    handle->run = run_async;
    handle->active = true;
    return 0;
}

static void async_came(void *argument)
{
    struct handle *handle = argument;
    handle->pending = false;
    if (!handle->closing)
        handle->run(handle->uv);
}

int __wrap_uv_async_send(uv_async_t *async)
{
    struct handle *handle = handle_of(async);
    if (handle->pending || handle->closing)
        return 0;
    handle->pending = true;
    loop_post(handle->loop->uv, async_came, handle);
    return 0;
}

/* ---- Timers ---- */

struct tick {
    struct handle *timer;
    uint64_t generation;
};

static void timer_due(void *argument);

static void set_timer(struct handle *handle, uint64_t ms)
{
    struct tick *tick = malloc(sizeof *tick);
    CHECK(tick != NULL);
    *tick = (struct tick){handle, handle->generation};
    loop_post_after(handle->loop->uv, ms * MS_NS, timer_due, tick);
}

static void timer_due(void *argument)
{
    struct tick tick = *(struct tick *)argument;
    struct handle *handle = tick.timer;
    free(argument);
    if (handle->closing || !handle->active || handle->generation != tick.generation)
        return;
    if (handle->repeat_ms > 0)
        set_timer(handle, handle->repeat_ms);
    else
        handle->active = false;
    uv_timer_t *timer = handle->uv;
    timer->timer_cb(timer);
}

int __wrap_uv_timer_init(uv_loop_t *uv, uv_timer_t *timer)
{
    handle_init(uv, timer, sizeof *timer, UV_TIMER);
    return 0;
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb run, uint64_t ms, uint64_t repeat_ms)
{
    struct handle *handle = handle_of(timer);
    CHECK(!handle->closing);
    timer->timer_cb = run;
    handle->active = true;
    handle->repeat_ms = repeat_ms;
    handle->generation++;
    set_timer(handle, ms);
    return 0;
}

int __wrap_uv_timer_stop(uv_timer_t *timer)
{
    struct handle *handle = handle_of(timer);
    handle->active = false;
    handle->generation++;
    return 0;
}

/* ---- Work for other threads ---- */

struct job {
    uv_work_t *work;
    uv_after_work_cb done;
};

static void job_done(void *argument)
{
    struct job job = *(struct job *)argument;
    free(argument);
    job.done(job.work, 0);
}

int __wrap_uv_queue_work(uv_loop_t *uv, uv_work_t *work, uv_work_cb run, uv_after_work_cb done);

int __wrap_uv_queue_work(uv_loop_t *uv, uv_work_t *work, uv_work_cb run, uv_after_work_cb done)
{
    struct job *job = malloc(sizeof *job);
    CHECK(job != NULL);
    *job = (struct job){work, done};
    work->loop = uv;
    run(work);
    loop_post_after(uv, world_between(20, 3000) * 1000, job_done, job);
    return 0;
}

/* ---- Prepare handles ---- */

static void run_prepare(void *handle)
{
    uv_prepare_t *prepare = handle;
    prepare->prepare_cb(prepare);
}

int __wrap_uv_prepare_init(uv_loop_t *uv, uv_prepare_t *prepare)
{
    handle_init(uv, prepare, sizeof *prepare, UV_PREPARE)->run = run_prepare;
    return 0;
}

int __wrap_uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb run)
{
    struct handle *handle = handle_of(prepare);
    struct loop *loop = handle->loop;
    prepare->prepare_cb = run;
    if (handle->active)
        return 0;
    handle->active = true;
    CHECK(loop->prepare_count < 4);
    loop->prepares[loop->prepare_count++] = prepare;
    return 0;
}

int __wrap_uv_prepare_stop(uv_prepare_t *prepare)
{
    struct handle *handle = handle_of(prepare);
    struct loop *loop = handle->loop;
    handle->active = false;
    for (unsigned i = 0; i < loop->prepare_count; i++)
        if (loop->prepares[i] == prepare)
            loop->prepares[i--] = loop->prepares[--loop->prepare_count];
    return 0;
}

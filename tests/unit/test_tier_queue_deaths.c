/* The queue when its processes are killed at any moment, all the time: fronts and workers at full
 * speed, of which some are killed by another process, and some kill themselves at an instruction
 * that a timer chooses. Each answer that a front gets is that to its own request, each request ends
 * in time, and in the end nothing is anybody's. */
#include "base/random.h"
#include "queue_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include <cmocka.h>

enum {
    FRONTS = 2,
    WORKERS = 3,
    CHILDREN = FRONTS + WORKERS,
    OPEN = 6,        /* requests that a front has at once */
    LONGEST = 9000,  /* of a request, or an answer: more than a pipe holds */
    PATIENCE_S = 10, /* for an end of each request */
    RUN_MS = 2500,
    PAUSE_NS = 3000000, /* between two kills, at most */
    TIMER_US = 20000,   /* at most, until a process kills itself */
};

/* What all of them count. */
struct tally {
    _Atomic uint64_t answered, lost, given_up, dropped, abandoned;
    _Atomic uint64_t wrong, late; /* must stay 0 */
    _Atomic uint64_t served;
    _Atomic bool over;
};

struct bed {
    char dir[FOLDER_PATH];
    struct queue *queue;
    struct tally *tally;
    pid_t child[CHILDREN];
    struct random random;
};

static void add(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* A message: its length, whose it is, and bytes that follow from that. */
struct mark {
    uint64_t id;
    uint32_t len;
};

static char byte_of(uint64_t id, uint32_t at, bool answer)
{
    return (char)((id * 0x9e3779b97f4a7c15ull >> 40) + at * 31u + (answer ? 7 : 0));
}

/* Writes from *AT on what there is room for; true: that was all. */
static bool write_on(struct pipe pipe, struct mark mark, bool answer, uint32_t *at)
{
    char bytes[sizeof mark + LONGEST];
    memcpy(bytes, &mark, sizeof mark);
    for (uint32_t i = 0; i < mark.len; i++)
        bytes[sizeof mark + i] = byte_of(mark.id, i, answer);
    *at += (uint32_t)pipe_put(&pipe, bytes + *at, sizeof mark + mark.len - *at);
    if (*at < sizeof mark + mark.len)
        return false;
    pipe_end(&pipe);
    return true;
}

/* What has been read of a message. */
struct reading {
    struct mark mark;
    uint32_t at;
    bool wrong;
};

static void read_byte(struct reading *reading, char byte, bool answer)
{
    uint32_t at = reading->at++;
    if (at < sizeof reading->mark)
        ((char *)&reading->mark)[at] = byte;
    else
        reading->wrong |=
            byte != byte_of(reading->mark.id, at - (uint32_t)sizeof reading->mark, answer);
}

/* Reads what there is; whether there was any. */
static bool read_on(struct pipe pipe, struct reading *reading, bool answer)
{
    struct iovec pieces[2];
    bool any = false;
    while (pipe_peek(&pipe, pieces) > 0) {
        for (size_t i = 0; i < pieces[0].iov_len; i++)
            read_byte(reading, ((const char *)pieces[0].iov_base)[i], answer);
        pipe_take(&pipe, pieces[0].iov_len);
        any = true;
    }
    return any;
}

static bool is_whole(const struct reading *reading)
{
    return reading->at >= sizeof reading->mark &&
           reading->at == sizeof reading->mark + reading->mark.len;
}

/* ---- A front ---- */

struct call {
    unsigned slot; /* QUEUE_NONE: none */
    struct mark mark;
    uint32_t asked;
    bool asked_all;
    struct reading answer;
    uint64_t begun_ns;
};

struct front {
    struct tally *tally;
    struct queue *queue;
    unsigned seat;
    uint64_t deaths;
    struct random random;
    struct call calls[OPEN];
};

static void ask(struct front *front, struct call *call)
{
    call->asked = 0;
    call->answer = (struct reading){0};
    call->asked_all = write_on(queue_up(front->queue, call->slot), call->mark, false, &call->asked);
    queue_push_one(front->queue, call->slot);
}

static void begin_call(struct front *front, struct call *call)
{
    enum share_class class = (enum share_class)random_below(&front->random, SHARE_CLASSES);
    uint64_t now_ns = clock_mono_ns();
    *call = (struct call){.slot = queue_enter(front->queue, front->seat, class)};
    if (call->slot == QUEUE_NONE)
        return;
    bool brief = random_below(&front->random, 4) > 0;
    call->mark.id = random_u64(&front->random);
    call->mark.len = (uint32_t)random_below(&front->random, brief ? 200 : LONGEST);
    call->begun_ns = now_ns;
    struct queue_facts *facts = queue_facts(front->queue, call->slot);
    facts->entered_ns = now_ns;
    facts->deadline_ns = now_ns + (1 + random_below(&front->random, 500)) * MS_NS;
    ask(front, call);
}

static void end_call(struct front *front, struct call *call, _Atomic uint64_t *counter)
{
    queue_release(front->queue, call->slot);
    call->slot = QUEUE_NONE;
    add(counter);
}

static void ask_again(struct front *front, struct call *call)
{
    if (!queue_refill(front->queue, call->slot)) {
        end_call(front, call, &front->tally->given_up);
        return;
    }
    add(&front->tally->lost);
    ask(front, call);
}

static void read_answer(struct front *front, struct call *call)
{
    struct pipe down = queue_down(front->queue, call->slot);
    if (read_on(down, &call->answer, true) && !pipe_has_ended(&down))
        queue_tell_worker(front->queue, call->slot);
    if (!is_whole(&call->answer))
        return;
    if (call->answer.wrong || call->answer.mark.id != call->mark.id)
        add(&front->tally->wrong);
    end_call(front, call, &front->tally->answered);
}

static void look_at_call(struct front *front, struct call *call)
{
    enum queue_state state = queue_state(front->queue, call->slot);
    if (state == QUEUE_DROPPED) {
        end_call(front, call, &front->tally->dropped);
        return;
    }
    if (!call->asked_all && state == QUEUE_TAKEN) {
        call->asked_all =
            write_on(queue_up(front->queue, call->slot), call->mark, false, &call->asked);
        queue_tell_worker(front->queue, call->slot);
    }
    read_answer(front, call);
    if (call->slot != QUEUE_NONE && state == QUEUE_LOST) {
        struct pipe down = queue_down(front->queue, call->slot);
        if (!pipe_has_ended(&down))
            ask_again(front, call);
    }
}

static void look_at_calls(struct front *front)
{
    uint64_t deaths = queue_deaths(front->queue);
    bool all = deaths != front->deaths;
    front->deaths = deaths;
    for (unsigned slot = 0; (slot = queue_news(front->queue, front->seat, slot)) != QUEUE_NONE;
         slot++)
        for (unsigned i = 0; i < OPEN; i++)
            if (front->calls[i].slot == slot)
                look_at_call(front, &front->calls[i]);
    for (unsigned i = 0; all && i < OPEN; i++)
        if (front->calls[i].slot != QUEUE_NONE)
            look_at_call(front, &front->calls[i]);
}

/* Some of their clients go away; what takes too long is told. */
static void look_at_time(struct front *front)
{
    uint64_t now_ns = clock_mono_ns();
    for (unsigned i = 0; i < OPEN; i++) {
        struct call *call = &front->calls[i];
        if (call->slot == QUEUE_NONE)
            continue;
        if (now_ns - call->begun_ns > PATIENCE_S * 1000 * MS_NS)
            add(&front->tally->late);
        if (queue_expire(front->queue, call->slot, now_ns))
            look_at_call(front, call);
        else if (random_below(&front->random, 500) == 0)
            end_call(front, call, &front->tally->abandoned);
    }
}

static bool has_calls(const struct front *front)
{
    for (unsigned i = 0; i < OPEN; i++)
        if (front->calls[i].slot != QUEUE_NONE)
            return true;
    return false;
}

static void run_front(struct front *front)
{
    for (unsigned i = 0; i < OPEN; i++)
        front->calls[i].slot = QUEUE_NONE;
    while (!atomic_load(&front->tally->over) || has_calls(front)) {
        for (unsigned i = 0; i < OPEN && !atomic_load(&front->tally->over); i++)
            if (front->calls[i].slot == QUEUE_NONE)
                begin_call(front, &front->calls[i]);
        if (queue_park(front->queue, front->seat))
            queue_hears(front->queue, front->seat, 20);
        queue_wake(front->queue, front->seat);
        look_at_calls(front);
        look_at_time(front);
    }
}

/* ---- A worker ---- */

enum { AT_ONCE = 4 };

struct job {
    unsigned slot;
    struct reading request;
    uint32_t answered;
};

struct worker {
    struct tally *tally;
    struct queue *queue;
    unsigned seat;
    uint64_t deaths;
    struct job jobs[AT_ONCE];
};

static void look_at_job(struct worker *worker, struct job *job)
{
    struct queue *queue = worker->queue;
    struct pipe up = queue_up(queue, job->slot);
    if (queue_state(queue, job->slot) == QUEUE_ABANDONED) {
        queue_answer(queue, job->slot, 0);
        job->slot = QUEUE_NONE;
        return;
    }
    if (read_on(up, &job->request, false) && !pipe_has_ended(&up))
        queue_tell_front(queue, job->slot);
    if (!is_whole(&job->request))
        return;
    if (job->request.wrong)
        add(&worker->tally->wrong);
    if (!write_on(queue_down(queue, job->slot), job->request.mark, true, &job->answered)) {
        queue_tell_front(queue, job->slot);
        return;
    }
    unsigned slot = job->slot;
    job->slot = QUEUE_NONE;
    queue_answer(queue, slot, 1000);
    add(&worker->tally->served);
}

static void look_at_jobs(struct worker *worker)
{
    uint64_t deaths = queue_deaths(worker->queue);
    bool all = deaths != worker->deaths;
    worker->deaths = deaths;
    for (unsigned slot = 0; (slot = queue_news(worker->queue, worker->seat, slot)) != QUEUE_NONE;
         slot++)
        for (unsigned i = 0; i < AT_ONCE; i++)
            if (worker->jobs[i].slot == slot)
                look_at_job(worker, &worker->jobs[i]);
    for (unsigned i = 0; all && i < AT_ONCE; i++)
        if (worker->jobs[i].slot != QUEUE_NONE)
            look_at_job(worker, &worker->jobs[i]);
}

static void pull_jobs(struct worker *worker)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        struct job *job = &worker->jobs[i];
        if (job->slot != QUEUE_NONE)
            continue;
        *job = (struct job){.slot = queue_pull(worker->queue, worker->seat, clock_mono_ns())};
        if (job->slot == QUEUE_NONE)
            return;
        look_at_job(worker, job);
    }
}

static void run_worker(struct worker *worker)
{
    for (unsigned i = 0; i < AT_ONCE; i++)
        worker->jobs[i].slot = QUEUE_NONE;
    for (;;) {
        pull_jobs(worker);
        if (queue_park(worker->queue, worker->seat))
            queue_hears(worker->queue, worker->seat, 50);
        queue_wake(worker->queue, worker->seat);
        look_at_jobs(worker);
    }
}

/* ---- Life and death ---- */

static void die(int signal)
{
    (void)signal;
    raise(SIGKILL);
}

/* Half of them: after so many µs of the clock, wherever they are then. */
static void set_death(struct random *random)
{
    struct itimerval when = {.it_value.tv_usec = 1 + (long)random_below(random, TIMER_US)};
    if (random_below(random, 2) == 0)
        return;
    signal(SIGALRM, die);
    setitimer(ITIMER_REAL, &when, NULL);
}

static void live(const struct bed *bed, unsigned number, uint64_t seed, bool may_die)
{
    struct random random;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    random_seed(&random, seed);
    struct queue *queue = queue_at(bed->dir, &queue_usual);
    if (may_die)
        set_death(&random);
    unsigned seat = queue_take_seat(queue, number < FRONTS ? QUEUE_FRONT : QUEUE_WORKER);
    if (number >= FRONTS)
        run_worker(&(struct worker){.tally = bed->tally, .queue = queue, .seat = seat});
    run_front(&(struct front){.tally = bed->tally, .queue = queue, .seat = seat, .random = random});
    queue_leave(queue, seat);
    queue_close(queue);
    _exit(0);
}

static void spawn(struct bed *bed, unsigned number, bool may_die)
{
    uint64_t seed = random_u64(&bed->random);
    bed->child[number] = fork();
    if (bed->child[number] == 0)
        live(bed, number, seed, may_die);
    assert_true(bed->child[number] > 0);
}

/* Buries it, if it is dead; whether it was. */
static bool bury(struct bed *bed, unsigned number, int flags)
{
    int status;
    if (waitpid(bed->child[number], &status, flags) != bed->child[number])
        return false;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("one ended by itself: status %x", (unsigned)status);
    return true;
}

static void check_whole(struct bed *bed)
{
    const char *fault = queue_find_fault(bed->queue);
    if (fault)
        fail_msg("%s", fault);
    assert_int_equal(atomic_load(&bed->tally->wrong), 0);
    assert_int_equal(atomic_load(&bed->tally->late), 0);
}

/* Until one has died, or for some time. */
static void wait_death(struct bed *bed)
{
    struct timespec most = {.tv_nsec = (long)random_below(&bed->random, PAUSE_NS)};
    sigset_t death;
    sigemptyset(&death);
    sigaddset(&death, SIGCHLD);
    sigprocmask(SIG_BLOCK, &death, NULL);
    sigtimedwait(&death, NULL, &most);
}

/* The first front and the first worker live all the time. */
static unsigned kill_for_a_while(struct bed *bed)
{
    uint64_t until_ns = clock_mono_ns() + RUN_MS * MS_NS;
    unsigned deaths = 0;
    while (clock_mono_ns() < until_ns) {
        unsigned victim = (unsigned)random_below(&bed->random, CHILDREN);
        wait_death(bed);
        if (victim != 0 && victim != FRONTS)
            kill(bed->child[victim], SIGKILL);
        for (unsigned i = 1; i < CHILDREN; i++)
            if (i != FRONTS && bury(bed, i, i == victim ? 0 : WNOHANG)) {
                deaths++;
                spawn(bed, i, true);
            }
        queue_sweep(bed->queue);
        check_whole(bed);
    }
    return deaths;
}

/* Fronts finish what they have; then nothing is left. */
static void wind_up(struct bed *bed)
{
    int status;
    for (unsigned i = 1; i < CHILDREN; i++) {
        if (i == FRONTS)
            continue;
        kill(bed->child[i], SIGKILL);
        bury(bed, i, 0);
        queue_sweep(bed->queue);
    }
    atomic_store(&bed->tally->over, true);
    assert_int_equal(waitpid(bed->child[0], &status, 0), bed->child[0]);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    kill(bed->child[FRONTS], SIGKILL);
    bury(bed, FRONTS, 0);
    queue_sweep(bed->queue);
    check_whole(bed);
    assert_int_equal(queue_count_state(bed->queue, QUEUE_FREE), queue_slots(bed->queue));
}

static void whoever_is_killed_each_request_has_its_answer(void **state)
{
    struct bed *bed = *state;
    struct tally *tally = bed->tally;
    for (unsigned i = 0; i < CHILDREN; i++)
        spawn(bed, i, i != 0 && i != FRONTS);
    unsigned deaths = kill_for_a_while(bed);
    wind_up(bed);
    print_message("%u deaths; %llu answered, %llu pushed again, %llu given up, %llu dropped, "
                  "%llu abandoned\n",
                  deaths, (unsigned long long)tally->answered, (unsigned long long)tally->lost,
                  (unsigned long long)tally->given_up, (unsigned long long)tally->dropped,
                  (unsigned long long)tally->abandoned);
    assert_in_range(deaths, 20, UINT32_MAX);
    assert_true(tally->answered > 100 && tally->lost > 0);
}

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    bed->tally =
        mmap(NULL, sizeof *bed->tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(bed->tally != MAP_FAILED);
    random_seed(&bed->random, clock_mono_ns());
    folder_make(bed->dir);
    bed->queue = queue_at(bed->dir, &queue_usual);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    for (unsigned i = 0; i < CHILDREN; i++)
        if (bed->child[i] > 0 && waitpid(bed->child[i], NULL, WNOHANG) == 0) {
            kill(bed->child[i], SIGKILL);
            waitpid(bed->child[i], NULL, 0);
        }
    queue_close(bed->queue);
    munmap(bed->tally, sizeof *bed->tally);
    folder_remove(bed->dir);
    free(bed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_is_killed_each_request_has_its_answer, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

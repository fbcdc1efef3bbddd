#include "base/check.h"
#include "base/clock.h"
#include "engine/conversation.h"
#include "engine/doors.h"
#include "engine/fork_inner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FULL_MS = 50,    /* without room: look again after this */
    MARGIN_MS = 500, /* the stages of a stop are over: for the processes to find out */
    /* Sockets at each address. A process takes a millisecond to make, a crowd comes within a few
     * hundred, and a kernel keeps 4096 for a socket; who finds that full tries again by TCP's clock
     * only, after 1 s, 3 s, 7 s, or is reset. */
    QUEUES = 4
};

/* Between two lines of the log that say why nobody is accepted. */
#define SILENT_NS (60 * SEC_NS)

/* How far a client's process is; it says so itself, and the zygote reads it when it has ended. */
enum progress { BEGINS, TALKS, OVER };

struct client {
    struct endpoint peer;
    _Atomic int progress;
};

/* Accepted at address INDEX, and without a process yet. */
struct next {
    int fd; /* -1: nobody */
    unsigned index;
    struct endpoint peer;
};

/* Of the zygote's process. */
struct nursery {
    struct fork_zygote *zygote;
    struct engine *engine;
    int line, signal_fd;
    pid_t self;
    struct doors doors[QUEUES];
    struct client *clients; /* [room], shared with them */
    pid_t *pids;            /* [room], of them; 0: the place is free */
    unsigned room, count;
    unsigned door; /* where the last one was looked for */
    struct next next;
    uint64_t silent_until_ns;
    bool orphaned; /* the program has gone */
};

/* ---- A client's process ---- */

/* Whoever's parent died before this was said finds that out by itself. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

/* What is the zygote's: while anybody has a door its queue is not closed. */
static void let_go(struct nursery *n)
{
    die_with(n->self);
    prctl(PR_SET_NAME, "stoa-client");
    for (unsigned q = 0; q < QUEUES; q++)
        doors_close(&n->doors[q]);
    close(n->line);
    close(n->signal_fd);
}

static _Noreturn void client_live(struct nursery *n, unsigned place)
{
    struct engine *engine = n->engine;
    struct client *client = &n->clients[place];
    const struct engine_listen *listen = &engine->config.listen[n->next.index];
    struct conversation conversation;
    struct seats *seats;
    struct failure failure = {0};
    const struct fork_app *app = &n->zygote->app;
    let_go(n);
    if (app->begin)
        app->begin(app->context, place);
    if (seats_new(engine->app, 1, &seats, &failure)) {
        log_line(engine->config.log, LOG_ERROR, "engine", "%s", failure.text);
        socket_reset_on_close(n->next.fd);
        _exit(0);
    }
    client->progress = TALKS;
    conversation_run(&conversation, engine, seats, n->zygote->stop_fd, listen, n->next.fd,
                     &client->peer);
    engine_count(&n->zygote->cut_off, conversation.cut_off);
    client->progress = OVER;
    bool over = conversation_close(&conversation);
    if (over)
        seats_free(seats);
    else
        engine_leaves_behind(engine, dispatcher_held(&conversation.dispatcher));
    _exit(0);
}

/* ---- Reaping ---- */

static void recount(struct nursery *n, unsigned count)
{
    n->count = count;
    atomic_store_explicit(&n->zygote->processes, count, memory_order_relaxed);
}

/* Of process PID; 0: one that is free. Below room, or there is none. */
static unsigned place_find(const struct nursery *n, pid_t pid)
{
    unsigned place = 0;
    while (place < n->room && n->pids[place] != pid)
        place++;
    return place;
}

static void note_crash(struct nursery *n, unsigned place, int status)
{
    char peer[ADDRESS_TEXT];
    endpoint_text(&n->clients[place].peer, true, peer, sizeof peer);
    bool killed = WIFSIGNALED(status);
    uint64_t crashed = atomic_fetch_add_explicit(&n->zygote->crashed, 1, memory_order_relaxed) + 1;
    log_line(n->engine->config.log, LOG_ERROR, "engine",
             "process %d of client %s ended by %s %d (%s); %llu did so, the others go on",
             (int)n->pids[place], peer, killed ? "signal" : "status",
             killed ? WTERMSIG(status) : WEXITSTATUS(status),
             killed ? strsignal(WTERMSIG(status)) : "an error", (unsigned long long)crashed);
}

/* Its connection is counted as open from TALKS to OVER, by itself; who is killed between one and
 * the other may have done so or not. */
static void bury(struct nursery *n, unsigned place, int status)
{
    bool fell = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
    if (fell && n->clients[place].progress == TALKS)
        atomic_fetch_sub_explicit(&n->engine->open, 1, memory_order_relaxed);
    if (fell && !engine_is_stopping(n->engine))
        note_crash(n, place, status);
    n->pids[place] = 0;
    recount(n, n->count - 1);
    if (n->count == 0)
        atomic_store_explicit(&n->engine->open, 0, memory_order_relaxed);
}

static void reap(struct nursery *n)
{
    struct signalfd_siginfo told;
    int status;
    pid_t pid;
    while (read(n->signal_fd, &told, sizeof told) > 0)
        ;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        unsigned place = place_find(n, pid);
        if (place < n->room)
            bury(n, place, status);
    }
}

/* ---- Accepting ---- */

/* Why nobody is accepted is said once in a while. */
static bool may_tell(struct nursery *n)
{
    uint64_t now_ns = clock_mono_ns();
    if (now_ns < n->silent_until_ns)
        return false;
    n->silent_until_ns = now_ns + SILENT_NS;
    return true;
}

static void tell_no_process(struct nursery *n, int error)
{
    if (may_tell(n))
        log_line(n->engine->config.log, LOG_WARN, "engine",
                 "there are %u clients' processes, and no other one can be made: %s. Clients wait. "
                 "Have fewer workers, or raise what bounds processes: ulimit -u, kernel.pid_max, "
                 "pids.max of the control group, memory",
                 n->count, strerror(error));
}

static void tell_no_room(struct nursery *n)
{
    if (may_tell(n))
        log_line(n->engine->config.log, LOG_WARN, "engine",
                 "there are %u clients' processes, as many as there may be (workers, at most the "
                 "limit of open descriptors): other clients wait",
                 n->count);
}

/* For who has been accepted. False: there can be none at present. */
static bool begin_client(struct nursery *n)
{
    unsigned place = place_find(n, 0);
    CHECK(place < n->room); /* judged before it was accepted */
    n->clients[place].peer = n->next.peer;
    n->clients[place].progress = BEGINS;
    pid_t pid = fork(); /* not into the memory that the child has, too */
    if (pid == 0)
        client_live(n, place);
    if (pid < 0) {
        tell_no_process(n, errno);
        return false;
    }
    n->pids[place] = pid;
    recount(n, n->count + 1);
    close(n->next.fd);
    n->next.fd = -1;
    return true;
}

/* Whether another one may be accepted: who has been has got a process. */
static bool has_room(struct nursery *n)
{
    if (n->next.fd >= 0 && !begin_client(n))
        return false;
    if (n->count == n->room)
        tell_no_room(n);
    return n->count < n->room;
}

/* All that wait, from one door after the other, so that nobody is forgotten behind one where there
 * is always somebody. False: there is no room. */
static bool accept_all(struct nursery *n)
{
    unsigned listens = n->engine->config.listen_count, doors = QUEUES * listens, empty = 0;
    while (empty < doors) {
        if (!has_room(n))
            return false;
        n->door = (n->door + 1) % doors;
        n->next.index = n->door % listens;
        switch (
            doors_accept(&n->doors[n->door / listens], n->next.index, &n->next.fd, &n->next.peer)) {
        case DOORS_TAKEN:
        case DOORS_AGAIN:
            empty = 0;
            break;
        case DOORS_EMPTY:
            empty++;
            break;
        case DOORS_FULL:
            return false;
        }
    }
    return true;
}

/* Sleeps until something is to be done, for MS at most. DOORS: clients are waited for, too. */
static void wait_shortly(struct nursery *n, bool doors, int ms)
{
    struct pollfd fds[3 + QUEUES * ENGINE_LISTEN_MAX] = {
        {n->signal_fd, POLLIN, 0},
        {n->line, POLLIN, 0},
        {engine_is_stopping(n->engine) ? -1 : n->zygote->stop_fd, POLLIN, 0},
    };
    unsigned count = 3, listens = doors ? n->engine->config.listen_count : 0;
    for (unsigned q = 0; q < QUEUES; q++)
        for (unsigned i = 0; i < listens; i++)
            fds[count++] = (struct pollfd){doors_fd(&n->doors[q], i), POLLIN, 0};
    if (poll(fds, count, ms) <= 0)
        return;
    if (fds[0].revents)
        reap(n);
    n->orphaned = n->orphaned || fds[1].revents;
}

static void accept_until_stop(struct nursery *n)
{
    bool room = true;
    while (!engine_is_stopping(n->engine) && !n->orphaned) {
        wait_shortly(n, room, room ? -1 : FULL_MS);
        room = accept_all(n);
    }
}

/* ---- Stopping ---- */

/* What had connected already is served, as far as there is room; the rest is lost with the queue.
 */
static void close_doors(struct nursery *n)
{
    accept_all(n);
    for (unsigned q = 0; q < QUEUES; q++)
        for (unsigned i = 0; i < n->engine->config.listen_count; i++)
            doors_close_one(&n->doors[q], i);
    if (n->next.fd < 0)
        return;
    socket_reset_on_close(n->next.fd);
    close(n->next.fd);
    n->next.fd = -1;
    engine_count(&n->engine->counters.refused, 1);
}

/* How many connections that cuts off. */
static unsigned kill_all(struct nursery *n)
{
    unsigned cut_off = 0;
    for (unsigned i = 0; i < n->room; i++) {
        if (n->pids[i] == 0)
            continue;
        kill(n->pids[i], SIGKILL);
        cut_off += n->clients[i].progress != OVER;
    }
    while (n->count > 0 && !n->orphaned)
        wait_shortly(n, false, -1);
    return cut_off;
}

/* Each client's process obeys the stages of a stop by itself, unless it is blocked. */
static void see_off(struct nursery *n)
{
    const struct engine_config *config = &n->engine->config;
    uint64_t until_ns;
    close_doors(n);
    while (n->count > 0 && !n->orphaned &&
           stopping_stage(&n->engine->stopping, clock_mono_ns() - MARGIN_MS * MS_NS, &until_ns) !=
               STOPPING_LEFT)
        wait_shortly(n, false, MARGIN_MS / 10);
    if (n->count > 0)
        log_line(config->log, LOG_WARN, "engine", "%u processes that did not stop are killed",
                 n->count);
    unsigned cut_off = kill_all(n);
    engine_cut_off(n->engine, (unsigned)atomic_load(&n->zygote->cut_off) + cut_off);
}

/* ---- The zygote ---- */

/* Signals are the program's, which tells of a stop; in a terminal all of the group get them. And a
 * client that hangs up in the middle of a file (sendfile) is no crash. */
static void leave_signals(void)
{
    static const int theirs[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (unsigned i = 0; i < COUNT_OF(theirs); i++)
        sigaction(theirs[i], &ignore, NULL);
}

static int prepare_signals(struct nursery *n, struct failure *failure)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    n->signal_fd = signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
    return n->signal_fd < 0 ? fail_errno(failure, ERR_FULL, "cannot prepare the engine") : 0;
}

static int prepare_places(struct nursery *n, struct failure *failure)
{
    struct engine_config *config = &n->engine->config;
    n->room = config->workers > 0 ? config->workers : FORK_CLIENTS;
    if (n->room > config->connections_max)
        n->room = config->connections_max;
    size_t bytes = n->room * sizeof *n->clients;
    n->clients = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    n->pids = calloc(n->room, sizeof *n->pids);
    if (n->clients == MAP_FAILED || !n->pids)
        return fail(failure, ERR_NOMEM, "no memory for %u clients", n->room);
    for (unsigned q = 0; q < QUEUES; q++)
        if (doors_open(&n->doors[q], n->engine, q))
            return fail_errno(failure, ERR_FULL, "cannot prepare the engine");
    return 0;
}

static int prepare(struct nursery *n, struct failure *failure)
{
    struct fork_zygote *zygote = n->zygote;
    *failure = (struct failure){.err = ERR_STATE, .text = "the app could not be made"};
    struct app *app = zygote->app.make(zygote->app.context, &zygote->config, failure);
    int err = app ? 0 : failure->err ? failure->err : ERR_STATE;
    err = err ? err : engine_open(n->engine, &zygote->config, app, QUEUES, failure);
    err = err ? err : prepare_signals(n, failure);
    return err ? err : prepare_places(n, failure);
}

static bool say(struct nursery *n, enum fork_word word)
{
    char byte = (char)word;
    return send(n->line, &byte, 1, MSG_NOSIGNAL) == 1;
}

_Noreturn void fork_zygote_live(struct fork_zygote *zygote, int line, pid_t program)
{
    struct nursery n = {
        .zygote = zygote, .engine = &zygote->base, .line = line, .signal_fd = -1, .next.fd = -1};
    char word;
    die_with(program);
    prctl(PR_SET_NAME, "stoa-zygote");
    leave_signals();
    n.self = getpid();
    ssize_t got;
    while ((got = recv(line, &word, 1, 0)) < 0 && errno == EINTR)
        ;
    if (got != 1 || word != FORK_GO)
        _exit(0);
    int err = prepare(&n, &zygote->failure);
    if (err) {
        zygote->failure.err = err;
        say(&n, FORK_FAILED);
        _exit(0);
    }
    if (say(&n, FORK_SERVES))
        accept_until_stop(&n);
    see_off(&n);
    _exit(0);
}

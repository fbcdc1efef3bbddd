#include "base/check.h"
#include "base/clock.h"
#include "main/demo_child.h"
#include "main/demo_file.h"
#include "main/demo_steward.h"
#include "main/demo_words.h"
#include "main/file.h"
#include "main/program.h"

#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OTHERS_MS = 1500, /* so long the ready line waits for the others, once the first sells */
    KILL_MS = 700,    /* beyond --stop-grace, or it is killed */
    LEAVE_MS = 50,    /* beyond theirs, the load managers have before the servers are told */
    ONE_WISH_MS = 500,
    CHILDREN_MAX = DEMO_MANAGERS_MAX + CLUSTER_SERVERS_MAX,
};

struct demo {
    struct demo_words words;
    struct demo_plan plan;
    struct demo_child managers[DEMO_MANAGERS_MAX];   /* as plan.managers */
    struct demo_child children[CLUSTER_SERVERS_MAX]; /* as plan.servers */
    struct steward *steward;
    int signals, wake;
    int status; /* of the exit */
    bool said_ready, stopping, servers_told;
    bool misused; /* a child says that what was typed makes no sense */
    uint64_t first_ready_ns, stopping_ns, servers_ns, kill_ns;
    struct demo_line line; /* scratch */
};

/* ---- Processes ---- */

/* All of them, the load managers first. */
static unsigned child_count(const struct demo *demo)
{
    return demo->plan.manager_count + demo->plan.count;
}

static struct demo_child *child_at(struct demo *demo, unsigned i)
{
    unsigned managers = demo->plan.manager_count;
    return i < managers ? &demo->managers[i] : &demo->children[i - managers];
}

static void name_child(struct demo *demo, unsigned i)
{
    struct demo_child *child = child_at(demo, i);
    unsigned managers = demo->plan.manager_count;
    child->hasty = i < managers;
    child->id = child->hasty ? 0 : demo->plan.servers[i - managers].id;
    if (!child->hasty)
        snprintf(child->name, sizeof child->name, "server %llu", (unsigned long long)child->id);
    else if (i)
        snprintf(child->name, sizeof child->name, "load manager %u", i + 1);
    else
        strcpy(child->name, "load manager");
}

/* Child I of all. */
static void start(struct demo *demo, unsigned i)
{
    struct failure failure = {0};
    struct demo_child *child = child_at(demo, i);
    unsigned managers = demo->plan.manager_count;
    bool manager = i < managers;
    name_child(demo, i);
    int err = (manager ? demo_words_manager : demo_words_server)(
        &demo->words, &demo->plan, manager ? i : i - managers, &demo->line, &failure);
    err = err ? err : child_start(child, demo->line.words, &failure);
    if (!err)
        return;
    demo_say("%s: %s", child->name, failure.text);
    child->again_ns = clock_mono_ns() + SEC_NS;
}

/* Those whose pause is over. One that never came up may have found its port taken. */
static void start_again(struct demo *demo, uint64_t now)
{
    unsigned managers = demo->plan.manager_count;
    for (unsigned i = 0; i < child_count(demo); i++) {
        struct demo_child *child = child_at(demo, i);
        bool manager = i < managers;
        if (child->state != CHILD_RESTING || !child->again_ns || child->again_ns > now)
            continue;
        child->again_ns = 0;
        int err = (manager ? demo_plan_move_manager
                           : demo_plan_move)(&demo->plan, manager ? i : i - managers, NULL);
        if (!err)
            demo_file_write(&demo->plan, NULL);
        start(demo, i);
    }
}

/* Who looks at the demo from outside finds the load managers in its file. */
static void note_managers(struct demo *demo)
{
    bool changed = false;
    for (unsigned i = 0; i < demo->plan.manager_count; i++) {
        const struct demo_child *child = &demo->managers[i];
        struct demo_manager *manager = &demo->plan.managers[i];
        uint64_t pid = child->state == CHILD_READY ? (uint64_t)child->pid : 0;
        changed |= pid != manager->pid;
        manager->pid = pid;
        if (pid)
            str_copy(manager->url, sizeof manager->url, str_of(child->url));
    }
    if (changed)
        demo_file_write(&demo->plan, NULL);
}

static void reap(struct demo *demo)
{
    uint64_t now = clock_mono_ns();
    bool again = !demo->stopping && !demo->words.options.no_restart;
    for (unsigned i = 0; i < child_count(demo); i++) {
        struct demo_child *child = child_at(demo, i);
        int status;
        if (!child->pid || waitpid(child->pid, &status, WNOHANG) != child->pid)
            continue;
        bool misused = child_misused(child, status);
        child_exited(child, status, again && !misused, now);
        demo->misused |= misused;
    }
}

static bool any_runs(const struct demo_child *children, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (children[i].pid)
            return true;
    return false;
}

static bool any_manager_runs(const struct demo *demo)
{
    return any_runs(demo->managers, demo->plan.manager_count);
}

static bool any_server_runs(const struct demo *demo)
{
    return any_runs(demo->children, demo->plan.count);
}

static void signal_all(const struct demo_child *children, unsigned count, int signal)
{
    for (unsigned i = 0; i < count; i++)
        if (children[i].pid)
            kill(children[i].pid, signal);
}

static void kill_all(const struct demo *demo)
{
    signal_all(demo->managers, demo->plan.manager_count, SIGKILL);
    signal_all(demo->children, demo->plan.count, SIGKILL);
}

/* ---- Errands of the steward ---- */

static void end_child(struct demo_child *child)
{
    int status;
    if (!child->pid)
        return;
    kill(child->pid, SIGKILL); /* it is no member: nothing depends on it */
    while (waitpid(child->pid, &status, 0) < 0)
        ;
    child_exited(child, status, false, clock_mono_ns());
}

static void drop_server(struct demo *demo, const struct errand *errand)
{
    struct failure failure = {0};
    for (unsigned i = 0; i < demo->plan.count; i++) {
        if (demo->plan.servers[i].id != errand->id)
            continue;
        end_child(&demo->children[i]);
        demo_say("server %llu is not of the cluster any more", (unsigned long long)errand->id);
        if ((errand->remove_data ? demo_plan_drop : demo_plan_retire)(&demo->plan, i, &failure))
            demo_say("its data: %s", failure.text);
        memmove(&demo->children[i], &demo->children[i + 1],
                (demo->plan.count - i) * sizeof demo->children[0]);
        demo->children[demo->plan.count] = (struct demo_child){0};
        demo_file_write(&demo->plan, NULL);
        return;
    }
}

static void run_errand(struct demo *demo)
{
    struct failure failure = {0};
    struct errand errand = steward_take(demo->steward);
    if (errand.kind == ERRAND_NONE)
        return;
    if (errand.kind == ERRAND_DROP)
        drop_server(demo, &errand);
    else if (demo_plan_add(&demo->plan, errand.id, &failure))
        demo_say("server %llu cannot be started: %s", (unsigned long long)errand.id, failure.text);
    else
        start(demo, child_count(demo) - 1);
    demo_file_write(&demo->plan, NULL);
    steward_done(demo->steward);
}

/* ---- The loop ---- */

/* Where everybody is, for people. */
static void say_places(struct demo *demo)
{
    char text[500] = "";
    size_t at = 0;
    for (unsigned i = 0; i < demo->plan.count && at < sizeof text; i++)
        if (demo->children[i].state == CHILD_READY)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s at %s", at ? ", " : "",
                                   demo->children[i].name, demo->children[i].url);
    demo_say("the load manager at %s sends shoppers to %s", demo->managers[0].url, text);
    for (unsigned i = 1; i < demo->plan.manager_count; i++)
        demo_say("%s is at %s", demo->managers[i].name, demo->managers[i].url);
    demo_say("what it does is shown at http://%s/, and by `stoa top --dir %s`",
             demo->plan.managers[0].status, demo->plan.dir);
}

/* Says, once, that the shop sells: when a server does and a load manager takes requests, and the
 * other servers do too, or they take too long. */
static void look_ready(struct demo *demo, uint64_t now)
{
    unsigned ready = 0;
    bool managed = demo->plan.manager_count > 0;
    const struct demo_child *front = managed ? &demo->managers[0] : &demo->children[0];
    for (unsigned i = 0; i < demo->plan.count; i++)
        ready += demo->children[i].state == CHILD_READY;
    if (demo->said_ready || demo->stopping || front->state != CHILD_READY || !ready)
        return;
    if (!demo->first_ready_ns)
        demo->first_ready_ns = now;
    if (ready < demo->plan.count && now - demo->first_ready_ns < OTHERS_MS * MS_NS)
        return;
    demo->said_ready = true;
    if (managed)
        say_places(demo);
    printf("stoa: shop ready at %s\n", front->url);
    fflush(stdout);
    steward_shop_ready(demo->steward);
}

/* The load managers go first: they take nothing new and finish what the servers still answer. */
static void begin_to_stop(struct demo *demo)
{
    uint64_t now = clock_mono_ns();
    if (demo->stopping) { /* asked twice; timeout(1) sends one wish as two signals */
        if (now - demo->stopping_ns > ONE_WISH_MS * MS_NS)
            kill_all(demo);
        return;
    }
    demo->stopping = true;
    demo->stopping_ns = demo->servers_ns = now;
    if (any_manager_runs(demo))
        demo->servers_ns += (demo->words.manager_grace_ms + LEAVE_MS) * MS_NS;
    demo->kill_ns = demo->servers_ns + (demo->words.server_grace_ms + KILL_MS) * MS_NS;
    demo_say("stopping");
    signal_all(demo->managers, demo->plan.manager_count, SIGTERM);
}

static void go_on_stopping(struct demo *demo, uint64_t now)
{
    if (!demo->servers_told && (!any_manager_runs(demo) || now >= demo->servers_ns)) {
        demo->servers_told = true;
        signal_all(demo->children, demo->plan.count, SIGTERM);
    }
    if (now >= demo->kill_ns) {
        kill_all(demo);
        demo->kill_ns = UINT64_MAX;
    }
}

static void take_signals(struct demo *demo)
{
    struct signalfd_siginfo info;
    while (read(demo->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            begin_to_stop(demo);
    reap(demo);
}

static int wait_ms(struct demo *demo, uint64_t now)
{
    uint64_t until = now + SEC_NS;
    for (unsigned i = 0; !demo->stopping && i < child_count(demo); i++) {
        uint64_t again = child_at(demo, i)->again_ns;
        if (again && again < until)
            until = again;
    }
    if (demo->first_ready_ns && !demo->said_ready && now + 50 * MS_NS < until)
        until = now + 50 * MS_NS;
    if (demo->stopping && !demo->servers_told && demo->servers_ns < until)
        until = demo->servers_ns;
    if (demo->stopping && demo->kill_ns < until)
        until = demo->kill_ns;
    return until <= now ? 0 : (int)((until - now) / MS_NS) + 1;
}

static void poll_once(struct demo *demo)
{
    struct pollfd fds[2 + 2 * CHILDREN_MAX];
    unsigned count = child_count(demo);
    fds[0] = (struct pollfd){.fd = demo->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = demo->wake, .events = POLLIN};
    for (unsigned i = 0; i < count; i++) {
        const struct demo_child *child = child_at(demo, i);
        bool runs = child->pid != 0;
        fds[2 + 2 * i] = (struct pollfd){.fd = runs ? child->out.fd : -1, .events = POLLIN};
        fds[3 + 2 * i] = (struct pollfd){.fd = runs ? child->err.fd : -1, .events = POLLIN};
    }
    if (poll(fds, 2 + 2 * count, wait_ms(demo, clock_mono_ns())) <= 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        struct demo_child *child = child_at(demo, i);
        if (fds[2 + 2 * i].revents)
            child_read(child, &child->out);
        if (fds[3 + 2 * i].revents)
            child_read(child, &child->err);
    }
    if (fds[0].revents)
        take_signals(demo);
    eventfd_t rung;
    if (fds[1].revents && eventfd_read(demo->wake, &rung) == 0 && !demo->stopping)
        run_errand(demo);
}

/* Ends a demo that cannot go on: with --no-restart none is left; or one was given words that it
 * does not take, which would be the same the next time. A shop that sells goes on without it. */
static void give_up(struct demo *demo)
{
    if (demo->stopping)
        return;
    if (demo->misused && !demo->said_ready)
        demo->status = EXIT_USAGE;
    else if (demo->words.options.no_restart && !any_server_runs(demo))
        demo->status = EXIT_FAILED;
    else
        return;
    begin_to_stop(demo);
}

static int run_all(struct demo *demo)
{
    for (unsigned i = 0; i < child_count(demo); i++)
        start(demo, i);
    for (;;) {
        poll_once(demo);
        note_managers(demo);
        uint64_t now = clock_mono_ns();
        look_ready(demo, now);
        give_up(demo);
        if (!demo->stopping)
            start_again(demo, now);
        else
            go_on_stopping(demo, now);
        if (demo->stopping && !any_server_runs(demo) && !any_manager_runs(demo))
            return demo->status;
    }
}

/* ---- Begin and end ---- */

static int open_signals(struct demo *demo, struct failure *failure)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    demo->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    demo->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (demo->signals < 0 || demo->wake < 0)
        return fail_errno(failure, ERR_FULL, "cannot open what a demo needs");
    return 0;
}

static int run_demo_of(const struct program_command *self, struct demo *demo, int count,
                       char **words)
{
    struct failure failure = {0};
    if (demo_words_part(&demo->words, count, words, &failure))
        return command_usage_error(self, failure.text);
    const struct settings *settings = &demo->words.settings;
    int err = open_signals(demo, &failure);
    err = err ? err
              : demo_plan_open(settings->dir, (unsigned)demo->words.options.servers,
                               demo->words.managers, settings->listen.items[0], &demo->plan,
                               &failure);
    if (!err && demo->words.options.status[0])
        err = demo_plan_status(&demo->plan, demo->words.options.status, &failure);
    if (err)
        return command_failed(self, failure.text);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    /* With as many as wanted the steward changes nothing: whom the operator takes in or out of the
     * cluster from now on stays there. */
    unsigned wanted = demo->plan.wanted == demo->plan.count ? 0 : demo->plan.wanted;
    err = steward_start(demo->plan.dir, wanted, demo->wake, &demo->steward, &failure);
    int status = err ? command_failed(self, failure.text) : run_all(demo);
    /* The steward may be asking a server that hangs. Nothing of it is needed any more, and people
     * who press Ctrl-C do not wait for it. */
    fflush(stdout);
    _exit(status);
}

static int run_demo(const struct program_command *self, int count, char **words)
{
    struct demo *demo = calloc(1, sizeof *demo);
    if (!demo)
        return command_failed(self, err_sentence(ERR_NOMEM));
    int status = run_demo_of(self, demo, count, words);
    free(demo);
    return status;
}

const struct program_command command_demo = {
    "demo",
    "[--servers N] [options of serve and balance]",
    "run several servers of one shop and a load manager on this machine",
    "Each server is a process with its own copy of the shop, in DIR/server-1, DIR/server-2, …; a\n"
    "load manager, at --listen, sends shoppers to them. Any of them may be killed, and is started\n"
    "again. Prints \"stoa: shop ready at URL\" on standard output when the shop sells, and on\n"
    "standard error what happens. The data of a server that was alone in DIR become server 1's.\n"
    "Other options than these are given to each server (`stoa serve --help`) and to each load\n"
    "manager (`stoa balance --help`), to both if both have them. Only --listen, --listen-tls and\n"
    "--url are the load manager's, and --dir, --config and --answer-timeout the servers'. SIGINT "
    "or\n"
    "SIGTERM ends them all within two seconds.",
    &demo_option_table,
    run_demo,
};

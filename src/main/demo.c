#include "base/check.h"
#include "base/clock.h"
#include "main/demo_child.h"
#include "main/demo_file.h"
#include "main/demo_steward.h"
#include "main/demo_words.h"
#include "main/file.h"
#include "main/program.h"
#include "main/server_dirs.h"

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
    SERVICES_MS =
        300, /* so long before they are killed, bank and warehouse are told at the latest */
    CHILDREN_MAX = DEMO_MANAGERS_MAX + DEMO_SERVICES + CLUSTER_SERVERS_MAX,
};

struct demo {
    struct demo_words words;
    struct demo_plan plan;
    struct demo_child managers[DEMO_MANAGERS_MAX];   /* as plan.managers */
    struct demo_child children[CLUSTER_SERVERS_MAX]; /* as plan.servers */
    struct demo_child services[DEMO_SERVICES];       /* as plan.services */
    bool told[DEMO_SERVICES];                        /* where it is has been said */
    struct furnishing furnishing;
    struct steward *steward;
    int signals, wake;
    int status; /* of the exit */
    bool said_ready, stopping, servers_told, services_told, furnished;
    bool misused; /* a child says that what was typed makes no sense */
    uint64_t first_ready_ns, stopping_ns, servers_ns, kill_ns;
    struct demo_line line; /* scratch */
};

/* ---- Processes ---- */

/* All of them: the load managers, then the bank and the warehouse, then the servers. */
static unsigned child_count(const struct demo *demo)
{
    return demo->plan.manager_count + DEMO_SERVICES + demo->plan.count;
}

enum role { MANAGER, SERVICE, SERVER };

/* What child I of all is; *AT: which of its kind. */
static enum role role_of(const struct demo *demo, unsigned i, unsigned *at)
{
    unsigned managers = demo->plan.manager_count;
    enum role role = i < managers ? MANAGER : i < managers + DEMO_SERVICES ? SERVICE : SERVER;
    *at = role == MANAGER ? i : role == SERVICE ? i - managers : i - managers - DEMO_SERVICES;
    return role;
}

static struct demo_child *child_at(struct demo *demo, unsigned i)
{
    unsigned at;
    enum role role = role_of(demo, i, &at);
    return role == MANAGER   ? &demo->managers[at]
           : role == SERVICE ? &demo->services[at]
                             : &demo->children[at];
}

static void name_child(struct demo *demo, unsigned i)
{
    struct demo_child *child = child_at(demo, i);
    unsigned at;
    enum role role = role_of(demo, i, &at);
    child->hasty = role != SERVER;
    child->id = role == SERVER ? demo->plan.servers[at].id : 0;
    unsigned process = role == SERVER ? demo->plan.servers[at].process : 0;
    if (process)
        snprintf(child->name, sizeof child->name, "process %u", process);
    else if (role == SERVER)
        snprintf(child->name, sizeof child->name, "server %llu", (unsigned long long)child->id);
    else if (role == SERVICE)
        strcpy(child->name, at == DEMO_BANK ? "bank" : "warehouse");
    else if (at)
        snprintf(child->name, sizeof child->name, "load manager %u", at + 1);
    else
        strcpy(child->name, "load manager");
}

/* Child I of all. */
static void start(struct demo *demo, unsigned i)
{
    struct failure failure = {0};
    struct demo_child *child = child_at(demo, i);
    unsigned at;
    enum role role = role_of(demo, i, &at);
    name_child(demo, i);
    int err = (role == MANAGER ? demo_words_manager
               : role == SERVICE
                   ? demo_words_service
                   : demo_words_server)(&demo->words, &demo->plan, at, &demo->line, &failure);
    err = err ? err : child_start(child, demo->line.words, &failure);
    if (!err)
        return;
    demo_say("%s: %s", child->name, failure.text);
    child->again_ns = clock_mono_ns() + SEC_NS;
}

/* Chooses child I's addresses anew where they are taken. Bank and warehouse stay where others were
 * told that they are. */
static int move(struct demo *demo, unsigned i)
{
    unsigned at;
    switch (role_of(demo, i, &at)) {
    case MANAGER:
        return demo_plan_move_manager(&demo->plan, at, NULL);
    case SERVER:
        return demo_plan_move(&demo->plan, at, NULL);
    default:
        return 0;
    }
}

/* Those whose pause is over. One that never came up may have found its port taken. */
static void start_again(struct demo *demo, uint64_t now)
{
    for (unsigned i = 0; i < child_count(demo); i++) {
        struct demo_child *child = child_at(demo, i);
        if (child->state != CHILD_RESTING || !child->again_ns || child->again_ns > now)
            continue;
        child->again_ns = 0;
        if (move(demo, i) == 0)
            demo_file_write(&demo->plan, NULL);
        start(demo, i);
    }
}

static bool note_pid(const struct demo_child *child, uint64_t *pid)
{
    uint64_t now = child->state == CHILD_READY ? (uint64_t)child->pid : 0;
    bool changed = now != *pid;
    *pid = now;
    return changed;
}

/* Who looks at the demo from outside finds in its file who runs where. */
static void note_children(struct demo *demo)
{
    bool changed = false;
    for (unsigned i = 0; i < demo->plan.manager_count; i++) {
        const struct demo_child *child = &demo->managers[i];
        struct demo_manager *manager = &demo->plan.managers[i];
        changed |= note_pid(child, &manager->pid);
        if (manager->pid)
            str_copy(manager->url, sizeof manager->url, str_of(child->url));
    }
    for (unsigned i = 0; i < DEMO_SERVICES; i++)
        changed |= note_pid(&demo->services[i], &demo->plan.services[i].pid);
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
    signal_all(demo->services, DEMO_SERVICES, SIGKILL);
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

/* The shop knows what it has to know. */
static void use_furnished(struct demo *demo, bool alien)
{
    const struct demo_child *warehouse = &demo->services[DEMO_WAREHOUSE];
    demo->furnished = true;
    demo->plan.fresh = false;
    if (alien)
        demo_say("the shop has warehouses of its own: the demo's is not started");
    else if (demo->plan.services[DEMO_WAREHOUSE].wanted && !warehouse->pid && !warehouse->again_ns)
        start(demo, demo->plan.manager_count + DEMO_WAREHOUSE);
}

static void run_errand(struct demo *demo)
{
    struct failure failure = {0};
    struct errand errand = steward_take(demo->steward);
    if (errand.kind == ERRAND_NONE)
        return;
    if (errand.kind == ERRAND_FURNISHED)
        use_furnished(demo, errand.alien);
    else if (errand.kind == ERRAND_DROP)
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

/* Where the bank and the warehouse are, once each, and how people come in. */
static void say_services(struct demo *demo)
{
    struct failure failure = {0};
    char phrase[DEMO_PHRASE];
    const struct demo_child *bank = &demo->services[DEMO_BANK];
    struct demo_child *warehouse = &demo->services[DEMO_WAREHOUSE];
    if (bank->state == CHILD_READY && !demo->told[DEMO_BANK]) {
        demo->told[DEMO_BANK] = true;
        demo_say("the bank is at %s; what it has booked is in %s/bank/bank.db", bank->url,
                 demo->plan.dir);
    }
    if (warehouse->state != CHILD_READY)
        return;
    if (warehouse->phrase[0] && demo_services_keep_phrase(&demo->plan, warehouse->phrase, &failure))
        demo_say("the warehouse's pass phrase is not kept: %s", failure.text);
    warehouse->phrase[0] = 0;
    if (demo->told[DEMO_WAREHOUSE])
        return;
    demo->told[DEMO_WAREHOUSE] = true;
    demo_services_phrase(&demo->plan, phrase);
    demo_say("the warehouse's page is at %s; its pass phrase is %s (%s/warehouse.phrase)",
             warehouse->url, phrase, demo->plan.dir);
}

/* Says, once, that the shop sells: when a server does and a load manager takes requests, the other
 * servers do too, purchases can be paid and a new shop knows its warehouse; or they take too long.
 */
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
    bool outside = demo->furnished && (!demo->plan.services[DEMO_BANK].wanted ||
                                       demo->services[DEMO_BANK].state == CHILD_READY);
    if ((ready < demo->plan.count || !outside) && now - demo->first_ready_ns < OTHERS_MS * MS_NS)
        return;
    demo->said_ready = true;
    if (!outside)
        demo_say("the bank or the warehouse takes its time: orders are paid and sent later");
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
    /* A purchase that a server still finishes needs the bank. */
    if (!demo->services_told && demo->servers_told &&
        (!any_server_runs(demo) || now + SERVICES_MS * MS_NS >= demo->kill_ns)) {
        demo->services_told = true;
        signal_all(demo->services, DEMO_SERVICES, SIGTERM);
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
    if (demo->stopping && !demo->services_told && demo->kill_ns - SERVICES_MS * MS_NS < until)
        until = demo->kill_ns - SERVICES_MS * MS_NS;
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
        if (fds[2 + 2 * i].revents && child_read(child, &child->out))
            steward_hurry(demo->steward);
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

/* The warehouse waits until the shop has registered it. */
static bool is_to_start(const struct demo *demo, unsigned i)
{
    unsigned at;
    if (role_of(demo, i, &at) != SERVICE)
        return true;
    return demo->plan.services[at].wanted &&
           (at == DEMO_BANK || demo_services_registered(&demo->plan));
}

static int run_all(struct demo *demo)
{
    for (unsigned i = 0; i < child_count(demo); i++)
        if (is_to_start(demo, i))
            start(demo, i);
    for (;;) {
        poll_once(demo);
        note_children(demo);
        say_services(demo);
        uint64_t now = clock_mono_ns();
        look_ready(demo, now);
        give_up(demo);
        if (!demo->stopping)
            start_again(demo, now);
        else
            go_on_stopping(demo, now);
        if (demo->stopping && !any_server_runs(demo) && !any_manager_runs(demo) &&
            !any_runs(demo->services, DEMO_SERVICES))
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

static int open_services(struct demo *demo, struct failure *failure)
{
    const struct demo_service *warehouse = &demo->plan.services[DEMO_WAREHOUSE];
    int err = demo_plan_services(&demo->plan, demo->words.services, failure);
    err = err ? err : demo_services_prepare(&demo->plan, failure);
    err = err ? err : demo_file_write(&demo->plan, failure);
    demo->furnishing.dir = demo->plan.dir;
    demo->furnishing.mail = demo->plan.fresh;
    if (warehouse->wanted) {
        demo->furnishing.url = warehouse->url;
        demo->furnishing.pin = warehouse->pin;
    }
    /* What the shop was told the last time it still knows. */
    demo->furnished =
        !demo->plan.fresh && (!warehouse->wanted || demo_services_registered(&demo->plan));
    if (!warehouse->wanted && demo_services_registered(&demo->plan))
        demo_say("--no-warehouse: what is bought waits at the shop until the demo's warehouse runs "
                 "again");
    if (demo->words.options.no_bank)
        demo_say("--no-bank: each server pays itself in a sandbox, which keeps no books");
    return err;
}

/* Before anything is planned: the file of a demo says how many servers it is to have. */
static int refuse_copies(const char *dir, struct failure *failure)
{
    struct server_dirs *dirs = malloc(sizeof *dirs);
    if (!dirs)
        return fail(failure, ERR_NOMEM, "out of memory");
    bool several = server_dirs_of_demo(dir, dirs, NULL) == 0 && dirs->count > 1;
    free(dirs);
    return several
               ? fail(failure, ERR_STATE,
                      "%s has servers with a copy each, and --shared is for processes over one: "
                      "choose another --dir",
                      dir)
               : 0;
}

static int open_plan(struct demo *demo, struct failure *failure)
{
    const struct settings *settings = &demo->words.settings;
    const struct demo_options *options = &demo->words.options;
    unsigned wanted = (unsigned)options->servers;
    int err = options->shared ? refuse_copies(settings->dir, failure) : 0;
    err = err ? err
              : demo_plan_open(settings->dir, options->shared ? 1 : wanted, demo->words.managers,
                               settings->listen.items[0], &demo->plan, failure);
    if (!err && options->shared)
        err = demo_plan_share(&demo->plan, wanted ? wanted : DEMO_SERVERS, failure);
    if (!err && options->status[0])
        err = demo_plan_status(&demo->plan, options->status, failure);
    return err;
}

static int run_demo_of(const struct program_command *self, struct demo *demo, int count,
                       char **words)
{
    struct failure failure = {0};
    if (demo_words_part(&demo->words, count, words, &failure))
        return command_usage_error(self, failure.text);
    int err = open_signals(demo, &failure);
    err = err ? err : open_plan(demo, &failure);
    err = err ? err : open_services(demo, &failure);
    if (err)
        return command_failed(self, failure.text);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    /* With as many as wanted the steward changes nothing: whom the operator takes in or out of the
     * cluster from now on stays there. */
    bool settled = demo->plan.shared || demo->plan.wanted == demo->plan.count;
    unsigned wanted = settled ? 0 : demo->plan.wanted;
    err = steward_start(&demo->furnishing, wanted, demo->wake, &demo->steward, &failure);
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
    "load manager, at --listen, sends shoppers to them. Beside them run a sandbox bank, where "
    "they\n"
    "pay (DIR/bank, `stoa bank`), and a warehouse, which sends what they bought (DIR/warehouse,\n"
    "`stoa warehouse`; DIR/warehouse.phrase opens its page); mail to them is kept in DIR/mail. "
    "Any\n"
    "of them may be killed, and is started again. Prints \"stoa: shop ready at URL\" on standard "
    "output when the shop sells, and on\n"
    "standard error what happens. The data of a server that was alone in DIR become server 1's.\n"
    "Other options than these are given to each server (`stoa serve --help`) and to each load\n"
    "manager (`stoa balance --help`), to both if both have them. Only --listen, --listen-tls and\n"
    "--url are the load manager's, and --dir, --config and --answer-timeout the servers'. SIGINT "
    "or\n"
    "SIGTERM ends them all within two seconds.",
    &demo_option_table,
    run_demo,
};

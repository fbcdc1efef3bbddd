#include "base/check.h"
#include "base/clock.h"
#include "main/demo_child.h"
#include "main/demo_steward.h"
#include "main/file.h"
#include "main/program.h"

#include <curl/curl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORDS_MAX = 256,
    OTHERS_MS = 1500, /* so long the ready line waits for the others, once the first sells */
    KILL_MS = 900,    /* beyond --stop-grace, or it is killed */
    ONE_WISH_MS = 500,
};

struct demo_options {
    uint64_t servers;
    bool no_restart;
};

#define AT(field) offsetof(struct demo_options, field)
static const struct option_row rows[] = {
    {"servers", OPTION_COUNT, AT(servers), NULL, 1, DEMO_SERVERS_MAX, NULL, "N",
     "how many servers there are to be; others than before join or are removed [as before; 3]"},
    {"no-restart", OPTION_SWITCH, AT(no_restart), NULL, 0, 0, NULL, NULL,
     "do not start a server again that has died"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

struct demo {
    struct demo_options options;
    struct settings settings; /* what the servers are given, to be looked at */
    char *words[WORDS_MAX];   /* the same as it was typed */
    int word_count;
    struct demo_plan plan;
    struct demo_child children[CLUSTER_SERVERS_MAX]; /* as plan.servers */
    struct steward *steward;
    int signals, wake;
    bool said_ready, stopping;
    uint64_t first_ready_ns, stopping_ns, kill_ns;
};

/* ---- Words ---- */

/* Parts WORDS into the demo's own options and what is the servers'. */
static int part_words(struct demo *demo, int count, char **words, struct failure *failure)
{
    char *own[WORDS_MAX];
    int own_count = 0;
    for (int i = 0; i < count; i++) {
        struct str name = str_of(words[i]);
        ptrdiff_t equals = str_find_byte(name, '=');
        name = str_from(equals >= 0 ? str_sub(name, 0, (size_t)equals) : name, 2);
        const struct option_row *row =
            strncmp(words[i], "--", 2) ? NULL : option_find(&table, name);
        if (own_count + 2 >= WORDS_MAX || demo->word_count + 24 >= WORDS_MAX)
            return fail(failure, ERR_INVALID, "too many arguments");
        if (!row) {
            demo->words[demo->word_count++] = words[i];
            continue;
        }
        own[own_count++] = words[i];
        if (row->kind != OPTION_SWITCH && equals < 0 && i + 1 < count)
            own[own_count++] = words[++i];
    }
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, &demo->options);
    int err =
        option_parse(&table, &demo->options, own_count, own, operands, 0, &operand_count, failure);
    return err ? err : settings_read(&demo->settings, demo->word_count, demo->words, failure);
}

/* ---- Servers ---- */

static bool was_given(const struct demo *demo, const char *flag)
{
    for (int i = 0; i < demo->word_count; i++)
        if (strncmp(demo->words[i], flag, strlen(flag)) == 0)
            return true;
    return false;
}

/* `stoa serve` with what the user gave, and after it what differs from server to server: of two the
 * later wins, and an empty one ends a list. */
static int start_server(struct demo *demo, unsigned at, struct failure *failure)
{
    struct demo_server *server = &demo->plan.servers[at];
    char *words[WORDS_MAX + 24];
    char dir[DATADIR_PATH];
    char program[] = "stoa", serve[] = "serve",
         no_listen[] = "--listen=", no_tls[] = "--listen-tls=";
    char dir_flag[] = "--dir", listen_flag[] = "--listen", peer_flag[] = "--peer-listen";
    char no_address[] = "--peer-address=", grace[] = "--stop-grace=800ms";
    int count = 0;
    str_copy(dir, sizeof dir, str_of(server->dir));
    words[count++] = program;
    words[count++] = serve;
    if (!was_given(demo, "--stop-grace"))
        words[count++] = grace;
    for (int i = 0; i < demo->word_count; i++)
        words[count++] = demo->words[i];
    words[count++] = dir_flag;
    words[count++] = dir;
    if (at != 0 || !server->given) {
        words[count++] = no_listen;
        words[count++] = listen_flag;
        words[count++] = server->listen;
    }
    if (at != 0)
        words[count++] = no_tls;
    words[count++] = no_address;
    words[count++] = peer_flag;
    words[count++] = server->peer_listen;
    words[count] = NULL;
    return child_start(&demo->children[at], server, words, failure);
}

static void start_or_rest(struct demo *demo, unsigned at)
{
    struct failure failure = {0};
    struct demo_child *child = &demo->children[at];
    child->id = demo->plan.servers[at].id;
    if (start_server(demo, at, &failure) == 0)
        return;
    demo_say("server %llu: %s", (unsigned long long)child->id, failure.text);
    child->again_ns = clock_mono_ns() + SEC_NS;
}

/* Those whose pause is over. One that never came up may have found its port taken. */
static void start_again(struct demo *demo, uint64_t now)
{
    for (unsigned i = 0; i < demo->plan.count; i++) {
        struct demo_child *child = &demo->children[i];
        if (child->state != CHILD_RESTING || !child->again_ns || child->again_ns > now)
            continue;
        child->again_ns = 0;
        if (demo_plan_move(&demo->plan, i, NULL) == 0)
            demo_plan_write(&demo->plan, NULL);
        start_or_rest(demo, i);
    }
}

static void reap(struct demo *demo)
{
    uint64_t now = clock_mono_ns();
    for (unsigned i = 0; i < demo->plan.count; i++) {
        struct demo_child *child = &demo->children[i];
        int status;
        if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child_exited(child, status, !demo->stopping && !demo->options.no_restart, now);
    }
}

static bool any_runs(const struct demo *demo)
{
    for (unsigned i = 0; i < demo->plan.count; i++)
        if (demo->children[i].pid)
            return true;
    return false;
}

static void signal_all(const struct demo *demo, int signal)
{
    for (unsigned i = 0; i < demo->plan.count; i++)
        if (demo->children[i].pid)
            kill(demo->children[i].pid, signal);
}

/* ---- Errands of the steward ---- */

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

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
    for (unsigned i = 0; i < demo->plan.count; i++) {
        if (demo->plan.servers[i].id != errand->id)
            continue;
        end_child(&demo->children[i]);
        demo_say("server %llu is not of the cluster any more", (unsigned long long)errand->id);
        if (errand->remove_data) {
            nftw(demo->plan.servers[i].dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
            demo_plan_drop(&demo->plan, i);
        } else {
            demo_plan_retire(&demo->plan, i);
        }
        memmove(&demo->children[i], &demo->children[i + 1],
                (demo->plan.count - i) * sizeof demo->children[0]);
        demo->children[demo->plan.count] = (struct demo_child){0};
        demo_plan_write(&demo->plan, NULL);
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
        start_or_rest(demo, demo->plan.count - 1);
    demo_plan_write(&demo->plan, NULL);
    steward_done(demo->steward);
}

/* ---- The loop ---- */

/* Says, once, that the shop sells: when the first server does, and the others too, or they take
 * too long. */
static void look_ready(struct demo *demo, uint64_t now)
{
    bool all = true;
    if (demo->said_ready || demo->stopping || demo->children[0].state != CHILD_READY)
        return;
    for (unsigned i = 0; i < demo->plan.count; i++)
        all = all && demo->children[i].state == CHILD_READY;
    if (!demo->first_ready_ns)
        demo->first_ready_ns = now;
    if (!all && now - demo->first_ready_ns < OTHERS_MS * MS_NS)
        return;
    demo->said_ready = true;
    printf("stoa: shop ready at %s\n", demo->children[0].url);
    fflush(stdout);
    steward_shop_ready(demo->steward);
}

static void begin_to_stop(struct demo *demo)
{
    uint64_t now = clock_mono_ns();
    if (demo->stopping) { /* asked twice; timeout(1) sends one wish as two signals */
        if (now - demo->stopping_ns > ONE_WISH_MS * MS_NS)
            signal_all(demo, SIGKILL);
        return;
    }
    demo->stopping = true;
    demo->stopping_ns = now;
    uint64_t grace = was_given(demo, "--stop-grace") ? demo->settings.stop_grace_ms : 800;
    demo->kill_ns = now + (grace + KILL_MS) * MS_NS;
    demo_say("stopping");
    signal_all(demo, SIGTERM);
}

static void take_signals(struct demo *demo)
{
    struct signalfd_siginfo info;
    while (read(demo->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD)
            begin_to_stop(demo);
    reap(demo);
}

static int wait_ms(const struct demo *demo, uint64_t now)
{
    uint64_t until = now + SEC_NS;
    for (unsigned i = 0; i < demo->plan.count; i++) {
        uint64_t again = demo->children[i].again_ns;
        if (again && again < until)
            until = again;
    }
    if (demo->first_ready_ns && !demo->said_ready && now + 50 * MS_NS < until)
        until = now + 50 * MS_NS;
    if (demo->stopping && demo->kill_ns < until)
        until = demo->kill_ns;
    return until <= now ? 0 : (int)((until - now) / MS_NS) + 1;
}

static void poll_once(struct demo *demo)
{
    struct pollfd fds[2 + 2 * CLUSTER_SERVERS_MAX];
    unsigned servers = demo->plan.count;
    fds[0] = (struct pollfd){.fd = demo->signals, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = demo->wake, .events = POLLIN};
    for (unsigned i = 0; i < servers; i++) {
        const struct demo_child *child = &demo->children[i];
        bool runs = child->pid != 0;
        fds[2 + 2 * i] = (struct pollfd){.fd = runs ? child->out.fd : -1, .events = POLLIN};
        fds[3 + 2 * i] = (struct pollfd){.fd = runs ? child->err.fd : -1, .events = POLLIN};
    }
    if (poll(fds, 2 + 2 * servers, wait_ms(demo, clock_mono_ns())) <= 0)
        return;
    for (unsigned i = 0; i < servers; i++) {
        if (fds[2 + 2 * i].revents)
            child_read(&demo->children[i], &demo->children[i].out);
        if (fds[3 + 2 * i].revents)
            child_read(&demo->children[i], &demo->children[i].err);
    }
    if (fds[0].revents)
        take_signals(demo);
    eventfd_t count;
    if (fds[1].revents && eventfd_read(demo->wake, &count) == 0 && !demo->stopping)
        run_errand(demo);
}

static int run_servers(struct demo *demo)
{
    for (unsigned i = 0; i < demo->plan.count; i++)
        start_or_rest(demo, i);
    for (;;) {
        poll_once(demo);
        uint64_t now = clock_mono_ns();
        look_ready(demo, now);
        if (!demo->stopping)
            start_again(demo, now);
        if (demo->stopping && now >= demo->kill_ns) {
            signal_all(demo, SIGKILL);
            demo->kill_ns = UINT64_MAX;
        }
        if (!any_runs(demo) && (demo->stopping || demo->options.no_restart))
            return demo->stopping ? EXIT_DONE : EXIT_FAILED;
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
    if (part_words(demo, count, words, &failure))
        return command_usage_error(self, failure.text);
    if (demo->settings.listen.count == 0)
        return command_usage_error(self, "give --listen ADDR:PORT");
    int err = open_signals(demo, &failure);
    err = err ? err
              : demo_plan_open(demo->settings.dir, (unsigned)demo->options.servers,
                               demo->settings.listen.items[0], &demo->plan, &failure);
    if (err)
        return command_failed(self, failure.text);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    /* With as many as wanted the steward changes nothing: whom the operator takes in or out of the
     * cluster from now on stays there. */
    unsigned wanted = demo->plan.wanted == demo->plan.count ? 0 : demo->plan.wanted;
    err = steward_start(demo->plan.dir, wanted, demo->wake, &demo->steward, &failure);
    int status = err ? command_failed(self, failure.text) : run_servers(demo);
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
    "[--servers N] [options of serve]",
    "run several servers of one shop on this machine, to see what they do",
    "Each server is a process with its own copy of the shop, in DIR/server-1, DIR/server-2, …; "
    "any\n"
    "of them may be killed, and is started again. Prints \"stoa: shop ready at URL\" on standard\n"
    "output when the first server sells, and on standard error what happens. The data of a server\n"
    "that was alone in DIR become server 1's. Other options than these are `stoa serve`'s, and "
    "given\n"
    "to each server. SIGINT or SIGTERM ends them all within two seconds.",
    &table,
    run_demo,
};

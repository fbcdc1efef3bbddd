#include "base/check.h"
#include "bench/order_load.h"
#include "main/bench.h"
#include "main/bench_trio.h"
#include "main/opening.h"
#include "main/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each server is a process of this program's own (fork, before there is any thread) with the
 * generator inside, and is told by a socket what to do. What it found is in shared memory. */

enum wish { WISH_ITEMS, WISH_READY, WISH_RUN, WISH_REPORT, WISH_END };

struct request {
    enum wish wish;
    struct order_load load; /* order and moments are the server's own */
};

struct answer {
    struct failure failure;
    struct order_status_report report;
};

struct shared {
    struct order_moments moments;
    struct order_load_result results[TRIO];
};

struct hub {
    struct trio trio;
    struct shared *shared;
    int sockets[TRIO];
    struct answer before[TRIO], after[TRIO];
};

/* ---- A server's process ---- */

static int fulfil(struct server *server, struct shared *shared, unsigned which,
                  struct request *request, struct answer *answer)
{
    struct order_load *load = &request->load;
    load->order = replica_order(server->replica);
    load->moments = &shared->moments;
    load->server = which;
    switch (request->wish) {
    case WISH_ITEMS:
        return order_load_items(load->order, load->items, &answer->failure);
    case WISH_READY:
        return order_load_ready(load, &answer->failure);
    case WISH_RUN:
        return order_load_run(load, &shared->results[which], &answer->failure);
    case WISH_REPORT:
        order_report(load->order, &answer->report);
        return 0;
    case WISH_END:
        break;
    }
    return 0;
}

static int open_member(struct server *server, struct settings *settings, char *dir,
                       struct failure *failure)
{
    char flag[] = "--dir";
    char *words[] = {flag, dir};
    int err = settings_read(settings, 2, words, failure);
    err = err ? err : server_open(server, settings, failure);
    if (err)
        return err;
    err = opening_wait(server, failure);
    if (err)
        server_close(server);
    return err;
}

/* Does not return. */
static void be_server(struct hub *hub, unsigned which, int fd)
{
    char log[DATADIR_PATH + 16];
    char *dir = hub->trio.servers[which].dir;
    struct settings *settings = calloc(1, sizeof *settings);
    struct server *server = calloc(1, sizeof *server);
    struct request request;
    struct answer answer = {{0}};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(log, sizeof log, "%s/stoa.log", dir);
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (!settings || !server || log_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        _exit(1);
    answer.failure.err = open_member(server, settings, dir, &answer.failure);
    bool good = answer.failure.err == 0;
    while (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer && good &&
           recv(fd, &request, sizeof request, 0) == sizeof request && request.wish != WISH_END) {
        answer = (struct answer){{0}};
        answer.failure.err = fulfil(server, hub->shared, which, &request, &answer);
    }
    _exit(0); /* at once: what it made is thrown away */
}

/* ---- The hub ---- */

static int spawn(struct hub *hub, unsigned which, struct failure *failure)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return fail_errno(failure, ERR_IO, "cannot make a socket");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        be_server(hub, which, pair[1]);
    }
    close(pair[1]);
    hub->sockets[which] = pair[0];
    if (pid < 0)
        return fail_errno(failure, ERR_IO, "cannot start a server");
    hub->trio.servers[which].process.pid = pid;
    return 0;
}

static int receive(struct hub *hub, unsigned which, struct answer *answer, struct failure *failure)
{
    if (recv(hub->sockets[which], answer, sizeof *answer, 0) != sizeof *answer)
        return fail(failure, ERR_CLOSED, "server %u is gone", which + 1);
    if (answer->failure.err)
        return fail(failure, answer->failure.err, "server %u: %s", which + 1,
                    answer->failure.text[0] ? answer->failure.text
                                            : err_sentence(answer->failure.err));
    return 0;
}

/* The same wish to all at once, or to the FIRST alone. */
static int wish(struct hub *hub, const struct request *request, bool first,
                struct answer answers[TRIO], struct failure *failure)
{
    unsigned count = first ? 1 : TRIO;
    int err = 0;
    for (unsigned i = 0; i < count; i++)
        if (send(hub->sockets[i], request, sizeof *request, MSG_NOSIGNAL) != sizeof *request)
            return fail(failure, ERR_CLOSED, "server %u is gone", i + 1);
    for (unsigned i = 0; i < count; i++) {
        struct failure one = {0};
        int found = receive(hub, i, &answers[i], &one);
        if (found && !err)
            err = fail(failure, found, "%s", one.text);
    }
    return err;
}

static int open_hub(struct hub *hub, const struct bench_flags *flags, struct failure *failure)
{
    struct answer answer;
    *hub = (struct hub){.sockets = {-1, -1, -1}};
    hub->shared =
        mmap(NULL, sizeof *hub->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (hub->shared == MAP_FAILED) {
        hub->shared = NULL;
        return fail_errno(failure, ERR_NOMEM, "no memory shared by the servers");
    }
    int err = trio_found(&hub->trio, flags->dir, failure);
    for (unsigned i = 0; !err && i < TRIO; i++)
        err = spawn(hub, i, failure);
    for (unsigned i = 0; !err && i < TRIO; i++)
        err = receive(hub, i, &answer, failure);
    return err;
}

static void close_hub(struct hub *hub)
{
    trio_remove(&hub->trio);
    for (unsigned i = 0; i < TRIO; i++)
        if (hub->sockets[i] >= 0)
            close(hub->sockets[i]);
    munmap(hub->shared, sizeof *hub->shared);
}

/* ---- The figures ---- */

struct findings {
    const char *name;
    struct histogram latency, age;
    uint64_t operations, commands, failed, refused;
    double seconds;
    bool ran_out, primary_changed;
    uint64_t log_commands, log_entries, log_bytes; /* put into the log by whoever was primary */
};

static void add_up(const struct hub *hub, struct findings *f)
{
    histogram_clear(&f->latency);
    histogram_clear(&f->age);
    for (unsigned i = 0; i < TRIO; i++) {
        const struct order_load_result *result = &hub->shared->results[i];
        const struct order_status_report *before = &hub->before[i].report;
        const struct order_status_report *after = &hub->after[i].report;
        histogram_merge(&f->latency, &result->latency);
        histogram_merge(&f->age, &result->age);
        f->operations += result->operations;
        f->commands += result->commands;
        f->failed += result->failed;
        f->refused += result->refused;
        f->ran_out = f->ran_out || result->ran_out;
        f->seconds = result->seconds > f->seconds ? result->seconds : f->seconds;
        f->primary_changed = f->primary_changed || before->term != after->term;
        f->log_commands += after->commands - before->commands;
        f->log_entries += after->entries - before->entries;
        f->log_bytes += after->bytes - before->bytes;
    }
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static double ms(const struct histogram *histogram, double share)
{
    return (double)histogram_quantile(histogram, share) / 1e6;
}

static void print_text(const struct bench_flags *flags, const struct findings *f)
{
    printf("order: %s, of %llu products, without HTTP; %llu visitors on %d servers of this "
           "machine\n",
           f->name, (unsigned long long)(flags->hot ? 1 : flags->items),
           (unsigned long long)flags->connections, TRIO);
    printf("%.1f s: %llu operations = %.0f/s, %llu commands = %.0f/s\n", f->seconds,
           (unsigned long long)f->operations, (double)f->operations / f->seconds,
           (unsigned long long)f->commands, (double)f->commands / f->seconds);
    printf("%llu failed, %llu refused for load\n", (unsigned long long)f->failed,
           (unsigned long long)f->refused);
    printf("latency ms: mean %.3f  p50 %.3f  p90 %.3f  p99 %.3f  max %.3f\n",
           histogram_mean(&f->latency) / 1e6, ms(&f->latency, 0.5), ms(&f->latency, 0.9),
           ms(&f->latency, 0.99), (double)f->latency.max / 1e6);
    printf("age of the secondaries' copies ms: p50 %.3f  p99 %.3f  max %.3f\n", ms(&f->age, 0.5),
           ms(&f->age, 0.99), (double)f->age.max / 1e6);
    printf("log: %.0f bytes for each operation, to each of %d secondaries; %.1f commands in an "
           "entry\n",
           ratio(f->log_bytes, f->log_commands) * ratio(f->commands, f->operations), TRIO - 1,
           ratio(f->log_commands, f->log_entries));
    if (f->ran_out)
        printf("note: the ready checkouts were used up before time was (--ready makes more)\n");
    puts(f->primary_changed ? "note: the primary changed meanwhile" : "the primary did not change");
}

static void print_json(const struct bench_flags *flags, const struct findings *f)
{
    printf("{\"bench\":\"order\",\"operation\":\"%s\",\"hot\":%s,\"visitors\":%llu,"
           "\"seconds\":%.3f,\"operations\":%llu,\"operations_per_s\":%.1f,"
           "\"commands_per_s\":%.1f,\"failed\":%llu,\"refused\":%llu,",
           f->name, flags->hot ? "true" : "false", (unsigned long long)flags->connections,
           f->seconds, (unsigned long long)f->operations, (double)f->operations / f->seconds,
           (double)f->commands / f->seconds, (unsigned long long)f->failed,
           (unsigned long long)f->refused);
    printf("\"latency_ms\":{\"mean\":%.4f,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f},"
           "\"staleness_ms\":{\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f},",
           histogram_mean(&f->latency) / 1e6, ms(&f->latency, 0.5), ms(&f->latency, 0.99),
           (double)f->latency.max / 1e6, ms(&f->age, 0.5), ms(&f->age, 0.99),
           (double)f->age.max / 1e6);
    printf("\"log_bytes_per_operation\":%.1f,\"commands_per_entry\":%.2f,\"ran_out\":%s,"
           "\"primary_changed\":%s}\n",
           ratio(f->log_bytes, f->log_commands) * ratio(f->commands, f->operations),
           ratio(f->log_commands, f->log_entries), f->ran_out ? "true" : "false",
           f->primary_changed ? "true" : "false");
}

/* ---- The bench ---- */

static int measure(struct hub *hub, struct request *request, struct failure *failure)
{
    struct answer ignored[TRIO];
    request->wish = WISH_ITEMS;
    int err = wish(hub, request, true, ignored, failure);
    if (!err && request->load.work == ORDER_WORK_BUY) {
        request->wish = WISH_READY;
        err = wish(hub, request, false, ignored, failure);
    }
    request->wish = WISH_REPORT;
    err = err ? err : wish(hub, request, false, hub->before, failure);
    request->wish = WISH_RUN;
    err = err ? err : wish(hub, request, false, ignored, failure);
    request->wish = WISH_REPORT;
    return err ? err : wish(hub, request, false, hub->after, failure);
}

int bench_order(const struct bench_flags *flags, bool buy, struct failure *failure)
{
    struct hub *hub = calloc(1, sizeof *hub);
    struct findings *findings = calloc(1, sizeof *findings);
    struct request request = {.load = {
                                  .work = buy ? ORDER_WORK_BUY : ORDER_WORK_CART,
                                  .visitors = (unsigned)((flags->connections + TRIO - 1) / TRIO),
                                  .items = flags->hot ? 1 : (unsigned)flags->items,
                                  .seed = flags->seed,
                                  .seconds = (double)flags->duration_ms / 1000,
                                  .warm_up_seconds = (double)flags->warm_up_ms / 1000,
                              }};
    request.load.ready = (unsigned)(flags->ready / TRIO / request.load.visitors) + 1;
    int err =
        hub && findings ? open_hub(hub, flags, failure) : fail(failure, ERR_NOMEM, "out of memory");
    err = err ? err : measure(hub, &request, failure);
    if (!err) {
        findings->name = buy ? "purchases of ready checkouts" : "changes of carts";
        add_up(hub, findings);
        if (findings->operations == 0 || findings->seconds <= 0)
            err = fail(failure, ERR_STATE, "no operation succeeded");
        else if (flags->json)
            print_json(flags, findings);
        else
            print_text(flags, findings);
    }
    if (hub && hub->shared)
        close_hub(hub);
    free(findings);
    free(hub);
    return err;
}

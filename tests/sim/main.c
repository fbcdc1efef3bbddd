/* stoa_sim: runs seeds, each in a process of its own, two at a time, and says which ones broke a
 * promise and how to see it again. The options are in usage() below. */
#include "base/check.h"
#include "database_disk.h"
#include "history.h"
#include "run.h"
#include "server.h"
#include "weather.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 32 * 1024, WORKERS_MAX = 8, FAILED_MAX = 5 };

struct options {
    uint64_t first, count;
    bool trace, twice, expect;
    enum broken_rule broken;
    unsigned workers;
    const char *program;
};

/* One seed in a process of its own; its output comes through a pipe. */
struct worker {
    pid_t pid;
    uint64_t seed;
    int output;
};

static int usage(void)
{
    printf("stoa_sim [--seeds N] [--from K] [--jobs J]   runs seeds K to K+N-1 (1 to 300)\n"
           "stoa_sim --seed K                            shows what happens with seed K\n"
           "stoa_sim --twice K                           runs seed K twice: the same history?\n"
           "  --broken RULE    breaks a rule of the shop on purpose: it is to be noticed within\n"
           "                   the seeds. The rules:\n");
#define X(name, about) printf("    %-10s %s\n", #name, about);
    BROKEN_LIST(X)
#undef X
    return 2;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about;
    (void)type;
    (void)where;
    return remove(path);
}

/* The directory of a seed's servers is named after its process. */
static void clean_up(pid_t pid)
{
    char root[64];
    run_root(root, pid);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* What has this process's directory already is of an earlier one with the same number, which was
 * killed or showed a seed that broke a promise (that stays, to be looked at). */
static void run_here(const struct options *options, uint64_t seed)
{
    clean_up(getpid());
    run_seed(seed, options->trace, options->broken);
}

static void begin_worker(struct worker *worker, const struct options *options, uint64_t seed)
{
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    worker->seed = seed;
    fflush(stdout);
    worker->pid = fork();
    CHECK(worker->pid >= 0);
    if (worker->pid == 0) {
        close(pipes[0]);
        CHECK(dup2(pipes[1], STDOUT_FILENO) >= 0 && dup2(pipes[1], STDERR_FILENO) >= 0);
        setvbuf(stdout, NULL, _IOFBF, 65536);
        run_here(options, seed);
        fflush(stdout);
        _exit(0);
    }
    close(pipes[1]);
    worker->output = pipes[0];
}

static bool end_worker(struct worker *worker, char output[OUTPUT_BYTES])
{
    size_t len = 0;
    int status;
    ssize_t n;
    char rest[4096];
    while (len < OUTPUT_BYTES - 1 &&
           (n = read(worker->output, output + len, OUTPUT_BYTES - 1 - len)) > 0)
        len += (size_t)n;
    output[len] = 0;
    while (read(worker->output, rest, sizeof rest) > 0)
        ;
    close(worker->output);
    CHECK(waitpid(worker->pid, &status, 0) == worker->pid);
    clean_up(worker->pid);
    worker->pid = 0;
    if (WIFSIGNALED(status))
        snprintf(output + len, OUTPUT_BYTES - len, "ended by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct tally {
    uint64_t passed, failed;
    uint64_t first_failed;
};

static void judge(const struct options *options, struct worker *worker, struct tally *tally)
{
    char *output = malloc(OUTPUT_BYTES);
    CHECK(output != NULL);
    if (end_worker(worker, output)) {
        tally->passed++;
    } else {
        if (tally->failed++ == 0)
            tally->first_failed = worker->seed;
        if (tally->failed <= FAILED_MAX && !options->expect)
            printf("%s\nseed %llu broke a promise. To see it again: %s --seed %llu%s%s\n", output,
                   (unsigned long long)worker->seed, options->program,
                   (unsigned long long)worker->seed,
                   options->broken != BROKEN_none ? " --broken " : "",
                   options->broken != BROKEN_none ? broken_names[options->broken] : "");
    }
    free(output);
}

static struct tally run_seeds(const struct options *options)
{
    struct worker workers[WORKERS_MAX] = {{0}};
    struct tally tally = {0};
    uint64_t next = options->first, end = options->first + options->count;
    for (unsigned at = 0;; at = (at + 1) % options->workers) {
        struct worker *worker = &workers[at];
        if (worker->pid != 0)
            judge(options, worker, &tally);
        bool enough = options->expect && tally.failed > 0;
        if (next < end && !enough)
            begin_worker(worker, options, next++);
        bool busy = false;
        for (unsigned i = 0; i < options->workers; i++)
            busy = busy || workers[i].pid != 0;
        if (!busy)
            return tally;
    }
}

/* Whether SEED keeps every promise as long as no rule is broken: then it was the rule. */
static bool passes_unbroken(const struct options *options, uint64_t seed)
{
    struct options one = {.first = seed, .count = 1, .workers = 1, .program = options->program};
    return run_seeds(&one).passed == 1;
}

/* All seeds keep every promise; or, with a broken rule, one of them notices. */
static int run_many(const struct options *options)
{
    struct tally tally = run_seeds(options);
    if (options->expect) {
        bool failed = tally.failed > 0;
        bool noticed = failed && passes_unbroken(options, tally.first_failed);
        if (failed && !noticed)
            printf("broken rule \"%s\": seed %llu fails without it, too\n",
                   broken_names[options->broken], (unsigned long long)tally.first_failed);
        else if (noticed)
            printf("broken rule \"%s\": noticed with seed %llu\n", broken_names[options->broken],
                   (unsigned long long)tally.first_failed);
        else
            printf("broken rule \"%s\": not noticed within %llu seeds\n",
                   broken_names[options->broken], (unsigned long long)tally.passed);
        printf("%d passed, %d failed\n", noticed, !noticed);
        return !noticed;
    }
    printf("%llu passed, %llu failed\n", (unsigned long long)tally.passed,
           (unsigned long long)tally.failed);
    return tally.failed > 0 || tally.passed == 0;
}

static int run_twice(const struct options *options)
{
    char *first = malloc(OUTPUT_BYTES), *second = malloc(OUTPUT_BYTES);
    struct worker worker;
    CHECK(first != NULL && second != NULL);
    begin_worker(&worker, options, options->first);
    bool good = end_worker(&worker, first);
    begin_worker(&worker, options, options->first);
    good = end_worker(&worker, second) && good && strcmp(first, second) == 0;
    printf("%s%s%d passed, %d failed\n", first, good ? "" : second, good, !good);
    free(first);
    free(second);
    return !good;
}

/* In this process, so that a debugger can be used. */
static int show_one(const struct options *options)
{
    if (options->broken == BROKEN_none)
        printf("seed %llu\n", (unsigned long long)options->first);
    run_here(options, options->first);
    clean_up(getpid());
    return 0;
}

static enum broken_rule rule_named(const char *name)
{
    int rule = 0;
    while (rule < BROKEN_COUNT && strcmp(name, broken_names[rule]) != 0)
        rule++;
    return (enum broken_rule)rule;
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .count = 300, .workers = 2, .program = argv[0]};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        uint64_t number = strtoull(value, &end, 10);
        bool is_number = *value != 0 && *end == 0;
        if (strcmp(argv[i], "--broken") == 0) {
            options.broken = rule_named(value);
            options.expect = true;
            if (options.broken == BROKEN_COUNT)
                return usage();
            continue;
        }
        if (!is_number)
            return usage();
        if (strcmp(argv[i], "--seeds") == 0)
            options.count = number;
        else if (strcmp(argv[i], "--from") == 0)
            options.first = number;
        else if (strcmp(argv[i], "--jobs") == 0 && number > 0 && number <= WORKERS_MAX)
            options.workers = (unsigned)number;
        else if (strcmp(argv[i], "--seed") == 0 || strcmp(argv[i], "--twice") == 0)
            options.first = number, options.trace = argv[i][2] == 's',
            options.twice = !options.trace;
        else
            return usage();
    }
    if (options.trace)
        return show_one(&options);
    return options.twice ? run_twice(&options) : run_many(&options);
}

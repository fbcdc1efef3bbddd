/* Engines' machine: what the figures were measured on, and who computes where.
 *
 * The server's processors are the first half of those that this process may use, at least one; the
 * generator has the others. With one processor both share it, and the figures say so.
 *
 * Thread: the caller's, whose own place is changed; threads that it starts later have it too.
 */
#ifndef STOA_BENCH_ENGINES_MACHINE_H
#define STOA_BENCH_ENGINES_MACHINE_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct engines_machine {
    char processor[96], kernel[96], date[16];
    unsigned cores;
    uint64_t memory_mb;
    double load_before, load_after; /* average of a minute */
    double stolen;                  /* share of the time that the host gave to others meanwhile */
    uint64_t ticks[2];              /* of the processors when it began: stolen, all */
};

/* What it is, and its state before. */
void engines_machine_look(struct engines_machine *machine);
/* Its state after. */
void engines_machine_look_again(struct engines_machine *machine);

/* As members of a JSON object that goes on: what it was, and of a server's SERVER_CORES. */
void engines_machine_print(const struct engines_machine *machine, unsigned server_cores, FILE *out);

/* The processors that this thread may use when it is looked. */
struct engines_cores {
    cpu_set_t all;
    unsigned server; /* how many of them a server gets */
};
void engines_cores_look(struct engines_cores *cores);
/* This thread stays on COUNT of them from FROM on; where there are none, it stays where it is. */
void engines_cores_take(const struct engines_cores *cores, unsigned from, unsigned count);

/* Memory of a process and all that descend from it: of the first one, and of at most 64 of the
 * others, which stand for the rest. */
struct engines_memory {
    unsigned processes, threads;
    double rss_mb, pss_mb;
};
void engines_memory_look(pid_t root, struct engines_memory *memory);

#endif

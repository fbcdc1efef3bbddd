/* Bench: what the files of `stoa bench` share. bench.c has the options and the benches of one
 * server that runs; these make their own servers (bench_trio.h).
 */
#ifndef STOA_MAIN_BENCH_H
#define STOA_MAIN_BENCH_H

#include "base/err.h"
#include "base/str.h"
#include "main/option.h"

struct bench_flags {
    char dir[OPTION_TEXT_SIZE], header[OPTION_TEXT_SIZE];
    char cdf[OPTION_TEXT_SIZE], svg[OPTION_TEXT_SIZE];
    char fault[OPTION_TEXT_SIZE], policy[OPTION_TEXT_SIZE];
    char engines[OPTION_TEXT_SIZE], listen[OPTION_TEXT_SIZE];
    char page[OPTION_TEXT_SIZE], picture[OPTION_TEXT_SIZE], kind[OPTION_TEXT_SIZE];
    struct option_list also, balance;
    uint64_t connections, streams, threads, rate, items, lines, seed, ready, rounds;
    uint64_t shoppers, managers, commands, buyers, units, backlog, database, cores, steps, workers;
    uint64_t duration_ms, warm_up_ms, down_ms, calm_ms, arrive_ms, admission_ms;
    bool http2, json, hot, spread, keep, outside, no_kill, no_key, quick;
};

/* Commands through the order of three servers, without HTTP; BUY: purchases, else carts. */
int bench_order(const struct bench_flags *flags, bool buy, struct failure *failure);

/* How fast a copy takes in what is in the log already; WHAT: cart or buy. */
int bench_apply(const struct bench_flags *flags, struct str what, struct failure *failure);

/* How long nobody can change anything when the primary is killed, hangs, or hands over. */
int bench_failover(const struct bench_flags *flags, struct failure *failure);

/* The same when the primary is killed and a hot, a warm or a cold backup takes over. */
int bench_repair(const struct bench_flags *flags, struct failure *failure);

/* Whether a crowd of shoppers notices anything when servers behind load managers go and come. */
int bench_crowd(const struct bench_flags *flags, struct failure *failure);

/* Purchases a second through a bank and a warehouse, against the sandbox within the server. */
int bench_buy_outside(const struct bench_flags *flags, struct failure *failure);

/* Whether few units are sold to many buyers as promised, while the primary is killed. */
int bench_drop(const struct bench_flags *flags, struct failure *failure);

/* Three replicated servers against three processes over one directory. */
int bench_share(const struct bench_flags *flags, struct failure *failure);

/* The load manager's policies on simulated time. */
int bench_balance(const struct bench_flags *flags, struct failure *failure);

/* Eviction policies on made-up requests, and what a look-up in the response cache takes. */
int bench_cache(const struct bench_flags *flags, struct failure *failure);

/* The same workloads on all engines. */
int bench_engines(const struct bench_flags *flags, struct failure *failure);
/* The server of one of its measurements, on the engine NAME; until it is told to end. */
int bench_engine(const struct bench_flags *flags, const char *name, struct failure *failure);

#endif

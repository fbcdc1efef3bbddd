#include "bench/cache_contest.h"
#include "bench/cache_speed.h"
#include "main/bench.h"

#include <stdio.h>

enum { REQUESTS = 1000000, QUICK = 50000 };

static int print_speed(const struct bench_flags *flags, struct failure *failure)
{
    unsigned rounds = flags->quick ? 1 : (unsigned)flags->rounds;
    fputs("\n| look-up | threads | ns, median | ns, least |\n| --- | --- | --- | --- |\n", stdout);
    int err = cache_speed_print(1, rounds, stdout, failure);
    return err ? err : cache_speed_print(2, rounds, stdout, failure);
}

int bench_cache(const struct bench_flags *flags, struct failure *failure)
{
    int err = cache_contest_print(flags->quick ? QUICK : REQUESTS, flags->seed, stdout, failure);
    return err ? err : print_speed(flags, failure);
}

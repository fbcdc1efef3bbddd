#include "bench/apply_load.h"
#include "main/bench.h"
#include "main/file.h"

#include <stdio.h>
#include <stdlib.h>

/* In one entry of the log, and entries in one transaction: as a server that catches up has them
 * (replica/applier.c). */
enum { ENTRY = 64, GROUP = 512 };

static void print(const char *what, const struct apply_load_result *result)
{
    double rate = (double)result->commands / result->seconds;
    printf("apply %s: %llu commands of %llu bytes in %.2f s (%.2f s of one processor)\n"
           "  %.0f commands/s, %.2f s for 1,000,000\n"
           "  %.2f of the rate at which SQLite takes one plain row for each (%.0f rows/s)\n",
           what, (unsigned long long)result->commands,
           (unsigned long long)(result->command_bytes / result->commands), result->seconds,
           result->cpu_seconds, rate, 1e6 / rate, result->plain_seconds / result->seconds,
           (double)result->commands / result->plain_seconds);
}

int bench_apply(const struct bench_flags *flags, struct str what, struct failure *failure)
{
    char dir[FILE_PATH], file[FILE_PATH], template[FILE_PATH];
    struct apply_load_result result;
    int err = file_join(template, flags->dir, "bench-apply-XXXXXX", failure);
    if (err)
        return err;
    if (!mkdtemp(template))
        return fail_errno(failure, ERR_IO, "%s: cannot make a folder there", flags->dir);
    snprintf(dir, sizeof dir, "%s", template);
    err = file_join(file, dir, "shop.db", failure);
    struct apply_load load = {
        .file = file,
        .work = str_eq(what, STR("cart")) ? APPLY_CART
                : flags->hot              ? APPLY_HOT
                                          : APPLY_BUY,
        .commands = flags->commands,
        .shoppers = (unsigned)flags->shoppers,
        .items = (unsigned)flags->items,
        .entry = ENTRY,
        .group = GROUP,
        .seed = flags->seed,
    };
    err = err ? err : apply_load_run(&load, &result, failure);
    if (!err)
        print(load.work == APPLY_CART  ? "cart"
              : load.work == APPLY_HOT ? "buy --hot"
                                       : "buy",
              &result);
    struct failure ignored;
    file_remove_tree(dir, err ? &ignored : failure);
    return err;
}

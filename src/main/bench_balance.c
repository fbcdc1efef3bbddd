#include "bench/balance_report.h"
#include "main/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file in the same folder calls it. */
static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int bench_balance(const struct bench_flags *flags, struct failure *failure)
{
    const char *picture = flags->picture[0] ? flags->picture : NULL;
    struct balance_report *report = malloc(sizeof *report);
    if (!report)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = balance_report_run(report, flags->seed, flags->json ? NULL : stdout, failure);
    if (!err && flags->json)
        balance_report_json(report, stdout);
    if (!err && picture)
        err = balance_report_picture(report, picture, failure);
    if (!err && flags->page[0])
        err =
            balance_report_page(report, flags->page, picture ? file_name(picture) : NULL, failure);
    free(report);
    return err;
}

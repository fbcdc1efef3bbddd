#include "main/bench_copies.h"

#include "base/clock.h"
#include "shop/audit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Until all copies are at the same entry, once nobody changes anything. */
enum { SAME_MS = 15000 };

void bench_finding_keep(void *context, const char *sentence)
{
    char *first = context;
    if (!first[0])
        snprintf(first, BENCH_FINDING, "%s", sentence);
}

/* 0: all three are the same; ERR_BUSY: they are not at the same entry. */
static int compare_copies(const struct trio *trio, char *out, size_t size, struct failure *failure)
{
    unsigned char first[DB_DIGEST], digest[DB_DIGEST];
    uint64_t first_index = 0, index = 0;
    char file[DATADIR_PATH + 16];
    for (unsigned i = 0; i < TRIO; i++) {
        snprintf(file, sizeof file, "%s/shop.db", trio->servers[i].dir);
        int err = audit_digest(file, i ? digest : first, i ? &index : &first_index, failure);
        if (err)
            return err;
        if (i && index != first_index)
            return ERR_BUSY;
        if (i && memcmp(first, digest, sizeof digest) != 0) {
            snprintf(out, size, "server %u's differs from server 1's at entry %llu", i + 1,
                     (unsigned long long)index);
            return 0;
        }
    }
    snprintf(out, size, "equal");
    return 0;
}

static int audit_copies(const struct trio *trio, char *out, size_t size, struct failure *failure)
{
    char file[DATADIR_PATH + 16];
    for (unsigned i = 0; i < TRIO; i++) {
        char first[BENCH_FINDING] = "";
        struct audit_report report;
        snprintf(file, sizeof file, "%s/shop.db", trio->servers[i].dir);
        int err = audit_run(file, bench_finding_keep, first, &report, failure);
        if (err)
            return err;
        if (report.differences) {
            snprintf(out, size, "server %u's has %llu differences: %s", i + 1,
                     (unsigned long long)report.differences, first);
            return 0;
        }
    }
    return 0;
}

int bench_copies_judge(const struct trio *trio, char *out, size_t size, struct failure *failure)
{
    uint64_t end = clock_mono_ns() + SAME_MS * MS_NS;
    int err;
    while ((err = compare_copies(trio, out, size, failure)) == ERR_BUSY && clock_mono_ns() < end)
        nanosleep(&(struct timespec){0, 50 * (long)MS_NS}, NULL);
    if (err == ERR_BUSY) {
        snprintf(out, size, "not at the same entry after %d s", SAME_MS / 1000);
        return 0;
    }
    return err || strcmp(out, "equal") != 0 ? err : audit_copies(trio, out, size, failure);
}

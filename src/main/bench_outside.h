/* Bench outside: a bank and a warehouse beside the servers of a bench, processes of their own: the
 * sandbox bank over TLS, and a warehouse that packs and ships at once.
 *
 *     bench_outside_start_bank ─▶ servers, with `words` ─▶ bench_outside_open_warehouse
 *
 * Thread: main. Blocks.
 */
#ifndef STOA_MAIN_BENCH_OUTSIDE_H
#define STOA_MAIN_BENCH_OUTSIDE_H

#include "main/bench_copies.h"
#include "main/bench_process.h"
#include "main/file.h"
#include "main/remote.h"
#include "net/tls.h"
#include "outside/audit_outside.h"

enum { BENCH_OUTSIDE_WORDS = 6 };

struct bench_outside {
    char dir[FILE_PATH]; /* the folders of both are in it */
    char bank_dir[FILE_PATH], house_dir[FILE_PATH];
    char bank_listen[64], house_listen[64], bank_url[80], house_url[80];
    char bank_key[FILE_PATH], bank_pin[TLS_PIN], house_pin[TLS_PIN];
    struct bench_process bank, house;
    const char *words[BENCH_OUTSIDE_WORDS + 1]; /* for `stoa serve`: where its shoppers pay */
};

/* In DIR, which exists. */
int bench_outside_start_bank(struct bench_outside *outside, const char *dir,
                             struct failure *failure);
/* Tells SHOP of the warehouse, and starts it. REPORTS_TO: URLs where it tells what it ships. */
int bench_outside_open_warehouse(struct bench_outside *outside, const struct remote *shop,
                                 const char *reports_to, struct failure *failure);
/* Waits until the shop's copy in the data directory DIR has at least ORDERS orders, and each has
 * left the warehouse, and its money was taken, and the shop knows of it. ERR_TIMEOUT after
 * TIMEOUT_MS. */
int bench_outside_wait_settled(const char *dir, uint64_t orders, unsigned timeout_ms,
                               struct failure *failure);
/* Holds the books of shop (its copy in the data directory DIR), bank and warehouse against each
 * other, when nothing is under way; FIRST, which begins empty: what is found first. */
int bench_outside_audit(const struct bench_outside *outside, const char *dir,
                        char first[static BENCH_FINDING], struct audit_outside_report *report,
                        struct failure *failure);
/* Kills both; harmless when they do not run. */
void bench_outside_close(struct bench_outside *outside);

#endif

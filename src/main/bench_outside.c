#include "main/bench_outside.h"

#include "base/clock.h"
#include "main/demo_services.h"
#include "main/free_address.h"
#include "store/db.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { READY_MS = 60000 };

/* ---- Before they run ---- */

/* A folder, an address and a certificate for NAME. */
static int prepare(struct bench_outside *outside, const char *name, char dir[static FILE_PATH],
                   char listen[static 64], char url[static 80], char pin[static TLS_PIN],
                   struct failure *failure)
{
    char certificate[TLS_PATH];
    int err = file_join(dir, outside->dir, name, failure);
    err = err ? err : file_make_dir(dir, 0700, NULL, failure);
    err = err ? err : tls_self_signed(dir, certificate, failure);
    err = err ? err : tls_pin(certificate, pin, failure);
    err = err ? err : free_address("127.0.0.1", NULL, NULL, listen, 64, failure);
    if (!err)
        snprintf(url, 80, "https://%s", listen);
    return err;
}

static int start(struct bench_outside *outside, struct bench_process *process, const char *name,
                 const char *ready, const char *const *words, struct failure *failure)
{
    char log[FILE_PATH], file[32];
    snprintf(file, sizeof file, "%s.log", name);
    int err = file_join(log, outside->dir, file, failure);
    err = err ? err : bench_process_start(process, words, log, failure);
    return err ? err : bench_process_wait(process, ready, READY_MS, name, failure);
}

/* ---- The bank ---- */

int bench_outside_start_bank(struct bench_outside *outside, const char *dir,
                             struct failure *failure)
{
    *outside = (struct bench_outside){.bank.output = -1, .house.output = -1};
    str_copy(outside->dir, sizeof outside->dir, str_of(dir));
    int err = prepare(outside, "bank", outside->bank_dir, outside->bank_listen, outside->bank_url,
                      outside->bank_pin, failure);
    err = err ? err : file_join(outside->bank_key, outside->bank_dir, "key", failure);
    if (err)
        return err;
    const char *serve[] = {"--bank",          outside->bank_url, "--bank-key-file",
                           outside->bank_key, "--bank-pin",      outside->bank_pin};
    memcpy(outside->words, serve, sizeof serve);
    const char *words[] = {"bank", "--dir", outside->bank_dir, "--listen", outside->bank_listen,
                           NULL};
    return start(outside, &outside->bank, "bank", "stoa: bank ready at ", words, failure);
}

/* ---- The warehouse ---- */

int bench_outside_open_warehouse(struct bench_outside *outside, const struct remote *shop,
                                 const char *reports_to, struct failure *failure)
{
    char token[FILE_PATH];
    bool alien;
    int err = prepare(outside, "warehouse", outside->house_dir, outside->house_listen,
                      outside->house_url, outside->house_pin, failure);
    struct furnishing furnishing = {
        .dir = outside->dir, .url = outside->house_url, .pin = outside->house_pin};
    err = err ? err : demo_services_furnish(&furnishing, shop, &alien, failure);
    err = err ? err : file_join(token, outside->dir, "warehouse.token", failure);
    if (err)
        return err;
    const char *words[] = {"warehouse",
                           "--dir",
                           outside->house_dir,
                           "--id",
                           DEMO_WAREHOUSE_ID,
                           "--listen",
                           outside->house_listen,
                           "--token-file",
                           token,
                           "--shop",
                           reports_to,
                           "--auto-ship",
                           "1ms",
                           NULL};
    return start(outside, &outside->house, "warehouse",
                 "stoa: warehouse " DEMO_WAREHOUSE_ID " ready at ", words, failure);
}

/* ---- The end ---- */

/* How many of ORDERS are not through in FILE, or are not even there. */
static int count_open(const char *file, uint64_t orders, uint64_t *open, struct failure *failure)
{
    struct db *db;
    int err = db_open(file, DB_READER, &db, failure);
    if (err)
        return err;
    uint64_t there = stmt_only_u64(db_stmt(db, "SELECT count(*) FROM orders"), 0);
    *open = stmt_only_u64(
        db_stmt(db, "SELECT (SELECT count(*) FROM orders WHERE captured < total)"
                    " + (SELECT count(*) FROM outbox WHERE lane IN ('bank', 'warehouse/main'))"),
        0);
    *open += there < orders ? orders - there : 0;
    if (db_failure(db)->err && failure)
        *failure = *db_failure(db);
    err = db_failure(db)->err;
    db_close(db);
    return err;
}

int bench_outside_wait_settled(const char *dir, uint64_t orders, unsigned timeout_ms,
                               struct failure *failure)
{
    char file[FILE_PATH];
    uint64_t open = 1, end = clock_mono_ns() + timeout_ms * MS_NS;
    int err = file_join(file, dir, "shop.db", failure);
    while (!err && open > 0 && clock_mono_ns() < end) {
        err = count_open(file, orders, &open, failure);
        if (!err && open > 0)
            nanosleep(&(struct timespec){0, 20 * (long)MS_NS}, NULL);
    }
    if (!err && open > 0)
        err =
            fail(failure, ERR_TIMEOUT, "%llu orders or what they cause are not through after %u s",
                 (unsigned long long)open, timeout_ms / 1000);
    return err;
}

int bench_outside_audit(const struct bench_outside *outside, const char *dir,
                        char first[static BENCH_FINDING], struct audit_outside_report *report,
                        struct failure *failure)
{
    char shop[FILE_PATH], bank[FILE_PATH], house[FILE_PATH];
    int err = file_join(shop, dir, "shop.db", failure);
    err = err ? err : file_join(bank, outside->bank_dir, "bank.db", failure);
    err = err ? err : file_join(house, outside->house_dir, "warehouse.db", failure);
    struct audit_places places = {.shop = shop,
                                  .bank.place = bank,
                                  .warehouses = {house},
                                  .warehouse_count = 1,
                                  .at_rest = true};
    return err ? err : audit_outside_run(&places, bench_finding_keep, first, report, failure);
}

void bench_outside_close(struct bench_outside *outside)
{
    bench_process_kill(&outside->bank);
    bench_process_kill(&outside->house);
}

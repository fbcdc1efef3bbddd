#include "bench/apply_load.h"

#include "base/clock.h"
#include "base/random.h"
#include "bench/order_commands.h"
#include "shop/defaults.h"
#include "shop/shop.h"
#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Commands are written a chunk at a time, untimed, so that memory stays small. */
enum { CHUNK = 65536 };

struct run {
    const struct apply_load *load;
    struct shop *shop;
    struct buf records;   /* of one chunk, one after the other */
    size_t ends[CHUNK];   /* where each ends */
    uint64_t index, next; /* entry of the log; number of the next command */
    struct random random;
    struct failure *failure;
    struct apply_load_result *result;
};

static double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- Commands ---- */

static unsigned item_of(struct run *run)
{
    return run->load->work == APPLY_HOT ? 0
                                        : (unsigned)random_below(&run->random, run->load->items);
}

static struct id checkout_of(const struct run *run, uint64_t number)
{
    return order_command_id(0, 0, (unsigned)number, ORDER_ID_CHECKOUT, run->load->seed);
}

/* Purchases come as they do from many shoppers: the second half some commands after the first. */
enum { APART = 64 };

/* Purchases: whole ones. */
static uint64_t timed_commands(const struct apply_load *load)
{
    return load->work == APPLY_CART ? load->commands : load->commands / (2 * APART) * (2 * APART);
}

static void put_command(struct run *run, uint64_t number)
{
    const struct apply_load *load = run->load;
    if (load->work == APPLY_CART) {
        unsigned shopper = (unsigned)random_below(&run->random, load->shoppers);
        struct id cart = order_command_id(0, shopper, 0, ORDER_ID_CART, load->seed);
        order_put_cart(&run->records, cart, item_of(run));
        return;
    }
    uint64_t block = number / (2 * APART), within = number % (2 * APART);
    order_put_half(&run->records, checkout_of(run, block * APART + within % APART),
                   within >= APART);
}

/* A new shop's terms, the products, the checkouts. */
static void put_preparation(struct run *run, uint64_t number)
{
    struct command command;
    uint64_t terms = defaults_count(), items = terms + run->load->items;
    if (number < terms) {
        defaults_command((unsigned)number, &command);
        command_encode(&run->records, &command);
    } else if (number < items) {
        order_put_product(&run->records, (unsigned)(number - terms));
    } else {
        order_put_checkout(&run->records, checkout_of(run, number - items), item_of(run));
    }
}

/* ---- Applying ---- */

static int apply_entry(struct run *run, unsigned from, unsigned to)
{
    int err = 0;
    run->index++;
    for (unsigned i = from; !err && i < to; i++) {
        size_t begin = i ? run->ends[i - 1] : 0;
        struct str record = str_make(run->records.at + begin, run->ends[i] - begin);
        err = shop_apply(run->shop, run->index, clock_wall_ms(), record, NULL, run->failure);
    }
    return err;
}

static int apply_chunk(struct run *run, unsigned count)
{
    const struct apply_load *load = run->load;
    unsigned at = 0;
    int err = 0;
    while (!err && at < count) {
        err = shop_begin(run->shop, run->failure);
        for (unsigned entry = 0; !err && entry < load->group && at < count; entry++) {
            unsigned to = at + load->entry < count ? at + load->entry : count;
            err = apply_entry(run, at, to);
            at = to;
        }
        if (!err)
            err = shop_commit(run->shop, run->index, clock_wall_ms(), run->failure);
    }
    return err;
}

/* COUNT commands made by PUT; TIMED: counted into the result. */
static int apply_all(struct run *run, uint64_t count, void (*put)(struct run *, uint64_t),
                     bool timed)
{
    int err = 0;
    for (uint64_t number = 0; !err && number < count;) {
        unsigned here = 0;
        buf_clear(&run->records);
        for (; here < CHUNK && number < count; here++, number++) {
            put(run, number);
            run->ends[here] = run->records.len;
        }
        if (run->records.failed)
            return fail(run->failure, ERR_NOMEM, "no memory for the bench's commands");
        uint64_t begin = clock_mono_ns();
        double cpu = cpu_seconds();
        err = apply_chunk(run, here);
        if (!timed)
            continue;
        run->result->seconds += (double)(clock_mono_ns() - begin) / 1e9;
        run->result->cpu_seconds += cpu_seconds() - cpu;
        run->result->commands += here;
        run->result->command_bytes += run->records.len;
    }
    return err;
}

/* Refused commands would be fast, and none is to be: what the commands must have made is there. */
static int check_done(struct run *run)
{
    const struct apply_load *load = run->load;
    struct db *db;
    int err = db_open(load->file, DB_READER, &db, run->failure);
    if (err)
        return err;
    const char *sql =
        load->work == APPLY_CART ? "SELECT count(*) FROM operation" : "SELECT count(*) FROM orders";
    uint64_t done = stmt_only_u64(db_stmt(db, sql), 0);
    uint64_t wanted = load->work == APPLY_CART ? timed_commands(load) : timed_commands(load) / 2;
    db_close(db);
    if (done == wanted)
        return 0;
    return fail(run->failure, ERR_INTERNAL, "%llu of %llu commands did what they should",
                (unsigned long long)done, (unsigned long long)wanted);
}

/* ---- The yardstick ---- */

static int write_plain(const struct apply_load *load, struct db *db, struct str row)
{
    unsigned group = load->entry * load->group;
    struct stmt *stmt = db_stmt(db, "INSERT INTO plain (id, record) VALUES (?, ?)");
    for (uint64_t i = 0; i < load->commands; i++) {
        if (i % group == 0)
            db_begin(db);
        stmt_bind_id(stmt, 1, order_command_id(0, 0, (unsigned)i, ORDER_ID_CART, 0));
        stmt_bind_blob(stmt, 2, row);
        stmt_run(stmt);
        if (i % group == group - 1 || i + 1 == load->commands)
            db_commit(db);
    }
    return db_failure(db)->err;
}

static int measure_plain(struct run *run)
{
    const struct apply_load *load = run->load;
    char file[512], bytes[1024] = {0};
    struct db *db;
    size_t len = (size_t)(run->result->command_bytes / run->result->commands);
    if ((size_t)snprintf(file, sizeof file, "%s-plain", load->file) >= sizeof file)
        return fail(run->failure, ERR_FULL, "%s: the path is too long", load->file);
    int err = db_open(file, DB_WRITER, &db, run->failure);
    if (err)
        return err;
    db_exec(db, "CREATE TABLE plain (id BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID");
    uint64_t begin = clock_mono_ns();
    err = write_plain(load, db, str_make(bytes, len < sizeof bytes ? len : sizeof bytes));
    run->result->plain_seconds = (double)(clock_mono_ns() - begin) / 1e9;
    if (err)
        *run->failure = *db_failure(db);
    db_close(db);
    return err;
}

int apply_load_run(const struct apply_load *load, struct apply_load_result *result,
                   struct failure *failure)
{
    struct log log = {STDERR_FILENO, LOG_WARN};
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return fail(failure, ERR_NOMEM, "no memory for the bench");
    *result = (struct apply_load_result){0};
    run->load = load;
    run->failure = failure;
    run->result = result;
    random_seed(&run->random, load->seed);
    buf_init(&run->records, (size_t)CHUNK * ORDER_COMMAND_BYTES);
    int err = shop_open(load->file, NULL, &log, &run->shop, failure);
    if (!err) {
        uint64_t checkouts = load->work == APPLY_CART ? 0 : load->commands / 2 + APART;
        err = apply_all(run, defaults_count() + load->items + checkouts, put_preparation, false);
        err = err ? err : apply_all(run, timed_commands(load), put_command, true);
        shop_close(run->shop);
    }
    err = err ? err : check_done(run);
    if (!err && !load->no_yardstick)
        err = measure_plain(run);
    buf_close(&run->records);
    free(run);
    return err;
}

#include "base/json_text.h"
#include "outside/warehouse_inner.h"
#include "outside/warehouse_view.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum { WRONG_TOLD = 100, LEDGER_GROUP = 64 };

/* ---- Check ---- */

struct complaints {
    struct buf *out;
    unsigned told;
};

static void complain(void *context, const char *text)
{
    struct complaints *complaints = context;
    if (complaints->told >= WRONG_TOLD)
        return;
    buf_puts(complaints->out, complaints->told++ ? "," : "");
    json_str_put(str_of(text), complaints->out);
}

void dock_api_check(struct dock_call *call)
{
    struct buf out;
    struct complaints complaints = {.out = &out};
    struct book_counts counts;
    struct failure failure = {0};
    buf_init(&out, CALL_MEMORY);
    buf_puts(&out, "{\"problems\":[");
    if (warehouse_book_check(call->db, complain, &complaints, &counts, &failure)) {
        buf_close(&out);
        dock_error(call, 500, "failed", failure.text);
        return;
    }
    buf_printf(&out,
               "],\"wrong\":%" PRIu64 ",\"orders\":%" PRIu64 ",\"lines\":%" PRIu64
               ",\"parcels\":%" PRIu64 ",\"items\":%" PRIu64 ",\"reports\":%" PRIu64 "}",
               counts.wrong, counts.orders, counts.lines, counts.parcels, counts.items,
               counts.reports);
    dock_json(call, 200, &out);
}

/* ---- Ledger: all orders, a JSON line each, as of one moment ---- */

/* A file without a name, so that any number of orders takes little memory. */
static int open_temporary(const char *dir)
{
    return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.at, bytes.len);
        if (wrote <= 0)
            return false;
        bytes = str_from(bytes, (size_t)wrote);
    }
    return true;
}

/* The orders after *ROW, a group of them, into OUT; *ROW is that of the last. ERR_NOTFOUND: none.
 */
static int put_group(struct db *db, struct arena *arena, uint64_t *row, struct buf *out)
{
    struct view_row rows[LEDGER_GROUP];
    unsigned count = 0;
    int err = warehouse_view_orders(db, arena, STR(""), STR(""), *row, LEDGER_GROUP, rows, &count);
    if (!err && !count)
        return ERR_NOTFOUND;
    for (unsigned i = 0; !err && i < count; i++) {
        struct view_order order;
        err = warehouse_view_order(db, arena, rows[i].id, &order);
        if (!err)
            warehouse_view_put_order(out, &order);
        buf_byte(out, '\n');
        *row = rows[i].row;
    }
    return err;
}

static int write_ledger(struct db *db, int fd, uint64_t *length)
{
    struct arena arena;
    struct buf out;
    uint64_t row = 0;
    int err;
    arena_init(&arena, CALL_MEMORY);
    buf_init(&out, CALL_MEMORY);
    while ((err = put_group(db, &arena, &row, &out)) == 0) {
        if (out.failed || !write_all(fd, buf_text(&out))) {
            err = ERR_FULL;
            break;
        }
        *length += out.len;
        buf_clear(&out);
        arena_reset(&arena);
    }
    buf_close(&out);
    arena_close(&arena);
    return err == ERR_NOTFOUND ? 0 : err;
}

void dock_api_ledger(struct dock_call *call)
{
    uint64_t length = 0;
    int fd = open_temporary(call->server->config.dir);
    int err = fd < 0 ? ERR_IO : write_ledger(call->db, fd, &length);
    if (err) {
        if (fd >= 0)
            close(fd);
        dock_error(call, 500, "failed",
                   "the ledger could not be written: look at the disk of the directory");
        return;
    }
    exchange_add_header(call->x, STR("Cache-Control"), STR("private, no-store"));
    exchange_reply_file(call->x, 200, STR("application/x-ndjson"), fd, 0, length);
}

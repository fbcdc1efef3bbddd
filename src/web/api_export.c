#include "shop/money.h"
#include "shop/shopify.h"
#include "web/api.h"
#include "web/desk.h"

#include <stdlib.h>

enum { PIECE_BYTES = 256 * 1024, ARENA_MAX = 8 << 20 };

/* An export on its way; freed by its job. */
struct exporting {
    const char *database;
    const struct log *log;
    unsigned digits;
};

/* One product after the other, each by a look of its own, so that no long view keeps the
 * database's log from being cleaned up. */
static int write_products(struct desk *desk, struct reader *reader, unsigned digits)
{
    char after[SHOP_KEY_MAX + 1] = "";
    struct arena arena;
    struct buf text;
    int err = 0;
    arena_init(&arena, ARENA_MAX);
    buf_init(&text, PIECE_BYTES * 2);
    shopify_put_header(&text);
    while (!err) {
        struct product product;
        err = reader_next_product(reader, &arena, str_of(after), &product);
        if (!err) {
            shopify_put_product(&text, &product, digits);
            str_copy(after, sizeof after, product.handle);
        }
        if (text.failed)
            err = ERR_FULL;
        if (err == ERR_NOTFOUND || text.len > PIECE_BYTES / 4) {
            if (!desk_tell(desk, buf_text(&text)))
                err = err ? err : ERR_CLOSED;
            buf_clear(&text);
        }
        arena_reset(&arena);
    }
    buf_close(&text);
    arena_close(&arena);
    return err == ERR_NOTFOUND ? 0 : err;
}

static void job(struct desk *desk, void *context)
{
    struct exporting *exporting = context;
    struct reader *reader;
    struct failure failure;
    if (reader_open(exporting->database, &reader, &failure)) {
        log_line(exporting->log, LOG_ERROR, "export", "%s", failure.text);
        desk_broken(desk);
    } else {
        int err = write_products(desk, reader, exporting->digits);
        if (err)
            desk_broken(desk);
        if (err && err != ERR_CLOSED)
            log_line(exporting->log, LOG_ERROR, "export", "%s", err_sentence(err));
        reader_close(reader);
    }
    free(exporting);
}

enum app_verdict api_export(struct exchange *x)
{
    struct shop_settings settings;
    struct desk_claim *claim = desk_take(x, call_web(x)->api->exporting);
    if (!claim)
        return api_refuse(x, 409, "export_running", STR("An export is running. Wait for its end."),
                          STR(""));
    struct exporting *exporting = calloc(1, sizeof *exporting);
    int err = exporting ? reader_settings(call_reader(x), &x->arena, &settings) : ERR_NOMEM;
    if (err) {
        free(exporting);
        return api_failed(x, err, STR(""));
    }
    *exporting = (struct exporting){call_web(x)->settings.database, call_web(x)->settings.log,
                                    money_digits(settings.currency)};
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_add_header(x, STR("Content-Disposition"),
                        STR("attachment; filename=\"products.csv\""));
    if (desk_start(x, claim, job, exporting, STR("text/csv; charset=utf-8"))) {
        free(exporting);
        return call_fail_err(x, ERR_NOMEM);
    }
    return APP_DONE;
}

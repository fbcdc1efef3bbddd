#include "base/check.h"
#include "base/json_text.h"
#include "outside/warehouse_inner.h"
#include "outside/warehouse_keeper.h"

#include <stdarg.h>
#include <stdlib.h>

#define JSON STR("application/json")

/* ---- Answers ---- */

void dock_answer(struct dock_call *call, int status, struct str type, struct buf *out)
{
    struct exchange *x = call->x;
    size_t len = 0;
    char *bytes = out->failed ? NULL : buf_take(out, &len);
    buf_close(out);
    if (!bytes || exchange_at_end(x, free, bytes)) {
        free(bytes);
        exchange_reply(x, 503, STR("text/plain; charset=utf-8"),
                       STR("There is no memory for this answer; try again.\n"));
        return;
    }
    exchange_add_header(x, STR("Cache-Control"), STR("private, no-store"));
    exchange_reply(x, status, type, str_make(bytes, len));
    x->compressible = true;
}

void dock_json(struct dock_call *call, int status, struct buf *out)
{
    dock_answer(call, status, JSON, out);
}

void dock_error(struct dock_call *call, int status, const char *code, const char *text)
{
    struct buf out;
    buf_init(&out, 16384);
    buf_printf(&out, "{\"error\":\"%s\",\"text\":", code);
    json_str_put(str_of(text), &out);
    buf_puts(&out, "}");
    dock_json(call, status, &out);
}

int dock_status(int err)
{
    return err == ERR_NOTFOUND                    ? 404
           : err == ERR_INVALID                   ? 400
           : err == ERR_STATE                     ? 409
           : err == ERR_BUSY || err == ERR_CLOSED ? 503
                                                  : 500;
}

void dock_go(struct dock_call *call, const char *format, ...)
{
    char path[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    exchange_add_header(call->x, STR("Location"), arena_str(&call->x->arena, str_of(path)));
    exchange_add_header(call->x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(call->x, 303, STR("text/plain; charset=utf-8"), STR(""));
}

int dock_act(struct dock_call *call, struct warehouse_act *act, struct failure *failure)
{
    struct warehouse_server *server = call->server;
    crash_here(server->config.crash, CRASH_warehouse_before);
    int err = warehouse_act_do(server->writer, act, failure);
    crash_here(server->config.crash, CRASH_warehouse_after);
    if (!err)
        warehouse_reporter_wake(server->reporter);
    return err;
}

/* ---- Routes ---- */

enum guard {
    GUARD_SHOP,    /* the shop's token */
    GUARD_PEOPLE,  /* the people's key */
    GUARD_SESSION, /* a cookie; for changes a form of ours too */
    GUARD_FORM,    /* a form of ours: entering */
    GUARD_NONE,
};

struct route {
    enum http_method method;
    const char *path; /* "*" stands for one segment */
    enum guard guard;
    void (*answer)(struct dock_call *call);
};

static const struct route routes[] = {
    {HTTP_POST, "/v1/orders", GUARD_SHOP, dock_take_orders},
    {HTTP_POST, "/v1/cancels", GUARD_SHOP, dock_take_cancels},
    {HTTP_PUT, "/v1/fence", GUARD_SHOP, dock_take_fence},

    {HTTP_GET, "/v1/status", GUARD_PEOPLE, dock_api_status},
    {HTTP_GET, "/v1/orders", GUARD_PEOPLE, dock_api_order_list},
    {HTTP_GET, "/v1/orders/*", GUARD_PEOPLE, dock_api_order},
    {HTTP_POST, "/v1/orders/*/*", GUARD_PEOPLE, dock_api_order_act},
    {HTTP_POST, "/v1/parcels/*/*", GUARD_PEOPLE, dock_api_parcel_act},
    {HTTP_POST, "/v1/arrivals", GUARD_PEOPLE, dock_api_goods_act},
    {HTTP_POST, "/v1/counts", GUARD_PEOPLE, dock_api_goods_act},
    {HTTP_POST, "/v1/products", GUARD_PEOPLE, dock_api_goods_act},
    {HTTP_GET, "/v1/stock", GUARD_PEOPLE, dock_api_stock},
    {HTTP_GET, "/v1/reports", GUARD_PEOPLE, dock_api_reports},
    {HTTP_POST, "/v1/reports/*/*", GUARD_PEOPLE, dock_api_report_act},
    {HTTP_GET, "/v1/refused", GUARD_PEOPLE, dock_api_refused},
    {HTTP_GET, "/v1/check", GUARD_PEOPLE, dock_api_check},
    {HTTP_GET, "/v1/ledger", GUARD_PEOPLE, dock_api_ledger},

    {HTTP_GET, "/login", GUARD_NONE, dock_login_page},
    {HTTP_POST, "/login", GUARD_FORM, dock_login_enter},
    {HTTP_POST, "/logout", GUARD_SESSION, dock_login_leave},
    {HTTP_GET, "/", GUARD_SESSION, dock_page_orders},
    {HTTP_POST, "/scan", GUARD_SESSION, dock_page_scan},
    {HTTP_GET, "/orders/*", GUARD_SESSION, dock_page_order},
    {HTTP_GET, "/orders/*/slip", GUARD_SESSION, dock_page_slip},
    {HTTP_POST, "/orders/*/*", GUARD_SESSION, dock_page_order_act},
    {HTTP_POST, "/parcels/*/*", GUARD_SESSION, dock_page_parcel_act},
    {HTTP_GET, "/stock", GUARD_SESSION, dock_page_stock},
    {HTTP_GET, "/item", GUARD_SESSION, dock_page_item},
    {HTTP_GET, "/product", GUARD_SESSION, dock_page_product},
    {HTTP_POST, "/goods/*", GUARD_SESSION, dock_page_goods_act},
    {HTTP_GET, "/reports", GUARD_SESSION, dock_page_reports},
    {HTTP_POST, "/reports/*", GUARD_SESSION, dock_page_report_act},
};

static bool fits(const char *pattern, struct str path, struct str params[static CALL_PARAMS_MAX])
{
    struct str rest = path, wanted = str_of(pattern), part, name;
    unsigned count = 0;
    while (true) {
        bool more = str_cut(&rest, '/', &part), wants = str_cut(&wanted, '/', &name);
        if (!more || !wants)
            return !more && !wants;
        if (str_eq(name, STR("*")) && part.len && count < CALL_PARAMS_MAX)
            params[count++] = part;
        else if (!str_eq(name, part))
            return false;
    }
}

/* The row for X; NULL with *PATH_KNOWN when it is there for another method. */
static const struct route *find_route(const struct exchange *x, unsigned faces,
                                      struct str params[static CALL_PARAMS_MAX], bool *path_known)
{
    enum http_method method = x->method == HTTP_HEAD ? HTTP_GET : x->method;
    *path_known = false;
    for (unsigned i = 0; i < COUNT_OF(routes); i++) {
        unsigned face = routes[i].guard == GUARD_SHOP ? WAREHOUSE_SHOP : WAREHOUSE_PEOPLE;
        if (!(faces & face) || !fits(routes[i].path, x->path, params))
            continue;
        if (routes[i].method == method)
            return &routes[i];
        *path_known = true;
    }
    return NULL;
}

/* ---- One request ---- */

static void unauthorized(struct dock_call *call, const char *whose)
{
    exchange_add_header(call->x, STR("WWW-Authenticate"), STR("Bearer"));
    dock_error(call, 401, "unauthorized", whose);
}

/* False: answered already. */
static bool may_enter(struct dock_call *call, const struct route *route)
{
    const struct warehouse_config *config = &call->server->config;
    bool changes = call->x->method != HTTP_GET && call->x->method != HTTP_HEAD;
    switch (route->guard) {
    case GUARD_SHOP:
        if (dock_login_is_bearer(call->x, config->token))
            return true;
        unauthorized(call, "the shop's token for this warehouse is wanted");
        return false;
    case GUARD_PEOPLE:
        if (dock_login_is_bearer(call->x, config->people_key))
            return true;
        unauthorized(call, "the key in people.key of this warehouse's directory is wanted");
        return false;
    case GUARD_SESSION:
        if (!dock_login_has_session(call)) {
            dock_go(call, "/login");
            return false;
        }
        break;
    case GUARD_FORM:
    case GUARD_NONE:
        break;
    }
    if (!changes || dock_login_is_own_form(call))
        return true;
    dock_page_problem(call, 403,
                      "This form was not sent by a page of this warehouse, or by one that "
                      "was open for too long. Go back, load the page anew and try again.");
    return false;
}

static void answer(struct dock_call *call, const struct route *route)
{
    struct db *db = call->db;
    if (!may_enter(call, route))
        return;
    db_forget_failure(db);
    int err = db_begin(db);
    if (!err)
        route->answer(call);
    db_rollback(db); /* it only read */
    if (db_failure(db)->err)
        log_line(call->server->config.log, LOG_ERROR, "warehouse", "%s", db_failure(db)->text);
    if (!call->x->status)
        dock_error(call, 500, "failed",
                   db_failure(db)->err ? db_failure(db)->text : err_sentence(ERR_NOMEM));
}

static void add_headers(struct exchange *x)
{
    exchange_add_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    exchange_add_header(x, STR("Cross-Origin-Resource-Policy"), STR("same-origin"));
    exchange_add_header(x, STR("Referrer-Policy"), STR("same-origin"));
    exchange_add_header(x, STR("Content-Security-Policy"),
                        STR("default-src 'none'; style-src 'self'; img-src 'self'; "
                            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"));
}

static enum app_verdict on_work(struct app *app, struct exchange *x)
{
    struct warehouse_door *door = CONTAINER_OF(app, struct warehouse_door, app);
    struct dock_call call = {.server = door->server, .x = x, .db = x->thread_state};
    bool path_known;
    const struct route *route = find_route(x, door->faces, call.params, &path_known);
    add_headers(x);
    if (route)
        answer(&call, route);
    else if (str_starts(x->path, STR("/v1/")) || !(door->faces & WAREHOUSE_PEOPLE))
        dock_error(&call, path_known ? 405 : 404, path_known ? "method" : "not_found",
                   path_known ? "not in this way" : "there is nothing here");
    else
        dock_page_problem(&call, 404, "There is nothing at this address.");
    return APP_DONE;
}

static bool answer_asset(struct warehouse_server *server, struct exchange *x)
{
    if (x->method != HTTP_GET && x->method != HTTP_HEAD)
        return false;
    for (unsigned i = 0; i < ASSETS_MAX && server->assets[i].page; i++) {
        if (!str_eq(x->path, str_of(server->assets[i].path)))
            continue;
        exchange_page(x, server->assets[i].page);
        return true;
    }
    return false;
}

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    struct warehouse_door *door = CONTAINER_OF(app, struct warehouse_door, app);
    if (str_eq(x->path, STR("/healthz")) && x->method == HTTP_GET) {
        exchange_reply(x, 200, STR("text/plain; charset=utf-8"), STR("ok\n"));
        return APP_DONE;
    }
    return (door->faces & WAREHOUSE_PEOPLE) && answer_asset(door->server, x) ? APP_DONE : APP_WORK;
}

/* Whoever has no key need not send a long body. */
static void on_accept(struct app *app, struct exchange *x)
{
    struct warehouse_door *door = CONTAINER_OF(app, struct warehouse_door, app);
    const struct warehouse_config *config = &door->server->config;
    bool knows =
        dock_login_is_bearer(x, config->token) || dock_login_is_bearer(x, config->people_key);
    x->body_limit = knows ? CALL_BODY_MAX : 256 << 10;
}

static void *on_thread_start(struct app *app, struct loop *loop)
{
    struct warehouse_door *door = CONTAINER_OF(app, struct warehouse_door, app);
    struct failure failure;
    struct db *db = NULL;
    if (loop)
        return door; /* only helpers read */
    if (db_open(door->server->config.file, DB_READER, &db, &failure) == 0)
        return db;
    log_line(door->server->config.log, LOG_ERROR, "warehouse", "%s", failure.text);
    return NULL;
}

static void on_thread_stop(struct app *app, void *thread_state)
{
    struct warehouse_door *door = CONTAINER_OF(app, struct warehouse_door, app);
    if (thread_state != door)
        db_close(thread_state);
}

/* ---- Opening ---- */

static const struct asset *find_asset(const char *path)
{
    unsigned at = 0;
    while (at < asset_count && strcmp(assets[at].path, path) != 0)
        at++;
    CHECK(at < asset_count);
    return &assets[at];
}

/* The shop's style sheet gives the looks, warehouse.css what is more. */
static int load_assets(struct warehouse_server *server, struct failure *failure)
{
    static const char *const files[][2] = {
        {"/style.css", "pages/style.css"},
        {"/warehouse.css", "pages/warehouse.css"},
        {"/favicon.svg", "pages/favicon.svg"},
    };
    _Static_assert(COUNT_OF(files) <= ASSETS_MAX, "there is room for the assets");
    for (unsigned i = 0; i < COUNT_OF(files); i++) {
        const struct asset *asset = find_asset(files[i][1]);
        server->assets[i].path = files[i][0];
        server->assets[i].page = http_page_new(200, str_of(asset->type), STR("no-cache"),
                                               str_make(asset->bytes, asset->length), true);
        if (!server->assets[i].page)
            return fail(failure, ERR_NOMEM, "no memory for the warehouse's pages");
    }
    return 0;
}

/* pages/warehouse_order.html becomes the template "warehouse_order". */
static int compile_templates(struct warehouse_server *server, struct failure *failure)
{
    const struct str folder = STR("pages/"), first = STR("pages/warehouse"), end = STR(".html");
    struct template_source sources[TEMPLATES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < asset_count; i++) {
        struct str path = str_of(assets[i].path);
        if (!str_starts(path, first) || !str_ends(path, end))
            continue;
        CHECK(count < TEMPLATES_MAX);
        struct str name = str_sub(path, folder.len, path.len - folder.len - end.len);
        sources[count].name = str_copy(server->names[count], sizeof server->names[count], name);
        sources[count++].text = str_make(assets[i].bytes, assets[i].length);
    }
    return template_set_new(sources, count, &server->templates, failure);
}

/* A warehouse that was told its shop beforehand takes nothing of another. */
static int adopt_shop(struct book *book, void *argument)
{
    const struct warehouse_config *config = argument;
    char known[64];
    warehouse_book_fact(book->db, "id", known, sizeof known);
    if (known[0] && strcmp(known, config->id) != 0)
        return fail(book->failure, ERR_STATE,
                    "%s is the book of the warehouse \"%s\", not of \"%s\": choose another --dir",
                    config->file, known, config->id);
    int err = warehouse_book_put_fact(book->db, "id", str_of(config->id));
    if (err || !config->shop_id)
        return err;
    warehouse_book_fact(book->db, "shop", known, sizeof known);
    if (known[0] && strcmp(known, config->shop_id) != 0)
        return fail(book->failure, ERR_STATE, "%s serves the shop %s, not %s: choose another --dir",
                    config->file, known, config->shop_id);
    return warehouse_book_put_fact(book->db, "shop", str_of(config->shop_id));
}

static int open_book(struct warehouse_server *server, struct failure *failure)
{
    struct warehouse_change change = {.run = adopt_shop, .argument = &server->config};
    int err = writer_open(server->config.file, warehouse_book_make, 0, server->config.log,
                          &server->writer, failure);
    if (err)
        return err;
    err = warehouse_change_do(server->writer, &change);
    if (err)
        *failure = change.failure;
    return err;
}

int warehouse_server_open(const struct warehouse_config *config, struct warehouse_server **out,
                          struct failure *failure)
{
    *out = NULL;
    struct warehouse_server *server = calloc(1, sizeof *server);
    if (!server)
        return fail(failure, ERR_NOMEM, "no memory for the warehouse");
    server->config = *config;
    pthread_mutex_init(&server->lock, NULL);
    for (unsigned i = 0; i < COUNT_OF(server->doors); i++)
        server->doors[i] = (struct warehouse_door){
            .app = {.name = "warehouse",
                    .accept = on_accept,
                    .handle = on_handle,
                    .work = on_work,
                    .thread_start = on_thread_start,
                    .thread_stop = on_thread_stop},
            .server = server,
            .faces = i,
        };
    int err = load_assets(server, failure);
    err = err ? err : compile_templates(server, failure);
    err = err ? err : open_book(server, failure);
    err =
        err ? err
            : warehouse_reporter_start(&server->config, server->writer, &server->reporter, failure);
    err = err ? err
              : warehouse_keeper_start(&server->config, server->writer, server->reporter,
                                       &server->keeper, failure);
    if (err) {
        warehouse_server_close(server);
        return err;
    }
    *out = server;
    return 0;
}

void warehouse_server_close(struct warehouse_server *server)
{
    if (!server)
        return;
    warehouse_keeper_stop(server->keeper);
    warehouse_reporter_stop(server->reporter);
    writer_close(server->writer);
    for (unsigned i = 0; i < ASSETS_MAX; i++)
        http_page_drop(server->assets[i].page);
    template_set_free(server->templates);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

struct app *warehouse_server_app(struct warehouse_server *server, unsigned faces)
{
    CHECK(faces < COUNT_OF(server->doors));
    return &server->doors[faces].app;
}

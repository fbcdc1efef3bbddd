/* What the files of a warehouse's server share. For warehouse_*.c alone. */
#ifndef STOA_OUTSIDE_WAREHOUSE_INNER_H
#define STOA_OUTSIDE_WAREHOUSE_INNER_H

#include "http/asset.h"
#include "http/template.h"
#include "http/url.h"
#include "outside/warehouse_act.h"
#include "outside/warehouse_json.h"
#include "outside/warehouse_keeper.h"
#include "outside/warehouse_reporter.h"
#include "outside/warehouse_server.h"

#include <pthread.h>
#include <stdio.h>

enum {
    CALL_PARAMS_MAX = 2,
    CALL_MEMORY = 16 << 20,
    CALL_BODY_MAX = 4 << 20, /* 100 orders with 40 lines each are below 2 MiB */
    ASSETS_MAX = 4,
    TEMPLATES_MAX = 24,
    GUESTS = 256, /* peers whose wrong pass phrases are counted */
};

/* Wrong pass phrases of the peers whose names fall into one slot. */
struct dock_guest {
    uint64_t since_ns;
    unsigned wrong;
};

struct warehouse_door {
    struct app app;
    struct warehouse_server *server;
    unsigned faces;
};

struct warehouse_server {
    struct warehouse_config config;
    struct warehouse_door doors[4]; /* by their faces */
    struct writer *writer;
    struct warehouse_reporter *reporter;
    struct warehouse_keeper *keeper;
    struct template_set *templates;
    char names[TEMPLATES_MAX][48];
    struct {
        const char *path;
        struct http_page *page;
    } assets[ASSETS_MAX];
    pthread_mutex_t lock; /* guests */
    struct dock_guest guests[GUESTS];
};

/* One request, on a helper's thread. */
struct dock_call {
    struct warehouse_server *server;
    struct exchange *x;
    struct db *db; /* the thread's reader, inside a transaction */
    struct str params[CALL_PARAMS_MAX];
    struct warehouse_json json; /* of the people's API */
    char csrf[65];              /* of the session; empty: none */
};

/* ---- Answers (warehouse_server.c) ---- */

/* Text that was printed into OUT, which is closed. */
void dock_answer(struct dock_call *call, int status, struct str type, struct buf *out);
void dock_json(struct dock_call *call, int status, struct buf *out);
/* {"error": CODE, "text": TEXT} */
void dock_error(struct dock_call *call, int status, const char *code, const char *text);
/* What an act's ERR means on HTTP. */
int dock_status(int err);
/* 303 to PATH. */
void dock_go(struct dock_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Has the writer do ACT. The reporter is told. */
int dock_act(struct dock_call *call, struct warehouse_act *act, struct failure *failure);

/* ---- Who (warehouse_login.c) ---- */
bool dock_login_is_bearer(const struct exchange *x, const char *token);
/* A session's cookie; fills call->csrf. */
bool dock_login_has_session(struct dock_call *call);
/* An unsafe request that one of our own pages asked for: its origin and its form's token. */
bool dock_login_is_own_form(struct dock_call *call);
void dock_login_page(struct dock_call *call);
void dock_login_enter(struct dock_call *call);
void dock_login_leave(struct dock_call *call);

/* ---- The shop's door (warehouse_door.c) ---- */
void dock_take_orders(struct dock_call *call);
void dock_take_cancels(struct dock_call *call);
void dock_take_fence(struct dock_call *call);

/* ---- The people's API (warehouse_api.c, warehouse_ledger.c) ---- */
void dock_api_status(struct dock_call *call);
void dock_api_order_list(struct dock_call *call);
void dock_api_order(struct dock_call *call);
void dock_api_order_act(struct dock_call *call);
void dock_api_parcel_act(struct dock_call *call);
void dock_api_goods_act(struct dock_call *call);
void dock_api_report_act(struct dock_call *call);
void dock_api_stock(struct dock_call *call);
void dock_api_reports(struct dock_call *call);
void dock_api_refused(struct dock_call *call);
void dock_api_check(struct dock_call *call);
void dock_api_ledger(struct dock_call *call);

/* ---- Pages (warehouse_page*.c) ---- */

struct value *dock_page_root(struct dock_call *call, const char *title, const char *here);
void dock_page_show(struct dock_call *call, int status, const char *template, struct value *root);
/* A page that says what went wrong. */
void dock_page_problem(struct dock_call *call, int status, const char *text);
void dock_page_when(struct value *map, const char *key, int64_t wall_ms);

void dock_page_orders(struct dock_call *call);
void dock_page_order(struct dock_call *call);
void dock_page_order_act(struct dock_call *call);
void dock_page_slip(struct dock_call *call);
void dock_page_scan(struct dock_call *call);
void dock_page_parcel_act(struct dock_call *call);
void dock_page_stock(struct dock_call *call);
void dock_page_item(struct dock_call *call);
void dock_page_goods_act(struct dock_call *call);
void dock_page_product(struct dock_call *call);
void dock_page_reports(struct dock_call *call);
void dock_page_report_act(struct dock_call *call);

#endif

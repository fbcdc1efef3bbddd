#include "outside/outbox_warehouse.h"

#include "base/check.h"
#include "outside/warehouse_token.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MEMORY = 16 * 1024 * 1024,  /* of the list of warehouses, or of one order */
    BODY_MAX = 4 * 1024 * 1024, /* of a batch; an order more than that goes the next time */
    BODY_USUAL = 1024 * 1024,
    BATCH_MAX = 100,
    URL_MAX = 1024,
    PIN_MAX = 128,
};

struct outbox_warehouse {
    struct outbox_sender sender;
    struct outbox_warehouse_config config;
    struct arena arena;
};

/* A request on its way, with what is lent to it. */
struct delivery {
    struct transfer transfer;
    struct transfer_trust trust;
    struct outbox_send *first;
    struct buf body;
    char url[URL_MAX], pin[PIN_MAX], fence[FENCE_TEXT_SIZE];
    char authorization[WAREHOUSE_TOKEN_TEXT + 8];
};

static void tell(struct outbox_send *first, enum outbox_sent sent, const char *why)
{
    while (first != NULL) {
        struct outbox_send *next = first->next;
        first->done(first, &(struct outbox_said){.sent = sent, .text = str_of(why)});
        first = next;
    }
}

static void delivery_free(struct delivery *delivery)
{
    buf_close(&delivery->body);
    free(delivery);
}

/* The transfers' thread. */
static void delivered(struct transfer *transfer)
{
    struct delivery *delivery = CONTAINER_OF(transfer, struct delivery, transfer);
    outbox_warehouse_tell(delivery->first, &(struct outbox_warehouse_answer){
                                               .err = transfer->err,
                                               .status = transfer->status,
                                               .why = str_of(transfer->failure.text),
                                               .body = transfer->answer,
                                               .retry_after_s = transfer->retry_after_s});
    delivery_free(delivery);
}

static int find(struct outbox_warehouse *self, const char *lane, struct warehouse *found)
{
    const struct outbox_view *view = self->config.view;
    struct str id = str_from(str_of(lane), sizeof "warehouse/" - 1);
    struct warehouse *list;
    unsigned count = 0;
    arena_reset(&self->arena);
    int err = view->warehouses(view->context, &self->arena, &list, &count);
    for (unsigned i = 0; err == 0 && i < count; i++) {
        *found = list[i];
        if (str_eq(found->id, id))
            return 0;
    }
    return err != 0 ? err : ERR_NOTFOUND;
}

static void add_header(struct transfer *transfer, const char *name, const char *value)
{
    transfer->headers[transfer->header_count++] =
        (struct transfer_header){str_of(name), str_of(value)};
}

/* To PATH at WAREHOUSE; without a body as yet. */
static struct delivery *delivery_new(struct outbox_warehouse *self, struct outbox_send *first,
                                     const struct warehouse *warehouse, const char *path)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    struct str url = warehouse->url;
    char token[WAREHOUSE_TOKEN_TEXT];
    if (delivery == NULL)
        return NULL;
    while (url.len > 0 && url.at[url.len - 1] == '/')
        url.len--;
    delivery->first = first;
    buf_init(&delivery->body, BODY_MAX);
    snprintf(delivery->url, sizeof delivery->url, "%.*s%s", STR_FMT(url), path);
    str_copy(delivery->pin, sizeof delivery->pin, warehouse->pin);
    warehouse_token(self->config.secret, warehouse->id, warehouse->token, token);
    snprintf(delivery->authorization, sizeof delivery->authorization, "Bearer %s", token);
    fence_write(first->fence, delivery->fence);
    delivery->trust = (struct transfer_trust){
        .authority_file = self->config.authority_file,
        .pin = delivery->pin[0] != 0 ? delivery->pin : NULL,
    };
    delivery->transfer.url = str_of(delivery->url);
    delivery->transfer.trust = &delivery->trust;
    delivery->transfer.done = delivered;
    add_header(&delivery->transfer, "Authorization", delivery->authorization);
    add_header(&delivery->transfer, "Stoa-Fence", delivery->fence);
    return delivery;
}

static void start(struct outbox_warehouse *self, struct delivery *delivery)
{
    int err = transfer_start(self->config.transfers, &delivery->transfer);
    if (err == 0)
        return; /* it may be answered and gone by now */
    tell(delivery->first, OUTBOX_SENT_AWAY, err_sentence(err));
    delivery_free(delivery);
}

/* What warehouse a batch is for; NULL: it was told why it cannot go. */
static struct delivery *begin_delivery(struct outbox_warehouse *self, struct outbox_send *first,
                                       const char *path)
{
    struct warehouse warehouse;
    int err = find(self, first->lane, &warehouse);
    if (err == 0 && warehouse.url.len == 0)
        err = ERR_NOTFOUND;
    struct delivery *delivery = err == 0 ? delivery_new(self, first, &warehouse, path) : NULL;
    if (delivery == NULL)
        tell(first, OUTBOX_SENT_AWAY,
             err == ERR_NOTFOUND ? "no address is known for it" : "no memory to send it");
    return delivery;
}

static void announce(void *context, struct outbox_send *send)
{
    struct outbox_warehouse *self = context;
    struct delivery *delivery = begin_delivery(self, send, "/v1/fence");
    if (delivery == NULL)
        return;
    delivery->transfer.method = STR("PUT");
    start(self, delivery);
}

/* Into the body; false: it does not go with this batch, and was told why. */
static bool put_row(struct outbox_warehouse *self, struct buf *body, struct outbox_send *send)
{
    const struct outbox_view *view = self->config.view;
    struct order order;
    size_t before = body->len;
    arena_reset(&self->arena);
    int err = view->order(view->context, &self->arena, send->row->order, &order);
    if (err == ERR_NOTFOUND) {
        send->done(send, &(struct outbox_said){.sent = OUTBOX_SENT_NEVER,
                                               .text = STR("its order is not there")});
        return false;
    }
    if (err == 0 && before < BODY_USUAL) {
        buf_puts(body, body->at[before - 1] == '[' ? "" : ",");
        outbox_warehouse_put(body, send->row, &order);
        if (!body->failed)
            return true;
        err = ERR_NOMEM;
        body->len = before;
        body->failed = false;
    }
    send->done(send, &(struct outbox_said){.sent = OUTBOX_SENT_LATER,
                                           .text = err != 0 ? str_of(err_sentence(err))
                                                            : STR("it goes with the next batch"),
                                           .lines = NULL});
    return false;
}

/* The body of what is in the batch; those that are left out were told why. */
static void put_rows(struct outbox_warehouse *self, struct delivery *delivery)
{
    struct outbox_send *send = delivery->first, **last = &delivery->first;
    buf_puts(&delivery->body, send->row->kind == OUTBOX_SHIP ? "{\"orders\":[" : "{\"cancels\":[");
    while (send != NULL) {
        struct outbox_send *next = send->next;
        if (put_row(self, &delivery->body, send)) {
            *last = send;
            last = &send->next;
        }
        send = next;
    }
    *last = NULL;
    buf_puts(&delivery->body, "]}");
}

static void begin(void *context, struct outbox_send *first)
{
    struct outbox_warehouse *self = context;
    const char *path = first->row->kind == OUTBOX_SHIP ? "/v1/orders" : "/v1/cancels";
    struct delivery *delivery = begin_delivery(self, first, path);
    if (delivery == NULL)
        return;
    put_rows(self, delivery);
    if (delivery->first == NULL) {
        delivery_free(delivery);
        return;
    }
    delivery->transfer.method = STR("POST");
    delivery->transfer.body = buf_text(&delivery->body);
    add_header(&delivery->transfer, "Content-Type", "application/json");
    crash_here(self->config.crash, CRASH_outbox_shipping);
    if (!delivery->body.failed) {
        start(self, delivery);
        return;
    }
    tell(delivery->first, OUTBOX_SENT_AWAY, "no memory to send it");
    delivery_free(delivery);
}

int outbox_warehouse_new(const struct outbox_warehouse_config *config,
                         struct outbox_warehouse **out)
{
    struct outbox_warehouse *self = calloc(1, sizeof *self);
    if (self == NULL)
        return ERR_NOMEM;
    self->config = *config;
    self->sender = (struct outbox_sender){.name = "warehouse",
                                          .context = self,
                                          .begin = begin,
                                          .announce = announce,
                                          .batch_max = BATCH_MAX,
                                          .at_once = 1};
    arena_init(&self->arena, MEMORY);
    *out = self;
    return 0;
}

void outbox_warehouse_free(struct outbox_warehouse *self)
{
    if (self == NULL)
        return;
    arena_close(&self->arena);
    free(self);
}

const struct outbox_sender *outbox_warehouse_sender(const struct outbox_warehouse *self)
{
    return &self->sender;
}

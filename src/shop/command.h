/* Commands: the changes to the shop, as binary records; and their results.
 *
 * A face (web/, import) fills a struct command and encodes it; the record travels
 * through the log; each server decodes and applies it (shop/shop.h) and the one
 * that was asked gives the result record back to the face. A command contains no
 * time, no random number and no SQL, and means the same on each server.
 *
 * Idempotence. A command may carry
 *  - an operation id: stamped by the server (or load manager) that took the request;
 *    a second command with the same id changes nothing and gives the first outcome;
 *  - a client's Idempotency-Key as two hashes (scope and key, request body): the same
 *    key and body give the very same result record again for 24 h, the same key with
 *    another body gives ERR_CONFLICT.
 *
 * Thread: any; nothing is shared.
 */
#ifndef STOA_SHOP_COMMAND_H
#define STOA_SHOP_COMMAND_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "shop/model.h"

/* Name, and what it does (for docs and logs). The order is the record's type number:
 * only ever append. */
#define COMMAND_LIST(X)                                                                 \
    X(PRODUCT_PUT, "create or replace a product and its variants")                      \
    X(PRODUCT_RETIRE, "stop selling a product")                                         \
    X(VARIANT_RETIRE, "stop selling one variant")                                       \
    X(PRICE_SET, "set a variant's price")                                               \
    X(STOCK_RECEIVE, "goods have arrived")                                              \
    X(STOCK_ADJUST, "correct the count of goods on hand")                               \
    X(CART_PUT, "create a cart or replace its content")                                 \
    X(CART_ADD, "add a quantity of one item to a cart, creating it if need be")         \
    X(CART_SET, "set the quantity of one item in a cart; 0 takes it out")               \
    X(CART_CANCEL, "cancel a cart")                                                     \
    X(CHECKOUT_CREATE, "begin a checkout, from a cart or directly")                     \
    X(CHECKOUT_UPDATE, "replace a checkout's content")                                  \
    X(CHECKOUT_HOLD, "complete, first half: hold the goods of a checkout")              \
    X(CHECKOUT_CONFIRM, "complete, second half: the hold becomes an order")             \
    X(CHECKOUT_RELEASE, "give the goods of a hold back (payment refused)")              \
    X(CHECKOUT_CANCEL, "cancel a checkout")                                             \
    X(EXPIRE, "remove what is past its time, up to a number of things")                 \
    X(SETTINGS_PUT, "set the shop's name, currency and terms")                          \
    X(DISCOUNT_PUT, "create or replace a discount")                                     \
    X(SHIPPING_RATE_PUT, "create or replace a shipping rate")                           \
    X(TAX_RATE_PUT, "create or replace a tax rate")                                     \
    X(IMPORT_STAGE, "keep a chunk of an import's products aside")                       \
    X(IMPORT_COMMIT, "decide that a staged import happens")                             \
    X(IMPORT_STEP, "move some staged products of a decided import into the catalogue")  \
    X(IMPORT_ABORT, "drop a staged import")                                             \
    X(REGISTRY_PUT, "set or remove an entry of the cluster's registry")                 \
    X(CHECKOUT_CLAIM, "complete: the primary takes an overdue hold over from its home") \
    X(ORDER_CANCEL, "cancel what of an order is not shipped yet")                       \
    X(ORDER_SHIP, "a parcel has left (shops without a warehouse)")                      \
    X(ORDER_DELIVER, "a parcel has arrived")                                            \
    X(ORDER_RETURN, "goods of an order came back")                                      \
    X(ORDER_REFUND, "give some of an order's price back")                               \
    X(WAREHOUSE_PUT, "create or change a warehouse")                                    \
    X(WAREHOUSE_REPORT, "what a warehouse tells: shipped, arrived, counted, …")         \
    X(OUTBOX_DONE, "what became of things that left the cluster")                       \
    X(ORDER_RETRY, "have the bank asked once more for what it could not do")            \
    X(ORDER_REFUND_FAILED, "the bank could not give back what it said it had")

enum command_type {
    COMMAND_NONE,
#define X(name, about) COMMAND_##name,
    COMMAND_LIST(X)
#undef X
        COMMAND_TYPE_COUNT
};
const char *command_name(enum command_type type);

/* Whether applying it a second time could do more than the first did, or would be told as if it
 * had not been done: such a command needs an operation id whenever it may be sent again, as when
 * the primary changes. The others are made once by their object's own id and state (a checkout's,
 * its attempt to pay, a chunk of an import), or go on where they stood (EXPIRE, IMPORT_STEP). */
bool command_once(enum command_type type);

/* What must be there for REGISTRY_PUT to do something; else it is refused with ERR_CONFLICT. */
enum registry_condition {
    REGISTRY_ANY,    /* whatever */
    REGISTRY_ABSENT, /* no entry of this key */
    REGISTRY_SAME,   /* one with the value that is expected */
};

enum idempotency_mode {
    IDEMPOTENCY_NONE,
    IDEMPOTENCY_FULL,  /* look for an earlier result; keep this one */
    IDEMPOTENCY_CHECK, /* look for an earlier result, keep a refusal (first half of completing) */
    IDEMPOTENCY_KEEP,  /* keep this one (second half) */
};

struct command_line {
    struct str item_key; /* variant key, SKU, or handle of a product with one variant */
    uint32_t quantity;
    uint32_t line_id; /* 0: new */
};

/* What a face may set of a cart or checkout; replaces the whole. */
struct basket_input {
    struct command_line *lines;
    unsigned line_count;
    struct buyer buyer;
    struct str context_country, context_region, context_postal_code;
    struct str codes[SHOP_CODES_MAX];
    unsigned code_count;
};

struct checkout_input {
    struct id id;
    struct id cart_id; /* create: zero or the cart whose content wins */
    bool has_basket;   /* update: false keeps lines, buyer, context and codes */
    struct basket_input basket;
    bool has_fulfillment; /* update: false keeps destinations and selection */
    struct address destinations[SHOP_DESTINATIONS_MAX];
    unsigned destination_count;
    struct str selected_destination; /* an address id, or empty: the only one */
    struct str selected_rate;        /* a rate's key, or empty: the cheapest is taken */
    struct str platform;             /* profile address of the platform that asks, or empty; kept
                                        once it is known */
};

/* What is to happen to an order that was placed. */
struct order_change {
    struct id id;
    struct order_quantity
        *lines; /* none: all that is left (CANCEL, SHIP), of the parcel (DELIVER) */
    unsigned line_count;
    struct parcel parcel; /* SHIP, DELIVER; a parcel's id is taken once */
    int64_t amount;       /* REFUND: how much. RETURN: -1: what was paid for the lines */
    bool restock;         /* RETURN */
    struct str reference; /* REFUND_FAILED: the bank's, of the refund */
    struct str actor;     /* as in struct order_event */
    struct str text;      /* the reason */
};

enum report_kind {
    REPORT_SHIPPED,   /* change: id, lines, parcel */
    REPORT_DELIVERED, /* change: id, parcel */
    REPORT_RETURNED,  /* change: id, lines, restock, text */
    REPORT_SHORT,     /* change: id, lines, text: it has not got them after all */
    REPORT_ARRIVED,   /* item, quantity, text */
    REPORT_COUNTED,   /* item, quantity: on hand there, what is to be shipped included; text */
    REPORT_PRODUCT,   /* product: created or changed; its set_stock is refused: goods arrive */
};

/* One report of a warehouse. Idempotent by (warehouse, epoch, sequence). */
struct warehouse_report {
    struct str warehouse;
    struct id epoch;
    uint64_t sequence; /* from 1, without gaps */
    enum report_kind kind;
    struct order_change change;
    struct str item; /* variant key or SKU */
    int64_t quantity;
    struct str text;
    struct product product;
};

enum { OUTBOX_ANSWERS_MAX = 100 };

struct command {
    enum command_type type;
    struct id operation; /* zero: none */
    enum idempotency_mode idempotency;
    unsigned char idempotency_key[16], idempotency_body[16];
    struct server_set home; /* CART_PUT, CART_ADD, CART_SET: of the shopper; kept with the cart */

    union {
        struct product product; /* PRODUCT_PUT */
        struct str key;         /* PRODUCT_RETIRE: handle. VARIANT_RETIRE: key */
        struct {                /* PRICE_SET, STOCK_RECEIVE, STOCK_ADJUST */
            struct str key;     /* variant key or SKU */
            int64_t value;      /* price; number arrived (> 0); difference */
            int64_t compare_at; /* PRICE_SET: 0 none, -1 as it is */
            struct str note;    /* delivery note, reason */
        } item;
        struct { /* CART_PUT */
            struct id id;
            bool must_exist; /* false: create it if need be */
            struct basket_input basket;
        } cart_put;
        struct { /* CART_ADD, CART_SET */
            struct id id;
            struct str item_key;
            uint32_t quantity;
        } cart_item;
        struct id id;                   /* CART_CANCEL, CHECKOUT_CANCEL */
        struct checkout_input checkout; /* CHECKOUT_CREATE, CHECKOUT_UPDATE */
        struct {                        /* CHECKOUT_HOLD, _CONFIRM, _RELEASE */
            struct id id;
            struct payment payment; /* HOLD: how; CONFIRM: reference; RELEASE: error */
            uint32_t attempt;       /* CONFIRM, RELEASE: the checkout's, as HOLD gave it,
                                       so that what comes late from an earlier attempt
                                       does no harm; 0: whichever */
            int64_t expected_total; /* HOLD: what the shopper agreed to; -1: whatever the
                                       checkout says */
            bool claimed;           /* CONFIRM, RELEASE: after CHECKOUT_CLAIM, by the primary */
        } complete;                 /* CHECKOUT_CLAIM: id and attempt */
        uint64_t limit;             /* EXPIRE: at most so many things */
        struct shop_settings settings;
        struct discount discount;
        struct shipping_rate rate;
        struct tax_rate tax;
        struct { /* IMPORT_* */
            struct id id;
            uint64_t sequence;   /* STAGE: of the chunk, from 0. COMMIT: how many */
            struct str products; /* STAGE: product records, one after the other
                                    (command_put_product), ≤ 200 KiB */
            uint64_t limit;      /* STEP: at most so many products */
        } import;
        struct {                   /* REGISTRY_PUT; see shop/registry.h */
            struct str key, value; /* value empty: removes the entry */
            enum registry_condition condition;
            struct str expected; /* REGISTRY_SAME */
        } registry;
        struct order_change order;  /* ORDER_* */
        struct warehouse warehouse; /* WAREHOUSE_PUT */
        struct warehouse_report report;
        struct { /* OUTBOX_DONE */
            struct outbox_answer *answers;
            unsigned count; /* ≤ OUTBOX_ANSWERS_MAX */
        } outbox;
    };
};

/* Appends the record of COMMAND to OUT (which shows `failed` when it is too long). */
void command_encode(struct buf *out, const struct command *command);

/* Reads a record; strings are lent from RECORD, arrays from ARENA. ERR_INVALID for
 * what is no command, ERR_UNSUPPORTED for one that only a later program knows, ERR_NOMEM. */
int command_decode(struct arena *arena, struct str record, struct command *command);

/* One product as IMPORT_STAGE wants it, and back (advances *RECORDS). */
void command_put_product(struct buf *out, const struct product *product);
int command_get_product(struct arena *arena, struct str *records, struct product *product);

/* ---- Results ---- */

/* Err 0 with the object after the change, or an error with a sentence. Some errors
 * come with the object too (ERR_SHORT: the checkout with its messages). */
enum result_kind { RESULT_NONE, RESULT_CART, RESULT_CHECKOUT, RESULT_ORDER, RESULT_NUMBER };

struct result {
    int err;
    bool replayed;   /* an earlier result under the same Idempotency-Key */
    struct str text; /* what was wrong and what to do; empty on success */
    enum result_kind kind;
    union {
        struct cart cart;
        struct checkout checkout;
        struct order order;
        uint64_t number; /* of things expired, of products moved, … */
    };
};

void result_encode(struct buf *out, const struct result *result);
int result_decode(struct arena *arena, struct str record, struct result *result);
/* The result's err alone, without reading its object; *TEXT is lent from RECORD. */
int result_err(struct str record, struct str *text);

#endif

/* The shop's things, as plain structs: products, carts, checkouts, orders.
 *
 * Used by the rules (shop/), by the faces (web/) and by import. Money is a signed
 * 64-bit integer in minor units (cents) of the shop's one currency. Times are
 * milliseconds since 1970 UTC, always log time (the primary's stamp), never a
 * server's own clock. Strings are lent: they live in the arena that the struct was
 * read into. Text is UTF-8.
 *
 * Bounds: see the enum; what passes them is refused with a message, never cut.
 */
#ifndef STOA_SHOP_MODEL_H
#define STOA_SHOP_MODEL_H

#include "base/id.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SHOP_OPTIONS_MAX = 3,      /* option axes of a product: size, colour, … */
    SHOP_VARIANTS_MAX = 250,   /* per product */
    SHOP_PICTURES_MAX = 100,   /* per product */
    SHOP_TAGS_MAX = 100,       /* per product */
    SHOP_LINES_MAX = 100,      /* per cart or checkout */
    SHOP_QUANTITY_MAX = 10000, /* per line */
    SHOP_CODES_MAX = 10,       /* discount codes per cart or checkout */
    SHOP_APPLIED_MAX = 16,     /* discounts applied at once */
    SHOP_DESTINATIONS_MAX = 8, /* addresses offered per checkout */
    SHOP_MESSAGES_MAX = 32,
    SHOP_RATES_MAX = 16, /* shipping options offered per destination */
    SHOP_TOTALS_MAX = 16,
    SHOP_SERVERS_MAX = 4,  /* of a shopper: home and away */
    SHOP_TEXT_MAX = 1000,  /* a title, name, address line */
    SHOP_HTML_MAX = 60000, /* a description */
    SHOP_KEY_MAX = 255,    /* handle, variant key, SKU, code */
};
/* Goods are held for 3 hours at most. A bank forgets keys after a day, and whoever settles an
 * overdue hold knows when it ended, not when its payment was begun: it believes the keys for 20
 * hours from there (outside/bank_stripe.c), and the longest hold still leaves an hour for clocks
 * that differ. */
#define SHOP_HOLD_MAX_MS (3ll * 3600 * 1000)
/* No price, and no total, is above this; sums of a checkout cannot overflow. */
#define SHOP_MONEY_MAX 1000000000000ll

/* ---- Catalogue ---- */

struct picture {
    struct str url; /* absolute, or "/pictures/…", "/media/…" of this server */
    struct str alt;
};

struct variant {
    uint64_t id;    /* given by the shop; 0 in a command: not known yet */
    struct str key; /* unique, stable, for URLs and UCP item ids: the product's handle when it has
                       one variant without options, else "handle~blue-large" */
    struct str sku; /* may be empty; not necessarily unique */
    struct str barcode;
    struct str options[SHOP_OPTIONS_MAX]; /* values, in the order of product.option_names */
    int64_t price;
    int64_t compare_at; /* 0: none */
    int64_t grams;
    bool tracked;       /* false: never runs out */
    bool sell_when_out; /* backorders: sells below 0 ("continue selling") */
    bool taxable;
    bool needs_shipping;
    int32_t picture;    /* index in product.pictures, -1: none of its own */
    bool set_stock;     /* in a command: make `available` so */
    int64_t available;  /* on hand and neither held nor sold */
    int64_t held, sold; /* read only */
    bool retired;       /* read only */
};

struct product {
    uint64_t id;       /* given by the shop */
    struct str handle; /* unique: [a-z0-9-_], from the CSV or the title */
    struct str title, html, vendor, category, seo_title, seo_description;
    struct str category_slug; /* read only: its page's address */
    struct str tags[SHOP_TAGS_MAX];
    unsigned tag_count;
    struct str option_names[SHOP_OPTIONS_MAX]; /* count 0: one variant without options */
    unsigned option_count;
    bool published;
    bool retired; /* read only: no longer sold, kept for old orders and links */
    struct picture *pictures;
    unsigned picture_count;
    struct variant *variants; /* in order; retired ones left out by readers unless asked */
    unsigned variant_count;
    int64_t created_ms, updated_ms;
    uint64_t changed_index; /* of the last entry that touched it or its stock */
};

/* What a list shows. */
struct product_card {
    uint64_t id;
    struct str handle, title, vendor, category;
    struct picture picture;
    int64_t price_min, price_max, compare_at; /* compare_at of the cheapest variant, 0: none */
    bool available;
    unsigned variant_count;
    struct str variant_key; /* of the first variant */
};

struct category {
    struct str name, slug;
    uint64_t products;
    struct picture picture; /* of its first product */
};

/* ---- Money ---- */

enum total_type {
    TOTAL_SUBTOTAL,
    TOTAL_ITEMS_DISCOUNT, /* negative */
    TOTAL_DISCOUNT,       /* negative: on the whole, or on shipping */
    TOTAL_FULFILLMENT,
    TOTAL_TAX, /* with tax included in prices: shown, not added (see settings) */
    TOTAL_FEE,
    TOTAL_TOTAL,
};
const char *total_type_name(enum total_type type); /* "subtotal", … as UCP writes them */

struct total {
    enum total_type type;
    struct str text; /* to be displayed: "Shipping" */
    int64_t amount;
    bool included; /* a tax that the prices contain already: shown, not added to the total */
};

enum discount_type { DISCOUNT_PERCENT, DISCOUNT_FIXED, DISCOUNT_FREE_SHIPPING };

/* A discount rule: with a code, or automatic (code empty). */
struct discount {
    struct str key;  /* unique: the code in upper case, or an id of its own when automatic */
    struct str code; /* as shown; compared without regard to case; empty: automatic */
    enum discount_type type;
    int64_t value; /* percent in hundredths (1000 = 10 %), or minor units */
    int64_t min_subtotal;
    struct str item_keys[32]; /* variant keys or handles it needs; none: any */
    unsigned item_count;
    struct str title;
    int64_t starts_ms, ends_ms; /* 0: no bound */
    bool enabled;
};

struct discount_applied {
    struct str key, code, title;
    int64_t amount; /* positive */
    bool automatic;
    bool on_shipping;
    bool percent;   /* taken of each line ("each" in UCP); else spread over the lines ("across") */
    int64_t *parts; /* what each line gets of it, in the order of the lines; the parts add up to
                       amount. NULL when on shipping */
    unsigned part_count;
};

struct shipping_rate {
    struct str key;     /* unique: "std-ship" */
    struct str country; /* ISO 3166-1 alpha-2, or "default" for where nothing else matches the same
                           service level */
    struct str region;  /* may be empty */
    struct str level;   /* service level: "standard", "express" */
    struct str title, description;
    int64_t price;
    int64_t full_price; /* read only, in checkouts: without free shipping; price is what is due */
    bool enabled;
};

struct tax_rate {
    struct str country, region; /* region empty: whole country; country "default": elsewhere */
    int64_t ppm;                /* 190000 = 19 % */
    bool included;              /* prices contain it already */
    bool on_shipping;
    struct str title; /* "VAT", "Sales tax" */
};

struct shop_settings {
    struct str name, currency; /* ISO 4217 */
    struct str country;        /* for estimates when no destination is known */
    int64_t hold_ms;           /* how long a hold stands before it is settled; 5 minutes,
                                  at most SHOP_HOLD_MAX_MS */
    int64_t checkout_ttl_ms;   /* 6 hours */
    int64_t cart_ttl_ms;       /* 30 days */
    struct str terms_url, privacy_url, refund_url;
    bool capture_at_once; /* take the money with the order, not with its first parcel */
    bool mail;            /* tell shoppers by e-mail what happens to their orders */
};

/* ---- Cart and checkout ---- */

struct line {
    uint32_t line_id;    /* stable within its cart or checkout, from 1 */
    uint64_t variant_id; /* 0: no such item (kept so that a message can point at it) */
    struct str item_key; /* as asked for; the variant's key when found */
    uint32_t quantity;
    struct str title;       /* product title */
    struct str option_text; /* "Blue / Large", or empty */
    struct str handle, sku;
    struct str picture_url;
    int64_t unit_price;
    int64_t subtotal, discount, tax, total; /* discount positive; total = subtotal − discount (+tax
                                               is in the whole's totals only) */
    bool needs_shipping, taxable;
    /* Orders only, as of the last event; shipped + canceled ≤ quantity, returned ≤ shipped. */
    uint32_t fulfilled; /* shipped */
    uint32_t canceled, returned;
};

struct buyer {
    struct str email, phone, first_name, last_name;
};

struct address {
    struct str id; /* platform's or ours ("dest_1") */
    struct str first_name, last_name, phone;
    struct str street, extended, locality, region, postal_code, country;
};

enum message_type { MESSAGE_ERROR, MESSAGE_WARNING, MESSAGE_INFO };
enum message_severity {
    SEVERITY_NONE,
    SEVERITY_RECOVERABLE,
    SEVERITY_BUYER_INPUT,
    SEVERITY_BUYER_REVIEW,
    SEVERITY_UNRECOVERABLE,
};

struct message {
    enum message_type type;
    enum message_severity severity;
    struct str code; /* "out_of_stock", "missing_destination", … */
    struct str path; /* RFC 9535 JSONPath into the UCP object, may be empty */
    struct str content;
};

enum checkout_status {
    CHECKOUT_INCOMPLETE,
    CHECKOUT_ESCALATION, /* requires_escalation */
    CHECKOUT_READY,      /* ready_for_complete */
    CHECKOUT_PAYING,     /* complete_in_progress: its goods are held */
    CHECKOUT_COMPLETED,
    CHECKOUT_CANCELED,
};
const char *checkout_status_name(enum checkout_status status); /* as UCP writes them */

/* A cart is the first half of a checkout: both share this. */
struct basket {
    struct line *lines;
    unsigned line_count;
    struct buyer buyer;
    struct str context_country, context_region, context_postal_code;
    struct str codes[SHOP_CODES_MAX];
    unsigned code_count;
    struct discount_applied applied[SHOP_APPLIED_MAX];
    unsigned applied_count;
    struct total totals[SHOP_TOTALS_MAX];
    unsigned total_count;
    struct message messages[SHOP_MESSAGES_MAX];
    unsigned message_count;
};

/* Who serves a shopper: home first, then those that take over. Rules look at nothing of it. */
struct server_set {
    unsigned count; /* 0: not known */
    uint64_t servers[SHOP_SERVERS_MAX];
};

struct cart {
    struct id id;
    uint64_t version; /* grows with each change */
    bool canceled;
    struct id checkout_id; /* zero: not converted (yet) */
    int64_t created_ms, updated_ms, expires_ms;
    struct server_set home;
    struct basket basket;
};

struct payment {
    struct str handler_id, instrument_id, type, brand, last_digits; /* never a credential */
    struct str reference; /* the bank's, after it authorised */
    struct str error;     /* why it was refused, last time */
};

struct checkout {
    struct id id;
    struct id cart_id; /* zero: made directly */
    uint64_t version;
    enum checkout_status status;
    int64_t created_ms, updated_ms, expires_ms, hold_until_ms;
    struct basket basket;
    bool needs_shipping;
    struct address destinations[SHOP_DESTINATIONS_MAX];
    unsigned destination_count;
    int selected_destination;                   /* -1: none */
    struct shipping_rate rates[SHOP_RATES_MAX]; /* for the selected destination */
    unsigned rate_count;
    struct str selected_rate; /* a rate's key, or empty */
    struct payment payment;
    uint32_t attempt;      /* of paying: how often its goods were held, the present one included */
    uint64_t cart_version; /* of the cart, when its content was last taken */
    uint64_t order_number; /* 0: no order yet; the order's id is the checkout's id */
    bool claimed;          /* PAYING: the primary settles it; its home may not end it any more */
    struct str platform;   /* profile address of the platform that made it (UCP-Agent), or empty */
};

/* The key under which the bank is asked about the present attempt to pay: the checkout's id for
 * the first one, changed for those after a refusal, as the bank gives its first answer to a key
 * for ever. Whoever takes over a checkout that is being paid finds the same key. */
struct id checkout_payment_key(const struct checkout *checkout);

/* ---- Orders ----
 *
 * An order is an immutable record, written when it was placed, and the events that happened to it
 * since (shop/order_events.h): what it is now is the fold of both. */

enum order_status { ORDER_PLACED, ORDER_PARTLY_SHIPPED, ORDER_SHIPPED, ORDER_CANCELED };
const char *order_status_name(enum order_status status);

/* Where its money is. CAPTURING, CANCELING: the bank is asked (a row is in the outbox). */
enum payment_state {
    PAYMENT_NONE, /* nothing to pay */
    PAYMENT_AUTHORISED,
    PAYMENT_CAPTURING,
    PAYMENT_CAPTURED,
    PAYMENT_CANCELING,
    PAYMENT_CANCELED,
    PAYMENT_FAILED, /* the bank cannot do it; a person has to look, and may have it asked again */
};
const char *payment_state_name(enum payment_state state);

enum {
    ORDER_EVENTS_MAX = 1000, /* of one order */
    SHOP_WAREHOUSES_MAX = 64,
    SHOP_WAREHOUSE_ID_MAX = 63, /* [a-z0-9-] */
};

/* Banks let go what they have reserved after 7 days: an order that was not sent by then is captured
 * a day before. */
#define ORDER_LAPSES_MS (6ll * 24 * 3600 * 1000)

struct order_quantity {
    uint32_t line_id, quantity;
};

struct parcel {
    struct id id; /* given by whoever ships it */
    struct str warehouse, carrier, tracking, tracking_url;
};

/* Name; whether platforms and the shopper are told (webhook, mail); what it means. The order is
 * the record's number: only ever append. */
#define ORDER_EVENT_LIST(X)                                                          \
    X(PLACED, true, "it was bought")                                                 \
    X(SHIPPED, true, "a parcel with these lines left a warehouse")                   \
    X(DELIVERED, true, "a parcel has arrived")                                       \
    X(CANCEL_ASKED, false, "these lines are to be canceled; the warehouse is asked") \
    X(CANCELED, true, "these lines will not come")                                   \
    X(CANCEL_REFUSED, true, "it was too late to cancel these lines")                 \
    X(RETURNED, true, "these lines came back")                                       \
    X(CREDITED, false, "so much of the price was given up by the shop")              \
    X(CAPTURE_BEGUN, false, "the bank is asked to take the money")                   \
    X(CAPTURED, false, "the bank has taken the money")                               \
    X(PAYMENT_FAILED, false, "the bank cannot take the money")                       \
    X(PAYMENT_CANCEL_BEGUN, false, "the bank is asked to let go what it reserved")   \
    X(PAYMENT_CANCELED, false, "the bank has let go what it reserved")               \
    X(REFUND_BEGUN, false, "the bank is asked to give money back")                   \
    X(REFUNDED, true, "money was given back")                                        \
    X(REFUND_FAILED, true, "money could not be given back; a person has to look")    \
    X(RETRIED, false, "the bank is asked once more for what it could not do")        \
    X(RECALLED, false, "others are to ship these lines; their warehouse is asked")   \
    X(GIVEN_UP, false, "their warehouse does not ship these lines any more")         \
    X(KEPT, false, "their warehouse ships these lines itself")                       \
    X(ALLOTTED, false, "another warehouse is to ship these lines")

enum order_event_type {
#define X(name, told, about) ORDER_EVENT_##name,
    ORDER_EVENT_LIST(X)
#undef X
        ORDER_EVENT_COUNT
};
const char *order_event_name(enum order_event_type type); /* "placed", … */
bool order_event_is_told(enum order_event_type type);     /* to platform and shopper */

struct order_event {
    uint32_t number; /* within the order, from 1 (PLACED, which is the record itself) */
    enum order_event_type type;
    int64_t time_ms;
    uint64_t log_index;
    uint64_t epoch;               /* of the shop, when it happened (outside/identity.h) */
    struct id id;                 /* derived from order, epoch and number: Webhook-Id, Message-ID */
    struct str actor;             /* "shopper", "operator", "warehouse/main", "bank", "shop" */
    struct order_quantity *lines; /* those it is about */
    unsigned line_count;
    struct parcel parcel; /* SHIPPED, DELIVERED; else its warehouse alone, where one is meant */
    int64_t amount;       /* of money; CANCELED, RETURNED: what is not owed for it any more */
    uint32_t of;          /* the event that this one answers; 0: none */
    bool restock;         /* RETURNED: back in stock */
    struct str text;      /* reason, reference, error */
};

/* What of an order a warehouse ships. */
struct allotment {
    struct str warehouse;
    uint32_t line_id, quantity, shipped, canceled;
    uint32_t asked, recalled; /* to cancel, to be shipped by others; and not answered yet */
};

struct order {
    struct id id;    /* = its checkout's id: one checkout, one order */
    uint64_t number; /* from the log: 1001, 1002, … without gaps or repeats */
    enum order_status status;
    int64_t placed_ms;
    struct str currency;
    struct basket basket;
    bool needs_shipping;
    struct address destination;
    struct shipping_rate rate;
    struct payment payment;
    struct id payment_key; /* of the attempt that was authorised */
    struct str platform;   /* profile address (UCP-Agent); empty: bought on the pages */
    uint64_t epoch;        /* of the shop, when it was placed */

    /* As of the last event; the first is PLACED, which is the record itself: */
    uint64_t placed_index; /* its log entry */
    struct order_event *events;
    unsigned event_count;
    enum payment_state payment_state;
    int64_t given_up; /* of the total, by what was canceled, returned or credited */
    int64_t capturing, captured, refunding, refunded;
    int64_t unrefunded;           /* the bank could not give it back; the same */
    struct allotment *allotments; /* none: no warehouse; the operator ships it */
    unsigned allotment_count;
};

/* ---- Warehouses ---- */

struct warehouse {
    struct str id, name;
    struct str url;    /* https://…: where the primary sends orders */
    struct str pin;    /* of its public key, "sha256//<base64>", or empty: by the authorities */
    uint32_t position; /* the lowest is the main one: it has what no other has */
    bool closed;       /* gets nothing new; what it has not packed goes to others */
    bool gone;         /* for good: it will ship nothing more, and never be there again */
    bool clearing;     /* what it has to ship is being given to others (shop/warehouse_clear.h) */
    uint64_t cleared;  /* clearing: the last order that was looked at */
    uint32_t token;    /* how often its token was renewed; never becomes less */
    struct id epoch;   /* of its database: reports of another one are refused. In a command: zero
                          keeps the one that is known */
    uint64_t reported; /* read only: number of its last report that was taken */
};

/* ---- Outbox: what is to leave the cluster, in the order in which it was decided ---- */

/* Name, lane; the lane of a warehouse is "warehouse/<id>". */
#define OUTBOX_KIND_LIST(X)                                                 \
    X(CAPTURE, "bank", "take AMOUNT of what was authorised")                \
    X(PAYMENT_CANCEL, "bank", "let go what was authorised")                 \
    X(REFUND, "bank", "give AMOUNT back")                                   \
    X(SHIP, "warehouse", "LINES are to be shipped from here")               \
    X(CANCEL, "warehouse", "LINES are not to be shipped, if that is early") \
    X(WEBHOOK, "webhook", "tell the platform of EVENT")                     \
    X(MAIL, "mail", "tell the shopper of EVENT")

enum outbox_kind {
#define X(name, lane, about) OUTBOX_##name,
    OUTBOX_KIND_LIST(X)
#undef X
        OUTBOX_KIND_COUNT
};
const char *outbox_kind_name(enum outbox_kind kind); /* "capture", … */
const char *outbox_kind_lane(enum outbox_kind kind);

struct outbox_row {
    uint64_t seq; /* grows; never used twice */
    enum outbox_kind kind;
    struct str lane; /* "bank", "warehouse/main", "webhook", "mail" */
    struct id order;
    uint64_t order_number;
    uint32_t event;   /* the order's event that caused it */
    struct id effect; /* derived: the same on each server and at each repeat */
    int64_t amount;
    struct order_quantity *lines;
    unsigned line_count;
    int64_t time_ms; /* log time at which it was decided */
    uint64_t log_index;
};

/* How it ended. What may still succeed stays in the outbox and is no outcome. */
enum outbox_outcome {
    OUTBOX_DELIVERED, /* taken; CANCEL: `lines` says how many of each are canceled */
    OUTBOX_REFUSED,   /* for good; `text` says why */
};

struct outbox_answer {
    uint64_t seq;
    enum outbox_outcome outcome;
    struct order_quantity *lines;
    unsigned line_count;
    struct str text; /* reference, or why not */
};

/* Whether the shopper may ask for ORDER to be canceled: nothing of it was sent, and something of it
 * is neither canceled, nor asked to be, nor refused by its warehouse (order_cancel.c). */
bool order_can_be_canceled(const struct order *order);

/* The basket's entry of TYPE summed, 0 when there is none. */
int64_t basket_total(const struct basket *basket, enum total_type type);

#endif

/* Crowd shopper: one of the crowd: what it clicks next, what it keeps of an answer, and what it
 * says of it. Pure but for the random state: crowd.h sends and waits.
 *
 * Three in four are browsers: pages, forms as browsers send them, cookies, redirects followed. One
 * in four is a program at the public API: a cart of its own, replaced as a whole, with the session
 * token of the last answer; every other one of these sends idempotency keys.
 *
 * A click is one request, or (a form) two: the change, and the page that it leads to. Whatever
 * shows the cart is compared with what the shopper believes (crowd_cart.h).
 */
#ifndef STOA_BENCH_CROWD_SHOPPER_H
#define STOA_BENCH_CROWD_SHOPPER_H

#include "base/id.h"
#include "base/random.h"
#include "bench/crowd_cart.h"
#include "http/client.h"

enum { CROWD_COOKIES = 6, CROWD_COOKIE_NAME = 16, CROWD_VALUE = 160, CROWD_SERVERS = 8 };

struct crowd_cookie {
    char name[CROWD_COOKIE_NAME], value[CROWD_VALUE];
};

/* What is clicked; crowd_act_name. */
enum crowd_act {
    CROWD_HOME,
    CROWD_PRODUCT,
    CROWD_SEARCH,
    CROWD_VIEW, /* the cart */
    CROWD_ADD,
    CROWD_SET,
    CROWD_CHECKOUT,
    CROWD_FOLLOW, /* where a form has led to */
    CROWD_ACTS
};

struct crowd_shopper {
    struct random random;
    unsigned number;
    bool program; /* at the public API */
    struct crowd_cookie cookies[CROWD_COOKIES];
    char cart[ID_TEXT];        /* a program's */
    char session[CROWD_VALUE]; /* a program's token */
    char form_token[80];       /* of the last page of the cart */
    struct crowd_belief belief;

    /* The click under way. */
    enum crowd_act act;
    bool changes;    /* its first request changes the cart, to `wanted` */
    bool shows_cart; /* the page that was asked for */
    struct crowd_lines wanted;
    char location[CROWD_VALUE]; /* where the answer leads to */
    uint64_t server; /* that answered: the number that Stoa-Server ends with; 0: it does not say */
};

struct crowd_request {
    const char *method;
    struct buf *path, *headers, *body; /* empty, to be written */
};

enum crowd_verdict {
    CROWD_DONE,
    CROWD_GO_ON,  /* the click goes on: crowd_shopper_follow */
    CROWD_FAILED, /* not what a shopper may be shown */
};

void crowd_shopper_begin(struct crowd_shopper *shopper, unsigned number, uint64_t seed);

/* The next click. */
void crowd_shopper_click(struct crowd_shopper *shopper, const struct crowd_items *items,
                         struct crowd_request *request);
/* To look at the cart, whatever comes next otherwise. False: it has none. */
bool crowd_shopper_look(struct crowd_shopper *shopper, struct crowd_request *request);
void crowd_shopper_follow(struct crowd_shopper *shopper, struct crowd_request *request);

/* An answer's head has come: cookies, where it leads. */
void crowd_shopper_head(struct crowd_shopper *shopper, const struct http_response *response);
/* An answer is whole. *FINDING: when it shows the cart; *SEEN is then what it shows. */
enum crowd_verdict crowd_shopper_answer(struct crowd_shopper *shopper,
                                        const struct crowd_items *items, int status,
                                        struct str body, enum crowd_finding *finding,
                                        struct crowd_lines *seen);
/* There was none, or a bad one. */
void crowd_shopper_lost(struct crowd_shopper *shopper);

const char *crowd_act_name(enum crowd_act act);

#endif

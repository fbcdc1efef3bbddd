/* Crowd cart: what a shopper of the crowd must find in its cart, and what it found there. Pure.
 *
 * A shopper believes what has been acknowledged. A change that got no answer (or a bad one) leaves
 * two possibilities, until the cart is seen again; everything else that is seen is a promise
 * broken, in one of three ways.
 */
#ifndef STOA_BENCH_CROWD_CART_H
#define STOA_BENCH_CROWD_CART_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { CROWD_LINES = 8, CROWD_ITEMS = 400, CROWD_KEY = 96, CROWD_PAST = 12 };

/* What can be put into a cart: variants with plenty of stock. */
struct crowd_items {
    unsigned count;
    struct crowd_item {
        char key[CROWD_KEY], handle[CROWD_KEY];
    } at[CROWD_ITEMS + 1]; /* the last: of what is none of them */
};

/* Lines in any order, none twice, none of quantity 0. */
struct crowd_lines {
    unsigned count;
    struct crowd_line {
        uint32_t item, quantity; /* item: place in crowd_items; CROWD_ITEMS: none of them */
    } at[CROWD_LINES];
};

uint32_t crowd_lines_get(const struct crowd_lines *lines, uint32_t item);
/* Quantity 0 takes the line away. False: there is no room. */
bool crowd_lines_set(struct crowd_lines *lines, uint32_t item, uint32_t quantity);
bool crowd_lines_equal(const struct crowd_lines *a, const struct crowd_lines *b);
/* "harrow-mug 2, pan 1" */
void crowd_lines_text(const struct crowd_lines *lines, const struct crowd_items *items,
                      struct buf *out);

/* The cart's page, as a browser gets it. False: this is no such page. */
bool crowd_lines_of_page(struct str html, const struct crowd_items *items,
                         struct crowd_lines *lines);
/* A cart of the public API. False: this is none. */
bool crowd_lines_of_json(struct str json, const struct crowd_items *items,
                         struct crowd_lines *lines);

enum crowd_finding {
    CROWD_UNSEEN, /* no cart was shown */
    CROWD_AS_PROMISED,
    CROWD_LOST,      /* a line, or some of it, is missing */
    CROWD_DOUBLED,   /* there is more than was asked for */
    CROWD_WENT_BACK, /* it is as it was earlier */
};

struct crowd_belief {
    struct crowd_lines now;     /* as acknowledged */
    struct crowd_lines perhaps; /* in doubt: if the change was made after all */
    bool doubt;
    unsigned past_count;
    struct crowd_lines past[CROWD_PAST]; /* what it was before, a ring */
};

/* A change to LINES was acknowledged; or it was not, and may have been made. */
void crowd_belief_change(struct crowd_belief *belief, const struct crowd_lines *lines);
void crowd_belief_doubt(struct crowd_belief *belief, const struct crowd_lines *lines);
/* The cart was seen. Afterwards what was seen is believed, so that each breach counts once. */
enum crowd_finding crowd_belief_see(struct crowd_belief *belief, const struct crowd_lines *seen);

const char *crowd_finding_name(enum crowd_finding finding);

#endif

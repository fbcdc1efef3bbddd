/* Basket: the half that carts and checkouts share, taken from a command and priced.
 * Not for other folders.
 *
 * Called by the command files while they apply, and by the reader, which prices a cart as
 * of now. Everything is allocated in the arena of the struct basket_view; strings of items
 * and terms are lent from there. No SQL but a reader's look at the stock.
 */
#ifndef STOA_SHOP_BASKET_H
#define STOA_SHOP_BASKET_H

#include "shop/command.h"
#include "shop/item.h"
#include "shop/pricing.h"
#include "shop/terms.h"

/* What a basket is looked at with. */
struct basket_view {
    struct arena *arena;
    struct items *items;
    const struct terms *terms;
    int64_t now_ms;
};

/* Where it goes, or is thought to go; shipping NULL: nothing to ship, or not known where to. */
struct basket_place {
    struct str country, region;
    struct pricing_shipping *shipping;
};

/* One variant of a basket with what all its lines ask for together. */
struct basket_need {
    struct item *item;
    int64_t quantity;
    unsigned line; /* the first that asks for it */
};

/* Takes INPUT as the whole content of BASKET. Lines of quantity 0 are left out; a line keeps
 * its id when the basket had one of that id before. 0, ERR_INVALID with *WHY (a sentence) for
 * what passes the bounds of shop/model.h, ERR_NOMEM. */
int basket_take(struct arena *arena, const struct basket_input *input, struct basket *basket,
                struct str *why);
/* The same content as FROM has, all of it copied by value (strings stay lent). */
int basket_copy(struct arena *arena, const struct basket *from, struct basket *to);

/* The line of VARIANT_ID, or NULL. */
struct line *basket_line_of(const struct basket *basket, uint64_t variant_id);
/* Adds a line of ITEM; NULL with ERR_FULL or ERR_NOMEM in *ERR. */
struct line *basket_add_line(struct arena *arena, struct basket *basket, const struct item *item,
                             int *err);
/* Takes a line out; the ids of the others stay. */
void basket_remove_line(struct basket *basket, struct line *line);

/* Only what a row keeps of the items: each line's variant_id (0: there is no such item) and
 * item_key, as basket_resolve gives them too. */
int basket_identify(const struct basket_view *view, struct basket *basket);
/* Looks up each line's item, empties `messages` and says there what cannot be had. CERTAIN:
 * too little stock is an error (a checkout); else a warning (a cart, which may hope). Returns
 * 0, ERR_NOMEM, or ERR_IO when the items cannot be read. */
int basket_resolve(const struct basket_view *view, bool certain, struct basket *basket);
/* Prices the resolved basket. */
int basket_price(const struct basket_view *view, const struct basket_place *place,
                 struct basket *basket);

/* The variants of the resolved basket that are there, each once, in the order of their first
 * lines; how many into *COUNT. NEEDS has room for SHOP_LINES_MAX. */
void basket_needs(const struct basket_view *view, const struct basket *basket,
                  struct basket_need *needs, unsigned *count);

bool basket_needs_shipping(const struct basket *basket);

/* Whether TEXT could be an e-mail address: something, an @, something. */
bool basket_is_email(struct str text);

#endif

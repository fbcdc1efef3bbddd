/* The charges of a bank that speaks Stripe's API, by its lists: payments first, then refunds. */
#include "base/arena.h"
#include "outside/audit_bank.h"
#include "outside/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

enum {
    PAGE = 100,
    PAGES_MAX = BANK_CHARGES_MAX / PAGE,
    TURN_MS = 30000,
    URL_SIZE = 700,
    ANSWER_MAX = 1 << 20
};

struct fetching {
    const struct bank_place *place;
    struct transfers *transfers;
    struct transfer_trust trust;
    struct bank_charges *charges;
    struct failure *failure;
    struct buf answer;
    yyjson_doc *page; /* of the last answer */
};

/* ---- One page ---- */

static const char *text_of(yyjson_val *object, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, name));
    return text ? text : "";
}

/* An answer of STATUS: a list, or why there is none. */
static int read_page(struct fetching *fetching, int status, struct str text)
{
    fetching->page = yyjson_read(text.at, text.len, 0);
    yyjson_val *root = yyjson_doc_get_root(fetching->page);
    if (status == 200 && yyjson_is_arr(yyjson_obj_get(root, "data")))
        return 0;
    return fail(fetching->failure, ERR_STATE, "%s answers %d: %s", fetching->place->place, status,
                text_of(yyjson_obj_get(root, "error"), "message"));
}

/* The page of LIST that follows AFTER; its elements into *DATA, lent until the next. */
static int get_page(struct fetching *fetching, const char *list, const char *after,
                    yyjson_val **data, bool *more)
{
    char url[URL_SIZE], bearer[300];
    yyjson_doc_free(fetching->page);
    fetching->page = NULL;
    snprintf(url, sizeof url, "%s/v1/%s?limit=%d%s%s", fetching->place->place, list, PAGE,
             after[0] ? "&starting_after=" : "", after);
    snprintf(bearer, sizeof bearer, "Bearer %s", fetching->place->key);
    struct transfer transfer = {
        .method = STR("GET"),
        .url = str_of(url),
        .headers = {{STR("Authorization"), str_of(bearer)}},
        .header_count = 1,
        .trust = &fetching->trust,
        .total_ms = TURN_MS,
    };
    buf_clear(&fetching->answer);
    int err = transfer_wait(fetching->transfers, &transfer, &fetching->answer);
    if (err)
        return fail(fetching->failure, err, "%s: %s", fetching->place->place,
                    transfer.failure.err ? transfer.failure.text : err_sentence(err));
    err = read_page(fetching, transfer.status, buf_text(&fetching->answer));
    yyjson_val *root = yyjson_doc_get_root(fetching->page);
    *data = yyjson_obj_get(root, "data");
    *more = yyjson_get_bool(yyjson_obj_get(root, "has_more"));
    return err;
}

/* Each element of LIST, newest first. */
static int each(struct fetching *fetching, const char *list,
                int (*take)(struct fetching *fetching, yyjson_val *one))
{
    char after[64] = "";
    bool more = true;
    for (unsigned page = 0; more; page++) {
        yyjson_val *data, *one;
        size_t at, count;
        if (page == PAGES_MAX)
            return fail(fetching->failure, ERR_FULL, "%s has more than %d %s",
                        fetching->place->place, BANK_CHARGES_MAX, list);
        int err = get_page(fetching, list, after, &data, &more);
        if (err)
            return err;
        yyjson_arr_foreach(data, at, count, one)
        {
            str_copy(after, sizeof after, str_of(text_of(one, "id")));
            if ((err = take(fetching, one)))
                return err;
        }
        more = more && after[0];
    }
    return 0;
}

/* ---- Payments and refunds ---- */

static struct id id_of(yyjson_val *metadata, const char *name)
{
    struct id id = {{0}};
    if (id_parse(str_of(text_of(metadata, name)), &id))
        id = (struct id){{0}};
    return id;
}

static int take_payment(struct fetching *fetching, yyjson_val *one)
{
    struct bank_charges *charges = fetching->charges;
    yyjson_val *metadata = yyjson_obj_get(one, "metadata");
    const char *status = text_of(one, "status");
    if (charges->count == charges->room) {
        size_t room = charges->room ? 2 * charges->room : 1024;
        struct bank_charge *more = realloc(charges->at, room * sizeof *more);
        if (!more)
            return fail(fetching->failure, ERR_NOMEM, "out of memory");
        charges->at = more;
        charges->room = room;
    }
    struct bank_charge *charge = &charges->at[charges->count++];
    *charge = (struct bank_charge){
        .checkout = id_of(metadata, "checkout"),
        .attempt = id_of(metadata, "attempt"),
        .shop = id_of(metadata, "shop"),
        .state = strcmp(status, "requires_capture") == 0 ? CHARGE_RESERVED
                 : strcmp(status, "succeeded") == 0      ? CHARGE_TAKEN
                                                         : CHARGE_NONE,
        .amount = yyjson_get_sint(yyjson_obj_get(one, "amount")),
        .taken = yyjson_get_sint(yyjson_obj_get(one, "amount_received")),
    };
    str_copy(charge->reference, sizeof charge->reference, str_of(text_of(one, "id")));
    return 0;
}

static int by_reference(const void *a, const void *b)
{
    const struct bank_charge *one = a, *two = b;
    return strcmp(one->reference, two->reference);
}

static int by_checkout(const void *a, const void *b)
{
    const struct bank_charge *one = a, *two = b;
    int difference = memcmp(one->checkout.bytes, two->checkout.bytes, sizeof one->checkout.bytes);
    return difference ? difference : strcmp(one->reference, two->reference);
}

/* One that failed gave nothing back; one under way will. */
static int take_refund(struct fetching *fetching, yyjson_val *one)
{
    struct bank_charge key = {.state = CHARGE_NONE};
    const char *status = text_of(one, "status");
    if (strcmp(status, "failed") == 0 || strcmp(status, "canceled") == 0 ||
        fetching->charges->count == 0)
        return 0;
    str_copy(key.reference, sizeof key.reference, str_of(text_of(one, "payment_intent")));
    struct bank_charge *charge =
        bsearch(&key, fetching->charges->at, fetching->charges->count, sizeof key, by_reference);
    if (charge && charge->state == CHARGE_TAKEN)
        charge->given_back += yyjson_get_sint(yyjson_obj_get(one, "amount"));
    return 0;
}

static void sort(struct bank_charges *charges, int (*compare)(const void *a, const void *b))
{
    if (charges->count > 0)
        qsort(charges->at, charges->count, sizeof *charges->at, compare);
}

int bank_charges_fetch(const struct bank_place *place, struct bank_charges *charges,
                       struct failure *failure)
{
    struct fetching fetching = {
        .place = place,
        .trust = {.authority_file = place->authority, .pin = place->pin},
        .charges = charges,
        .failure = failure,
    };
    charges->count = 0;
    buf_init(&fetching.answer, ANSWER_MAX);
    int err = transfers_new(&(struct transfers_config){0}, &fetching.transfers);
    if (err)
        return fail(failure, err, "%s: %s", place->place, err_sentence(err));
    err = each(&fetching, "payment_intents", take_payment);
    sort(charges, by_reference);
    if (!err)
        err = each(&fetching, "refunds", take_refund);
    sort(charges, by_checkout);
    yyjson_doc_free(fetching.page);
    buf_close(&fetching.answer);
    transfers_free(fetching.transfers, 0);
    return err;
}

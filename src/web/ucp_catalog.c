#include "web/choice.h"
#include "web/ucp.h"

enum { PAGE_DEFAULT = 10, PAGE_MAX = 50, IDS_MAX = 50, QUERY_MAX = 500, CURSOR_MAX = 500 };

void ucp_read_filters(struct json_in *in, const struct json_spot *body, struct ucp_filters *filters)
{
    struct json_spot spot = json_member(body, "filters");
    *filters = (struct ucp_filters){0};
    if (!json_is_object(in, &spot))
        return;
    struct json_spot list = json_member(&spot, "categories");
    filters->category_count = json_count(in, &list, SEARCH_CATEGORIES_MAX);
    for (unsigned i = 0; i < filters->category_count; i++) {
        struct json_spot one = json_element(&list, i);
        json_require(in, &one);
        filters->categories[i] = json_text(in, &one, SHOP_KEY_MAX);
    }
    struct json_spot price = json_member(&spot, "price");
    json_is_object(in, &price);
    filters->price_min = json_integer_of(in, &price, "min", 0, SHOP_MONEY_MAX, 0);
    filters->price_max = json_integer_of(in, &price, "max", 0, SHOP_MONEY_MAX, 0);
    filters->any = filters->category_count || json_has(&price);
}

bool ucp_in_price(const struct ucp_filters *filters, const struct variant *variant)
{
    return variant->price >= filters->price_min &&
           (!filters->price_max || variant->price <= filters->price_max);
}

static bool in_category(const struct ucp_filters *filters, const struct product *product)
{
    for (unsigned i = 0; i < filters->category_count; i++)
        if (str_eq_nocase(filters->categories[i], product->category))
            return true;
    return !filters->category_count;
}

/* ---- Search ---- */

/* A found product with its first variants, the one to be shown first in front. */
static void add_found(struct ucp_view *view, yyjson_mut_val *products,
                      const struct product *product, const struct ucp_filters *filters)
{
    yyjson_mut_val *object = json_add_object(&view->json, products);
    unsigned featured = (unsigned)choice_default(product), shown = 1;
    ucp_put_product(view, object, product);
    ucp_put_options(&view->json, object, product, NULL);
    yyjson_mut_val *variants = json_put_list(&view->json, object, "variants");
    if (!ucp_in_price(filters, &product->variants[featured]))
        for (unsigned i = 0; i < product->variant_count; i++)
            if (ucp_in_price(filters, &product->variants[i]))
                featured = i;
    ucp_add_variant(view, variants, product, &product->variants[featured]);
    for (unsigned i = 0; i < product->variant_count && shown < UCP_VARIANTS_SHOWN; i++) {
        if (i == featured || !ucp_in_price(filters, &product->variants[i]))
            continue;
        ucp_add_variant(view, variants, product, &product->variants[i]);
        shown++;
    }
}

static void put_found(struct ucp_view *view, const struct search_page *page,
                      const struct ucp_filters *filters)
{
    struct json *json = &view->json;
    yyjson_mut_val *products = json_put_list(json, json->root, "products");
    for (unsigned i = 0; i < page->count; i++) {
        struct product product;
        if (reader_product(call_reader(view->x), json->arena, page->cards[i].handle, false,
                           &product) == 0 &&
            product.variant_count)
            add_found(view, products, &product, filters);
    }
    yyjson_mut_val *pagination = json_put_object(json, json->root, "pagination");
    json_put_bool(json, pagination, "has_next_page", page->next.len > 0);
    json_put_some(json, pagination, "cursor", page->next);
    json_put_int(json, pagination, "total_count", (int64_t)page->total);
}

static void read_search(struct ucp *ucp, struct search *search, struct ucp_filters *filters)
{
    struct json_in *in = &ucp->in;
    struct json_spot query = json_member(&ucp->body, "query");
    search->text = json_text(in, &query, QUERY_MAX);
    ucp_read_filters(in, &ucp->body, filters);
    struct json_spot pagination = json_member(&ucp->body, "pagination");
    json_is_object(in, &pagination);
    int64_t limit = json_integer_of(in, &pagination, "limit", 1, INT32_MAX, PAGE_DEFAULT);
    search->limit = limit > PAGE_MAX ? PAGE_MAX : (unsigned)limit;
    search->cursor = json_text_of(in, &pagination, "cursor", CURSOR_MAX);
    if (!json_has(&query) && !filters->any)
        json_wrong(in, &ucp->body, "names neither a query nor filters");
    memcpy(search->categories, filters->categories, sizeof search->categories);
    search->category_count = filters->category_count;
    search->price_min = filters->price_min;
    search->price_max = filters->price_max;
    search->order = str_trim(search->text).len ? SEARCH_RELEVANCE : SEARCH_BEST_SELLING;
}

enum app_verdict ucp_catalog_search(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct search search = {0};
    struct search_page page = {0};
    struct ucp_filters filters;
    struct ucp_view view;
    if (!ucp)
        return APP_DONE;
    read_search(ucp, &search, &filters);
    if (ucp_malformed(ucp))
        return APP_DONE;
    int err = reader_begin(call_reader(x), NULL);
    if (err)
        return call_fail_err(x, err);
    err = reader_search(call_reader(x), &x->arena, &search, &page);
    if (!err)
        err = ucp_answer(x, &view, UCP_SEARCH);
    if (!err)
        put_found(&view, &page, &filters);
    reader_end(call_reader(x));
    if (err == ERR_INVALID)
        return ucp_refuse(x, 422, "invalid_request",
                          STR("$.pagination.cursor is none of this search"),
                          STR("$.pagination.cursor"));
    return err ? call_fail_err(x, err) : ucp_send(&view, 200);
}

/* ---- Lookup ---- */

/* What one of the asked-for identifiers stands for. */
struct found {
    struct str id;
    struct product *product; /* NULL: nothing */
    int variant;             /* -1: the product as a whole */
    unsigned shown;          /* the variant that stands for it in the answer */
};

static int find_all(struct exchange *x, struct found *found, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct product *product = ARENA_NEW(&x->arena, struct product);
        if (!product)
            return ERR_NOMEM;
        int err = reader_product_by_item(call_reader(x), &x->arena, found[i].id, product,
                                         &found[i].variant);
        if (err && err != ERR_NOTFOUND)
            return err;
        if (!err && product->published && !product->retired && product->variant_count)
            found[i].product = product;
        for (unsigned j = 0; j < i && found[i].product; j++)
            if (found[j].product && found[j].product->id == product->id)
                found[i].product = found[j].product; /* the same: shown once */
    }
    return 0;
}

/* Of a product as a whole the variant to be shown first, of those that FILTERS leave. */
static unsigned choose(const struct found *found, const struct ucp_filters *filters)
{
    const struct product *product = found->product;
    if (found->variant >= 0)
        return (unsigned)found->variant;
    unsigned first = (unsigned)choice_default(product);
    for (unsigned i = 0; i < product->variant_count; i++)
        if (!ucp_in_price(filters, &product->variants[first]) &&
            ucp_in_price(filters, &product->variants[i]))
            first = i;
    return first;
}

/* A variant once, with all identifiers that stand for it. */
static void add_looked_up(struct ucp_view *view, yyjson_mut_val *variants,
                          const struct found *found, unsigned count, unsigned at)
{
    const struct product *product = found[at].product;
    unsigned variant = found[at].shown;
    for (unsigned i = 0; i < at; i++)
        if (found[i].product == product && found[i].shown == variant)
            return;
    struct json *json = &view->json;
    yyjson_mut_val *object = ucp_add_variant(view, variants, product, &product->variants[variant]);
    yyjson_mut_val *inputs = json_put_list(json, object, "inputs");
    for (unsigned i = at; i < count; i++) {
        if (found[i].product != product || found[i].shown != variant)
            continue;
        yyjson_mut_val *input = json_add_object(json, inputs);
        json_put_text(json, input, "id", found[i].id);
        json_put_text(json, input, "match", found[i].variant >= 0 ? STR("exact") : STR("featured"));
    }
}

static bool is_wanted(const struct found *found, const struct ucp_filters *filters)
{
    return found->product && in_category(filters, found->product) &&
           ucp_in_price(filters, &found->product->variants[found->shown]);
}

static void put_looked_up(struct ucp_view *view, struct found *found, unsigned count)
{
    struct json *json = &view->json;
    yyjson_mut_val *products = json_put_list(json, json->root, "products");
    for (unsigned i = 0; i < count; i++) {
        bool first = found[i].product != NULL;
        for (unsigned j = 0; j < i && first; j++)
            first = found[j].product != found[i].product;
        if (!first)
            continue;
        yyjson_mut_val *object = json_add_object(json, products);
        ucp_put_product(view, object, found[i].product);
        ucp_put_options(json, object, found[i].product, NULL);
        yyjson_mut_val *variants = json_put_list(json, object, "variants");
        for (unsigned j = i; j < count; j++)
            if (found[j].product == found[i].product)
                add_looked_up(view, variants, found, count, j);
    }
}

static void put_missing(struct json *json, const struct found *found, unsigned count)
{
    yyjson_mut_val *messages = json_put_list(json, json->root, "messages");
    for (unsigned i = 0; i < count; i++) {
        if (found[i].product)
            continue;
        yyjson_mut_val *message = json_add_object(json, messages);
        json_put_text(json, message, "type", STR("info"));
        json_put_text(json, message, "code", STR("not_found"));
        json_put_text(json, message, "content", found[i].id);
    }
}

/* The identifiers, each once; *COUNT 0 when there is something wrong. */
static struct found *read_ids(struct ucp *ucp, unsigned *count)
{
    struct json_in *in = &ucp->in;
    struct json_spot ids = json_member(&ucp->body, "ids");
    json_require(in, &ids);
    unsigned asked = json_count(in, &ids, IDS_MAX);
    struct found *found = ARENA_ARRAY(in->arena, struct found, IDS_MAX);
    *count = 0;
    if (!json_bad(in) && !asked)
        json_wrong(in, &ids, "is empty");
    for (unsigned i = 0; i < asked && found; i++) {
        struct json_spot one = json_element(&ids, i);
        json_require(in, &one);
        struct str id = json_text(in, &one, SHOP_KEY_MAX);
        bool new = id.len > 0;
        for (unsigned j = 0; j < *count && new; j++)
            new = !str_eq(found[j].id, id);
        if (new)
            found[(*count)++].id = id;
    }
    return found;
}

enum app_verdict ucp_catalog_lookup(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct ucp_filters filters;
    struct ucp_view view;
    unsigned count;
    if (!ucp)
        return APP_DONE;
    struct json_spot ids = json_member(&ucp->body, "ids");
    if (yyjson_arr_size(ids.value) > IDS_MAX)
        return ucp_refuse(x, 400, "request_too_large",
                          arena_printf(&x->arena, "At most %d ids are looked up at once.", IDS_MAX),
                          STR("$.ids"));
    struct found *found = read_ids(ucp, &count);
    ucp_read_filters(&ucp->in, &ucp->body, &filters);
    if (ucp_malformed(ucp))
        return APP_DONE;
    int err = found ? reader_begin(call_reader(x), NULL) : ERR_NOMEM;
    if (err)
        return call_fail_err(x, err);
    err = find_all(x, found, count);
    if (!err)
        err = ucp_answer(x, &view, UCP_LOOKUP);
    reader_end(call_reader(x));
    if (err)
        return call_fail_err(x, err);
    put_missing(&view.json, found, count);
    for (unsigned i = 0; i < count; i++) {
        if (found[i].product)
            found[i].shown = choose(&found[i], &filters);
        if (!is_wanted(&found[i], &filters))
            found[i].product = NULL;
    }
    put_looked_up(&view, found, count);
    return ucp_send(&view, 200);
}

#include "web/choice.h"
#include "web/ucp.h"

/* The choice that an answer is made for: a value for each of the product's options, at ==
 * NULL where none is chosen. */
struct selection {
    struct str values[SHOP_OPTIONS_MAX];
};

static int axis_of(const struct product *product, struct str name)
{
    for (unsigned i = 0; i < product->option_count; i++)
        if (str_eq_nocase(product->option_names[i], name))
            return (int)i;
    return -1;
}

static bool fits(const struct product *product, const struct variant *variant,
                 const struct selection *selection)
{
    for (unsigned i = 0; i < product->option_count; i++)
        if (selection->values[i].at && !str_eq_nocase(selection->values[i], variant->options[i]))
            return false;
    return true;
}

/* The first variant that fits and can be had, else the first that fits; -1: none fits. */
static int first_fitting(const struct product *product, const struct selection *selection)
{
    int first = -1;
    for (unsigned i = 0; i < product->variant_count; i++) {
        if (!fits(product, &product->variants[i], selection))
            continue;
        if (variant_sells(&product->variants[i]))
            return (int)i;
        if (first < 0)
            first = (int)i;
    }
    return first;
}

static void read_selected(struct json_in *in, const struct json_spot *body,
                          const struct product *product, struct selection *selection)
{
    struct json_spot list = json_member(body, "selected");
    unsigned count = json_count(in, &list, SHOP_OPTIONS_MAX * 2);
    for (unsigned i = 0; i < count; i++) {
        struct json_spot one = json_element(&list, i);
        json_require(in, &one);
        json_is_object(in, &one);
        int axis = axis_of(product, json_need_text(in, &one, "name", SHOP_KEY_MAX));
        struct str label = json_need_text(in, &one, "label", SHOP_KEY_MAX);
        if (axis < 0)
            continue;
        if (selection->values[axis].at)
            json_wrong(in, &one, "selects an option a second time");
        selection->values[axis] = label;
    }
}

/* Drops what no variant fulfils: options that the platform did not rank first, then those
 * at the end of its list. */
static void relax(struct json_in *in, const struct json_spot *body, const struct product *product,
                  struct selection *selection)
{
    struct json_spot list = json_member(body, "preferences");
    unsigned count = json_count(in, &list, SHOP_OPTIONS_MAX * 2);
    int order[SHOP_OPTIONS_MAX * 2 + SHOP_OPTIONS_MAX];
    unsigned length = 0;
    for (unsigned i = 0; i < count; i++) {
        struct json_spot one = json_element(&list, i);
        int axis = axis_of(product, json_text(in, &one, SHOP_KEY_MAX));
        if (axis >= 0)
            order[length++] = axis;
    }
    for (int axis = 0; axis < (int)product->option_count; axis++) {
        bool ranked = false;
        for (unsigned i = 0; i < length; i++)
            ranked |= order[i] == axis;
        if (!ranked)
            order[length++] = axis;
    }
    while (length && first_fitting(product, selection) < 0)
        selection->values[order[--length]] = STR_NONE;
}

static void put_selected(struct json *json, yyjson_mut_val *object, const struct product *product,
                         const struct selection *selection)
{
    yyjson_mut_val *list = json_put_list(json, object, "selected");
    for (unsigned i = 0; i < product->option_count; i++) {
        if (!selection->values[i].at)
            continue;
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "name", product->option_names[i]);
        json_put_text(json, one, "label", selection->values[i]);
    }
}

/* SELECTION in the product's own spelling. */
static void spell(const struct product *product, unsigned featured, struct selection *selection)
{
    for (unsigned i = 0; i < product->option_count; i++)
        if (selection->values[i].at)
            selection->values[i] = product->variants[featured].options[i];
}

static enum app_verdict show(struct exchange *x, const struct product *product, unsigned featured,
                             const struct selection *selection, const struct ucp_filters *filters)
{
    struct ucp_view view;
    int err = ucp_answer(x, &view, UCP_LOOKUP);
    if (err)
        return call_fail_err(x, err);
    yyjson_mut_val *object = json_put_object(&view.json, view.json.root, "product");
    ucp_put_product(&view, object, product);
    put_selected(&view.json, object, product, selection);
    ucp_put_options(&view.json, object, product, selection->values);
    yyjson_mut_val *variants = json_put_list(&view.json, object, "variants");
    ucp_add_variant(&view, variants, product, &product->variants[featured]);
    for (unsigned i = 0; i < product->variant_count; i++)
        if (i != featured && fits(product, &product->variants[i], selection) &&
            ucp_in_price(filters, &product->variants[i]))
            ucp_add_variant(&view, variants, product, &product->variants[i]);
    return ucp_send(&view, 200);
}

static enum app_verdict not_found(struct exchange *x)
{
    return ucp_no_object(x, 200, UCP_LOOKUP, "not_found", STR("There is no such product."));
}

enum app_verdict ucp_catalog_product(struct exchange *x)
{
    struct ucp *ucp = ucp_begin(x);
    struct product product;
    struct selection selection = {0};
    int variant = -1;
    if (!ucp)
        return APP_DONE;
    struct str id = json_need_text(&ucp->in, &ucp->body, "id", SHOP_KEY_MAX);
    if (ucp_malformed(ucp))
        return APP_DONE;
    int err = reader_product_by_item(call_reader(x), &x->arena, id, &product, &variant);
    if (err && err != ERR_NOTFOUND)
        return call_fail_err(x, err);
    if (err || !product.published || product.retired || !product.variant_count)
        return not_found(x);
    read_selected(&ucp->in, &ucp->body, &product, &selection);
    /* A variant's identifier says all; so does nothing selected. */
    bool asked = false;
    for (unsigned i = 0; i < product.option_count && variant < 0; i++)
        asked |= selection.values[i].at != NULL;
    unsigned featured = variant >= 0 ? (unsigned)variant : (unsigned)choice_default(&product);
    if (asked) {
        relax(&ucp->in, &ucp->body, &product, &selection);
        featured = (unsigned)first_fitting(&product, &selection);
    } else {
        memcpy(selection.values, product.variants[featured].options, sizeof selection.values);
    }
    struct ucp_filters filters;
    ucp_read_filters(&ucp->in, &ucp->body, &filters);
    if (ucp_malformed(ucp))
        return APP_DONE;
    /* What the filter leaves out is left out; with nothing left there is no such product. */
    for (unsigned i = 0; i < product.variant_count; i++)
        if (!ucp_in_price(&filters, &product.variants[featured]) &&
            fits(&product, &product.variants[i], &selection) &&
            ucp_in_price(&filters, &product.variants[i]))
            featured = i;
    if (!ucp_in_price(&filters, &product.variants[featured]))
        return not_found(x);
    spell(&product, featured, &selection);
    return show(x, &product, featured, &selection, &filters);
}

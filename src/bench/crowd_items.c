#include "bench/crowd_items.h"

#include "bench/ask.h"

#include <stdio.h>
#include <string.h>
#include <yyjson.h>

enum { PLENTY = 60 /* units; no cart of the crowd has more of one thing */ };

static void take_variant(struct crowd_items *items, const char *handle, yyjson_val *variant)
{
    const char *key = yyjson_get_str(yyjson_obj_get(variant, "key"));
    bool tracked = yyjson_get_bool(yyjson_obj_get(variant, "tracked"));
    int64_t available = yyjson_get_sint(yyjson_obj_get(variant, "available"));
    if (!key || !handle || (tracked && available < PLENTY) || items->count == CROWD_ITEMS)
        return;
    struct crowd_item *item = &items->at[items->count];
    if (strlen(key) >= sizeof item->key || strlen(handle) >= sizeof item->handle)
        return;
    strcpy(item->key, key);
    strcpy(item->handle, handle);
    items->count++;
}

static void take_products(struct crowd_items *items, struct str json)
{
    yyjson_doc *doc = yyjson_read(json.at, json.len, 0);
    yyjson_val *product, *variant;
    yyjson_arr_iter products =
        yyjson_arr_iter_with(yyjson_obj_get(yyjson_doc_get_root(doc), "products"));
    while ((product = yyjson_arr_iter_next(&products))) {
        const char *handle = yyjson_get_str(yyjson_obj_get(product, "handle"));
        yyjson_arr_iter variants = yyjson_arr_iter_with(yyjson_obj_get(product, "variants"));
        while ((variant = yyjson_arr_iter_next(&variants)))
            take_variant(items, handle, variant);
    }
    yyjson_doc_free(doc);
}

int crowd_items_read(const char *url, const char *token, struct crowd_items *items,
                     struct failure *failure)
{
    struct ask *ask = ask_new(url, token);
    if (!ask)
        return fail(failure, ERR_NOMEM, "out of memory");
    *items = (struct crowd_items){0};
    int status = ask_for(ask, "/admin/api/products?limit=100", NULL);
    if (status == 200)
        take_products(items, ask_text(ask));
    ask_free(ask);
    if (status != 200)
        return fail(failure, ERR_STATE, "%s was asked for its products and answered %d", url,
                    status);
    return items->count ? 0
                        : fail(failure, ERR_NOTFOUND, "%s has no product of which there are %d",
                               url, PLENTY);
}

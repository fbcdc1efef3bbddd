#include "web/ucp.h"

/* The one method and the one package of a checkout. */
static const char method_id[] = "shipping";
static const char group_id[] = "package_1";

/* ---- Reading ---- */

static struct str upper(struct arena *arena, struct str text)
{
    struct str copy = arena_str(arena, text);
    for (size_t i = 0; copy.at && i < copy.len; i++)
        if (copy.at[i] >= 'a' && copy.at[i] <= 'z')
            ((char *)(uintptr_t)copy.at)[i] = (char)(copy.at[i] - 'a' + 'A');
    return copy;
}

static void read_address(struct json_in *in, const struct json_spot *spot, struct address *address)
{
    address->id = json_text_of(in, spot, "id", SHOP_KEY_MAX);
    address->first_name = json_text_of(in, spot, "first_name", SHOP_TEXT_MAX);
    address->last_name = json_text_of(in, spot, "last_name", SHOP_TEXT_MAX);
    address->phone = json_text_of(in, spot, "phone_number", SHOP_KEY_MAX);
    address->street = json_text_of(in, spot, "street_address", SHOP_TEXT_MAX);
    address->extended = json_text_of(in, spot, "extended_address", SHOP_TEXT_MAX);
    address->locality = json_text_of(in, spot, "address_locality", SHOP_TEXT_MAX);
    address->region = json_text_of(in, spot, "address_region", SHOP_KEY_MAX);
    address->postal_code = json_text_of(in, spot, "postal_code", SHOP_KEY_MAX);
    address->country = json_text_of(in, spot, "address_country", SHOP_KEY_MAX);
    if (address->country.len)
        address->country = upper(in->arena, address->country);
}

static bool id_is_taken(const struct checkout_input *input, unsigned count, struct str id)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(input->destinations[i].id, id))
            return true;
    return false;
}

static void read_destinations(struct json_in *in, const struct json_spot *list,
                              struct checkout_input *input)
{
    unsigned count = json_count(in, list, SHOP_DESTINATIONS_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct json_spot spot = json_element(list, i);
        json_require(in, &spot);
        json_is_object(in, &spot);
        read_address(in, &spot, &input->destinations[i]);
        if (input->destinations[i].id.len && id_is_taken(input, i, input->destinations[i].id))
            json_wrong(in, &spot, "has the id of another destination");
    }
    input->destination_count = count;
    /* Those without an id get one that none of the others has. */
    for (unsigned i = 0, number = 1; i < count; i++)
        while (!input->destinations[i].id.len) {
            struct str id = arena_printf(in->arena, "dest_%u", number++);
            if (!id.at) {
                json_wrong(in, list, "is too much");
                return;
            }
            if (!id_is_taken(input, count, id))
                input->destinations[i].id = id;
        }
}

static void read_group(struct json_in *in, const struct json_spot *method,
                       struct checkout_input *input)
{
    struct json_spot groups = json_member(method, "groups");
    if (json_count(in, &groups, 1) == 0)
        return;
    struct json_spot group = json_element(&groups, 0);
    json_require(in, &group);
    json_is_object(in, &group);
    input->selected_rate = json_text_of(in, &group, "selected_option_id", SHOP_KEY_MAX);
}

static void read_method(struct json_in *in, const struct json_spot *method,
                        const struct checkout *before, struct checkout_input *input)
{
    struct json_spot type = json_member(method, "type");
    struct str text = json_text(in, &type, SHOP_KEY_MAX);
    if (text.at && !str_eq(text, STR("shipping")))
        json_wrong(in, &type, "is \"%.*s\"; this shop offers \"shipping\"", STR_FMT(text));
    struct json_spot destinations = json_member(method, "destinations");
    if (json_has(&destinations)) {
        read_destinations(in, &destinations, input);
    } else if (before) {
        input->destination_count = before->destination_count;
        memcpy(input->destinations, before->destinations, sizeof before->destinations);
    }
    struct json_spot selected = json_member(method, "selected_destination_id");
    input->selected_destination = json_text(in, &selected, SHOP_KEY_MAX);
    if (input->selected_destination.len &&
        !id_is_taken(input, input->destination_count, input->selected_destination))
        json_wrong(in, &selected, "is the id of no destination here");
    read_group(in, method, input);
}

void ucp_read_fulfillment(struct json_in *in, const struct json_spot *body,
                          const struct checkout *before, struct checkout_input *input)
{
    struct json_spot fulfillment = json_member(body, "fulfillment");
    input->has_fulfillment = true;
    if (!json_is_object(in, &fulfillment))
        return;
    struct json_spot methods = json_member(&fulfillment, "methods");
    if (json_count(in, &methods, 1) == 0)
        return;
    struct json_spot method = json_element(&methods, 0);
    json_require(in, &method);
    if (json_is_object(in, &method))
        read_method(in, &method, before, input);
}

/* ---- Rendering ---- */

void ucp_put_address(struct json *json, yyjson_mut_val *object, const struct address *address)
{
    json_put_some(json, object, "first_name", address->first_name);
    json_put_some(json, object, "last_name", address->last_name);
    json_put_some(json, object, "phone_number", address->phone);
    json_put_some(json, object, "street_address", address->street);
    json_put_some(json, object, "extended_address", address->extended);
    json_put_some(json, object, "address_locality", address->locality);
    json_put_some(json, object, "address_region", address->region);
    json_put_some(json, object, "postal_code", address->postal_code);
    json_put_some(json, object, "address_country", address->country);
}

static void put_line_ids(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    yyjson_mut_val *list = json_put_list(json, object, "line_item_ids");
    for (unsigned i = 0; i < basket->line_count; i++)
        if (basket->lines[i].needs_shipping)
            json_add_text(json, list, ucp_line_id(json->arena, &basket->lines[i]));
}

static void put_option(struct json *json, yyjson_mut_val *options, const struct shipping_rate *rate)
{
    yyjson_mut_val *option = json_add_object(json, options);
    json_put_text(json, option, "id", rate->key);
    json_put_text(json, option, "title", rate->title.len ? rate->title : rate->key);
    json_put_some(json, option, "description", rate->description);
    yyjson_mut_val *total = json_add_object(json, json_put_list(json, option, "totals"));
    json_put_text(json, total, "type", STR("total"));
    json_put_int(json, total, "amount", rate->price);
}

static void put_destinations(struct json *json, yyjson_mut_val *method,
                             const struct checkout *checkout)
{
    if (!checkout->destination_count)
        return;
    yyjson_mut_val *list = json_put_list(json, method, "destinations");
    for (unsigned i = 0; i < checkout->destination_count; i++) {
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "id", checkout->destinations[i].id);
        ucp_put_address(json, one, &checkout->destinations[i]);
    }
    int selected = checkout->selected_destination;
    if (selected >= 0 && (unsigned)selected < checkout->destination_count)
        json_put_text(json, method, "selected_destination_id", checkout->destinations[selected].id);
}

void ucp_put_fulfillment(struct ucp_view *view, yyjson_mut_val *object,
                         const struct checkout *checkout)
{
    struct json *json = &view->json;
    if (!checkout->needs_shipping)
        return;
    yyjson_mut_val *fulfillment = json_put_object(json, object, "fulfillment");
    yyjson_mut_val *method = json_add_object(json, json_put_list(json, fulfillment, "methods"));
    json_put_text(json, method, "id", str_of(method_id));
    json_put_text(json, method, "type", STR("shipping"));
    put_line_ids(json, method, &checkout->basket);
    put_destinations(json, method, checkout);
    if (checkout->selected_destination < 0)
        return;
    yyjson_mut_val *group = json_add_object(json, json_put_list(json, method, "groups"));
    json_put_text(json, group, "id", str_of(group_id));
    put_line_ids(json, group, &checkout->basket);
    yyjson_mut_val *options = json_put_list(json, group, "options");
    for (unsigned i = 0; i < checkout->rate_count; i++)
        put_option(json, options, &checkout->rates[i]);
    json_put_some(json, group, "selected_option_id", checkout->selected_rate);
}

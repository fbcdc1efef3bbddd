#include "bench/crowd_shopper.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <yyjson.h>

enum { PROGRAMS = 4 /* one in that many is a program */, QUANTITY_MAX = 9 };

/* Of 100 clicks. */
static const struct {
    enum crowd_act act;
    const char *name;
    unsigned share;
} acts[CROWD_ACTS] = {
    {CROWD_HOME, "home page", 12},
    {CROWD_PRODUCT, "product", 28},
    {CROWD_SEARCH, "search", 10},
    {CROWD_VIEW, "view of the cart", 18},
    {CROWD_ADD, "add to the cart", 20},
    {CROWD_SET, "set a quantity", 9},
    {CROWD_CHECKOUT, "begin the checkout", 3},
    {CROWD_FOLLOW, "page after a form", 0},
};

static const char *const words[] = {"mug", "knife", "linen", "lamp", "oak", "wool", "tea"};

const char *crowd_act_name(enum crowd_act act)
{
    return acts[act].name;
}

void crowd_shopper_begin(struct crowd_shopper *shopper, unsigned number, uint64_t seed)
{
    *shopper = (struct crowd_shopper){.number = number, .program = number % PROGRAMS == 3};
    random_seed(&shopper->random, seed * 1000003 + number);
}

/* ---- Cookies ---- */

static void keep_cookie(struct crowd_shopper *shopper, struct str name, struct str value)
{
    struct crowd_cookie *free_one = NULL;
    for (unsigned i = 0; i < CROWD_COOKIES; i++) {
        struct crowd_cookie *cookie = &shopper->cookies[i];
        if (str_eq(str_of(cookie->name), name)) {
            free_one = cookie;
            break;
        }
        if (!cookie->name[0] && !free_one)
            free_one = cookie;
    }
    if (!free_one || name.len >= CROWD_COOKIE_NAME || value.len >= CROWD_VALUE)
        return;
    *free_one = (struct crowd_cookie){0};
    if (value.len) { /* without: it is taken away */
        str_copy(free_one->name, sizeof free_one->name, name);
        str_copy(free_one->value, sizeof free_one->value, value);
    }
}

static const char *cookie_value(const struct crowd_shopper *shopper, const char *name)
{
    for (unsigned i = 0; i < CROWD_COOKIES; i++)
        if (strcmp(shopper->cookies[i].name, name) == 0)
            return shopper->cookies[i].value;
    return "";
}

/* Each has an address of its own, which the load managers are told to believe: they would
 * otherwise take the crowd for one client. */
static void put_address(const struct crowd_shopper *shopper, struct buf *headers)
{
    buf_printf(headers, "x-forwarded-for: 10.%u.%u.%u\r\n", shopper->number >> 16 & 255,
               shopper->number >> 8 & 255, shopper->number & 255);
}

static void put_cookies(const struct crowd_shopper *shopper, struct buf *headers)
{
    put_address(shopper, headers);
    const char *before = "cookie: ";
    for (unsigned i = 0; i < CROWD_COOKIES; i++)
        if (shopper->cookies[i].name[0]) {
            buf_printf(headers, "%s%s=%s", before, shopper->cookies[i].name,
                       shopper->cookies[i].value);
            before = "; ";
        }
    if (before[0] == ';')
        buf_puts(headers, "\r\n");
}

/* The path of an address that may name the server as well. */
static void keep_location(struct crowd_shopper *shopper, struct str address)
{
    ptrdiff_t scheme = str_find(address, STR("://"));
    if (scheme >= 0) {
        struct str rest = str_from(address, (size_t)scheme + 3);
        ptrdiff_t slash = str_find_byte(rest, '/');
        address = slash < 0 ? STR("/") : str_from(rest, (size_t)slash);
    }
    str_copy(shopper->location, sizeof shopper->location, address);
}

/* The number that TEXT ends with: "2", "server 2", "127.0.0.1:9001". */
static uint64_t last_number(struct str text)
{
    size_t begin = text.len;
    uint64_t number = 0;
    while (begin && text.at[begin - 1] >= '0' && text.at[begin - 1] <= '9')
        begin--;
    str_to_u64(str_from(text, begin), &number);
    return number;
}

void crowd_shopper_head(struct crowd_shopper *shopper, const struct http_response *response)
{
    shopper->location[0] = 0;
    shopper->server = 0;
    for (unsigned i = 0; i < response->header_count; i++) {
        struct str name = response->headers[i].name, value = response->headers[i].value, pair, key;
        if (str_eq_nocase(name, STR("set-cookie"))) {
            struct str rest = value;
            if (str_cut(&rest, ';', &pair) && str_cut(&pair, '=', &key))
                keep_cookie(shopper, str_trim(key), str_trim(pair));
        } else if (str_eq_nocase(name, STR("location"))) {
            keep_location(shopper, value);
        } else if (str_eq_nocase(name, STR("stoa-server"))) {
            shopper->server = last_number(value);
        } else if (str_eq_nocase(name, STR("stoa-session"))) {
            str_copy(shopper->session, sizeof shopper->session, value);
        }
    }
}

/* ---- Clicks ---- */

static void put_origin(struct buf *headers)
{
    buf_puts(headers, "sec-fetch-site: same-origin\r\n"
                      "content-type: application/x-www-form-urlencoded\r\n");
}

static void put_program(struct crowd_shopper *shopper, bool changes, struct buf *headers)
{
    unsigned long long a = random_u64(&shopper->random), b = random_u64(&shopper->random);
    put_address(shopper, headers);
    buf_printf(headers,
               "ucp-agent: profile=\"https://platform.example/profile.json\"\r\n"
               "request-id: %016llx%016llx\r\n",
               a, b);
    if (changes)
        buf_puts(headers, "content-type: application/json\r\n");
    if (changes && shopper->number / PROGRAMS % 2)
        buf_printf(headers, "idempotency-key: %016llx%016llx\r\n", a, b);
    if (shopper->session[0])
        buf_printf(headers, "stoa-session: %s\r\n", shopper->session);
}

static uint32_t any_item(struct crowd_shopper *shopper, const struct crowd_items *items)
{
    return (uint32_t)random_below(&shopper->random, items->count);
}

/* A line of the cart, which is not empty. */
static uint32_t any_line(struct crowd_shopper *shopper)
{
    const struct crowd_lines *now = &shopper->belief.now;
    return now->at[random_below(&shopper->random, now->count)].item;
}

/* One to three of something more; of what is there already when there is no room for others. */
static uint32_t plan_add(struct crowd_shopper *shopper, const struct crowd_items *items,
                         uint32_t *quantity)
{
    const struct crowd_lines *now = &shopper->belief.now;
    bool again =
        now->count && (now->count > CROWD_LINES - 2 || random_below(&shopper->random, 3) == 0);
    uint32_t item = again ? any_line(shopper) : any_item(shopper, items);
    if (crowd_lines_get(now, item) > QUANTITY_MAX && now->count < CROWD_LINES)
        item = any_item(shopper, items); /* it has enough of that */
    *quantity = 1 + (uint32_t)random_below(&shopper->random, 3);
    shopper->wanted = *now;
    shopper->changes = true;
    crowd_lines_set(&shopper->wanted, item, crowd_lines_get(now, item) + *quantity);
    return item;
}

/* Another quantity, or none of it any more. */
static uint32_t plan_set(struct crowd_shopper *shopper, uint32_t *quantity)
{
    const struct crowd_lines *now = &shopper->belief.now;
    uint32_t item = any_line(shopper), had = crowd_lines_get(now, item);
    *quantity = (uint32_t)random_below(&shopper->random, QUANTITY_MAX);
    if (*quantity == had || now->count > CROWD_LINES - 3)
        *quantity = 0;
    shopper->wanted = *now;
    shopper->changes = true;
    crowd_lines_set(&shopper->wanted, item, *quantity);
    return item;
}

/* What it would do next, and can: a form's token must have been seen on a page. */
static enum crowd_act choose_act(struct crowd_shopper *shopper)
{
    uint64_t draw = random_below(&shopper->random, 100);
    enum crowd_act act = CROWD_HOME;
    for (unsigned i = 0; i < CROWD_ACTS; i++) {
        act = acts[i].act;
        if (draw < acts[i].share)
            break;
        draw -= acts[i].share;
    }
    bool has_lines = shopper->belief.now.count && !shopper->belief.doubt;
    if ((act == CROWD_SET || act == CROWD_CHECKOUT) &&
        (!has_lines || (!shopper->program && !shopper->form_token[0])))
        act = CROWD_VIEW;
    if (act == CROWD_CHECKOUT && shopper->program)
        act = CROWD_SET;
    if (act == CROWD_ADD && shopper->belief.doubt)
        act = CROWD_VIEW; /* first see what has become of the last change */
    return act;
}

bool crowd_shopper_look(struct crowd_shopper *shopper, struct crowd_request *request)
{
    shopper->act = CROWD_VIEW;
    shopper->changes = false;
    shopper->shows_cart = true;
    request->method = "GET";
    if (shopper->program)
        buf_printf(request->path, "/carts/%s", shopper->cart);
    else
        buf_puts(request->path, "/cart");
    if (shopper->program)
        put_program(shopper, false, request->headers);
    else
        put_cookies(shopper, request->headers);
    return shopper->program ? shopper->cart[0] != 0 : cookie_value(shopper, "cart")[0] != 0;
}

/* The whole cart, made or replaced. */
static void program_change(struct crowd_shopper *shopper, const struct crowd_items *items,
                           struct crowd_request *request)
{
    request->method = shopper->cart[0] ? "PUT" : "POST";
    buf_puts(request->path, "/carts");
    buf_puts(request->body, "{");
    if (shopper->cart[0]) {
        buf_printf(request->path, "/%s", shopper->cart);
        buf_printf(request->body, "\"id\":\"%s\",", shopper->cart);
    }
    buf_puts(request->body, "\"line_items\":[");
    for (unsigned i = 0; i < shopper->wanted.count; i++)
        buf_printf(request->body, "%s{\"item\":{\"id\":\"%s\"},\"quantity\":%u}", i ? "," : "",
                   items->at[shopper->wanted.at[i].item].key, shopper->wanted.at[i].quantity);
    buf_puts(request->body, "]}");
}

static void program_click(struct crowd_shopper *shopper, const struct crowd_items *items,
                          struct crowd_request *request)
{
    uint32_t quantity;
    if (shopper->act == CROWD_ADD || shopper->act == CROWD_SET) {
        if (shopper->act == CROWD_ADD)
            plan_add(shopper, items, &quantity);
        else
            plan_set(shopper, &quantity);
        program_change(shopper, items, request);
    } else if (shopper->act == CROWD_SEARCH) {
        request->method = "POST";
        buf_puts(request->path, "/catalog/search");
        buf_printf(request->body, "{\"query\":\"%s\"}",
                   words[random_below(&shopper->random, COUNT_OF(words))]);
    } else {
        buf_printf(request->path, "/product/%s.json", items->at[any_item(shopper, items)].handle);
    }
    put_program(shopper, request->body->len > 0, request->headers);
}

static void browser_form(struct crowd_shopper *shopper, const struct crowd_items *items,
                         struct crowd_request *request)
{
    uint32_t item, quantity;
    request->method = "POST";
    put_origin(request->headers);
    if (shopper->act == CROWD_ADD) {
        item = plan_add(shopper, items, &quantity);
        buf_puts(request->path, "/cart/add");
        buf_printf(request->body, "handle=%s&item=%s&quantity=%u", items->at[item].handle,
                   items->at[item].key, quantity);
    } else if (shopper->act == CROWD_SET) {
        item = plan_set(shopper, &quantity);
        buf_puts(request->path, "/cart/set");
        buf_printf(request->body, "token=%s&item=%s&quantity=%u%s", shopper->form_token,
                   items->at[item].key, quantity, quantity ? "" : "&remove=1");
    } else {
        buf_puts(request->path, "/checkout");
        buf_printf(request->body, "token=%s", shopper->form_token);
    }
}

static void browser_click(struct crowd_shopper *shopper, const struct crowd_items *items,
                          struct crowd_request *request)
{
    if (shopper->act == CROWD_HOME)
        buf_puts(request->path, "/");
    else if (shopper->act == CROWD_PRODUCT)
        buf_printf(request->path, "/product/%s", items->at[any_item(shopper, items)].handle);
    else if (shopper->act == CROWD_SEARCH)
        buf_printf(request->path, "/search?q=%s",
                   words[random_below(&shopper->random, COUNT_OF(words))]);
    else
        browser_form(shopper, items, request);
    put_cookies(shopper, request->headers);
}

void crowd_shopper_click(struct crowd_shopper *shopper, const struct crowd_items *items,
                         struct crowd_request *request)
{
    enum crowd_act act = choose_act(shopper);
    shopper->changes = shopper->shows_cart = false;
    request->method = "GET";
    if (act == CROWD_VIEW && (!shopper->program || shopper->cart[0])) {
        crowd_shopper_look(shopper, request);
    } else {
        shopper->act = act == CROWD_VIEW ? CROWD_PRODUCT : act;
        (shopper->program ? program_click : browser_click)(shopper, items, request);
    }
}

void crowd_shopper_follow(struct crowd_shopper *shopper, struct crowd_request *request)
{
    shopper->act = CROWD_FOLLOW;
    shopper->changes = false;
    shopper->shows_cart = strcmp(shopper->location, "/cart") == 0;
    request->method = "GET";
    buf_puts(request->path, shopper->location);
    put_cookies(shopper, request->headers);
}

/* ---- Answers ---- */

static void keep_form_token(struct crowd_shopper *shopper, struct str html)
{
    ptrdiff_t at = str_find(html, STR("name=\"token\" value=\""));
    struct str rest = at < 0 ? STR("") : str_from(html, (size_t)at + 20), token;
    if (at < 0 || !str_cut(&rest, '"', &token) || token.len >= sizeof shopper->form_token)
        token = STR("");
    str_copy(shopper->form_token, sizeof shopper->form_token, token);
}

static enum crowd_verdict see_cart(struct crowd_shopper *shopper, bool shown,
                                   enum crowd_finding *finding, struct crowd_lines *seen)
{
    if (!shown)
        return CROWD_FAILED;
    *finding = crowd_belief_see(&shopper->belief, seen);
    return CROWD_DONE;
}

static void keep_cart_id(struct crowd_shopper *shopper, struct str json)
{
    yyjson_doc *doc = yyjson_read(json.at, json.len, 0);
    struct str id = str_of(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "id")));
    if (id.len < sizeof shopper->cart)
        str_copy(shopper->cart, sizeof shopper->cart, id);
    yyjson_doc_free(doc);
}

static enum crowd_verdict program_answer(struct crowd_shopper *shopper,
                                         const struct crowd_items *items, int status,
                                         struct str body, enum crowd_finding *finding,
                                         struct crowd_lines *seen)
{
    if (status != 200 && status != 201)
        return CROWD_FAILED;
    if (shopper->changes) {
        if (!shopper->cart[0])
            keep_cart_id(shopper, body);
        crowd_belief_change(&shopper->belief, &shopper->wanted);
    }
    if (shopper->changes || shopper->act == CROWD_VIEW)
        return see_cart(shopper, crowd_lines_of_json(body, items, seen), finding, seen);
    return CROWD_DONE;
}

/* A form leads where it should: any other place means that it was refused. */
static enum crowd_verdict form_answer(struct crowd_shopper *shopper, int status)
{
    const char *leads = shopper->act == CROWD_CHECKOUT ? "/checkout/" : "/cart";
    if (status != 303 || strncmp(shopper->location, leads, strlen(leads)) != 0)
        return CROWD_FAILED;
    if (shopper->changes)
        crowd_belief_change(&shopper->belief, &shopper->wanted);
    return CROWD_GO_ON;
}

static enum crowd_verdict browser_answer(struct crowd_shopper *shopper,
                                         const struct crowd_items *items, int status,
                                         struct str body, enum crowd_finding *finding,
                                         struct crowd_lines *seen)
{
    if (shopper->act == CROWD_ADD || shopper->act == CROWD_SET || shopper->act == CROWD_CHECKOUT)
        return form_answer(shopper, status);
    if (status != 200)
        return CROWD_FAILED;
    if (!shopper->shows_cart)
        return CROWD_DONE;
    if (!crowd_lines_of_page(body, items, seen))
        return CROWD_FAILED;
    keep_form_token(shopper, body);
    return see_cart(shopper, true, finding, seen);
}

enum crowd_verdict crowd_shopper_answer(struct crowd_shopper *shopper,
                                        const struct crowd_items *items, int status,
                                        struct str body, enum crowd_finding *finding,
                                        struct crowd_lines *seen)
{
    *finding = CROWD_UNSEEN;
    enum crowd_verdict verdict = (shopper->program ? program_answer : browser_answer)(
        shopper, items, status, body, finding, seen);
    if (verdict == CROWD_FAILED)
        crowd_shopper_lost(shopper);
    return verdict;
}

void crowd_shopper_lost(struct crowd_shopper *shopper)
{
    if (shopper->changes)
        crowd_belief_doubt(&shopper->belief, &shopper->wanted);
    shopper->changes = false;
}

#include "history.h"

#include "aftersale.h"
#include "base/check.h"
#include "copy_text.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 1 << 16 };

const char *const item_names[ITEMS] = {"roses", "tulips", "pot", "gardenias"};

struct done {
    uint64_t command, result; /* hashes */
};

struct entry {
    bool known, ended, has_digest;
    int64_t time_ms;
    struct done *commands;
    unsigned count;
    int64_t arrived[ITEMS]; /* up to and with this entry */
    unsigned char digest[DB_DIGEST];
    char *text; /* of the copy, when what happens is shown */
};

struct cart_model {
    uint32_t quantity[ITEMS];
};

struct purchase {
    uint64_t order; /* its number; 0: none */
    uint32_t cart;  /* 0: none */
    uint32_t quantity[ITEMS];
};

struct leader {
    unsigned server;
    uint64_t start; /* 0: nobody led in this term */
};

struct history {
    struct leader *leaders; /* by term */
    uint64_t term_cap;
    struct entry *entries;
    uint64_t cap, last;
    unsigned last_server; /* who applied it first */
    int64_t arrived[ITEMS];
    struct cart_model carts[NUMBERS];
    struct purchase purchases[NUMBERS];
    bool operations[NUMBERS]; /* that were done */
    uint64_t orders;
    unsigned counts[COMMAND_TYPE_COUNT];
    struct arena arena;
    bool open;
};

static struct history history;

struct id history_id(enum id_kind kind, uint32_t number)
{
    CHECK(number < NUMBERS);
    struct id id = {{(unsigned char)kind}};
    for (int i = 0; i < 4; i++)
        id.bytes[15 - i] = (unsigned char)(number >> (8 * i));
    return id;
}

uint32_t history_number(struct id id)
{
    uint32_t number = 0;
    for (int i = 12; i < 16; i++)
        number = number << 8 | id.bytes[i];
    return number % NUMBERS;
}

static uint64_t hash_of(struct str bytes)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ (unsigned char)bytes.at[i]) * 1099511628211u;
    return sum;
}

static struct entry *entry_at(uint64_t index)
{
    if (index >= history.cap) {
        uint64_t cap = index * 2 + 256;
        history.entries = realloc(history.entries, cap * sizeof *history.entries);
        CHECK(history.entries != NULL);
        memset(history.entries + history.cap, 0, (cap - history.cap) * sizeof *history.entries);
        history.cap = cap;
    }
    return &history.entries[index];
}

uint64_t history_last(void)
{
    return history.last;
}

uint64_t history_orders(void)
{
    return history.orders;
}

const unsigned *history_counts(void)
{
    return history.counts;
}

/* ---- The model ---- */

static int item_number(struct str key)
{
    for (int i = 0; i < ITEMS; i++)
        if (str_eq(key, str_of(item_names[i])))
            return i;
    return -1;
}

static void check_cart(uint64_t index, const struct cart *cart)
{
    const struct cart_model *model = &history.carts[history_number(cart->id)];
    uint32_t found[ITEMS] = {0};
    for (unsigned i = 0; i < cart->basket.line_count; i++) {
        int item = item_number(cart->basket.lines[i].item_key);
        if (item >= 0)
            found[item] += cart->basket.lines[i].quantity;
    }
    for (int i = 0; i < ITEMS; i++)
        if (found[i] != model->quantity[i])
            world_fail("entry %llu: cart %u has %u of %s; %u were put there",
                       (unsigned long long)index, history_number(cart->id), found[i], item_names[i],
                       model->quantity[i]);
}

static void model_cart(const struct command *command, bool again)
{
    struct cart_model *model = &history.carts[history_number(command->cart_item.id)];
    int item = item_number(command->cart_item.item_key);
    CHECK(item >= 0);
    if (again)
        return;
    if (command->type == COMMAND_CART_ADD)
        model->quantity[item] += command->cart_item.quantity;
    else
        model->quantity[item] = command->cart_item.quantity;
}

static void model_checkout(const struct command *command, const struct checkout *checkout)
{
    struct purchase *purchase = &history.purchases[history_number(checkout->id)];
    if (command->type == COMMAND_CHECKOUT_CREATE)
        purchase->cart = id_is_zero(checkout->cart_id) ? 0 : history_number(checkout->cart_id);
    if (checkout->order_number == 0)
        return;
    if (purchase->order != 0 && purchase->order != checkout->order_number)
        world_fail("purchase %u has order %llu and order %llu", history_number(checkout->id),
                   (unsigned long long)purchase->order, (unsigned long long)checkout->order_number);
    if (purchase->order != 0)
        return;
    purchase->order = checkout->order_number;
    history.orders++;
    for (uint32_t i = 0; i < NUMBERS && history.orders > 1; i++)
        if (history.purchases[i].order == purchase->order && &history.purchases[i] != purchase)
            world_fail("purchases %u and %u are both order %llu", i, history_number(checkout->id),
                       (unsigned long long)purchase->order);
    struct cart_model *cart = &history.carts[purchase->cart];
    for (unsigned i = 0; i < checkout->basket.line_count && purchase->cart != 0; i++) {
        int item = item_number(checkout->basket.lines[i].item_key);
        uint32_t bought = checkout->basket.lines[i].quantity;
        if (item >= 0)
            cart->quantity[item] -= bought < cart->quantity[item] ? bought : cart->quantity[item];
    }
}

static void model_stock(const struct command *command, bool again)
{
    int item = item_number(command->item.key);
    CHECK(item >= 0);
    if (!again)
        history.arrived[item] += command->item.value;
}

/* The first set-up of an item brings what is there of it. */
static void model_product(const struct command *command)
{
    int item = item_number(command->product.handle);
    if (item >= 0 && history.arrived[item] == 0)
        history.arrived[item] = command->product.variants[0].available;
}

static void model_apply(uint64_t index, struct str record, struct str answer)
{
    struct command command;
    struct result result;
    arena_reset(&history.arena);
    if (command_decode(&history.arena, record, &command) != 0 ||
        result_decode(&history.arena, answer, &result) != 0)
        world_fail("entry %llu cannot be read", (unsigned long long)index);
    bool again =
        !id_is_zero(command.operation) && history.operations[history_number(command.operation)];
    if (result.err != 0 && result.kind != RESULT_CHECKOUT)
        return;
    if (result.err == 0) {
        history.counts[command.type]++;
        if (!id_is_zero(command.operation))
            history.operations[history_number(command.operation)] = true;
    }
    if (command.type == COMMAND_PRODUCT_PUT)
        model_product(&command);
    if (command.type == COMMAND_STOCK_RECEIVE)
        model_stock(&command, again);
    if (command.type == COMMAND_CART_ADD || command.type == COMMAND_CART_SET)
        model_cart(&command, again);
    if (result.err == 0)
        aftersale_applied(index, &command, &result, again, history.arrived);
    if (result.kind == RESULT_CART)
        check_cart(index, &result.cart);
    if (result.kind == RESULT_CHECKOUT)
        model_checkout(&command, &result.checkout);
}

/* ---- What servers tell ---- */

static void first_time(unsigned server, struct entry *entry, uint64_t index, unsigned at,
                       struct done done, struct str command, struct str result)
{
    if (at == 0) {
        if (index < history.last)
            world_fail("server %u: entry %llu is new; server %u has gone on with entry %llu",
                       server + 1, (unsigned long long)index, history.last_server + 1,
                       (unsigned long long)history.last);
        history.last_server = server;
        entry->known = true;
        history.last = index;
    }
    entry->commands = realloc(entry->commands, (at + 1) * sizeof *entry->commands);
    CHECK(entry->commands != NULL && at == entry->count);
    entry->commands[entry->count++] = done;
    model_apply(index, command, result);
    memcpy(entry->arrived, history.arrived, sizeof entry->arrived);
    world_hash_bytes(&done, sizeof done);
}

void history_applied(unsigned server, uint64_t index, unsigned at, int64_t time_ms,
                     struct str command, struct str result)
{
    if (!history.open) {
        arena_init(&history.arena, 16 << 20);
        history.open = true;
    }
    struct entry *entry = entry_at(index);
    struct done done = {hash_of(command), hash_of(result)};
    if (at == entry->count && !entry->ended) {
        if (at == 0)
            entry->time_ms = time_ms;
        first_time(server, entry, index, at, done, command, result);
        return;
    }
    if (at >= entry->count)
        world_fail("server %u: entry %llu has more commands than it had on another server",
                   server + 1, (unsigned long long)index);
    if (entry->time_ms != time_ms)
        world_fail("server %u: entry %llu has time %lld, and %lld on another server", server + 1,
                   (unsigned long long)index, (long long)time_ms, (long long)entry->time_ms);
    if (entry->commands[at].command != done.command)
        world_fail("server %u: entry %llu is another one than on another server", server + 1,
                   (unsigned long long)index);
    if (result.at != NULL && entry->commands[at].result != done.result)
        world_fail("server %u: command %u of entry %llu gives another result than before",
                   server + 1, at, (unsigned long long)index);
}

bool history_knows(uint64_t index, unsigned at)
{
    return history.open && at < entry_at(index)->count;
}

void history_entry_ended(unsigned server, uint64_t index, unsigned count)
{
    struct entry *entry = entry_at(index);
    if (entry->ended && count != entry->count)
        world_fail("server %u: entry %llu has %u commands, elsewhere %u", server + 1,
                   (unsigned long long)index, count, entry->count);
    entry->ended = true;
}

void history_leads(unsigned server, uint64_t start, uint64_t term)
{
    if (term >= history.term_cap) {
        uint64_t cap = term * 2 + 64;
        history.leaders = realloc(history.leaders, cap * sizeof *history.leaders);
        CHECK(history.leaders != NULL);
        memset(history.leaders + history.term_cap, 0,
               (cap - history.term_cap) * sizeof *history.leaders);
        history.term_cap = cap;
    }
    struct leader *leader = &history.leaders[term];
    if (leader->start != 0 && (leader->server != server || leader->start != start))
        world_fail("server %u leads in term %llu, in which server %u has led%s", server + 1,
                   (unsigned long long)term, leader->server + 1,
                   leader->server == server ? " before it died" : "");
    *leader = (struct leader){server, start};
}

int history_leader(uint64_t term)
{
    bool led = term < history.term_cap && history.leaders[term].start != 0;
    return led ? (int)history.leaders[term].server : -1;
}

void history_acknowledged(uint64_t index, struct str command, struct str result)
{
    struct done done = {hash_of(command), hash_of(result)};
    struct entry *entry = entry_at(index);
    for (unsigned i = 0; i < entry->count; i++)
        if (entry->commands[i].command == done.command && entry->commands[i].result == done.result)
            return;
    world_fail("acknowledged with entry %llu, which does not have it", (unsigned long long)index);
}

int64_t history_arrived(uint64_t index, unsigned item)
{
    /* Entries without commands (a new primary's first) have nothing of their own. */
    while (index > 0 && (index >= history.cap || !history.entries[index].known))
        index--;
    return index == 0 ? 0 : history.entries[index].arrived[item];
}

void history_digest(unsigned server, uint64_t index, const unsigned char digest[DB_DIGEST],
                    struct db *db)
{
    struct entry *entry = entry_at(index);
    if (!entry->has_digest && world.trace)
        entry->text = copy_text(db);
    if (entry->has_digest && memcmp(entry->digest, digest, DB_DIGEST) != 0) {
        if (world.trace)
            copy_text_compare(entry->text, copy_text(db));
        world_fail("server %u: its copy after entry %llu is another one than elsewhere", server + 1,
                   (unsigned long long)index);
    }
    memcpy(entry->digest, digest, DB_DIGEST);
    entry->has_digest = true;
}

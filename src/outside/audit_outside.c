#include "outside/audit_outside.h"

#include "outside/auditing_outside.h"
#include "outside/identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RECORD_MEMORY = 16 << 20, COMPLAINTS_MAX = 10000, AGAIN_S = 2 };

/* ---- Complaints ---- */

/* FNV-1a (Fowler, Noll, Vo): two complaints with one hash do no more than tell one too many. */
static uint64_t hash_of(const char *rule, struct id about)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (; *rule; rule++)
        hash = (hash ^ (unsigned char)*rule) * 0x100000001b3ull;
    for (unsigned i = 0; i < sizeof about.bytes; i++)
        hash = (hash ^ about.bytes[i]) * 0x100000001b3ull;
    return hash;
}

static void keep(struct complaints *complaints, uint64_t hash)
{
    if (complaints->count == complaints->room) {
        unsigned room = complaints->room ? 2 * complaints->room : 64;
        uint64_t *more =
            room <= COMPLAINTS_MAX ? realloc(complaints->hashes, room * sizeof *more) : NULL;
        if (!more) {
            complaints->overflow = true;
            return;
        }
        complaints->hashes = more;
        complaints->room = room;
    }
    complaints->hashes[complaints->count++] = hash;
}

static bool has(const struct complaints *complaints, uint64_t hash)
{
    for (unsigned i = 0; i < complaints->count; i++)
        if (complaints->hashes[i] == hash)
            return true;
    return complaints->overflow;
}

static void say(struct outside_audit *audit, const char *rule, struct id about, const char *format,
                va_list args)
{
    char sentence[600];
    uint64_t hash = hash_of(rule, about);
    if (!audit->second && !audit->places->at_rest) {
        keep(&audit->first, hash);
        return;
    }
    if (audit->second && !has(&audit->first, hash))
        return;
    vsnprintf(sentence, sizeof sentence, format, args);
    audit->report->differences++;
    audit->say(audit->context, sentence);
}

void outside_say(struct outside_audit *audit, const char *rule, struct id about, const char *format,
                 ...)
{
    va_list args;
    va_start(args, format);
    say(audit, rule, about, format, args);
    va_end(args);
}

void outside_say_unless(struct outside_audit *audit, bool explained, const char *rule,
                        struct id about, const char *format, ...)
{
    if (explained && !audit->places->at_rest) {
        audit->report->under_way++;
        return;
    }
    va_list args;
    va_start(args, format);
    say(audit, rule, about, format, args);
    va_end(args);
}

/* ---- Looking ---- */

struct books {
    struct bank_book *bank; /* NULL: not looked at */
    struct house *houses[AUDIT_HOUSES_MAX];
    unsigned house_count;
};

static const struct id last_id = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff}};

static int check_orders(struct outside_audit *audit, struct books *books, struct failure *failure)
{
    struct id after = {{0}};
    for (;;) {
        arena_reset(&audit->arena);
        struct order *order = ARENA_NEW(&audit->arena, struct order);
        int err = order ? reader_next_order(audit->reader, &audit->arena, after, order) : ERR_NOMEM;
        if (err == ERR_NOTFOUND)
            return 0;
        if (err)
            return fail(failure, err, "%s: an order cannot be read: %s", audit->places->shop,
                        err_sentence(err));
        audit->report->orders++;
        if (books->bank) {
            outside_orphans(audit, books->bank, order->id);
            outside_check_charges(audit, books->bank, order);
        }
        for (unsigned i = 0; i < books->house_count; i++) {
            house_orphans(audit, books->houses[i], order->id);
            house_check_order(audit, books->houses[i], order);
        }
        after = order->id;
    }
}

static int begin(struct outside_audit *audit, struct books *books, struct failure *failure)
{
    uint64_t epoch;
    int err = reader_begin(audit->reader, NULL);
    if (err)
        return fail(failure, err, "%s cannot be read: %s", audit->places->shop, err_sentence(err));
    if (identity_read(audit->reader, &audit->shop, &epoch))
        audit->shop = (struct id){{0}};
    if (books->bank)
        bank_book_begin(books->bank); /* what fails shows at its end */
    for (unsigned i = 0; i < books->house_count && !err; i++)
        err = house_begin(audit, books->houses[i], failure);
    return err;
}

static int end(struct outside_audit *audit, struct books *books, struct failure *failure)
{
    int err = books->bank ? bank_book_end(books->bank, failure) : 0;
    for (unsigned i = 0; i < books->house_count; i++) {
        int house = house_end(books->houses[i], err ? NULL : failure);
        err = err ? err : house;
    }
    reader_end(audit->reader);
    return err;
}

/* One look at all of it. */
static int look(struct outside_audit *audit, struct books *books, struct failure *failure)
{
    *audit->report = (struct audit_outside_report){0};
    int err = begin(audit, books, failure);
    if (!err)
        err = check_orders(audit, books, failure);
    arena_reset(&audit->arena);
    if (!err && books->bank)
        outside_orphans(audit, books->bank, last_id);
    for (unsigned i = 0; i < books->house_count && !err; i++) {
        house_orphans(audit, books->houses[i], last_id);
        house_check_stock(audit, books->houses[i]);
    }
    int ended = end(audit, books, err ? NULL : failure);
    return err ? err : ended;
}

static int look_twice(struct outside_audit *audit, struct books *books, struct failure *failure)
{
    int err = look(audit, books, failure);
    bool again = audit->first.count > 0 || audit->first.overflow;
    if (err || !again)
        return err;
    nanosleep(&(struct timespec){.tv_sec = AGAIN_S}, NULL);
    audit->second = true;
    return look(audit, books, failure);
}

static int open_books(const struct audit_places *places, struct books *books,
                      struct failure *failure)
{
    int err = places->bank.place ? bank_book_open(&places->bank, &books->bank, failure) : 0;
    for (unsigned i = 0; i < places->warehouse_count && !err; i++) {
        err = house_open(places->warehouses[i], &books->houses[i], failure);
        books->house_count += !err;
    }
    return err;
}

int audit_outside_run(const struct audit_places *places,
                      void (*say_one)(void *context, const char *sentence), void *context,
                      struct audit_outside_report *report, struct failure *failure)
{
    struct outside_audit audit = {
        .places = places, .say = say_one, .context = context, .report = report};
    struct books books = {.bank = NULL};
    *report = (struct audit_outside_report){0};
    arena_init(&audit.arena, RECORD_MEMORY);
    int err = reader_open(places->shop, &audit.reader, failure);
    if (!err)
        err = open_books(places, &books, failure);
    if (!err)
        err = look_twice(&audit, &books, failure);
    for (unsigned i = 0; i < books.house_count; i++)
        house_close(books.houses[i]);
    bank_book_close(books.bank);
    if (audit.reader)
        reader_close(audit.reader);
    arena_close(&audit.arena);
    free(audit.first.hashes);
    return err;
}

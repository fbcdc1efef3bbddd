#include "outside/audit_bank.h"

#include "outside/sandbox_ledger.h"
#include "store/db.h"

#include <stdlib.h>

struct bank_book {
    const struct bank_place *place;
    struct bank_charges fetched; /* of an address */
    size_t at;
    struct failure failure;

    struct db *db; /* of a file */
    struct sandbox_account account;
    struct stmt *row;
    struct bank_charge charge;
    bool there;
};

static bool is_remote(const char *place)
{
    return strncmp(place, "https://", 8) == 0 || strncmp(place, "http://", 7) == 0;
}

static int open_file(struct bank_book *book, const char *file, struct failure *failure)
{
    int err = db_open(file, DB_READER, &book->db, failure);
    if (!err && ledger_account(book->db, &book->account))
        err = fail(failure, ERR_UNSUPPORTED, "%s: this is not the ledger of a sandbox bank", file);
    return err;
}

int bank_book_open(const struct bank_place *place, struct bank_book **out, struct failure *failure)
{
    struct bank_book *book = calloc(1, sizeof *book);
    *out = NULL;
    if (!book)
        return fail(failure, ERR_NOMEM, "%s: out of memory", place->place);
    book->place = place;
    int err = is_remote(place->place) ? 0 : open_file(book, place->place, failure);
    if (err) {
        bank_book_close(book);
        return err;
    }
    *out = book;
    return 0;
}

void bank_book_close(struct bank_book *book)
{
    if (!book)
        return;
    db_close(book->db);
    free(book->fetched.at);
    free(book);
}

static struct id id_at(struct stmt *row, int column)
{
    struct id id = {{0}};
    if (id_parse(stmt_str(row, column), &id))
        id = (struct id){{0}};
    return id;
}

static void read_row(struct bank_book *book)
{
    struct bank_charge *charge = &book->charge;
    struct stmt *row = book->row;
    char reference[PAYMENT_ID];
    book->there = stmt_next(row) == 0;
    if (!book->there)
        return;
    enum payment_status status = (enum payment_status)stmt_i64(row, 4);
    *charge = (struct bank_charge){
        .checkout = id_at(row, 0),
        .attempt = id_at(row, 1),
        .shop = id_at(row, 2),
        .state = status == PAYMENT_REQUIRES_CAPTURE ? CHARGE_RESERVED
                 : status == PAYMENT_SUCCEEDED      ? CHARGE_TAKEN
                                                    : CHARGE_NONE,
        .amount = stmt_i64(row, 5),
        .taken = stmt_i64(row, 6),
        .given_back = status == PAYMENT_SUCCEEDED ? stmt_i64(row, 7) : 0,
    };
    sandbox_id(&book->account, "pi", stmt_u64(row, 3), reference);
    str_copy(charge->reference, sizeof charge->reference, str_of(reference));
}

static void take_next(struct bank_book *book)
{
    book->there = book->at < book->fetched.count;
    if (book->there)
        book->charge = book->fetched.at[book->at++];
}

void bank_book_begin(struct bank_book *book)
{
    if (!book->db) {
        book->at = book->fetched.count = 0;
        bank_charges_fetch(book->place, &book->fetched, &book->failure);
        take_next(book);
        return;
    }
    db_begin(book->db);
    book->row = db_stmt(
        book->db, "SELECT coalesce(json_extract(p.metadata, '$.checkout'), '') AS checkout,"
                  " coalesce(json_extract(p.metadata, '$.attempt'), ''),"
                  " coalesce(json_extract(p.metadata, '$.shop'), ''), p.number, p.status, p.amount,"
                  " p.received, coalesce(c.refunded, 0)"
                  " FROM payment p LEFT JOIN charge c ON c.number = p.charge"
                  " ORDER BY checkout, p.number");
    read_row(book);
}

const struct bank_charge *bank_book_charge(struct bank_book *book)
{
    return book->there ? &book->charge : NULL;
}

void bank_book_next(struct bank_book *book)
{
    if (book->db)
        read_row(book);
    else
        take_next(book);
}

int bank_book_end(struct bank_book *book, struct failure *failure)
{
    const struct failure *why = book->db ? db_failure(book->db) : &book->failure;
    int err = why->err;
    if (err && failure)
        *failure = *why;
    if (book->db) {
        stmt_done(book->row);
        db_rollback(book->db);
    }
    return err;
}

#include "outside/warehouse_act.h"

#include "base/check.h"
#include "base/clock.h"
#include "outside/warehouse_reports.h"

bool warehouse_act_of_parcel(struct warehouse_act *act, struct str what)
{
    static const struct {
        const char *what;
        enum act_kind kind;
    } known[] = {
        {"ship", ACT_SHIP},
        {"unpack", ACT_UNPACK},
        {"deliver", ACT_DELIVER},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_eq(what, str_of(known[i].what))) {
            act->kind = known[i].kind;
            return true;
        }
    return false;
}

static int send(struct book *book, struct warehouse_act *act)
{
    int err = warehouse_book_pack(book, act->order, act->parcel, act->lines, act->line_count);
    return err ? err : warehouse_book_ship(book, act->parcel, &act->carriage);
}

static int run_it(struct book *book, struct warehouse_act *act)
{
    switch (act->kind) {
    case ACT_PICK:
        return warehouse_book_pick(book, act->order, act->line, act->quantity);
    case ACT_SCAN:
        return warehouse_book_scan(book, act->order, act->item, &act->line);
    case ACT_PACK:
        return warehouse_book_pack(book, act->order, act->parcel, act->lines, act->line_count);
    case ACT_UNPACK:
        return warehouse_book_unpack(book, act->parcel);
    case ACT_SHIP:
        return warehouse_book_ship(book, act->parcel, &act->carriage);
    case ACT_SEND:
        return send(book, act);
    case ACT_DELIVER:
        return warehouse_book_deliver(book, act->parcel);
    case ACT_RETURN:
        return warehouse_book_return(book, act->order, act->lines, act->line_count, act->restock,
                                     act->note);
    case ACT_SHORT:
        return warehouse_book_short(book, act->order, act->lines, act->line_count, act->note);
    case ACT_ARRIVE:
        return warehouse_book_arrive(book, act->item, act->quantity, act->note);
    case ACT_COUNT:
        return warehouse_book_counted(book, act->item, act->quantity, act->note);
    case ACT_PRODUCT:
        return warehouse_book_product(book, act->product);
    case ACT_DROP:
        return warehouse_reports_drop(book, act->report);
    case ACT_MEND:
        return warehouse_reports_mend(book, act->report, act->note);
    case ACT_RENEW:
        return warehouse_reports_renew(book);
    }
    return ERR_INTERNAL;
}

int warehouse_act_run(struct book *book, struct warehouse_act *act)
{
    bool done = false;
    int err = warehouse_book_done(book, act->operation, &done, NULL);
    if (err || done)
        return err;
    err = run_it(book, act);
    return err ? err : warehouse_book_remember(book, act->operation, "act", act->order, STR(""));
}

/* ---- By the writer ---- */

static int run_change(struct writer_job *job, struct db *db)
{
    struct warehouse_change *change = CONTAINER_OF(job, struct warehouse_change, job);
    struct book book = {db, clock_wall_ms(), &change->failure};
    change->failure = (struct failure){0};
    int err = change->run(&book, change->argument);
    if (err && !change->failure.err)
        fail(&change->failure, err, "%s",
             db_failure(db)->err ? db_failure(db)->text : err_sentence(err));
    return err;
}

int warehouse_change_do(struct writer *writer, struct warehouse_change *change)
{
    change->job.run = run_change;
    change->failure = (struct failure){0};
    int err = writer_run(writer, &change->job);
    if (err && !change->failure.err)
        fail(&change->failure, err, "%s", err_sentence(err));
    return err;
}

static int run_act(struct book *book, void *argument)
{
    return warehouse_act_run(book, argument);
}

int warehouse_act_do(struct writer *writer, struct warehouse_act *act, struct failure *failure)
{
    struct warehouse_change change = {.run = run_act, .argument = act};
    int err = warehouse_change_do(writer, &change);
    if (err && failure)
        *failure = change.failure;
    return err;
}

/* Acts: what people (and scanners, and --auto-ship) do at a warehouse, as one plain struct, so that
 * the page and the JSON API do the very same, once each.
 *
 * An act has an operation id of its own where whoever asks has sent one: a form that is sent twice,
 * or a scanner that asks again after a lost answer, does nothing the second time.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_ACT_H
#define STOA_OUTSIDE_WAREHOUSE_ACT_H

#include "outside/warehouse_book.h"
#include "outside/writer.h"

enum act_kind {
    ACT_PICK,    /* order, line, quantity (may be negative) */
    ACT_SCAN,    /* order, item; gives line */
    ACT_PACK,    /* order, lines (or none: what is picked, or all); parcel */
    ACT_UNPACK,  /* parcel */
    ACT_SHIP,    /* parcel, carriage */
    ACT_SEND,    /* PACK and SHIP in one */
    ACT_DELIVER, /* parcel */
    ACT_RETURN,  /* order, lines, restock, note */
    ACT_SHORT,   /* order, lines, note */
    ACT_ARRIVE,  /* item, quantity, note */
    ACT_COUNT,   /* item, quantity (on hand), note */
    ACT_PRODUCT, /* product */
    ACT_DROP,    /* report */
    ACT_MEND,    /* report, note: its new body, or empty */
    ACT_RENEW,
};

struct warehouse_act {
    enum act_kind kind;
    struct id operation, order, parcel;
    uint64_t report;
    uint32_t line;
    const struct book_quantity *lines;
    unsigned line_count;
    struct book_carriage carriage;
    bool restock;
    int64_t quantity;
    struct str item, note;
    const struct book_product *product;
};

/* ACT is what of a parcel WHAT says, as it stands in addresses; false: nothing of it can be done.
 */
bool warehouse_act_of_parcel(struct warehouse_act *act, struct str what);

/* In the writer's transaction. */
int warehouse_act_run(struct book *book, struct warehouse_act *act);

/* Has WRITER do it, durably, and waits; not on the writer's thread. ERR_BUSY, ERR_IO, or what the
 * book says; FAILURE has a sentence for people in any case. */
int warehouse_act_do(struct writer *writer, struct warehouse_act *act, struct failure *failure);

/* The same for any change. */
struct warehouse_change {
    struct writer_job job;
    int (*run)(struct book *book, void *argument);
    void *argument;
    struct failure failure;
};
int warehouse_change_do(struct writer *writer, struct warehouse_change *change);

#endif

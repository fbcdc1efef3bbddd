/* Reports of a warehouse: what it tells the shop, in the order in which it happened.
 *
 *   waiting ──the shop took it──▶ taken        dropped: the shop refused it, and people let it go
 *      ▲  └──the shop refused it, people drop it──▶ dropped
 *      └──the shop has lost it (gap)── taken
 *
 * The shop counts reports from 1 without gaps, per epoch of this database. A waiting report has no
 * number of its own: the Nth one that waits has the number `taken` + N. So one that the shop
 * refuses can be dropped or mended without a gap: the shop has taken neither it nor any after it.
 *
 * A refused report stops those behind it until people have decided. They wait rather than go on,
 * because what is behind it may rest on it (goods of a product that was refused, the delivery of a
 * parcel that was), and because the shop takes no later number before this one.
 *
 * Thread: the writer's for changes, any reader's own for warehouse_reports_next.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_REPORTS_H
#define STOA_OUTSIDE_WAREHOUSE_REPORTS_H

#include "outside/warehouse_book.h"

enum { REPORTS_AT_ONCE = 100, REPORTS_BYTES_MAX = 512 * 1024, REPORT_KEEP_DAYS = 30 };

/* Appends a report in the transaction of what it tells. BODY: its JSON without the number. */
int warehouse_reports_add(struct book *book, const char *kind, struct id order, struct str body);
/* The usual one about units of an order: lines and note. PARCEL and RESTOCK: NULL when without. */
int warehouse_reports_add_lines(struct book *book, const char *kind, struct id order,
                                const struct book_quantity *lines, unsigned count,
                                const bool *restock, struct str note);

/* The next request's body; *COUNT reports, MOST at most, the first of which has the number *FIRST.
 * None: *COUNT is 0. Nothing is given while the first of them is refused. */
int warehouse_reports_next(struct db *db, unsigned most, struct buf *out, uint64_t *first,
                           unsigned *count);

/* The shop has taken all up to SEQUENCE; LAST was the last that it was sent. ERR_STATE: it has
 * taken more than that, so that this database is an older copy of what it was. */
int warehouse_reports_taken(struct book *book, uint64_t sequence, uint64_t last);
/* The shop's next number is EXPECTED: what it has lost waits again. ERR_STATE as above, or what it
 * wants is no longer kept. */
int warehouse_reports_gap(struct book *book, uint64_t expected);
/* The shop refuses report SEQUENCE, and has taken those before it. */
int warehouse_reports_refused(struct book *book, uint64_t sequence, struct str problem);

/* People's decision on the refused one, report ID: ERR_STATE when it is not refused. BODY empty:
 * sent again as it is; ERR_INVALID: it is no report, and nothing has changed. */
int warehouse_reports_drop(struct book *book, uint64_t id);
int warehouse_reports_mend(struct book *book, uint64_t id, struct str body);

/* People's decision after an ERR_STATE: the shop counts from 1 again, what waits is sent under a
 * new epoch. */
int warehouse_reports_renew(struct book *book);

#endif

/* CSV: rows out of a stream of bytes (RFC 4180), with quotes, doubled quotes and line
 * breaks inside quotes; CRLF, LF or CR; a UTF-8 byte order mark at the start is skipped. A
 * quote further on in a field that did not begin with one (12" ruler) stands for itself.
 *
 * A pure push parser: give it bytes in pieces of any size, take rows. A row that is not
 * well formed is given too, with what is wrong, so that the caller can report it and
 * go on with the next. Not thread-safe.
 */
#ifndef STOA_SHOP_CSV_H
#define STOA_SHOP_CSV_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { CSV_FIELDS_MAX = 256, CSV_ROW_MAX = 1 << 20 };

struct csv {
    char separator;
    uint64_t line;     /* of the input, from 1, where the parser stands */
    uint64_t row_line; /* where the last row given began */
    struct buf bytes;  /* the row's fields, one after the other */
    size_t ends[CSV_FIELDS_MAX];
    unsigned count;
    struct str fields[CSV_FIELDS_MAX]; /* of the last row given; lent until the next call */
    const char *wrong;                 /* NULL, or what is wrong with that row */
    int state;
    unsigned bom; /* bytes of the mark seen so far */
    bool after_cr;
    bool blank; /* nothing of a row has been seen yet */
};

void csv_init(struct csv *csv, char separator);
void csv_close(struct csv *csv);

/* Takes from BYTES up to the end of a row; *USED says how much. True: a row is complete
 * (csv->fields, csv->count, csv->wrong); call again with the rest. Empty lines are
 * skipped. */
bool csv_feed(struct csv *csv, struct str bytes, size_t *used);

/* The input has ended: true when a last row without a line break was complete, or was
 * cut off inside quotes (csv->wrong). */
bool csv_end(struct csv *csv);

/* Appends FIELD, quoted where it needs to be. */
void csv_put(struct buf *out, struct str field, char separator);

#endif

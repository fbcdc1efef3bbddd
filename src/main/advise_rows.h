/* Advise rows: the settings of a file for `stoa advise`: one table makes what is read, what is
 * allowed and the help. Thread: main.
 */
#ifndef STOA_MAIN_ADVISE_ROWS_H
#define STOA_MAIN_ADVISE_ROWS_H

#include "base/str.h"
#include "main/advise_file.h"

enum { ADVISE_ABOVE = 1, ADVISE_IN_REGION = 2, ADVISE_IN_SITE = 4, ADVISE_ROWS_MAX = 48 };

enum advise_row_kind {
    ADVISE_ROW_NUMBER, /* double */
    ADVISE_ROW_COUNT,  /* unsigned */
    ADVISE_ROW_TIME,   /* double, in seconds */
    ADVISE_ROW_WORK,   /* the same, or minus requests a second of the whole server */
    ADVISE_ROW_TIMES,  /* struct advise_time */
    ADVISE_ROW_SHARE,  /* double */
    ADVISE_ROW_SWITCH, /* bool */
    ADVISE_ROW_TOLERATE,
    ADVISE_ROW_GROWTH,
    ADVISE_ROW_LOAD,
    ADVISE_ROW_WAY,
    ADVISE_ROW_SOURCE,
};

/* Where a setting stands, and what it is kept in. */
struct advise_place {
    struct advise_file *file;
    struct advise_region *region; /* both above the sections */
    struct advise_site *site;
    unsigned where, index, line;
    const char *path;
};

struct advise_row {
    const char *name;
    unsigned where; /* bits: in which of these it may stand */
    enum advise_row_kind kind;
    size_t offset;
    unsigned of; /* in what that is: ADVISE_IN_REGION, ADVISE_IN_SITE, ADVISE_ABOVE: in the input */
    double least, most; /* of numbers */
    bool list;
    const char *help;
};

extern const struct advise_row advise_rows[];
extern const unsigned advise_row_count;

/* Judges TEXT as setting NAME and keeps it. */
int advise_row_set(const char *name, const struct advise_place *place, struct str text,
                   struct failure *failure);

#endif

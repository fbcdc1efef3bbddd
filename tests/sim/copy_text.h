/* Copy text: a server's copy as text, one line a row, to say in what two copies differ. */
#ifndef STOA_SIM_COPY_TEXT_H
#define STOA_SIM_COPY_TEXT_H

#include "store/db.h"

/* All rows of all tables but the search index's; to be freed. */
char *copy_text(struct db *db);
/* Says the first lines in which the two differ. */
void copy_text_compare(const char *one, const char *other);

#endif

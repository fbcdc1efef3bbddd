/* Search words: what a person types, as an FTS5 query. Pure. */
#ifndef STOA_SHOP_SEARCH_WORDS_H
#define STOA_SHOP_SEARCH_WORDS_H

#include "base/buf.h"

#include <stdbool.h>

/* Appends TEXT as a query: all words must occur, the last one as a prefix. Nothing a
 * person types is taken for the query language. false: there is no word in TEXT. */
bool search_words(struct buf *out, struct str text);

#endif

/* Countries, by ISO 3166-1 alpha-2 code, with their English names: for the choice in the
 * address form. Constant; thread: any.
 */
#ifndef STOA_WEB_COUNTRY_H
#define STOA_WEB_COUNTRY_H

#include "base/str.h"

struct country {
    char code[3];
    const char *name;
};

extern const struct country countries[]; /* in the order of their names */
extern const unsigned country_count;

/* at == NULL when there is no country of this code. */
struct str country_name(struct str code);

#endif

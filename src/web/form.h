/* Form: what was typed, what is wrong with it, and the page that says so.
 *
 * After GOV.UK's patterns: an error summary at the top whose entries lead to the
 * fields, the message again at the field, and everything typed kept.
 *
 * A handler describes its fields in one table, reads them with form_read, adds what
 * only the shop knows with form_error, and shows them with form_show. Pure but for the
 * exchange's form. Thread: the exchange's.
 */
#ifndef STOA_WEB_FORM_H
#define STOA_WEB_FORM_H

#include "http/exchange.h"
#include "http/template.h"

#include <stdbool.h>

enum { FORM_FIELDS_MAX = 24 };

struct form_field {
    const char *name; /* of the input; its HTML id too */
    const char *label, *type, *autocomplete;
    const char *missing;            /* what to say when it is empty; NULL: may be empty */
    size_t max;                     /* bytes */
    bool (*fits)(struct str value); /* NULL: any text */
    const char *unfit;              /* what to say when it does not fit */
};

struct form {
    const struct form_field *fields;
    unsigned count;
    struct str values[FORM_FIELDS_MAX];
    const char *errors[FORM_FIELDS_MAX]; /* NULL: fine */
    bool bad;
};

/* Values trimmed from X's form, each judged by its row. */
void form_read(struct form *form, struct exchange *x, const struct form_field *fields,
               unsigned count);
/* Begins with empty values, for a first showing. */
void form_begin(struct form *form, const struct form_field *fields, unsigned count);
void form_set(struct form *form, const char *name, struct str value);
struct str form_value(const struct form *form, const char *name);
/* Marks NAME as wrong; TEXT is lent. */
void form_error(struct form *form, const char *name, const char *text);

/* Into MAP: "form" with a map for each field (what its row says, value, error, optional), and
 * "errors" (a list of field, text) when there are any. */
void form_show(const struct form *form, struct value *map);

bool form_is_email(struct str value);
bool form_is_phone(struct str value);
bool form_is_country(struct str value); /* two capital letters that a country has */

#endif

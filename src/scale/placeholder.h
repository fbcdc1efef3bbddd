/* Placeholder: words in braces in what the operator typed, "systemctl start stoa-{tier}@{index}",
 * and what they stand for. Pure. Braces around anything else are left as they are: a shell has uses
 * for them.
 */
#ifndef STOA_SCALE_PLACEHOLDER_H
#define STOA_SCALE_PLACEHOLDER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct placeholder {
    const char *name; /* "index" */
    const char *value;
};

/* TEXT with the values of PLACEHOLDERS into OUT. ERR_FULL: it becomes longer than SIZE - 1. */
int placeholder_fill(const char *text, const struct placeholder *placeholders, unsigned count,
                     char *out, size_t size, struct failure *failure);

/* Whether "{NAME}" is in TEXT. */
bool placeholder_is_in(const char *text, const char *name);

#endif

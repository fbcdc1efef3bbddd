#include "scale/placeholder.h"

#include <stdio.h>
#include <string.h>

/* The one that AT begins with, "{index}…"; NULL: none. */
static const struct placeholder *match(const char *at, const struct placeholder *placeholders,
                                       unsigned count)
{
    for (unsigned i = 0; at[0] == '{' && i < count; i++) {
        size_t len = strlen(placeholders[i].name);
        if (strncmp(at + 1, placeholders[i].name, len) == 0 && at[1 + len] == '}')
            return &placeholders[i];
    }
    return NULL;
}

int placeholder_fill(const char *text, const struct placeholder *placeholders, unsigned count,
                     char *out, size_t size, struct failure *failure)
{
    size_t len = 0;
    for (const char *at = text; *at;) {
        const struct placeholder *found = match(at, placeholders, count);
        const char *piece = found ? found->value : at;
        size_t piece_len = found ? strlen(found->value) : 1;
        if (len + piece_len >= size)
            return fail(failure, ERR_FULL, "\"%.40s…\" is too long (%zu characters at most)", text,
                        size - 1);
        memcpy(out + len, piece, piece_len);
        len += piece_len;
        at += found ? strlen(found->name) + 2 : 1;
    }
    out[len] = '\0';
    return 0;
}

bool placeholder_is_in(const char *text, const char *name)
{
    const struct placeholder one = {name, ""};
    for (const char *at = text; (at = strchr(at, '{')) != NULL; at++)
        if (match(at, &one, 1))
            return true;
    return false;
}

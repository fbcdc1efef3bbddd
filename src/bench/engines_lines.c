#include "bench/engines_lines.h"

#include <string.h>

const struct engines_lines *engines_lines_of(const char *engine)
{
    const struct engines_lines *lines = engines_lines;
    while (lines->name && strcmp(lines->name, engine) != 0)
        lines++;
    return lines;
}

/* CHECK: a broken invariant of the program stops it, with file and line.
 *
 * For what can only be our own mistake. Bad input, a full disk or a lost
 * connection is never checked with this: those are errors (base/err.h).
 */
#ifndef STOA_BASE_CHECK_H
#define STOA_BASE_CHECK_H

#include <stddef.h>

void check_failed(const char *file, int line, const char *what) __attribute__((noreturn, cold));

#define CHECK(condition)                                  \
    do {                                                  \
        if (__builtin_expect(!(condition), 0))            \
            check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

/* The object of TYPE whose MEMBER is at PTR. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif

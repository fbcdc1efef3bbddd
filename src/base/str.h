/* struct str: bytes lent by someone else, with a length, not 0-terminated.
 *
 * Passed by value. Whoever made the bytes keeps them alive. Thread: any.
 */
#ifndef STOA_BASE_STR_H
#define STOA_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *at;
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf: printf("%.*s", STR_FMT(s)) */
#define STR_FMT(s) (int)(s).len, (s).at ? (s).at : ""

static inline struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_make(const void *at, size_t len)
{
    return (struct str){(const char *)at, len};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Equality without regard to the case of ASCII letters. */
bool str_eq_nocase(struct str a, struct str b);

/* <0, 0, >0 as memcmp; a prefix sorts first. */
int str_compare(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);

/* S[from..], or S[from..from+len); clipped to S. */
struct str str_from(struct str s, size_t from);
struct str str_sub(struct str s, size_t from, size_t len);

/* Offset of the first BYTE or NEEDLE, or -1. */
ptrdiff_t str_find_byte(struct str s, char byte);
ptrdiff_t str_find(struct str s, struct str needle);

/* Cuts the part up to SEPARATOR off the front of *REST and gives it in *PART;
 * false when *REST was exhausted (at == NULL). "a,,b" gives a, "", b. */
bool str_cut(struct str *rest, char separator, struct str *part);

/* The whole of S as a decimal number; 0 or ERR_INVALID (empty, sign, other
 * characters, overflow). */
int str_to_u64(struct str s, uint64_t *value);
/* With an optional leading '-'; from INT64_MIN to INT64_MAX. */
int str_to_i64(struct str s, int64_t *value);

/* True when S is well-formed UTF-8 (RFC 3629: no surrogates, no overlong). */
bool str_is_utf8(struct str s);

/* S up to MAX bytes, without a part of a UTF-8 character at its end. */
struct str str_clip_utf8(struct str s, size_t max);

/* Copies S, clipped and 0-terminated, into DST of SIZE (at least 1) bytes;
 * returns DST. */
char *str_copy(char *dst, size_t size, struct str s);

/* Lower-case hexadecimal of BYTES into OUT (2 × LEN + 1 bytes, 0-terminated). */
void hex_encode(const void *bytes, size_t len, char *out);
/* 2 × OUT_LEN hex digits, of either case, into OUT_LEN bytes; 0 or ERR_INVALID. */
int hex_decode(struct str hex, void *out, size_t out_len);
/* 16 hex digits, the highest first; 0, or ERR_INVALID and *NUMBER is as it was. */
int hex_to_u64(struct str hex, uint64_t *number);

#endif

#include "http/etag.h"

enum { RANGES_MAX = 16 };

static struct str opaque(struct str etag)
{
    return str_starts(etag, STR("W/")) ? str_from(etag, 2) : etag;
}

bool etag_listed(struct str list, struct str etag)
{
    struct str wanted = opaque(etag);
    if (wanted.len == 0)
        return false;
    list = str_trim(list);
    if (str_eq(list, STR("*")))
        return true;
    while (list.len > 0) {
        struct str rest = opaque(list);
        if (rest.len == 0 || rest.at[0] != '"')
            return false;
        ptrdiff_t end = str_find_byte(str_from(rest, 1), '"');
        if (end < 0)
            return false;
        if (str_eq(str_sub(rest, 0, (size_t)end + 2), wanted))
            return true;
        list = str_trim(str_from(rest, (size_t)end + 2));
        if (list.len > 0 && list.at[0] != ',')
            return false;
        while (list.len > 0 && (list.at[0] == ',' || list.at[0] == ' ' || list.at[0] == '\t'))
            list = str_from(list, 1);
    }
    return false;
}

bool etag_allows_range(struct str if_range, struct str etag, struct str modified)
{
    if (if_range.len > 0 && if_range.at[0] == '"')
        return str_eq(if_range, etag);
    return modified.len > 0 && str_eq(if_range, modified);
}

/* One of "a-b", "a-", "-n". 0, or ERR: -1 not valid, 1 outside of LENGTH. */
static int one_range(struct str text, uint64_t length, uint64_t *first, uint64_t *last)
{
    ptrdiff_t dash = str_find_byte(text, '-');
    if (dash < 0)
        return -1;
    struct str from = str_sub(text, 0, (size_t)dash), to = str_from(text, (size_t)dash + 1);
    if (from.len == 0) {
        uint64_t suffix;
        if (str_to_u64(to, &suffix))
            return -1;
        if (suffix == 0 || length == 0)
            return 1;
        *first = suffix >= length ? 0 : length - suffix;
        *last = length - 1;
        return 0;
    }
    *last = UINT64_MAX;
    if (str_to_u64(from, first) || (to.len && str_to_u64(to, last)) || *last < *first)
        return -1;
    if (*first >= length)
        return 1;
    if (*last >= length)
        *last = length - 1;
    return 0;
}

enum range_verdict range_parse(struct str range, uint64_t length, uint64_t *first, uint64_t *last)
{
    struct str part;
    unsigned parts = 0, count = 0;
    if (range.len < 6 || !str_eq_nocase(str_sub(range, 0, 6), STR("bytes=")))
        return RANGE_WHOLE;
    range = str_from(range, 6);
    while (str_cut(&range, ',', &part)) {
        uint64_t a, b;
        part = str_trim(part);
        if (part.len == 0)
            continue;
        int verdict = ++parts > RANGES_MAX ? -1 : one_range(part, length, &a, &b);
        if (verdict < 0)
            return RANGE_WHOLE;
        if (verdict > 0)
            continue;
        if (count++ == 0) {
            *first = a;
            *last = b;
            continue;
        }
        if (a > *last + 1 || b + 1 < *first)
            return RANGE_WHOLE; /* several parts: the whole is a fair answer (§14.2) */
        *first = a < *first ? a : *first;
        *last = b > *last ? b : *last;
    }
    if (parts == 0)
        return RANGE_WHOLE;
    return count ? RANGE_PART : RANGE_NONE;
}

#include "http/fields.h"

#include "base/err.h"
#include "http/characters.h"
#include "http/core.h"

ptrdiff_t fields_end(struct str bytes, struct fields_scan *scan, const char **why)
{
    const char *line_end;
    while (scan->at < bytes.len &&
           (line_end = memchr(bytes.at + scan->at, '\n', bytes.len - scan->at))) {
        size_t at = (size_t)(line_end - bytes.at);
        if (at == scan->line || bytes.at[at - 1] != '\r') {
            *why = "a line ends in a bare line feed";
            return -1;
        }
        bool empty = at == scan->line + 1;
        scan->line = scan->at = at + 1;
        if (empty)
            return (ptrdiff_t)at + 1;
    }
    scan->at = bytes.len;
    return 0;
}

size_t fields_clean(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    const char *from = at;
    for (; end - at >= 8; at += 8) { /* eight at once, as long as there is nothing to look at */
        uint64_t word;
        memcpy(&word, at, 8);
        uint64_t deleted = word ^ 0x7f * ones;
        if (((word - 0x20 * ones) & ~word & tops) | ((deleted - ones) & ~deleted & tops))
            break;
    }
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            break;
    }
    return (size_t)(at - from);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One line at *AT, which has a line end before END. */
static const char *parse_line(const char **at, const char *end, struct http_header *header)
{
    const char *p = *at, *name = p;
    if (is_blank(*p))
        return "a header line begins with a blank";
    while (characters_have(CHARACTERS_TOKEN, *p))
        p++;
    header->name = str_make(name, (size_t)(p - name));
    if (*p != ':' || p == name)
        return p > name && is_blank(*p) ? "there is a blank before a header's colon"
                                        : "a header's name is not valid";
    do {
        p++;
    } while (is_blank(*p));
    const char *value = p;
    p += fields_clean(p, end);
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
        return "there is a control character in a header's value";
    *at = p + 2;
    while (p > value && is_blank(p[-1]))
        p--;
    header->value = str_make(value, (size_t)(p - value));
    return NULL;
}

int fields_parse(struct str bytes, struct http_header *headers, unsigned room, unsigned *count,
                 const char **why)
{
    const char *at = bytes.at, *end = bytes.at + bytes.len;
    *count = 0;
    while (end - at > 2) {
        if (*count == room) {
            *why = "there are too many header lines";
            return ERR_FULL;
        }
        struct http_header *header = &headers[*count];
        const char *wrong = parse_line(&at, end, header);
        if (wrong) {
            *why = wrong;
            return ERR_INVALID;
        }
        header->field = field_of(header->name);
        ++*count;
    }
    return 0;
}

void fields_put(struct buf *out, struct str name, struct str value)
{
    char *at = buf_room(out, name.len + value.len + 4);
    if (!at)
        return;
    memcpy(at, name.at, name.len);
    at += name.len;
    memcpy(at, ": ", 2);
    if (value.len)
        memcpy(at + 2, value.at, value.len);
    memcpy(at + 2 + value.len, "\r\n", 2);
    out->len += name.len + value.len + 4;
}

bool fields_has_token(struct str value, struct str token)
{
    struct str part;
    while (str_cut(&value, ',', &part))
        if (str_eq_nocase(str_trim(part), token))
            return true;
    return false;
}

bool fields_is_hop(enum http_field field)
{
    switch (field) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_EXPECT:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_TRAILER:
    case HTTP_FIELD_UPGRADE:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_CONNECTION:
        return true;
    default:
        return false;
    }
}

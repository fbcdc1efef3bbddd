/* The small parsers: URL escapes, forms, cookies, entity tags, ranges, Accept-Encoding. The
 * input is a name, a NUL byte, and a text.
 */
#include "base/check.h"
#include "http/etag.h"
#include "http/gzip.h"
#include "http/url.h"

static void check_escapes(struct arena *arena, struct str text)
{
    struct buf out;
    struct str decoded = url_decode(arena, text, true);
    CHECK(!decoded.at || decoded.len <= text.len);
    if (str_find_byte(text, 0) >= 0)
        return;
    buf_init(&out, 1 << 20);
    url_encode(&out, text);
    struct str back = url_decode(arena, buf_text(&out), false);
    CHECK(str_eq(back, text));
    buf_close(&out);
}

static void check_range(struct str text, struct str number)
{
    uint64_t first = 0, last = 0, length = 0;
    if (str_to_u64(number, &length))
        length = number.len;
    if (range_parse(text, length, &first, &last) == RANGE_PART)
        CHECK(first <= last && last < length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct str rest = str_make(bytes, len), name, pair_name, value;
    if (len == 0 || !str_cut(&rest, 0, &name))
        return 0;
    struct str text = rest.at ? rest : STR("");
    struct arena arena;
    arena_init(&arena, 1 << 20);
    check_escapes(&arena, text);
    form_find(&arena, text, name);
    for (struct str form = text; form_next(&form, &pair_name, &value);)
        CHECK(pair_name.len + value.len <= text.len);
    struct str cookie = cookie_find(text, name);
    CHECK(!cookie.at || cookie.len <= text.len);
    check_range(text, name);
    etag_listed(text, name);
    etag_allows_range(text, name, text);
    gzip_accepted(text);
    arena_close(&arena);
    return 0;
}

/* Merchants' HTML: whatever comes in, what goes out has our own tags only, each closed, and
 * cleaning it again changes nothing. */
#include "base/check.h"
#include "web/rich.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* '<' begins a tag of ours, with no attribute but href and rel, and text has no bare '<'. */
static void check_tags(struct str out)
{
    ptrdiff_t less;
    while ((less = str_find_byte(out, '<')) >= 0) {
        struct str tag = str_from(out, (size_t)less + 1);
        ptrdiff_t end = str_find_byte(tag, '>');
        CHECK(end > 0);
        struct str inside = str_sub(tag, 0, (size_t)end);
        CHECK(str_find_byte(inside, '<') < 0);
        ptrdiff_t blank = str_find_byte(inside, ' ');
        if (blank >= 0)
            CHECK(str_starts(inside, STR("a href=\"")) &&
                  str_ends(inside, STR("\" rel=\"nofollow noopener\"")));
        out = str_from(tag, (size_t)end);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct buf once, twice;
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    rich_clean(&once, str_make(data, size));
    if (!once.failed) {
        check_tags(buf_text(&once));
        rich_clean(&twice, buf_text(&once));
        CHECK(twice.failed || str_eq(buf_text(&once), buf_text(&twice)));
    }
    buf_clear(&twice);
    rich_words(&twice, str_make(data, size), 160);
    CHECK(twice.len <= 161);
    buf_close(&once);
    buf_close(&twice);
    return 0;
}

/* A merchant's HTML comes out safe and well formed, whatever went in. */
#include "base/random.h"
#include "web/rich.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void clean(const char *html, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    rich_clean(&out, str_of(html));
    if (!str_eq(buf_text(&out), str_of(expected)))
        print_error("%s\n gave     %.*s\n expected %s\n", html, STR_FMT(buf_text(&out)), expected);
    assert_true(str_eq(buf_text(&out), str_of(expected)));
    buf_close(&out);
}

static void plain_markup_stays(void **state)
{
    (void)state;
    clean("<p>A <b>mug</b>.</p><ul><li>One<li>Two</ul>",
          "<p>A <strong>mug</strong>.</p><ul><li>One<li>Two</li></li></ul>");
    clean("a<br/>b", "a<br>b");
    clean("<h1>Big</h1><h5>Small</h5>", "<h3>Big</h3><h4>Small</h4>");
}

static void attributes_vanish(void **state)
{
    (void)state;
    clean("<p class=\"x\" onclick='alert(1)' style=color:red>A</p>", "<p>A</p>");
    clean("<p title=\"a>b\">A</p>", "<p>A</p>");
    clean("<p onclick=\"'>\" x>A</p>", "<p>A</p>");
}

static void unknown_elements_vanish_and_their_text_stays(void **state)
{
    (void)state;
    clean("<div><span>A</span></div>", "A");
    clean("<blink>A</blink>", "A");
    clean("<img src=x onerror=alert(1)>", "");
    clean("<verylongelementname>A", "A");
}

static void scripts_vanish_with_their_content(void **state)
{
    (void)state;
    clean("A<script>alert('</p>')</script>B", "AB");
    clean("A<STYLE>p{}</style >B", "AB");
    clean("A<script>never closed", "A");
    clean("A<svg><script>x</script></svg>B", "AB");
    clean("A<!-- <script> -->B", "AB");
    clean("A<!doctype html>B", "AB");
}

static void links_lead_to_the_web_only(void **state)
{
    (void)state;
    clean("<a href=\"https://a.example/?b=1&c=2\">A</a>",
          "<a href=\"https://a.example/?b=1&amp;c=2\" rel=\"nofollow noopener\">A</a>");
    clean("<a href='/product/x'>A</a>", "<a href=\"/product/x\" rel=\"nofollow noopener\">A</a>");
    clean("<a href=\"javascript:alert(1)\">A</a>", "<a>A</a>");
    clean("<a href=\" javascript:alert(1)\">A</a>", "<a>A</a>");
    clean("<a href=\"java&#115;cript:alert(1)\">A</a>", "<a>A</a>");
    clean("<a href=\"//evil.example\">A</a>", "<a>A</a>");
    clean("<a href=\"/\\evil.example\">A</a>", "<a>A</a>");
    clean("<a href=data:text/html,x>A</a>", "<a>A</a>");
    clean("<a href='https://x\"onmouseover=\"alert(1)'>A</a>",
          "<a href=\"https://x&quot;onmouseover=&quot;alert(1)\" rel=\"nofollow noopener\">A</a>");
}

static void text_is_escaped_and_references_stay(void **state)
{
    (void)state;
    clean("1 < 2 & 3 > 2 &amp; &eacute; &#8364; &nonsense",
          "1 &lt; 2 &amp; 3 &gt; 2 &amp; &eacute; "
          "&#8364; &amp;nonsense");
    clean("a \"quoted\"", "a &quot;quoted&quot;");
}

static void what_is_open_is_closed_and_what_is_not_open_is_not(void **state)
{
    (void)state;
    clean("<p><b>A", "<p><strong>A</strong></p>");
    clean("A</p></div></ul>", "A");
    clean("<b><i>A</b>B", "<strong><em>A</em></strong>B");
    clean("<p", "<p></p>");
    clean("<", "&lt;");
    clean("</", "");
}

static void words_are_cut_at_a_word(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    rich_words(&out, STR("<p>A  mug&nbsp;&amp; a <b>cup</b></p><p>and more words</p>"), 14);
    assert_true(str_eq(buf_text(&out), STR("A mug & a cup")));
    buf_clear(&out);
    rich_words(&out, STR("<style>x</style> Hello <br>World "), 100);
    assert_true(str_eq(buf_text(&out), STR("Hello World")));
    buf_close(&out);
}

/* Every '<' of the output begins one of our own tags, for any input. */
static void check_tags(struct str out)
{
    static const char *const ours[] = {"p>",  "br>",    "ul>",    "ol>",  "li>",    "strong>",
                                       "em>", "h3>",    "h4>",    "hr>",  "dl>",    "dt>",
                                       "dd>", "table>", "thead>", "tr>",  "tbody>", "th>",
                                       "td>", "a>",     "a h",    "sub>", "sup>",   "blockquote>"};
    for (size_t i = 0; i < out.len; i++) {
        if (out.at[i] != '<')
            continue;
        struct str tag = str_from(out, i + 1 + (i + 1 < out.len && out.at[i + 1] == '/'));
        bool known = false;
        for (size_t j = 0; j < sizeof ours / sizeof *ours && !known; j++)
            known = str_starts(tag, str_of(ours[j]));
        assert_true(known);
    }
}

static void any_bytes_come_out_as_known_tags_only(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "<",           ">",         "</",    "\"",  "'",    "=", " ",       "/",    "p",
        "a href=",     "script",    "style", "&",   "&lt;", "#", ";",       "<!--", "-->",
        "javascript:", "https://x", "\n",    "svg", "li",   "b", "onerror="};
    struct random random;
    random_seed(&random, 7);
    struct buf in, out;
    buf_init(&in, 4096);
    buf_init(&out, 1 << 16);
    for (unsigned round = 0; round < 20000; round++) {
        buf_clear(&in);
        buf_clear(&out);
        for (unsigned i = 0; i < 24; i++)
            buf_puts(&in, pieces[random_below(&random, sizeof pieces / sizeof *pieces)]);
        rich_clean(&out, buf_text(&in));
        assert_false(out.failed);
        check_tags(buf_text(&out));
        buf_clear(&out);
        rich_words(&out, buf_text(&in), 40);
    }
    buf_close(&in);
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_markup_stays),
        cmocka_unit_test(attributes_vanish),
        cmocka_unit_test(unknown_elements_vanish_and_their_text_stays),
        cmocka_unit_test(scripts_vanish_with_their_content),
        cmocka_unit_test(links_lead_to_the_web_only),
        cmocka_unit_test(text_is_escaped_and_references_stay),
        cmocka_unit_test(what_is_open_is_closed_and_what_is_not_open_is_not),
        cmocka_unit_test(words_are_cut_at_a_word),
        cmocka_unit_test(any_bytes_come_out_as_known_tags_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

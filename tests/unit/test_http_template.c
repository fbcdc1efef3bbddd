#include "http/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Compiles SOURCES (the first is the page) and renders it with ROOT. */
static void expect_page(const struct template_source *sources, size_t count,
                        const struct value *root, const char *wanted)
{
    struct template_set *set = NULL;
    struct failure failure = {0};
    struct buf out;
    buf_init(&out, 1 << 16);
    if (template_set_new(sources, count, &set, &failure))
        fail_msg("%s", failure.text);
    const struct template *page = template_find(set, str_of(sources[0].name));
    assert_int_equal(template_render(page, root, &out), 0);
    buf_byte(&out, 0);
    assert_string_equal(out.at, wanted);
    buf_close(&out);
    template_set_free(set);
}

static void expect(const char *text, const struct value *root, const char *wanted)
{
    struct template_source source = {"page", str_of(text)};
    expect_page(&source, 1, root, wanted);
}

static void expect_refused(const char *text, const char *why)
{
    struct template_source source = {"page", str_of(text)};
    struct template_set *set = NULL;
    struct failure failure = {0};
    assert_int_equal(template_set_new(&source, 1, &set, &failure), ERR_INVALID);
    if (!strstr(failure.text, why))
        fail_msg("\"%s\" does not say \"%s\"", failure.text, why);
}

static struct value *sample(struct arena *arena)
{
    arena_init(arena, 1 << 20);
    struct value *root = value_root(arena);
    value_text(root, "name", STR("<b>\"O'Hara\" & Sons</b>"));
    value_int(root, "count", -3);
    value_int(root, "zero", 0);
    value_bool(root, "yes", true);
    value_bool(root, "no", false);
    value_text(root, "bad", STR("javascript:alert(1)"));
    value_text(root, "link", STR("/a?b=1&c=2"));
    value_printf(root, "price", "%d.%02d", 12, 5);
    struct value *list = value_list(root, "items");
    for (int i = 1; i <= 3; i++)
        value_printf(value_add_map(list), "title", "T%d", i);
    struct value *tags = value_list(root, "tags");
    value_add_text(tags, STR("red"));
    value_add_text(tags, STR("a&b"));
    value_list(root, "none");
    value_text(value_map(root, "shop"), "city", STR("Athens"));
    return root;
}

static void values_are_escaped_for_text_and_attributes(void **state)
{
    (void)state;
    struct arena arena;
    struct value *root = sample(&arena);
    expect("<p title=\"{{name}}\">{{name}}</p>", root,
           "<p title=\"&lt;b&gt;&quot;O&#39;Hara&quot; &amp; Sons&lt;/b&gt;\">"
           "&lt;b&gt;&quot;O&#39;Hara&quot; &amp; Sons&lt;/b&gt;</p>");
    expect("{{{name}}}", root, "<b>\"O'Hara\" & Sons</b>");
    expect("<a href=\"/s?q={{%name}}\">", root,
           "<a href=\"/s?q=%3Cb%3E%22O%27Hara%22%20%26%20Sons%3C%2Fb%3E\">");
    expect("{{count}} {{price}} {{missing}} {{shop.city}} {{shop.none}}", root,
           "-3 12.05  Athens ");
    arena_close(&arena);
}

static void sections_loop_choose_and_know_their_place(void **state)
{
    (void)state;
    struct arena arena;
    struct value *root = sample(&arena);
    expect("{{#items}}{{@index}}{{title}}{{^@last}},{{/@last}}{{/items}}", root, "0T1,1T2,2T3");
    expect("{{#tags}}[{{.}}]{{/tags}}", root, "[red][a&amp;b]");
    expect("{{#none}}x{{else}}empty{{/none}}{{^none}}!{{/none}}", root, "empty!");
    expect("{{#yes}}y{{/yes}}{{#no}}n{{/no}}{{^zero}}z{{/zero}}{{#count}}c{{/count}}", root, "yzc");
    expect("{{#shop}}{{city}} {{price}}{{/shop}}", root, "Athens 12.05");
    expect("{{#items}}{{@root.count}}{{#shop}}{{title}}{{/shop}}{{/items}}", root, "-3T1-3T2-3T3");
    expect("<option {{#yes}}selected{{/yes}} value=\"{{count}}\">", root,
           "<option selected value=\"-3\">");
    arena_close(&arena);
}

static void lines_of_sections_alone_leave_no_trace(void **state)
{
    (void)state;
    struct arena arena;
    struct value *root = sample(&arena);
    expect("<ul>\n  {{#items}}\n  <li>{{title}}</li>\n  {{/items}}\n{{! remark }}\n</ul>\n", root,
           "<ul>\n  <li>T1</li>\n  <li>T2</li>\n  <li>T3</li>\n</ul>\n");
    arena_close(&arena);
}

static void partials_and_layouts_are_filled_in(void **state)
{
    (void)state;
    struct arena arena;
    struct value *root = sample(&arena);
    struct template_source sources[] = {
        {"page", STR("{{<shop}}{{$main}}<h1>{{count}}</h1>{{>foot}}{{/main}}{{/shop}}")},
        {"shop", STR("{{<base}}{{$title}}Shop{{/title}}{{$main}}none{{/main}}{{/base}}")},
        {"base", STR("<title>{{$title}}Base{{/title}}</title>{{$main}}{{/main}}{{$x}}X{{/x}}")},
        {"foot", STR("<i>{{shop.city}}</i>")},
    };
    expect_page(sources, 4, root, "<title>Shop</title><h1>-3</h1><i>Athens</i>X");
    arena_close(&arena);
}

static void addresses_that_run_code_are_cut(void **state)
{
    (void)state;
    struct arena arena;
    struct value *root = sample(&arena);
    value_text(root, "tab", STR("java\tscript:alert(1)"));
    value_text(root, "mail", STR("mailto:a@b.c"));
    expect("<a href=\"{{bad}}\">", root, "<a href=\"#\">");
    expect("<a href=\" {{tab}}\">", root, "<a href=\" #\">");
    expect("<a href='{{link}}'>", root, "<a href='/a?b=1&amp;c=2'>");
    expect("<a href='{{mail}}'>", root, "<a href='mailto:a@b.c'>");
    expect("<form action=\"{{#no}}/x{{/no}}{{bad}}\">", root, "<form action=\"#\">");
    expect("<p title=\"{{bad}}\">", root, "<p title=\"javascript:alert(1)\">");
    arena_close(&arena);
}

static void unsafe_places_are_refused_with_line_and_reason(void **state)
{
    (void)state;
    expect_refused("<p>\n\n<p class={{x}}>", "page:3: a value inside a tag");
    expect_refused("<p {{x}}>", "quoted attribute");
    expect_refused("<script>var a = {{x}};</script>", "<script>");
    expect_refused("<SCRIPT>var a = \"{{x}}\";</SCRIPT>", "<script>");
    expect_refused("<!-- {{x}} -->", "comment");
    expect_refused("<p onclick=\"{{x}}\">", "this attribute");
    expect_refused("<p style=\"{{x}}\">", "this attribute");
    expect_refused("<p title=\"{{{x}}}\">", "raw");
    expect_refused("{{#a}}<p title=\"{{/a}}x\">", "ends in another");
    expect_refused("<a href=\"{{$b}}{{/b}}\">", "replaced safely");
    expect_refused("<p title=\"x", "not closed");
}

static void mistakes_are_refused_with_line_and_reason(void **state)
{
    (void)state;
    expect_refused("a\n{{#b}}\n", "page:3: is not closed: b");
    expect_refused("{{#a}}{{/b}}", "closes something else");
    expect_refused("{{/b}}", "nothing is open");
    expect_refused("\n{{>none}}", "page:2: there is no template: none");
    expect_refused("{{a b}}", "not a name");
    expect_refused("{{a..b}}", "not a name");
    expect_refused("{{else}}", "outside");
    expect_refused("x {{y", "without }}");
}

static void endless_partials_end(void **state)
{
    (void)state;
    struct arena arena;
    struct value *root = sample(&arena);
    struct template_source source = {"page", STR("x{{>page}}")};
    struct template_set *set = NULL;
    struct buf out;
    buf_init(&out, 1 << 16);
    assert_int_equal(template_set_new(&source, 1, &set, NULL), 0);
    assert_int_equal(template_render(template_find(set, STR("page")), root, &out), ERR_INVALID);
    buf_close(&out);
    template_set_free(set);
    arena_close(&arena);
}

static void want_of_room_is_told(void **state)
{
    (void)state;
    struct arena arena;
    struct template_source source = {"page", STR("{{a}}{{b}}")};
    struct template_set *set = NULL;
    struct buf out;
    assert_int_equal(template_set_new(&source, 1, &set, NULL), 0);
    arena_init(&arena, 200);
    struct value *root = value_root(&arena);
    for (int i = 0; i < 9; i++)
        value_printf(root, "a", "%d", i);
    buf_init(&out, 1000);
    const struct template *page = template_find(set, STR("page"));
    assert_int_equal(template_render(page, root, &out), ERR_NOMEM);
    assert_int_equal(template_render(page, NULL, &out), ERR_NOMEM);
    buf_close(&out);
    arena_close(&arena);
    template_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_escaped_for_text_and_attributes),
        cmocka_unit_test(sections_loop_choose_and_know_their_place),
        cmocka_unit_test(lines_of_sections_alone_leave_no_trace),
        cmocka_unit_test(partials_and_layouts_are_filled_in),
        cmocka_unit_test(addresses_that_run_code_are_cut),
        cmocka_unit_test(unsafe_places_are_refused_with_line_and_reason),
        cmocka_unit_test(mistakes_are_refused_with_line_and_reason),
        cmocka_unit_test(endless_partials_end),
        cmocka_unit_test(want_of_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Follows HTML just closely enough to know what a value at this point would be: text,
 * a quoted attribute, or a place where no escaping makes it safe (WHATWG HTML §13.2.5,
 * reduced to what templates written by us contain).
 */
#include "http/template_inner.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

static void add(char *name, unsigned *len, char c)
{
    if (*len < 15)
        name[(*len)++] = lower(c);
}

static struct str tag_of(const struct html *html)
{
    return str_make(html->tag, html->tag_len);
}

static struct str attribute_of(const struct html *html)
{
    return str_make(html->attribute, html->attribute_len);
}

static void leave_tag(struct html *html)
{
    bool raw = str_eq(tag_of(html), STR("script")) || str_eq(tag_of(html), STR("style"));
    html->place = raw ? HTML_RAW : HTML_TEXT;
    html->dashes = 0;
}

static void in_tag(struct html *html, char c)
{
    switch (html->place) {
    case HTML_TAG_NAME:
        if (c == '>')
            leave_tag(html);
        else if (is_blank(c))
            html->place = HTML_TAG;
        else
            add(html->tag, &html->tag_len, c);
        if (html->tag_len == 3 && memcmp(html->tag, "!--", 3) == 0) {
            html->place = HTML_COMMENT;
            html->dashes = 0;
        }
        return;
    case HTML_TAG:
        if (c == '>') {
            leave_tag(html);
        } else if (!is_blank(c) && c != '/') {
            html->place = HTML_ATTRIBUTE;
            html->attribute_len = 0;
            add(html->attribute, &html->attribute_len, c);
        }
        return;
    case HTML_ATTRIBUTE:
        if (c == '>')
            leave_tag(html);
        else if (c == '=')
            html->place = HTML_BEFORE_VALUE;
        else if (is_blank(c) || c == '/')
            html->place = HTML_TAG;
        else
            add(html->attribute, &html->attribute_len, c);
        return;
    default: /* HTML_BEFORE_VALUE */
        html->value_begun = false;
        if (c == '"')
            html->place = HTML_VALUE_DOUBLE;
        else if (c == '\'')
            html->place = HTML_VALUE_SINGLE;
        else if (c == '>')
            leave_tag(html);
        else if (!is_blank(c))
            html->place = HTML_VALUE_BARE;
        return;
    }
}

static void in_value(struct html *html, char c)
{
    char end = html->place == HTML_VALUE_DOUBLE ? '"' : '\'';
    if (html->place == HTML_VALUE_BARE) {
        if (c == '>')
            leave_tag(html);
        else if (is_blank(c))
            html->place = HTML_TAG;
    } else if (c == end) {
        html->place = HTML_TAG;
    } else if (!is_blank(c)) {
        html->value_begun = true;
    }
}

/* Until "-->", or "</script". */
static void in_opaque(struct html *html, char c)
{
    if (html->place == HTML_COMMENT) {
        if (c == '>' && html->dashes >= 2)
            html->place = HTML_TEXT;
        html->dashes = c == '-' ? html->dashes + 1 : 0;
        return;
    }
    unsigned seen = html->dashes;
    char wanted = seen == 0 ? '<' : seen == 1 ? '/' : html->tag[seen - 2];
    html->dashes = lower(c) == wanted ? seen + 1 : c == '<';
    if (html->dashes == html->tag_len + 2) {
        html->place = HTML_TAG_NAME;
        html->tag[0] = '/';
        html->tag_len = 1;
    }
}

void html_read(struct html *html, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i], next = i + 1 < text.len ? text.at[i + 1] : 0;
        switch (html->place) {
        case HTML_TEXT:
            if (c == '<' && !is_blank(next)) {
                html->place = HTML_TAG_NAME;
                html->tag_len = 0;
            }
            break;
        case HTML_TAG_NAME:
        case HTML_TAG:
        case HTML_ATTRIBUTE:
        case HTML_BEFORE_VALUE:
            in_tag(html, c);
            break;
        case HTML_VALUE_DOUBLE:
        case HTML_VALUE_SINGLE:
        case HTML_VALUE_BARE:
            in_value(html, c);
            break;
        case HTML_COMMENT:
        case HTML_RAW:
            in_opaque(html, c);
            break;
        }
    }
}

bool html_same(const struct html *a, const struct html *b)
{
    /* After an attribute's name or at the next one is the same to a section. */
    enum html_place x = a->place == HTML_ATTRIBUTE ? HTML_TAG : a->place;
    enum html_place y = b->place == HTML_ATTRIBUTE ? HTML_TAG : b->place;
    if (x != y)
        return false;
    if (x == HTML_TEXT || x == HTML_COMMENT)
        return true;
    if (!str_eq(tag_of(a), tag_of(b)))
        return false;
    return (x != HTML_VALUE_DOUBLE && x != HTML_VALUE_SINGLE) ||
           str_eq(attribute_of(a), attribute_of(b));
}

const char *html_refuses(const struct html *html, bool raw)
{
    struct str attribute = attribute_of(html);
    switch (html->place) {
    case HTML_TEXT:
        return NULL;
    case HTML_RAW:
        return raw ? NULL : "a value in <script> or <style> cannot be escaped";
    case HTML_COMMENT:
        return "a value in a comment cannot be escaped";
    case HTML_VALUE_DOUBLE:
    case HTML_VALUE_SINGLE:
        if (raw)
            return "a raw value may not stand in an attribute";
        if (str_starts(attribute, STR("on")) || str_eq(attribute, STR("style")) ||
            str_eq(attribute, STR("srcdoc")))
            return "a value in this attribute cannot be escaped";
        return NULL;
    case HTML_TAG_NAME:
    case HTML_TAG:
    case HTML_ATTRIBUTE:
    case HTML_BEFORE_VALUE:
    case HTML_VALUE_BARE:
        break;
    }
    return "a value inside a tag must stand in a quoted attribute";
}

bool html_is_address(const struct html *html)
{
    static const char *const names[] = {"href",   "src",  "action", "formaction",
                                        "poster", "data", "cite",   "xlink:href"};
    if (html->value_begun)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(attribute_of(html), str_of(names[i])))
            return true;
    return false;
}

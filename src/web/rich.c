#include "web/rich.h"

#include <ctype.h>

enum { DEPTH_MAX = 32, NAME_MAX_LEN = 12 };

/* Elements that may be written, as what, and whether they are empty. */
static const struct element {
    char name[NAME_MAX_LEN], written[NAME_MAX_LEN];
    bool empty;
} elements[] = {
    {"p", "p"},         {"br", "br", true},   {"ul", "ul"},       {"ol", "ol"},
    {"li", "li"},       {"strong", "strong"}, {"b", "strong"},    {"em", "em"},
    {"i", "em"},        {"h1", "h3"},         {"h2", "h3"},       {"h3", "h3"},
    {"h4", "h4"},       {"h5", "h4"},         {"h6", "h4"},       {"blockquote", "blockquote"},
    {"table", "table"}, {"thead", "thead"},   {"tbody", "tbody"}, {"tr", "tr"},
    {"th", "th"},       {"td", "td"},         {"a", "a"},         {"dl", "dl"},
    {"dt", "dt"},       {"dd", "dd"},         {"sub", "sub"},     {"sup", "sup"},
    {"hr", "hr", true},
};

/* Elements whose content is no text for readers. */
static const char *const silent[] = {
    "script", "style", "noscript", "template", "iframe", "object",  "svg",
    "math",   "title", "textarea", "select",   "xmp",    "noembed",
};

struct tag {
    char name[NAME_MAX_LEN]; /* lower case; empty: none that we know */
    bool closing;
    struct str href; /* raw, with entities */
};

struct cleaner {
    struct buf *out; /* NULL while only looking for the words */
    const struct element *open[DEPTH_MAX];
    unsigned depth;
};

static const struct element *element_of(const char *name)
{
    for (unsigned i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strcmp(elements[i].name, name) == 0)
            return &elements[i];
    return NULL;
}

static bool is_silent(const char *name)
{
    for (unsigned i = 0; i < sizeof silent / sizeof *silent; i++)
        if (strcmp(silent[i], name) == 0)
            return true;
    return false;
}

static struct str skip_space(struct str s)
{
    while (s.len && isspace((unsigned char)*s.at))
        s = str_from(s, 1);
    return s;
}

/* One attribute off the front of *REST (which is not at '>'); its value if it is an href. */
static void take_attribute(struct str *rest, struct tag *tag)
{
    struct str s = *rest;
    size_t len = 0;
    while (len < s.len && !isspace((unsigned char)s.at[len]) && s.at[len] != '=' &&
           s.at[len] != '>' && !(len && s.at[len] == '/'))
        len++;
    struct str name = str_sub(s, 0, len ? len : 1);
    s = skip_space(str_from(s, name.len));
    struct str value = STR_NONE;
    if (s.len && *s.at == '=') {
        s = skip_space(str_from(s, 1));
        char quote = s.len && (*s.at == '"' || *s.at == '\'') ? *s.at : 0;
        if (quote) {
            s = str_from(s, 1);
            ptrdiff_t end = str_find_byte(s, quote);
            value = str_sub(s, 0, end < 0 ? s.len : (size_t)end);
            s = str_from(s, value.len + 1);
        } else {
            for (len = 0; len < s.len && !isspace((unsigned char)s.at[len]) && s.at[len] != '>';)
                len++;
            value = str_sub(s, 0, len);
            s = str_from(s, len);
        }
    }
    if (str_eq_nocase(name, STR("href")) && !tag->href.at)
        tag->href = value;
    *rest = s;
}

/* The tag at the front of HTML ('<'); returns what is behind it. */
static struct str take_tag(struct str html, struct tag *tag)
{
    *tag = (struct tag){0};
    struct str s = str_from(html, 1);
    if (str_starts(s, STR("!--"))) {
        ptrdiff_t end = str_find(s, STR("-->"));
        return end < 0 ? str_from(s, s.len) : str_from(s, (size_t)end + 3);
    }
    if (s.len && *s.at == '/') {
        tag->closing = true;
        s = str_from(s, 1);
    }
    size_t len = 0;
    while (len < s.len && isalnum((unsigned char)s.at[len])) {
        if (len < NAME_MAX_LEN - 1)
            tag->name[len] = (char)tolower((unsigned char)s.at[len]);
        else
            tag->name[0] = '?'; /* longer than any that we know */
        len++;
    }
    s = str_from(s, len);
    while ((s = skip_space(s)).len && *s.at != '>')
        take_attribute(&s, tag);
    return str_from(s, 1);
}

/* What is behind the end of the silent element NAME. */
static struct str skip_silent(struct str html, const char *name)
{
    struct str end = str_of(name);
    for (size_t i = 0; i + 2 + end.len <= html.len; i++)
        if (html.at[i] == '<' && html.at[i + 1] == '/' &&
            str_eq_nocase(str_sub(html, i + 2, end.len), end)) {
            struct tag tag;
            return take_tag(str_from(html, i), &tag);
        }
    return str_from(html, html.len);
}

/* The length of the character reference at the front of TEXT ('&'), 0 when it is none. */
static size_t reference_len(struct str text)
{
    size_t len = 1;
    if (len < text.len && text.at[len] == '#')
        len++;
    size_t from = len;
    while (len < text.len && len < 12 && isalnum((unsigned char)text.at[len]))
        len++;
    return len > from && len < text.len && text.at[len] == ';' ? len + 1 : 0;
}

static void put_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        size_t reference = c == '&' ? reference_len(str_from(text, i)) : 0;
        if (reference) {
            buf_put(out, text.at + i, reference);
            i += reference - 1;
        } else if (c == '&') {
            buf_puts(out, "&amp;");
        } else if (c == '<') {
            buf_puts(out, "&lt;");
        } else if (c == '>') {
            buf_puts(out, "&gt;");
        } else if (c == '"') {
            buf_puts(out, "&quot;");
        } else {
            buf_byte(out, c);
        }
    }
}

/* Links may lead to the web, to mail, and into this shop. References in the scheme's place
 * (java&#115;cript:) are no match for these beginnings, so they are refused. */
static bool is_safe_link(struct str href)
{
    if (str_starts(href, STR("/")))
        return !str_starts(href, STR("//")) && !str_starts(href, STR("/\\"));
    return str_starts(href, STR("https://")) || str_starts(href, STR("http://")) ||
           str_starts(href, STR("mailto:"));
}

static void open_element(struct cleaner *cleaner, const struct element *element,
                         const struct tag *tag)
{
    if (!element->empty) {
        if (cleaner->depth == DEPTH_MAX)
            return;
        cleaner->open[cleaner->depth++] = element;
    }
    buf_printf(cleaner->out, "<%s", element->written);
    if (strcmp(element->name, "a") == 0 && is_safe_link(tag->href)) {
        buf_puts(cleaner->out, " href=\"");
        put_text(cleaner->out, tag->href);
        buf_puts(cleaner->out, "\" rel=\"nofollow noopener\"");
    }
    buf_byte(cleaner->out, '>');
}

static void close_to(struct cleaner *cleaner, unsigned depth)
{
    while (cleaner->depth > depth)
        buf_printf(cleaner->out, "</%s>", cleaner->open[--cleaner->depth]->written);
}

static void close_element(struct cleaner *cleaner, const struct element *element)
{
    for (unsigned i = cleaner->depth; i > 0; i--)
        if (cleaner->open[i - 1] == element) {
            close_to(cleaner, i - 1);
            return;
        }
}

void rich_clean(struct buf *out, struct str html)
{
    struct cleaner cleaner = {.out = out};
    while (html.len && !out->failed) {
        ptrdiff_t less = str_find_byte(html, '<');
        struct str text = str_sub(html, 0, less < 0 ? html.len : (size_t)less);
        put_text(out, text);
        html = str_from(html, text.len);
        if (!html.len)
            break;
        char next = html.len > 1 ? html.at[1] : ' ';
        if (!isalpha((unsigned char)next) && next != '/' && next != '!' && next != '?') {
            put_text(out, STR("<"));
            html = str_from(html, 1);
            continue;
        }
        struct tag tag;
        html = take_tag(html, &tag);
        const struct element *element = element_of(tag.name);
        if (!tag.closing && is_silent(tag.name))
            html = skip_silent(html, tag.name);
        else if (element && tag.closing)
            close_element(&cleaner, element);
        else if (element)
            open_element(&cleaner, element, &tag);
    }
    close_to(&cleaner, 0);
}

/* The character that REFERENCE ("&amp;") stands for, for the few that matter in a line of
 * words; others are left out. */
static char plain_char(struct str reference)
{
    static const struct {
        const char *reference;
        char c;
    } known[] = {{"&amp;", '&'},  {"&lt;", '<'},    {"&gt;", '>'},  {"&quot;", '"'},
                 {"&#39;", '\''}, {"&apos;", '\''}, {"&nbsp;", ' '}};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq(reference, str_of(known[i].reference)))
            return known[i].c;
    return ' ';
}

static void put_word_char(struct buf *out, size_t from, char c)
{
    bool space = isspace((unsigned char)c);
    if (!space)
        buf_byte(out, c);
    else if (out->len > from && out->at[out->len - 1] != ' ')
        buf_byte(out, ' ');
}

void rich_words(struct buf *out, struct str html, size_t max)
{
    size_t from = out->len;
    while (html.len && out->len - from <= max && !out->failed) {
        size_t reference = *html.at == '&' ? reference_len(html) : 0;
        if (*html.at == '<') {
            struct tag tag;
            html = take_tag(html, &tag);
            if (!tag.closing && is_silent(tag.name))
                html = skip_silent(html, tag.name);
            put_word_char(out, from, ' ');
        } else if (reference) {
            put_word_char(out, from, plain_char(str_sub(html, 0, reference)));
            html = str_from(html, reference);
        } else {
            put_word_char(out, from, *html.at);
            html = str_from(html, 1);
        }
    }
    if (out->len - from > max) {
        while (out->len > from && out->at[out->len - 1] != ' ')
            out->len--;
    }
    while (out->len > from && out->at[out->len - 1] == ' ')
        out->len--;
}

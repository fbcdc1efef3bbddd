/* Inside of the template engine: what its four files share. */
#ifndef STOA_HTTP_TEMPLATE_INNER_H
#define STOA_HTTP_TEMPLATE_INNER_H

#include "http/template.h"

/* ---- value.c ---- */

enum value_kind { VALUE_TEXT, VALUE_INT, VALUE_BOOL, VALUE_LIST, VALUE_MAP };

/* Shared by the values of one page. */
struct value_builder {
    struct arena *arena;
    bool failed;
};

struct value_entry {
    struct str key; /* of a map's member */
    struct value *value;
    struct value_entry *next;
};

struct value {
    enum value_kind kind;
    struct value_builder *builder;
    union {
        struct str text;
        int64_t number; /* and bool */
        struct {
            struct value_entry *first, *last; /* map: newest first */
            unsigned count;
        };
    };
};

/* The member KEY of MAP, or NULL. */
const struct value *value_member(const struct value *map, struct str key);
bool value_is_true(const struct value *value); /* NULL: false */

/* ---- template_html.c: where in the HTML a hole is ---- */

enum html_place {
    HTML_TEXT,
    HTML_TAG_NAME,
    HTML_TAG, /* between attributes */
    HTML_ATTRIBUTE,
    HTML_BEFORE_VALUE,
    HTML_VALUE_DOUBLE,
    HTML_VALUE_SINGLE,
    HTML_VALUE_BARE,
    HTML_COMMENT,
    HTML_RAW, /* in <script> or <style> */
};

struct html {
    enum html_place place;
    char tag[16], attribute[16]; /* lower case, clipped */
    unsigned tag_len, attribute_len;
    bool value_begun; /* something stands before in this attribute's value */
    unsigned dashes;  /* seen of "-->", or characters of "</script" in HTML_RAW */
};

/* Reads on through literal text. */
void html_read(struct html *html, struct str text);
/* Is there the same place in both? Else a section would open and close differently. */
bool html_same(const struct html *a, const struct html *b);
/* May a value stand here? NULL, or why not. RAW: unescaped. */
const char *html_refuses(const struct html *html, bool raw);
/* Is it the beginning of an attribute that holds an address? */
bool html_is_address(const struct html *html);

/* ---- template.c, template_render.c ---- */

enum op_kind {
    OP_LITERAL,
    OP_ESCAPED,
    OP_ADDRESS, /* escaped, at the beginning of an address */
    OP_RAW,
    OP_PERCENT,
    OP_SECTION,
    OP_INVERTED,
    OP_PARTIAL,
    OP_LAYOUT,
    OP_BLOCK,
};

enum { NAME_PARTS = 5, NESTING_MOST = 32 };

enum name_kind { NAME_MEMBER, NAME_ROOT, NAME_SELF, NAME_INDEX, NAME_FIRST, NAME_LAST };

struct name {
    enum name_kind kind;
    unsigned count;
    struct str parts[NAME_PARTS];
};

struct op {
    enum op_kind kind;
    unsigned otherwise, end; /* sections: where {{else}} and what follows begin */
    struct str text;         /* literal; name of a block */
    struct name name;
    const struct template *partial;
};

struct template
{
    struct str name;
    struct op *ops;
    unsigned count, room;
};

struct template_set {
    size_t count;
    struct template templates[];
};

#endif

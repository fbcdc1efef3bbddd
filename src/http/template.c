#include "base/check.h"
#include "http/template_inner.h"

#include <stdlib.h>

/* A section, block or layout that is not closed yet. */
struct open {
    unsigned op;
    struct str name; /* as written, for its closing tag */
    struct html html;
    bool has_else;
};

struct compiler {
    struct template_set *set;
    struct template *template;
    struct str text;
    size_t at;
    struct html html;
    struct open open[NESTING_MOST];
    unsigned depth;
    struct failure *failure;
};

static int complain(struct compiler *compiler, size_t at, const char *why, struct str what)
{
    unsigned line = 1;
    for (size_t i = 0; i < at && i < compiler->text.len; i++)
        line += compiler->text.at[i] == '\n';
    return fail(compiler->failure, ERR_INVALID, "%.*s:%u: %s%s%.*s",
                STR_FMT(compiler->template->name), line, why, what.len ? ": " : "", STR_FMT(what));
}

static struct op *add_op(struct compiler *compiler, enum op_kind kind)
{
    struct template *template = compiler->template;
    if (template->count == template->room) {
        unsigned room = template->room ? template->room * 2 : 32;
        struct op *grown = realloc(template->ops, room * sizeof *grown);
        if (!grown)
            return NULL;
        template->ops = grown;
        template->room = room;
    }
    struct op *op = &template->ops[template->count++];
    *op = (struct op){.kind = kind};
    return op;
}

static int nomem(struct compiler *compiler)
{
    return fail(compiler->failure, ERR_NOMEM, "out of memory while compiling templates");
}

static int add_literal(struct compiler *compiler, struct str text)
{
    html_read(&compiler->html, text);
    if (text.len == 0)
        return 0;
    struct op *op = add_op(compiler, OP_LITERAL);
    if (!op)
        return nomem(compiler);
    op->text = text;
    return 0;
}

static const struct {
    struct str text;
    enum name_kind kind;
} special_names[] = {
    {{".", 1}, NAME_SELF},
    {{"@index", 6}, NAME_INDEX},
    {{"@first", 6}, NAME_FIRST},
    {{"@last", 5}, NAME_LAST},
};

static int parse_name(struct compiler *compiler, size_t at, struct str text, struct name *name)
{
    *name = (struct name){0};
    for (size_t i = 0; i < COUNT_OF(special_names); i++) {
        if (str_eq(text, special_names[i].text)) {
            name->kind = special_names[i].kind;
            return 0;
        }
    }
    struct str rest = text, part;
    if (str_starts(rest, STR("@root."))) {
        name->kind = NAME_ROOT;
        rest = str_from(rest, 6);
    }
    while (str_cut(&rest, '.', &part)) {
        if (part.len == 0 || name->count == NAME_PARTS)
            return complain(compiler, at, "not a name", text);
        for (size_t i = 0; i < part.len; i++) {
            char c = part.at[i];
            if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-'))
                return complain(compiler, at, "not a name", text);
        }
        name->parts[name->count++] = part;
    }
    return 0;
}

static int add_value(struct compiler *compiler, size_t at, enum op_kind kind, struct str text)
{
    const char *why = html_refuses(&compiler->html, kind == OP_RAW);
    if (why)
        return complain(compiler, at, why, text);
    bool in_value =
        compiler->html.place == HTML_VALUE_DOUBLE || compiler->html.place == HTML_VALUE_SINGLE;
    if (kind == OP_ESCAPED && in_value && html_is_address(&compiler->html))
        kind = OP_ADDRESS;
    struct op *op = add_op(compiler, kind);
    return op ? parse_name(compiler, at, text, &op->name) : nomem(compiler);
}

static int find_partial(struct compiler *compiler, size_t at, struct str name, struct op *op)
{
    op->partial = template_find(compiler->set, name);
    return op->partial ? 0 : complain(compiler, at, "there is no template", name);
}

static int add_partial(struct compiler *compiler, size_t at, struct str name)
{
    if (compiler->html.place != HTML_TEXT)
        return complain(compiler, at, "a partial may stand between tags only", name);
    struct op *op = add_op(compiler, OP_PARTIAL);
    return op ? find_partial(compiler, at, name, op) : nomem(compiler);
}

static int open_section(struct compiler *compiler, size_t at, enum op_kind kind, struct str name)
{
    if (compiler->depth == NESTING_MOST)
        return complain(compiler, at, "sections nest too deeply", name);
    bool in_text = compiler->html.place == HTML_TEXT;
    const char *why = html_refuses(&compiler->html, false);
    if (kind == OP_BLOCK && !in_text && (why || html_is_address(&compiler->html)))
        return complain(compiler, at, "a block cannot be replaced safely here", name);
    if (kind == OP_LAYOUT && !in_text)
        return complain(compiler, at, "a layout may stand between tags only", name);
    struct op *op = add_op(compiler, kind);
    if (!op)
        return nomem(compiler);
    op->text = name;
    compiler->open[compiler->depth++] =
        (struct open){.op = compiler->template->count - 1, .name = name, .html = compiler->html};
    if (kind == OP_LAYOUT)
        return find_partial(compiler, at, name, op);
    return kind == OP_BLOCK ? 0 : parse_name(compiler, at, name, &op->name);
}

static int check_place(struct compiler *compiler, size_t at, const struct open *open)
{
    if (!html_same(&compiler->html, &open->html))
        return complain(compiler, at, "a section opens in one part of the HTML and ends in another",
                        open->name);
    return 0;
}

static int add_else(struct compiler *compiler, size_t at)
{
    struct open *open = compiler->depth ? &compiler->open[compiler->depth - 1] : NULL;
    struct op *op = open ? &compiler->template->ops[open->op] : NULL;
    if (!op || open->has_else || (op->kind != OP_SECTION && op->kind != OP_INVERTED))
        return complain(compiler, at, "{{else}} stands outside of a section", STR(""));
    int err = check_place(compiler, at, open);
    open->has_else = true;
    op->otherwise = compiler->template->count;
    compiler->html = open->html;
    return err;
}

static int close_section(struct compiler *compiler, size_t at, struct str name)
{
    struct open *open = compiler->depth ? &compiler->open[compiler->depth - 1] : NULL;
    if (!open || !str_eq(open->name, name))
        return complain(
            compiler, at,
            open ? "this closes something else than was opened last" : "nothing is open", name);
    struct op *op = &compiler->template->ops[open->op];
    op->end = compiler->template->count;
    if (!open->has_else)
        op->otherwise = op->end;
    compiler->depth--;
    int err = check_place(compiler, at, open);
    compiler->html.value_begun = open->html.value_begun; /* the section may have been empty */
    return err;
}

/* BODY is what stands between the braces. */
static int add_tag(struct compiler *compiler, size_t at, struct str body)
{
    struct str name = body.len ? str_trim(str_from(body, 1)) : body;
    switch (body.len ? body.at[0] : 0) {
    case '!':
        return 0;
    case '#':
        return open_section(compiler, at, OP_SECTION, name);
    case '^':
        return open_section(compiler, at, OP_INVERTED, name);
    case '$':
        return open_section(compiler, at, OP_BLOCK, name);
    case '<':
        return open_section(compiler, at, OP_LAYOUT, name);
    case '>':
        return add_partial(compiler, at, name);
    case '%':
        return add_value(compiler, at, OP_PERCENT, name);
    case '/':
        return close_section(compiler, at, name);
    }
    body = str_trim(body);
    return str_eq(body, STR("else")) ? add_else(compiler, at)
                                     : add_value(compiler, at, OP_ESCAPED, body);
}

/* Does the tag from FROM to *TO stand alone on its line? Then the line is cut away. */
static void trim_line(const struct compiler *compiler, size_t *from, size_t *to)
{
    struct str text = compiler->text;
    size_t start = *from, end = *to;
    while (start > compiler->at && (text.at[start - 1] == ' ' || text.at[start - 1] == '\t'))
        start--;
    while (end < text.len && (text.at[end] == ' ' || text.at[end] == '\t' || text.at[end] == '\r'))
        end++;
    bool begins = start == 0 || text.at[start - 1] == '\n';
    bool ends = end == text.len || text.at[end] == '\n';
    if (!begins || !ends)
        return;
    *from = start;
    *to = end < text.len ? end + 1 : end;
}

static bool makes_no_output(struct str body)
{
    return (body.len && strchr("!#^$<>/", body.at[0])) || str_eq(str_trim(body), STR("else"));
}

static int compile_tag(struct compiler *compiler, size_t from)
{
    struct str rest = str_from(compiler->text, from);
    bool raw = str_starts(rest, STR("{{{"));
    size_t braces = raw ? 3 : 2;
    ptrdiff_t len = str_find(str_from(rest, braces), raw ? STR("}}}") : STR("}}"));
    if (len < 0)
        return complain(compiler, from, "{{ without }}", STR(""));
    struct str body = str_sub(rest, braces, (size_t)len);
    size_t tag = from, to = from + braces * 2 + (size_t)len;
    if (!raw && makes_no_output(body))
        trim_line(compiler, &from, &to);
    int err = add_literal(compiler, str_sub(compiler->text, compiler->at, from - compiler->at));
    if (!err)
        err = raw ? add_value(compiler, tag, OP_RAW, str_trim(body)) : add_tag(compiler, tag, body);
    compiler->at = to;
    return err;
}

static int compile(struct template_set *set, struct template *template, struct str text,
                   struct failure *failure)
{
    struct compiler compiler = {.set = set, .template = template, .text = text, .failure = failure};
    ptrdiff_t braces;
    while ((braces = str_find(str_from(text, compiler.at), STR("{{"))) >= 0) {
        int err = compile_tag(&compiler, compiler.at + (size_t)braces);
        if (err)
            return err;
    }
    if (compiler.depth)
        return complain(&compiler, text.len, "is not closed",
                        compiler.open[compiler.depth - 1].name);
    int err = add_literal(&compiler, str_from(text, compiler.at));
    if (!err && compiler.html.place != HTML_TEXT)
        return complain(&compiler, text.len, "a tag, comment or script is not closed", STR(""));
    return err;
}

int template_set_new(const struct template_source *sources, size_t count, struct template_set **set,
                     struct failure *failure)
{
    struct template_set *made = calloc(1, sizeof *made + count * sizeof made->templates[0]);
    int err = made ? 0 : fail(failure, ERR_NOMEM, "out of memory while compiling templates");
    if (made) {
        made->count = count;
        for (size_t i = 0; i < count; i++)
            made->templates[i].name = str_of(sources[i].name);
    }
    for (size_t i = 0; i < count && !err; i++)
        err = compile(made, &made->templates[i], sources[i].text, failure);
    if (err) {
        template_set_free(made);
        return err;
    }
    *set = made;
    return 0;
}

void template_set_free(struct template_set *set)
{
    for (size_t i = 0; set && i < set->count; i++)
        free(set->templates[i].ops);
    free(set);
}

const struct template *template_find(const struct template_set *set, struct str name)
{
    for (size_t i = 0; i < set->count; i++)
        if (str_eq(set->templates[i].name, name))
            return &set->templates[i];
    return NULL;
}

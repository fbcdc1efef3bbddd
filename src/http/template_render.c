#include "http/template_inner.h"
#include "http/url.h"

/* Whose members are known, from the innermost outwards. */
struct scope {
    const struct value *value;
    const struct scope *outer;
    unsigned index, count; /* in a list; count 0: not one of its items */
};

/* The blocks that a {{<layout}} replaces; OUTER's are nearer to the page, and win. */
struct blocks {
    const struct template *template;
    unsigned from, to;
    const struct blocks *outer;
};

struct render {
    struct buf *out;
    const struct value *root;
    unsigned depth;
};

static int render_ops(struct render *render, const struct template *template, unsigned from,
                      unsigned to, const struct scope *scope, const struct blocks *blocks);

static const struct value *look_up(const struct render *render, const struct name *name,
                                   const struct scope *scope)
{
    const struct value *value = NULL;
    if (name->kind == NAME_SELF)
        return scope->value;
    if (name->kind == NAME_ROOT)
        value = value_member(render->root, name->parts[0]);
    else
        for (; scope && !value; scope = scope->outer)
            value = value_member(scope->value, name->parts[0]);
    for (unsigned i = 1; i < name->count && value; i++)
        value = value_member(value, name->parts[i]);
    return value;
}

/* @index, @first and @last: made up here. */
static bool special(const struct name *name, const struct scope *scope, struct value *made)
{
    if (name->kind < NAME_INDEX)
        return false;
    while (scope && scope->count == 0)
        scope = scope->outer;
    *made = (struct value){.kind = VALUE_BOOL};
    if (!scope)
        return true;
    if (name->kind == NAME_INDEX)
        *made = (struct value){.kind = VALUE_INT, .number = scope->index};
    else
        made->number =
            name->kind == NAME_FIRST ? scope->index == 0 : scope->index + 1 == scope->count;
    return true;
}

static void put_escaped(struct buf *out, struct str text)
{
    size_t done = 0;
    for (size_t i = 0; i < text.len; i++) {
        struct str entity;
        switch (text.at[i]) {
        case '&':
            entity = STR("&amp;");
            break;
        case '<':
            entity = STR("&lt;");
            break;
        case '>':
            entity = STR("&gt;");
            break;
        case '"':
            entity = STR("&quot;");
            break;
        case '\'':
            entity = STR("&#39;");
            break;
        default:
            continue;
        }
        buf_put(out, text.at + done, i - done);
        buf_str(out, entity);
        done = i + 1;
    }
    buf_put(out, text.at + done, text.len - done);
}

/* An address without a scheme, or with one that runs nothing. */
static bool is_harmless(struct str address)
{
    size_t end = 0;
    while (end < address.len && !strchr(":/?#", address.at[end]) && address.at[end])
        end++;
    if (end == address.len || address.at[end] != ':')
        return end == address.len || address.at[end] != 0;
    struct str scheme = str_sub(address, 0, end);
    return str_eq_nocase(scheme, STR("https")) || str_eq_nocase(scheme, STR("http")) ||
           str_eq_nocase(scheme, STR("mailto")) || str_eq_nocase(scheme, STR("tel"));
}

static void put_value(struct render *render, const struct op *op, const struct value *value)
{
    if (!value)
        return;
    if (value->kind == VALUE_INT) {
        buf_i64(render->out, value->number);
        return;
    }
    struct str text = value->kind == VALUE_TEXT                    ? value->text
                      : value->kind == VALUE_BOOL && value->number ? STR("true")
                                                                   : STR("");
    if (op->kind == OP_RAW)
        buf_str(render->out, text);
    else if (op->kind == OP_PERCENT)
        url_encode(render->out, text);
    else if (op->kind == OP_ADDRESS && !is_harmless(text))
        buf_byte(render->out, '#');
    else
        put_escaped(render->out, text);
}

static int render_list(struct render *render, const struct template *template, unsigned from,
                       unsigned to, const struct value *list, const struct scope *outer,
                       const struct blocks *blocks)
{
    struct scope scope = {.outer = outer, .count = list->count};
    for (const struct value_entry *item = list->first; item; item = item->next, scope.index++) {
        scope.value = item->value;
        int err = render_ops(render, template, from, to, &scope, blocks);
        if (err)
            return err;
    }
    return 0;
}

static int render_section(struct render *render, const struct template *template, unsigned at,
                          const struct scope *scope, const struct blocks *blocks)
{
    const struct op *op = &template->ops[at];
    struct value made;
    const struct value *value =
        special(&op->name, scope, &made) ? &made : look_up(render, &op->name, scope);
    bool yes = value_is_true(value);
    if (yes != (op->kind == OP_SECTION))
        return render_ops(render, template, op->otherwise, op->end, scope, blocks);
    unsigned from = at + 1, to = op->otherwise;
    if (!yes || (value->kind != VALUE_LIST && value->kind != VALUE_MAP))
        return render_ops(render, template, from, to, scope, blocks);
    if (value->kind == VALUE_LIST)
        return render_list(render, template, from, to, value, scope, blocks);
    struct scope inner = {.value = value, .outer = scope};
    return render_ops(render, template, from, to, &inner, blocks);
}

/* The op of the block NAME nearest to the page, or NULL. */
static const struct op *find_block(const struct blocks *blocks, struct str name,
                                   const struct template **template)
{
    if (!blocks)
        return NULL;
    const struct op *found = find_block(blocks->outer, name, template);
    for (unsigned i = blocks->from; i < blocks->to && !found;) {
        const struct op *op = &blocks->template->ops[i];
        if (op->kind == OP_BLOCK && str_eq(op->text, name)) {
            found = op;
            *template = blocks->template;
        }
        i = op->end > i ? op->end : i + 1;
    }
    return found;
}

static int render_block(struct render *render, const struct template *template, unsigned at,
                        const struct scope *scope, const struct blocks *blocks)
{
    const struct op *op = &template->ops[at];
    const struct op *other = find_block(blocks, op->text, &template);
    if (other)
        op = other;
    unsigned from = (unsigned)(op - template->ops) + 1;
    return render_ops(render, template, from, op->end, scope, blocks);
}

static int render_op(struct render *render, const struct template *template, unsigned at,
                     const struct scope *scope, const struct blocks *blocks)
{
    const struct op *op = &template->ops[at];
    struct value made;
    switch (op->kind) {
    case OP_LITERAL:
        buf_str(render->out, op->text);
        return 0;
    case OP_ESCAPED:
    case OP_ADDRESS:
    case OP_RAW:
    case OP_PERCENT:
        put_value(render, op,
                  special(&op->name, scope, &made) ? &made : look_up(render, &op->name, scope));
        return 0;
    case OP_SECTION:
    case OP_INVERTED:
        return render_section(render, template, at, scope, blocks);
    case OP_PARTIAL:
        return render_ops(render, op->partial, 0, op->partial->count, scope, blocks);
    case OP_LAYOUT: {
        struct blocks inner = {template, at + 1, op->end, blocks};
        return render_ops(render, op->partial, 0, op->partial->count, scope, &inner);
    }
    case OP_BLOCK:
        return render_block(render, template, at, scope, blocks);
    }
    return 0;
}

static int render_ops(struct render *render, const struct template *template, unsigned from,
                      unsigned to, const struct scope *scope, const struct blocks *blocks)
{
    if (render->depth >= 2 * NESTING_MOST)
        return ERR_INVALID;
    render->depth++;
    int err = 0;
    for (unsigned at = from; at < to && !err;) {
        const struct op *op = &template->ops[at];
        err = render_op(render, template, at, scope, blocks);
        at = op->end > at ? op->end : at + 1;
    }
    render->depth--;
    return err;
}

int template_render(const struct template *template, const struct value *root, struct buf *out)
{
    struct render render = {.out = out, .root = root};
    struct scope scope = {.value = root};
    if (!root || root->builder->failed)
        return ERR_NOMEM;
    int err = render_ops(&render, template, 0, template->count, &scope, NULL);
    return err ? err : out->failed ? ERR_NOMEM : 0;
}

#include "outside/sandbox_form.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/wire.h"
#include "http/url.h"
#include "net/sha256.h"

#include <stdlib.h>

struct rule {
    struct str name;
    enum sandbox_kind kind;
    const char *words;
};

static const struct rule rules[SANDBOX_PARAM_COUNT] = {
#define X(id, name, kind, words) {{name, sizeof(name) - 1}, SANDBOX_##kind, words},
    SANDBOX_PARAM_LIST(X)
#undef X
};

const char *sandbox_param_name(enum sandbox_param param)
{
    return rules[param].name.at;
}

/* ---- Names ---- */

/* The parameter that NAME means, among those KNOWN, and of a map's member its key. */
static bool find_rule(struct str name, uint64_t known, enum sandbox_param *param, struct str *key)
{
    ptrdiff_t bracket = str_find_byte(name, '[');
    struct str base = bracket < 0 ? name : str_sub(name, 0, (size_t)bracket);
    struct str rest = bracket < 0 ? STR("") : str_from(name, (size_t)bracket);
    for (unsigned i = 0; i < SANDBOX_PARAM_COUNT; i++) {
        const struct rule *rule = &rules[i];
        bool many = rule->kind == SANDBOX_LIST || rule->kind == SANDBOX_MAP;
        if (!(known >> i & 1) || !str_eq(rule->name, many ? base : name))
            continue;
        *param = (enum sandbox_param)i;
        *key = STR("");
        if (!many || rest.len == 0)
            return true;
        if (rest.len < 2 || rest.at[rest.len - 1] != ']')
            return false;
        *key = str_sub(rest, 1, rest.len - 2);
        return str_find_byte(*key, '[') < 0 && str_find_byte(*key, ']') < 0;
    }
    return false;
}

static int unknown(struct sandbox_error *error, struct str name)
{
    char text[SANDBOX_PARAM];
    str_copy(text, sizeof text, str_clip_utf8(name, sizeof text - 1));
    return sandbox_invalid(error, "parameter_unknown", text, "Received unknown parameter: %s",
                           text);
}

/* ---- Values ---- */

static bool is_word(const char *words, struct str value)
{
    struct str rest = str_of(words), word;
    while (str_cut(&rest, ' ', &word))
        if (str_eq(word, value))
            return true;
    return false;
}

static int read_text(const struct rule *rule, struct str value, struct sandbox_error *error)
{
    if (value.len > SANDBOX_TEXT_MAX)
        return sandbox_invalid(error, "parameter_invalid_string_length", rule->name.at,
                               "Invalid string: %s is longer than %d characters", rule->name.at,
                               SANDBOX_TEXT_MAX);
    if (rule->words && !is_word(rule->words, value))
        return sandbox_invalid(error, NULL, rule->name.at, "Invalid %s: must be one of %s",
                               rule->name.at, rule->words);
    return 0;
}

static int read_number(const struct rule *rule, struct str value, int64_t *number,
                       struct sandbox_error *error)
{
    struct str shown = str_clip_utf8(value, 60);
    if (rule->kind == SANDBOX_INTEGER) {
        if (!str_to_i64(value, number))
            return 0;
        return sandbox_invalid(error, "parameter_invalid_integer", rule->name.at,
                               "Invalid integer: %.*s", STR_FMT(shown));
    }
    *number = str_eq(value, STR("true"));
    if (*number || str_eq(value, STR("false")))
        return 0;
    return sandbox_invalid(error, NULL, rule->name.at, "Invalid boolean: %.*s", STR_FMT(shown));
}

static int check_metadata(struct str key, struct str value, struct sandbox_error *error)
{
    if (key.len == 0 || key.len > SANDBOX_METADATA_KEY)
        return sandbox_invalid(error, NULL, "metadata",
                               "Metadata keys must have 1 to %d characters", SANDBOX_METADATA_KEY);
    if (value.len > SANDBOX_METADATA_VALUE)
        return sandbox_invalid(error, NULL, "metadata",
                               "Metadata values can have up to %d characters; that of %.*s has %zu",
                               SANDBOX_METADATA_VALUE, STR_FMT(key), value.len);
    return 0;
}

/* A member of a map that came before is replaced, as every repeated name is. */
static int add_item(struct sandbox_form *form, enum sandbox_param param, struct str key,
                    struct str value, struct sandbox_error *error)
{
    bool map = rules[param].kind == SANDBOX_MAP;
    unsigned at = form->item_count, same = 0;
    int status = map ? check_metadata(key, value, error) : read_text(&rules[param], value, error);
    if (status)
        return status;
    for (unsigned i = 0; i < form->item_count; i++) {
        same += form->items[i].param == param;
        if (map && form->items[i].param == param && str_eq(form->items[i].key, key))
            at = i;
    }
    if (at == SANDBOX_ITEMS_MAX || (at == form->item_count && same == SANDBOX_METADATA_MAX))
        return sandbox_invalid(error, NULL, rules[param].name.at, "%s can have up to %d members",
                               rules[param].name.at, SANDBOX_METADATA_MAX);
    form->items[at] = (struct sandbox_item){param, map ? key : STR(""), value};
    form->item_count += at == form->item_count;
    form->given |= 1ull << param;
    return 0;
}

static int read_pair(struct sandbox_form *form, struct str name, struct str value, uint64_t known,
                     struct sandbox_error *error)
{
    enum sandbox_param param;
    struct str key;
    if (!find_rule(name, known, &param, &key))
        return unknown(error, name);
    const struct rule *rule = &rules[param];
    bool many = rule->kind == SANDBOX_LIST || rule->kind == SANDBOX_MAP;
    if (many && value.len == 0)
        return 0; /* unsets what a new object does not have yet */
    if (many && name.len == rule->name.len)
        return sandbox_invalid(error, NULL, rule->name.at, "Invalid %s",
                               rule->kind == SANDBOX_LIST ? "array" : "object");
    if (many)
        return add_item(form, param, key, value, error);
    if (value.len == 0)
        return sandbox_invalid(error, "parameter_invalid_empty", rule->name.at,
                               "The parameter %s is empty: leave it out, or give it a value.",
                               rule->name.at);
    form->given |= 1ull << param;
    form->text[param] = value;
    return rule->kind == SANDBOX_TEXT ? read_text(rule, value, error)
                                      : read_number(rule, value, &form->number[param], error);
}

int sandbox_form_read(struct sandbox_form *form, struct arena *arena, struct str text,
                      uint64_t known, uint64_t needed, struct sandbox_error *error)
{
    struct str name, value;
    *form = (struct sandbox_form){0};
    while (form_next(&text, &name, &value)) {
        struct str plain = url_decode(arena, name, true), read = url_decode(arena, value, true);
        if (!plain.at || !read.at || !str_is_utf8(plain) || !str_is_utf8(read))
            return sandbox_invalid(error, NULL, NULL,
                                   "The form is not valid: a name or value is not UTF-8 in "
                                   "percent-encoding.");
        int status = read_pair(form, plain, read, known, error);
        if (status)
            return status;
    }
    for (unsigned i = 0; i < SANDBOX_PARAM_COUNT; i++)
        if ((needed & ~form->given) >> i & 1)
            return sandbox_invalid(error, "parameter_missing", rules[i].name.at,
                                   "Missing required param: %s.", rules[i].name.at);
    return 0;
}

/* ---- Comparing ---- */

static int compare_items(const void *left, const void *right)
{
    const struct sandbox_item *a = *(const struct sandbox_item *const *)left;
    const struct sandbox_item *b = *(const struct sandbox_item *const *)right;
    if (a->param != b->param)
        return a->param < b->param ? -1 : 1;
    int keys = str_compare(a->key, b->key);
    return keys ? keys : (a > b) - (a < b); /* members of lists keep their order */
}

int sandbox_form_digest(const struct sandbox_form *form,
                        unsigned char digest[static SANDBOX_DIGEST])
{
    const struct sandbox_item *items[SANDBOX_ITEMS_MAX];
    struct buf canonical;

    buf_init(&canonical, 1 << 20);
    for (unsigned i = 0; i < SANDBOX_PARAM_COUNT; i++) {
        if (!form->text[i].at)
            continue;
        wire_put_str(&canonical, rules[i].name);
        wire_put_str(&canonical, form->text[i]);
    }
    for (unsigned i = 0; i < form->item_count; i++)
        items[i] = &form->items[i];
    qsort(items, form->item_count, sizeof items[0], compare_items);
    for (unsigned i = 0; i < form->item_count; i++) {
        wire_put_str(&canonical, rules[items[i]->param].name);
        wire_put_str(&canonical, items[i]->key);
        wire_put_str(&canonical, items[i]->value);
    }
    int err = canonical.failed ? ERR_NOMEM : 0;
    if (!err)
        sha256_of(buf_text(&canonical), digest);
    buf_close(&canonical);
    return err;
}

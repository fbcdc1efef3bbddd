#include "http/structured.h"

#include "base/base64.h"
#include "base/err.h"

enum { INTEGER_DIGITS = 15 };

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts(struct str rest, char c)
{
    return rest.len && rest.at[0] == c;
}

static bool take(struct str *rest, char c)
{
    if (!starts(*rest, c))
        return false;
    *rest = str_from(*rest, 1);
    return true;
}

/* ---- Items ---- */

static int take_string(struct str *rest, struct structured_item *item)
{
    size_t at = 1;
    for (; at < rest->len && rest->at[at] != '"'; at++) {
        if (rest->at[at] == '\\') {
            at++;
            if (at == rest->len || (rest->at[at] != '"' && rest->at[at] != '\\'))
                return ERR_INVALID;
        } else if (rest->at[at] < ' ' || rest->at[at] > '~') {
            return ERR_INVALID;
        }
    }
    if (at >= rest->len)
        return ERR_INVALID;
    item->kind = STRUCTURED_STRING;
    item->text = str_sub(*rest, 1, at - 1);
    *rest = str_from(*rest, at + 1);
    return 0;
}

static int take_bytes(struct str *rest, struct structured_item *item)
{
    struct str inside = str_from(*rest, 1);
    ptrdiff_t end = str_find_byte(inside, ':');
    if (end < 0)
        return ERR_INVALID;
    item->kind = STRUCTURED_BYTES;
    item->text = str_sub(inside, 0, (size_t)end);
    *rest = str_from(inside, (size_t)end + 1);
    return 0;
}

static int take_integer(struct str *rest, struct structured_item *item)
{
    size_t len = starts(*rest, '-'), sign = len;
    while (len < rest->len && is_digit(rest->at[len]))
        len++;
    bool decimal = len < rest->len && rest->at[len] == '.';
    if (decimal || len - sign > INTEGER_DIGITS || str_to_i64(str_sub(*rest, 0, len), &item->number))
        return ERR_INVALID;
    item->kind = STRUCTURED_INTEGER;
    *rest = str_from(*rest, len);
    return 0;
}

static int take_boolean(struct str *rest, struct structured_item *item)
{
    bool yes = rest->len > 1 && rest->at[1] == '1', no = rest->len > 1 && rest->at[1] == '0';
    if (!yes && !no)
        return ERR_INVALID;
    item->kind = yes ? STRUCTURED_TRUE : STRUCTURED_FALSE;
    *rest = str_from(*rest, 2);
    return 0;
}

static bool is_token_char(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~:/", c));
}

static int take_token(struct str *rest, struct structured_item *item)
{
    size_t len = 0;
    bool good = rest->len && (is_lower(rest->at[0]) || rest->at[0] == '*' ||
                              (rest->at[0] >= 'A' && rest->at[0] <= 'Z'));
    while (good && len < rest->len && is_token_char(rest->at[len]))
        len++;
    item->kind = STRUCTURED_TOKEN;
    item->text = str_sub(*rest, 0, len);
    *rest = str_from(*rest, len);
    return good ? 0 : ERR_INVALID;
}

int structured_item(struct str *rest, struct structured_item *item)
{
    *item = (struct structured_item){0};
    if (starts(*rest, '"'))
        return take_string(rest, item);
    if (starts(*rest, ':'))
        return take_bytes(rest, item);
    if (starts(*rest, '?'))
        return take_boolean(rest, item);
    if (starts(*rest, '-') || (rest->len && is_digit(rest->at[0])))
        return take_integer(rest, item);
    return take_token(rest, item);
}

/* ---- Keys, parameters, members ---- */

static int take_key(struct str *rest, struct str *key)
{
    size_t len = 0;
    bool good = rest->len && (is_lower(rest->at[0]) || rest->at[0] == '*');
    while (good && len < rest->len &&
           (is_lower(rest->at[len]) || is_digit(rest->at[len]) ||
            (rest->at[len] && strchr("_-.*", rest->at[len]))))
        len++;
    *key = str_sub(*rest, 0, len);
    *rest = str_from(*rest, len);
    return good ? 0 : ERR_INVALID;
}

static void skip_blanks(struct str *rest)
{
    while (starts(*rest, ' '))
        *rest = str_from(*rest, 1);
}

int structured_parameter(struct str *rest, struct str *key, struct structured_item *item)
{
    if (!take(rest, ';'))
        return ERR_NOTFOUND;
    skip_blanks(rest);
    int err = take_key(rest, key);
    if (err)
        return err;
    if (take(rest, '='))
        return structured_item(rest, item);
    *item = (struct structured_item){.kind = STRUCTURED_TRUE};
    return 0;
}

int structured_key(struct str *rest, struct str *key)
{
    skip_blanks(rest);
    if (!rest->len)
        return ERR_NOTFOUND;
    int err = take_key(rest, key);
    if (!err)
        take(rest, '=');
    return err;
}

static void skip_white(struct str *rest)
{
    while (starts(*rest, ' ') || starts(*rest, '\t'))
        *rest = str_from(*rest, 1);
}

int structured_next(struct str *rest)
{
    skip_white(rest);
    if (!rest->len)
        return ERR_NOTFOUND;
    if (!take(rest, ','))
        return ERR_INVALID;
    skip_white(rest);
    return rest->len ? 0 : ERR_INVALID; /* a comma at the end */
}

int structured_inner(struct str *rest, struct str *string, struct str *more)
{
    struct structured_item item;
    struct str key;
    int err;
    skip_blanks(rest);
    if (take(rest, ')'))
        return ERR_NOTFOUND;
    if (!starts(*rest, '"') || structured_item(rest, &item))
        return ERR_INVALID;
    *string = item.text;
    *more = *rest;
    while ((err = structured_parameter(rest, &key, &item)) == 0)
        continue;
    more->len -= rest->len;
    bool ends = starts(*rest, ' ') || starts(*rest, ')');
    return err == ERR_NOTFOUND && ends ? 0 : ERR_INVALID;
}

/* ---- Writing ---- */

void structured_put_string(struct buf *out, struct str text)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < ' ' || text.at[i] > '~')
            out->failed = true;
        if (text.at[i] == '"' || text.at[i] == '\\')
            buf_byte(out, '\\');
        buf_byte(out, text.at[i]);
    }
    buf_byte(out, '"');
}

void structured_put_bytes(struct buf *out, struct str bytes)
{
    buf_byte(out, ':');
    base64_put(out, BASE64_PADDED, bytes);
    buf_byte(out, ':');
}

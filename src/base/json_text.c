#include "base/json_text.h"

#include "base/str.h"

enum { ESCAPED_MAX = 6 }; /* \u001f */

/* What BYTE of a text becomes, into OUT; returns its length. */
static size_t escape(unsigned char byte, bool utf8, char out[static ESCAPED_MAX + 1])
{
    if (byte < ' ')
        return (size_t)snprintf(out, ESCAPED_MAX + 1, "\\u%04x", byte);
    if (byte == '"' || byte == '\\') {
        out[0] = '\\';
        out[1] = (char)byte;
        return 2;
    }
    out[0] = byte < 0x80 || utf8 ? (char)byte : '?';
    return 1;
}

void json_text_print(const char *text, FILE *out)
{
    char escaped[ESCAPED_MAX + 1];
    bool utf8 = str_is_utf8(str_of(text));
    fputc('"', out);
    for (; *text; text++)
        fwrite(escaped, 1, escape((unsigned char)*text, utf8, escaped), out);
    fputc('"', out);
}

void json_text_put(const char *text, struct buf *out)
{
    json_str_put(str_of(text), out);
}

void json_str_put(struct str text, struct buf *out)
{
    char escaped[ESCAPED_MAX + 1];
    bool utf8 = str_is_utf8(text);
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++)
        buf_put(out, escaped, escape((unsigned char)text.at[i], utf8, escaped));
    buf_byte(out, '"');
}

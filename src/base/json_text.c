#include "base/json_text.h"

#include "base/str.h"

void json_text_print(const char *text, FILE *out)
{
    bool utf8 = str_is_utf8(str_of(text));
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < ' ')
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c < 0x80 || utf8 ? *c : '?', out);
    }
    fputc('"', out);
}

void json_text_put(const char *text, struct buf *out)
{
    bool utf8 = str_is_utf8(str_of(text));
    buf_byte(out, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_byte(out, '\\');
        if (*c < ' ')
            buf_printf(out, "\\u%04x", *c);
        else
            buf_byte(out, *c < 0x80 || utf8 ? (char)*c : '?');
    }
    buf_byte(out, '"');
}

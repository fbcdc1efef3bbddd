#include "main/top_lines.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_MAX = 512 };

static void put_styled(struct screen *screen, enum style style, struct str text)
{
    static const char *const codes[] = {"",         "\033[1m",  "\033[2m",
                                        "\033[32m", "\033[33m", "\033[31m"};
    bool styled = screen->colours && style != PLAIN && text.len;
    if (styled)
        buf_puts(screen->out, codes[style]);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool begins = (byte & 0xc0) != 0x80; /* a character of UTF-8 */
        if (begins && screen->column == screen->columns)
            break;
        screen->column += begins;
        buf_byte(screen->out, byte < ' ' || byte == 0x7f ? '?' : (char)byte);
    }
    if (styled)
        buf_puts(screen->out, "\033[0m");
}

void screen_put(struct screen *screen, enum style style, const char *format, ...)
{
    char text[PIECE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (screen->rows == 0 || len < 0)
        return;
    struct str piece = str_of(text);
    put_styled(screen, style, str_is_utf8(piece) ? piece : STR("?"));
}

void screen_end_line(struct screen *screen)
{
    if (screen->rows == 0)
        return;
    buf_byte(screen->out, '\n');
    screen->rows--;
    screen->column = 0;
}

const char *screen_number(double value, char out[static SCREEN_FIGURE])
{
    static const char units[] = " kMGT";
    unsigned unit = 0;
    for (; value >= 999.5 && unit + 2 < sizeof units; unit++)
        value /= 1000;
    int digits = value == 0 || value >= 99.95 || (unit == 0 && value == floor(value)) ? 0
                 : value >= 9.995 || unit == 0                                        ? 1
                                                                                      : 2;
    snprintf(out, SCREEN_FIGURE, "%.*f%.1s", digits, value, unit ? &units[unit] : "");
    return out;
}

const char *screen_time(double ms, char out[static SCREEN_FIGURE])
{
    if (ms <= 0)
        strcpy(out, "-");
    else if (ms >= 9999.5)
        snprintf(out, SCREEN_FIGURE, "%.0fs", ms / 1000);
    else
        snprintf(out, SCREEN_FIGURE, "%.*f", ms >= 99.95 ? 0 : ms >= 9.995 ? 1 : 2, ms);
    return out;
}

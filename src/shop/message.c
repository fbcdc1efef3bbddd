#include "shop/message.h"

#include <stdarg.h>
#include <stdio.h>

enum { CONTENT_MAX = 2000 };

struct str message_line_path(struct arena *arena, unsigned line, const char *field)
{
    return arena_printf(arena, "$.line_items[%u]%s", line, field);
}

static struct message *place_for(struct basket *basket, enum message_type type)
{
    if (basket->message_count < SHOP_MESSAGES_MAX)
        return &basket->messages[basket->message_count++];
    for (unsigned i = SHOP_MESSAGES_MAX; type == MESSAGE_ERROR && i > 0; i--)
        if (basket->messages[i - 1].type != MESSAGE_ERROR)
            return &basket->messages[i - 1];
    return NULL;
}

static void add(struct basket *basket, struct arena *arena, struct message message,
                const char *format, va_list args)
{
    struct message *place = place_for(basket, message.type);
    if (!place)
        return;
    char text[CONTENT_MAX + 1];
    int len = vsnprintf(text, sizeof text, format, args);
    /* A title that fills it is not cut within a character: it has to stay UTF-8. */
    struct str content = str_make(text, len < 0 ? 0 : strlen(text));
    message.content = arena_str(arena, str_clip_utf8(content, CONTENT_MAX - 1));
    *place = message;
}

void message_error(struct basket *basket, struct arena *arena, struct str code, struct str path,
                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct message message = {
        .type = MESSAGE_ERROR, .severity = SEVERITY_RECOVERABLE, .code = code, .path = path};
    add(basket, arena, message, format, args);
    va_end(args);
}

void message_warning(struct basket *basket, struct arena *arena, struct str code, struct str path,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct message message = {.type = MESSAGE_WARNING, .code = code, .path = path};
    add(basket, arena, message, format, args);
    va_end(args);
}

bool message_any_error(const struct basket *basket)
{
    for (unsigned i = 0; i < basket->message_count; i++)
        if (basket->messages[i].type == MESSAGE_ERROR)
            return true;
    return false;
}

bool message_has(const struct basket *basket, struct str code)
{
    for (unsigned i = 0; i < basket->message_count; i++)
        if (str_eq(basket->messages[i].code, code))
            return true;
    return false;
}

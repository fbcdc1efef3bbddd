#include "outside/sandbox_error.h"

#include <stdarg.h>
#include <stdio.h>

const char sandbox_invalid_request[] = "invalid_request_error";

static void __attribute__((format(printf, 2, 0), nonnull(2)))
set_message(struct sandbox_error *error, const char *format, va_list arguments)
{
    vsnprintf(error->message, sizeof error->message, format, arguments);
    struct str clipped = str_clip_utf8(str_of(error->message), sizeof error->message - 1);
    error->message[clipped.len] = '\0';
}

int sandbox_invalid(struct sandbox_error *error, const char *code, const char *param,
                    const char *format, ...)
{
    va_list arguments;
    *error = (struct sandbox_error){.status = 400, .type = sandbox_invalid_request, .code = code};
    if (param)
        str_copy(error->param, sizeof error->param, str_of(param));
    va_start(arguments, format);
    set_message(error, format, arguments);
    va_end(arguments);
    return error->status;
}

int sandbox_refuse(struct sandbox_error *error, int status, const char *type, const char *code,
                   const char *format, ...)
{
    va_list arguments;
    *error = (struct sandbox_error){.status = status, .type = type, .code = code};
    va_start(arguments, format);
    set_message(error, format, arguments);
    va_end(arguments);
    return status;
}

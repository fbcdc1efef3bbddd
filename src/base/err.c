#include "base/err.h"

#undef fail
#undef fail_errno

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *sentence;
} entries[ERR_COUNT] = {
#define X(name, sentence) {#name, sentence},
    ERR_LIST(X)
#undef X
};

const char *err_name(int err)
{
    return err >= 0 && err < ERR_COUNT ? entries[err].name : "?";
}

const char *err_sentence(int err)
{
    return err >= 0 && err < ERR_COUNT ? entries[err].sentence : "an unknown error";
}

int fail(struct failure *failure, int err, const char *format, ...)
{
    if (failure) {
        va_list args;
        va_start(args, format);
        vsnprintf(failure->text, sizeof failure->text, format, args);
        va_end(args);
        failure->err = err;
    }
    return err;
}

int fail_errno(struct failure *failure, int err, const char *format, ...)
{
    int saved = errno;
    if (failure) {
        va_list args;
        va_start(args, format);
        vsnprintf(failure->text, sizeof failure->text, format, args);
        va_end(args);
        size_t used = strlen(failure->text);
        snprintf(failure->text + used, sizeof failure->text - used, ": %s", strerror(saved));
        failure->err = err;
    }
    return err;
}

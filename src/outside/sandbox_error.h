/* Error of the sandbox bank: what it answers when it does not do what it was asked, in the shape of
 * Stripe's error object. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_SANDBOX_ERROR_H
#define STOA_OUTSIDE_SANDBOX_ERROR_H

#include "base/str.h"

#include <stdbool.h>

enum { SANDBOX_MESSAGE = 640, SANDBOX_PARAM = 80 };

struct sandbox_error {
    int status;       /* HTTP; 0: no error */
    const char *type; /* literals; those that are NULL do not apply */
    const char *code;
    const char *decline_code;
    char param[SANDBOX_PARAM]; /* empty: about no parameter */
    char message[SANDBOX_MESSAGE];
};

extern const char sandbox_invalid_request[]; /* "invalid_request_error" */

/* Sets ERROR to a 400 invalid_request_error about PARAM (may be NULL) and returns 400. CODE may be
 * NULL. */
int sandbox_invalid(struct sandbox_error *error, const char *code, const char *param,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Any other. */
int sandbox_refuse(struct sandbox_error *error, int status, const char *type, const char *code,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif

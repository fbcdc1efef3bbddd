/* Service: the directory of a small service beside the shop (bank, warehouse): who uses it now,
 * the secrets that are made once and kept in it, and where the service is found.
 *
 *     lock          held by the process that uses the directory
 *     server.json   {"pid", "url", "pin"} of the process that serves; gone when none does
 *     pin           the pin of its certificate's key, when it speaks TLS
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_SERVICE_H
#define STOA_MAIN_SERVICE_H

#include "base/err.h"
#include "main/file.h"

#include <stdbool.h>
#include <stddef.h>

struct service {
    char dir[FILE_PATH];
    int lock;
    bool created; /* the directory, by this call */
};

/* Makes DIR if need be and locks it. ERR_BUSY: another process uses it. */
int service_open(const char *dir, struct service *service, struct failure *failure);
void service_close(struct service *service);

/* LEN (at most 64) random bytes, made once and kept in DIR/NAME as hexadecimal digits. *MADE (may
 * be NULL) is set when they are new. */
int service_secret(const struct service *service, const char *name, unsigned char *bytes,
                   size_t len, bool *made, struct failure *failure);

/* Says in server.json, and PIN (may be empty) in pin, where this process serves. */
int service_announce(const struct service *service, const char *url, const char *pin,
                     struct failure *failure);

#endif

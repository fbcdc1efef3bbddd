/* Service: the directory of a process that serves (the shop's server, a witness, the bank, a
 * warehouse): who uses it now, the secrets that are made once and kept in it, and where the process
 * is found.
 *
 *     lock          held by the process that uses the directory
 *     server.json   {"pid", "url", "pin"} of the process that serves; gone when none does
 *     pin           the pin of its certificate's key, where it has one to tell
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
    int lock;     /* -1: not open */
    bool created; /* the directory, by this call */
};

/* Makes DIR if need be and locks it. ERR_BUSY: another process uses it. */
int service_open(const char *dir, struct service *service, struct failure *failure);
/* The same under LOCK, which holds DIR/lock and is handed over; -1: it is taken. */
int service_open_with(const char *dir, int lock, struct service *service, struct failure *failure);
void service_close(struct service *service);

/* Takes DIR/lock alone, as *LOCK; it goes when that is closed. ERR_BUSY: a process has it. */
int service_lock(const char *dir, int *lock, struct failure *failure);
/* Whether a process holds it. Never turns one away that takes it just then. */
bool service_is_locked(const char *dir);

/* LEN (at most 64) random bytes, made once and kept in DIR/NAME as hexadecimal digits. *MADE (may
 * be NULL) is set when they are new. */
int service_secret(const struct service *service, const char *name, unsigned char *bytes,
                   size_t len, bool *made, struct failure *failure);

/* Says in server.json, whole or not at all, and PIN (may be empty) in pin, where this process
 * serves. */
int service_announce(const struct service *service, const char *url, const char *pin,
                     struct failure *failure);

#endif

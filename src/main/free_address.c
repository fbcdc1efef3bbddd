#include "main/free_address.h"

#include "base/random.h"
#include "net/socket.h"

#include <stdio.h>

enum { PORT_FIRST = 20000, PORT_COUNT = 12000, PORT_TRIES = 200, ADDRESS_MAX = 320 };

bool free_address_is(const char *address)
{
    struct endpoint at;
    return endpoint_resolve(str_of(address), true, &at, NULL) == 0 &&
           socket_listen_check(&at, address, NULL) == 0;
}

int free_address(const char *host, bool (*taken)(const void *context, const char *address),
                 const void *context, char *out, size_t size, struct failure *failure)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t chance;
        char address[ADDRESS_MAX];
        random_secret(&chance, sizeof chance);
        snprintf(address, sizeof address, "%s:%u", host, PORT_FIRST + chance % PORT_COUNT);
        if (!(taken && taken(context, address)) && free_address_is(address)) {
            str_copy(out, size, str_of(address));
            return 0;
        }
    }
    return fail(failure, ERR_BUSY, "found no free port on %s", host);
}

#include "net/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map(const void *v4, unsigned char out[NETWORK_BYTES])
{
    memcpy(out, mapped, sizeof mapped);
    memcpy(out + sizeof mapped, v4, 4);
}

/* *FIRST: the first bit that an address of its family has. */
static bool address_of(struct str text, unsigned char out[NETWORK_BYTES], unsigned *first)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (text.len >= sizeof copy || memchr(text.len ? text.at : "", 0, text.len))
        return false;
    str_copy(copy, sizeof copy, text);
    *first = 0;
    if (inet_pton(AF_INET6, copy, out) == 1)
        return true;
    *first = 96;
    if (inet_pton(AF_INET, copy, &v4) != 1)
        return false;
    map(&v4, out);
    return true;
}

int network_parse(struct str text, struct network *network, struct failure *failure)
{
    ptrdiff_t slash = str_find_byte(text, '/');
    struct str address = slash < 0 ? text : str_sub(text, 0, (size_t)slash);
    uint64_t bits;
    unsigned first;
    *network = (struct network){.bits = 128};
    if (!address_of(address, network->address, &first))
        return fail(failure, ERR_INVALID,
                    "\"%.*s\" is not a network (use 10.0.0.0/8, 2001:db8::/32, or an address)",
                    STR_FMT(text));
    if (slash < 0)
        return ERR_OK;
    if (str_to_u64(str_from(text, (size_t)slash + 1), &bits) || bits > 128 - first)
        return fail(failure, ERR_INVALID, "\"%.*s\": the number after / is not 0 to %u",
                    STR_FMT(text), 128 - first);
    network->bits = first + (unsigned)bits;
    return ERR_OK;
}

bool network_address(const struct endpoint *address, unsigned char out[static NETWORK_BYTES])
{
    switch (address->at.ss_family) {
    case AF_INET:
        map(&((const struct sockaddr_in *)&address->at)->sin_addr, out);
        return true;
    case AF_INET6:
        memcpy(out, &((const struct sockaddr_in6 *)&address->at)->sin6_addr, NETWORK_BYTES);
        return true;
    }
    return false;
}

bool network_is_v4(const unsigned char address[static NETWORK_BYTES])
{
    return memcmp(address, mapped, sizeof mapped) == 0;
}

static bool in_one(const struct network *network, const unsigned char *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    return rest == 0 || (network->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool in_any(const struct network *networks, unsigned count, const unsigned char *address)
{
    for (unsigned i = 0; i < count; i++)
        if (in_one(&networks[i], address))
            return true;
    return false;
}

bool network_has(const struct network *networks, unsigned count, const struct endpoint *address)
{
    unsigned char bytes[NETWORK_BYTES];
    return network_address(address, bytes) && in_any(networks, count, bytes);
}

bool network_has_text(const struct network *networks, unsigned count, struct str address)
{
    unsigned char bytes[NETWORK_BYTES];
    unsigned first;
    return address_of(address, bytes, &first) && in_any(networks, count, bytes);
}

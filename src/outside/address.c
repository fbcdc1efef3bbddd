#include "outside/address.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct network {
    uint32_t base;
    unsigned bits;
};

#define NET(a, b, c, d, bits)                                  \
    {                                                          \
        (uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d), bits \
    }

/* Special-purpose networks of IPv4. */
static const struct network special[] = {
    NET(0, 0, 0, 0, 8),      NET(10, 0, 0, 0, 8),     NET(100, 64, 0, 0, 10),
    NET(127, 0, 0, 0, 8),    NET(169, 254, 0, 0, 16), NET(172, 16, 0, 0, 12),
    NET(192, 0, 0, 0, 24),   NET(192, 0, 2, 0, 24),   NET(192, 88, 99, 0, 24),
    NET(192, 168, 0, 0, 16), NET(198, 18, 0, 0, 15),  NET(198, 51, 100, 0, 24),
    NET(203, 0, 113, 0, 24), NET(224, 0, 0, 0, 4),    NET(240, 0, 0, 0, 4),
};

static bool is_public_v4(uint32_t address)
{
    for (unsigned i = 0; i < COUNT_OF(special); i++)
        if ((address ^ special[i].base) >> (32 - special[i].bits) == 0)
            return false;
    return true;
}

static uint32_t v4_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool begins(const uint8_t address[16], const void *prefix, size_t len)
{
    return memcmp(address, prefix, len) == 0;
}

static bool is_mapped(const uint8_t address[16])
{
    return begins(address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
}

static bool is_public_v6(const uint8_t address[16])
{
    if (is_mapped(address) || begins(address, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12)) /* NAT64 */
        return is_public_v4(v4_at(address + 12));
    if (begins(address, "\x20\x02", 2)) /* 6to4, RFC 3056 */
        return is_public_v4(v4_at(address + 2));
    /* 2000::/3 is all that was ever given out; of it, 2001::/23 is for protocols (Teredo among
     * them), 2001:db8::/32 and 3fff::/20 are for documentation. */
    return (address[0] & 0xe0) == 0x20 &&
           !(begins(address, "\x20\x01", 2) && (address[2] & 0xfe) == 0) &&
           !begins(address, "\x20\x01\x0d\xb8", 4) &&
           !(begins(address, "\x3f\xff", 2) && (address[2] & 0xf0) == 0);
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_public_v4(
            ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    return address->sa_family == AF_INET6 &&
           is_public_v6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
}

bool address_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               127;
    if (address->sa_family != AF_INET6)
        return false;
    const uint8_t *bytes = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
    return (is_mapped(bytes) && bytes[12] == 127) ||
           begins(bytes, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
}

#include "balance/trust.h"

#include <arpa/inet.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* *V4 tells in which notation it was. False: it is no address. */
static bool read_address(struct str text, unsigned char bytes[16], bool *v4)
{
    char room[INET6_ADDRSTRLEN];
    if (text.len >= sizeof room)
        return false;
    str_copy(room, sizeof room, text);
    *v4 = inet_pton(AF_INET, room, bytes + sizeof mapped) == 1;
    if (*v4)
        memcpy(bytes, mapped, sizeof mapped);
    return *v4 || inet_pton(AF_INET6, room, bytes) == 1;
}

int trust_add(struct trust *trust, struct str text, struct failure *failure)
{
    struct str rest = text, address;
    struct network network = {.bits = 128};
    uint64_t bits = 0;
    bool v4 = false;
    if (trust->count == TRUST_MAX)
        return fail(failure, ERR_FULL, "at most %d networks can be trusted", TRUST_MAX);
    if (!str_cut(&rest, '/', &address) || !read_address(address, network.bytes, &v4))
        return fail(failure, ERR_INVALID,
                    "\"%.*s\" is no network (write 10.0.0.0/8, 2001:db8::/32 or one address)",
                    STR_FMT(text));
    if (rest.at) {
        unsigned most = v4 ? 32 : 128;
        if (str_to_u64(rest, &bits) || bits > most)
            return fail(failure, ERR_INVALID, "\"%.*s\": the part after '/' is from 0 to %u",
                        STR_FMT(text), most);
        network.bits = (unsigned)bits + (v4 ? 96 : 0);
    }
    trust->networks[trust->count++] = network;
    return 0;
}

static bool is_in(const struct network *network, const unsigned char bytes[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

bool trust_has(const struct trust *trust, struct str peer)
{
    unsigned char bytes[16];
    bool v4;
    if (trust->count == 0 || !read_address(peer, bytes, &v4))
        return false;
    for (unsigned i = 0; i < trust->count; i++)
        if (is_in(&trust->networks[i], bytes))
            return true;
    return false;
}

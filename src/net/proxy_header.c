#include "net/proxy_header.h"

#include "net/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum {
    V2_FIXED = 16, /* signature, version and command, family, length */
    V2_V4 = 12,    /* two addresses, two ports */
    V2_V6 = 36,
    V1_MAX = 107, /* with its line end */
};

static const unsigned char signature[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                            '\n', 'Q',  'U',  'I',  'T', '\n'};

static void set_v4(struct endpoint *out, const unsigned char *address, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->at;
    memset(out, 0, sizeof *out);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    memcpy(&v4->sin_addr, address, 4);
    out->len = sizeof *v4;
}

static void set_v6(struct endpoint *out, const unsigned char *address, uint16_t port)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->at;
    memset(out, 0, sizeof *out);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, address, 16);
    out->len = sizeof *v6;
}

static uint16_t big_endian(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static int invalid(const char **why, const char *text)
{
    *why = text;
    return ERR_INVALID;
}

/* ---- Version 2 ---- */

static int v2_addresses(const unsigned char *at, size_t len, unsigned family,
                        struct proxy_header *header, const char **why)
{
    switch (family) {
    case 0x11:
        if (len < V2_V4)
            return invalid(why, "the PROXY header is too short for its addresses");
        set_v4(&header->client, at, big_endian(at + 8));
        set_v4(&header->here, at + 4, big_endian(at + 10));
        return 0;
    case 0x21:
        if (len < V2_V6)
            return invalid(why, "the PROXY header is too short for its addresses");
        set_v6(&header->client, at, big_endian(at + 32));
        set_v6(&header->here, at + 16, big_endian(at + 34));
        return 0;
    case 0x00: /* unspecified, and UNIX sockets: the real addresses are used (§2.2) */
    case 0x31:
    case 0x32:
        header->local = true;
        return 0;
    }
    return invalid(why, "the PROXY header names neither TCP over IPv4 nor over IPv6");
}

static int parse_v2(const unsigned char *at, size_t len, struct proxy_header *header,
                    const char **why)
{
    if (len < V2_FIXED)
        return ERR_SHORT;
    size_t more = big_endian(at + 14);
    unsigned version = at[12] >> 4, command = at[12] & 15;
    if (version != 2 || command > 1)
        return invalid(why, "the PROXY header's version or command is not known");
    if (V2_FIXED + more > PROXY_HEADER_MAX)
        return invalid(why, "the PROXY header is too long");
    if (len < V2_FIXED + more)
        return ERR_SHORT;
    header->len = V2_FIXED + more;
    header->local = command == 0;
    return header->local ? 0 : v2_addresses(at + V2_FIXED, more, at[13], header, why);
}

/* ---- Version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n" ---- */

static bool v1_port(struct str text, uint16_t *port)
{
    uint64_t number;
    if (str_to_u64(text, &number) || number > 65535 || (text.len > 1 && text.at[0] == '0'))
        return false;
    *port = (uint16_t)number;
    return true;
}

static bool v1_address(struct str text, int family, unsigned char out[16])
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= sizeof copy || memchr(text.at, 0, text.len))
        return false;
    return inet_pton(family, str_copy(copy, sizeof copy, text), out) == 1;
}

static bool v1_fields(struct str rest, int family, struct proxy_header *header)
{
    unsigned char client[16], here[16];
    uint16_t client_port, here_port;
    struct str part[4];
    for (int i = 0; i < 4; i++)
        if (!str_cut(&rest, ' ', &part[i]) || part[i].len == 0)
            return false;
    if (rest.at || !v1_address(part[0], family, client) || !v1_address(part[1], family, here) ||
        !v1_port(part[2], &client_port) || !v1_port(part[3], &here_port))
        return false;
    void (*set)(struct endpoint *, const unsigned char *, uint16_t) =
        family == AF_INET ? set_v4 : set_v6;
    set(&header->client, client, client_port);
    set(&header->here, here, here_port);
    return true;
}

static int parse_v1(struct str bytes, struct proxy_header *header, const char **why)
{
    struct str line = str_sub(bytes, 0, V1_MAX);
    ptrdiff_t end = str_find_byte(line, '\n');
    if (end < 0)
        return line.len < V1_MAX ? ERR_SHORT : invalid(why, "the PROXY header is too long");
    header->len = (size_t)end + 1;
    line.len = (size_t)end;
    if (!str_ends(line, STR("\r")))
        return invalid(why, "the PROXY header's line does not end in CR LF");
    line = str_sub(line, 0, line.len - 1);
    if (str_eq(line, STR("PROXY UNKNOWN")) || str_starts(line, STR("PROXY UNKNOWN "))) {
        header->local = true;
        return 0;
    }
    struct str rest = str_from(line, sizeof "PROXY TCP4 " - 1);
    if (str_starts(line, STR("PROXY TCP4 ")) && v1_fields(rest, AF_INET, header))
        return 0;
    if (str_starts(line, STR("PROXY TCP6 ")) && v1_fields(rest, AF_INET6, header))
        return 0;
    return invalid(why, "the PROXY header's line is not valid");
}

/* Whether BYTES begin with KNOWN, or are the beginning of it. */
static bool may_begin(struct str bytes, const void *known, size_t len)
{
    return memcmp(bytes.at, known, bytes.len < len ? bytes.len : len) == 0;
}

int proxy_header_parse(struct str bytes, struct proxy_header *header, const char **why)
{
    memset(header, 0, sizeof *header);
    if (bytes.len == 0)
        return ERR_SHORT;
    if (may_begin(bytes, signature, sizeof signature))
        return parse_v2((const unsigned char *)bytes.at, bytes.len, header, why);
    if (may_begin(bytes, "PROXY ", 6))
        return parse_v1(bytes, header, why);
    return invalid(why, "the connection does not begin with a PROXY header");
}

/* ---- Writing ---- */

static void put_port(unsigned char *out, const struct endpoint *address)
{
    uint16_t port = endpoint_port(address);
    out[0] = (unsigned char)(port >> 8);
    out[1] = (unsigned char)port;
}

size_t proxy_header_write(const struct endpoint *client, const struct endpoint *here,
                          unsigned char out[static PROXY_HEADER_WRITTEN])
{
    unsigned char from[NETWORK_BYTES], to[NETWORK_BYTES];
    memcpy(out, signature, sizeof signature);
    if (!client || !here || !network_address(client, from) || !network_address(here, to)) {
        memcpy(out + 12, "\x20\x00\x00\x00", 4);
        return V2_FIXED;
    }
    /* A client of IPv4 on a socket of both families is one of IPv4. */
    bool v4 = network_is_v4(from) && network_is_v4(to);
    size_t width = v4 ? 4 : 16, length = v4 ? V2_V4 : V2_V6;
    out[12] = 0x21;
    out[13] = v4 ? 0x11 : 0x21;
    out[14] = 0;
    out[15] = (unsigned char)length;
    memcpy(out + V2_FIXED, from + 16 - width, width);
    memcpy(out + V2_FIXED + width, to + 16 - width, width);
    put_port(out + V2_FIXED + 2 * width, client);
    put_port(out + V2_FIXED + 2 * width + 2, here);
    return V2_FIXED + length;
}

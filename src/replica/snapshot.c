#include "replica/snapshot.h"

#include "base/err.h"

static void put64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get64(const char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return value;
}

static const char magic[8] = {'s', 't', 'o', 'a', 's', 'n', 'a', 'p'};
enum { VERSION = 1 };

void snapshot_encode(unsigned char out[static SNAPSHOT_SIZE], const struct snapshot *snapshot)
{
    memcpy(out, magic, sizeof magic);
    put64(out + 8, VERSION);
    put64(out + 16, snapshot->index);
    put64(out + 24, (uint64_t)snapshot->time_ms);
    put64(out + 32, snapshot->server);
}

int snapshot_decode(struct snapshot *snapshot, struct str bytes)
{
    if (bytes.len < SNAPSHOT_SIZE || memcmp(bytes.at, magic, sizeof magic) != 0)
        return ERR_INVALID;
    if (get64(bytes.at + 8) != VERSION)
        return ERR_UNSUPPORTED;
    snapshot->index = get64(bytes.at + 16);
    snapshot->time_ms = (int64_t)get64(bytes.at + 24);
    snapshot->server = get64(bytes.at + 32);
    return 0;
}

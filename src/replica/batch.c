#include "replica/batch.h"

#include "base/check.h"
#include "base/err.h"

enum { BATCH_VERSION = 1 };

static void put32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static void put64(unsigned char *at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get64(const unsigned char *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

size_t batch_size(size_t count, size_t sum)
{
    return (BATCH_HEADER + count * BATCH_PER_COMMAND + sum + 7) / 8 * 8;
}

void batch_begin(struct batch_writer *writer, void *room, size_t size, uint32_t count,
                 int64_t time_ms, uint64_t origin)
{
    CHECK(size >= BATCH_HEADER && size % 8 == 0);
    writer->at = room;
    writer->end = writer->at + size;
    put32(writer->at, BATCH_VERSION);
    put32(writer->at + 4, count);
    put64(writer->at + 8, (uint64_t)time_ms);
    put64(writer->at + 16, origin);
    writer->at += BATCH_HEADER;
}

void batch_put(struct batch_writer *writer, struct str command)
{
    CHECK((size_t)(writer->end - writer->at) >= BATCH_PER_COMMAND + command.len);
    put32(writer->at, (uint32_t)command.len);
    writer->at += BATCH_PER_COMMAND;
    if (command.len > 0)
        memcpy(writer->at, command.at, command.len);
    writer->at += command.len;
}

void batch_end(struct batch_writer *writer)
{
    CHECK(writer->end - writer->at < 8);
    memset(writer->at, 0, (size_t)(writer->end - writer->at));
}

/* Walks the commands once, so that batch_next need not check. */
static int lengths_add_up(const struct batch *batch)
{
    const unsigned char *at = batch->at;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->end - at < BATCH_PER_COMMAND)
            return ERR_DAMAGED;
        size_t len = get32(at);
        at += BATCH_PER_COMMAND;
        if ((size_t)(batch->end - at) < len)
            return ERR_DAMAGED;
        at += len;
    }
    if (batch->end - at >= 8)
        return ERR_DAMAGED;
    for (; at < batch->end; at++)
        if (*at != 0)
            return ERR_DAMAGED;
    return 0;
}

int batch_open(struct batch *batch, struct str entry)
{
    const unsigned char *at = (const unsigned char *)entry.at;
    if (entry.len < BATCH_HEADER || entry.len % 8 != 0)
        return ERR_INVALID;
    uint32_t version = get32(at);
    if (version == 0)
        return ERR_INVALID;
    if (version != BATCH_VERSION)
        return ERR_UNSUPPORTED;
    batch->count = batch->left = get32(at + 4);
    batch->time_ms = (int64_t)get64(at + 8);
    batch->origin = get64(at + 16);
    batch->at = at + BATCH_HEADER;
    batch->end = at + entry.len;
    return lengths_add_up(batch);
}

bool batch_next(struct batch *batch, struct str *command)
{
    if (batch->left == 0)
        return false;
    batch->left--;
    size_t len = get32(batch->at);
    *command = str_make(batch->at + BATCH_PER_COMMAND, len);
    batch->at += BATCH_PER_COMMAND + len;
    return true;
}

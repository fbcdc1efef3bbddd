#include "replica/readiness.h"

#include <stdio.h>

const char *const readiness_names[READINESS_COUNT] = {"hot", "warm", "cold"};
const char *const failback_names[FAILBACK_COUNT] = {"at-once", "idle", "never"};

struct server_readiness readiness_of(const struct readiness_table *table, uint64_t id)
{
    for (unsigned i = 0; i < table->count; i++)
        if (table->servers[i].id == id)
            return table->servers[i];
    return (struct server_readiness){.id = id, .kind = READINESS_HOT};
}

/* Where ID is, or would be. */
static unsigned place_of(const struct readiness_table *table, uint64_t id)
{
    unsigned at = 0;
    while (at < table->count && table->servers[at].id < id)
        at++;
    return at;
}

static void take_out(struct readiness_table *table, unsigned at)
{
    for (unsigned i = at; i + 1 < table->count; i++)
        table->servers[i] = table->servers[i + 1];
    table->count--;
}

int readiness_set(struct readiness_table *table, const struct server_readiness *server)
{
    unsigned at = place_of(table, server->id);
    bool there = at < table->count && table->servers[at].id == server->id;
    if (server->kind == READINESS_HOT) {
        if (there)
            take_out(table, at);
        return 0;
    }
    if (!there) {
        if (table->count == CLUSTER_SERVERS_MAX)
            return ERR_FULL;
        for (unsigned i = table->count++; i > at; i--)
            table->servers[i] = table->servers[i - 1];
    }
    table->servers[at] = *server;
    return 0;
}

bool readiness_same(const struct readiness_table *a, const struct readiness_table *b)
{
    if (a->count != b->count || a->failback != b->failback)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->servers[i].id != b->servers[i].id || a->servers[i].kind != b->servers[i].kind ||
            a->servers[i].every_ms != b->servers[i].every_ms)
            return false;
    return true;
}

/* ---- Words ---- */

static int name_in(const char *const *names, int count, struct str text)
{
    for (int i = 0; i < count; i++)
        if (str_eq(str_of(names[i]), text))
            return i;
    return -1;
}

int readiness_kind_read(struct str text, enum readiness *kind)
{
    int found = name_in(readiness_names, READINESS_COUNT, text);
    if (found < 0)
        return ERR_INVALID;
    *kind = (enum readiness)found;
    return 0;
}

int failback_read(struct str text, enum failback *failback)
{
    int found = name_in(failback_names, FAILBACK_COUNT, text);
    if (found < 0)
        return ERR_INVALID;
    *failback = (enum failback)found;
    return 0;
}

uint32_t readiness_usual_every_ms(enum readiness kind)
{
    return kind == READINESS_WARM   ? READINESS_WARM_EVERY_MS
           : kind == READINESS_COLD ? READINESS_COLD_EVERY_MS
                                    : 0;
}

char *readiness_write(const struct server_readiness *server, char out[READINESS_TEXT])
{
    snprintf(out, READINESS_TEXT, "%s %lu", readiness_names[server->kind],
             (unsigned long)server->every_ms);
    return out;
}

int readiness_read(struct str text, struct server_readiness *server)
{
    struct str word;
    uint64_t every;
    enum readiness kind;
    if (!str_cut(&text, ' ', &word) || readiness_kind_read(word, &kind) || text.at == NULL ||
        str_to_u64(text, &every))
        return ERR_INVALID;
    bool within = every >= READINESS_EVERY_MIN_MS && every <= READINESS_EVERY_MAX_MS;
    if (kind == READINESS_HOT ? every != 0 : !within)
        return ERR_INVALID;
    server->kind = kind;
    server->every_ms = (uint32_t)every;
    return 0;
}

/* ---- From server to server ---- */

void readiness_put(struct buf *out, const struct readiness_table *table)
{
    wire_put_u64(out, table->failback);
    wire_put_u64(out, table->count);
    for (unsigned i = 0; i < table->count; i++) {
        wire_put_u64(out, table->servers[i].id);
        wire_put_u64(out, table->servers[i].kind);
        wire_put_u64(out, table->servers[i].every_ms);
    }
}

void readiness_get(struct wire *in, struct readiness_table *table)
{
    *table =
        (struct readiness_table){.failback = (enum failback)wire_u64_max(in, FAILBACK_COUNT - 1)};
    unsigned count = (unsigned)wire_u64_max(in, CLUSTER_SERVERS_MAX);
    for (unsigned i = 0; i < count && !in->bad; i++) {
        struct server_readiness server = {.id = wire_u64(in)};
        server.kind = (enum readiness)wire_u64_max(in, READINESS_COUNT - 1);
        server.every_ms = (uint32_t)wire_u64_max(in, READINESS_EVERY_MAX_MS);
        if (!in->bad)
            readiness_set(table, &server);
    }
}

#include "main/join_words.h"

#include "base/wire.h"

void join_ask_encode(struct buf *out, const struct join_ask *ask)
{
    wire_put_raw(out, ask->secret, sizeof ask->secret);
    wire_put_str(out, ask->request);
    wire_put_str(out, ask->address);
}

int join_ask_decode(struct join_ask *ask, struct str payload)
{
    struct wire in = wire_of(payload);
    *ask = (struct join_ask){0};
    wire_raw(&in, ask->secret, sizeof ask->secret);
    ask->request = wire_str(&in);
    ask->address = wire_str(&in);
    bool bad =
        in.bad || wire_left(&in) || ask->address.len == 0 || ask->address.len >= SERVER_ADDRESS;
    /* It comes into our log and into other servers' files. */
    for (size_t i = 0; i < ask->address.len; i++)
        bad |= ask->address.at[i] <= ' ' || ask->address.at[i] > '~';
    return bad ? ERR_INVALID : 0;
}

void join_welcome_encode(struct buf *out, const struct join_welcome *welcome)
{
    wire_put_u64(out, welcome->id);
    wire_put_raw(out, welcome->cluster.bytes, sizeof welcome->cluster.bytes);
    wire_put_u64(out, welcome->generation);
    wire_put_str(out, welcome->name);
    wire_put_str(out, welcome->certificate);
    wire_put_str(out, welcome->authority);
    wire_put_str(out, welcome->authority_key);
    wire_put_str(out, welcome->secret);
    wire_put_str(out, welcome->operator_token);
    wire_put_str(out, welcome->book);
}

int join_welcome_decode(struct join_welcome *welcome, struct str payload)
{
    struct wire in = wire_of(payload);
    *welcome = (struct join_welcome){.id = wire_u64(&in)};
    wire_raw(&in, welcome->cluster.bytes, sizeof welcome->cluster.bytes);
    welcome->generation = wire_u64(&in);
    welcome->name = wire_str(&in);
    welcome->certificate = wire_str(&in);
    welcome->authority = wire_str(&in);
    welcome->authority_key = wire_str(&in);
    welcome->secret = wire_str(&in);
    welcome->operator_token = wire_str(&in);
    welcome->book = wire_str(&in);
    unsigned secrets = 0U + (welcome->authority_key.len > 0) + (welcome->secret.len > 0) +
                       (welcome->operator_token.len > 0);
    bool some = secrets != 0 && secrets != 3;
    return in.bad || some || wire_left(&in) || welcome->id == 0 ? ERR_INVALID : 0;
}

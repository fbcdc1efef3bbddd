#include "tier/bridge_call.h"

enum { ROOM_PARTS = 4 };

bool bridge_call_piece(const struct bridge_call *call, const struct pipe *out, bool ended,
                       struct bridge_message *message)
{
    struct iovec pieces[2] = {{NULL, 0}};
    unsigned count = pipe_peek(out, pieces);
    size_t len = count > 0 ? pieces[0].iov_len : 0;
    if (len > BRIDGE_PIECE)
        len = BRIDGE_PIECE;
    if (len > call->credit)
        len = (size_t)call->credit;
    message->id = call->id;
    message->bytes = str_make(pieces[0].iov_base, len);
    message->end = ended && (count == 0 || (count == 1 && len == pieces[0].iov_len));
    return len > 0 || message->end;
}

void bridge_call_send(struct bridge_call *call, struct bridge_link *link, struct pipe *out,
                      const struct bridge_message *message)
{
    bridge_link_send(link, message);
    pipe_take(out, message->bytes.len);
    call->credit -= message->bytes.len;
}

void bridge_call_tell_room(struct bridge_call *call, struct bridge_link *link,
                           const struct pipe *in)
{
    uint64_t taken = pipe_taken(in);
    if (pipe_has_ended(in) || taken - call->told < in->size / ROOM_PARTS)
        return;
    bridge_link_send(link, &(struct bridge_message){.kind = BRIDGE_ROOM,
                                                    .id = call->id,
                                                    .count = (uint32_t)(taken - call->told)});
    call->told = taken;
}

#include "replica/greet.h"

static int send_hello(struct channel *channel, const struct hello *hello, uint64_t deadline_ns)
{
    struct buf out;
    buf_init(&out, HELLO_MAX);
    hello_encode(&out, hello);
    int err =
        out.failed ? ERR_FULL : channel_send(channel, FRAME_HELLO, buf_text(&out), deadline_ns);
    buf_close(&out);
    return err;
}

static int refused(const struct channel *channel, struct str payload, enum refusal *refusal,
                   struct failure *failure)
{
    char sentence[REFUSAL_TEXT];
    if (refusal_decode(payload, refusal, sentence, sizeof sentence) != ERR_OK)
        return fail(failure, ERR_INVALID, "%s refuses us in a way that cannot be read",
                    channel->where);
    return fail(failure, ERR_DENIED, "%s refuses us: %s", channel->where, sentence);
}

static int check_answer(const struct channel *channel, const struct hello *hello,
                        const struct hello *answer, struct failure *failure)
{
    char name[SERVER_NAME];
    if (strcmp(channel->peer, server_name(answer->place.id, name)) != 0)
        return fail(failure, ERR_CONFLICT, "%s says that it is %s, and its certificate says %s",
                    channel->where, name, channel->peer[0] ? channel->peer : "nothing");
    if (!id_eq(answer->cluster, hello->cluster))
        return fail(failure, ERR_CONFLICT, "%s belongs to another cluster", channel->where);
    if (answer->generation != hello->generation && hello->purpose != HELLO_JOIN)
        return fail(failure, ERR_CONFLICT,
                    "%s belongs to generation %llu of the cluster, this server to %llu (one of "
                    "them was recovered without the other)",
                    channel->where, (unsigned long long)answer->generation,
                    (unsigned long long)hello->generation);
    return ERR_OK;
}

int greet(struct channel *channel, const struct hello *hello, struct hello *answer,
          enum refusal *refusal, uint64_t deadline_ns, struct failure *failure)
{
    struct frame frame;
    *refusal = (enum refusal)0;
    int err = send_hello(channel, hello, deadline_ns);
    size_t frame_max = channel->frame_max;
    channel->frame_max = HELLO_MAX;
    /* Also when it was closed before we could speak: TLS 1.3 tells only then why. */
    if (!err || err == ERR_CLOSED)
        err = channel_receive(channel, &frame, deadline_ns);
    channel->frame_max = frame_max;
    if (err == ERR_DENIED)
        return fail(failure, err, "%s does not believe our certificate: %s", channel->where,
                    tls_problem(channel->tls));
    if (err)
        return fail(failure, err, "%s has not answered: %s", channel->where, err_sentence(err));
    if (frame.kind == FRAME_REFUSED)
        return refused(channel, frame.payload, refusal, failure);
    err = frame.kind == FRAME_HELLO ? hello_decode(answer, frame.payload) : ERR_INVALID;
    if (!err && answer->place.id == 0)
        err = ERR_INVALID;
    if (err)
        return fail(failure, err, "%s speaks another protocol, or another version of it",
                    channel->where);
    return check_answer(channel, hello, answer, failure);
}

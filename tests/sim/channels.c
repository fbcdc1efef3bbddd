/* What is linked in the place of net/channel.c: connections between servers that are used by
 * blocking calls, over simulated wires. A frame is a piece. And poll(), which waits beside them. */
#include "channels.h"

#include "base/check.h"
#include "base/clock.h"
#include "doors.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROOM_BYTES = 512 * 1024, /* on their way; more has to wait */
    LOOK_MS = 20,            /* how often an interrupt is looked at */
    NAME_BYTES = 32,
};

struct come {
    struct come *next;
    uint8_t kind;
    size_t len;
    char bytes[];
};

/* What an end of a wire has received; the context of its listening. */
struct inbox {
    struct come *first, **last;
    struct come *lent; /* the frame that was given out */
    bool ended, sent_in_vain;
};

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms);
int __real_poll(struct pollfd *polled, nfds_t count, int timeout_ms);

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms)
{
    uint64_t until =
        timeout_ms < 0 ? UINT64_MAX : world.now_ns + (uint64_t)timeout_ms * (uint64_t)MS_NS;
    if (fiber_current() == NULL)
        return __real_poll(polled, count, timeout_ms);
    for (;;) {
        int ready = count == 0 ? 0 : __real_poll(polled, count, 0);
        if (ready != 0 || world.now_ns >= until)
            return ready;
        uint64_t look = world.now_ns + LOOK_MS * MS_NS;
        fiber_wait(&look, look < until ? look : until);
    }
}

/* ---- Waiting ---- */

static bool interrupted(const struct channel *channel)
{
    struct pollfd interrupt = {.fd = channel->interrupt, .events = POLLIN};
    return channel->interrupt >= 0 && __real_poll(&interrupt, 1, 0) > 0;
}

/* Until something may have changed: 0, ERR_CLOSED (interrupted), ERR_TIMEOUT. */
static int wait_on(const struct channel *channel, const void *object, uint64_t deadline_ns)
{
    if (interrupted(channel))
        return ERR_CLOSED;
    uint64_t now = clock_mono_ns();
    if (now >= deadline_ns)
        return ERR_TIMEOUT;
    uint64_t left = deadline_ns - now;
    fiber_wait(object, world.now_ns + (left < LOOK_MS * MS_NS ? left : LOOK_MS * MS_NS));
    return interrupted(channel) ? ERR_CLOSED : 0;
}

static void piece_received(void *context, uint8_t kind, struct str piece)
{
    struct inbox *inbox = context;
    struct come *come = malloc(sizeof *come + piece.len);
    CHECK(come != NULL);
    *come = (struct come){.kind = kind, .len = piece.len};
    if (piece.len > 0)
        memcpy(come->bytes, piece.at, piece.len);
    *inbox->last = come;
    inbox->last = &come->next;
    fiber_wake(inbox, true);
}

static void wire_broken(void *context, const char *why)
{
    struct inbox *inbox = context;
    (void)why;
    inbox->ended = true;
    fiber_wake(inbox, true);
}

static struct inbox *inbox_of(const struct channel *channel)
{
    return wire_end_of(channel->fd)->context;
}

/* ---- Opening and closing ---- */

static void open_on(struct channel *channel, int number, int interrupt)
{
    struct inbox *inbox = calloc(1, sizeof *inbox);
    CHECK(inbox != NULL);
    inbox->last = &inbox->first;
    memset(channel, 0, sizeof *channel);
    channel->fd = number;
    channel->interrupt = interrupt;
    channel->frame_max = FRAME_PAYLOAD_MAX;
    buf_init(&channel->in, 1);
    wire_listen(wire_end_of(number), inbox, piece_received, wire_broken);
}

void channels_accept(struct channel *channel, int number, int interrupt)
{
    open_on(channel, number, interrupt);
}

int channel_connect(struct channel *channel, const char *address, struct tls_context *context,
                    int interrupt, uint64_t deadline_ns, struct failure *failure)
{
    unsigned to;
    (void)context;
    if (sscanf(address, "server-%u", &to) != 1 || to == 0)
        return fail(failure, ERR_INVALID, "\"%s\" is no address", address);
    unsigned from = fiber_life(fiber_current())->server;
    uint64_t now = clock_mono_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
    uint64_t most = CHANNEL_CONNECT_MS * MS_NS;
    switch (network_reach(from, to - 1, left < most ? left : most)) {
    case NETWORK_TIMED_OUT:
        return fail(failure, ERR_TIMEOUT, "%s: no answer", address);
    case NETWORK_REFUSED:
        return fail(failure, ERR_CLOSED, "%s: nobody listens", address);
    case NETWORK_REACHED:
        break;
    }
    struct wire *wire = wire_new(from, to - 1);
    if (!doors_visit(to - 1, wire)) {
        wire_close(wire_end_of(wire_number(wire, 0)));
        return fail(failure, ERR_CLOSED, "%s: nobody listens", address);
    }
    open_on(channel, wire_number(wire, 0), interrupt);
    snprintf(channel->peer, sizeof channel->peer, "server-%u", to);
    snprintf(channel->where, sizeof channel->where, "server-%u", to);
    return 0;
}

void channel_close(struct channel *channel)
{
    wire_close(wire_end_of(channel->fd));
}

void channel_finish(struct channel *channel, uint64_t deadline_ns)
{
    struct inbox *inbox = inbox_of(channel);
    wire_close(wire_end_of(channel->fd));
    while (!inbox->ended && wire_waiting(wire_end_of(channel->fd)) > 0 &&
           wait_on(channel, inbox, deadline_ns) == 0)
        ;
}

/* ---- Frames ---- */

int channel_send(struct channel *channel, uint8_t kind, struct str payload, uint64_t deadline_ns)
{
    struct wire_end *end = wire_end_of(channel->fd);
    struct inbox *inbox = inbox_of(channel);
    while (!inbox->ended && wire_waiting(end) > ROOM_BYTES) {
        int err = wait_on(channel, end, deadline_ns);
        if (err != 0)
            return err;
    }
    /* The kernel takes what is sent to one who has closed; that it was in vain shows later. */
    if (inbox->ended && inbox->sent_in_vain)
        return ERR_IO;
    inbox->sent_in_vain = inbox->ended;
    if (!inbox->ended)
        wire_send(end, kind, payload);
    return interrupted(channel) ? ERR_CLOSED : 0;
}

int channel_receive(struct channel *channel, struct frame *frame, uint64_t deadline_ns)
{
    struct inbox *inbox = inbox_of(channel);
    while (inbox->first == NULL) {
        if (inbox->ended)
            return ERR_CLOSED;
        int err = wait_on(channel, inbox, deadline_ns);
        if (err != 0)
            return err;
    }
    struct come *come = inbox->first;
    inbox->first = come->next;
    if (inbox->first == NULL)
        inbox->last = &inbox->first;
    free(inbox->lent);
    inbox->lent = come;
    *frame = (struct frame){.kind = come->kind, .payload = str_make(come->bytes, come->len)};
    return come->len > channel->frame_max ? ERR_INVALID : 0;
}

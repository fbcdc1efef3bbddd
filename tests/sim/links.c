/* What is linked in the place of replica/link.c: a link over a simulated wire. Frames are pieces;
 * TLS is left out. */
#include "base/check.h"
#include "base/clock.h"
#include "loop.h"
#include "network.h"
#include "replica/link.h"

#include <stdlib.h>

struct outgoing {
    struct outgoing *next;
    uint8_t kind;
    size_t len;
    char bytes[];
};

struct link {
    struct link_config config;
    struct wire_end *end;
    struct buf payload; /* of the frame that is being written */
    uint8_t kind;
    struct outgoing *first, **last;
    size_t gathered;
    bool closed, told;
    uint64_t heard_ns;
};

/* Something for the loop's own fiber. */
struct notice {
    struct link *link;
    const char *why; /* NULL: a frame came */
    uint8_t kind;
    size_t len;
    char bytes[];
};

static void deliver(void *argument)
{
    struct notice *notice = argument;
    struct link *link = notice->link;
    if (!link->closed && notice->why != NULL && !link->told) {
        link->told = true;
        link->config.broken(link->config.context, link, notice->why);
    } else if (!link->closed && notice->why == NULL) {
        link->heard_ns = clock_mono_ns();
        link->config.received(link->config.context, link, notice->kind,
                              str_make(notice->bytes, notice->len));
    }
    free(notice);
}

static void notify(struct link *link, const char *why, uint8_t kind, struct str bytes)
{
    struct notice *notice = malloc(sizeof *notice + bytes.len);
    CHECK(notice != NULL);
    *notice = (struct notice){.link = link, .why = why, .kind = kind, .len = bytes.len};
    if (bytes.len > 0)
        memcpy(notice->bytes, bytes.at, bytes.len);
    loop_post(link->config.loop, deliver, notice);
}

static void end_received(void *context, uint8_t kind, struct str piece)
{
    notify(context, NULL, kind, piece);
}

static void end_broken(void *context, const char *why)
{
    notify(context, why, 0, STR_NONE);
}

struct link *link_open(const struct link_config *config, int fd, struct tls *tls, struct buf *rest)
{
    struct link *link = calloc(1, sizeof *link);
    CHECK(link != NULL && tls == NULL && rest->len == 0);
    link->config = *config;
    link->end = wire_end_of(fd);
    link->last = &link->first;
    link->heard_ns = clock_mono_ns();
    buf_init(&link->payload, FRAME_PAYLOAD_MAX);
    CHECK(link->end != NULL);
    wire_listen(link->end, link, end_received, end_broken);
    return link;
}

void link_close(struct link *link)
{
    link->closed = true; /* its memory stays, notices are on their way */
    wire_close(link->end);
}

struct buf *link_begin(struct link *link, uint8_t kind)
{
    buf_clear(&link->payload);
    link->kind = kind;
    return &link->payload;
}

int link_end(struct link *link)
{
    struct str payload = buf_text(&link->payload);
    if (link->payload.failed || link_waiting(link) + payload.len > link->config.output_max)
        return ERR_FULL;
    struct outgoing *frame = malloc(sizeof *frame + payload.len);
    CHECK(frame != NULL);
    *frame = (struct outgoing){.kind = link->kind, .len = payload.len};
    if (payload.len > 0)
        memcpy(frame->bytes, payload.at, payload.len);
    *link->last = frame;
    link->last = &frame->next;
    link->gathered += payload.len;
    return 0;
}

int link_send(struct link *link, uint8_t kind, struct str payload)
{
    buf_str(link_begin(link, kind), payload);
    return link_end(link);
}

void link_flush(struct link *link)
{
    while (link->first != NULL) {
        struct outgoing *frame = link->first;
        link->first = frame->next;
        wire_send(link->end, frame->kind, str_make(frame->bytes, frame->len));
        free(frame);
    }
    link->last = &link->first;
    link->gathered = 0;
}

/* The kernel takes what is flushed. */
size_t link_waiting(const struct link *link)
{
    return link->gathered;
}

uint64_t link_heard_ns(const struct link *link)
{
    return link->heard_ns;
}

uint64_t link_moved_ns(const struct link *link)
{
    (void)link;
    return clock_mono_ns();
}

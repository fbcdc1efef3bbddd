#include "tier/bridge_frame.h"

#include "base/wire.h"

#include <string.h>

/* Parts of a payload, in this order. */
enum {
    VERSION = 1 << 0,
    KEY = 1 << 1,
    SELF = 1 << 2,
    WINDOW = 1 << 3,
    ID = 1 << 4,
    COUNT = 1 << 5,
    FACTS = 1 << 6,
    WHY = 1 << 7,
    WORK = 1 << 8,
    REPORT = 1 << 9,
    END = 1 << 10,
    BYTES = 1 << 11,
};

static const unsigned parts_of[BRIDGE_KINDS] = {
    [BRIDGE_HELLO] = VERSION | KEY | SELF | WINDOW,
    [BRIDGE_WELCOME] = VERSION | WINDOW,
    [BRIDGE_DENIED] = BYTES,
    [BRIDGE_PULL] = COUNT,
    [BRIDGE_REQUEST] = ID | FACTS | END | BYTES,
    [BRIDGE_MORE] = ID | END | BYTES,
    [BRIDGE_ANSWER] = ID | WORK | END | BYTES,
    [BRIDGE_ROOM] = ID | COUNT,
    [BRIDGE_GONE] = ID | WHY,
    [BRIDGE_PING] = REPORT,
};

static void put_facts(struct buf *out, const struct bridge_message *message)
{
    wire_put_u64(out, message->class);
    wire_put_bool(out, message->tls);
    wire_put_u64(out, message->left_ns);
    wire_put_u64(out, message->age_ns);
    wire_put_str(out, message->peer);
}

static void put_report(struct buf *out, const struct bridge_message *message)
{
    const struct queue_report *report = &message->report;
    wire_put_u64(out, report->loop_ns);
    wire_put_u64(out, report->helper_ns);
    wire_put_u64(out, report->helpers);
    wire_put_bool(out, report->draining);
    for (unsigned i = 0; i < QUEUE_COUNTS; i++)
        wire_put_u64(out, report->counts[i]);
    wire_put_u64(out, message->stamp);
    wire_put_u64(out, message->echo);
    wire_put_u64(out, message->held_ns);
}

static void put_greeting(struct buf *out, const struct bridge_message *message, unsigned parts)
{
    if (parts & VERSION)
        wire_put_u64(out, message->version);
    if (parts & KEY)
        wire_put_raw(out, message->key, sizeof message->key);
    if (parts & SELF) {
        wire_put_u64(out, message->pid);
        wire_put_u64(out, message->number);
        wire_put_bool(out, message->works);
    }
    if (parts & WINDOW)
        wire_put_u64(out, message->window);
}

void bridge_put(struct buf *out, const struct bridge_message *message)
{
    unsigned parts = parts_of[message->kind];
    put_greeting(out, message, parts);
    if (parts & ID)
        wire_put_u64(out, message->id);
    if (parts & COUNT)
        wire_put_u64(out, message->count);
    if (parts & FACTS)
        put_facts(out, message);
    if (parts & WHY)
        wire_put_u64(out, message->why);
    if (parts & WORK)
        wire_put_u64(out, message->work_ns);
    if (parts & REPORT)
        put_report(out, message);
    if (parts & END)
        wire_put_bool(out, message->end);
    if (parts & BYTES)
        wire_put_str(out, message->bytes);
}

static void read_facts(struct wire *in, struct bridge_message *message)
{
    message->class = (enum share_class)wire_u64_max(in, SHARE_CLASSES - 1);
    message->tls = wire_bool(in);
    message->left_ns = wire_u64(in);
    message->age_ns = wire_u64(in);
    message->peer = wire_str(in);
    in->bad |= message->peer.len >= QUEUE_PEER;
}

static void read_report(struct wire *in, struct bridge_message *message)
{
    struct queue_report *report = &message->report;
    report->loop_ns = wire_u64(in);
    report->helper_ns = wire_u64(in);
    report->helpers = (uint32_t)wire_u64_max(in, UINT32_MAX);
    report->draining = wire_bool(in);
    for (unsigned i = 0; i < QUEUE_COUNTS; i++)
        report->counts[i] = wire_u64(in);
    message->stamp = wire_u64(in);
    message->echo = wire_u64(in);
    message->held_ns = wire_u64(in);
}

static void read_greeting(struct wire *in, struct bridge_message *message, unsigned parts)
{
    if (parts & KEY)
        wire_raw(in, message->key, sizeof message->key);
    if (parts & SELF) {
        message->pid = (uint32_t)wire_u64_max(in, UINT32_MAX);
        message->number = (uint32_t)wire_u64_max(in, UINT32_MAX);
        message->works = wire_bool(in);
    }
    if (parts & WINDOW)
        message->window = (uint32_t)wire_u64_max(in, BRIDGE_WINDOW_MAX);
}

static void read_parts(struct wire *in, struct bridge_message *message, unsigned parts)
{
    read_greeting(in, message, parts);
    if (parts & ID)
        message->id = wire_u64(in);
    if (parts & COUNT)
        message->count = (uint32_t)wire_u64_max(in, BRIDGE_WINDOW_MAX);
    if (parts & FACTS)
        read_facts(in, message);
    if (parts & WHY)
        message->why = (enum bridge_why)wire_u64_max(in, BRIDGE_WHYS - 1);
    if (parts & WORK)
        message->work_ns = wire_u64(in);
    if (parts & REPORT)
        read_report(in, message);
    if (parts & END)
        message->end = wire_bool(in);
    if (parts & BYTES)
        message->bytes = wire_str(in);
}

int bridge_read(uint8_t kind, struct str payload, struct bridge_message *message)
{
    memset(message, 0, sizeof *message);
    if (kind == 0 || kind >= BRIDGE_KINDS)
        return ERR_INVALID;
    struct wire in = wire_of(payload);
    message->kind = (enum bridge_kind)kind;
    if (parts_of[kind] & VERSION) {
        message->version = wire_u64(&in);
        if (!in.bad && message->version != BRIDGE_VERSION)
            return ERR_UNSUPPORTED;
    }
    read_parts(&in, message, parts_of[kind]);
    bool fits = !in.bad && wire_left(&in) == 0 && message->bytes.len <= BRIDGE_PIECE;
    return fits ? 0 : ERR_INVALID;
}

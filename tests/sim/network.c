#include "network.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    MACHINES = 16,
    FIRST_NUMBER = 1 << 20, /* no descriptor of the real system */
    PATIENCE_MS = 2000,     /* TCP_USER_TIMEOUT */
    END = 0,                /* the kind of the last piece */
};

struct piece {
    struct piece *next;
    uint8_t kind;
    uint64_t sent_ns, due_ns;
    size_t len;
    char bytes[];
};

struct way {
    struct piece *first, **last;
    uint64_t last_due_ns;
    size_t waiting;
    bool ended; /* an END is in it: nothing more */
};

struct wire {
    struct wire *next;
    unsigned number;
    unsigned machine[2];
    struct life *life[2];
    struct wire_end ends[2];
    struct way ways[2]; /* [SIDE]: what that side sends */
    bool gone[2];       /* the side closed, broke or died: it hears nothing more */
    bool silent[2];     /* it died without a word */
};

struct machine {
    struct life *life;
    bool off;
    unsigned slow;
    bool cut[MACHINES]; /* to these */
};

static struct machine machines[MACHINES];
static struct wire *wires;
static unsigned last_number;

static uint64_t latency(unsigned from)
{
    unsigned slow = machines[from].slow > 0 ? machines[from].slow : 1;
    uint64_t ns = world_one_in(300) ? world_between(2, 40) * MS_NS : world_between(40, 900) * 1000;
    return ns * slow;
}

bool network_is_cut(unsigned from, unsigned to)
{
    return machines[from].cut[to];
}

void network_slow(unsigned server, unsigned factor)
{
    machines[server].slow = factor;
}

/* ---- Breaking ---- */

struct breaking {
    struct wire_end *end;
    const char *why;
};

static struct piece *take_first(struct way *way)
{
    struct piece *piece = way->first;
    way->first = piece->next;
    if (way->first == NULL)
        way->last = &way->first;
    way->waiting -= piece->len;
    return piece;
}

static void drop_pieces(struct way *way)
{
    while (way->first != NULL)
        free(take_first(way));
}

static void tell_broken(struct wire_end *end, const char *why)
{
    struct wire *wire = end->wire;
    if (wire->gone[end->side] || end->context == NULL)
        return;
    wire->gone[end->side] = true;
    drop_pieces(&wire->ways[end->side]);
    end->broken(end->context, why);
}

static void break_now(void *argument)
{
    struct breaking breaking = *(struct breaking *)argument;
    free(argument);
    tell_broken(breaking.end, breaking.why);
}

static void break_after(struct wire_end *end, uint64_t delay_ns, const char *why)
{
    struct breaking *breaking = malloc(sizeof *breaking);
    CHECK(breaking != NULL);
    *breaking = (struct breaking){end, why};
    world_after(delay_ns, end->wire->life[end->side], break_now, breaking);
}

/* ---- Arriving ---- */

static void send_piece(struct wire *wire, unsigned side, uint8_t kind, struct str bytes);
static void arrive(void *argument);

static void arrive_after(struct wire_end *sender, uint64_t delay_ns)
{
    world_after(delay_ns, NULL, arrive, sender);
}

/* The pieces of SENDER's side that are due arrive, if the way is whole. */
static void arrive(void *argument)
{
    struct wire_end *sender = argument;
    struct wire *wire = sender->wire;
    unsigned side = sender->side, other = 1 - side;
    struct way *way = &wire->ways[side];
    struct wire_end *receiver = &wire->ends[other];
    while (way->first != NULL && way->first->due_ns <= world.now_ns) {
        struct piece *piece = way->first;
        bool cut = machines[wire->machine[side]].cut[wire->machine[other]] ||
                   machines[wire->machine[other]].off;
        if (cut) {
            uint64_t until = piece->sent_ns + PATIENCE_MS * MS_NS;
            if (world.now_ns >= until) {
                tell_broken(sender, "nothing is acknowledged");
                drop_pieces(way);
            } else {
                /* TCP tries again, at longer and longer intervals. */
                uint64_t waited = world.now_ns - piece->sent_ns;
                uint64_t again = (waited < 20 * MS_NS ? 20 * MS_NS : waited) / 2;
                piece->due_ns = world.now_ns + again < until ? world.now_ns + again : until;
                arrive_after(sender, piece->due_ns - world.now_ns);
            }
            return;
        }
        if (wire->gone[other]) { /* who is not there any more says so */
            drop_pieces(way);
            break_after(sender, latency(wire->machine[other]), "reset by the other side");
            return;
        }
        if (receiver->context == NULL)
            return; /* wire_listen goes on */
        take_first(way);
        if (piece->kind == END)
            tell_broken(receiver, "closed by the other side");
        else
            receiver->received(receiver->context, piece->kind, str_make(piece->bytes, piece->len));
        free(piece);
    }
    if (way->first != NULL)
        arrive_after(sender, way->first->due_ns - world.now_ns);
}

/* SIDE ends without ever having listened: what has come for it is gone, and what comes after that
 * meets nobody, instead of waiting for wire_listen. */
static void drop_untaken(struct wire *wire, unsigned side)
{
    struct way *way = &wire->ways[1 - side];
    if (wire->ends[side].context != NULL)
        return;
    while (way->first != NULL && way->first->due_ns <= world.now_ns)
        free(take_first(way));
    if (way->first != NULL)
        arrive_after(&wire->ends[1 - side], way->first->due_ns - world.now_ns);
}

static void send_piece(struct wire *wire, unsigned side, uint8_t kind, struct str bytes)
{
    struct way *way = &wire->ways[side];
    struct piece *piece = malloc(sizeof *piece + bytes.len);
    CHECK(piece != NULL);
    if (way->ended) {
        free(piece);
        return;
    }
    uint64_t due = world.now_ns + latency(wire->machine[side]);
    if (due < way->last_due_ns)
        due = way->last_due_ns;
    *piece = (struct piece){.kind = kind, .sent_ns = world.now_ns, .due_ns = due, .len = bytes.len};
    if (bytes.len > 0)
        memcpy(piece->bytes, bytes.at, bytes.len);
    way->last_due_ns = due;
    way->waiting += bytes.len;
    way->ended = kind == END;
    bool first = way->first == NULL;
    *way->last = piece;
    way->last = &piece->next;
    if (first)
        arrive_after(&wire->ends[side], due - world.now_ns);
}

/* ---- Faults ---- */

void network_cut(unsigned from, unsigned to, bool cut)
{
    machines[from].cut[to] = cut;
}

void network_reset(unsigned a, unsigned b)
{
    for (struct wire *wire = wires; wire != NULL; wire = wire->next) {
        bool between = (wire->machine[0] == a && wire->machine[1] == b) ||
                       (wire->machine[0] == b && wire->machine[1] == a);
        for (unsigned side = 0; between && side < 2; side++) {
            drop_pieces(&wire->ways[side]);
            wire->ways[side].ended = true;
            if (!wire->gone[side])
                break_after(&wire->ends[side], latency(a), "reset");
        }
    }
}

static void die(struct wire *wire, unsigned side, bool silently)
{
    if (wire->gone[side])
        return;
    wire->gone[side] = true;
    wire->silent[side] = silently;
    drop_untaken(wire, side);
    struct way *way = &wire->ways[side];
    if (silently) {
        drop_pieces(way);
        way->ended = true;
        return;
    }
    /* The kernel sends what it has, or a reset overtakes it. */
    if (world_one_in(2))
        drop_pieces(way);
    send_piece(wire, side, END, STR_NONE);
}

void network_life(unsigned server, struct life *life, bool silently)
{
    struct machine *machine = &machines[server];
    if (life == NULL)
        for (struct wire *wire = wires; wire != NULL; wire = wire->next)
            for (unsigned side = 0; side < 2; side++)
                if (wire->machine[side] == server && wire->life[side] == machine->life)
                    die(wire, side, silently);
    machine->life = life;
    machine->off = life == NULL && silently;
}

enum network_reached network_reach(unsigned from, unsigned to, uint64_t timeout_ns)
{
    uint64_t until = world.now_ns + timeout_ns;
    uint64_t back = world.now_ns + latency(from) + latency(to);
    fiber_wait(&back, back);
    while (machines[from].cut[to] || machines[to].cut[from] || machines[to].off) {
        if (world.now_ns >= until)
            return NETWORK_TIMED_OUT;
        fiber_wait(&back, world.now_ns + 100 * MS_NS);
    }
    return machines[to].life != NULL ? NETWORK_REACHED : NETWORK_REFUSED;
}

/* ---- Wires ---- */

struct wire *wire_new(unsigned from, unsigned to)
{
    struct wire *wire = calloc(1, sizeof *wire);
    CHECK(wire != NULL);
    wire->number = last_number++;
    wire->machine[0] = from;
    wire->machine[1] = to;
    for (unsigned side = 0; side < 2; side++) {
        wire->life[side] = machines[wire->machine[side]].life;
        wire->ends[side] = (struct wire_end){.wire = wire, .side = side};
        wire->ways[side].last = &wire->ways[side].first;
    }
    wire->next = wires;
    wires = wire;
    return wire;
}

int wire_number(const struct wire *wire, unsigned side)
{
    return (int)(FIRST_NUMBER + wire->number * 2 + side);
}

struct wire_end *wire_end_of(int number)
{
    unsigned wanted = (unsigned)number - FIRST_NUMBER;
    for (struct wire *wire = wires; wire != NULL && number >= FIRST_NUMBER; wire = wire->next)
        if (wire->number == wanted / 2)
            return &wire->ends[wanted % 2];
    return NULL;
}

void wire_listen(struct wire_end *end, void *context,
                 void (*received)(void *context, uint8_t kind, struct str piece),
                 void (*broken)(void *context, const char *why))
{
    end->context = context;
    end->received = received;
    end->broken = broken;
    struct wire *wire = end->wire;
    if (wire->ways[1 - end->side].first != NULL)
        arrive_after(&wire->ends[1 - end->side], 0);
    if (wire->ways[1 - end->side].ended && wire->ways[1 - end->side].first == NULL &&
        !wire->silent[1 - end->side])
        break_after(end, 0, "closed by the other side");
}

void wire_send(struct wire_end *end, uint8_t kind, struct str piece)
{
    if (!end->wire->gone[end->side])
        send_piece(end->wire, end->side, kind, piece);
}

size_t wire_waiting(const struct wire_end *end)
{
    return end->wire->ways[end->side].waiting;
}

uint64_t wire_waits_since_ns(const struct wire_end *end)
{
    const struct piece *piece = end->wire->ways[end->side].first;
    return piece != NULL ? piece->sent_ns : world.now_ns;
}

void wire_close(struct wire_end *end)
{
    struct wire *wire = end->wire;
    if (wire->gone[end->side])
        return;
    wire->gone[end->side] = true;
    drop_untaken(wire, end->side);
    send_piece(wire, end->side, END, STR_NONE);
}

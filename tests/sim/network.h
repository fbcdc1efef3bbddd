/* Network: simulated connections between servers, as TCP makes them.
 *
 * A wire is one connection; it has two ends. In each direction pieces arrive whole, in order, and
 * some time after they were sent. Where the way is cut, in one direction or both, pieces wait, as
 * TCP sends them again: they arrive a little after it is whole, unless one has waited too long and
 * the sender's end breaks. The end of a wire arrives behind the last piece, or instead of the last
 * pieces (a reset). An end that hears nothing learns nothing.
 *
 *   a process is killed    its kernel says so: the other ends break soon
 *   a power cut            nobody says anything; what is sent later is never acknowledged, or
 *                          refused once the machine is up again
 */
#ifndef STOA_SIM_NETWORK_H
#define STOA_SIM_NETWORK_H

#include "base/str.h"
#include "world.h"

#include <uv.h>

struct wire;

/* What an end hears; on the scheduler. */
struct wire_end {
    struct wire *wire;
    unsigned side; /* 0: it connected; 1: it was connected to */
    void *context; /* NULL: nobody listens yet; what comes waits */
    void (*received)(void *context, uint8_t kind, struct str piece);
    void (*broken)(void *context, const char *why);
};

/* Servers by their number, from 0. Between FROM and TO, in that direction alone. */
void network_cut(unsigned from, unsigned to, bool cut);
bool network_is_cut(unsigned from, unsigned to);
/* All wires between A and B are reset; what is under way is lost. */
void network_reset(unsigned a, unsigned b);
/* What SERVER sends takes FACTOR times as long. */
void network_slow(unsigned server, unsigned factor);

/* SERVER has another life now (NULL: none). SILENTLY: its machine has no power. */
void network_life(unsigned server, struct life *life, bool silently);

enum network_reached { NETWORK_REACHED, NETWORK_REFUSED, NETWORK_TIMED_OUT };
/* On a fiber: whether a packet from FROM reaches TO's machine and comes back; REFUSED: nobody
 * lives there. Takes the time that it takes, or TIMEOUT_NS. */
enum network_reached network_reach(unsigned from, unsigned to, uint64_t timeout_ns);

/* A wire from the running fiber's server to the server TO, which was reached. The number is what
 * the program has as its descriptor. */
struct wire *wire_new(unsigned from, unsigned to);
int wire_number(const struct wire *wire, unsigned side);
/* The end that has NUMBER; NULL: none. */
struct wire_end *wire_end_of(int number);
/* Somebody listens at END now. */
void wire_listen(struct wire_end *end, void *context,
                 void (*received)(void *context, uint8_t kind, struct str piece),
                 void (*broken)(void *context, const char *why));
void wire_send(struct wire_end *end, uint8_t kind, struct str piece);
/* Bytes sent by END that have not arrived. */
size_t wire_waiting(const struct wire_end *end);
/* When the oldest of them was sent; now, when there is none. */
uint64_t wire_waits_since_ns(const struct wire_end *end);
void wire_close(struct wire_end *end);

#endif

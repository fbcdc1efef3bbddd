#include "tier/bridge_ping.h"

#include "base/clock.h"

enum {
    WINDOW_S = 5,
    COUNTED_MS = 250,
    TURN_US = 500, /* until a loop that has other things to do has taken what came; with less, a
                      worker of pages that take microseconds falls asleep between two of them */
};

void bridge_ping_fill(const struct bridge_ping *ping, uint64_t now_ns,
                      struct bridge_message *message)
{
    message->stamp = now_ns;
    message->echo = ping->stamp;
    message->held_ns = now_ns > ping->heard_ns ? now_ns - ping->heard_ns : 0;
}

/* ---- The way ---- */

static void measure(struct bridge_ping *ping, uint64_t now_ns, uint64_t way_ns)
{
    if (now_ns - ping->window_ns > WINDOW_S * SEC_NS) {
        ping->window_ns = now_ns;
        ping->least_ns[1] = ping->least_ns[0];
        ping->least_ns[0] = 0;
    }
    if (ping->least_ns[0] == 0 || way_ns < ping->least_ns[0])
        ping->least_ns[0] = way_ns;
}

/* The other end may say anything: what cannot be is not believed. */
void bridge_ping_hear(struct bridge_ping *ping, uint64_t now_ns,
                      const struct bridge_message *message)
{
    ping->stamp = message->stamp;
    ping->heard_ns = now_ns;
    if (message->echo == 0 || message->echo >= now_ns || message->held_ns >= now_ns - message->echo)
        return;
    measure(ping, now_ns, now_ns - message->echo - message->held_ns);
}

uint64_t bridge_ping_way_ns(const struct bridge_ping *ping)
{
    uint64_t one = ping->least_ns[0], other = ping->least_ns[1];
    if (one == 0 || other == 0)
        return one + other;
    return one < other ? one : other;
}

/* ---- The work ---- */

static uint64_t in_a_second(uint64_t done)
{
    return done * (SEC_NS / (COUNTED_MS * MS_NS));
}

void bridge_rate_count(struct bridge_rate *rate, uint64_t now_ns, uint32_t count)
{
    uint64_t passed_ns = now_ns - rate->begun_ns;
    if (passed_ns >= COUNTED_MS * MS_NS) {
        rate->before = passed_ns < 2 * COUNTED_MS * MS_NS ? in_a_second(rate->done) : 0;
        rate->done = 0;
        rate->begun_ns = now_ns;
    }
    rate->done += count;
}

uint64_t bridge_rate_now(const struct bridge_rate *rate)
{
    uint64_t now = in_a_second(rate->done);
    return now > rate->before ? now : rate->before;
}

uint32_t bridge_ahead(uint64_t rate, uint64_t way_ns, uint32_t least, uint32_t most)
{
    double ahead = 2 * (double)rate * ((double)way_ns + TURN_US * 1e3) / (double)SEC_NS;
    uint32_t wanted = ahead < (double)most ? (uint32_t)ahead : most;
    if (wanted < least)
        wanted = least;
    return wanted < most ? wanted : most;
}

/* Listening: from the addresses and limits that a person wrote to an engine's, and back to URLs.
 * For all programs with an engine. Thread: main.
 */
#ifndef STOA_MAIN_LISTENING_H
#define STOA_MAIN_LISTENING_H

#include "engine/engine.h"
#include "main/option.h"

/* What clients' connections may take; a program's settings have one, and its table these rows. */
struct listening_limits {
    uint64_t loops, connections_max;
    uint64_t head_bytes, header_count;
    uint64_t head_ms, idle_ms, body_idle_ms, send_idle_ms;
};

/* clang-format off */
#define LISTENING_AT(base, field) ((base) + offsetof(struct listening_limits, field))
/* BASE: the offset of the limits in the settings. */
#define LISTENING_ROWS(base) \
    {"loops", OPTION_COUNT, LISTENING_AT(base, loops), "0", 0, 256, NULL, "N", \
     "event loops (0: one a core)"}, \
    {"connections-max", OPTION_COUNT, LISTENING_AT(base, connections_max), "0", 0, 10000000, NULL, \
     "N", "most open connections of clients (0: as many as the system allows)"}, \
    {"head-bytes", OPTION_SIZE, LISTENING_AT(base, head_bytes), "16K", 1 << 10, 1 << 20, NULL, \
     "SIZE", "longest request head"}, \
    {"header-count", OPTION_COUNT, LISTENING_AT(base, header_count), "100", 8, 10000, NULL, "N", \
     "most headers of a request"}, \
    {"head-timeout", OPTION_DURATION, LISTENING_AT(base, head_ms), "10s", 100, 3600000, NULL, \
     "TIME", "how long a request's head may take to arrive"}, \
    {"idle-timeout", OPTION_DURATION, LISTENING_AT(base, idle_ms), "60s", 100, 86400000, NULL, \
     "TIME", "how long a connection may wait between requests"}, \
    {"body-timeout", OPTION_DURATION, LISTENING_AT(base, body_idle_ms), "10s", 100, 3600000, NULL, \
     "TIME", "how long a body may pause"}, \
    {"send-timeout", OPTION_DURATION, LISTENING_AT(base, send_idle_ms), "20s", 100, 3600000, NULL, \
     "TIME", "how long a client may take nothing of its answer"}
/* clang-format on */

/* Puts LIMITS into CONFIG. */
void listening_limit(struct engine_config *config, const struct listening_limits *limits);

enum listening_kind { LISTENING_HTTP, LISTENING_TLS, LISTENING_PROXY };

/* Appends LIST's addresses to CONFIG's. */
int listening_add(struct engine_config *config, const struct option_list *list,
                  enum listening_kind kind, struct failure *failure);

/* Whether ADDRESS, "HOST:PORT", means all of this machine's: nobody can connect to it as it is
 * written. */
bool listening_is_everywhere(const char *address);

/* Whether ADDRESS, "HOST:PORT", is one of this machine's that nobody else can reach: a number of a
 * loopback network, or localhost. Names are not looked up: "127.example.com" is not one. */
bool listening_is_loopback(const char *address);

/* ADDRESS as a URL with PORT, the one that it really got; 0: its own. EVERY_HOST: how this machine
 * is called where ADDRESS is everywhere. */
void listening_url(const char *address, bool tls, uint16_t port, const char *every_host, char *out,
                   size_t size);

#endif
